"""Operations inside a table; whole objects are created, dropped and renamed by the engine's own.

Each names its table as `subject` and carries the table before and after it alone, so that a compiler
for a database that cannot make the change in place can rebuild the table to `after`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.engine.declaration import sensitive_fields
from kolumn.engine.operations import Alter, Operation
from kolumn.sql import risks
from kolumn.sql.model import Column, Constraint, Table


@dataclass(frozen=True, kw_only=True)
class AlterObject(Alter):
    """Change attributes of an object in place; `fields` names them."""

    fields: tuple[str, ...]

    def describe(self) -> str:
        """Return `alter <object>: <what>`."""
        words = ", ".join(change_words(self.before, self.after, self.fields))
        return f"alter {self.subject}" + (f": {words}" if words else "")

    def inverse(self) -> Operation | None:
        """Return the change back."""
        return type(self)(
            subject=self.subject, before=self.after, after=self.before, fields=self.fields, **back(self)
        )


@dataclass(frozen=True, kw_only=True)
class AlterTable(Alter):
    """Change what a table is besides its columns and constraints; base of the changes inside a table."""

    before: Table
    after: Table
    fields: tuple[str, ...] = ()
    """Names of the attributes of the table that change."""

    def describe(self) -> str:
        """Return `alter <table>: <what>`."""
        words = ", ".join(change_words(self.before, self.after, self.fields))
        return f"alter {self.subject}" + (f": {words}" if words else "")

    def inverse(self) -> Operation:
        """Return the change back."""
        return AlterTable(
            subject=self.subject, before=self.after, after=self.before, fields=self.fields, **back(self)
        )


@dataclass(frozen=True, kw_only=True)
class AddColumn(AlterTable):
    """Add a column; it stands in `after` where it belongs."""

    column: Column

    def describe(self) -> str:
        """Return `add column <name> to <table>`."""
        return f"add column {self.column.name} to {self.subject}"

    def inverse(self) -> Operation:
        """Return the drop of the column."""
        return DropColumn(
            subject=self.subject,
            before=self.after,
            after=self.before,
            column=self.column,
            risks=tuple(risks.dropping_column(self.after, self.column)),
            **back(self),
        )


@dataclass(frozen=True, kw_only=True)
class DropColumn(AlterTable):
    """Drop a column with what it holds."""

    column: Column

    def describe(self) -> str:
        """Return `drop column <name> from <table>`."""
        return f"drop column {self.column.name} from {self.subject}"

    def inverse(self) -> Operation:
        """Return the addition of the column; its values do not come back with it."""
        return AddColumn(
            subject=self.subject,
            before=self.after,
            after=self.before,
            column=self.column,
            risks=tuple(risks.adding_column(self.after, self.column)),
            **back(self),
        )


@dataclass(frozen=True, kw_only=True)
class RenameColumn(AlterTable):
    """Give a column another name; its values stay."""

    RENAMES: ClassVar[bool] = True

    old: str
    new: str

    def describe(self) -> str:
        """Return `rename column <old> to <new> in <table>`."""
        return f"rename column {self.old} to {self.new} in {self.subject}"

    def inverse(self) -> Operation:
        """Return the renaming back."""
        return RenameColumn(
            subject=self.subject,
            before=self.after,
            after=self.before,
            old=self.new,
            new=self.old,
            **back(self),
        )


@dataclass(frozen=True, kw_only=True)
class AlterColumn(AlterTable):
    """Change a column's type, nullability, default or other property; `fields` names the column's."""

    old: Column
    new: Column

    def describe(self) -> str:
        """Return `alter column <name> of <table>: <what>`."""
        words = ", ".join(change_words(self.old, self.new, self.fields))
        return f"alter column {self.new.name} of {self.subject}" + (f": {words}" if words else "")

    def inverse(self) -> Operation:
        """Return the change back; what a change of type back endangers is the dialect's to say."""
        return AlterColumn(
            subject=self.subject,
            before=self.after,
            after=self.before,
            old=self.new,
            new=self.old,
            fields=self.fields,
            risks=tuple(risks.altering_column(self.after, self.new, self.old)),
            **back(self),
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
            subject=self.subject,
            before=self.after,
            after=self.before,
            constraint=self.constraint,
            **back(self),
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
            subject=self.subject,
            before=self.after,
            after=self.before,
            constraint=self.constraint,
            risks=tuple(risks.adding_constraint(self.after, self.constraint)),
            **back(self),
        )


