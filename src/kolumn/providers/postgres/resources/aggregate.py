"""Aggregates.

https://www.postgresql.org/docs/current/sql-createaggregate.html

Attributes are called as CREATE AGGREGATE calls its parameters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.names import NAME, OPERATOR, object_name, operator_sql, spelled
from kolumn.providers.postgres.language.signatures import argument_type, routine_ref, signature
from kolumn.providers.postgres.language.tokens import literal, qualified, quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.resources.routine import RESULT, conflict
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import AlterObject

_FINAL = {"r": "read_only", "s": "shareable", "w": "read_write"}
_PARALLEL = {"u": "unsafe", "r": "restricted", "s": "safe"}
_FUNCTIONS = (
    "sfunc",
    "finalfunc",
    "combinefunc",
    "serialfunc",
    "deserialfunc",
    "msfunc",
    "minvfunc",
    "mfinalfunc",
)
_TYPES = ("stype", "mstype")
_NUMBERS = ("sspace", "msspace")
_TEXTS = ("initcond", "minitcond")
_CATALOGUE = {
    "sfunc": "aggtransfn",
    "finalfunc": "aggfinalfn",
    "combinefunc": "aggcombinefn",
    "serialfunc": "aggserialfn",
    "deserialfunc": "aggdeserialfn",
    "msfunc": "aggmtransfn",
    "minvfunc": "aggminvtransfn",
    "mfinalfunc": "aggmfinalfn",
}


def _named(column: str) -> str:
    """Return the SQL of the schema and name of a function whose oid is in `column`, none where that is 0."""
    return (
        "array(SELECT unnest(ARRAY[fn.nspname::text, f.proname::text]) FROM pg_catalog.pg_proc f "
        f"JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace WHERE f.oid = a.{column}::oid)"
    )


QUERIES: Mapping[str, str] = {
    "aggregates": f"""
SELECT p.oid, n.nspname, p.proname, pg_get_userbyid(p.proowner),
    array(
        SELECT format_type(t.oid, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS t (oid, place)
        ORDER BY place
    ),
    p.proargmodes::text[], p.proargnames, p.proparallel::text, a.aggkind::text, a.aggnumdirectargs,
    {", ".join(map(_named, _CATALOGUE.values()))},
    format_type(a.aggtranstype, NULL),
    CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) ELSE '' END,
    a.aggtransspace, a.aggmtransspace, a.agginitval, a.aggminitval,
    a.aggfinalextra, a.aggmfinalextra, a.aggfinalmodify::text, a.aggmfinalmodify::text,
    array(
        SELECT unnest(ARRAY[opn.nspname::text, o.oprname::text]) FROM pg_catalog.pg_operator o
        JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace WHERE o.oid = a.aggsortop
    )
FROM pg_catalog.pg_aggregate a
JOIN pg_catalog.pg_proc p ON p.oid = a.aggfnoid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE {{user_schemas}} AND {not_a_member("pg_proc", "p.oid")}
"""
}


class _Row(NamedTuple):
    """A row of the query without its oid, and with the comment: an entry's row."""

    schema: str
    name: str
    owner: str
    types: list[str]
    modes: list[str] | None
    names: list[str] | None
    parallel: str
    kind: str
    direct: int
    sfunc: list[str]
    finalfunc: list[str]
    combinefunc: list[str]
    serialfunc: list[str]
    deserialfunc: list[str]
    msfunc: list[str]
    minvfunc: list[str]
    mfinalfunc: list[str]
    stype: str
    mstype: str
    sspace: int
    msspace: int
    initcond: str | None
    minitcond: str | None
    finalfunc_extra: bool
    mfinalfunc_extra: bool
    finalfunc_modify: str
    mfinalfunc_modify: str
    sortop: list[str]
    comment: str = ""


def _function(what: str, *, required: bool = False) -> Any:
    words = f"{what}; with its schema where that is not public"
    if required:
        return attribute(words, validators=[NOT_EMPTY], grammar="object_name")
    return attribute(words, default="", grammar="object_name")


def _modify(what: str) -> Any:
    return attribute(
        f"{what}: read_only, shareable or read_write; what fits the kind of aggregate when left out",
        default="",
        validators=[one_of("", *_FINAL.values())],
        grammar="keyword",
    )


@dataclass(frozen=True)
class AggregateArgument:
    """One argument of an aggregate."""

    SHORTHAND: ClassVar[str] = "type"

    name: str = attribute("Name; aggregates can do without", default="", grammar="identifier")
    type: str = attribute("Type", grammar="argument")
    variadic: bool = attribute("Whether it stands for any number of arguments", default=False)


