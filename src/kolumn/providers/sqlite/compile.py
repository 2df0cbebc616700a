"""Operations as SQLite's statements: by ALTER TABLE where that leads to what is wanted, else a rebuild."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.operations import Create, Drop, Operation, Rename, Risk, Statement, Step
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.validation import Question
from kolumn.providers.sqlite import ddl, render
from kolumn.providers.sqlite.dialect import SQLiteDialect
from kolumn.providers.sqlite.model import SQLiteColumn, SQLiteIndex, SQLiteSchema, SQLiteTable, SQLiteTrigger
from kolumn.providers.sqlite.questions import SQLiteQuestions
from kolumn.providers.sqlite.rebuild import carries_over, rebuild, replace_virtual
from kolumn.providers.sqlite.scripts import statements_of
from kolumn.providers.sqlite.session import ATTACHMENTS, FOREIGN_KEYS_OFF, RECONNECT
from kolumn.providers.sqlite.tokens import BLOB, fold, literal, quote, tokenize, unquote
from kolumn.sql.compiler import SQLCompiler
from kolumn.sql.model import Check, Constraint, ForeignKey, PrimaryKey, Table, Unique
from kolumn.sql.normal import Normalizer
from kolumn.sql.operations import AddColumn, AlterTable, DropColumn, RebuildTable, RenameColumn
from kolumn.sql.renaming import with_column_renamed
from kolumn.sql.tokens import NUMBER, QUOTED, STRING, WORD

_LOCK = "RESERVED on the file from the first change to the commit: others can read, not write"


class SQLiteCompiler(SQLCompiler):
    """Compiles for SQLite. Keeps nothing between calls."""

    def __init__(self, dialect: SQLiteDialect) -> None:
        self._normalizer = Normalizer(dialect)

    def consolidate(
        self,
        operations: list[Operation],
        live: Snapshot,
        *,
        online: bool = False,
        wanted: Callable[[Ref], bool] = lambda _: False,
    ) -> list[Operation]:
        """Merge the changes of a table that ALTER TABLE cannot make into one rebuild.

        Renamed columns stay apart: SQLite changes their name in everything that mentions it. Triggers of a
        view or table that is dropped and made anew are made anew with it, since they vanish with it.
        SQLite drops and renames columns only while all views and triggers are whole, so that a table is
        rebuilt for that too when something stands on a view that is away at that time.
        """
        hanging = self._hanging(operations, live)
        chains: dict[Ref, list[AlterTable]] = defaultdict(list)
        for operation in operations:
            if isinstance(operation, AlterTable):
                chains[operation.subject].append(operation)
        merged: dict[int, Operation | None] = {}
        for chain in chains.values():
            parsed = hanging and any(isinstance(each, DropColumn | RenameColumn) for each in chain)
            for group in [chain] if parsed else _groups(chain):
                if parsed or any(self._in_place(each, live) is None for each in group):
                    merged |= {id(each): None for each in group}
                    first, last = group[0], group[-1]
                    merged[id(first)] = RebuildTable(
                        subject=first.subject, before=first.before, after=last.after, because=tuple(group)
                    )
        found = [merged.get(id(operation), operation) for operation in operations]
        result = [operation for operation in found if operation is not None]
        return [*result, *_vanishing(result, live)]

    def _hanging(self, operations: list[Operation], live: Snapshot) -> bool:
        """Whether a view that is dropped is used by a view or trigger that stays."""
        gone = {
            each.subject.name for each in operations if isinstance(each, Drop) and each.subject.type == "view"
        }
        if not gone:
            return False
        touched = {ref for each in operations for ref in (*each.removes, *each.provides)}
        relations = self._normalizer.dialect.relations
        for ref in live.refs("view", "trigger"):
            if ref not in touched:
                model = live.get(ref)
                text = model.body if isinstance(model, SQLiteTrigger) else model.definition
                if any(relation.name in gone for relation in relations(text)):
                    return True
        return False

    def questions(self, operations: Sequence[Operation], live: Snapshot) -> Iterable[tuple[int, Question]]:
        """Yield which rows the operations would fail on."""
        return SQLiteQuestions(self._normalizer).ask(operations, live)

    def split(self, script: str) -> Sequence[str]:
        """Return the statements of a script. Raises ValidationError."""
        return statements_of(script)

    def compile(self, operation: Operation, live: Snapshot, *, online: bool = False) -> list[Step]:
        """Return the step of one operation. Raises ValidationError for an index left without its column.

        `online` changes nothing: SQLite has one writer at a time, and readers wait for nobody.
        """
        statements, risks = self._statements(operation, live)
        inverse = operation.inverse()
        undo = None
        if inverse is not None:
            after = live.with_changes(operation.effect()) if isinstance(inverse, AlterTable) else live
            undo = tuple(self._statements(inverse, after, exact=True)[0])
            undo += tuple(_lost_with(operation, live))
        rebuilds = isinstance(operation, RebuildTable)
        table = isinstance(getattr(operation, "model", None), SQLiteTable) or isinstance(
            operation, AlterTable
        )
        checks = (_integrity_check(_table(operation.after)),) if isinstance(operation, RebuildTable) else ()
        needs = set()
        if rebuilds or (isinstance(operation, Drop) and table):
            needs.add(FOREIGN_KEYS_OFF)
        if operation.subject.type == "schema":
            needs.add(RECONNECT)
        return [
            Step(
                operation=operation,
                description=operation.describe(),
                statements=tuple(statements),
                undo=undo,
                risks=tuple(dict.fromkeys((*operation.risks, *risks))),
                lock=_LOCK,
                rewrites=rebuilds or isinstance(operation, DropColumn),
                transactional=operation.subject.type != "schema",
                needs=frozenset(needs),
                checks=checks,
            )
        ]

    def _statements(
        self, operation: Operation, live: Snapshot, *, exact: bool = False
    ) -> tuple[list[Statement], list[Risk]]:
        """Return what to run; `exact`: columns must come in the order wanted, as undoing needs it."""
        match operation:
            case Create(model=SQLiteSchema() as schema):
                _refuse_one_too_many(schema, live)
                return list(_attach(schema)), []
            case Drop(model=SQLiteSchema() as schema):
                same = f"name = {literal(schema.name)} COLLATE NOCASE"
                return [Statement(f"DELETE FROM {ATTACHMENTS} WHERE {same}")], []
            case Create(model=model):
                return [Statement(render.create(model, schema=model.schema))], []
            case Drop(model=model):
                return [Statement(f"DROP {render.kind_of(model).upper()} {_full(model)}")], []
            case Rename(before=before, after=after):
                return [Statement(f"ALTER TABLE {_full(before)} RENAME TO {quote(after.name)}")], []
            case AlterTable():
                statements = (
                    None
                    if isinstance(operation, RebuildTable)
                    else self._in_place(operation, live, exact=exact)
                )
                if statements is not None:
                    return statements, []
                return self._rebuild(operation, live)
        raise AssertionError(operation)

    def _rebuild(self, operation: AlterTable, live: Snapshot) -> tuple[list[Statement], list[Risk]]:
        before, after = _table(operation.before), _table(operation.after)
        if before.using or after.using:
            lost = Risk("data_loss", f"makes table {after.name} anew without its rows: it is a virtual table")
            return list(replace_virtual(before, after)), [] if carries_over(before, after) else [lost]
        changes = operation.because if isinstance(operation, RebuildTable) else (operation,)
        renamed = {fold(each.new): each.old for each in changes if isinstance(each, RenameColumn)}
        dependents = list(_dependents(operation.subject, live))
        for change in changes:
            if isinstance(change, RenameColumn):
                dependents = [
                    with_column_renamed(each, before, change.old, change.new, self._normalizer)
                    for each in dependents
                ]
        gone = {fold(column.name) for column in before.columns} - {
            fold(column.name) for column in after.columns
        }
        orphans = [each for each in dependents if isinstance(each, SQLiteIndex) and _index_uses(each, gone)]
        if orphans:
            raise ValidationError.of(
                Problem(
                    f"index {index.name} uses a column that table {after.name} would no longer have",
                    code="column_in_use",
                    path="columns",
                    hint="Change or remove the index in the same configuration.",
                )
                for index in orphans
            )
        words = f"copies every row of table {after.name} into a new table"
        return list(rebuild(before, after, dependents, renamed)), [Risk("table_rewrite", words)]

    def _in_place(
        self, operation: AlterTable, live: Snapshot, *, exact: bool = False
    ) -> list[Statement] | None:
        """Return the ALTER TABLE that makes exactly this change, None if there is none."""
        before, after = _table(operation.before), _table(operation.after)
        if before.using or after.using:
            return None
        match operation:
            case RenameColumn(old=old, new=new):
                alteration = f"RENAME COLUMN {quote(old)} TO {quote(new)}"
                return [Statement(f"ALTER TABLE {_full(before)} {alteration}")]
            case AddColumn(column=column) if _can_add(_column(column)):
                if exact and after.columns[-1].name != column.name:
                    return None
                alteration = f"ADD COLUMN {render.column_definition(_column(column), comment=True)}"
            case DropColumn(column=column) if _can_drop(_column(column), operation, live):
                alteration = f"DROP COLUMN {quote(column.name)}"
            case _:
                return None
        if not self._leads_to(alteration, before, after):
            return None
        return [Statement(f"ALTER TABLE {_full(before)} {alteration}")]

    def _leads_to(self, alteration: str, before: SQLiteTable, after: SQLiteTable) -> bool:
        """Ask SQLite, on an empty copy in memory, whether an ALTER TABLE makes `after` out of `before`."""
        with closing(sqlite3.connect(":memory:")) as scratch:
            try:
                scratch.execute(render.create(before))
                scratch.execute(f"ALTER TABLE {quote(before.name)} {alteration}")
                (text,) = scratch.execute(
                    "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (before.name,)
                ).fetchone()
                made = ddl.parse("table", text)
            except (sqlite3.Error, ddl.Unreadable):
                return False
        made = dataclasses.replace(made, schema=after.schema)
        assert isinstance(made, SQLiteTable)
        return self._normalizer.table(made) == self._normalizer.table(after)


def _groups(chain: list[AlterTable]) -> Iterator[list[AlterTable]]:
    """Yield the runs of a table's changes between renamings of columns."""
    group: list[AlterTable] = []
    for operation in chain:
        if isinstance(operation, RenameColumn):
            if group:
                yield group
            group = []
        else:
            group.append(operation)
    if group:
        yield group


