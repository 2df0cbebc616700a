"""Rows of DuckDB tables as lines of JSON: one array of texts or null each, every value as DuckDB casts it to text.

Read back, every text is cast to the type of its column. A value that does not survive that (some nested values, those
of type VARIANT, times before zones had whole minutes) is found while it is read, before anything is destroyed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.engine.operations import Statement
from kolumn.engine.rows import Copied, RowSet
from kolumn.providers.duckdb.language.tokens import fold, folded, full_name, literal, quote
from kolumn.providers.duckdb.language.types import parse_type

if TYPE_CHECKING:
    from kolumn.providers.duckdb.connection.session import DuckDBSession

_BATCH = 2048
"""Rows in one INSERT: DuckDB's vector size, so that rows are loaded in batches as it likes them."""
_EXACT = frozenset(
    [
        "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
        "UBIGINT", "UHUGEINT", "BIGNUM", "FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "BLOB", "BIT", "ENUM", "UUID", "JSON",
        "INTERVAL", "DATE", "TIME", "TIME_NS", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS",
    ]
)  # fmt: skip
"""Types whose values are told exactly by their text; not a time with a zone, whose offset may have had seconds."""
_HELD = "kolumn_held"
"""A temporary table for the values on their way back."""


class DuckDBRows:
    """Copies rows of one session's database."""

    format = "duckdb text json lines"
    holds_outside = False

    def __init__(self, session: DuckDBSession) -> None:
        self._session = session

    def hold(self, context: Context, rows: RowSet) -> None:
        """Do nothing: the transaction reads one moment, and what others change meanwhile makes it fail."""

    def count(self, context: Context, rows: RowSet) -> int:
        """Return how many rows there are, or have a value to lose."""
        some = " OR ".join(f"{quote(name)} IS NOT NULL" for name in rows.lost)
        where = f" WHERE {some}" if some else ""
        return int(self._ask(context, f"SELECT count(*) FROM {_full(rows)}{where}")[0][0])

    def copy_out(self, context: Context, rows: RowSet, write: Callable[[bytes], object]) -> Copied:
        """Write every row as one line."""
        types = self._types(context, rows)
        columns = tuple(types)
        if rows.lost and rows.key:
            columns = tuple(dict.fromkeys((*rows.key, *rows.lost)))
        self._verify(context, rows, {name: types[name] for name in columns})
        listed = ", ".join(f"CAST({quote(name)} AS VARCHAR)" for name in columns)
        found = 0
        for batch in self._session.stream(context, Statement(f"SELECT {listed} FROM {_full(rows)}")):
            write(b"".join(_line(row) for row in batch))
            found += len(batch)
        ((count,),) = self._ask(context, f"SELECT count(*) FROM {_full(rows)}")
        if count != found:
            raise OperationError(f"{rows} has {count} rows, but {found} were read.", code="backup_failed")
        return Copied(columns=columns, rows=found, key=rows.key)

    def copy_in(
        self,
        context: Context,
        rows: RowSet,
        columns: Sequence[str],
        lines: Iterable[bytes],
        counters: Mapping[str, int],
    ) -> int:
        """Add rows, or give rows their values back."""
        types = self._types(context, rows)
        if rows.lost:
            return self._fill(context, rows, columns, types, lines)
        return self._insert(context, _full(rows), {name: types[name] for name in columns}, lines)

    @contextmanager
    def loading(self, context: Context, rows: Sequence[RowSet]) -> Iterator[None]:
        """Do nothing: tables that receive rows have no foreign keys yet (`DuckDBTableHandler.receiving`)."""
        yield

    def _verify(self, context: Context, rows: RowSet, types: Mapping[str, str]) -> None:
        """Raise OperationError for a column with a value that its text does not tell exactly."""
        doubtful = [name for name, type_ in types.items() if parse_type(type_).name not in _EXACT]
        if not doubtful:
            return
        tests = ", ".join(
            f"count(*) FILTER (WHERE {quote(name)} IS DISTINCT FROM "
            f"TRY_CAST(CAST({quote(name)} AS VARCHAR) AS {types[name]}))"
            for name in doubtful
        )
        (counts,) = self._ask(context, f"SELECT {tests} FROM {_full(rows)}")
        odd = [f"{name} ({count} row(s))" for name, count in zip(doubtful, counts, strict=True) if count]
        if odd:
            raise OperationError(
                f"values of {rows} cannot be written to a file exactly: {', '.join(odd)}. Copy the table with "
                "COPY ... TO (FORMAT parquet), and make this change with backup off.",
                code="backup_failed",
            )

    def _types(self, context: Context, rows: RowSet) -> dict[str, str]:
        """Return the types of the columns that are stored, by name."""
        found = self._ask(
            context,
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
            f"AND {folded('schema_name')} = {literal(fold(rows.schema or 'main'))} "
            f"AND {folded('table_name')} = {literal(fold(rows.name))} AND NOT is_generated ORDER BY column_index",
        )
        return {str(name): str(type_) for name, type_ in found}

    def _insert(self, context: Context, table: str, types: Mapping[str, str], lines: Iterable[bytes]) -> int:
        values = ", ".join(f"CAST(r[{at}] AS {type_})" for at, type_ in enumerate(types.values(), 1))
        text = (
            f"INSERT INTO {table} ({', '.join(map(quote, types))}) "
            f"SELECT {values} FROM (SELECT unnest(CAST(? AS VARCHAR[][])) AS r)"
        )
        added = 0
        for batch in _batches(_read(lines)):
            self._session.run(context, [Statement(text, (batch,))])
            added += len(batch)
        return added

    def _fill(
        self,
        context: Context,
        rows: RowSet,
        columns: Sequence[str],
        types: Mapping[str, str],
        lines: Iterable[bytes],
    ) -> int:
        """Put values back into the rows they were in."""
        names = {name: f"c{at}" for at, name in enumerate(columns)}
        key = [name for name in columns if name not in rows.lost]
        definition = ", ".join(f"{names[name]} {types[name]}" for name in columns)
        self._run(context, f"CREATE TEMP TABLE {_HELD} ({definition})")
        try:
            self._insert(context, f"temp.main.{_HELD}", {names[name]: types[name] for name in columns}, lines)
            setting = ", ".join(f"{quote(name)} = s.{names[name]}" for name in rows.lost)
            same = [f"s.{names[name]} IS NOT DISTINCT FROM t.{quote(name)}" for name in key]
            if rows.key:
                text = f"UPDATE {_full(rows)} AS t SET {setting} FROM {_HELD} AS s WHERE {' AND '.join(same)}"
            else:
                text = _alike(rows, key, setting, names)
            ((changed,),) = self._returned(context, text)
            return int(changed)
        finally:
            self._run(context, f"DROP TABLE IF EXISTS {_HELD}")

    def _returned(self, context: Context, text: str) -> list[tuple[Any, ...]]:
        return self._session.changed(context, Statement(text))

    def _ask(self, context: Context, text: str) -> list[tuple[Any, ...]]:
        return self._session.query(context, Statement(text))

    def _run(self, context: Context, text: str) -> None:
        self._session.run(context, [Statement(text)])


