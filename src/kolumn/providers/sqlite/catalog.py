"""Reads sqlite_schema: one query per database file, whatever the number of objects."""

from __future__ import annotations

import dataclasses
import hashlib
import os.path
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.engine.handler import Handler
from kolumn.engine.operations import Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.sqlite import ddl
from kolumn.providers.sqlite.model import SQLiteSchema
from kolumn.providers.sqlite.session import SQLiteSession
from kolumn.providers.sqlite.tokens import fold, literal, quote

METADATA_PREFIX = "kolumn_"
"""Tables with names beginning so are Kolumn's own."""

_SHADOWS: Mapping[str, tuple[str, ...]] = {
    "fts3": ("content", "segments", "segdir", "docsize", "stat"),
    "fts4": ("content", "segments", "segdir", "docsize", "stat"),
    "fts5": ("data", "idx", "content", "docsize", "config"),
    "rtree": ("node", "rowid", "parent"),
    "rtree_i32": ("node", "rowid", "parent"),
    "geopoly": ("node", "rowid", "parent"),
    "spellfix1": ("vocab",),
    "fts3aux": (), "fts4aux": (), "fts5vocab": (), "dbstat": (), "csv": (),
}  # fmt: skip
"""By module: the endings of its shadow tables' names, from each module's documentation."""

_COMPOUND = 200
"""Terms of one compound SELECT; SQLite allows 500 (https://www.sqlite.org/limits.html)."""
_VIRTUAL = re.compile(r"CREATE\s+VIRTUAL\s+TABLE", re.IGNORECASE)
_OTHERS = " ".join(
    f"AND {column} NOT LIKE {literal(prefix.replace('_', '!_') + '%')} ESCAPE '!'"
    for column in ("name", "tbl_name")
    for prefix in ("sqlite_", METADATA_PREFIX)
)
"""Leaves out SQLite's own objects and Kolumn's; LIKE folds case as SQLite's names do."""


class Entry(NamedTuple):
    """One row of sqlite_schema."""

    kind: str
    name: str
    table: str
    sql: str
    schema: str
    """Folded name of the attached file, empty for main."""


