"""Reads DuckDB's catalogue functions: a fixed number of queries, whatever the number of objects.

https://duckdb.org/docs/current/sql/meta/duckdb_table_functions

One thing no function tells: the defaults of a macro's parameters. The error about a call that fits none of its
forms does, and `json_serialize_plan` gives it as data: in the same query, and within a transaction.
"""

from __future__ import annotations

import hashlib
import os.path
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.engine.handler import Handler
from kolumn.engine.operations import Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.duckdb import reading
from kolumn.providers.duckdb.connection.metadata import ATTACHED, table_exists
from kolumn.providers.duckdb.connection.session import DuckDBSession
from kolumn.providers.duckdb.language import parser
from kolumn.providers.duckdb.language.tokens import fold, folded, full_name, literal
from kolumn.providers.duckdb.language.types import parse_type
from kolumn.providers.duckdb.model import (
    AttachedDatabase,
    DuckDBSchema,
    Secret,
    TypeField,
    UserType,
)
from kolumn.providers.duckdb.model import (
    Sequence as NumberSequence,
)
from kolumn.providers.duckdb.reading import ColumnRow, ConstraintRow, MacroRow
from kolumn.providers.duckdb.triggers import TriggerText

_CALL = (
    "CASE WHEN len(parameters) > 0 THEN json_serialize_plan("
    "CASE function_type WHEN 'macro' THEN 'SELECT ' ELSE 'SELECT * FROM ' END || "
    """'"' || replace(schema_name, '"', '""') || '"."' || replace(function_name, '"', '""') || '"' || """
    "'(kolumn_no_such_parameter := 1)') ->> '$.error_message' END"
)
"""What DuckDB says against a call that no form of a macro fits: it names the forms."""

_QUERIES: Mapping[str, str] = {
    "schemas": "SELECT schema_name FROM duckdb_schemas() WHERE {here} AND schema_name <> 'main'",
    "tables": "SELECT schema_name, table_name, comment, sql FROM duckdb_tables() WHERE {here} AND NOT temporary",
    "columns": "SELECT schema_name, table_name, column_name, data_type, column_default, NOT is_nullable, comment, "
    "generation_expression FROM duckdb_columns() WHERE {here} ORDER BY schema_name, table_name, column_index",
    "constraints": "SELECT schema_name, table_name, constraint_type, constraint_column_names, expression, "
    "referenced_table, referenced_column_names FROM duckdb_constraints() WHERE {on} AND constraint_type <> 'NOT NULL' "
    "ORDER BY constraint_index",
    "indexes": "SELECT schema_name, table_name, index_name, is_unique, comment, sql FROM duckdb_indexes() WHERE {on}",
    "views": "SELECT schema_name, view_name, comment, sql FROM duckdb_views() WHERE {here} AND NOT temporary",
    "functions": "SELECT schema_name, function_name, function_type, comment, parameters, parameter_types, "
    "macro_definition, {call} FROM duckdb_functions() WHERE {here} AND function_type IN ('macro', 'table_macro')",
    "sequences": "SELECT schema_name, sequence_name, start_value, min_value, max_value, increment_by, cycle, comment "
    "FROM duckdb_sequences() WHERE {on} AND NOT temporary",
    "types": "SELECT schema_name, type_name, logical_type, labels, comment FROM duckdb_types() WHERE {here}",
    "triggers": "SELECT schema_name, table_name, trigger_name, comment, sql FROM duckdb_triggers() WHERE {on}",
    "databases": "SELECT database_name, path, readonly FROM duckdb_databases() "
    "WHERE NOT internal AND database_name <> current_database()",
    "secrets": "SELECT name, type, provider, scope, secret_string, current_setting('secret_directory') "
    "FROM duckdb_secrets() WHERE persistent",
}