@dataclass(frozen=True)
class Aggregate:
    """An aggregate; with `ordered` an ordered-set aggregate, whose values come in an order."""

    name: str = attribute(
        "Name; several may share it, told apart by their arguments",
        validators=[NOT_EMPTY],
        grammar="identifier",
    )
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    arguments: tuple[AggregateArgument, ...] = attribute(
        "What is aggregated, nothing for `count(*)`; of an ordered-set aggregate, its direct arguments",
        default=(),
    )
    ordered: tuple[AggregateArgument, ...] = attribute(
        "What an ordered-set aggregate aggregates: what comes after its ORDER BY", default=()
    )
    sfunc: str = _function("Function that takes a row into the state", required=True)
    stype: str = attribute("Type of the state", validators=[NOT_EMPTY], grammar="argument")
    sspace: int = attribute("Size of the state in bytes, as an estimate; 0 for the usual one", default=0)
    finalfunc: str = _function("Function that makes the result of the state")
    finalfunc_extra: bool = attribute("Whether it gets the arguments as well, as NULLs", default=False)
    finalfunc_modify: str = _modify("Whether it changes the state")
    combinefunc: str = _function("Function that makes one state of two")
    serialfunc: str = _function("Function that makes bytes of a state of type internal")
    deserialfunc: str = _function("Function that makes a state of these bytes")
    initcond: str | None = attribute("First state, as text; NULL when left out", default=None)
    msfunc: str = _function("For moving windows: function that takes a row into the state")
    minvfunc: str = _function("For moving windows: function that takes a row out of the state")
    mstype: str = attribute("For moving windows: type of the state", default="", grammar="argument")
    msspace: int = attribute("For moving windows: size of the state in bytes", default=0)
    mfinalfunc: str = _function("For moving windows: function that makes the result")
    mfinalfunc_extra: bool = attribute("For moving windows: whether it gets the arguments too", default=False)
    mfinalfunc_modify: str = _modify("For moving windows: whether it changes the state")
    minitcond: str | None = attribute("For moving windows: first state, as text", default=None)
    sortop: str = attribute(
        "Operator by which an index gives the result, as min and max have it; with its schema where needed",
        default="",
        grammar="operator_name",
    )
    hypothetical: bool = attribute(
        "Whether the direct arguments are taken for one more row of those aggregated", default=False
    )
    parallel: str = attribute(
        "How far it fits parallel queries: unsafe, restricted or safe",
        default="unsafe",
        validators=[one_of(*_PARALLEL.values())],
        grammar="keyword",
    )
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        if self.hypothetical and not self.ordered:
            yield conflict(
                "hypothetical", "hypothetical needs the arguments that are ordered", "Give ordered."
            )
        for each in ("minvfunc", "mstype"):
            if self.msfunc and not getattr(self, each):
                yield conflict(each, f"{each} is needed beside msfunc", f"Give {each}.")
        if not self.msfunc:
            for each in ("minvfunc", "mstype", "mfinalfunc", "minitcond"):
                if getattr(self, each):
                    yield conflict(each, f"{each} needs msfunc", "Give msfunc, or remove it.")

    @property
    def input_types(self) -> tuple[str, ...]:
        """The types that tell it from others of its name."""
        direct, ordered = ([each.type for each in given] for given in (self.arguments, self.ordered))
        if self._shares_variadic:
            return tuple(direct)
        return (*direct, *ordered)

    @property
    def _shares_variadic(self) -> bool:
        """Whether the last direct argument and what is ordered are one: VARIADIC "any" on both sides."""
        return bool(self.arguments and self.ordered and self.arguments[-1].variadic)


