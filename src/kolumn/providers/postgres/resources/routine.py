"""What functions and procedures have in common: arguments, language and body.

https://www.postgresql.org/docs/current/sql-createfunction.html,
https://www.postgresql.org/docs/current/sql-createprocedure.html

A body is a text in the routine's language, compared to the letter. In SQL it may also be of the standard's
kind, `RETURN <expression>` or `BEGIN ATOMIC ... END`: then it is part of the statement, PostgreSQL keeps it
as a tree and knows what it depends on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Create, Drop, Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection import run_time_parameters
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.following import text_change
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.fragments import embedded, sql_body_fault
from kolumn.providers.postgres.language.readable import readable
from kolumn.providers.postgres.language.signatures import argument_type, signature
from kolumn.providers.postgres.language.tokens import dollar, literal, quote, tokenize
from kolumn.providers.postgres.language.types import parse_type
from kolumn.providers.postgres.reading import Reading
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import AlterObject

MODES = ("in", "out", "inout", "variadic")

_NOT_OTHERS = (
    "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_proc'::regclass "
    "AND e.objid = p.oid AND e.deptype IN ('e', 'i'))"
)
"""Neither an extension's nor made along with a range type."""

QUERIES: Mapping[str, str] = {
    "routines": f"""
SELECT p.oid, p.prokind::text, n.nspname, p.proname, pg_get_userbyid(p.proowner), l.lanname,
    array(
        SELECT format_type(t.oid, NULL)
        FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS t (oid, place)
        ORDER BY place
    ),
    p.proargmodes::text[], p.proargnames,
    CASE WHEN p.pronargdefaults > 0 THEN array(
        SELECT pg_get_function_arg_default(p.oid, place::int)
        FROM generate_series(1, coalesce(array_length(p.proallargtypes, 1), p.pronargs)) AS place
        ORDER BY place
    ) END,
    format_type(p.prorettype, NULL), p.proretset, p.prosrc, p.probin,
    CASE WHEN p.prosqlbody IS NOT NULL THEN pg_get_function_sqlbody(p.oid) END,
    p.provolatile::text, p.proisstrict, p.prosecdef, p.proleakproof, p.proparallel::text,
    p.procost, p.prorows,
    CASE WHEN p.prosupport <> 0 THEN array(
        SELECT ARRAY[sn.nspname::text, s.proname::text] FROM pg_catalog.pg_proc s
        JOIN pg_catalog.pg_namespace sn ON sn.oid = s.pronamespace WHERE s.oid = p.prosupport
    ) END,
    p.proconfig,
    CASE WHEN p.protrftypes IS NOT NULL THEN array(
        SELECT format_type(t.oid, NULL) FROM unnest(p.protrftypes) WITH ORDINALITY AS t (oid, place)
        ORDER BY place
    ) END
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.prokind <> 'a' AND {{user_schemas}} AND {_NOT_OTHERS}
"""
}
"""Functions and procedures."""


class RoutineRow(NamedTuple):
    """A row of the query without its oid, and with the comment: an entry's row."""

    kind: str
    schema: str
    name: str
    owner: str
    language: str
    types: list[str]
    modes: list[str] | None
    names: list[str] | None
    defaults: list[str | None] | None
    returns: str
    returns_set: bool
    source: str
    binary: str | None
    sql_body: str | None
    volatility: str
    strict: bool
    security_definer: bool
    leakproof: bool
    parallel: str
    cost: float
    rows: float
    support: list[list[str]] | None
    settings: list[str] | None
    transforms: list[str] | None
    comment: str = ""

    def input_types(self) -> Iterator[str]:
        """Yield the types of what goes in."""
        modes = self.modes or ["i"] * len(self.types)
        return (each for each, mode in zip(self.types, modes, strict=True) if mode in "ibv")


def _result_fault(text: str) -> str | None:
    parsed = parse_type(text)
    return parsed if isinstance(parsed, str) else None


RESULT = Grammar(_result_fault, argument_type)
"""The grammar of what goes in and what comes out: a type, `setof` before it where there are several rows."""
BODY = Grammar(lambda text: None, lambda text: text)  # noqa: ARG005 - any text is one
"""The grammar of a body: those of the SQL standard's kind are checked and compared by the handler."""


@dataclass(frozen=True)
class Argument:
    """One argument of a routine."""

    SHORTHAND: ClassVar[str] = "type"

    name: str = attribute("Name; routines can do without", default="", grammar="identifier")
    type: str = attribute("Type; lengths and precisions mean nothing here", grammar="argument")
    mode: str = attribute(
        "What it is for: in, out, inout or variadic",
        default="in",
        validators=[one_of(*MODES)],
        grammar="keyword",
    )
    default: str | None = attribute(
        "Expression that stands in for what is not given", default=None, grammar="default"
    )