def _can_add(column: SQLiteColumn) -> bool:
    """Whether ADD COLUMN takes the column even if the table has rows (https://sqlite.org/lang_altertable.html)."""
    if "*/" in column.comment:
        return False
    if column.primary_key or column.unique or (column.generated and (column.stored or column.not_null)):
        return False
    tokens = tokenize(column.default or "NULL")
    if tokens[0].word in ("+", "-"):
        tokens = tokens[1:]
    constant = len(tokens) == 1 and (
        tokens[0].kind in (STRING, NUMBER, BLOB) or tokens[0].word in ("NULL", "TRUE", "FALSE")
    )
    empty = column.default is None or tokens[0].word == "NULL"
    return (
        constant
        and not (column.not_null and empty and not column.generated)
        and not (column.references and not empty)
    )


def _can_drop(column: SQLiteColumn, operation: AlterTable, live: Snapshot) -> bool:
    """Whether nothing else mentions the column, so that DROP COLUMN works."""
    before = _table(operation.before)
    name = fold(column.name)
    if column.primary_key or column.unique or column.references:
        return False
    for other in before.columns:
        if other is not column and (_mentions(other.check, name) or _mentions(other.generated, name)):
            return False
    if any(_constraint_uses(each, name) for each in dataclasses.replace(before, columns=()).constraints()):
        return False
    for ref in live.refs("index", "trigger", "view"):
        if ref.schema == operation.subject.schema and _mentions(_text(live.get(ref)), name):
            return False
    return not any(
        fold(target.table) == fold(before.name) and name in map(fold, target.columns)
        for ref in live.refs("table")
        if ref.schema == operation.subject.schema
        for target in live.get(ref).foreign_key_targets()
    )


def _constraint_uses(constraint: Constraint, name: str) -> bool:
    match constraint:
        case PrimaryKey() | Unique():
            return name in (fold(part.column) for part in constraint.columns)
        case ForeignKey():
            return name in map(fold, constraint.columns)
        case Check():
            return _mentions(constraint.expression, name)
    return False


def _mentions(text: str, name: str) -> bool:
    return bool(text) and any(
        token.kind in (WORD, QUOTED, STRING) and fold(unquote(token.text)) == name for token in tokenize(text)
    )


def _text(model: Any) -> str:
    return model.statement or render.create(model)


def _index_uses(index: SQLiteIndex, columns: set[str]) -> bool:
    texts = [part.expression for part in index.columns if part.expression] + [index.where]
    return any(fold(part.column) in columns for part in index.columns) or any(
        _mentions(text, column) for text in texts for column in columns
    )


def _dependents(table: Ref, live: Snapshot) -> Iterator[SQLiteIndex | SQLiteTrigger]:
    """Yield the indexes and triggers that go when a table or view is dropped."""
    for ref in live.attached(table._replace(type="table")):
        yield live.get(ref)


def _vanishing(operations: list[Operation], live: Snapshot) -> Iterator[Operation]:
    """Yield drops and creations of the untouched indexes and triggers of what is dropped and made anew."""
    created = {each.subject for each in operations if isinstance(each, Create)}
    touched = {ref for each in operations for ref in (*each.removes, *each.provides)}
    for operation in operations:
        if (
            isinstance(operation, Drop)
            and operation.subject in created
            and operation.subject.type in ("view", "table")
        ):
            for model in _dependents(operation.subject, live):
                ref = Ref(render.kind_of(model), fold(model.name), operation.subject.schema)
                if ref not in touched:
                    uses = frozenset({operation.subject})
                    yield Drop(subject=ref, model=model, uses=uses)
                    yield Create(subject=ref, model=model, uses=uses)


