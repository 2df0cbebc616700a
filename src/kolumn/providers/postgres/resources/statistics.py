"""Extended statistics (https://www.postgresql.org/docs/current/sql-createstatistics.html).

Names, target, owner and comment change in place; statistics about anything else are made anew, and the next
ANALYZE fills them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.contract.schema import ValidatorSpec
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Create, Operation, Rename
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language import names
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.tokens import qualified, quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.sql.differ import column_ref
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import RenameColumn

_KINDS = {"d": "ndistinct", "f": "dependencies", "m": "mcv"}


@dataclass(frozen=True)
class StatisticsPart:
    """A column or an expression that statistics are about."""

    SHORTHAND: ClassVar[str] = "column"

    column: str = attribute("Column name", default="", grammar="column")
    expression: str = attribute("SQL expression instead of a column", default="", grammar="expression")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault unless exactly one of column and expression is given."""
        if bool(self.column) == bool(self.expression):
            yield Problem("give either column or expression", code="conflicting_attributes", path="column")


@dataclass(frozen=True)
class Statistics:
    """Statistics about several columns or expressions of a table together."""

    name: str = attribute("Name of the statistics", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema they are in; empty for public", default="", grammar="schema")
    table: str = attribute(
        "Table they are about, with its schema where that is another one",
        validators=[NOT_EMPTY],
        grammar="relation",
    )
    columns: tuple[StatisticsPart, ...] = attribute("Columns and expressions", validators=[NOT_EMPTY])
    kinds: tuple[str, ...] = attribute(
        "ndistinct, dependencies, mcv; all when left out",
        default=(),
        validators=[one_of(*_KINDS.values())],
        grammar="keyword",
    )
    target: int | None = attribute(
        "Statistics target, 0 to 10000; as that of the columns when left out",
        default=None,
        validators=[
            ValidatorSpec(type="range", value={"min": 0, "max": 10000}, message="must be 0 to 10000")
        ],
    )
    owner: str = attribute("Role that owns them", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        if len(self.columns) > 1:
            return
        if self.columns[0].column:
            yield Problem(
                "statistics about one column are what ANALYZE makes anyway",
                code="too_short",
                path="columns",
                hint="Name another column or an expression as well.",
            )
        elif self.kinds:
            yield Problem(
                "statistics about one expression are of one kind only",
                code="conflicting_attributes",
                path="kinds",
            )


class StatisticsHandler(PostgresHandler[Statistics]):
    """Extended statistics; they go with their table."""

    type = "statistics"
    description = "Extended statistics about several columns or expressions of a table"
    MODEL = Statistics
    KEYWORD: ClassVar[str] = "STATISTICS"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"relation": Grammar(names.name_fault, str)}
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"owner", "comment", "target"})

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_statistic_ext."""
        return {
            "statistics": f"""
SELECT s.oid, n.nspname, s.stxname, tn.nspname, t.relname,
    array(
        SELECT a.attname::text FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys) ORDER BY a.attnum
    ),
    coalesce(pg_get_statisticsobjdef_expressions(s.oid), ARRAY[]::text[]),
    array(SELECT k::text FROM unnest(s.stxkind) k WHERE k <> 'e' ORDER BY k::text),
    nullif(s.stxstattarget, -1), pg_get_userbyid(s.stxowner)