@dataclass(frozen=True)
class ResultColumn:
    """One column of the table a function returns."""

    SHORTHAND: ClassVar[str] = "type"

    name: str = attribute("Column name", validators=[NOT_EMPTY], grammar="identifier")
    type: str = attribute("Type", grammar="argument")


@dataclass(frozen=True)
class Signature:
    """How a routine is called."""

    name: str = attribute(
        "Name; several may share it, told apart by what goes in",
        validators=[NOT_EMPTY],
        grammar="identifier",
    )
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    arguments: tuple[Argument, ...] = attribute("Arguments, in order", default=())


@dataclass(frozen=True)
class _Program:
    """What a routine runs, and as what."""

    language: str = attribute("Language of the body", default="sql", grammar="keyword")
    security_definer: bool = attribute("Whether it runs with its owner's rights", default=False)
    settings: Mapping[str, Any] | None = attribute("Run-time parameters set while it runs", default=None)
    transform_types: tuple[str, ...] = attribute(
        "Types that reach its language through their transforms", default=(), grammar="argument"
    )
    body: str | None = attribute(
        "What it runs: a text in its language, or in SQL also RETURN <expression> or BEGIN ATOMIC ... END",
        default=None,
        grammar="routine_body",
    )
    object_file: str = attribute("For language c: the library that holds it, e.g. $libdir/module", default="")
    link_symbol: str = attribute(
        "For language c: its name in the library, if that is another one", default=""
    )


@dataclass(frozen=True)
class _Owned:
    """What every object has."""

    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")


@dataclass(frozen=True)
class Routine(_Owned, _Program, Signature):
    """What functions and procedures have in common; in parts, as configuration has them in that order."""

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes: a body or an object file, and which of them the language takes."""
        yield from run_time_parameters.problems(self.settings or {}, "settings")
        compiled = self.language.lower() == "c"
        if compiled and self.body is not None:
            yield conflict("body", "a routine in language c has no body", "Give object_file and link_symbol.")
        if not compiled and (self.object_file or self.link_symbol):
            yield conflict(
                "object_file", "only a routine in language c is in an object file", "Give its body."
            )
        missing = "object_file" if compiled else "body"
        if (compiled and not self.object_file) or (not compiled and self.body is None):
            yield Problem(
                f"{missing} is required", code="missing_attribute", path=missing, hint=f"Add {missing}."
            )
        yield from self._argument_problems()

    def _argument_problems(self) -> Iterator[Problem]:
        going_in = [each for each in self.arguments if each.mode.lower() != "out"]
        defaulted = False
        for each in self.arguments:
            if each.mode.lower() == "out" and each.default is not None:
                yield conflict(
                    "arguments", f"argument {each.name} only comes out and has a default", "Remove it."
                )
        for place, each in enumerate(going_in):
            if defaulted and each.default is None and each.mode.lower() != "variadic":
                yield conflict(
                    "arguments",
                    f"argument {each.name or place + 1} has no default, and one before it has",
                    "Give it one as well, or put it before the others.",
                )
            defaulted = defaulted or each.default is not None

    @property
    def input_types(self) -> tuple[str, ...]:
        """The types of what goes in, as written."""
        return tuple(each.type for each in self.arguments if each.mode.lower() != "out")

    @property
    def standard_body(self) -> str:
        """The body if it is of the SQL standard's kind, and so a part of the statement; else empty."""
        body = self.body or ""
        if self.language.lower() != "sql":
            return ""
        words = [token.word for token in tokenize(body)[:2]]
        return body if words[:1] == ["return"] or words == ["begin", "atomic"] else ""


def conflict(path: str, message: str, hint: str) -> Problem:
    """Return the fault that an attribute does not go with the others."""
    return Problem(message, code="conflicting_attributes", path=path, hint=hint)


R = TypeVar("R", bound=Routine)


