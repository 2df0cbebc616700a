"""Rows of PostgreSQL tables through COPY, in its text format (https://www.postgresql.org/docs/current/sql-copy.html).

That is one row per line whatever the values are, the same in every version, and exact: sessions see to how times,
intervals, binary strings and floats are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.engine.operations import Statement
from kolumn.engine.rows import Copied, RowSet
from kolumn.providers.postgres.connection.wire import copy_in, copy_out
from kolumn.providers.postgres.language.tokens import quote

if TYPE_CHECKING:
    from kolumn.providers.postgres.connection.session import PostgresSession

_HELD = "kolumn_held"
"""A temporary table for the values on their way back."""

_ABOUT = """
SELECT c.relkind::text, c.relhassubclass,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
             ORDER BY a.attnum)
FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass(%s)
"""

_COUNTERS = """
SELECT a.attname::text, n.nspname::text, s.relname::text
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.refobjid = pg_catalog.to_regclass(%s) AND d.deptype IN ('a', 'i')
ORDER BY a.attnum
"""

_TRIGGERS = """
WITH RECURSIVE family(oid) AS (
  SELECT pg_catalog.to_regclass(%s)::pg_catalog.oid
  UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN family f ON i.inhparent = f.oid)
SELECT n.nspname::text, c.relname::text, t.tgname::text, t.tgenabled::text
FROM family JOIN pg_catalog.pg_trigger t ON t.tgrelid = family.oid
JOIN pg_catalog.pg_class c ON c.oid = family.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
"""

_FOREIGN_KEYS = """
SELECT n.nspname::text, t.relname::text, c.conname::text
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class t ON t.oid = c.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE c.conrelid = pg_catalog.to_regclass(%s) AND c.contype = 'f' AND NOT c.condeferrable AND c.conparentid = 0
  AND to_jsonb(c) ->> 'conenforced' IS DISTINCT FROM 'false'
