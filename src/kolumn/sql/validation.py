"""Questions in SQL about the rows a change would fail on (see `engine.validation`).

They are asked before anything is changed. A table is therefore read through what the operations before have
made of it by then: renamed columns under their new names, added ones with what they would hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kolumn.contract.masking import is_secret_name
from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Create, Drop, Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.validation import SHOWN, Question
from kolumn.sql import risks
from kolumn.sql.model import Check, Column, Constraint, ForeignKey, Index, KeyPart, PrimaryKey, Table, Unique
from kolumn.sql.normal import Normalizer
from kolumn.sql.operations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterTable,
    AlterTogether,
    DropColumn,
    RenameColumn,
)
from kolumn.sql.reference import parse_dotted

_OTHERS = 2
"""How many columns tell rows of a table without a primary key apart."""
_PARENT = "kolumn_parent"


@dataclass(slots=True)
class Source:
    """The rows a table has now, under the names that it and its columns have when an operation comes."""

    live: Table
    name: str
    columns: dict[str, str]
    """By the name of a column then: what its value is, in SQL over the table as it is now."""
    key: tuple[str, ...]
    """The columns of the primary key then."""
    becomes: Table | None = None
    """What the changes that are made together lead to."""
    changed: bool = False
    numbered: set[str] = field(default_factory=set)
    """Added columns that hold a number of its own in each row."""
    unknown: set[str] = field(default_factory=set)
    """Columns that will hold what nobody can foretell: added ones, or of another type by then."""


@dataclass(slots=True)
class Sources:
    """What the operations so far have made of the database."""

    tables: dict[Ref, Source | None] = field(default_factory=dict)
    """The rows of tables; None for one that has none, or that nobody knows."""
    made: set[Ref] = field(default_factory=set)
    """Tables that the operations make."""
    models: dict[tuple[str, Ref], Any] = field(default_factory=dict)
    """What a provider notes of other objects."""


class RowQuestions:
    """What SQL databases ask alike. A provider says what its names look like, and asks what only it knows."""

    def __init__(self, normalizer: Normalizer) -> None:
        self.normalizer = normalizer

    # What a provider says

    def quote(self, name: str) -> str:
        """Return a name as SQL."""
        raise NotImplementedError

    def address(self, table: Table, *, own: bool = False) -> str:
        """Return where a table is, as SQL; `own` leaves out rows of tables that inherit from it."""
        raise NotImplementedError

    def first(self, query: str, count: int) -> str:
        """Return the query of only the first rows."""
        return f"{query} LIMIT {count}"

    def numbers(self, column: Column) -> bool:
        """Whether each row gets a number of its own in a column that is added."""
        return False

    def added_value(self, column: Column) -> str | None:
        """Return what rows get in an added column, as SQL over the table as it is; None if it cannot be told."""
        return f"({column.generated or column.default or 'NULL'})"

    def converted(self, value: str, old: Column, new: Column) -> str | None:
        """Return what becomes of a column's value, as SQL, where its type changes; None if it cannot be told."""
        return None

    def same_keys(self, constraint: Unique | Index) -> bool:
        """Whether keys with a NULL in them can be the same."""
        return False

    def type_change(self, source: Source, operation: AlterColumn) -> Iterator[Question]:
        """Yield which values a column's new type cannot hold."""
        return iter(())

    def other_constraint(self, source: Source, constraint: Constraint) -> Iterator[Question]:
        """Yield which rows break a constraint of a kind that only this database has."""
        return iter(())

    def of_operation(self, operation: Operation, sources: Sources, live: Snapshot) -> Iterator[Question]:
        """Yield which rows an operation of this database's own fails on."""
        return iter(())

    def enforced(self, constraint: Constraint) -> bool:
        """Whether rows that are there already are looked at."""
        return True

    def needs_value(self, table: Table, column: Column) -> bool:
        """Whether a column must have a value to be part of a primary key that is added."""
        return not column.not_null

    # What is common

    def ask(self, operations: Sequence[Operation], live: Snapshot) -> Iterator[tuple[int, Question]]:
        """Yield the questions of operations in the order in which they run, each with its operation's place."""
        sources = Sources()
        for operation in operations:  # a table may come after one that refers to it
            match operation:
                case Create(model=Table(), subject=subject) if subject not in live:
                    sources.made.add(subject)
        for at, operation in enumerate(operations):
            for question in self._of(operation, sources, live):
                yield at, question

    def source(self, ref: Ref, sources: Sources, live: Snapshot) -> Source | None:
        """Return the rows of a table, None where there are none."""
        if ref not in sources.tables:
            table = live.get(ref) if ref in live else None
            sources.tables[ref] = self.untouched(table) if isinstance(table, Table) else None
        return sources.tables[ref]

    def untouched(self, table: Table) -> Source:
        """Return the rows of a table as it is."""
        keys = (each for each in table.constraints() if isinstance(each, PrimaryKey))
        key = tuple(part.column for each in keys for part in each.columns)
        fold = self.normalizer.dialect.fold
        columns = {fold(each.name): self.quote(each.name) for each in table.columns}
        return Source(table, table.name, columns, key)

    def _of(self, operation: Operation, sources: Sources, live: Snapshot) -> Iterator[Question]:
        fold = self.normalizer.dialect.fold
        match operation:
            case AlterTogether(because=because, subject=subject, after=after):
                if (source := self.source(subject, sources, live)) is not None:
                    source.becomes = after
                for each in because:
                    yield from self._of(each, sources, live)
            case Create(model=Table()) | Drop(model=Table()):
                sources.tables[operation.subject] = None
                sources.made.add(operation.subject)
            case Create(model=Index(unique=True) as index):
                table = Ref("table", fold(index.table), operation.subject.schema)
                if (source := self.source(table, sources, live)) is not None:
                    yield from self.duplicates(source, index, (), where=index.where)
            case Rename(after=Table(name=name), target=target):
                source = self.source(operation.subject, sources, live)
                sources.tables[operation.subject], sources.tables[target] = None, source
                if source is not None:
                    source.name = name
            case AlterTable(subject=subject):
                source = self.source(subject, sources, live)
                if source is not None:
                    yield from self._of_table(operation, source, sources, live)
            case _:
                yield from self.of_operation(operation, sources, live)

    def _of_table(
        self, operation: AlterTable, source: Source, sources: Sources, live: Snapshot
    ) -> Iterator[Question]:
        fold = self.normalizer.dialect.fold
        match operation:
            case RenameColumn(old=old, new=new):
                source.columns[fold(new)] = source.columns.pop(fold(old), self.quote(old))
                source.key = tuple(new if fold(each) == fold(old) else each for each in source.key)
                source.changed = True
            case DropColumn(column=column):
                source.columns.pop(fold(column.name), None)
                source.changed = True
            case AddColumn(column=column):
                yield from self._added(source, column, sources, live)
            case AlterColumn(old=old, new=new):
                if new.not_null and not old.not_null:
                    stands = messages(risks.altering_column(operation.before, old, new))
                    yield self.without_value(source, (new.name,), stands)
                if "type" in operation.fields:
                    yield from self.type_change(source, operation)
                if not {"type", "collation", "generated"}.isdisjoint(operation.fields):
                    name = fold(new.name)
                    value = self.converted(source.columns.pop(name, self.quote(new.name)), old, new)
                    source.changed = True
                    if value is None:
                        source.unknown.add(name)
                    else:
                        source.columns[name] = value
            case AddConstraint(constraint=constraint, before=before):
                yield from self.of_constraint(source, before, constraint, sources, live)
            case _:
                yield from self.of_operation(operation, sources, live)

    def _added(self, source: Source, column: Column, sources: Sources, live: Snapshot) -> Iterator[Question]:
        name = self.normalizer.dialect.fold(column.name)
        source.changed = True
        if self.numbers(column):
            source.numbered.add(name)
        elif (value := self.added_value(column)) is None:
            source.unknown.add(name)
        else:
            source.columns[name] = value
        if column.not_null and column.default is None and not column.generated:
            words = f"would have no value in the new column {column.name}"
            stands = messages(risks.adding_column(self._renamed(source), column))[:1]
            if name in source.numbered:
                yield _settled(source, stands)
            else:
                yield self.listed(source, "", words, words, stands)
        for constraint in column.constraints():
            if not risks.vacuous(constraint, (column,)):
                yield from self.of_constraint(source, self._renamed(source), constraint, sources, live)

    def of_constraint(
        self, source: Source, table: Table, constraint: Constraint, sources: Sources, live: Snapshot
    ) -> Iterator[Question]:
        """Yield which rows break a constraint that is added to `table`."""
        stands = messages(risks.adding_constraint(table, constraint))
        if not self.enforced(constraint) or self._holds(source, table, constraint):
            yield _settled(source, stands)
            return
        match constraint:
            case PrimaryKey(columns=columns):
                names = tuple(each.column for each in columns)
                held = (table.column(name) for name in names)
                loose = tuple(
                    each.name
                    for each in held
                    if each is not None and self.needs_value(source.becomes or table, each)
                )
                if loose:
                    yield self.without_value(source, loose, stands)
                yield from self.duplicates(source, constraint, stands)
            case Unique():
                yield from self.duplicates(source, constraint, stands)
            case Check(expression=expression, name=name):
                yield self.breaking(source, expression, name, stands)
            case ForeignKey():
                yield self.orphans(source, table, constraint, sources, live, stands)
            case _:
                yield from self.other_constraint(source, constraint)

    def _holds(self, source: Source, table: Table, constraint: Constraint) -> bool:
        """Whether the table has the same constraint now, in all but its name and what it does for other rows."""
        if source.changed:
            return False
        wanted = self._essence(table, constraint)
        return any(
            type(each) is type(constraint)
            and self.enforced(each)
            and self._essence(source.live, each) == wanted
            for each in source.live.constraints()
        )

    def _essence(self, table: Table, constraint: Constraint) -> Any:
        normal = self.normalizer.constraint(table, constraint)
        match constraint:
            case ForeignKey(match=match):
                fold = self.normalizer.dialect.fold
                target = self.normalizer.target(table, constraint)
                return tuple(map(fold, constraint.columns)), target, match.lower()
        return replaced(normal, {"name": ""})

    def without_value(self, source: Source, names: Sequence[str], stands: tuple[str, ...]) -> Question:
        """Return which rows have NULL in one of the columns."""
        if why := self._unknown(source, names):
            return msgspec.structs.replace(_settled(source, stands), unanswerable=why)
        condition = " OR ".join(f"{self.quote(name)} IS NULL" for name in names)
        words = " or ".join(names)
        return self.listed(source, condition, f"has no {words}", f"have no {words}", stands, apart=names)

    def breaking(self, source: Source, expression: str, name: str, stands: tuple[str, ...]) -> Question:
        """Return for which rows an expression is false."""
        if source.unknown:  # which columns an expression mentions only its database knows
            why = self._unknown(source, sorted(source.unknown))
            return msgspec.structs.replace(_settled(source, stands), unanswerable=why)
        label = f"{name} ({expression})" if name else f"({expression})"
        return self.listed(
            source, f"NOT ({self.expression(expression)})", f"breaks {label}", f"break {label}", stands
        )

    def expression(self, text: str) -> str:
        """Return an expression so that nothing in it reaches beyond its parentheses."""
        return f"{text}\n"

    def duplicates(
        self,
        source: Source,
        constraint: PrimaryKey | Unique | Index,
        stands: tuple[str, ...],
        *,
        where: str = "",
    ) -> Iterator[Question]:
        """Yield which rows have a key that another one has; the keys are shown."""
        named = {self.normalizer.dialect.fold(part.column) for part in constraint.columns}
        if named & source.numbered:
            yield _settled(source, stands)
            return
        expressions = where or any(part.expression for part in constraint.columns)
        if why := self._unknown(source, sorted(source.unknown if expressions else named)):
            yield msgspec.structs.replace(_settled(source, stands), unanswerable=why)
            return
        parts = [self._part(each) for each in constraint.columns]
        conditions = [f"({self.expression(where)})"] if where else []
        if isinstance(constraint, PrimaryKey) or not self.same_keys(constraint):
            conditions += [f"{part} IS NOT NULL" for part in parts]
        key = tuple(each.column or each.expression for each in constraint.columns)
        if any(map(is_secret_name, key)):
            key = ()
        shown = "".join(f", {part}" for part in parts) if key else ""
        query = f"SELECT sum(count(*)) OVER (){shown} FROM {self.rows(source, own=True)}"
        if conditions:
            query += f" WHERE {' AND '.join(conditions)}"
        query += f" GROUP BY {', '.join(parts)} HAVING count(*) > 1"
        if key:
            query += f" ORDER BY {', '.join(parts)}"
        words = (
            f"the same {_named([each.column or each.expression for each in constraint.columns])} as another"
        )
        yield Question(
            table=source.name,
            singular=f"has {words}",
            plural=f"have {words}",
            query=Statement(self.first(query, SHOWN + 1)),
            key=key,
            stands_for=stands,
        )

    def _part(self, part: KeyPart) -> str:
        value = self.quote(part.column) if part.column else f"({self.expression(part.expression)})"
        if not part.collation:
            return value
        return f"({value} COLLATE {'.'.join(map(self.quote, parse_dotted(part.collation)))})"

    def _unknown(self, source: Source, names: Sequence[str]) -> str:
        """Return that some of these columns hold what cannot be told, empty if none does."""
        unknown = source.unknown.intersection(map(self.normalizer.dialect.fold, names))
        return f"what rows get in {' and '.join(sorted(unknown))} is not known before" if unknown else ""

    def orphans(
        self,
        source: Source,
        table: Table,
        key: ForeignKey,
        sources: Sources,
        live: Snapshot,
        stands: tuple[str, ...],
    ) -> Question:
        """Return which rows refer to nothing."""
        if why := self._unknown(source, key.columns):
            return msgspec.structs.replace(_settled(source, stands), unanswerable=why)
        target = self.normalizer.target(table, key)
        ref = Ref("table", target.table, target.schema)
        parent = self.source(ref, sources, live)
        there = [f"{self.quote(name)} IS NOT NULL" for name in key.columns]
        if parent is not None:
            held = target.columns or parent.key
            own = self.quote(source.name)
            matches = " AND ".join(
                f"{_PARENT}.{self.quote(theirs)} = {own}.{self.quote(mine)}"
                for mine, theirs in zip(key.columns, held, strict=False)
            )
            rows = self.rows(parent, alias=_PARENT, own=True)
            there.append(f"NOT EXISTS (SELECT 1 FROM {rows} WHERE {matches})")
        condition = " AND ".join(there)
        if key.match.lower() == "full" and len(key.columns) > 1:
            empty = [f"{self.quote(name)} IS NULL" for name in key.columns]
            condition = f"({condition}) OR (({' OR '.join(empty)}) AND NOT ({' AND '.join(empty)}))"
        words = f"a {_named(key.columns)} that {key.references} lacks"
        found = self.listed(
            source, condition, f"has {words}", f"have {words}", stands, apart=key.columns, own=True
        )
        if parent is None and ref not in sources.made:
            why = f"what {key.references} holds is not known"
            return msgspec.structs.replace(found, query=None, unanswerable=why)
        return found

    def listed(
        self,
        source: Source,
        condition: str,
        singular: str,
        plural: str,
        stands: tuple[str, ...] = (),
        *,
        apart: Sequence[str] = (),
        own: bool = False,
    ) -> Question:
        """Return which rows meet a condition; all without one. `apart` are columns that say nothing."""
        key, by = self._shown(source, apart), ""
        shown = "".join(f", {self.quote(each)}" for each in key)
        if key and key == source.key:
            by = f" ORDER BY {', '.join(map(self.quote, key))}"
        rows = self.rows(source, own=own)
        if condition:
            query = f"SELECT count(*) OVER (){shown} FROM {rows} WHERE {condition}{by}"
        else:
            query = f"SELECT (SELECT count(*) FROM {rows}){shown} FROM {rows}{by}"
        return Question(
            table=source.name,
            singular=singular,
            plural=plural,
            query=Statement(self.first(query, SHOWN + 1)),
            key=key,
            stands_for=stands,
        )

    def _shown(self, source: Source, apart: Sequence[str]) -> tuple[str, ...]:
        """Return the columns whose values tell rows apart, none whose names sound secret."""
        fold = self.normalizer.dialect.fold
        if source.key:
            return () if any(map(is_secret_name, source.key)) else source.key
        silent = {fold(name) for name in apart}
        names = (each.name for each in source.live.columns)
        plain = [
            each
            for each in names
            if fold(each) not in silent and fold(each) in source.columns and not is_secret_name(each)
        ]
        return tuple(plain[:_OTHERS])

    def rows(self, source: Source, alias: str = "", *, own: bool = False) -> str:
        """Return what stands after FROM: the table, under its name at that time or `alias`."""
        name = alias or self.quote(source.name)
        address = self.address(source.live, own=own)
        if not source.changed:
            return f"{address} AS {name}"
        columns = ", ".join(f"{value} AS {self.quote(each)}" for each, value in source.columns.items())
        return f"(SELECT {columns} FROM {address}) AS {name}"

    def _renamed(self, source: Source) -> Table:
        """Return the table as it is, under its name at that time: what risks call it."""
        return replaced(source.live, {"name": source.name})


def _settled(source: Source, stands: tuple[str, ...]) -> Question:
    """Return a question that needs none: no row is in the way of what these risks are about."""
    return Question(table=source.name, singular="", plural="", stands_for=stands)


def _named(columns: Sequence[str]) -> str:
    return columns[0] if len(columns) == 1 else f"({', '.join(columns)})"


def messages(found: Any) -> tuple[str, ...]:
    """Return the messages of risks."""
    return tuple(each.message for each in found)
