"""Setting tables and values aside in an SQL database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Operation, Statement, Step
from kolumn.engine.quarantine.operations import (
    DiscardValues,
    KeepValues,
    LeaveChanged,
    MoveAside,
    MoveBack,
    NoteValues,
    PutBackValues,
)
from kolumn.engine.quarantine.place import Place
from kolumn.engine.resource import Ref, Snapshot
from kolumn.sql.handlers import SQLHandler, TableHandler
from kolumn.sql.model import Check, Constraint, ForeignKey, KeyPart, PrimaryKey, Table, Unique

NUMBER, ROW, AFTER = "kolumn_number", "kolumn_row", "kolumn_after"
"""Columns of kept values: which of equal rows, what tells a row without a key, what became of the value."""


class SQLQuarantine(ABC):
    """What SQL databases share; subclasses know how objects are moved."""

    MOVED: ClassVar[frozenset[str]] = frozenset({"table"})
    """Resource types whose objects are moved."""
    ROWS: ClassVar[frozenset[str]] = frozenset({"table"})
    """Those that hold what no configuration says."""
    STAYING: ClassVar[frozenset[str]] = frozenset()
    """Those that move along with what they are attached to."""

    def __init__(self, handlers: Iterable[Any]) -> None:
        self._handlers: Mapping[str, SQLHandler[Any]] = {each.type: each for each in handlers}
        self._known: tuple[Snapshot, Mapping[Ref, list[Ref]]] | None = None
        """Who uses what in the snapshot asked about last."""

    @property
    def tables(self) -> TableHandler:
        """The handler of tables."""
        found = self._handlers["table"]
        assert isinstance(found, TableHandler)
        return found

    SURVIVING: ClassVar[frozenset[str]] = frozenset({"table"})
    """Those that stay, with less in them, when a column that they refer to is dropped."""

    # Places

    @abstractmethod
    def place(self, ref: Ref, model: Any, entry: str) -> Place:
        """Return where something of an object waits."""

    def object_place(self, ref: Ref, model: Any, entry: str) -> Place | None:
        """Return where an object is moved, None where its configuration is all there is of it."""
        return self.place(ref, model, entry) if ref.type in self.MOVED else None

    def values_place(self, table: Ref, model: Any, entry: str) -> Place:
        """Return where values of a table are kept."""
        return self.place(table, model, entry)

    def holds_rows(self, ref: Ref) -> bool:
        """Whether objects of this type hold what no configuration says."""
        return ref.type in self.ROWS

    def loses(self, before: Any, after: Any) -> bool:
        """Return no: what becomes something else keeps what it had, or is a table."""
        return False

    def stays_with(self, ref: Ref) -> bool:
        """Whether what is attached to a moved object moves along."""
        return ref.type in self.STAYING

    def attached(self, ref: Ref, live: Snapshot) -> Iterable[Ref]:
        """Yield what vanishes with an object."""
        return live.attached(ref)

    def owner(self, ref: Ref, live: Snapshot) -> Ref | None:
        """Return what an object vanishes with."""
        return live.owner(ref)

    # Models

    def bare(self, model: Any, live: Snapshot) -> Any:
        """Return a table without foreign keys, other objects as they are."""
        if not isinstance(model, Table):
            return model
        for constraint in dict.fromkeys(model.constraints()):
            if isinstance(constraint, ForeignKey):
                model = model.without_constraint(constraint)
        return model

    def standing_on(self, ref: Ref, live: Snapshot) -> Iterable[Ref]:
        """Yield the objects whose models say that they use an object, or an index that has a column."""
        if ref.type == "column":
            table = Ref("table", ref.parent, ref.schema)
            for each in self.attached(table, live):
                if self._has_column(live.get(each), ref.name):
                    yield each
            for each in self._users(live).get(table, ()):
                if each.type == "table" and self._refers_to_column(
                    live.get(each), table, ref.name, live.get(table)
                ):
                    yield each
            return
        attached = frozenset(self.attached(ref, live))
        names = {ref, *self._handlers[ref.type].aliases(live.get(ref))}
        found = {user for name in names for user in self._users(live).get(name, ())}
        yield from sorted(found - attached - {ref})

    def _users(self, live: Snapshot) -> Mapping[Ref, list[Ref]]:
        """Return what uses what in a snapshot, by what is used."""
        if self._known is None or self._known[0] is not live:
            found: dict[Ref, list[Ref]] = defaultdict(list)
            for each in live.refs(*self._handlers):
                for used in self._handlers[each.type].uses(live.get(each)):
                    if used != each:
                        found[used].append(each)
            self._known = (live, found)
        return self._known[1]

    def _refers_to_column(self, model: Any, table: Ref, column: str, target: Any) -> bool:
        return any(
            isinstance(each, ForeignKey)
            and self.target(model, each) == table
            and self._is_target(model, each, column, target)
            for each in model.constraints()
        )

    def _is_target(self, model: Any, key: ForeignKey, column: str, target: Any) -> bool:
        """Whether a foreign key refers to a column, of a table that it refers to."""
        named = self.tables.normalizer.target(model, key).columns
        if not named and target is not None:
            keys = [each for each in target.constraints() if isinstance(each, PrimaryKey)]
            named = tuple(name for each in keys for name in self._columns_of(each))
        return self.tables.fold(column) in map(self.tables.fold, named)

    def disturbing(self, table: Ref, live: Snapshot) -> Iterable[Ref]:
        """Yield nothing: see `undisturbed`."""
        return ()

    def survives(self, ref: Ref) -> bool:
        """Whether an object stays when a column that it refers to is dropped."""
        return ref.type in self.SURVIVING

    def _has_column(self, model: Any, name: str) -> bool:
        parts = [part for part in getattr(model, "columns", ()) if isinstance(part, KeyPart)]
        texts = [part.expression for part in parts] + ([getattr(model, "where", "")] if parts else [])
        return any(self._same(part.column, name) for part in parts) or any(
            self.mentions(text, name) for text in texts if text
        )

    def released(self, ref: Ref, model: Any, gone: frozenset[Ref]) -> Any:
        """Return a table without its foreign keys to what is gone; other objects go as well."""
        if not isinstance(model, Table):
            return None
        for constraint in dict.fromkeys(model.constraints()):
            if isinstance(constraint, ForeignKey) and self.target(model, constraint) in gone:
                model = model.without_constraint(constraint)
        return model

    def rejoined(self, model: Any, source: Any, back: frozenset[Ref]) -> Any:
        """Return a table with the foreign keys that `source` has to what is back."""
        if not isinstance(model, Table):
            return model
        normal = self.tables.normalizer.constraint
        held = {normal(model, each) for each in model.constraints()}
        names = {self.tables.fold(each.name) for each in model.columns}
        for constraint in source.constraints():
            if not isinstance(constraint, ForeignKey) or self.target(source, constraint) not in back:
                continue
            known = names.issuperset(map(self.tables.fold, constraint.columns))
            if known and normal(source, constraint) not in held:
                model = model.with_constraint(constraint)
        return model

    def target(self, table: Table, key: ForeignKey) -> Ref:
        """Return the table a foreign key refers to."""
        found = self.tables.normalizer.target(table, key)
        return Ref("table", found.table, found.schema)

    def key(self, model: Any, column: str) -> tuple[str, ...]:
        """Return the columns of the primary key, or of a unique constraint without NULLs."""
        fold = self.tables.fold
        required = {fold(each.name) for each in model.columns if each.not_null or each.primary_key}
        names = {fold(each.name): each.name for each in model.columns}
        keys: list[PrimaryKey | Unique] = [
            each for each in model.constraints() if isinstance(each, PrimaryKey)
        ]
        keys += [each for each in model.constraints() if isinstance(each, Unique)]
        for each in keys:
            parts = tuple(fold(part.column) for part in each.columns)
            known = isinstance(each, PrimaryKey) or required.issuperset(parts)
            if known and all(parts) and fold(column) not in parts and names.keys() >= set(parts):
                return tuple(names[part] for part in parts)
        return ()

    def without_rules(self, model: Any, column: str) -> Any:
        """Return the table whose column takes any value."""
        table = model
        for constraint in dict.fromkeys(model.constraints()):
            if self._involves(constraint, column, model):
                table = table.without_constraint(constraint)
        columns = tuple(self.loose(each) if self._same(each.name, column) else each for each in table.columns)
        return replaced(table, {"columns": columns})

    def loose(self, column: Any) -> Any:
        """Return a column that takes any value; its default stays, for rows that are new."""
        return replaced(column.without_constraints(), {"not_null": False})

    def with_column(self, model: Any, source: Any, column: str) -> Any:
        """Return the table with a column as `source` has it, where it stood there, and the constraints over it."""
        was = next(each for each in source.columns if self._same(each.name, column))
        columns = list(model.columns)
        at = next((index for index, each in enumerate(columns) if self._same(each.name, column)), None)
        if at is not None:
            columns[at] = was
        else:
            columns.insert(self._position(columns, source, column), was)
        table = replaced(model, {"columns": tuple(columns)})
        names = {self.tables.fold(each.name) for each in columns}
        normal = self.tables.normalizer.constraint
        held = {normal(table, each) for each in table.constraints()}
        for constraint in source.constraints():
            if not self._involves(constraint, column, source) or normal(source, constraint) in held:
                continue
            if names.issuperset(self._columns_of(constraint)):
                table = table.with_constraint(constraint)
        return table

    def _position(self, columns: Sequence[Any], source: Any, column: str) -> int:
        before: list[str] = []
        for each in source.columns:
            if self._same(each.name, column):
                break
            before.append(self.tables.fold(each.name))
        places = [at for at, each in enumerate(columns) if self.tables.fold(each.name) in before]
        return max(places, default=-1) + 1

    def _same(self, one: str, other: str) -> bool:
        return self.tables.fold(one) == self.tables.fold(other)

    def _columns_of(self, constraint: Constraint) -> list[str]:
        parts = getattr(constraint, "columns", ())
        named = [getattr(part, "column", part) for part in parts]
        return [self.tables.fold(each) for each in named if each]

    def _involves(self, constraint: Constraint, column: str, table: Any) -> bool:
        if self.tables.fold(column) in self._columns_of(constraint):
            return True
        if isinstance(constraint, ForeignKey) and self.target(table, constraint) == self.tables.ref(table):
            return self._is_target(table, constraint, column, table)
        texts = [getattr(constraint, "where", "")]
        texts += [getattr(part, "expression", "") for part in getattr(constraint, "columns", ())]
        if isinstance(constraint, Check):
            texts.append(constraint.expression)
        return any(self.mentions(text, column) for text in texts if text)

    @abstractmethod
    def mentions(self, text: str, name: str) -> bool:
        """Whether an expression may use a column of this name."""

    # Steps

    @abstractmethod
    def quoted(self, name: str) -> str:
        """Return a name as statements have it."""

    @abstractmethod
    def address(self, schema: str, name: str) -> str:
        """Return how statements name a table."""

    def at(self, place: Place) -> str:
        """Return how statements name a place."""
        return self.address(place.schema, place.name)

    def compile(self, operation: Operation, live: Snapshot) -> list[Step]:
        """Return the step of an operation."""
        statements = tuple(map(Statement, self._texts(operation, live)))
        inverse = operation.inverse()
        undo: tuple[Statement, ...] | None = None
        if inverse is not None:
            undo = tuple(map(Statement, self._texts(inverse, live.with_changes(operation.effect()))))
        return [
            Step(
                operation=operation,
                description=operation.describe(),
                statements=statements,
                undo=undo,
                lock=self.lock(operation),
                needs=self.needs(operation),
            )
        ]

    def lock(self, operation: Operation) -> str:
        """Return the strongest lock an operation takes."""
        return ""

    def needs(self, operation: Operation) -> frozenset[str]:
        """Return what the session must arrange for an operation."""
        return frozenset()

    def _texts(self, operation: Operation, live: Snapshot) -> Iterator[str]:
        match operation:
            case MoveAside():
                yield from self.move_aside(operation)
            case MoveBack():
                yield from self.move_back(operation)
            case KeepValues():
                yield from self.opening(operation.at)
                yield self._keep(operation)
            case NoteValues():
                yield from self._note(operation, live)
            case LeaveChanged():
                rows, match = self._noted_rows(operation)
                differs = self.differs(f"t.{AFTER}", f"k.{AFTER}")
                yield (
                    f"DELETE FROM {self.at(operation.at)} AS k "
                    f"WHERE EXISTS (SELECT 1 FROM {rows} WHERE {match} AND {differs})"
                )
            case PutBackValues():
                yield from self.undisturbed(operation.subject, live, self._put_back(operation))
                yield from self.removed(operation.at)
            case DiscardValues():
                yield from self.removed(operation.at)

    @abstractmethod
    def move_aside(self, operation: MoveAside) -> Iterator[str]:
        """Yield the statements that move an object to its place."""

    @abstractmethod
    def move_back(self, operation: MoveBack) -> Iterator[str]:
        """Yield the statements that move it back."""

    def opening(self, place: Place) -> Iterator[str]:
        """Yield what makes room for a place."""
        yield from ()

    def removed(self, place: Place) -> Iterator[str]:
        """Yield what removes kept values, and the room they were in."""
        yield f"DROP TABLE IF EXISTS {self.at(place)}"

    def undisturbed(self, table: Ref, live: Snapshot, texts: Iterable[str]) -> Iterator[str]:
        """Yield statements that change rows so that no trigger takes notice."""
        yield from texts

    def purge(self, ref: Ref, place: Place) -> Iterator[Statement]:
        """Yield what removes for good what waits at a place."""
        yield from map(Statement, self.removed(place))

    @abstractmethod
    def exists(self, place: Place) -> Statement:
        """Return the query that has a row if something waits at a place."""

    def count(self, place: Place) -> str:
        """Return how many rows wait at a place, as a scalar expression."""
        return f"(SELECT count(*) FROM {self.at(place)})"

    # Values

    @abstractmethod
    def row_id(self) -> Sequence[str]:
        """Return what tells any row of a table apart while a statement runs."""

    @abstractmethod
    def told_apart(self, others: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Return what rows without a key are known by: names of kept columns, each with its expression."""

    @abstractmethod
    def same(self, one: str, other: str) -> str:
        """Return the condition that two values are the same or both NULL."""

    @abstractmethod
    def differs(self, one: str, other: str) -> str:
        """Return the condition that two values differ, one of which may be NULL."""

    def as_text(self, value: str) -> str:
        """Return a value as a text to compare."""
        return f"CAST({value} AS text)"

    def _numbered(self, others: Sequence[str], more: Sequence[str]) -> str:
        """Return the columns of a query that tells rows without a key apart."""
        known = self.told_apart(others)
        parts = ", ".join(expression for _, expression in known) or "1"
        number = f"row_number() OVER (PARTITION BY {parts} ORDER BY {', '.join(self.row_id())})"
        return ", ".join([*(f"{text} AS {name}" for name, text in known), f"{number} AS {NUMBER}", *more])

    def _keep(self, operation: KeepValues) -> str:
        table, column = self.table_sql(operation.subject), self.quoted(operation.column)
        if operation.key:
            columns = ", ".join([*map(self.quoted, operation.key), column])
        else:
            columns = self._numbered(operation.others, [column])
        return f"CREATE TABLE {self.at(operation.at)} AS SELECT {columns} FROM {table}"

    def table_sql(self, ref: Ref) -> str:
        """Return how statements name a table."""
        return self.address(ref.schema, ref.name)

    def _rows(self, operation: Any, more: Sequence[str]) -> tuple[str, str]:
        """Return a query of the table's rows with what tells them apart, and how they meet the kept ones."""
        table = self.table_sql(operation.subject)
        if operation.key:
            names = list(map(self.quoted, operation.key))
            columns = ", ".join([*names, *more])
        else:
            names = [name for name, _ in self.told_apart(operation.others)] + [NUMBER]
            columns = self._numbered(operation.others, more)
        match = " AND ".join(self.same(f"t.{name}", f"k.{name}") for name in names)
        return f"(SELECT {columns} FROM {table}) t", match

    def _note(self, operation: NoteValues, live: Snapshot) -> Iterator[str]:
        place = self.at(operation.at)
        yield f"ALTER TABLE {place} ADD COLUMN {AFTER} text"
        rows, match = self._noted_rows(operation)
        yield f"UPDATE {place} AS k SET {AFTER} = t.{AFTER} FROM {rows} WHERE {match}"

    def _noted_rows(self, operation: Any) -> tuple[str, str]:
        return self._rows(operation, [f"{self.as_text(self.quoted(operation.column))} AS {AFTER}"])

    def _put_back(self, operation: PutBackValues) -> Iterator[str]:
        table, column, place = (
            self.table_sql(operation.subject),
            self.quoted(operation.column),
            self.at(operation.at),
        )
        ids = [f"{text} AS kolumn_at{number}" for number, text in enumerate(self.row_id())]
        if operation.key:
            match = " AND ".join(f"u.{self.quoted(name)} = k.{self.quoted(name)}" for name in operation.key)
            yield f"UPDATE {table} AS u SET {column} = k.{column} FROM {place} AS k WHERE {match}"
            return
        rows, match = self._rows(operation, ids)
        same = " AND ".join(f"u.{text} = t.kolumn_at{number}" for number, text in enumerate(self.row_id()))
        yield (
            f"UPDATE {table} AS u SET {column} = k.{column} FROM {rows} JOIN {place} AS k ON {match} "
            f"WHERE {same}"
        )

    def differing(self, operation: PutBackValues, live: Snapshot) -> Statement:
        """Return the query that has a row if a column that is there has other values than those that are kept."""
        column = self.quoted(operation.column)
        value = f"{self.as_text(column)} AS {AFTER}_now"
        kept = f"(SELECT k.*, {self.as_text(f'k.{column}')} AS {AFTER}_kept FROM {self.at(operation.at)} k)"
        same = self.same(f"t.{AFTER}_now", f"k.{AFTER}_kept")
        if operation.key:
            rows, match = self._rows(operation, [value])
            return Statement(f"SELECT 1 FROM {rows} JOIN {kept} k ON {match} WHERE NOT ({same}) LIMIT 1")
        # Equal rows are numbered in no certain order: any of them may have had the value.
        known = self.told_apart(operation.others)
        columns = ", ".join([*(f"{text} AS {name}" for name, text in known), value])
        matches = " AND ".join([*(self.same(f"t.{name}", f"k.{name}") for name, _ in known), same])
        rows = f"(SELECT {columns} FROM {self.table_sql(operation.subject)}) t"
        return Statement(
            f"SELECT 1 FROM {rows} WHERE NOT EXISTS (SELECT 1 FROM {kept} k WHERE {matches}) LIMIT 1"
        )

    def unmatched(self, operation: PutBackValues, live: Snapshot) -> Statement:
        """Return the query of how many rows are new since, how many are gone, and how many changed."""
        rows, match = self._rows(operation, [])
        place, changed = self.at(operation.at), "0"
        if operation.changed:
            noted, same = self._noted_rows(operation)
            differs = self.differs(f"t.{AFTER}", f"k.{AFTER}")
            changed = f"(SELECT count(*) FROM {noted}, {place} k WHERE {same} AND {differs})"
        return Statement(
            f"SELECT (SELECT count(*) FROM {rows} WHERE NOT EXISTS (SELECT 1 FROM {place} k WHERE {match})), "
            f"(SELECT count(*) FROM {place} k WHERE NOT EXISTS (SELECT 1 FROM {rows} WHERE {match})), {changed}"
        )
