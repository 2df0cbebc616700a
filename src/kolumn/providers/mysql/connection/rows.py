"""Copies rows out and in: each row one line of JSON, values as texts, bytes in hexadecimal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.engine.operations import Statement
from kolumn.engine.rows import Copied, RowSet
from kolumn.providers.mysql.language.tokens import qualified, quote
from kolumn.providers.mysql.language.types import GEOMETRIES, type_of
from kolumn.sql.model import Column, Table

if TYPE_CHECKING:
    from kolumn.providers.mysql.connection.session import MySQLSession
    from kolumn.providers.mysql.connection.work import Work

_BYTES = GEOMETRIES | {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "vector"}
_ROWS_AT_ONCE = 200
_CHECKS_OFF = (
    "SET SESSION foreign_key_checks = 0, SESSION unique_checks = 1, SESSION time_zone = '+00:00', "
    "SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')"
)


class MySQLRows:
    """Rows of tables, as lines of JSON. Times are written in UTC, floating-point numbers in full."""

    format = "mysql json lines"

    def __init__(self, session: MySQLSession) -> None:
        self._session = session

    holds_outside = True
    """LOCK TABLES holds a table for its connection, also while that drops or alters it."""

    def hold(self, context: Context, rows: RowSet) -> None:
        """Keep others from changing the rows until the end of the transaction or step."""
        with self._session.working(context) as work:
            if work.in_transaction:
                work.run(context, Statement(f"SELECT 1 FROM {_place(rows)} LIMIT 0 FOR UPDATE"))
                work.run(context, Statement(f"SELECT count(*) FROM {_place(rows)} FOR UPDATE"))
            else:
                work.lock_table(context, _place(rows))

    def count(self, context: Context, rows: RowSet) -> int:
        """Return how many rows there are, or how many have a value that would be lost."""
        return int(
            self._session.query(context, Statement(f"SELECT count(*) FROM {_place(rows)}{_having(rows)}"))[0][
                0
            ]
        )

    def copy_out(self, context: Context, rows: RowSet, write: Callable[[bytes], object]) -> Copied:
        """Hand all rows to `write`, one line for each."""
        table = _table(rows)
        key = rows.key or _others(table, rows) if rows.lost else ()
        columns = (
            (*key, *rows.lost)
            if rows.lost
            else tuple(each.name for each in table.columns if not each.generated)
        )
        by_name = {each.name: each for each in table.columns}
        chosen = ", ".join(_read(by_name[name]) for name in columns)
        encode = msgspec.json.Encoder().encode
        count = 0
        with self._session.working(context) as work:
            zone = work.run(context, Statement("SELECT @@session.time_zone"))[0][0]
            work.run(context, Statement("SET SESSION time_zone = '+00:00'"))
            try:
                for piece in work.stream(context, Statement(f"SELECT {chosen} FROM {_place(rows)}")):
                    write(b"".join(encode([_text(value) for value in row]) + b"\n" for row in piece))
                    count += len(piece)
            finally:
                if work.is_usable:
                    work.run(Context.background(), Statement("SET SESSION time_zone = %s", (zone,)))
        return Copied(columns=columns, key=key, rows=count, counters=self._counters(context, rows))

    @contextlib.contextmanager
    def loading(self, context: Context, rows: Sequence[RowSet]) -> Iterator[None]:
        """Let rows of all these come in whatever order; references are checked at the end.

        Triggers cannot be turned off: what they would do has been done, so a table that has some is refused.
        """
        with self._session.working(context) as work:
            (before,) = work.run(
                context, Statement("SELECT @@foreign_key_checks, @@unique_checks, @@time_zone, @@sql_mode")
            )
            for each in rows:
                found = work.run(context, Statement(_TRIGGERS, (each.schema or None, each.name)))
                if found:
                    names = ", ".join(str(name) for (name,) in found)
                    raise OperationError(
                        f"rows of {each.ref} cannot come back while it has triggers that fire: {names}. Drop "
                        "them, restore, and create them again.",
                        code="triggers_fire",
                    )
            work.run(context, Statement(_CHECKS_OFF))
            try:
                yield
            finally:
                if work.is_usable:
                    work.run(
                        Context.background(),
                        Statement(
                            "SET SESSION foreign_key_checks = %s, SESSION unique_checks = %s, SESSION time_zone = %s, "
                            "SESSION sql_mode = %s",
                            before,
                        ),
                    )

    def copy_in(
        self,
        context: Context,
        rows: RowSet,
        columns: Sequence[str],
        lines: Iterable[bytes],
        counters: Any,
    ) -> int:
        """Put rows back: whole rows are added, lost values find their rows."""
        table = _table(rows)
        by_name = {each.name: each for each in table.columns}
        written = [_write(by_name[name]) for name in columns]
        decode = msgspec.json.Decoder(list[str | None]).decode
        added = 0
        with self._session.working(context) as work:
            if not rows.lost:
                names = ", ".join(map(quote, columns))
                one = f"({', '.join(written)})"
                for piece in _pieces(map(decode, _lines(lines))):
                    text = f"INSERT INTO {_place(rows)} ({names}) VALUES {', '.join([one] * len(piece))}"
                    work.run(context, Statement(text, tuple(value for row in piece for value in row)))
                    added += len(piece)
            else:
                added = self._put_back(
                    context, work, rows, columns, dict(zip(columns, written, strict=True)), lines
                )
            for value in dict(counters).values():
                work.run(context, Statement(f"ALTER TABLE {_place(rows)} AUTO_INCREMENT = {int(value)}"))
        return added

    def _put_back(
        self,
        context: Context,
        work: Work,
        rows: RowSet,
        columns: Sequence[str],
        places: Mapping[str, str],
        lines: Iterable[bytes],
    ) -> int:
        """Give lost values back to their rows; rows alike in all else are taken for one another."""
        lost = [name for name in columns if name in rows.lost]
        known = [name for name in columns if name not in rows.lost]
        setting = ", ".join(f"{quote(name)} = {places[name]}" for name in lost)
        where = " AND ".join(f"{quote(name)} <=> {places[name]}" for name in known)
        unfilled = "" if rows.key else "".join(f" AND {quote(name)} IS NULL" for name in lost) + " LIMIT 1"
        statement = f"UPDATE {_place(rows)} SET {setting} WHERE {where}{unfilled}"
        order = [columns.index(name) for name in (*lost, *known)]
        decode = msgspec.json.Decoder(list[str | None]).decode
        return sum(
            work.change(context, Statement(statement, tuple(row[at] for at in order)))
            for row in map(decode, _lines(lines))
        )

    def _counters(self, context: Context, rows: RowSet) -> dict[str, int]:
        """Return where the table's counter stands, by the column that it fills."""
        column = next(
            (each.name for each in _table(rows).columns if getattr(each, "auto_increment", False)), None
        )
        if column is None or rows.lost:
            return {}
        found = self._session.query(context, Statement(_COUNTER, (rows.schema or None, rows.name)))
        return {column: int(found[0][0])} if found and found[0][0] is not None else {}


_TRIGGERS = """
SELECT trigger_name FROM information_schema.triggers
WHERE event_object_schema = COALESCE(%s, DATABASE()) AND event_object_table = %s
"""
_COUNTER = """
SELECT auto_increment FROM information_schema.tables
WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s
"""


def _table(rows: RowSet) -> Table:
    assert isinstance(rows.model, Table)
    return rows.model


def _place(rows: RowSet) -> str:
    return qualified(rows.schema, rows.name)


def _having(rows: RowSet) -> str:
    if not rows.lost:
        return ""
    return " WHERE " + " OR ".join(f"{quote(name)} IS NOT NULL" for name in rows.lost)


def _others(table: Table, rows: RowSet) -> tuple[str, ...]:
    return tuple(each.name for each in table.columns if each.name not in rows.lost and not each.generated)


def _kind(column: Column) -> str:
    found = type_of(column.type)
    return found.name if found is not None else ""


def _read(column: Column) -> str:
    kind = _kind(column)
    if kind in _BYTES:
        return f"HEX({quote(column.name)})"
    if kind == "float":  # shown with six digits otherwise
        return f"CAST({quote(column.name)} AS DOUBLE)"
    return (
        f"CAST({quote(column.name)} AS CHAR)"
        if kind in ("json", "uuid", "inet4", "inet6")
        else quote(column.name)
    )


def _write(column: Column) -> str:
    return "UNHEX(%s)" if _kind(column) in _BYTES else "%s"


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return repr(value) if isinstance(value, float) else str(value)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _pieces(rows: Iterable[list[str | None]]) -> Iterator[list[list[str | None]]]:
    piece: list[list[str | None]] = []
    for row in rows:
        piece.append(row)
        if len(piece) == _ROWS_AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece
