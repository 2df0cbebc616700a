"""Other database files, attached under a name: Kolumn attaches them again whenever it opens the database."""

from __future__ import annotations

from typing import Any

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.operations import Operation
from kolumn.engine.resource import Ref
from kolumn.providers.duckdb.language.dialect import DuckDBDialect
from kolumn.providers.duckdb.model import AttachedDatabase
from kolumn.sql.handlers import SQLHandler


class AttachedDatabaseHandler(SQLHandler[AttachedDatabase]):
    """Attached files; deleting the resource leaves the file alone."""

    type = "attached_database"
    description = "Another DuckDB file, attached under a name; deleting the resource leaves the file alone"

    def __init__(self, dialect: DuckDBDialect) -> None:
        super().__init__(AttachedDatabase, dialect)

    def ref(self, model: AttachedDatabase) -> Ref:
        """Return the folded name."""
        return Ref(self.type, self.fold(model.name))

    def replace(self, live: Any, wanted: Any) -> list[Operation]:
        """Detach and attach again; refuse another file under the same name, as views may read from it."""
        if live.path != wanted.path:
            raise ValidationError.of(
                [
                    Problem(
                        f"attached_database {wanted.name} is the file {live.path} and cannot become {wanted.path} "
                        "in place",
                        code="unsupported_change",
                        path="path",
                        resource=f"duckdb_attached_database.{wanted.name}",
                        hint="Attach the other file under another name, or remove this one, apply, and declare it "
                        "again.",
                    )
                ]
            )
        return [self.dropped(live), self.created(wanted)]
