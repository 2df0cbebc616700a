"""Changes that only tables of PostgreSQL know."""

from __future__ import annotations

from dataclasses import dataclass

from kolumn.engine.operations import Operation
from kolumn.sql.operations import AlterColumn, AlterTable, back


@dataclass(frozen=True, kw_only=True)
class AttachPartition(AlterTable):
    """Make a table a partition; its rows stay where they are."""

    def describe(self) -> str:
        """Return `attach <table> to <parent>`."""
        return f"attach {self.subject} to {getattr(self.after, 'partition_of', '')}"

    def inverse(self) -> Operation:
        """Return the detachment."""
        return DetachPartition(subject=self.subject, before=self.after, after=self.before, **back(self))


@dataclass(frozen=True, kw_only=True)
class DetachPartition(AlterTable):
    """Make a partition a table of its own; its rows stay where they are."""

    def describe(self) -> str:
        """Return `detach <table> from <parent>`."""
        return f"detach {self.subject} from {getattr(self.before, 'partition_of', '')}"

    def inverse(self) -> Operation:
        """Return the attachment."""
        return AttachPartition(subject=self.subject, before=self.after, after=self.before, **back(self))


@dataclass(frozen=True, kw_only=True)
class RemakeColumn(AlterColumn):
    """Drop a column and add it anew, as how its values are computed cannot change in place."""

    def describe(self) -> str:
        """Return `make column <name> of <table> anew`."""
        return f"make column {self.new.name} of {self.subject} anew"

    def inverse(self) -> Operation:
        """Return the change back."""
        return RemakeColumn(
            subject=self.subject,
            before=self.after,
            after=self.before,
            old=self.new,
            new=self.old,
            fields=self.fields,
            **back(self),
        )