def _lost_with(operation: Operation, live: Snapshot) -> Iterator[Statement]:
    """Yield what makes again the indexes and triggers that vanish with a dropped table or view."""
    if isinstance(operation, Drop) and operation.subject.type in ("table", "view"):
        for model in _dependents(operation.subject, live):
            yield Statement(render.create(model, schema=model.schema))


def _refuse_one_too_many(schema: SQLiteSchema, live: Snapshot) -> None:
    """Raise ValidationError for a file too many: with it the database could not be opened any more."""
    with closing(sqlite3.connect(":memory:")) as scratch:
        most = scratch.getlimit(sqlite3.SQLITE_LIMIT_ATTACHED)
    if sum(1 for _ in live.refs("schema")) >= most:
        raise ValidationError.of(
            [
                Problem(
                    f"schema {schema.name} is one too many: SQLite attaches at most {most} files",
                    code="too_many_schemas",
                    path="name",
                    hint="Remove a schema, or manage this file in a project of its own.",
                )
            ]
        )


def _attach(schema: SQLiteSchema) -> Iterator[Statement]:
    yield Statement(f"CREATE TABLE IF NOT EXISTS {ATTACHMENTS} (name TEXT PRIMARY KEY, path TEXT NOT NULL)")
    yield Statement(
        f"INSERT OR REPLACE INTO {ATTACHMENTS} VALUES ({literal(schema.name)}, {literal(schema.path)})"
    )


def _integrity_check(table: SQLiteTable) -> Statement:
    arguments = f"{literal(table.name)}, {literal(table.schema)}" if table.schema else literal(table.name)
    query = f"SELECT * FROM pragma_integrity_check({arguments}) WHERE integrity_check <> 'ok'"
    if table.without_rowid:
        # SQLite 3.40 looks for NULLs and for types in the wrong columns when the key is not the first one.
        query += " AND integrity_check NOT LIKE '% value in %'"
    return Statement(query)


def _full(model: Any) -> str:
    return f"{quote(model.schema)}.{quote(model.name)}" if model.schema else quote(model.name)


def _table(table: Table) -> SQLiteTable:
    assert isinstance(table, SQLiteTable)
    return table


def _column(column: Any) -> SQLiteColumn:
    assert isinstance(column, SQLiteColumn)
    return column