class DuckDBCatalog:
    """What a session's database holds."""

    def __init__(self, session: DuckDBSession) -> None:
        self._session = session
        own = literal(fold(session.schema))
        on = f"database_name = current_database() AND {folded('schema_name')} <> {own}"
        here = f"{on} AND NOT internal"
        self._queries = {name: text.format(here=here, on=on, call=_CALL) for name, text in _QUERIES.items()}

    def rows(self, context: Context, tables: Sequence[Ref]) -> Mapping[Ref, int | None]:
        """Return how many rows tables have, as DuckDB estimates it: one query."""
        found = self._ask(
            context,
            "SELECT schema_name, table_name, estimated_size FROM duckdb_tables() "
            "WHERE database_name = current_database() AND NOT temporary",
        )
        known = {_ref("table", schema, name): int(size) for schema, name, size in found}
        folded = {ref: ref._replace(name=fold(ref.name)) for ref in tables}
        return {ref: known[each] for ref, each in folded.items() if each in known}

    def settle(self, context: Context, pairs: Sequence[tuple[Handler[Any], Any, Any]]) -> Sequence[Any]:
        """Return the wanted models as they are: the dialect asks DuckDB's parser for its wording."""
        return [wanted for _, _, wanted in pairs]

    def scan(self, context: Context) -> Snapshot:
        """Return every object; models are built when they are asked for."""
        found = _Found()
        read = {name: self._ask(context, text) for name, text in self._queries.items()}
        for (schema,) in read["schemas"]:
            found.put(Ref("schema", fold(schema)), (schema,), DuckDBSchema(name=schema))
        self._tables(read, found)
        self._indexes(read, found)
        self._functions(read, found)
        self._types(context, read, found)
        for schema, name, start, least, most, step, cycle, comment in read["sequences"]:
            model = _sequence(schema, name, (start, least, most), step, cycle=cycle, comment=comment)
            found.put(_ref("sequence", schema, name), (least, most, step, cycle, comment), model)
        self._databases(context, read, found)
        self._secrets(read, found)
        return Snapshot(
            found.digests,
            lambda ref: found.builders[ref](),
            attached={owner: tuple(each) for owner, each in found.attached.items()},
            owner=_owner,
            aside=frozenset(found.aside),
        )

    def _tables(self, read: Mapping[str, list[tuple[Any, ...]]], found: _Found) -> None:
        columns: dict[tuple[str, str], list[ColumnRow]] = defaultdict(list)
        constraints: dict[tuple[str, str], list[ConstraintRow]] = defaultdict(list)
        for schema, name, *rest in read["columns"]:
            columns[schema, name].append(ColumnRow(*rest))
        for schema, name, kind, names, expression, target, target_columns in read["constraints"]:
            row = ConstraintRow(kind, tuple(names or ()), expression, target, tuple(target_columns or ()))
            constraints[schema, name].append(row)
        triggers: dict[tuple[str, str], list[TriggerText]] = defaultdict(list)
        for schema, name, trigger, comment, sql in sorted(read["triggers"], key=str):
            triggers[schema, name].append(TriggerText(trigger, sql.rstrip().removesuffix(";"), comment or ""))
        for schema, name, comment, sql in read["tables"]:
            about = (columns[schema, name], constraints[schema, name])
            collated = sql if " COLLATE " in sql else ""

            def build(
                schema: str = schema,
                name: str = name,
                comment: Any = comment,
                sql: str = sql,
                about: Any = about,
                kept: Any = tuple(triggers[schema, name]),
            ) -> Any:
                return reading.table(name, _schema(schema), comment, sql, *about, triggers=kept)

            found.add(_ref("table", schema, name), (comment, collated, about, triggers[schema, name]), build)
        for schema, name, comment, sql in read["views"]:
            comments = {each.name: each.comment for each in columns[schema, name] if each.comment}
            model = reading.view(name, _schema(schema), comment, sql, comments)
            kind = "view" if hasattr(model, "definition") else "stage"
            found.put(_ref(kind, schema, name), (comment, sql, sorted(comments.items())), model)

    def _indexes(self, read: Mapping[str, list[tuple[Any, ...]]], found: _Found) -> None:
        for schema, table, name, unique, comment, sql in read["indexes"]:
            ref = _ref("index", schema, name)

            def build(
                schema: str = schema, table: str = table, name: str = name, unique: bool = unique,
                comment: Any = comment, sql: str = sql,
            ) -> Any:  # fmt: skip
                return reading.index(name, _schema(schema), table, unique=unique, comment=comment, sql=sql)

            found.add(ref, (table, unique, comment, sql), build)
            found.attached[_ref("table", schema, table)].append(ref)

    def _functions(self, read: Mapping[str, list[tuple[Any, ...]]], found: _Found) -> None:
        macros: dict[tuple[str, str, str], list[MacroRow]] = defaultdict(list)
        said: dict[tuple[str, str, str], str] = {}
        for schema, name, kind, comment, parameters, types, definition, complaint in read["functions"]:
            row = MacroRow(kind, comment, tuple(parameters or ()), tuple(types or ()), definition)
            macros[schema, name, kind].append(row)
            said[schema, name, kind] = complaint or said.get((schema, name, kind), "")
        for (schema, name, kind), rows in macros.items():
            candidates = reading.candidates_in(said[schema, name, kind])
            model = reading.function(name, _schema(schema), rows, candidates)
            found.put(_ref("function", schema, name), (rows, candidates), model)

    def _types(self, context: Context, read: Mapping[str, list[tuple[Any, ...]]], found: _Found) -> None:
        rows = read["types"]
        if not rows:
            return
        listed = ", ".join(f"typeof(CAST(NULL AS {full_name(schema, name)}))" for schema, name, *_ in rows)
        (texts,) = self._ask(context, f"SELECT {listed}")
        for (schema, name, _, labels, comment), text in zip(rows, texts, strict=True):

            def build(
                schema: str = schema,
                name: str = name,
                labels: Any = labels,
                comment: Any = comment,
                text: str = text,
            ) -> Any:
                return _type(schema, name, labels, comment, text)

            found.add(_ref("type", schema, name), (text, comment), build)

    def _databases(self, context: Context, read: Mapping[str, list[tuple[Any, ...]]], found: _Found) -> None:
        noted: dict[str, str] = {}
        if read["databases"] and self._session.query(context, table_exists(self._session.schema, ATTACHED)):
            rows = self._ask(context, f"SELECT name, path FROM {full_name(self._session.schema, ATTACHED)}")
            noted = {fold(name): path for name, path in rows}
        folder = self._session.file.parent
        for name, path, read_only in read["databases"]:
            ref = Ref("attached_database", fold(name))
            if ref.name in self._session.lent:
                continue
            shown = noted.get(ref.name) or _relative(Path(path or ""), folder)
            model = AttachedDatabase(name=name, path=shown, read_only=bool(read_only))
            found.put(ref, (shown, read_only), model)

    def _secrets(self, read: Mapping[str, list[tuple[Any, ...]]], found: _Found) -> None:
        for name, kind, provider, scope, shown, folder in read["secrets"]:
            content = _content(Path(folder).expanduser() / f"{name}.duckdb_secret")
            model = Secret(
                name=name,
                type=kind,
                provider=provider,
                scope=tuple(scope or ()),
                values=_shown_values(shown),
                content=content,
            )
            ref = Ref("secret", fold(name))
            digest = hashlib.blake2b(content, digest_size=8).hexdigest() if content else ""
            found.put(ref, (kind, provider, scope, digest), model)
            found.aside.add(ref)

    def _ask(self, context: Context, text: str) -> list[tuple[Any, ...]]:
        return self._session.query(context, Statement(text))


