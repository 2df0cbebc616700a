"""What PostgreSQL is asked about the rows a change would fail on (see `sql.validation`)."""

from __future__ import annotations

from collections.abc import Iterator

from kolumn.engine.operations import Create, Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.validation import SHOWN, Question
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.language.casts import STRINGS
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.tokens import literal, qualified, quote
from kolumn.providers.postgres.language.types import TypeName, normal_type, parse_type, serial_of
from kolumn.providers.postgres.resources.domain import Domain, breaking_risk, check_changes, lacking_risk
from kolumn.providers.postgres.resources.enum import Enum, lost_labels, lost_words
from kolumn.providers.postgres.resources.foreign_key import SeparateForeignKey
from kolumn.providers.postgres.succession import ConvertColumns, SetAside, columns_of, conversion_risk
from kolumn.providers.postgres.tables.model import Exclusion, PostgresTable
from kolumn.sql.model import Column, Constraint, Index, Table, Unique
from kolumn.sql.normal import Normalizer
from kolumn.sql.operations import AlterColumn, AlterConstraint, AlterObject
from kolumn.sql.validation import RowQuestions, Source, Sources, messages

_RANGES = {
    "int2": (-32768, 32767),
    "int4": (-2147483648, 2147483647),
    "int8": (-9223372036854775808, 9223372036854775807),
}
_NUMBERS = frozenset({*_RANGES, "numeric", "float4", "float8"})
_WHOLE = r"^\s*[+-]?[0-9]+\s*$"