@dataclass(frozen=True, kw_only=True)
class AlterConstraint(AlterTable):
    """Change a constraint in place, its name among others; `fields` names the constraint's attributes."""

    old: Constraint
    new: Constraint

    def describe(self) -> str:
        """Return `rename <kind> <name> to <name> in <table>`, or `alter <kind> <name> of <table>: <what>`."""
        if self.fields == ("name",):
            return f"rename {constraint_words(self.old)} to {self.new.name} in {self.subject}"
        words = ", ".join(change_words(self.old, self.new, self.fields))
        return f"alter {constraint_words(self.old)} of {self.subject}: {words}"

    def inverse(self) -> Operation:
        """Return the change back."""
        return AlterConstraint(
            subject=self.subject,
            before=self.after,
            after=self.before,
            old=self.new,
            new=self.old,
            fields=self.fields,
            **back(self),
        )


@dataclass(frozen=True, kw_only=True)
class AlterTogether(AlterTable):
    """Make several changes of one table in one go, in their order."""

    because: tuple[AlterTable, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("requires", "provides", "removes", "releases"):
            together = getattr(self, name).union(*(getattr(each, name) for each in self.because))
            object.__setattr__(self, name, together)
        found = dict.fromkeys((*self.risks, *(risk for each in self.because for risk in each.risks)))
        object.__setattr__(self, "risks", tuple(found))

    def describe(self) -> str:
        """Return `alter <table>: <each change>`."""
        return f"alter {self.subject}: " + "; ".join(each.describe() for each in self.because)

    def inverse(self) -> Operation:
        """Return the changes back, in the opposite order."""
        inverses = tuple(each.inverse() for each in reversed(self.because))
        return type(self)(
            subject=self.subject,
            before=self.after,
            after=self.before,
            because=tuple(each for each in inverses if isinstance(each, AlterTable)),
        )


@dataclass(frozen=True, kw_only=True)
class RebuildTable(AlterTogether):
    """Make all of `because` true at once by building the table anew and copying its rows."""

    def describe(self) -> str:
        """Return `rebuild <table>: <each change>`."""
        return f"rebuild {self.subject}: " + "; ".join(each.describe() for each in self.because)


def back(operation: Operation) -> dict[str, Any]:
    """Return the ordering sets of the operation that takes `operation` back."""
    return {
        "requires": operation.releases,
        "provides": operation.removes,
        "removes": operation.provides,
        "releases": operation.requires,
    }


def constraint_words(constraint: Constraint) -> str:
    """Return a constraint's kind and name for people, e.g. `check price_positive`; its columns if unnamed."""
    return f"{constraint.KIND} {constraint.name or risks.constraint_content(constraint)}".rstrip()


def change_words(before: object, after: object, fields: Iterable[str]) -> Iterator[str]:
    """Yield what becomes of each field, for people: `type text -> integer`, `not null`, `no default`."""
    secret = sensitive_fields(type(after))
    for field in fields:
        old, new = getattr(before, field, None), getattr(after, field, None)
        name = field.replace("_", " ")
        if field in secret:
            yield name
        elif field == "not_null":
            yield "not null" if new else "nullable"
        elif isinstance(new, bool):
            yield name if new else name.removeprefix("not ") if name.startswith("not ") else f"not {name}"
        elif not isinstance(new, str | int | float | None) or not isinstance(old, str | int | float | None):
            yield name
        elif new in (None, ""):
            yield f"no {name}"
        elif old in (None, ""):
            yield f"{name} {new}"
        else:
            yield f"{name} {old} -> {new}"
