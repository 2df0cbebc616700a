"""Sequences (https://duckdb.org/docs/current/sql/statements/create_sequence)."""

from __future__ import annotations

from kolumn.engine.declaration import replaced
from kolumn.providers.duckdb.language.dialect import DuckDBDialect
from kolumn.providers.duckdb.model import Sequence
from kolumn.sql.handlers import SQLHandler


class SequenceHandler(SQLHandler[Sequence]):
    """Sequences. DuckDB alters none: one that changes is made anew, and goes on where it was.

    Where a sequence started DuckDB forgets when it writes the file: then that is where it goes on.
    """

    type = "sequence"
    description = "A sequence of numbers"
    IN_PLACE = frozenset({"increment", "min_value", "max_value", "cycle", "comment"})

    def __init__(self, dialect: DuckDBDialect) -> None:
        super().__init__(Sequence, dialect)

    def normal(self, model: Sequence) -> Sequence:
        """Return the normal form, in which every bound is given."""
        least, most, _ = model.bounds
        return replaced(super().normal(model), {"min_value": least, "max_value": most, "start": None})