class SQLiteCatalog:
    """What a session's database, and what is attached to it, holds."""

    def __init__(self, session: SQLiteSession) -> None:
        self._session = session

    def rows(self, context: Context, tables: Sequence[Ref]) -> Mapping[Ref, int | None]:
        """Return how many rows tables have, counted: SQLite keeps no number of its own.

        One query for every 200 tables; None for those of a virtual table's module, which may take its time.
        """
        found: dict[Ref, int | None] = {}
        there = {Ref("table", fold(name), schema): sql for schema, name, sql in self._tables(context)}
        known = [(ref, folded) for ref in tables if (folded := ref._replace(name=fold(ref.name))) in there]
        found.update((ref, None) for ref, folded in known if _VIRTUAL.match(there[folded]))
        counted = [ref for ref, _ in known if ref not in found]
        for start in range(0, len(counted), _COMPOUND):
            part = counted[start : start + _COMPOUND]
            queries = (
                f"SELECT {at}, count(*) FROM {quote(ref.schema or 'main')}.{quote(ref.name)}"
                for at, ref in enumerate(part)
            )
            rows = self._session.query(context, Statement(" UNION ALL ".join(queries)))
            found.update((part[at], count) for at, count in rows)
        return found

    def _tables(self, context: Context) -> Iterator[tuple[str, str, str]]:
        """Yield folded schema, name and definition of every table."""
        for schema in ("main", *self._session.attachments(context)):
            query = f"SELECT name, sql FROM {quote(schema)}.sqlite_schema WHERE type = 'table'"
            for name, sql in self._session.query(context, Statement(query)):
                yield "" if schema == "main" else schema, name, sql or ""

    def settle(self, context: Context, pairs: Sequence[tuple[Handler[Any], Any, Any]]) -> Sequence[Any]:
        """Return the wanted models as they are: SQLite keeps every text as it was written."""
        return [wanted for _, _, wanted in pairs]

    def scan(self, context: Context) -> Snapshot:
        """Return every table, index, view, trigger and attached file.

        Left out are SQLite's own tables, Kolumn's, the shadow tables that belong to virtual ones, and the
        indexes that constraints bring. A model is built when it is asked for; asking for one whose text is
        not understood raises OperationError naming it.
        """
        entries: dict[Ref, Entry] = {}
        digests: dict[Ref, str] = {}
        models: dict[Ref, SQLiteSchema] = {}
        files = self._session.attachments(context)
        for schema, file in {"main": self._session.file, **files}.items():
            folded = "" if schema == "main" else schema
            found = self._read(context, schema, folded)
            for entry in found:
                ref = Ref(entry.kind, fold(entry.name), folded)
                entries[ref] = entry
                digests[ref] = hashlib.blake2b(
                    entry.sql.encode("utf-8", "replace"), digest_size=16
                ).hexdigest()
            if folded and folded not in self._session.lent:
                ref = Ref("schema", folded)
                models[ref] = SQLiteSchema(name=schema, path=_relative(file, self._session.file.parent))
                digests[ref] = hashlib.blake2b(str(file).encode(), digest_size=16).hexdigest()

        def load(ref: Ref) -> Any:
            return models[ref] if ref.type == "schema" else model_of(entries[ref])

        attached: dict[Ref, tuple[Ref, ...]] = defaultdict(tuple)
        for ref, entry in entries.items():
            if entry.kind in ("index", "trigger"):
                attached[Ref("table", fold(entry.table), ref.schema)] += (ref,)
        return Snapshot(digests, load, attached=attached, owner=_owner)

    def _read(self, context: Context, schema: str, folded: str) -> list[Entry]:
        rows = self._session.query(
            context,
            Statement(
                f"SELECT type, name, tbl_name, sql FROM {quote(schema)}.sqlite_schema"
                f" WHERE sql IS NOT NULL {_OTHERS}"
            ),
        )
        hidden = self._shadows(context, schema, rows)
        return [
            Entry(kind, name, table, sql, folded) for kind, name, table, sql in rows if table not in hidden
        ]

    def _shadows(self, context: Context, schema: str, rows: Iterable[tuple[Any, ...]]) -> frozenset[str]:
        """Return the names of the tables in which virtual tables keep their data."""
        virtual = [row for row in rows if row[0] == "table" and _VIRTUAL.match(row[3])]
        if not virtual:
            return frozenset()
        tables = {fold(row[1]): row[1] for row in rows if row[0] == "table"}
        found = set()
        for _, name, _, sql in virtual:
            module = fold(getattr(_parse("table", name, sql), "using", ""))
            if module not in _SHADOWS:
                listed = (
                    f"SELECT name FROM pragma_table_list WHERE type = 'shadow' AND schema = {literal(schema)}"
                )
                return frozenset(name for (name,) in self._session.query(context, Statement(listed)))
            found |= {tables.get(fold(f"{name}_{ending}"), "") for ending in _SHADOWS[module]}
        return frozenset(found)


def _owner(ref: Ref, model: Any) -> Ref | None:
    """Return the table an index or trigger goes with; a view counts as one."""
    return Ref("table", fold(model.table), ref.schema) if ref.type in ("index", "trigger") else None


def model_of(entry: Entry) -> Any:
    """Return the model of a row of sqlite_schema. Raises OperationError naming the object."""
    model = _parse(entry.kind, entry.name, entry.sql)
    changes: dict[str, Any] = {}
    if model.name != entry.name:
        changes["name"] = entry.name
    if entry.schema:
        changes["schema"] = entry.schema
    return dataclasses.replace(model, **changes) if changes else model


def _parse(kind: str, name: str, sql: str) -> Any:
    try:
        return ddl.parse(kind, sql)
    except ddl.Unreadable as error:
        raise OperationError(
            f"the stored definition of {kind} {name} is not understood: {error}. Please report it; "
            "until then the object can be left out of Kolumn's configuration.",
            code="unreadable_definition",
            details={"object": f"{kind} {name}", "statement": sql[:2000]},
        ) from error


def _relative(file: Path, folder: Path) -> str:
    relative = os.path.relpath(file, folder)
    return str(file) if relative.startswith("..") else relative
