"""Reads information_schema: a fixed number of queries, whatever the number of objects.

It is slow for each table asked about by name, so every query is about whole databases at once, and what belongs
together is put together here.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError, PermissionError
from kolumn.engine.handler import Handler
from kolumn.engine.operations import Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.connection.session import MySQLSession
from kolumn.providers.mysql.connection.work import Work
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.tokens import fold, literal
from kolumn.providers.mysql.reading import Entry, Key, Reading, databases
from kolumn.providers.mysql.settling import settle
from kolumn.sql.catalog import snapshot_of

_PLACE = re.compile(r"\{in_databases:([\w.]+)\}")


class MySQLCatalog:
    """What the databases hold that are Kolumn's business."""

    def __init__(self, session: MySQLSession, handlers: Iterable[MySQLHandler[Any]]) -> None:
        self._session = session
        self._handlers = {handler.type: handler for handler in handlers}
        settings = session.settings
        self._hidden = (settings.metadata,)
        """Databases of Kolumn's own, besides those whose names say so."""
        self._databases = (settings.database, *settings.schemas) if settings.schemas else None

    def scan(self, context: Context) -> Snapshot:
        """Return everything in the database, and aside what is in others and what the server has."""
        server = self._session.server(context)
        reading = self.read(context, self._handlers.values(), server, self._databases)
        entries: dict[Ref, Entry] = {}
        for handler in self._handlers.values():
            for entry in handler.entries(reading):
                other = entries.setdefault(entry.ref, entry)
                if other is not entry and not entry.aside:
                    raise OperationError(
                        f"{entry.ref} is there twice, in different spellings of its name. Kolumn compares names "
                        "without regard to case: rename one of them.",
                        code="ambiguous_name",
                    )
        return snapshot_of(
            entries, lambda entry: self._handlers[entry.ref.type].build(entry, reading), owner=_owner
        )

    def read(
        self,
        context: Context,
        handlers: Iterable[MySQLHandler[Any]],
        server: Server,
        names: Sequence[str] | None,
    ) -> Reading:
        """Run the queries of resource types about some databases, all of somebody's where `names` is None."""
        with self._session.reading(context) as work:
            return self._read(context, work, list(handlers), server, names, server.database)

    def read_with(
        self, context: Context, work: Work, handlers: Sequence[MySQLHandler[Any]], server: Server, name: str
    ) -> Reading:
        """Run the queries of resource types about one database as if it were the one that is managed."""
        return self._read(context, work, handlers, server, [name], name)

    def needed_for(self, types: Container[str]) -> list[MySQLHandler[Any]]:
        """Return the handlers of resource types, and those whose queries these need, in the order of reading."""
        return [
            each
            for each in self._handlers.values()
            if each.type in types or (each.type == "table" and "index" in types)
        ]

    def _read(
        self,
        context: Context,
        work: Work,
        handlers: Sequence[MySQLHandler[Any]],
        server: Server,
        names: Sequence[str] | None,
        default: str,
    ) -> Reading:
        queries: dict[str, str] = {}
        optional: set[str] = set()
        for handler in handlers:
            mine = handler.queries(server)
            queries.update(mine)
            if handler.type in _PRIVILEGED:
                optional.update(mine)
        rows: dict[str, list[Any]] = {}
        for name, text in queries.items():
            query = _PLACE.sub(lambda match: databases(match[1], names, self._hidden, default), text)
            try:
                rows[name] = _run(context, work, query)
            except PermissionError:
                if name not in optional:
                    raise
                rows[name] = []  # who may not see accounts manages none
        for handler in handlers:
            rows |= self._further(context, work, handler, server, rows, names, default)
        asked: dict[Key, str] = {}
        for handler in handlers:
            asked.update(handler.shown(rows, server))
        if names is None:  # of what is somebody else's there may be any number
            asked = {
                key: text for key, text in asked.items() if key[0] != "table" or fold(key[1]) == fold(default)
            }
        found = self._session.show(context, list(asked.values()))
        shown = {
            key: tuple(map(_plain, answer[0])) for key, answer in zip(asked, found, strict=True) if answer
        }
        return Reading(server, rows, default, shown)

    def _further(
        self,
        context: Context,
        work: Work,
        handler: MySQLHandler[Any],
        server: Server,
        rows: Mapping[str, list[Any]],
        names: Sequence[str] | None,
        default: str,
    ) -> dict[str, list[Any]]:
        """Run the queries that follow from the rows of others; anew where something went in between."""
        found = dict(rows)
        for attempt in range(_ATTEMPTS):
            try:
                for name, query in handler.further_queries(found, server).items():
                    found[name] = _run(context, work, query)
                break
            except OperationError as error:
                if error.code not in _GONE or attempt + 1 == _ATTEMPTS:
                    raise
                for name, text in handler.queries(server).items():
                    query = _PLACE.sub(lambda match: databases(match[1], names, self._hidden, default), text)
                    found[name] = _run(context, work, query)
        return found

    def rows(self, context: Context, tables: Sequence[Ref]) -> Mapping[Ref, int | None]:
        """Return what the engine's statistics say, exact for engines that count."""
        server = self._session.server(context)
        wanted = {(fold(ref.schema or server.database), ref.name): ref for ref in tables}
        if not wanted:
            return {}
        places = ", ".join(f"({literal(schema)}, {literal(name)})" for schema, name in wanted)
        text = (
            "SELECT LOWER(table_schema), LOWER(table_name), table_rows FROM information_schema.tables "
            f"WHERE (LOWER(table_schema), LOWER(table_name)) IN ({places})"
        )
        found = self._session.query(context, Statement(text))
        return {
            wanted[schema, name]: None if rows is None else int(rows)
            for schema, name, rows in found
            if (schema, name) in wanted
        }

    def settle(self, context: Context, pairs: Sequence[tuple[Handler[Any], Any, Any]]) -> Sequence[Any]:
        """Ask the server which wanted texts it would store as the live ones (see `settling`)."""
        return settle(context, self._session, self, pairs)


_GONE = frozenset({"undefined_table", "undefined_schema"})
_ATTEMPTS = 3
_PRIVILEGED = frozenset({"user", "role", "grant"})
"""Resource types in the server's own tables, which not everybody may read."""


def _run(context: Context, work: Work, query: str) -> list[tuple[Any, ...]]:
    return [tuple(map(_plain, row)) for row in work.run(context, Statement(query))]


def _plain(value: Any) -> Any:
    """Return a value of the catalogue as text where it comes as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _owner(ref: Ref, model: Any) -> Ref | None:
    """Return the table an index or trigger goes with."""
    if ref.type not in ("index", "trigger"):
        return None
    return Ref("table", fold(model.table), ref.schema)