"""

_ENABLE = {"O": "ENABLE TRIGGER", "R": "ENABLE REPLICA TRIGGER", "A": "ENABLE ALWAYS TRIGGER"}


class _About(NamedTuple):
    """What the catalogue says of a table."""

    kind: str
    has_children: bool
    columns: tuple[str, ...]


class PostgresRows:
    """Copies rows of one session's database."""

    format = "postgres copy text"
    holds_outside = False

    def __init__(self, session: PostgresSession) -> None:
        self._session = session

    def hold(self, context: Context, rows: RowSet) -> None:
        """Take the lock that the step needs, before it is needed, so that no other transaction gets between."""
        self._run(context, f"LOCK TABLE {_full(rows)} IN ACCESS EXCLUSIVE MODE")

    def count(self, context: Context, rows: RowSet) -> int:
        """Return how many rows there are, or have a value to lose."""
        about = self._about(context, rows)
        some = " OR ".join(f"NOT ({quote(name)} IS NULL)" for name in rows.lost)
        where = f" WHERE {some}" if some else ""
        return int(self._ask(context, f"SELECT count(*) FROM {_source(rows, about)}{where}")[0][0])

    def copy_out(self, context: Context, rows: RowSet, write: Callable[[bytes], object]) -> Copied:
        """Write every row as one line."""
        about = self._about(context, rows)
        columns, key = about.columns, rows.key
        if about.has_children and about.kind != "p":
            key = ()  # children may have a row of the same key
        if rows.lost and key:
            columns = tuple(dict.fromkeys((*key, *rows.lost)))
        source = f"(SELECT {_listed(columns)} FROM {_source(rows, about)})"
        with self._session.lend(context) as work:
            found = copy_out(context, work.connection, f"COPY {source} TO STDOUT", write)
        (count,) = self._ask(context, f"SELECT count(*) FROM {_source(rows, about)}")[0]
        if count != found:
            raise OperationError(f"{rows} has {count} rows, but {found} were read.", code="backup_failed")
        return Copied(columns=columns, rows=found, key=key, counters=self._counters(context, rows))

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
        done = self._copy(context, f"{_full(rows)} ({_listed(columns)})", lines)
        self._set_counters(context, rows, counters)
        return done

    @contextmanager
    def loading(self, context: Context, rows: Sequence[RowSet]) -> Iterator[None]:
        """Switch triggers off and have foreign keys wait, and all of that back as it was."""
        triggers: dict[tuple[str, str], str] = {}
        keys: dict[tuple[str, str], None] = {}
        for each in rows:
            for schema, table, name, enabled in self._ask(context, _TRIGGERS, _full(each)):
                triggers[f"{quote(schema)}.{quote(table)}", quote(name)] = enabled
            for schema, table, name in self._ask(context, _FOREIGN_KEYS, _full(each)):
                keys[f"{quote(schema)}.{quote(table)}", quote(name)] = None
        for table, name in triggers:
            self._run(context, f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        for table, name in keys:
            self._run(context, f"ALTER TABLE {table} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY DEFERRED")
        self._run(context, "SET CONSTRAINTS ALL DEFERRED")
        yield
        # A table with checks still to come cannot be altered.
        self._run(context, "SET CONSTRAINTS ALL IMMEDIATE")
        for table, name in keys:
            self._run(context, f"ALTER TABLE {table} ALTER CONSTRAINT {name} NOT DEFERRABLE")
        for (table, name), enabled in triggers.items():
            self._run(context, f"ALTER TABLE {table} {_ENABLE[enabled]} {name}")

    def _fill(self, context: Context, rows: RowSet, columns: Sequence[str], lines: Iterable[bytes]) -> int:
        """Put values back into the rows they were in."""
        held = f"pg_temp.{_HELD}"
        self._run(context, f"DROP TABLE IF EXISTS {held}")
        self._run(
            context,
            f"CREATE TEMP TABLE {_HELD} ON COMMIT DROP AS SELECT {_listed(columns)} FROM {_full(rows)} "
            "WITH NO DATA",
        )
        self._copy(context, f"{held} ({_listed(columns)})", lines)
        self._run(context, f"ANALYZE {held}")
        setting = ", ".join(f"{quote(name)} = s.{quote(name)}" for name in rows.lost)
        if rows.key:
            same = " AND ".join(f"s.{quote(name)} = t.{quote(name)}" for name in rows.key)
            text = f"UPDATE {_full(rows)} AS t SET {setting} FROM {held} AS s WHERE {same}"
        else:
            # Rows that are alike in all that is left of them are told apart by counting.
            left = [name for name in columns if name not in rows.lost]
            alike = f"ROW({_listed(left)})::text"
            number = f"row_number() OVER (PARTITION BY {alike})"
            text = (
                f"UPDATE {_full(rows)} AS t SET {setting} FROM "
                f"(SELECT tableoid AS o, ctid AS r, {alike} AS k, {number} AS n FROM {_full(rows)}) AS w "
                f"JOIN (SELECT *, {alike} AS kolumn_k, {number} AS kolumn_n FROM {held}) AS s "
                "ON s.kolumn_k = w.k AND s.kolumn_n = w.n WHERE t.tableoid = w.o AND t.ctid = w.r"
            )
        counted = f"WITH done AS ({text} RETURNING 1) SELECT count(*) FROM done"
        (count,) = self._ask(context, counted)[0]
        self._run(context, f"DROP TABLE {held}")
        return int(count)

    def _copy(self, context: Context, target: str, lines: Iterable[bytes]) -> int:
        with self._session.lend(context) as work:
            return copy_in(context, work.connection, f"COPY {target} FROM STDIN", lines)

    def _about(self, context: Context, rows: RowSet) -> _About:
        found = self._ask(context, _ABOUT, _full(rows))
        if not found:
            raise OperationError(f"there is no table {_full(rows)}.", code="not_found")
        kind, has_children, columns = found[0]
        return _About(kind, has_children, tuple(columns))

    def _counters(self, context: Context, rows: RowSet) -> dict[str, int]:
        """Return the last value of each sequence that belongs to a column and was used."""
        if rows.lost:
            return {}
        found = {}
        for column, schema, name in self._ask(context, _COUNTERS, _full(rows)):
            text = f"SELECT last_value, is_called FROM {quote(schema)}.{quote(name)}"
            ((value, called),) = self._ask(context, text)
            if called:
                found[column] = int(value)
        return found

    def _set_counters(self, context: Context, rows: RowSet, counters: Mapping[str, int]) -> None:
        for column, schema, name in self._ask(context, _COUNTERS, _full(rows)) if counters else ():
            if column in counters:
                sequence = f"{quote(schema)}.{quote(name)}"
                self._ask(
                    context,
                    "SELECT pg_catalog.setval(pg_catalog.to_regclass(%s), %s::text::bigint, true)",
                    sequence,
                    str(counters[column]),
                )

    def _ask(self, context: Context, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._session.query(context, Statement(text, parameters))

    def _run(self, context: Context, text: str) -> None:
        self._session.run(context, [Statement(text)])


def _full(rows: RowSet) -> str:
    return f"{quote(rows.schema or 'public')}.{quote(rows.name)}"


def _source(rows: RowSet, about: _About) -> str:
    """Return what to read from: whole rows of a parent are its own, those of its children go with the children."""
    own = not rows.lost and about.kind != "p"
    return f"ONLY {_full(rows)}" if own else _full(rows)


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(map(quote, columns))
