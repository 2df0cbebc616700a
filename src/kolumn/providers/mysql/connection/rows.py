"""Copies rows out and in: each row one line of JSON, values as texts, bytes in hexadecimal."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.engine.operations import Statement
from kolumn.engine.rows import Copied, RowSet
from kolumn.providers.mysql.language.tokens import qualified, quote
from kolumn.providers.mysql.language.types import GEOMETRIES, TEXTS, type_of
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
        key = rows.key if rows.lost else ()
        columns = (
            (*(key or _others(table, rows)), *rows.lost)
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
        added = 0
        with self._session.working(context) as work:
            if not rows.lost:
                names = ", ".join(map(quote, columns))
                one = f"({', '.join(written)})"
                for piece in _pieces(map(_decode, _lines(lines))):
                    text = f"INSERT INTO {_place(rows)} ({names}) VALUES {', '.join([one] * len(piece))}"
                    work.run(context, Statement(text, tuple(value for row in piece for value in row)))
                    added += len(piece)
            else:
                values = _Values(rows, columns, dict(zip(columns, written, strict=True)), by_name)
                fill = values.by_key if rows.key else values.by_all_else
                added = fill(context, work, lines)
            for value in dict(counters).values():
                self._session.afterwards(
                    context, Statement(f"ALTER TABLE {_place(rows)} AUTO_INCREMENT = {int(value)}")
                )
        return added

    def _counters(self, context: Context, rows: RowSet) -> dict[str, int]:
        """Return where the table's counter stands, by the column that it fills."""
        column = next(
            (each.name for each in _table(rows).columns if getattr(each, "auto_increment", False)), None
        )
        if column is None or rows.lost:
            return {}
        found = self._session.query(context, Statement(_COUNTER, (rows.schema or None, rows.name)))
        return {column: int(found[0][0])} if found and found[0][0] is not None else {}


class _Values:
    """Gives values of some columns back to the rows that had them."""

    def __init__(
        self,
        rows: RowSet,
        columns: Sequence[str],
        written: Mapping[str, str],
        by_name: Mapping[str, Column],
    ) -> None:
        self._place = _place(rows)
        self._written = written
        self._by_name = by_name
        self._lost = [name for name in columns if name in rows.lost]
        self._known = [name for name in columns if name not in rows.lost]
        # What every change of a row would set, such as the time of it, stays as it is.
        moving = [each.name for each in by_name.values() if getattr(each, "on_update_value", "")]
        self._still = [f"{quote(name)} = {quote(name)}" for name in moving if name not in rows.lost]
        self._at = {name: at for at, name in enumerate(columns)}

    def by_key(self, context: Context, work: Work, lines: Iterable[bytes]) -> int:
        """Fill the row that has the key of a line; return how many were filled."""
        setting = ", ".join(
            [*(f"{quote(name)} = {self._written[name]}" for name in self._lost), *self._still]
        )
        where = " AND ".join(f"{quote(name)} <=> {self._written[name]}" for name in self._known)
        order = [self._at[name] for name in (*self._lost, *self._known)]
        text = f"UPDATE {self._place} SET {setting} WHERE {where}"
        return sum(
            work.change(context, Statement(text, tuple(row[at] for at in order)))
            for row in map(_decode, _lines(lines))
        )

    def by_all_else(self, context: Context, work: Work, lines: Iterable[bytes]) -> int:
        """Fill the rows that are as a line is in all other columns.

        Those that are alike there get the values of as many lines, one each: a counter of the connection tells
        which of them the server is at.
        """
        where = " AND ".join(_is(self._by_name[name]) for name in self._known) or "TRUE"
        known = [self._at[name] for name in self._known]
        done = 0
        for group in self._alike(context, work, lines):
            setting, parameters = [], []
            step = "@kolumn_row := @kolumn_row + 1"
            for name in self._lost:
                places = ", ".join([self._written[name]] * len(group))
                setting.append(f"{quote(name)} = ELT({step}, {places})")
                parameters += [row[self._at[name]] for row in group]
                step = "@kolumn_row"
            parameters += [group[0][at] for at in known]
            work.run(context, Statement("SET @kolumn_row = 0"))
            setting += self._still
            text = f"UPDATE {self._place} SET {', '.join(setting)} WHERE {where} LIMIT {len(group)}"
            done += work.change(context, Statement(text, tuple(parameters)))
        return done

    def _alike(
        self, context: Context, work: Work, lines: Iterable[bytes]
    ) -> Iterator[list[list[str | None]]]:
        """Yield the lines with the same known values together; the server sorts them."""
        known = [self._at[name] for name in self._known]
        work.run(context, Statement(_HELD))
        try:
            for piece in _pieces(map(_decode, _lines(lines))):
                values = []
                for row in piece:
                    about = msgspec.json.encode([row[at] for at in known])
                    values += [hashlib.sha256(about).hexdigest(), msgspec.json.encode(row).decode()]
                text = f"INSERT INTO kolumn_held (about, line) VALUES {', '.join(['(%s, %s)'] * len(piece))}"
                work.run(context, Statement(text, tuple(values)))
            last, group = ("", 0), list[list[str | None]]()
            while page := work.run(context, Statement(_NEXT, (*last[:1], *last))):
                for about, number, line in page:
                    if group and about != last[0]:
                        yield group
                        group = []
                    group.append(_decode(line))
                    last = (about, number)
            if group:
                yield group
        finally:
            if work.is_usable:
                work.run(Context.background(), Statement("DROP TEMPORARY TABLE IF EXISTS kolumn_held"))


_decode = msgspec.json.Decoder(list[str | None]).decode
_HELD = (
    "CREATE TEMPORARY TABLE kolumn_held (number BIGINT AUTO_INCREMENT PRIMARY KEY, about CHAR(64) NOT NULL, "
    "line LONGTEXT NOT NULL, KEY (about, number)) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
)
_NEXT = (
    "SELECT about, number, line FROM kolumn_held WHERE about > %s OR about = %s AND number > %s "
    f"ORDER BY about, number LIMIT {_ROWS_AT_ONCE}"
)
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
    """Return the expression that reads a value as the text that is written."""
    kind = _kind(column)
    if kind in _BYTES:
        return f"HEX({quote(column.name)})"
    if kind == "float":  # shown with six digits otherwise
        return f"CAST({quote(column.name)} AS DOUBLE)"
    if kind == "double" or kind in TEXTS:
        return quote(column.name)
    return f"CAST({quote(column.name)} AS CHAR)"


def _is(column: Column) -> str:
    """Return the condition that a value is exactly the one that was written, whatever its collation takes for equal."""
    kind = _kind(column)
    if kind in _BYTES:
        return f"HEX({quote(column.name)}) <=> %s"
    if kind in ("float", "double"):
        return f"CAST({quote(column.name)} AS DOUBLE) <=> CAST(%s AS DOUBLE)"
    return f"HEX(CAST({quote(column.name)} AS CHAR)) <=> HEX(%s)"


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