def _alike(rows: RowSet, key: Sequence[str], setting: str, names: Mapping[str, str]) -> str:
    """Return the UPDATE that pairs rows which are alike in all that is left of them, one by one."""
    mine = ", ".join(quote(name) for name in key)
    theirs = ", ".join(names[name] for name in key)
    partition, held_partition = (f"PARTITION BY {each}" if each else "" for each in (mine, theirs))
    kept = "".join(f", {quote(name)} AS {names[name]}" for name in key)
    held = ", ".join(names.values())
    same = "".join(f" AND s.{names[name]} IS NOT DISTINCT FROM o.{names[name]}" for name in key)
    return (
        f"UPDATE {_full(rows)} AS t SET {setting} FROM "
        f"(SELECT rowid AS r{kept}, row_number() OVER ({partition}) AS n FROM {_full(rows)}) AS o "
        f"JOIN (SELECT {held}, row_number() OVER ({held_partition}) AS n FROM {_HELD}) AS s ON s.n = o.n{same} "
        "WHERE t.rowid = o.r"
    )


def _full(rows: RowSet) -> str:
    return full_name(rows.schema, rows.name)


def _line(row: tuple[Any, ...]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _read(pieces: Iterable[bytes]) -> Iterator[list[str | None]]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _batches(rows: Iterator[list[str | None]]) -> Iterator[list[list[str | None]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch
