"""Rows of SQLite tables as lines of JSON, one array each: every value exactly as it is stored.

Integers, finite floats, texts and NULL are JSON's own. What JSON has no word for is an object with one member:
`{"b": base64}` a BLOB, `{"t": base64}` a TEXT that is not UTF-8, `{"f": "inf"}` or `{"f": "-inf"}`.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.engine.operations import Statement
from kolumn.engine.rows import Copied, RowSet
from kolumn.providers.sqlite.tokens import fold, literal, quote

if TYPE_CHECKING:
    from kolumn.providers.sqlite.session import SQLiteSession

_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_BATCH = 500
_HELD = "kolumn_held"
"""A temporary table for the values on their way back."""


class OddText(bytes):
    """A TEXT that is not UTF-8."""


def text_or_bytes(data: bytes) -> str | OddText:
    """Return a TEXT as Python has it; the driver's `text_factory` for reading anything."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return OddText(data)


class SQLiteRows:
    """Copies rows of one session's database."""

    format = "sqlite json lines"
    holds_outside = False

    def __init__(self, session: SQLiteSession) -> None:
        self._session = session

    def hold(self, context: Context, rows: RowSet) -> None:
        """Do nothing: a write transaction has the whole database to itself (BEGIN IMMEDIATE)."""

    def count(self, context: Context, rows: RowSet) -> int:
        """Return how many rows there are, or have a value to lose."""
        some = " OR ".join(f"{quote(name)} IS NOT NULL" for name in rows.lost)
        where = f" WHERE {some}" if some else ""
        return int(self._ask(context, f"SELECT count(*) FROM {_full(rows)}{where}")[0][0])

    def copy_out(self, context: Context, rows: RowSet, write: Callable[[bytes], object]) -> Copied:
        """Write every row as one line."""
        columns = self._columns(context, rows)
        if rows.lost and rows.key:
            columns = tuple(dict.fromkeys((*rows.key, *rows.lost)))
        listed = ", ".join(map(quote, columns))
        found = 0
        for batch in self._session.stream(context, Statement(f"SELECT {listed} FROM {_full(rows)}")):
            write(b"".join(_line(row) for row in batch))
            found += len(batch)
        (count,) = self._ask(context, f"SELECT count(*) FROM {_full(rows)}")[0]
        if count != found:
            raise OperationError(f"{rows} has {count} rows, but {found} were read.", code="backup_failed")
        return Copied(columns=columns, rows=found, key=rows.key, counters=self._counters(context, rows))

    def copy_in(
        self,
        context: Context,
        rows: RowSet,
        columns: Sequence[str],
        lines: Iterable[bytes],
        counters: Mapping[str, int],
    ) -> int:
        """Add rows, or give rows their values back."""
        if rows.lost:
            return self._fill(context, rows, columns, lines)
        done = self._insert(context, _full(rows), columns, lines)
        self._set_counters(context, rows, counters)
        return done

    @contextmanager
    def loading(self, context: Context, rows: Sequence[RowSet]) -> Iterator[None]:
        """Take the triggers of all tables away meanwhile: SQLite cannot switch them off."""
        triggers: dict[tuple[str, str], str] = {}
        for each in rows:
            schema = _schema(each)
            found = self._ask(
                context,
                f"SELECT name, sql FROM {schema}.sqlite_schema "
                f"WHERE type = 'trigger' AND tbl_name = {literal(each.name)} COLLATE NOCASE",
            )
            triggers |= {(schema, name): text for name, text in found}
        self._run(context, "PRAGMA defer_foreign_keys=ON")
        for schema, name in triggers:
            self._run(context, f"DROP TRIGGER {schema}.{quote(name)}")
        yield
        for (schema, _), text in triggers.items():
            self._run(context, _in_schema(text, schema))

    def _insert(self, context: Context, table: str, columns: Sequence[str], lines: Iterable[bytes]) -> int:
        start = f"INSERT OR ABORT INTO {table} ({', '.join(map(quote, columns))}) VALUES "
        added = 0
        for batch in _batches(_read(lines)):
            self._session.run(context, [_insertion(start, row) for row in batch])
            added += len(batch)
        return added

    def _fill(self, context: Context, rows: RowSet, columns: Sequence[str], lines: Iterable[bytes]) -> int:
        """Put values back into the rows they were in."""
        names = {name: f"c{at}" for at, name in enumerate(columns)}
        key = [name for name in columns if name not in rows.lost]
        held = ", ".join(names.values())
        # No types: a value goes in as it was stored and comes out as that.
        self._run(context, f"CREATE TEMP TABLE {_HELD} ({held}, n)")
        try:
            self._insert(context, f"temp.{_HELD}", list(names.values()), lines)
            setting = ", ".join(f"{quote(name)} = s.{names[name]}" for name in rows.lost)
            ordered = [names[name] for name in key]
            source, same = f"temp.{_HELD}", [f"s.{names[name]} IS t.{quote(name)}" for name in key]
            if not rows.key:
                self._run(context, f"CREATE TEMP TABLE {_HELD}_numbered AS {_numbered(held, ordered)}")
                source, ordered = f"temp.{_HELD}_numbered", [*ordered, "n"]
            at = source.removeprefix("temp.")
            self._run(context, f"CREATE INDEX temp.{_HELD}_by_key ON {at} ({', '.join(ordered)})")
            if rows.key:
                text = (
                    f"UPDATE {_full(rows)} AS t SET {setting} FROM {source} AS s WHERE {' AND '.join(same)}"
                )
            else:
                text = self._alike(context, rows, key, source, setting, names)
            self._run(context, text)
            return int(self._ask(context, "SELECT changes()")[0][0])
        finally:
            for name in (_HELD, f"{_HELD}_numbered"):
                self._run(context, f"DROP TABLE IF EXISTS temp.{name}")

    def _alike(
        self,
        context: Context,
        rows: RowSet,
        key: Sequence[str],
        source: str,
        setting: str,
        names: Mapping[str, str],
    ) -> str:
        """Return the UPDATE that pairs rows which are alike in all that is left of them, one by one."""
        rowid = self._rowid(context, rows)
        parts = ", ".join(f"{quote(name)} COLLATE BINARY" for name in key)
        partition = f"PARTITION BY {parts}" if parts else ""
        kept = "".join(f", {quote(name)} AS {names[name]}" for name in key)
        same = "".join(f" AND s.{names[name]} IS o.{names[name]}" for name in key)
        return (
            f"UPDATE {_full(rows)} AS t SET {setting} FROM "
            f"(SELECT {rowid} AS r{kept}, row_number() OVER ({partition}) AS n FROM {_full(rows)}) AS o "
            f"JOIN {source} AS s ON s.n = o.n{same} WHERE t.{rowid} = o.r"
        )

    def _columns(self, context: Context, rows: RowSet) -> tuple[str, ...]:
        """Return the columns that are stored, the rowid first where no column is it."""
        found = self._ask(context, f"PRAGMA {_schema(rows)}.table_xinfo({quote(rows.name)})")
        stored = tuple(name for _, name, _, _, _, _, hidden in found if hidden == 0)
        if rows.lost:
            return stored
        aliases = [kind for _, _, kind, _, _, primary, _ in found if primary]
        rowid = "" if [each.upper() for each in aliases] == ["INTEGER"] else self._rowid(context, rows)
        return (rowid, *stored) if rowid else stored

    def _rowid(self, context: Context, rows: RowSet) -> str:
        """Return how the rowid is called, empty where the table has none."""
        found = self._ask(context, f"PRAGMA {_schema(rows)}.table_xinfo({quote(rows.name)})")
        taken = {fold(each[1]) for each in found}
        listed = self._ask(context, f"PRAGMA {_schema(rows)}.table_list({quote(rows.name)})")
        without = any(fold(name) == fold(rows.name) and wr for _, name, _, _, wr, *_ in listed)
        return "" if without else next((name for name in _ROWID_NAMES if name not in taken), "")

    def _counters(self, context: Context, rows: RowSet) -> dict[str, int]:
        """Return the largest number AUTOINCREMENT gave."""
        if rows.lost or not self._has_counters(context, rows):
            return {}
        found = self._ask(
            context,
            f"SELECT seq FROM {_schema(rows)}.sqlite_sequence WHERE name = {literal(rows.name)}",
        )
        return {"autoincrement": int(found[0][0])} if found else {}

    def _set_counters(self, context: Context, rows: RowSet, counters: Mapping[str, int]) -> None:
        value = counters.get("autoincrement")
        if value is None or not self._has_counters(context, rows):
            return
        where = f"{_schema(rows)}.sqlite_sequence"
        self._run(context, f"DELETE FROM {where} WHERE name = {literal(rows.name)}")
        self._run(context, f"INSERT INTO {where} (name, seq) VALUES ({literal(rows.name)}, {value:d})")

    def _has_counters(self, context: Context, rows: RowSet) -> bool:
        text = f"SELECT 1 FROM {_schema(rows)}.sqlite_schema WHERE name = 'sqlite_sequence'"
        return bool(self._ask(context, text))

    def _ask(self, context: Context, text: str) -> list[tuple[Any, ...]]:
        return self._session.query(context, Statement(text))

    def _run(self, context: Context, text: str) -> None:
        self._session.run(context, [Statement(text)])


def _numbered(held: str, key: Sequence[str]) -> str:
    partition = f"PARTITION BY {', '.join(key)}" if key else ""
    return f"SELECT {held}, row_number() OVER ({partition}) AS n FROM temp.{_HELD}"


def _schema(rows: RowSet) -> str:
    return quote(rows.schema or "main")


def _full(rows: RowSet) -> str:
    return f"{_schema(rows)}.{quote(rows.name)}"


def _in_schema(trigger: str, schema: str) -> str:
    """Return the text of a trigger as SQLite keeps it, with its schema."""
    start = "CREATE TRIGGER "
    return f"{start}{schema}.{trigger.removeprefix(start)}"


def _line(row: tuple[Any, ...]) -> bytes:
    return (
        json.dumps([_plain(value) for value in row], ensure_ascii=False, separators=(",", ":")).encode()
        + b"\n"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, OddText):
        return {"t": base64.b64encode(value).decode()}
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"f": str(value)}
    return value


def _value(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    ((kind, text),) = plain.items()
    if kind == "f":
        return float(text)
    data = base64.b64decode(text)
    return OddText(data) if kind == "t" else data


def _read(pieces: Iterable[bytes]) -> Iterator[tuple[Any, ...]]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield tuple(map(_value, json.loads(line)))


def _insertion(start: str, row: tuple[Any, ...]) -> Statement:
    places = ", ".join("CAST(? AS TEXT)" if isinstance(value, OddText) else "?" for value in row)
    values = tuple(bytes(value) if isinstance(value, OddText) else value for value in row)
    return Statement(f"{start}({places})", values)


def _batches(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch
