"""Kolumn's own tables in an SQL database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Protocol

from kolumn.contract.context import Context
from kolumn.engine.metadata import Condition, Row, Scalar, Table
from kolumn.engine.operations import Statement
from kolumn.engine.session import Session

_TYPES = {"name": "VARCHAR(200)", "integer": "BIGINT"}


class Home(Protocol):
    """What tables live in where that is not always there, such as a schema."""

    def make(self, context: Context) -> None:
        """Make it if it is not there; called within a transaction."""

    def leave(self, context: Context) -> None:
        """Remove it if it was made for this and is empty; called within a transaction."""


class TableMetadata:
    """Tables called what `place` says for their name, quoted; `exists` is a query that returns a row if one is there.

    `parameter` is how the driver writes a value's place: `?` or `%s`. `text_type` is the type of texts of any
    length. `protect` returns what makes the database
    refuse changes of an append-only table that was just made.
    """

    def __init__(
        self,
        session: Session,
        place: Callable[[str], str],
        *,
        parameter: str,
        exists: Callable[[str], Statement],
        home: Home | None = None,
        protect: Callable[[Table], Sequence[Statement]] = lambda _: (),
        text_type: str = "TEXT",
    ) -> None:
        self._session = session
        self._place = place
        self._parameter = parameter
        self._exists = exists
        self._home = home
        self._protect = protect
        self._types = {**_TYPES, "text": text_type}

    def exists(self, context: Context, table: Table) -> bool:
        """Whether the table is there."""
        return bool(self._session.query(context, self._exists(table.name)))

    def make(self, context: Context, table: Table) -> None:
        """Make the table, and what it lives in, if they are not there."""
        if self.exists(context, table):
            return
        if self._home is not None:
            self._home.make(context)
        lines = [
            f"{each.name} {self._types[each.kind]}{' NOT NULL' if each.required else ''}"
            for each in table.columns
        ]
        lines.append(f"PRIMARY KEY ({', '.join(table.key)})")
        text = f"CREATE TABLE IF NOT EXISTS {self._place(table.name)} ({', '.join(lines)})"
        protection = self._protect(table) if table.append_only else ()
        self._session.run(context, [Statement(text), *protection])

    def drop(self, context: Context, table: Table) -> None:
        """Drop the table, and what it lived in if that is empty and was made for it."""
        self._session.run(context, [Statement(f"DROP TABLE IF EXISTS {self._place(table.name)}")])
        if self._home is not None:
            self._home.leave(context)

    def insert(self, context: Context, table: Table, rows: Sequence[Row]) -> None:
        """Add rows."""
        self._session.run(context, [self.insertion(table, row) for row in rows])

    def insertion(self, table: Table, row: Row, computed: Mapping[str, str] | None = None) -> Statement:
        """Return the INSERT of a row."""
        expressions = {name: self._escape(text) for name, text in (computed or {}).items()}
        columns = [each.name for each in table.columns]
        given = [column for column in columns if column not in expressions]
        places = ", ".join(expressions.get(column, self._parameter) for column in columns)
        text = f"INSERT INTO {self._place_in(table, given)} ({', '.join(columns)}) VALUES ({places})"
        return Statement(text, tuple(row.get(column) for column in given))

    def update(self, context: Context, table: Table, values: Row, where: Sequence[Condition]) -> None:
        """Change rows."""
        self._session.run(context, [self.updating(table, values, where)])

    def updating(
        self,
        table: Table,
        values: Row,
        where: Sequence[Condition],
        computed: Mapping[str, str] | None = None,
    ) -> Statement:
        """Return the UPDATE of rows."""
        clause, parameters = self._where(where)
        given = (*values.values(), *parameters)
        setting = [f"{column} = {self._parameter}" for column in values]
        for column, text in (computed or {}).items():
            setting.append(f"{column} = {self._escape(text) if given else text}")
        text = f"UPDATE {self._place_in(table, given)} SET {', '.join(setting)}{clause}"
        return Statement(text, given)

    def delete(self, context: Context, table: Table, where: Sequence[Condition]) -> None:
        """Remove rows."""
        self._session.run(context, [self.deletion(table, where)])

    def deletion(self, table: Table, where: Sequence[Condition]) -> Statement:
        """Return the DELETE of rows."""
        clause, parameters = self._where(where)
        return Statement(f"DELETE FROM {self._place_in(table, parameters)}{clause}", parameters)

    def select(
        self,
        context: Context,
        table: Table,
        where: Sequence[Condition] = (),
        *,
        order: Sequence[str] = (),
        descending: bool = False,
        limit: int | None = None,
    ) -> list[dict[str, Scalar]]:
        """Return rows."""
        if not self.exists(context, table):
            return []
        columns = [each.name for each in table.columns]
        clause, parameters = self._where(where)
        text = f"SELECT {', '.join(columns)} FROM {self._place_in(table, parameters)}{clause}"
        if order:
            direction = " DESC" if descending else ""
            text += " ORDER BY " + ", ".join(f"{column}{direction}" for column in order)
        if limit is not None:
            text += f" LIMIT {limit}"
        rows = self._session.query(context, Statement(text, parameters))
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _where(self, conditions: Sequence[Condition]) -> tuple[str, tuple[Scalar, ...]]:
        if not conditions:
            return "", ()
        tests = " AND ".join(f"{each.column} {each.operator} {self._parameter}" for each in conditions)
        return f" WHERE {tests}", tuple(each.value for each in conditions)

    def _place_in(self, table: Table, parameters: Sized) -> str:
        """Return the table's place as a text with these parameters has it."""
        place = self._place(table.name)
        return self._escape(place) if parameters else place

    def _escape(self, text: str) -> str:
        """Return a text with percent signs doubled where the driver marks parameters with them."""
        return text.replace("%", "%%") if "%" in self._parameter else text
