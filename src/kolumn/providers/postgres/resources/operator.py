"""Operators (https://www.postgresql.org/docs/current/sql-createoperator.html).

Several operators share a name; the types of what they stand between tell them apart. What they may be replaced
with by the planner (commutator, negator) and its estimates change in place as far as PostgreSQL can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Operation
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.names import NAME, catalogued, object_name
from kolumn.providers.postgres.language.tokens import NAME_BYTES, quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.sql import reference
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import AlterObject

_LATE = ("commutator", "negator", "hashes", "merges")
"""What PostgreSQL 17 and later can add to an operator, but neither change nor take away."""

_SIGNS = re.compile(r"[-+*/<>=~!@#%^&|`?]+")
_MAY_END_WITH_SIGN = re.compile(r"[~!@#%^&|`?]")


def _check_sign(text: str) -> str | None:
    """Return why an operator cannot be called `text`, None if it can (see CREATE OPERATOR)."""
    if _SIGNS.fullmatch(text) is None:
        return "an operator is made of + - * / < > = ~ ! @ # % ^ & | ` ?"
    if "--" in text or "/*" in text:
        return "it has the beginning of a comment"
    if text[-1] in "+-" and len(text) > 1 and _MAY_END_WITH_SIGN.search(text) is None:
        return "it ends with + or - and has none of ~ ! @ # % ^ & | ` ?"
    if text == "=>" or len(text) > NAME_BYTES:
        return "no operator can be called that"
    return None


def _check_qualified_sign(text: str) -> str | None:
    schema, _, sign = text.rpartition(".")
    if schema and NAME.check(schema) is not None:
        return f"{schema} is no schema"
    return _check_sign(sign)


def _parts(text: str) -> tuple[str, str]:
    """Return schema and sign of a checked text; the schema is empty where it gives none."""
    schema, _, sign = text.rpartition(".")
    return (_SCHEMA.sub(r"\1", schema).replace('""', '"') if schema else ""), sign


_SCHEMA = re.compile(r'^"(.*)"$', re.DOTALL)


@dataclass(frozen=True)
class Operator:
    """An operator: another way to call a function of one or two arguments."""

    name: str = attribute("The operator, e.g. `===`", validators=[NOT_EMPTY], grammar="sign")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    left: str = attribute("Type of what stands left; none for a prefix operator", default="", grammar="type")
    right: str = attribute("Type of what stands right", validators=[NOT_EMPTY], grammar="type")
    function: str = attribute("Function behind it", validators=[NOT_EMPTY], grammar="name")
    commutator: str = attribute(
        "Operator that means the same with its sides exchanged; with its schema where that is another one",
        default="",
        grammar="qualified_sign",
    )
    negator: str = attribute("Operator that means the opposite", default="", grammar="qualified_sign")
    restrict: str = attribute("Function that estimates how many rows it leaves", default="", grammar="name")
    join: str = attribute("Function that estimates how many rows a join leaves", default="", grammar="name")
    hashes: bool = attribute("Whether it supports hash joins", default=False)
    merges: bool = attribute("Whether it supports merge joins", default=False)
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for what only makes sense between two values."""
        for field in ("commutator", "join", "hashes", "merges"):
            if getattr(self, field) and not self.left:
                yield Problem(f"a prefix operator has no {field}", code="conflicting_attributes", path=field)


class OperatorHandler(PostgresHandler[Operator]):
    """Operators."""

    type = "operator"
    description = "An operator: another way to call a function"
    MODEL = Operator
    KEYWORD: ClassVar[str] = "OPERATOR"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {
        "name": NAME,
        "sign": Grammar(_check_sign, str),
        "qualified_sign": Grammar(_check_qualified_sign, str),
    }
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"owner", "comment", "restrict", "join", *_LATE})

    def ref(self, model: Operator) -> Ref:
        """Return name and types, e.g. `===(integer, text)`, and the schema."""
        sides = [self.dialect.normal_type(side) if side else "none" for side in (model.left, model.right)]
        return Ref(self.type, f"{model.name}({', '.join(sides)})", self.dialect.normal_schema(model.schema))

    def aliases(self, model: Operator) -> frozenset[Ref]:
        """Return the name alone: texts do not say the types."""
        return frozenset({Ref(self.type, model.name, self.dialect.normal_schema(model.schema))})

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_operator; what is only announced by another operator has no function."""
        return {
            "operators": f"""
SELECT o.oid, n.nspname, o.oprname, CASE WHEN o.oprleft <> 0 THEN format_type(o.oprleft, NULL) ELSE '' END,
    format_type(o.oprright, NULL), fn.nspname, f.proname,
    coalesce(cn.nspname, ''), coalesce(c.oprname, ''), coalesce(gn.nspname, ''), coalesce(g.oprname, ''),
    coalesce(rn.nspname, ''), coalesce(r.proname, ''), coalesce(jn.nspname, ''), coalesce(j.proname, ''),
    o.oprcanhash, o.oprcanmerge, pg_get_userbyid(o.oprowner)