class PostgresQuestions(RowQuestions):
    """Asks as PostgreSQL spells it, about its own kinds of constraints and types as well."""

    def __init__(self, normalizer: Normalizer, dialect: PostgresDialect, server: Server) -> None:
        super().__init__(normalizer)
        self._dialect = dialect
        self._server = server

    def quote(self, name: str) -> str:
        """Return a name as SQL."""
        return quote(name)

    def address(self, table: Table, *, own: bool = False) -> str:
        """Return a table with its schema; `own` leaves out children, which partitions are not."""
        whole = getattr(table, "partition_by", None) is not None
        return ("" if whole or not own else "ONLY ") + qualified(table.schema, table.name)

    def expression(self, text: str) -> str:
        """Return an expression as it can stand in a query."""
        return embedded(text)

    def numbers(self, column: Column) -> bool:
        """Whether rows get numbers of a sequence."""
        return getattr(column, "identity", None) is not None or bool(serial_of(column.type))

    def added_value(self, column: Column) -> str | None:
        """Return what rows get, None for what a function makes of each row."""
        text = column.generated or column.default
        if text is None:
            return f"CAST(NULL AS {column.type})" if column.type else "NULL"
        if column.default and "(" in column.default:
            return None
        return f"CAST(({embedded(text)}) AS {column.type})" if column.type else f"({embedded(text)})"

    def converted(self, value: str, old: Column, new: Column) -> str | None:
        """Return the cast, where the type changes and no expression of its own says how."""
        if old.generated != new.generated or bool(getattr(new, "using", "")) or not new.type:
            return None
        return f"CAST({value} AS {new.type})"

    def same_keys(self, constraint: Unique | Index) -> bool:
        """Whether NULLs count as equal."""
        return bool(getattr(constraint, "nulls_not_distinct", False))

    def enforced(self, constraint: Constraint) -> bool:
        """Whether rows that are there already are looked at."""
        unproven = getattr(constraint, "not_valid", False) or getattr(constraint, "not_enforced", False)
        return not unproven

    def of_constraint(
        self, source: Source, table: Table, constraint: Constraint, sources: Sources, live: Snapshot
    ) -> Iterator[Question]:
        """Yield which rows break a constraint; what is about periods is not asked."""
        if not getattr(constraint, "without_overlaps", False) and not getattr(constraint, "period", False):
            yield from super().of_constraint(source, table, constraint, sources, live)

    def other_constraint(self, source: Source, constraint: Constraint) -> Iterator[Question]:
        """Yield which rows are in the way of another one by an exclusion constraint."""
        if not isinstance(constraint, Exclusion):
            return
        parts, clashes = [], []
        for number, part in enumerate(constraint.columns, 1):
            name = f"kolumn_part_{number}"
            value = quote(part.column) if part.column else f"({embedded(part.expression)})"
            parts.append(f", {value} AS {name}")
            operator = part.operator if "." not in part.operator else f"OPERATOR({part.operator})"
            clashes.append(f"one.{name} {operator} two.{name}")
        key = self._shown(source, ())
        shown = "".join(f", {quote(each)}" for each in key)
        where = f" WHERE {embedded(constraint.where)}" if constraint.where else ""
        ordered = f" ORDER BY {', '.join(map(quote, key))}" if key and key == source.key else ""
        query = (
            f"WITH kolumn_rows AS (SELECT row_number() OVER () AS kolumn_row{''.join(parts)}{shown} "
            f"FROM {self.rows(source, own=True)}{where}) "
            f"SELECT count(*) OVER (){shown} FROM kolumn_rows AS one WHERE EXISTS (SELECT 1 "
            f"FROM kolumn_rows AS two WHERE one.kolumn_row <> two.kolumn_row AND {' AND '.join(clashes)}){ordered}"
        )
        label = constraint.name or "the exclusion constraint"
        yield Question(
            table=source.name,
            singular=f"excludes another one by {label}",
            plural=f"exclude each other by {label}",
            query=Statement(self.first(query, SHOWN + 1)),
            key=key,
        )

    def type_change(self, source: Source, operation: AlterColumn) -> Iterator[Question]:
        """Yield which values the new type cannot hold, as far as a query can tell without failing itself."""
        old, new = operation.old, operation.new
        found = self.normalizer.dialect.type_change_risks(operation.before.name, old, new)
        stands = messages(each for each in found if each.kind == "may_fail")
        if not stands:
            return
        condition = "" if getattr(new, "using", "") else self._misfit(old, new)
        words = f"a {new.name} that is no {normal_type(new.type)}"
        if condition:
            yield self.listed(source, condition, f"has {words}", f"have {words}", stands, apart=(new.name,))
        else:
            why = "no query on this server can tell which values do not fit"
            yield Question(
                table=source.name,
                singular=f"has {words}",
                plural=f"have {words}",
                unanswerable=why,
                stands_for=stands,
            )

    def _misfit(self, old: Column, new: Column) -> str:
        """Return for which values a change of type fails, empty where that cannot be said."""
        before, after = (
            parse_type(serial_of(old.type) or old.type),
            parse_type(serial_of(new.type) or new.type),
        )
        if isinstance(before, str) or isinstance(after, str) or before.array or after.array:
            return ""
        value = quote(new.name)
        if after.built_in and after.name in ("varchar", "bpchar"):
            length = after.modifiers[0] if after.modifiers else "1" if after.name == "bpchar" else ""
            return f"length(rtrim({value}::text, ' ')) > {length}" if length else ""
        if before.built_in and before.name in _NUMBERS and after.built_in:
            return _overflow(f"{value}::numeric", after)
        if before.built_in and before.name not in STRINGS:
            return ""
        if self._server.since(16):
            return f"NOT pg_catalog.pg_input_is_valid({value}::text, {literal(new.type)})"
        if after.built_in and after.name in _RANGES:
            lies = _overflow(f"{value}::numeric", after)
            return f"CASE WHEN {value} ~ {literal(_WHOLE)} THEN {lies} ELSE {value} IS NOT NULL END"
        return ""

    def of_operation(self, operation: Operation, sources: Sources, live: Snapshot) -> Iterator[Question]:
        """Yield which rows PostgreSQL's own operations fail on."""
        match operation:
            case AlterConstraint(subject=subject, old=old, new=new) if not self.enforced(old):
                source = self.source(subject, sources, live)
                if source is not None:
                    yield from self.of_constraint(source, operation.after, new, sources, live)
            case Create(model=SeparateForeignKey() as key):
                yield from self._separate(key, sources, live)
            case AlterObject(before=SeparateForeignKey() as old, after=SeparateForeignKey() as new):
                if not self.enforced(old):
                    yield from self._separate(new, sources, live)
            case AlterObject(before=Domain() as old, after=Domain() as new):
                yield from self._domain(operation.subject, old, new, live)
            case SetAside(before=Enum() as old):
                sources.models["former", operation.subject] = old
            case Create(model=Enum() as new):
                sources.models["new", operation.subject] = new
            case ConvertColumns():
                yield from self._converted(operation, sources, live)

    def _separate(self, key: SeparateForeignKey, sources: Sources, live: Snapshot) -> Iterator[Question]:
        """Yield which rows a foreign key declared apart from its table refers nowhere with."""
        table = Ref("table", key.table, self.normalizer.dialect.normal_schema(key.schema))
        source = self.source(table, sources, live)
        if source is not None:
            yield from self.of_constraint(source, key.owner_table, key.constraint, sources, live)

    def _domain(self, subject: Ref, old: Domain, new: Domain, live: Snapshot) -> Iterator[Question]:
        """Yield which values break what a domain demands from now on."""
        for ref, column in columns_of(subject, live):
            table = live.get(ref)
            if not isinstance(table, PostgresTable) or table.partition_by is not None:
                continue
            source = self.untouched(table)
            if new.not_null and not old.not_null:
                yield self.without_value(source, (column.name,), messages([lacking_risk(new)]))
            # VALUE is no reserved word, so that a column of that name stands for it.
            source.columns["value"], source.changed = quote(column.name), True
            for change in check_changes(old.checks, new.checks):
                if change.after is not None and change.tests_values:
                    expression = embedded(change.after.expression)
                    stands = messages([breaking_risk(new, change.after)])
                    words = f"a value in {column.name} that breaks ({expression}) of domain {new.name}"
                    yield self.listed(
                        source,
                        f"NOT ({expression})",
                        f"has {words}",
                        f"have {words}",
                        stands,
                        apart=(column.name, "value"),
                    )

    def _converted(self, operation: ConvertColumns, sources: Sources, live: Snapshot) -> Iterator[Question]:
        """Yield which rows hold values that an enum is to lose."""
        table = live.get(operation.table) if operation.table in live else None
        if not isinstance(table, PostgresTable):
            return
        source = self.untouched(table)
        for each in operation.columns:
            column = table.column(each.column)
            if column is None:
                continue
            named = self._dialect.type_of(column.type)
            if named is None:
                continue
            ref = Ref("enum", named.name, named.schema)
            old, new = sources.models.get(("former", ref)), sources.models.get(("new", ref))
            if old is None or new is None:
                continue
            lost = lost_labels(old, new)
            if not lost:
                continue
            labels = ", ".join(map(literal, lost))
            value = quote(column.name)
            condition = f"{value}::text IN ({labels})"
            parsed = parse_type(column.type)
            if not isinstance(parsed, str) and parsed.array:
                condition = f"{value}::text[] && ARRAY[{labels}]"
            names = ", ".join(conversion.column for conversion in operation.columns)
            stands = messages([conversion_risk(operation.table, lost_words(lost), names)])
            words = f"{' or '.join(map(repr, lost))} in {column.name}, which enum {new.name} is to lose"
            yield self.listed(
                source, condition, f"has {words}", f"have {words}", stands, apart=(column.name,)
            )


def _overflow(value: str, after: TypeName) -> str:
    """Return when a number does not fit a type, empty for a type that takes any."""
    if after.name in _RANGES:
        low, high = _RANGES[after.name]
        return f"round({value}) NOT BETWEEN {low} AND {high}"
    if after.name == "numeric" and after.modifiers:
        digits, scale = int(after.modifiers[0]), int(after.modifiers[1]) if len(after.modifiers) > 1 else 0
        return f"abs(round({value}, {scale})) >= 10::numeric ^ ({digits - scale})"
    return ""
