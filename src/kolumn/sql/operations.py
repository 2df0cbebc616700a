"""Operations inside a table; whole objects are created, dropped and renamed by the engine's own.

Each names its table as `subject` and carries the table before and after it alone, so that a compiler
for a database that cannot make the change in place can rebuild the table to `after`.
"""

from __future__ import annotations

from dataclasses import dataclass

from kolumn.engine.operations import Alter, Operation
from kolumn.sql.model import Column, Constraint, Table


@dataclass(frozen=True, kw_only=True)
class AlterTable(Alter):
    """Base of the changes inside a table."""

    before: Table
    after: Table


@dataclass(frozen=True, kw_only=True)
class AddColumn(AlterTable):
    """Add a column; it stands in `after` where it belongs."""

    column: Column

    def describe(self) -> str:
        """Return `add column <name> to <table>`."""
        return f"add column {self.column.name} to {self.subject}"

    def inverse(self) -> Operation:
        """Return the drop of the column."""
        return DropColumn(subject=self.subject, before=self.after, after=self.before, column=self.column)


@dataclass(frozen=True, kw_only=True)
class DropColumn(AlterTable):
    """Drop a column with what it holds."""

    column: Column

    def describe(self) -> str:
        """Return `drop column <name> from <table>`."""
        return f"drop column {self.column.name} from {self.subject}"

    def inverse(self) -> Operation:
        """Return the addition of the column; its values do not come back with it."""
        return AddColumn(subject=self.subject, before=self.after, after=self.before, column=self.column)


@dataclass(frozen=True, kw_only=True)
class RenameColumn(AlterTable):
    """Give a column another name; its values stay."""

    old: str
    new: str

    def describe(self) -> str:
        """Return `rename column <old> to <new> in <table>`."""
        return f"rename column {self.old} to {self.new} in {self.subject}"

    def inverse(self) -> Operation:
        """Return the renaming back."""
        return RenameColumn(
            subject=self.subject, before=self.after, after=self.before, old=self.new, new=self.old
        )


@dataclass(frozen=True, kw_only=True)
class AlterColumn(AlterTable):
    """Change a column's type, nullability, default or other property."""

    old: Column
    new: Column

    def describe(self) -> str:
        """Return `alter column <name> of <table>: <what>`."""
        return f"alter column {self.new.name} of {self.subject}" + (f": {self.words}" if self.words else "")

    def inverse(self) -> Operation:
        """Return the change back."""
        return AlterColumn(
            subject=self.subject,
            before=self.after,
            after=self.before,
            old=self.new,
            new=self.old,
            words=self.words,
        )


@dataclass(frozen=True, kw_only=True)
class AddConstraint(AlterTable):
    """Add a primary key, unique, check or foreign key constraint."""

    constraint: Constraint

    def describe(self) -> str:
        """Return `add <kind> <name> to <table>`."""
        return f"add {constraint_words(self.constraint)} to {self.subject}"

    def inverse(self) -> Operation:
        """Return the drop of the constraint."""
        return DropConstraint(
            subject=self.subject, before=self.after, after=self.before, constraint=self.constraint
        )


@dataclass(frozen=True, kw_only=True)
class DropConstraint(AlterTable):
    """Drop a constraint."""

    constraint: Constraint

    def describe(self) -> str:
        """Return `drop <kind> <name> from <table>`."""
        return f"drop {constraint_words(self.constraint)} from {self.subject}"

    def inverse(self) -> Operation:
        """Return the addition of the constraint."""
        return AddConstraint(
            subject=self.subject, before=self.after, after=self.before, constraint=self.constraint
        )


@dataclass(frozen=True, kw_only=True)
class RebuildTable(AlterTable):
    """Make all of `because` true at once by building the table anew and copying its rows."""

    because: tuple[AlterTable, ...]

    def describe(self) -> str:
        """Return `rebuild <table>: <each change>`."""
        return f"rebuild {self.subject}: " + "; ".join(each.describe() for each in self.because)

    def inverse(self) -> Operation:
        """Return the rebuild back to what was there before."""
        inverses = tuple(each.inverse() for each in reversed(self.because))
        return RebuildTable(
            subject=self.subject,
            before=self.after,
            after=self.before,
            because=tuple(each for each in inverses if isinstance(each, AlterTable)),
        )


def constraint_words(constraint: Constraint) -> str:
    """Return a constraint's kind and name for people, e.g. `check price_positive`."""
    words = {"PrimaryKey": "primary key", "Unique": "unique", "Check": "check", "ForeignKey": "foreign key"}
    return f"{words[type(constraint).__name__]} {constraint.name}".rstrip()