class _Found:
    """What was read so far."""

    def __init__(self) -> None:
        self.digests: dict[Ref, str] = {}
        self.builders: dict[Ref, Callable[[], Any]] = {}
        self.attached: dict[Ref, list[Ref]] = defaultdict(list)
        self.aside: set[Ref] = set()

    def put(self, ref: Ref, facts: Any, model: Any) -> None:
        self.add(ref, facts, partial(_same, model))

    def add(self, ref: Ref, facts: Any, build: Callable[[], Any]) -> None:
        self.digests[ref] = hashlib.blake2b(
            repr((ref.name, facts)).encode("utf-8", "replace"), digest_size=16
        ).hexdigest()
        self.builders[ref] = build


def _same(model: Any) -> Any:
    return model


def _schema(name: str) -> str:
    return "" if fold(name) == "main" else name


def _ref(kind: str, schema: str, name: str) -> Ref:
    return Ref(kind, fold(name), fold(_schema(schema)))


def _owner(ref: Ref, model: Any) -> Ref | None:
    """Return the table an index goes with."""
    return Ref("table", fold(model.table), ref.schema) if ref.type == "index" else None


def _sequence(
    schema: str, name: str, numbers: tuple[int, int, int], step: int, *, cycle: bool, comment: str | None
) -> NumberSequence:
    """Return a sequence, without the bounds that it has anyway."""
    start, least, most = numbers
    bare = NumberSequence(
        name=name, schema=_schema(schema), increment=step, cycle=cycle, comment=comment or ""
    )
    usual_least, usual_most, _ = bare.bounds
    return NumberSequence(
        name=name,
        schema=_schema(schema),
        increment=step,
        min_value=None if least == usual_least else least,
        max_value=None if most == usual_most else most,
        start=None if start == (least if step > 0 else most) else start,
        cycle=cycle,
        comment=comment or "",
    )


def _type(schema: str, name: str, labels: Sequence[str] | None, comment: str | None, text: str) -> UserType:
    about: dict[str, Any] = {"name": name, "schema": _schema(schema), "comment": comment or ""}
    if labels:
        return UserType(**about, values=tuple(labels))
    try:
        tree = parse_type(text)
    except parser.Unparsable as error:
        raise OperationError(
            f"the definition of type {name} is not understood: {error}. Please report it; until then the type "
            "can be left out of Kolumn's configuration.",
            code="unreadable_definition",
        ) from error
    if tree.name == "STRUCT" and all(each.name for each in tree.fields):
        return UserType(
            **about, fields=tuple(TypeField(name=each.name, type=str(each.type)) for each in tree.fields)
        )
    return UserType(**about, definition=text)


def _relative(file: Path, folder: Path) -> str:
    relative = os.path.relpath(file, folder)
    return str(file) if relative.startswith("..") else relative


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


_APART = frozenset({"name", "type", "provider", "serializable", "scope"})


def _shown_values(text: str) -> dict[str, str] | None:
    """Return the names of a secret's values out of `name=a;type=http;...;bearer_token=redacted`."""
    found = {}
    for part in text.split(";"):
        name, equals, _ = part.partition("=")
        if equals and name not in _APART and name.isidentifier():
            found[name] = ""
    return found or None