FROM pg_catalog.pg_statistic_ext s
JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
JOIN pg_catalog.pg_class t ON t.oid = s.stxrelid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE {{user_schemas}} AND {not_a_member("pg_statistic_ext", "s.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the statistics."""
        for oid, schema, name, of_table, table, columns, expressions, kinds, *rest in reading.rows[
            "statistics"
        ]:
            place, table_place = self.dialect.normal_schema(schema), self.dialect.normal_schema(of_table)
            spelled = names.relation(table_place, table, place)
            parts = (tuple(columns), tuple(expressions), tuple(kinds))
            row = (name, place, spelled, *parts, *rest, reading.comment("pg_statistic_ext", oid))
            owner = Ref("table", table, table_place)
            yield Entry(Ref(self.type, name, place), ("pg_statistic_ext", oid), row, owner=owner)

    def build(self, entry: Entry) -> Statistics:
        """Return the statistics."""
        name, schema, table, columns, expressions, kinds, target, owner, comment = entry.row
        return Statistics(
            name=name,
            schema=schema,
            table=table,
            columns=(
                *(StatisticsPart(column=column) for column in columns),
                *(StatisticsPart(expression=expression) for expression in expressions),
            ),
            kinds=() if len(kinds) in (0, len(_KINDS)) else tuple(_KINDS[kind] for kind in kinds),
            target=target,
            owner=owner,
            comment=comment,
        )

    def normal(self, model: Statistics) -> Statistics:
        """Return the normal form: columns in any order, and expressions after them in theirs."""
        normal = super().normal(model)
        columns = sorted((part for part in normal.columns if part.column), key=lambda part: part.column)
        expressions = [part for part in normal.columns if part.expression]
        kinds = tuple(sorted(set(normal.kinds)))
        return replace(
            normal,
            table=names.relation(*self._table(model), self.dialect.normal_schema(model.schema)),
            columns=(*columns, *expressions),
            kinds=() if len(kinds) == len(_KINDS) else kinds,
        )

    def uses(self, model: Statistics) -> frozenset[Ref]:
        """Return the table and its columns, and what the expressions mention."""
        table = self._table_ref(model)
        columns = frozenset(column_ref(table, part.column) for part in model.columns if part.column)
        return super().uses(model) | {table} | columns | self.guesses(model)

    def guesses(self, model: Statistics) -> frozenset[Ref]:
        """Return what the expressions mention."""
        texts = (part.expression for part in model.columns if part.expression)
        return frozenset().union(*map(self.named_in, texts))

    def follow(self, model: Statistics, operation: Operation) -> Statistics:
        """Return the statistics as they are once their table or a column of it has its new name."""
        match operation:
            case Rename(subject=subject, after=after) if subject == self._table_ref(model):
                place = self.dialect.normal_schema(model.schema)
                return replace(model, table=names.relation(subject.schema, after.name, place))
            case RenameColumn(subject=subject, old=old, new=new) if subject == self._table_ref(model):
                return replace(model, columns=tuple(self._renamed(each, old, new) for each in model.columns))
        return super().follow(model, operation)

    def definition_sql(self, model: Statistics, server: Server) -> Iterator[str]:
        """Yield CREATE STATISTICS, and ALTER STATISTICS for a target."""
        kinds = f" ({', '.join(kind.lower() for kind in model.kinds)})" if model.kinds else ""
        parts = ", ".join(
            quote(part.column) if part.column else f"({embedded(part.expression)})" for part in model.columns
        )
        table = self._table_ref(model)
        yield (
            f"CREATE STATISTICS {self.address(model)}{kinds} ON {parts} "
            f"FROM {qualified(table.schema, table.name)}"
        )
        if model.target is not None:
            yield from self.alteration("target", model, model, server)

    def alteration(self, field: str, before: Statistics, after: Statistics, server: Server) -> Iterator[str]:
        """Yield ALTER STATISTICS ... SET STATISTICS."""
        target = -1 if after.target is None else after.target
        yield f"ALTER STATISTICS {self.address(after)} SET STATISTICS {target}"

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the lock on the table."""
        if isinstance(operation, Create):
            return f"SHARE UPDATE EXCLUSIVE on {self._table_ref(operation.model)}"
        return ""

    def _table_ref(self, model: Statistics) -> Ref:
        schema, name = self._table(model)
        return Ref("table", name, schema)

    def _table(self, model: Statistics) -> tuple[str, str]:
        return names.related(model.table, self.dialect.normal_schema(model.schema))

    def _renamed(self, part: StatisticsPart, old: str, new: str) -> StatisticsPart:
        if part.column:
            return replace(part, column=new) if part.column == old else part
        return replace(part, expression=self.dialect.with_column_renamed(part.expression, old, new))