FROM pg_catalog.pg_operator o
JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
JOIN pg_catalog.pg_proc f ON f.oid = o.oprcode
JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
LEFT JOIN pg_catalog.pg_operator c ON c.oid = o.oprcom
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.oprnamespace
LEFT JOIN pg_catalog.pg_operator g ON g.oid = o.oprnegate
LEFT JOIN pg_catalog.pg_namespace gn ON gn.oid = g.oprnamespace
LEFT JOIN pg_catalog.pg_proc r ON r.oid = o.oprrest
LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.pronamespace
LEFT JOIN pg_catalog.pg_proc j ON j.oid = o.oprjoin
LEFT JOIN pg_catalog.pg_namespace jn ON jn.oid = j.pronamespace
WHERE {{user_schemas}} AND {not_a_member("pg_operator", "o.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the operators."""
        for oid, schema, *rest in reading.rows["operators"]:
            row = (self.dialect.normal_schema(schema), *rest, reading.comment("pg_operator", oid))
            entry = Entry(Ref(self.type, ""), ("pg_operator", oid), row)
            yield entry._replace(ref=self.ref(self.build(entry)))

    def build(self, entry: Entry) -> Operator:
        """Return the operator."""
        schema, name, left, right, *names, hashes, merges, owner, comment = entry.row
        pairs = [(names[at], names[at + 1]) for at in range(0, len(names), 2)]
        function, commutator, negator, restrict, join = pairs
        return Operator(
            name=name,
            schema=schema,
            left=self.dialect.normal_type(left) if left else "",
            right=self.dialect.normal_type(right),
            function=catalogued(*function),
            commutator=self._spelled(*commutator, schema),
            negator=self._spelled(*negator, schema),
            restrict=catalogued(*restrict),
            join=catalogued(*join),
            hashes=hashes,
            merges=merges,
            owner=owner,
            comment=comment,
        )

    def uses(self, model: Operator) -> frozenset[Ref]:
        """Return its function and the types of its sides."""
        found = super().uses(model) | self.type_uses(model.right, model.schema)
        if model.left:
            found |= self.type_uses(model.left, model.schema)
        for text in (model.function, model.restrict, model.join):
            if text:
                name = object_name(text)
                found |= {Ref("routine", name.name, name.schema)}
        return found

    def normal(self, model: Operator) -> Operator:
        """Return the normal form, in which other operators have their schema."""
        own = self.dialect.normal_schema(model.schema)
        full = {name: self._full(getattr(model, name), own) for name in ("commutator", "negator")}
        return replace(super().normal(model), commutator=full["commutator"], negator=full["negator"])

    def changes_in_place(self, before: Operator, after: Operator, fields: tuple[str, ...]) -> bool:
        """Whether ALTER OPERATOR can change all of `fields`, of the newest PostgreSQL."""
        known = any(getattr(before, field) for field in fields if field in _LATE)
        return super().changes_in_place(before, after, fields) and not known

    def consolidated(
        self, operations: list[Operation], live: Snapshot, server: Server, *, online: bool
    ) -> list[Operation]:
        """Return the operations with drops and creations for what an older PostgreSQL cannot alter."""
        if server.since(17):
            return operations
        found: list[Operation] = []
        for each in operations:
            if (
                isinstance(each, AlterObject)
                and each.subject.type == self.type
                and set(_LATE) & set(each.fields)
            ):
                found += [self.dropped(each.before), self.created(each.after)]
            else:
                found.append(each)
        return found

    def address(self, model: Operator) -> str:
        """Return the operator with the types of its sides."""
        left = embedded(model.left) if model.left else "NONE"
        return f"{_sign_sql(model.schema, model.name)} ({left}, {embedded(model.right)})"

    def definition_sql(self, model: Operator, server: Server) -> Iterator[str]:
        """Yield CREATE OPERATOR."""
        parts = [f"FUNCTION = {object_name(model.function).sql}"]
        if model.left:
            parts.append(f"LEFTARG = {embedded(model.left)}")
        parts.append(f"RIGHTARG = {embedded(model.right)}")
        for field in ("commutator", "negator", "restrict", "join", "hashes", "merges"):
            if getattr(model, field):
                parts.append(self._clause(field, model))
        yield f"CREATE OPERATOR {_sign_sql(model.schema, model.name)} ({', '.join(parts)})"

    def alteration(self, field: str, before: Operator, after: Operator, server: Server) -> Iterator[str]:
        """Yield ALTER OPERATOR ... SET."""
        yield f"ALTER OPERATOR {self.address(after)} SET ({self._clause(field, after)})"

    def _clause(self, field: str, model: Operator) -> str:
        value = getattr(model, field)
        word = field.upper()
        if field in ("hashes", "merges"):
            return word
        if field in ("restrict", "join"):
            return f"{word} = {object_name(value).sql if value else 'NONE'}"
        schema, sign = _parts(value)
        return f"{word} = OPERATOR({_sign_sql(schema or model.schema, sign)})"

    def _full(self, text: str, own: str) -> str:
        if not text:
            return ""
        schema, sign = _parts(text)
        return f"{self.dialect.normal_schema(schema) if schema else own}.{sign}"

    def _spelled(self, schema: str, sign: str, own: str) -> str:
        if not sign or self.dialect.normal_schema(schema) == own:
            return sign
        return f"{reference.quote(schema)}.{sign}"


def _sign_sql(schema: str, sign: str) -> str:
    return f"{quote(schema or 'public')}.{sign}"
