"""SQLite's resource types, and those it lacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.handler import Handler
from kolumn.engine.operations import Operation
from kolumn.providers.sqlite import render
from kolumn.providers.sqlite.dialect import SQLiteDialect, normal_schema
from kolumn.providers.sqlite.model import SQLiteIndex, SQLiteSchema, SQLiteTable, SQLiteTrigger, SQLiteView
from kolumn.providers.sqlite.tokens import fold
from kolumn.sql import handlers as sql
from kolumn.sql.model import Table

REFUSED: Mapping[str, str] = {
    "function": "it runs no code of its own; write the logic in a view, a trigger or the application.",
    "procedure": "it runs no code of its own; write the logic in a trigger or the application.",
    "aggregate": "it runs no code of its own; aggregate in the application.",
    "sequence": "declare the column INTEGER PRIMARY KEY, autoincrement where numbers must not come back.",
    "user": "who may open the database is said by the permissions of its file.",
    "role": "who may open the database is said by the permissions of its file.",
    "grant": "who may open the database is said by the permissions of its file.",
    "policy": "rows have no owners; put what others may see in a file of its own, or in views.",
    "materialized_view": "use a table that triggers keep up to date, or a view.",
    "database": "a database is a file: set its path in the provider block; further files are of type schema.",
    "type": "columns take any type name; restrict values with a check or a strict table.",
    "enum": "restrict the column with a check: check = \"status IN ('new', 'done')\".",
    "domain": "restrict the column with a check.",
    "extension": "extensions are loaded by each application for its own connection, and never stored.",
    "partition": "tables are not partitioned; use several tables and a view over them.",
}

M = TypeVar("M")


class _Lenient(SQLiteDialect):
    """Takes any lone word as a default: in a statement somebody else wrote, SQLite has taken it already."""

    def is_constant(self, word: str) -> bool:
        return True


def _main_is_default(model: M) -> M:
    """Return the model with `main` spelled as what it is, the default schema."""
    if normal_schema(getattr(model, "schema", "")) == getattr(model, "schema", ""):
        return model
    changes = {"schema": normal_schema(getattr(model, "schema", ""))}
    return dataclasses.replace(model, **changes)  # type: ignore[type-var]


class SQLiteTableHandler(sql.TableHandler):
    """Tables, virtual ones included."""

    def __init__(self, dialect: SQLiteDialect) -> None:
        super().__init__(SQLiteTable, dialect)
        self._lenient = None if isinstance(dialect, _Lenient) else SQLiteTableHandler(_Lenient())

    def parse(self, config: Mapping[str, Any], name: str) -> SQLiteTable:
        """Return the table. Raises ValidationError with every fault."""
        if self._lenient is not None and config.get("statement"):
            return self._lenient.parse(config, name)
        table = super().parse(config, name)
        assert isinstance(table, SQLiteTable)
        return _main_is_default(table)

    def diff(self, live: Table | None, wanted: Table | None) -> list[Operation]:
        """Return the operations; a column's name in other case is a rename, as SQLite keeps the case."""
        if live is not None and wanted is not None:
            spelled = {fold(column.name): column.name for column in live.columns}
            columns = tuple(
                dataclasses.replace(column, renamed_from=spelled[fold(column.name)])
                if spelled.get(fold(column.name), column.name) != column.name
                else column
                for column in wanted.columns
            )
            wanted = dataclasses.replace(wanted, columns=columns)
        return super().diff(live, wanted)

    def config(self, model: Any) -> dict[str, Any]:
        """Return the configuration, with the whole statement only where it says more."""
        short = render.concise(model)
        defaults = [column.default for column in short.columns if column.default is not None]
        if model.statement and any(self._is_bare_word(text) for text in defaults):
            short = model
        return super().config(short)


class SQLiteIndexHandler(sql.IndexHandler):
    """Indexes of their own, not those that constraints bring."""

    def __init__(self, dialect: SQLiteDialect) -> None:
        super().__init__(SQLiteIndex, dialect)

    def parse(self, config: Mapping[str, Any], name: str) -> Any:
        """Return the index. Raises ValidationError with every fault."""
        return _main_is_default(super().parse(config, name))

    def config(self, model: Any) -> dict[str, Any]:
        """Return the configuration, with the whole statement only where it says more."""
        return super().config(render.concise(model))


class SQLiteViewHandler(sql.ViewHandler):
    """Views."""

    def __init__(self, dialect: SQLiteDialect) -> None:
        super().__init__(SQLiteView, dialect)

    def parse(self, config: Mapping[str, Any], name: str) -> Any:
        """Return the view. Raises ValidationError with every fault."""
        return _main_is_default(super().parse(config, name))

    def config(self, model: Any) -> dict[str, Any]:
        """Return the configuration, with the whole statement only where it says more."""
        return super().config(render.concise(model))


class SQLiteTriggerHandler(sql.TriggerHandler):
    """Triggers."""

    def __init__(self, dialect: SQLiteDialect) -> None:
        super().__init__(SQLiteTrigger, dialect)

    def parse(self, config: Mapping[str, Any], name: str) -> Any:
        """Return the trigger. Raises ValidationError with every fault."""
        return _main_is_default(super().parse(config, name))

    def config(self, model: Any) -> dict[str, Any]:
        """Return the configuration, with the whole statement only where it says more."""
        return super().config(render.concise(model))


class SQLiteSchemaHandler(sql.SchemaHandler):
    """Other database files, attached under a name."""

    description = "Another database file, attached as a schema; deleting the resource leaves the file alone"

    def __init__(self, dialect: SQLiteDialect) -> None:
        super().__init__(SQLiteSchema, dialect, self.description)

    def replace(self, live: Any, wanted: Any) -> list[Operation]:
        """Refuse another file under the same name: what that file holds is not known to this plan."""
        raise ValidationError.of(
            [
                Problem(
                    f"schema {wanted.name} is the file {live.path} and cannot become {wanted.path} in place",
                    code="unsupported_change",
                    path="path",
                    resource=f"sqlite_schema.{wanted.name}",
                    hint="Attach the other file under another name, or remove this schema and what is "
                    "declared in it, apply, and declare it again.",
                )
            ]
        )


def handlers() -> Iterator[Handler[Any]]:
    """Yield the handlers of SQLite's resource types."""
    dialect = SQLiteDialect()
    yield SQLiteTableHandler(dialect)
    yield SQLiteIndexHandler(dialect)
    yield SQLiteViewHandler(dialect)
    yield SQLiteTriggerHandler(dialect)
    yield SQLiteSchemaHandler(dialect)
