"""Operations as DuckDB's statements: all of DDL is transactional, but for files that are attached and secrets."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from kolumn.contract.errors import ValidationError
from kolumn.contract.secrets import SecureString
from kolumn.engine.operations import Create, Drop, Operation, Rename, Risk, Statement, Step
from kolumn.engine.quarantine.operations import PutBackValues
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.validation import Question
from kolumn.providers.duckdb import render, tables
from kolumn.providers.duckdb.alterations import alteration, is_light
from kolumn.providers.duckdb.connection.file import LOCK
from kolumn.providers.duckdb.connection.metadata import ATTACHED
from kolumn.providers.duckdb.language import parser
from kolumn.providers.duckdb.language.dialect import DuckDBDialect
from kolumn.providers.duckdb.language.parser import Unparsable
from kolumn.providers.duckdb.language.tokens import fold, folded, full_name, literal, quote
from kolumn.providers.duckdb.model import (
    AttachedDatabase,
    DuckDBColumn,
    DuckDBIndex,
    DuckDBTable,
    DuckDBView,
    Function,
    Secret,
    Stage,
    UserType,
)
from kolumn.providers.duckdb.model import Sequence as NumberSequence
from kolumn.providers.duckdb.questions import DuckDBQuestions
from kolumn.providers.duckdb.rebuild import STASH
from kolumn.providers.duckdb.resources import mentions
from kolumn.sql.compiler import SQLCompiler
from kolumn.sql.model import ForeignKey, Schema, Table
from kolumn.sql.normal import Normalizer
from kolumn.sql.operations import (
    AlterObject,
    AlterTable,
    AlterTogether,
    RebuildTable,
)

_APART = frozenset({"attached_database", "secret"})
"""Resource types whose changes are no part of a transaction."""


class DuckDBCompiler(SQLCompiler):
    """Compiles for DuckDB; `file` is the database, `schema` that of Kolumn's own tables."""

    def __init__(self, dialect: DuckDBDialect, file: Any, schema: str) -> None:
        self._normalizer = Normalizer(dialect)
        self._file = file
        self._schema = schema

    def consolidate(
        self,
        operations: list[Operation],
        live: Snapshot,
        *,
        online: bool = False,
        wanted: Callable[[Ref], bool] = lambda _: False,
    ) -> list[Operation]:
        """Merge the changes of a table that ALTER TABLE cannot make, or for which much has to make way, into one."""
        chains: dict[Ref, list[AlterTable]] = defaultdict(list)
        refilled = {each.subject for each in operations if isinstance(each, PutBackValues)}
        for operation in operations:
            if isinstance(operation, AlterTable):
                chains[operation.subject].append(operation)
        merged: dict[int, Operation | None] = {}
        for ref, chain in chains.items():
            groups = [chain] if ref not in refilled else _around_refills(chain, operations)
            for group in groups:
                merged |= self._merged(group, live, always=ref in refilled)
        return [
            found for operation in operations if (found := merged.get(id(operation), operation)) is not None
        ]

    def _merged(
        self, chain: list[AlterTable], live: Snapshot, *, always: bool
    ) -> dict[int, Operation | None]:
        if not chain:
            return {}
        rebuilds = any(alteration(each) is None for each in chain)
        heavy = [each for each in chain if not is_light(each)]
        if not rebuilds and len(heavy) < 2:
            return {}
        first, last = chain[0], chain[-1]
        kind = RebuildTable if rebuilds or (always and heavy) else AlterTogether
        together = kind(subject=first.subject, before=first.before, after=last.after, because=tuple(chain))
        before, after = (self._referred(each) for each in (first.before, last.after))
        found: dict[int, Operation | None] = {id(each): None for each in chain}
        found[id(first)] = dataclasses.replace(
            together,
            requires=together.requires | (after - before),
            releases=together.releases | (before - after),
        )
        return found

    def _referred(self, table: Table) -> frozenset[Ref]:
        """Return the other tables that foreign keys refer to, and the sequences that defaults take."""
        schema = self._normalizer.dialect.normal_schema(table.schema)
        found: set[Ref] = set()
        for key in table.constraints():
            if isinstance(key, ForeignKey):
                target = self._normalizer.target(table, key)
                found.add(Ref("table", target.table, target.schema))
        for column in table.columns:
            found |= {
                each
                for each in mentions.of_expression(column.default or "", schema)
                if each.type == "sequence"
            }
        return frozenset(found) - {self._normalizer.table_ref(table.name, table.schema)}

    def depends(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Yield the types made of a type that is dropped to be made anew."""
        if isinstance(operation, Drop) and isinstance(operation.model, UserType):
            for ref in live.refs("type"):
                if ref != operation.subject and replaced and self._is_made_of(live.get(ref), operation.model):
                    yield ref

    def _is_made_of(self, type_: UserType, other: UserType) -> bool:
        """Whether DuckDB may have noted that a type is made of another: it keeps the definition alone."""
        text = self._normalizer.dialect.normal_type(render.type_text(type_))
        return self._normalizer.dialect.normal_type(render.type_text(other)) in text

    def ordered(self, operations: list[Operation], live: Snapshot) -> list[Operation]:
        """Return the operations, changes of tables with what their foreign keys and defaults need now."""
        return [self._informed(each) for each in operations]

    def _informed(self, operation: Operation) -> Operation:
        if not isinstance(operation, AlterTable):
            return operation
        before, after = self._referred(operation.before), self._referred(operation.after)
        if before == after:
            return operation
        return dataclasses.replace(
            operation,
            requires=operation.requires | (after - before),
            releases=operation.releases | (before - after),
        )

    def questions(self, operations: Sequence[Operation], live: Snapshot) -> Iterable[tuple[int, Question]]:
        """Yield which rows the operations would fail on."""
        return DuckDBQuestions(self._normalizer).ask(operations, live)

    def split(self, script: str) -> Sequence[str]:
        """Return the statements of a script. Raises ValidationError."""
        try:
            return parser.statements_of(script)
        except Unparsable as error:
            raise ValidationError(f"the script is not understood: {error}.", code="invalid_script") from error

    def compile(self, operation: Operation, live: Snapshot, *, online: bool = False) -> list[Step]:
        """Return the step of one operation. Raises ValidationError for an index left without its column.

        `online` changes nothing: readers wait for nobody.
        """
        statements = tuple(self._statements(operation, live))
        inverse = operation.inverse()
        undo = None
        if inverse is not None and not _keeps_secret(inverse):
            undo = tuple(self._statements(inverse, live.with_changes(operation.effect())))
            undo += tuple(_lost_with(operation, live))
        copied = [each.text.removeprefix("DROP TABLE ") for each in statements if _drops_table(each.text)]
        copies = bool(copied) and not isinstance(operation, Drop)
        words = f"copies every row of {', '.join(copied)} out and in again"
        found = [Risk("table_rewrite", words)] if copies else []
        return [
            Step(
                operation=operation,
                description=operation.describe(),
                statements=statements,
                undo=undo,
                risks=tuple(dict.fromkeys((*operation.risks, *found))),
                lock=LOCK,
                rewrites=copies,
                transactional=operation.subject.type not in _APART,
            )
        ]

    def _statements(self, operation: Operation, live: Snapshot) -> Iterator[Statement]:
        match operation:
            case Create(model=AttachedDatabase() as file):
                yield from map(Statement, self._attach(file))
            case Drop(model=AttachedDatabase() as file):
                yield Statement(f"DETACH {quote(file.name)}")
                named = f"{folded('name')} = {literal(fold(file.name))}"
                yield Statement(f"DELETE FROM {self._noted} WHERE {named}")
            case Create(model=Secret() as secret):
                yield _secret(secret)
            case AlterObject(after=Secret() as secret):
                yield _secret(secret)
            case Drop(model=Secret() as secret):
                yield Statement(f"DROP PERSISTENT SECRET {quote(secret.name)}")
            case Rename(before=Table()):
                yield from map(Statement, tables.renamed(operation, live, self._normalizer))
            case Rename(before=NumberSequence() as before, after=after):
                yield from map(Statement, self._change_sequence(operation.subject, before, after, live))
            case Rename(before=before, after=after):
                yield Statement(f"ALTER VIEW {render.address(before)} RENAME TO {quote(after.name)}")
            case AlterTable():
                yield from map(Statement, tables.altered(operation, live, self._normalizer))
            case AlterObject():
                yield from map(Statement, self._change(operation, live))
            case Create(model=model):
                yield from map(Statement, _create(model))
            case Drop(model=model):
                yield Statement(_drop(model))
            case _:
                raise AssertionError(operation)

    @property
    def _noted(self) -> str:
        return full_name(self._schema, ATTACHED)

    def _attach(self, file: AttachedDatabase) -> Iterator[str]:
        path = str(self._file.parent / file.path)
        yield f"ATTACH {literal(path)} AS {quote(file.name)}{' (READ_ONLY)' if file.read_only else ''}"
        yield f"CREATE SCHEMA IF NOT EXISTS {quote(self._schema)}"
        yield (
            f"CREATE TABLE IF NOT EXISTS {self._noted} (name VARCHAR PRIMARY KEY, path VARCHAR NOT NULL, "
            "read_only BOOLEAN NOT NULL)"
        )
        yield (
            f"INSERT OR REPLACE INTO {self._noted} VALUES "
            f"({literal(file.name)}, {literal(file.path)}, {str(file.read_only).lower()})"
        )

    def _change(self, operation: AlterObject, live: Snapshot) -> Iterator[str]:
        before, after = operation.before, operation.after
        if set(operation.fields) == {"comment"}:
            yield render.comment_on(_kind(after), render.address(after), after.comment)
            return
        match after:
            case DuckDBView() | Stage():
                yield from render.create_view(after, replace=True)
            case Function():
                yield from render.create_function(after, replace=True)
            case NumberSequence():
                yield from self._change_sequence(operation.subject, before, after, live)
            case _:
                raise AssertionError(operation)

    def _change_sequence(
        self, subject: Ref, before: NumberSequence, after: NumberSequence, live: Snapshot
    ) -> Iterator[str]:
        """Yield what makes a sequence anew that goes on behind the last number it gave."""
        now = subject._replace(name=after.name)
        defaults = list(self._filled_by(subject, live))
        for table, column in defaults:
            yield f"ALTER TABLE {render.address(table)} ALTER COLUMN {quote(column.name)} DROP DEFAULT"
        stash = f"{STASH}0"
        yield (
            f"CREATE TEMP TABLE {stash} AS SELECT last_value FROM duckdb_sequences() WHERE database_name = "
            f"current_database() AND {folded('schema_name')} = {literal(fold(before.schema or 'main'))} "
            f"AND {folded('sequence_name')} = {literal(fold(before.name))}"
        )
        yield f"DROP SEQUENCE {render.address(before)}"
        yield from render.create_sequence(after)
        least, most, _ = after.bounds
        if after.increment > 0:
            last, used = f"least(last_value, {most})", f"last_value >= {least}"
        else:
            last, used = f"greatest(last_value, {least})", f"last_value <= {most}"
        yield f"SELECT setval({literal(render.address(after))}, {last}) FROM {stash} WHERE {used}"
        yield f"DROP TABLE {stash}"
        for table, column in defaults:
            default = mentions.with_sequence_renamed(
                column.default or "NULL", subject, now, self._normalizer.dialect.normal_schema(table.schema)
            )
            yield (
                f"ALTER TABLE {render.address(table)} ALTER COLUMN {quote(column.name)} "
                f"SET DEFAULT ({render.closed(default)})"
            )

    def _filled_by(self, sequence: Ref, live: Snapshot) -> Iterator[tuple[DuckDBTable, DuckDBColumn]]:
        for ref in live.refs("table"):
            table = live.get(ref)
            for column in table.columns:
                if sequence in mentions.of_expression(column.default or "", ref.schema):
                    yield table, column


def _around_refills(chain: list[AlterTable], operations: list[Operation]) -> list[list[AlterTable]]:
    """Return the runs of a table's changes between which values are put back into it."""
    subject = chain[0].subject
    groups: list[list[AlterTable]] = [[]]
    mine = {id(each) for each in chain}
    for operation in operations:
        if id(operation) in mine:
            assert isinstance(operation, AlterTable)
            groups[-1].append(operation)
        elif isinstance(operation, PutBackValues) and operation.subject == subject:
            groups.append([])
    return groups


def _create(model: Any) -> Iterator[str]:
    match model:
        case DuckDBTable():
            yield from render.create_table(model)
        case DuckDBIndex():
            yield from render.create_index(model)
        case DuckDBView() | Stage():
            yield from render.create_view(model)
        case Function():
            yield from render.create_function(model)
        case NumberSequence():
            yield from render.create_sequence(model)
        case UserType():
            yield from render.create_type(model)
        case Schema(name=name):
            yield f"CREATE SCHEMA {quote(name)}"
        case _:
            raise AssertionError(model)


def _kind(model: Any) -> str:
    match model:
        case DuckDBTable():
            return "TABLE"
        case DuckDBIndex():
            return "INDEX"
        case DuckDBView() | Stage():
            return "VIEW"
        case Function():
            return render.macro_kind(model)
        case NumberSequence():
            return "SEQUENCE"
        case UserType():
            return "TYPE"
    raise AssertionError(model)


def _drop(model: Any) -> str:
    match model:
        case Schema(name=name):
            return f"DROP SCHEMA {quote(name)}"
    return f"DROP {_kind(model)} {render.address(model)}"


def _drops_table(text: str) -> bool:
    return text.startswith("DROP TABLE ") and STASH not in text


def _lost_with(operation: Operation, live: Snapshot) -> Iterator[Statement]:
    """Yield what makes again the indexes that vanish with a dropped table."""
    if isinstance(operation, Drop) and operation.subject.type == "table":
        for ref in live.attached(operation.subject):
            yield from map(Statement, render.create_index(live.get(ref)))


def _keeps_secret(operation: Operation) -> bool:
    """Whether an operation would need the values of a secret, which nobody can read."""
    model = getattr(operation, "model", getattr(operation, "after", None))
    return isinstance(model, Secret) and not isinstance(operation, Drop)


def _secret(secret: Secret) -> Statement:
    lines = [f"TYPE {secret.type}"]
    if secret.provider:
        lines.append(f"PROVIDER {secret.provider}")
    if secret.scope:
        lines.append(f"SCOPE [{', '.join(map(literal, secret.scope))}]")
    values: list[SecureString] = []
    for name, value in (secret.values or {}).items():
        lines.append(f"{quote(name)} ?")
        values.append(SecureString(_secret_value(value)))
    text = f"CREATE OR REPLACE PERSISTENT SECRET {quote(secret.name)} ({', '.join(lines)})"
    return Statement(text, tuple(values))


def _secret_value(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{literal(str(key))}: {render.value_text(each)}" for key, each in value.items())
        return f"MAP {{{pairs}}}"
    return render.value_text(value)
