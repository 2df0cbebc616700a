"""Sequences (https://www.postgresql.org/docs/current/sql-createsequence.html).

A sequence that a column owns and takes its values from in all the usual ways (serial), and one behind an
identity column, belong to their table: they only count where they are named, e.g. by a grant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from kolumn.contract.errors import Problem
from kolumn.contract.schema import ValidatorSpec
from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Create, Drop, Operation, Risk, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rewriting import with_kept
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.tokens import literal, qualified, quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.tables.reading import own_sequences
from kolumn.sql import reference
from kolumn.sql.differ import column_ref
from kolumn.sql.operations import AlterObject

RANGES: Mapping[str, tuple[int, int]] = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
"""The types of sequences and their values."""

_NUMBERS = ("type", "increment", "min_value", "max_value", "start", "cache", "cycle")
"""Attributes that one ALTER SEQUENCE changes."""


class Numbers(NamedTuple):
    """What a sequence counts like, with nothing left out."""

    type: str
    increment: int
    min_value: int
    max_value: int
    start: int
    cache: int
    cycle: bool

    def sql(self, before: Numbers | None = None) -> Iterator[str]:
        """Yield the clauses that make a sequence count like this which counts like `before`, or is new."""
        usual = usual_numbers(self.type, self.increment, self.min_value, self.max_value)
        bounds = usual_numbers(self.type, self.increment)
        known = before or Numbers("bigint", 1, bounds.min_value, bounds.max_value, usual.start, 1, False)
        for word, mine, theirs in zip(_WORDS, self, known, strict=False):
            bound = word in ("MINVALUE", "MAXVALUE")
            if mine != theirs or (bound and before is not None and before.type != self.type):
                yield f"{word} {mine}"
        if self.cycle != known.cycle:
            yield "CYCLE" if self.cycle else "NO CYCLE"


_WORDS = ("AS", "INCREMENT BY", "MINVALUE", "MAXVALUE", "START WITH", "CACHE")


def usual_numbers(
    kind: str = "bigint", increment: int = 1, least: int | None = None, most: int | None = None
) -> Numbers:
    """Return how a sequence of a type counts where no more is said; bounds given decide about the start."""
    lowest, highest = RANGES[kind]
    least = (1 if increment > 0 else lowest) if least is None else least
    most = (highest if increment > 0 else -1) if most is None else most
    return Numbers(kind, increment, least, most, least if increment > 0 else most, 1, False)


@dataclass(frozen=True)
class Sequence:
    """A sequence. What it has counted so far is data and stays."""

    name: str = attribute("Name of the sequence", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    type: str = attribute("smallint, integer or bigint", default="bigint", grammar="keyword")
    start: int | None = attribute("First value; the least one, or the most if it counts down", default=None)
    increment: int = attribute("What is added each time; less than 0 counts down", default=1)
    min_value: int | None = attribute("Least value; 1, or the type's if it counts down", default=None)
    max_value: int | None = attribute("Most value; the type's, or -1 if it counts down", default=None)
    cache: int = attribute(
        "How many values a session takes at once",
        default=1,
        validators=[ValidatorSpec(type="range", value={"min": 1}, message="must be at least 1")],
    )
    cycle: bool = attribute("Whether it begins again at its end", default=False)
    unlogged: bool = attribute("Whether it is lost after a crash (PostgreSQL 15)", default=False)
    owned_by: str = attribute(
        "Column it goes with when that is dropped: `table.column`, in the same schema",
        default="",
        grammar="reference",
    )
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        if self.increment == 0:
            yield Problem("increment must not be 0", code="invalid_range", path="increment")
            return
        kind = _KINDS.get(" ".join(self.type.lower().split()))
        if kind is None:
            yield Problem(
                f"type {self.type} is not smallint, integer or bigint", code="invalid_type", path="type"
            )
            return
        lowest, highest = RANGES[kind]
        for field in ("min_value", "max_value"):
            value = getattr(self, field)
            if value is not None and not lowest <= value <= highest:
                yield Problem(f"{field} {value} is beyond {kind}", code="invalid_range", path=field)
        numbers = self.numbers
        if numbers.min_value >= numbers.max_value:
            yield Problem(
                f"min_value ({numbers.min_value}) must be less than max_value ({numbers.max_value})",
                code="conflicting_attributes",
                path="min_value",
            )
        elif not numbers.min_value <= numbers.start <= numbers.max_value:
            yield Problem(
                f"start {numbers.start} is not between min_value ({numbers.min_value}) and max_value "
                f"({numbers.max_value})",
                code="conflicting_attributes",
                path="start",
            )
        if self.owned_by:
            found = reference.parse_reference(self.owned_by)
            if found is None or len(found.columns) != 1:
                yield Problem(
                    f"owned_by {self.owned_by!r} is not one column",
                    code="invalid_reference",
                    path="owned_by",
                    hint="Write `table.column`.",
                )

    @property
    def numbers(self) -> Numbers:
        """How it counts, with what is left out as PostgreSQL fills it in."""
        kind = _KINDS[" ".join(self.type.lower().split())]
        usual = usual_numbers(kind, self.increment, self.min_value, self.max_value)
        start = usual.start if self.start is None else self.start
        return usual._replace(start=start, cache=self.cache, cycle=self.cycle)


_KINDS = {
    **{kind: kind for kind in RANGES},
    "int2": "smallint",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
}


class SequenceHandler(PostgresHandler[Sequence]):
    """Sequences."""

    type = "sequence"
    description = "A sequence of numbers"
    MODEL = Sequence
    KEYWORD: ClassVar[str] = "SEQUENCE"
    NAMESPACE: ClassVar[str] = "relation"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"owner", "comment", "unlogged", *_NUMBERS})

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_sequence."""
        return {
            "sequences": f"""
SELECT c.oid, n.nspname, c.relname, pg_get_userbyid(c.relowner), format_type(s.seqtypid, NULL),
    s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, s.seqcycle, c.relpersistence = 'u',
    d.refobjid, r.relname, a.attname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_class r ON r.oid = d.refobjid
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE {{user_schemas}} AND {not_a_member("pg_class", "c.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the sequences."""
        own = own_sequences(reading)
        for oid, schema, name, owner, *counting, unlogged, table_oid, table, column in reading.rows[
            "sequences"
        ]:
            place = self.dialect.normal_schema(schema)
            owned_by = f"{reference.quote(table)}.{reference.quote(column)}" if column else ""
            row = (name, place, *counting, unlogged, owned_by, owner, reading.comment("pg_class", oid))
            belongs = reading.refs.get(("pg_class", table_oid)) if oid in own else None
            yield Entry(Ref(self.type, name, place), ("pg_class", oid), row, owner=belongs, aside=oid in own)

    def build(self, entry: Entry) -> Sequence:
        """Return the sequence, with what is as usual left out."""
        name, schema, *counting, unlogged, owned_by, owner, comment = entry.row
        numbers = Numbers(*counting)
        usual = usual_numbers(numbers.type, numbers.increment)
        least = None if numbers.min_value == usual.min_value else numbers.min_value
        most = None if numbers.max_value == usual.max_value else numbers.max_value
        first = usual_numbers(numbers.type, numbers.increment, least, most).start
        return Sequence(
            name=name,
            schema=schema,
            type=numbers.type,
            increment=numbers.increment,
            min_value=least,
            max_value=most,
            start=None if numbers.start == first else numbers.start,
            cache=numbers.cache,
            cycle=numbers.cycle,
            unlogged=unlogged,
            owned_by=owned_by,
            owner=owner,
            comment=comment,
        )

    def normal(self, model: Sequence) -> Sequence:
        """Return the normal form, in which no number is left out."""
        return replace(super().normal(model), **model.numbers._asdict())

    def diff(self, live: Sequence | None, wanted: Sequence | None) -> list[Operation]:
        """Return the operations; a column owns the sequence from after its creation to before its drop."""
        if live is None or wanted is None:
            given = wanted or live
            if given is None or not given.owned_by:
                return super().diff(live, wanted)
            bare = replace(given, owned_by="")
            if live is None:
                return [*super().diff(None, bare), self.owning(bare, given)]
            return [self.owning(live, bare), *super().diff(bare, None)]
        wanted = with_kept(wanted, live)
        operations = super().diff(live, replace(wanted, owned_by=live.owned_by))
        if self.normal(live).owned_by != self.normal(wanted).owned_by:
            operations.append(self.owning(replace(wanted, owned_by=live.owned_by), wanted))
        return operations

    def owning(self, before: Sequence, after: Sequence) -> AlterObject:
        """Return the change of the column that owns the sequence."""
        return AlterObject(
            subject=self.ref(after),
            before=before,
            after=after,
            fields=("owned_by",),
            requires=self._column_refs(after),
            releases=self._column_refs(before) | {self.ref(before)},
        )

    def replace(self, live: Sequence, wanted: Sequence) -> list[Operation]:
        """Return the change in place; the sequence may be beyond its new bounds."""
        before, after = live.numbers, wanted.numbers
        narrower = before.min_value < after.min_value or before.max_value > after.max_value
        risk = Risk("may_fail", f"fails if sequence {wanted.name} is beyond its new bounds already")
        return [
            replace(each, risks=(risk,)) if narrower and isinstance(each, AlterObject) else each
            for each in super().replace(live, wanted)
        ]

    def consolidated(
        self, operations: list[Operation], live: Snapshot, server: Server, *, online: bool
    ) -> list[Operation]:
        """Return the operations with what saves sequences from tables that are dropped while they stay."""
        dropped = {each.subject for each in operations if isinstance(each, Drop)}
        if not any(ref.type == "table" for ref in dropped):
            return operations
        created = {each.subject for each in operations if isinstance(each, Create)}
        touched = {each.subject for each in operations if each.subject.type == self.type}
        saving: list[Operation] = []
        for ref in live.refs(self.type):
            model = live.get(ref) if ref not in live.aside and ref not in touched else None
            if model is None or dropped.isdisjoint(self._column_refs(model)):
                continue
            bare = replace(model, owned_by="")
            saving.append(self.owning(model, bare))
            if not created.isdisjoint(self._column_refs(model)):
                saving.append(self.owning(bare, model))
        return [*operations, *saving]

    def definition_sql(self, model: Sequence, server: Server) -> Iterator[str]:
        """Yield CREATE SEQUENCE."""
        unlogged = "UNLOGGED " if model.unlogged else ""
        yield " ".join([f"CREATE {unlogged}SEQUENCE {self.address(model)}", *model.numbers.sql()])

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation; one ALTER changes all numbers."""
        match operation:
            case AlterObject(before=before, after=after, fields=fields):
                if not {"owned_by"}.issuperset(fields):
                    yield from self._recount(before, after)
                if "unlogged" in fields:
                    word = "UNLOGGED" if after.unlogged else "LOGGED"
                    yield f"ALTER SEQUENCE {self.address(after)} SET {word}"
                if "owned_by" in fields:
                    yield f"ALTER SEQUENCE {self.address(after)} OWNED BY {self._column_sql(after)}"
                if "owner" in fields and not after.owned_by:  # else it follows its table
                    yield self.owner_sql(after)
                if "comment" in fields:
                    yield self.comment_sql(after)
            case _:
                yield from super().statements(operation, live, server)

    def _recount(self, before: Sequence, after: Sequence) -> Iterator[str]:
        """Yield what changes how the sequence counts; one that nobody has used begins at its new start."""
        old, new, address = before.numbers, after.numbers, self.address(after)
        if old.start != new.start:
            if not old.min_value <= new.start <= old.max_value:
                wide = max(old, new, key=lambda each: RANGES[each.type][1])._replace(
                    increment=old.increment,
                    min_value=min(old.min_value, new.min_value),
                    max_value=max(old.max_value, new.max_value),
                    start=old.start,
                    cache=old.cache,
                    cycle=old.cycle,
                )
                yield f"ALTER SEQUENCE {address} {' '.join(wide.sql(old))}"
                old = wide
            name = literal(address)
            yield f"SELECT pg_catalog.setval({name}, {new.start}, false) FROM {address} WHERE NOT is_called"
        if clauses := tuple(new.sql(old)):
            yield f"ALTER SEQUENCE {address} {' '.join(clauses)}"

    def _column_refs(self, model: Sequence) -> frozenset[Ref]:
        """Return the table and the column that own the sequence."""
        place = self.dialect.normal_schema(model.schema)
        found = self.normalizer.reference(model.owned_by, place) if model.owned_by else None
        if found is None:
            return frozenset()
        table = Ref("table", found.table, found.schema)
        return frozenset({table, column_ref(table, found.columns[0])})

    def _column_sql(self, model: Sequence) -> str:
        place = self.dialect.normal_schema(model.schema)
        found = self.normalizer.reference(model.owned_by, place) if model.owned_by else None
        if found is None:
            return "NONE"
        return f"{qualified(found.schema, found.table)}.{quote(found.columns[0])}"
