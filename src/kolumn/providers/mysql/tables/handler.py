"""Tables as a resource type."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language import fragments
from kolumn.providers.mysql.language.dialect import MySQLDialect, drawn_from
from kolumn.providers.mysql.language.tokens import fold, normal, qualified, quote, tokenize
from kolumn.providers.mysql.reading import Entry, Key, Reading, Row
from kolumn.providers.mysql.tables import alter, reading, render
from kolumn.providers.mysql.tables.model import MySQLCheck, MySQLIndex, MySQLKeyPart, MySQLTable
from kolumn.providers.mysql.tables.together import CreateWithIndexes, numbered_by_index
from kolumn.sql.handlers import TableHandler
from kolumn.sql.model import Constraint, ForeignKey, PrimaryKey, Table, Unique
from kolumn.sql.normal import Grammar, Normalizer
from kolumn.sql.operations import AlterTable
from kolumn.sql.reference import parse_reference

INDEXES = "indexes"
"""The note of a reading in which the indexes of all tables are: schema, table, indexes."""


def _list_fault(text: str) -> str | None:
    return fragments.fault(text, commas=True)[0] or None


def _list_normal(text: str) -> str:
    return " ".join(normal(tokenize(text)))


class TableNormalizer(Normalizer):
    """Normal forms of tables."""

    def table(self, table: Table) -> Table:
        """Return the normal form: a collation says its character set, a period's columns are NOT NULL."""
        found = super().table(table)
        assert isinstance(found, MySQLTable)
        period = found.application_period
        timed = {period.start, period.end} if period is not None else set()
        columns = tuple(
            replaced(
                each,
                {
                    "character_set": "" if each.collation else each.character_set,
                    "not_null": each.not_null or each.name in timed,
                },
            )
            for each in found.columns
        )
        changes: dict[str, Any] = {"columns": columns}
        if found.collation and found.character_set:
            changes["character_set"] = ""
        if (
            found.partition_by is not None
            and found.partition_by.count == 1
            and not found.partition_by.partitions
        ):
            changes["partition_by"] = replaced(found.partition_by, {"count": None})
        return replaced(found, changes)


