"""PostgreSQL's quarantine: a schema for each thing that is set aside, so that everything in it keeps its name.

What moves there loses what ties it to others: triggers, policies, foreign keys, its owner's and others' privileges.
A table in quarantine still has the types of its columns; a type that is dropped moves to a schema of its own, as
tables that wait may have columns of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any, ClassVar

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Operation, Statement
from kolumn.engine.quarantine.operations import MoveAside, MoveBack
from kolumn.engine.quarantine.place import Place
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.grants.model import Grant
from kolumn.providers.postgres.handler import TYPE_KINDS, PostgresHandler
from kolumn.providers.postgres.language.tokens import NAME_BYTES, clip, qualified, quote
from kolumn.providers.postgres.language.types import serial_of
from kolumn.providers.postgres.resources.enum import Enum
from kolumn.providers.postgres.resources.publication import Publication
from kolumn.providers.postgres.tables.forms import canonical
from kolumn.providers.postgres.tables.handler import PostgresTableHandler
from kolumn.providers.postgres.tables.inheritance import detached, parents
from kolumn.providers.postgres.tables.model import PostgresColumn, PostgresTable
from kolumn.sql.model import Check
from kolumn.sql.quarantine import ROW, SQLQuarantine

_TYPES = ("enum", "domain", "composite_type", "range_type")


class PostgresQuarantine(SQLQuarantine):
    """Moves tables, sequences and types with SET SCHEMA."""

    MOVED: ClassVar[frozenset[str]] = frozenset({"table", "sequence", *_TYPES})
    ROWS: ClassVar[frozenset[str]] = frozenset({"table"})
    STAYING: ClassVar[frozenset[str]] = frozenset({"index", "sequence"})
    SURVIVING: ClassVar[frozenset[str]] = frozenset({"table", "grant", "publication"})

    def __init__(
        self, handlers: Iterable[PostgresHandler[Any]], server: Server, metadata_schema: str
    ) -> None:
        super().__init__(handlers)
        self._server = server
        self.prefix = prefix(metadata_schema)

    def place(self, ref: Ref, model: Any, entry: str) -> Place:
        """Return the same name in a schema of its own."""
        return Place(model.name, f"{self.prefix}{entry}")

    def loses(self, before: Any, after: Any) -> bool:
        """Whether values of an enum are gone: that takes a new type, and fails where a row has one of them."""
        is_enum = isinstance(before, Enum) and isinstance(after, Enum)
        return is_enum and not {each.name for each in before.values} <= {each.name for each in after.values}

    def attached(self, ref: Ref, live: Snapshot) -> Iterable[Ref]:
        """Yield what vanishes with an object, but for partitions, which have rows of their own."""
        return (each for each in live.attached(ref) if each.type != "table")

    def owner(self, ref: Ref, live: Snapshot) -> Ref | None:
        """Return what an object vanishes with; a partition stands alone."""
        return None if ref.type == "table" else live.owner(ref)

    # Models

    def bare(self, model: Any, live: Snapshot) -> Any:
        """Return a table without parents, foreign keys, and texts that call what may go."""
        if not isinstance(model, PostgresTable):
            changes = {"owner": self._server.user} if getattr(model, "owner", "") else {}
            if getattr(model, "owned_by", ""):
                changes["owned_by"] = ""
            return dataclasses.replace(model, **changes)
        table = canonical(super().bare(model, live))
        if parents(table):
            table = detached(table)
        callable_ = _named(live.refs("function", "aggregate", "sequence"))
        for constraint in dict.fromkeys(table.constraints()):
            if isinstance(constraint, Check) and self._uses(table, constraint, callable_):
                table = table.without_constraint(constraint)
        columns = tuple(self._plain(each, callable_) for each in table.columns)
        return replaced(table, {"columns": columns, "owner": self._server.user if table.owner else ""})

    def _plain(self, column: PostgresColumn, called: set[tuple[str, str]]) -> PostgresColumn:
        if self._takes(column.default, called):
            return replaced(column, {"default": None})
        if self._takes(column.generated, called):
            return replaced(column, {"generated": "", "stored": False})
        return column

    def standing_on(self, ref: Ref, live: Snapshot) -> Iterable[Ref]:
        """Yield what PostgreSQL knows to depend on an object, and the tables whose foreign keys refer to it."""
        found: dict[Ref, None] = {}
        refs = [ref, *live.attached(ref)]
        model = live.get(ref)
        if isinstance(model, PostgresTable):
            refs += [Ref("column", each.name, ref.schema, ref.name) for each in model.columns]
        for each in refs:
            for dependent in live.dependents(each):
                whole = self._whole(dependent, live)
                if whole is not None and whole != ref:
                    found[whole] = None
        for each in live.attached(ref):
            if each.type == "table":
                found[each] = None
        if ref.type == "column":
            found |= dict.fromkeys(self._heirs(Ref("table", ref.parent, ref.schema), ref.name, live))
        attached = frozenset(self.attached(ref, live))
        return [each for each in found if each not in attached and not self._follows(each, ref, found, live)]

    def _heirs(self, table: Ref, column: str, live: Snapshot) -> Iterator[Ref]:
        """Yield the tables that have a column from a parent, and constraints of their own over it."""
        for each in live.attached(table):
            model = live.get(each)
            if isinstance(model, PostgresTable) and table in parents(model):
                own = canonical(model)
                if any(self._involves(constraint, column, own) for constraint in own.constraints()):
                    yield each
                yield from self._heirs(each, column, live)

    def _follows(self, each: Ref, ref: Ref, found: Container[Ref], live: Snapshot) -> bool:
        """Whether a table has all that refers to something from a parent that refers to it as well."""
        model = live.get(each)
        if not isinstance(model, PostgresTable) or not any(parent in found for parent in parents(model)):
            return False
        return bool(self.released(each, model, frozenset({ref})) == model)

    def _whole(self, ref: Ref, live: Snapshot) -> Ref | None:
        if ref in live:
            return ref
        if not ref.parent:
            return None
        refs = (Ref(kind, ref.parent, ref.schema) for kind in ("table", "domain", "composite_type"))
        return next((each for each in refs if each in live), None)

    def released(self, ref: Ref, model: Any, gone: frozenset[Ref]) -> Any:
        """Return a table without foreign keys to what is gone, and without defaults and checks that call it."""
        if isinstance(model, Publication):
            names = set(map(_place, gone))
            return dataclasses.replace(
                model, tables=tuple(each for each in model.tables if _place(each) not in names)
            )
        if not isinstance(model, PostgresTable) or not gone.isdisjoint(parents(model)):
            return None
        table, called = super().released(ref, canonical(model), gone), _named(gone)
        for constraint in dict.fromkeys(table.constraints()):
            if isinstance(constraint, Check) and self._uses(table, constraint, called):
                table = table.without_constraint(constraint)
        columns = tuple(
            replaced(each, {"default": None}) if self._takes(each.default, called) else each
            for each in table.columns
        )
        table = replaced(table, {"columns": columns})
        return model if table == canonical(model) else table

    def _uses(self, table: PostgresTable, check: Check, called: set[tuple[str, str]]) -> bool:
        return not called.isdisjoint(_named(self._tables.constraint_uses(table, check)))

    def _takes(self, text: str | None, called: set[tuple[str, str]]) -> bool:
        return bool(text) and not called.isdisjoint(_named(self._tables.named_in(text or "")))

    @property
    def _tables(self) -> PostgresTableHandler:
        found = self._handlers["table"]
        assert isinstance(found, PostgresTableHandler)
        return found

    def rejoined(self, model: Any, source: Any, back: frozenset[Ref]) -> Any:
        """Return a table with the foreign keys, defaults and checks, a publication with the tables, that it had."""
        if isinstance(model, Publication):
            names, held = set(map(_place, back)), set(map(_place, model.tables))
            more = (each for each in source.tables if _place(each) in names and _place(each) not in held)
            return dataclasses.replace(model, tables=(*model.tables, *more))
        if isinstance(model, Enum):
            return _with_values(model, source)
        if isinstance(model, Grant):
            return _with_columns(model, source, {each.name for each in back if each.type == "column"})
        if not isinstance(model, PostgresTable):
            return model
        source, called = canonical(source), _named(back)
        table = super().rejoined(canonical(model), source, back)
        for column in [each.name for each in back if each.type == "column" and parents(source)]:
            if source.column(column) is not None and table.column(column) is None:
                table = self.with_column(table, source, column)
        held_names = {each.name for each in table.constraints()}
        for constraint in source.constraints():
            is_new = isinstance(constraint, Check) and constraint.name not in held_names
            if is_new and self._uses(source, constraint, called):
                table = table.with_constraint(constraint)
        columns = []
        for column in table.columns:
            was = source.column(column.name)
            default = None if was is None else was.default
            takes = column.default is None and self._takes(default, called)
            columns.append(replaced(column, {"default": default}) if takes else column)
        return replaced(table, {"columns": tuple(columns)})

    def key(self, model: Any, column: str) -> tuple[str, ...]:
        """Return a key of the table in canonical form."""
        return super().key(canonical(model), column)

    def without_rules(self, model: Any, column: str) -> Any:
        """Return the table whose column takes any value."""
        return super().without_rules(canonical(model), column)

    def with_column(self, model: Any, source: Any, column: str) -> Any:
        """Return the table with a column as it was; PostgreSQL adds columns at the end."""
        return super().with_column(canonical(model), canonical(source), column)

    def loose(self, column: Any) -> Any:
        """Return a column that takes any value."""
        found = super().loose(column)
        changes: dict[str, Any] = {"not_null_constraint": None, "identity": None}
        if serial_of(found.type):
            changes |= {"type": serial_of(found.type), "sequence": ""}
        return replaced(found, changes)

    def mentions(self, text: str, name: str) -> bool:
        """Whether an expression has the name in it."""
        return name in text

    # Statements

    def quoted(self, name: str) -> str:
        """Return the quoted name."""
        return quote(name)

    def address(self, schema: str, name: str) -> str:
        """Return schema and name."""
        return qualified(schema, name)

    def opening(self, place: Place) -> Iterator[str]:
        """Yield the creation of the schema."""
        yield f"CREATE SCHEMA {quote(place.schema)}"

    def exists(self, place: Place) -> Statement:
        """Return the query of the schema: it comes and goes with what is in it."""
        return Statement("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", (place.schema,))

    def move_aside(self, operation: MoveAside) -> Iterator[str]:
        """Yield the schema, a change of owner where somebody else has it, and the move."""
        handler = self._handlers[operation.subject.type]
        keyword = handler.KEYWORD  # type: ignore[attr-defined]
        address = handler.address(operation.was)  # type: ignore[attr-defined]
        yield from self.opening(operation.at)
        if getattr(operation.was, "owner", "") not in ("", self._server.user):
            yield f"ALTER {keyword} {address} OWNER TO CURRENT_USER"
        yield f"ALTER {keyword} {address} SET SCHEMA {quote(operation.at.schema)}"

    def move_back(self, operation: MoveBack) -> Iterator[str]:
        """Yield the move and the end of the schema; the owner is the plan's to set."""
        keyword = self._handlers[operation.subject.type].KEYWORD  # type: ignore[attr-defined]
        home = quote(operation.was.schema or "public")
        yield f"ALTER {keyword} {self.at(operation.at)} SET SCHEMA {home}"
        yield f"DROP SCHEMA {quote(operation.at.schema)}"

    def removed(self, place: Place) -> Iterator[str]:
        """Yield the end of kept values and of their schema."""
        yield from super().removed(place)
        yield f"DROP SCHEMA IF EXISTS {quote(place.schema)}"

    def purge(self, ref: Ref, place: Place) -> Iterator[Statement]:
        """Yield the end of what waits and of its schema."""
        keyword = "TABLE" if ref.type == "column" else self._handlers[ref.type].KEYWORD  # type: ignore[attr-defined]
        yield Statement(f"DROP {keyword} IF EXISTS {self.at(place)}")
        yield Statement(f"DROP SCHEMA IF EXISTS {quote(place.schema)}")

    def undisturbed(self, table: Ref, live: Snapshot, texts: Iterable[str]) -> Iterator[str]:
        """Yield the statements while the triggers that fire are off."""
        address = self.table_sql(table)
        firing = [
            model
            for model in (live.get(each) for each in live.attached(table) if each.type == "trigger")
            if model.enabled in _ENABLED
        ]
        for each in firing:
            yield f"ALTER TABLE {address} DISABLE TRIGGER {quote(each.name)}"
        yield from texts
        for each in firing:
            yield f"ALTER TABLE {address} {_ENABLED[each.enabled]} TRIGGER {quote(each.name)}"

    def row_id(self) -> Sequence[str]:
        """Return where a row is, in which table."""
        return ("tableoid", "ctid")

    def told_apart(self, others: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Return a digest of the row: not all types can be compared."""
        row = ", ".join(map(quote, others))
        return [(ROW, f"md5(ROW({row})::text)")] if others else []

    def same(self, one: str, other: str) -> str:
        """Return the comparison; what rows are known by is never NULL."""
        return f"{one} = {other}"

    def differs(self, one: str, other: str) -> str:
        """Return `IS DISTINCT FROM`."""
        return f"{one} IS DISTINCT FROM {other}"

    def lock(self, operation: Operation) -> str:
        """Return the lock on the table."""
        return "ACCESS EXCLUSIVE" if isinstance(operation, MoveAside | MoveBack) else ""


_ENABLED = {"origin": "ENABLE", "always": "ENABLE ALWAYS", "replica": "ENABLE REPLICA"}


def prefix(metadata_schema: str) -> str:
    """Return what the names of quarantine schemas begin with."""
    ending = "_quarantine_"
    return clip(metadata_schema, NAME_BYTES - len(ending) - 16) + ending


def _with_columns(model: Grant, source: Grant, names: set[str]) -> Grant:
    """Return a grant with the privileges on columns of these names that `source` has."""
    more = []
    for each in source.columns:
        back = tuple(name for name in each.names if name in names)
        if back:
            more.append(dataclasses.replace(each, names=back))
    return dataclasses.replace(model, columns=(*model.columns, *more))


def _with_values(model: Enum, source: Enum) -> Enum:
    """Return an enum with all values that either has, those of `source` in its order."""
    values = list(source.values)
    known = {each.name for each in values}
    for at, each in enumerate(model.values):
        if each.name not in known:
            before = model.values[at - 1].name if at else ""
            place = next((index + 1 for index, other in enumerate(values) if other.name == before), 0)
            values.insert(place, each)
    return dataclasses.replace(model, values=tuple(values))


def _named(refs: Iterable[Ref]) -> set[tuple[str, str]]:
    """Return names without arguments and kinds; names of types are no calls."""
    return {
        (each.name.partition("(")[0].strip('"'), each.schema) for each in refs if each.type not in TYPE_KINDS
    }


def _place(each: Any) -> tuple[str, str]:
    return each.name, "" if each.schema == "public" else each.schema