class RoutineHandler(PostgresHandler[R]):
    """Functions and procedures: replaced in place where PostgreSQL can, else with all that stands on them."""

    NAMESPACE: ClassVar[str] = "routine"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"argument": RESULT, "routine_body": BODY}
    KINDS: ClassVar[str]
    """`prokind` of its objects."""
    ATTRIBUTES: ClassVar[frozenset[str]] = frozenset({"security_definer", "settings"})
    """What ALTER changes without the body being given again."""
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"owner", "comment"})

    # Reading

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of functions and procedures."""
        return QUERIES

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the routines of this kind."""
        for row in reading.rows["routines"]:
            if row[1] in self.KINDS:
                read = RoutineRow(*row[1:])._replace(comment=reading.comment("pg_proc", row[0]))
                place = self.dialect.normal_schema(read.schema)
                ref = Ref(self.type, signature(read.name, read.input_types()), place)
                yield Entry(ref, ("pg_proc", row[0]), read)

    def common(self, row: RoutineRow) -> dict[str, Any]:
        """Return the attributes that functions and procedures share."""
        compiled = row.language == "c"
        body = row.source if row.sql_body is None else readable(row.sql_body)
        return {
            "name": row.name,
            "schema": self.dialect.normal_schema(row.schema),
            "arguments": tuple(_arguments(row)),
            "language": row.language,
            "body": None if compiled else body,
            "object_file": (row.binary or "") if compiled else "",
            "link_symbol": row.source if compiled and row.source != row.name else "",
            "security_definer": row.security_definer,
            "settings": run_time_parameters.read(row.settings or ()) or None,
            "transform_types": tuple(map(argument_type, row.transforms or ())),
            "owner": row.owner,
            "comment": row.comment,
        }

    # Configuration

    def parse(self, config: Mapping[str, Any], name: str) -> R:
        """Return the routine. Raises ValidationError with every fault."""
        model = super().parse(config, name)
        if model.standard_body and (why := sql_body_fault(model.standard_body)):
            raise ValidationError.of(
                [
                    Problem(
                        f"the body is no body of SQL: {why}",
                        code="invalid_body",
                        path="body",
                        hint="It is RETURN <expression>, or BEGIN ATOMIC <statements> END, and nothing else.",
                    )
                ]
            )
        return model

    def ref(self, model: R) -> Ref:
        """Return its name with the types of what goes in."""
        return Ref(
            self.type, signature(model.name, model.input_types), self.dialect.normal_schema(model.schema)
        )

    def former(self, model: R) -> Ref | None:
        """Return the ref under its former name, if configuration says there is one."""
        before = model.renamed_from
        return self.ref(model)._replace(name=signature(before, model.input_types)) if before else None

    def normal(self, model: R) -> R:
        """Return the normal form."""
        normal = super().normal(model)
        changes: dict[str, Any] = {}
        if model.settings is not None:
            changes["settings"] = run_time_parameters.normal(model.settings) or None
        if model.standard_body:
            changes["body"] = self.dialect.normal_statement(model.standard_body)
        if model.link_symbol == model.name:
            changes["link_symbol"] = ""
        return dataclasses.replace(normal, **changes) if changes else normal

    def follow(self, model: R, operation: Operation) -> R:
        """Return the routine with what a body that is part of its statement names as that is called then."""
        followed = super().follow(model, operation)
        change = text_change(operation) if followed.standard_body else None
        if change is None:
            return followed
        return dataclasses.replace(followed, body=change("query", followed.standard_body))

    # Changing

    def replaces(self, before: R, after: R) -> bool:
        """Whether CREATE OR REPLACE can make `after` of `before`; both in normal form, of one signature.

        Names of arguments stay once they are given, and defaults can be added and changed, not removed.
        """
        old = [each for each in before.arguments if each.mode != "out"]
        new = [each for each in after.arguments if each.mode != "out"]
        return all(
            (not mine.name or mine.name == other.name) and (mine.default is None or other.default is not None)
            for mine, other in zip(old, new, strict=True)
        )

    def changes_in_place(self, before: R, after: R, fields: tuple[str, ...]) -> bool:
        """Whether ALTER and CREATE OR REPLACE can make the change."""
        return self.IN_PLACE.union(self.ATTRIBUTES).issuperset(fields) or self.replaces(before, after)

    def address(self, model: R) -> str:
        """Return its qualified name with the types of what goes in."""
        return f"{super().address(model)}({', '.join(map(argument_type, model.input_types))})"

    def definition_sql(self, model: R, server: Server) -> Iterator[str | Statement]:
        """Yield CREATE FUNCTION or CREATE PROCEDURE."""
        yield self.routine_sql(model, "CREATE")

    def routine_sql(self, model: R, create: str) -> str:
        """Return the statement that creates the routine; `create` may be CREATE OR REPLACE."""
        arguments = ", ".join(map(_argument_sql, model.arguments))
        lines = [f"{create} {self.KEYWORD} {super().address(model)}({arguments})"]
        lines += self.result_sql(model)
        lines.append(f"LANGUAGE {quote(model.language.lower())}")
        if model.transform_types:
            types = (f"FOR TYPE {argument_type(each)}" for each in model.transform_types)
            lines.append(f"TRANSFORM {', '.join(types)}")
        lines += self.attributes_sql(model)
        lines += run_time_parameters.changes({}, model.settings or {})
        if model.standard_body:
            lines.append(embedded(model.standard_body))
        elif model.language.lower() == "c":
            symbol = f", {literal(model.link_symbol)}" if model.link_symbol else ""
            lines.append(f"AS {literal(model.object_file)}{symbol}")
        else:
            lines.append(f"AS {dollar(model.body or '')}")
        return "\n".join(lines)

    def result_sql(self, model: R) -> Iterable[str]:
        """Return the clauses that say what comes out."""
        return ()

    def attributes_sql(self, model: R) -> Iterable[str]:
        """Return the clauses of attributes that are not at their default."""
        return ["SECURITY DEFINER"] if model.security_definer else []

    def changed_attributes_sql(self, before: R, after: R, fields: Iterable[str]) -> Iterator[str]:
        """Yield the clauses of ALTER that change some of `ATTRIBUTES`; models in normal form."""
        for field in fields:
            if field == "security_definer":
                yield "SECURITY DEFINER" if after.security_definer else "SECURITY INVOKER"
            elif field == "settings":
                yield from run_time_parameters.changes(before.settings or {}, after.settings or {})

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation; changes are made together, by ALTER or by replacing."""
        if not isinstance(operation, AlterObject):
            yield from super().statements(operation, live, server)
            return
        old, new = self.normal(operation.before), self.normal(operation.after)
        within = frozenset(operation.fields) - self.IN_PLACE
        if within and within <= self.ATTRIBUTES:
            clauses = " ".join(self.changed_attributes_sql(old, new, sorted(within)))
            yield f"ALTER {self.KEYWORD} {self.address(operation.after)} {clauses}"
        elif within and not self.replaces(old, new):
            yield from super().statements(
                Drop(subject=operation.subject, model=operation.before), live, server
            )
            yield from super().statements(
                Create(subject=operation.subject, model=operation.after), live, server
            )
            return
        elif within:
            yield self.routine_sql(operation.after, "CREATE OR REPLACE")
        rest = tuple(field for field in operation.fields if field in self.IN_PLACE)
        yield from super().statements(dataclasses.replace(operation, fields=rest), live, server)

    # Order

    def uses(self, model: R) -> frozenset[Ref]:
        """Return schema, language and types, and what the texts mention that PostgreSQL reads at once."""
        language = Ref("extension", model.language.lower())
        return super().uses(model) | self._types(model) | self._mentioned(model) | {language}

    def guesses(self, model: R) -> frozenset[Ref]:
        """Return what was read out of defaults and of a body."""
        return self._mentioned(model) - self._types(model)

    def types(self, model: R) -> Iterator[str]:
        """Yield the types the routine is declared with."""
        yield from (each.type for each in model.arguments)
        yield from model.transform_types

    def _types(self, model: R) -> frozenset[Ref]:
        return frozenset().union(*(self.type_uses(each, model.schema) for each in self.types(model)))

    def _mentioned(self, model: R) -> frozenset[Ref]:
        """Return what defaults and body mention.

        Of a body that is a text only what it calls, in SQL: nothing is asked of it before it runs, but an
        index or a check over it makes it run when that is made.
        """
        found = [self.named_in(each.default) for each in model.arguments if each.default]
        body = model.body or ""
        if model.standard_body:
            found += [self.relations_in(body), self.named_in(body)]
        elif model.language.lower() == "sql":
            found.append(frozenset(ref for ref in self.named_in(body) if ref.type == self.NAMESPACE))
        return frozenset().union(*found) - {self.ref(model), *self.aliases(model)}

    def disturbs(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Yield what stands on a routine that is dropped and created anew.

        Raises ValidationError where that holds data.
        """
        found = list(super().disturbs(operation, live, replaced=replaced))
        holding = [ref for ref in found if ref in live and ref.type in _HOLDING_DATA]
        if holding:
            named = ", ".join(map(str, holding))
            raise ValidationError.of(
                [
                    Problem(
                        f"{operation.subject} cannot be dropped and created anew: {named} needs it",
                        code="unsupported_change",
                        resource=f"postgres_{operation.subject.type}.{operation.subject.name}",
                        hint="Leave arguments, their names and defaults, and the result as they are, or give "
                        "the changed one another name.",
                    )
                ]
            )
        return found


_HOLDING_DATA = frozenset({"table", "range_type", "domain", "composite_type", "sequence"})


def _arguments(row: RoutineRow) -> Iterator[Argument]:
    modes = row.modes or ["i"] * len(row.types)
    names = row.names or [""] * len(row.types)
    defaults = row.defaults or [None] * len(row.types)
    for type_name, mode, name, default in zip(row.types, modes, names, defaults, strict=True):
        if mode != "t":
            yield Argument(name=name, type=argument_type(type_name), mode=_MODES[mode], default=default)


_MODES = {"i": "in", "o": "out", "b": "inout", "v": "variadic"}


def _argument_sql(argument: Argument) -> str:
    mode = argument.mode.lower()
    words = [] if mode == "in" else [mode.upper()]
    if argument.name:
        words.append(quote(argument.name))
    words.append(argument_type(argument.type))
    if argument.default is not None:
        words.append(f"DEFAULT ({embedded(argument.default)})")
    return " ".join(words)