class AggregateHandler(PostgresHandler[Aggregate]):
    """Aggregates: replaced in place where their result stays of its type."""

    type = "aggregate"
    description = "An aggregate: a function of many rows"
    MODEL = Aggregate
    KEYWORD: ClassVar[str] = "AGGREGATE"
    NAMESPACE: ClassVar[str] = "routine"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {
        "argument": RESULT,
        "object_name": NAME,
        "operator_name": OPERATOR,
    }

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_aggregate."""
        return QUERIES

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the aggregates."""
        for row in reading.rows["aggregates"]:
            read = _Row(*row[1:])._replace(comment=reading.comment("pg_proc", row[0]))
            place = self.dialect.normal_schema(read.schema)
            yield Entry(Ref(self.type, signature(read.name, read.types), place), ("pg_proc", row[0]), read)

    def build(self, entry: Entry) -> Aggregate:
        """Return the aggregate."""
        row = _Row(*entry.row)
        names, modes = row.names or [""] * len(row.types), row.modes or ["i"] * len(row.types)
        arguments = tuple(
            AggregateArgument(name=name, type=argument_type(type_name), variadic=mode == "v")
            for type_name, name, mode in zip(row.types, names, modes, strict=True)
        )
        is_set = row.kind != "n"
        direct, ordered = (arguments[: row.direct], arguments[row.direct :]) if is_set else (arguments, ())
        if is_set and not ordered:
            ordered = direct[-1:]
        usual = "w" if is_set else "r"
        return Aggregate(
            name=row.name,
            schema=self.dialect.normal_schema(row.schema),
            arguments=direct,
            ordered=ordered,
            **{each: spelled(*named) if (named := getattr(row, each)) else "" for each in _FUNCTIONS},
            stype=argument_type(row.stype),
            mstype=argument_type(row.mstype) if row.mstype else "",
            sspace=row.sspace,
            msspace=row.msspace,
            initcond=row.initcond,
            minitcond=row.minitcond,
            finalfunc_extra=row.finalfunc_extra,
            mfinalfunc_extra=row.mfinalfunc_extra,
            finalfunc_modify="" if row.finalfunc_modify == usual else _FINAL[row.finalfunc_modify],
            mfinalfunc_modify="" if row.mfinalfunc_modify == usual else _FINAL[row.mfinalfunc_modify],
            sortop=spelled(*row.sortop) if row.sortop else "",
            hypothetical=row.kind == "h",
            parallel=_PARALLEL[row.parallel],
            owner=row.owner,
            comment=row.comment,
        )

    def ref(self, model: Aggregate) -> Ref:
        """Return its name with the types of its arguments."""
        place = self.dialect.normal_schema(model.schema)
        return Ref(self.type, signature(model.name, model.input_types), place)

    def former(self, model: Aggregate) -> Ref | None:
        """Return the ref under its former name, if configuration says there is one."""
        before = model.renamed_from
        return self.ref(model)._replace(name=signature(before, model.input_types)) if before else None

    def normal(self, model: Aggregate) -> Aggregate:
        """Return the normal form; how the final functions treat the state is said."""
        normal = super().normal(model)
        usual = "read_write" if model.ordered else "read_only"
        return dataclasses.replace(
            normal,
            finalfunc_modify=normal.finalfunc_modify or usual,
            mfinalfunc_modify=normal.mfinalfunc_modify or usual,
        )

    def changes_in_place(self, before: Aggregate, after: Aggregate, fields: tuple[str, ...]) -> bool:
        """Whether CREATE OR REPLACE can make the change: no other arguments, no other type of result."""
        return _RESULT.isdisjoint(fields)

    def address(self, model: Aggregate) -> str:
        """Return its qualified name with its arguments."""
        return f"{qualified(model.schema, model.name)}({_arguments_sql(model)})"

    def definition_sql(self, model: Aggregate, server: Server) -> Iterator[str]:
        """Yield CREATE AGGREGATE."""
        yield self._aggregate_sql(model, "CREATE AGGREGATE")

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation; changes are made together, by replacing."""
        if isinstance(operation, AlterObject):
            rest = tuple(each for each in operation.fields if each in self.IN_PLACE)
            if len(rest) < len(operation.fields):
                yield self._aggregate_sql(operation.after, "CREATE OR REPLACE AGGREGATE")
            operation = dataclasses.replace(operation, fields=rest)
        yield from super().statements(operation, live, server)

    def _aggregate_sql(self, model: Aggregate, words: str) -> str:
        parameters = [
            f"{each} = {object_name(given).sql}" for each in _FUNCTIONS if (given := getattr(model, each))
        ]
        parameters += [
            f"{each} = {argument_type(given)}" for each in _TYPES if (given := getattr(model, each))
        ]
        parameters += [f"{each} = {given}" for each in _NUMBERS if (given := getattr(model, each))]
        parameters += [
            f"{each} = {literal(given)}" for each in _TEXTS if (given := getattr(model, each)) is not None
        ]
        for each in ("finalfunc", "mfinalfunc"):
            if getattr(model, f"{each}_extra"):
                parameters.append(f"{each}_extra")
            if modify := getattr(model, f"{each}_modify"):
                parameters.append(f"{each}_modify = {modify.lower()}")
        if model.sortop:
            parameters.append(f"sortop = {operator_sql(model.sortop)}")
        if model.parallel.lower() != "unsafe":
            parameters.append(f"parallel = {model.parallel.lower()}")
        if model.hypothetical:
            parameters.append("hypothetical")
        inside = ",\n    ".join(parameters)
        return f"{words} {self.address(model)} (\n    {inside}\n)"

    def uses(self, model: Aggregate) -> frozenset[Ref]:
        """Return schema, types and functions."""
        types = (*model.input_types, *(getattr(model, each) for each in _TYPES))
        used = (self.type_uses(each, model.schema) for each in types if each)
        names = (object_name(given) for each in _FUNCTIONS if (given := getattr(model, each)))
        functions = frozenset(routine_ref(each.name, each.schema) for each in names)
        return super().uses(model).union(functions, *used) - self.aliases(model)


_RESULT = frozenset({"arguments", "ordered", "hypothetical", "stype", "finalfunc", "finalfunc_extra"})
"""Attributes on which the type of the result may depend, or which CREATE OR REPLACE refuses to change."""


def _arguments_sql(model: Aggregate) -> str:
    direct = ", ".join(map(_argument_sql, model.arguments))
    if not model.ordered:
        return direct or "*"
    ordered = ", ".join(map(_argument_sql, model.ordered))
    return f"{direct} ORDER BY {ordered}".lstrip()


def _argument_sql(argument: AggregateArgument) -> str:
    words = ["VARIADIC"] if argument.variadic else []
    if argument.name:
        words.append(quote(argument.name))
    return " ".join([*words, argument_type(argument.type)])