class MySQLTableHandler(MySQLHandler[Table], TableHandler):
    """Tables."""

    type = "table"
    description = "A table with its columns and constraints"
    MODEL = MySQLTable
    KEYWORD: ClassVar[str] = "TABLE"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"list": Grammar(_list_fault, _list_normal)}

    def __init__(self, dialect: MySQLDialect) -> None:
        super().__init__(dialect)
        self.normalizer = TableNormalizer(dialect, self.GRAMMARS)

    # Reading

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the queries of tables, which bring their indexes along."""
        return reading.queries(server)

    def shown(self, rows: Mapping[str, list[Row]], server: Server) -> Mapping[Key, str]:
        """Return SHOW CREATE TABLE of each, for what no catalogue tells (see `shown`)."""
        return {
            (self.type, row[0], row[1]): f"SHOW CREATE TABLE {qualified(row[0], row[1])}"
            for row in rows["tables"]
        }

    def entries(self, reading_: Reading) -> Iterator[Entry]:
        """Yield the tables, and note their indexes."""
        found = reading_.notes.setdefault(INDEXES, [])
        databases = {reading_.schema(row[0]): row[0] for row in reading_.rows["tables"]}
        for rows, indexes in reading.read(reading_):
            database = databases[rows.schema]
            ref = Ref(self.type, fold(rows.name), reading_.place(database))
            found.append((rows, ref, indexes))
            yield Entry(ref, rows, aside=reading_.is_aside(database))

    def build(self, entry: Entry, reading_: Reading) -> MySQLTable:
        """Return the table."""
        return reading.build(entry.row, reading_.server)

    # Comparing

    def completed(self, model: Table, other: Callable[[Ref], Any]) -> Table:
        """Return the table with the columns that its foreign keys refer to, where it leaves them out."""
        changes: dict[str, Any] = {}

        def full(text: str) -> str:
            target = parse_reference(text)
            if target is None or target.columns:
                return text
            ref = self.normalizer.table_ref(target.table, target.schema or model.schema)
            table = model if ref == self.ref(model) else other(ref)
            key = (
                next((each for each in table.constraints() if isinstance(each, PrimaryKey)), None)
                if table
                else None
            )
            if key is None:
                return text
            return str(dataclasses.replace(target, columns=tuple(part.column for part in key.columns)))

        keys = tuple(replaced(each, {"references": full(each.references)}) for each in model.foreign_keys)
        if keys != model.foreign_keys:
            changes["foreign_keys"] = keys
        columns = tuple(
            replaced(each, {"references": text})
            if each.references and (text := full(each.references)) != each.references
            else each
            for each in model.columns
        )
        if columns != model.columns:
            changes["columns"] = columns
        return replaced(model, changes)

    def diff(self, live: Table | None, wanted: Table | None) -> list[Operation]:
        """Return the operations; a column's name in other case is a rename, as the server keeps the case."""
        if live is not None and wanted is not None:
            spelled = {fold(column.name): column.name for column in live.columns}
            columns = tuple(
                replaced(column, {"renamed_from": spelled[fold(column.name)]})
                if spelled.get(fold(column.name), column.name) != column.name
                else column
                for column in wanted.columns
            )
            # A hint does not count when columns are compared.
            if any(each is not other for each, other in zip(columns, wanted.columns, strict=True)):
                wanted = replaced(wanted, {"columns": columns})
        found = super().diff(live, wanted)
        return [self._with_checks_placed(each, wanted) for each in found] if wanted is not None else found

    def _with_checks_placed(self, operation: Operation, wanted: Table) -> Operation:
        """Return a change of a table with checks at the columns at which they are wanted, where MariaDB keeps them."""
        if not isinstance(operation, AlterTable):
            return operation
        before, after = (_placed(each, wanted) for each in (operation.before, operation.after))
        if before is operation.before and after is operation.after:
            return operation
        return dataclasses.replace(operation, before=before, after=after)

    def needs(self, model: Table) -> frozenset[Ref]:
        """Return what a table uses apart from what its foreign keys refer to: sequences that defaults draw from."""
        found = super().needs(model)
        for column in model.columns:
            if column.default and (names := drawn_from(column.default)):
                places = {model.schema, *(schema for schema, _ in names if schema)}
                own = {self.dialect.normal_schema(each) if each else "" for each in places}
                found |= {Ref("sequence", name, place) for _, name in names for place in own}
        return found

    def target_of(self, table: Table, key: ForeignKey) -> Ref:
        """Return the table that a foreign key refers to."""
        return self._target(table, key)

    # Unique constraints that are declared apart, as indexes

    def part(self, model: Table, part: Ref) -> object | None:
        """Return the unique constraint that `part` names."""
        return next((each for each in self._uniques(model) if fold(each.name) == part.name), None)

    def without(self, model: Table, part: Ref) -> Table:
        """Return the table without that constraint."""
        found = self.part(model, part)
        return model.without_constraint(found) if isinstance(found, Constraint) else model

    def with_part(self, model: Table, part: Ref, source: Table) -> Table:
        """Return the table with the constraint as `source` has it."""
        found = self.part(source, part)
        bare = self.without(model, part)
        return bare.with_constraint(found) if isinstance(found, Constraint) else bare

    def _uniques(self, model: Table) -> list[Unique]:
        return [each for each in model.constraints() if isinstance(each, Unique)]

    # Writing

    def definition_sql(self, model: Table, server: Server) -> Iterator[str]:
        """Yield CREATE TABLE."""
        assert isinstance(model, MySQLTable)
        verify(model, server)
        yield render.create_table(model, server)

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation."""
        if isinstance(operation, CreateWithIndexes):
            assert isinstance(operation.model, MySQLTable)
            verify(operation.model, server)
            yield render.create_table(operation.model, server, operation.indexes)
        elif isinstance(operation, AlterTable):
            verify(operation.after, server)
            yield from alter.alteration(operation, live, server)
        else:
            yield from super().statements(operation, live, server)

    def rename_sql(self, before: Table, after: Table, server: Server) -> str:
        """Return RENAME TABLE."""
        return f"RENAME TABLE {self.address(before)} TO {self.address(after)}"

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the metadata lock, which every change of a table needs for a moment."""
        return "exclusive metadata lock" if isinstance(operation, AlterTable | Rename) else ""

    # Rehearsing

    def rehearsal(
        self, wanted: Table, live: Table, scratch: str, tag: str, server: Server
    ) -> tuple[Table, list[str]] | None:
        """Return the table without what takes others: foreign keys and a name that is taken."""
        assert isinstance(wanted, MySQLTable)
        checks = tuple(
            replaced(each, {"name": f"kolumn_{at}"}) if isinstance(each, MySQLCheck) else each
            for at, each in enumerate(_checks_of(wanted, server))
        )
        columns = tuple(
            each.without_constraints(ForeignKey)
            if server.is_mariadb
            else each.without_constraints(ForeignKey, MySQLCheck)
            for each in wanted.columns
        )
        made = replaced(
            wanted,
            {
                "name": f"t{tag}",
                "schema": scratch,
                "columns": columns,
                "checks": checks,
                "foreign_keys": (),
                "comment": "",
                "auto_increment_start": None,
            },
        )
        keys = [
            MySQLIndex(name="kolumn", table=made.name, columns=(MySQLKeyPart(column=name),))
            for name in numbered_by_index(made)
        ]
        return made, [render.create_table(made, server, keys)]

    def worded(self, wanted: Table, rehearsed: Table, found: Table, live: Table) -> Table:
        """Return the wanted table with the live wording of what the server takes for the same."""
        assert isinstance(wanted, MySQLTable)
        assert isinstance(found, MySQLTable)
        assert isinstance(live, MySQLTable)
        form = self.normalizer.table
        made = {fold(each.name): each for each in form(found).columns}
        there = {fold(each.name): each for each in form(live).columns}
        spelled = {fold(each.name): each for each in live.columns}
        columns = tuple(
            self._as_live(each, spelled[fold(each.name)])
            if fold(each.name) in there and made.get(fold(each.name)) == there[fold(each.name)]
            else each
            for each in wanted.columns
        )
        changes: dict[str, Any] = {"columns": columns}
        for field in ("engine", "character_set", "collation", "row_format", "options", "partition_by"):
            if getattr(form(found), field) == getattr(form(live), field):
                changes[field] = getattr(live, field)
        return self._with_checks(replaced(wanted, changes), wanted, rehearsed, found, live)

    def _as_live(self, wanted: Any, live: Any) -> Any:
        """Return a live column with the constraints, the name and the hints of the wanted one.

        A live one that is in the key need not say that it is NOT NULL; the wanted one may be in none.
        """
        kept = {"name": wanted.name, "renamed_from": wanted.renamed_from, "not_null": wanted.not_null}
        named = replaced(live, kept)
        return named.with_constraints_of(wanted)

    def _with_checks(
        self, table: MySQLTable, wanted: MySQLTable, rehearsed: Table, found: MySQLTable, live: MySQLTable
    ) -> MySQLTable:
        """Return the table with the texts of its checks as the live ones have them where they are the same."""
        expression = self.dialect.normal_expression
        known = {expression(each.expression): each.expression for each in _checks(live)}
        made = {fold(each.name): each.expression for each in found.checks}
        texts: dict[str, str] = {}
        for each in rehearsed.checks:
            text = made.get(fold(each.name), "")
            if expression(text) in known:
                texts[each.expression] = known[expression(text)]
        for column in found.columns:
            original = next((each for each in wanted.columns if fold(each.name) == fold(column.name)), None)
            if original is not None and column.check and expression(column.check) in known:
                texts[original.check] = known[expression(column.check)]
        checks = tuple(
            replaced(each, {"expression": texts.get(each.expression, each.expression)})
            for each in table.checks
        )
        columns = tuple(
            replaced(each, {"check": texts.get(each.check, each.check)}) if each.check else each
            for each in table.columns
        )
        return replaced(table, {"checks": checks, "columns": columns})


