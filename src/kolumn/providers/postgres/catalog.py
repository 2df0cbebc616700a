"""Reads PostgreSQL's system catalogues: a fixed number of queries, whatever the number of objects.

Each resource type brings its own queries (`PostgresHandler.queries`); all run in one read-only transaction
with an empty search path, so that everything is consistent and every name comes out with its schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kolumn.contract.context import Context
from kolumn.engine.handler import Handler
from kolumn.engine.resource import Dependents, Ref, Snapshot
from kolumn.providers.postgres import dependencies
from kolumn.providers.postgres.connection.session import PostgresSession
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.reading import COMMENTS, Reading
from kolumn.providers.postgres.settling import settle
from kolumn.sql.catalog import snapshot_of

_ROWS = """
SELECT n.nspname, c.relname, CASE
    WHEN c.relkind = 'p' THEN (
        SELECT CASE WHEN bool_and(p.reltuples >= 0 OR pg_stat_get_live_tuples(p.oid) > 0 OR p.relpages = 0)
            THEN coalesce(sum(greatest(p.reltuples, pg_stat_get_live_tuples(p.oid), 0)), 0)::bigint END
        FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class p ON p.oid = t.relid
        WHERE t.isleaf AND p.oid <> c.oid
    )
    WHEN pg_stat_get_live_tuples(c.oid) > 0 OR c.reltuples > 0
        THEN greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid))
    WHEN pg_relation_size(c.oid) = 0 THEN 0
    END
FROM unnest(%s::text[], %s::text[]) AS wanted (schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p', 'm')
"""


class PostgresCatalog:
    """What one database holds."""

    def __init__(
        self,
        session: PostgresSession,
        handlers: Iterable[PostgresHandler[Any]],
        hidden: Sequence[str],
        prefix: str = "",
    ) -> None:
        self._session = session
        self._handlers = {handler.type: handler for handler in handlers}
        self._hidden = tuple(hidden)
        """Schemas that are Kolumn's own."""
        self._prefix = prefix
        """What the names of further ones begin with, in which things wait in quarantine."""

    def scan(self, context: Context) -> Snapshot:
        """Return everything users keep in the database; what belongs to extensions is theirs."""
        reading = self.read(context)
        entries: dict[Ref, Entry] = {}
        for handler in self._handlers.values():
            for entry in handler.entries(reading):
                entries[entry.ref] = entry
                reading.refs[entry.identity] = entry.ref
        return snapshot_of(
            entries,
            lambda entry: self._handlers[entry.ref.type].build(entry),
            dependents=Dependents(lambda: self._dependents(context, reading.refs, entries.values())),
        )

    def read(self, context: Context) -> Reading:
        """Run every query of every resource type in one transaction."""
        server = self._session.server(context)
        queries: dict[str, str] = {"comments": COMMENTS}
        for handler in self._handlers.values():
            queries.update(handler.queries(server))
        names = list(queries)
        with self._session.read(context) as fetch:
            found = fetch.fetch_many([self._shown(queries[name]) for name in names], again=True)
        return Reading.of(server, dict(zip(names, found, strict=True)))

    def _dependents(
        self, context: Context, refs: Mapping[tuple[str, int], Ref], entries: Iterable[Entry]
    ) -> Mapping[Ref, tuple[Ref, ...]]:
        """Read what depends on what, which takes PostgreSQL as long as all of the rest."""
        with self._session.read(context) as fetch:
            found = dict(dependencies.dependents(fetch(dependencies.QUERY), refs))
        for entry in entries:
            for part in entry.parts:
                found[part] = (*found.get(part, ()), entry.ref)
        return found

    def _shown(self, query: str) -> str:
        """Fill in what every query leaves out: the system's schemas and Kolumn's own."""
        quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in self._hidden)
        shown = f"n.nspname !~ '^pg_' AND n.nspname NOT IN ({quoted})"
        if self._prefix:
            shown += " AND NOT starts_with(n.nspname, '" + self._prefix.replace("'", "''") + "')"
        return query.replace("{user_schemas}", shown)

    def rows(self, context: Context, tables: Sequence[Ref]) -> Mapping[Ref, int | None]:
        """Return what VACUUM, ANALYZE and the statistics collector know; None where none of them has looked.

        https://www.postgresql.org/docs/current/catalog-pg-class.html: `reltuples` is -1 until then.
        """
        wanted = {(ref.schema or "public", ref.name): ref for ref in tables}
        schemas, names = [schema for schema, _ in wanted], [name for _, name in wanted]
        with self._session.read(context) as fetch:
            found = fetch(_ROWS, schemas, names)
        return {wanted[schema, name]: rows for schema, name, rows in found}

    def settle(self, context: Context, pairs: Sequence[tuple[Handler[Any], Any, Any]]) -> Sequence[Any]:
        """Ask the server which wanted texts it would store as the live ones (see `settling`)."""
        return settle(context, self._session, self._session.server(context), pairs)