def _placed(table: Table, wanted: Table) -> Table:
    """Return the table with checks moved to the columns that have them in `wanted`."""
    checks = {fold(each.name): each.check for each in wanted.columns if each.check}
    moved = {
        fold(each.name): MySQLCheck(expression=checks[fold(each.name)])
        for each in table.columns
        if not each.check and fold(each.name) in checks
    }
    moved = {name: check for name, check in moved.items() if check in table.checks}
    if not moved:
        return table
    columns = tuple(
        replaced(each, {"check": moved[fold(each.name)].expression}) if fold(each.name) in moved else each
        for each in table.columns
    )
    kept = tuple(each for each in table.checks if each not in moved.values())
    return replaced(table, {"columns": columns, "checks": kept})


def _checks(table: MySQLTable) -> Iterator[MySQLCheck]:
    for each in table.constraints():
        if isinstance(each, MySQLCheck):
            yield each


def _checks_of(table: MySQLTable, server: Server) -> list[MySQLCheck]:
    """Return the checks that the server keeps at the table."""
    return list(table.checks) if server.is_mariadb else list(_checks(table))


def verify(table: Table, server: Server) -> None:
    """Raise ValidationError for what this server does not have."""
    assert isinstance(table, MySQLTable)
    faults = list(_faults(table, server))
    if faults:
        address = f"mysql_table.{table.name}"
        raise ValidationError.of(
            [
                Problem(
                    f"{server.product} has no {words}",
                    code="unsupported_by_server",
                    path=path,
                    resource=address,
                )
                for path, words in faults
            ]
        )


def _faults(table: MySQLTable, server: Server) -> Iterator[tuple[str, str]]:
    if table.application_period is not None and not server.application_periods:
        yield "application_period", "application-time periods"
    if table.system_versioned and not server.system_versioning:
        yield "system_versioned", "system versioning"
    if (
        table.partition_by is not None
        and table.partition_by.method == "system_time"
        and not server.system_versioning
    ):
        yield "partition_by", "partitions by system time"
    for column in table.columns:
        path = f"columns.{column.name}"
        if (column.period or not column.versioned) and not server.system_versioning:
            yield path, "system versioning"
        if column.compressed and not server.compressed_columns:
            yield f"{path}.compressed", "compressed columns"
        if column.generated and column.not_null and server.is_mariadb:
            yield f"{path}.not_null", "generated columns that are NOT NULL"
    if not server.check_enforcement:
        for each in _checks(table):
            if not each.enforced:
                yield "checks", "checks that are not enforced"


def address(table: Table) -> str:
    """Return how statements name a table."""
    return qualified(table.schema, table.name)


__all__ = ["INDEXES", "MySQLTableHandler", "TableNormalizer", "address", "quote", "verify"]
