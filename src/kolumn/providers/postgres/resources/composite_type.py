"""Composite types (https://www.postgresql.org/docs/current/sql-altertype.html).

Attributes are added at the end, dropped, renamed and given other types in place. Another order of them, or
another type of an attribute while columns have the composite type, takes a new type in the place of the old
one (see `succession`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Operation, Risk, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rewriting import with_kept
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.names import NAME, catalogued, object_name
from kolumn.providers.postgres.language.tokens import literal, quote
from kolumn.providers.postgres.language.types import normal_type
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.resources.user_type import UserTypeHandler, is_inside
from kolumn.providers.postgres.succession import TYPES, Family, Value, as_replacement, columns_of
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import AlterObject


@dataclass(frozen=True)
class CompositeAttribute:
    """An attribute of a composite type."""

    SHORTHAND: ClassVar[str] = "type"

    name: str = attribute("Name of the attribute", validators=[NOT_EMPTY], grammar="column")
    type: str = attribute("Its type", validators=[NOT_EMPTY], grammar="type")
    collation: str = attribute("Collation that differs from the type's", default="", grammar="name")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")


@dataclass(frozen=True)
class CompositeType:
    """A row type of its own."""

    name: str = attribute("Name of the type", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    attributes: tuple[CompositeAttribute, ...] = attribute("Its attributes, in order", default=())
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for every attribute given twice."""
        seen: set[str] = set()
        for each in self.attributes:
            if each.name in seen:
                yield Problem(
                    f"attribute {each.name} is given twice",
                    code="duplicate",
                    path=f"attributes.{each.name}",
                )
            seen.add(each.name)

    def attribute(self, name: str) -> CompositeAttribute | None:
        """Return the attribute of that name, None without one."""
        return next((each for each in self.attributes if each.name == name), None)


@dataclass(frozen=True, kw_only=True)
class RenameAttribute(AlterObject):
    """Give an attribute another name."""

    old: str
    new: str

    def describe(self) -> str:
        """Return `rename attribute <old> of <type> to <new>`."""
        return f"rename attribute {self.old} of {self.subject} to {self.new}"

    def inverse(self) -> Operation:
        """Return the rename back."""
        return replace(self, before=self.after, after=self.before, old=self.new, new=self.old)


class CompositeTypeHandler(UserTypeHandler[CompositeType]):
    """Composite types."""

    type = "composite_type"
    description = "A composite type: a list of attributes and their types"
    MODEL = CompositeType
    KEYWORD: ClassVar[str] = "TYPE"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"name": NAME}

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of the composite types that are no table's."""
        return {
            "composite_types": f"""
SELECT t.oid, c.oid, n.nspname, t.typname, pg_get_userbyid(t.typowner),
    array(
        SELECT ARRAY[
            a.attnum::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
            coalesce(cn.nspname::text, ''), coalesce(co.collname::text, '')
        ]
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type b ON b.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation AND a.attcollation <> b.typcollation
        LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
    )
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'c' AND {{user_schemas}} AND {not_a_member("pg_type", "t.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the composite types; `pg_depend` knows each as a type and as a relation."""
        for oid, relation, schema, name, owner, attributes in reading.rows["composite_types"]:
            place = self.dialect.normal_schema(schema)
            parts = tuple(
                (*rest, reading.comment("pg_class", relation, int(number))) for number, *rest in attributes
            )
            ref = Ref(self.type, name, place)
            reading.refs["pg_class", relation] = ref
            yield Entry(ref, ("pg_type", oid), (name, place, parts, owner, reading.comment("pg_type", oid)))

    def build(self, entry: Entry) -> CompositeType:
        """Return the composite type."""
        name, schema, attributes, owner, comment = entry.row
        return CompositeType(
            name=name,
            schema=schema,
            attributes=tuple(
                CompositeAttribute(
                    name=each,
                    type=self.dialect.normal_type(type_name),
                    collation=catalogued(of_collation, collation),
                    comment=said,
                )
                for each, type_name, of_collation, collation, said in attributes
            ),
            owner=owner,
            comment=comment,
        )

    def uses(self, model: CompositeType) -> frozenset[Ref]:
        """Return the types and collations of its attributes."""
        found = super().uses(model)
        for each in model.attributes:
            found |= self.type_uses(each.type, model.schema)
            if each.collation:
                name = object_name(each.collation)
                found |= {Ref("collation", name.name, name.schema)}
        return found - {self.ref(model)}

    def replace(self, live: CompositeType, wanted: CompositeType) -> list[Operation]:
        """Return renames and changes of attributes where these do, else a drop and a creation."""
        wanted = with_kept(wanted, live)
        subject, now = self.ref(wanted), live
        operations: list[Operation] = []
        for old, new in renamed_attributes(live, wanted):
            after = replace(now, attributes=tuple(_renamed(each, old, new) for each in now.attributes))
            operations.append(
                RenameAttribute(
                    subject=subject, before=now, after=after, fields=("attributes",), old=old, new=new
                )
            )
            now = after
        if not _keeps_order(now, wanted):
            return [self.dropped(live), self.created(wanted)]
        for each in super().replace(now, wanted) if now != wanted else ():
            risks = tuple(self._risks(now, wanted))
            operations.append(replace(each, risks=risks) if isinstance(each, AlterObject) else each)
        return operations

    def changes_in_place(self, before: CompositeType, after: CompositeType, fields: tuple[str, ...]) -> bool:
        """Whether ALTER TYPE can change all of `fields`; `replace` has seen to the order of attributes."""
        return True

    def _risks(self, before: CompositeType, after: CompositeType) -> Iterator[Risk]:
        for each in before.attributes:
            if after.attribute(each.name) is None:
                yield Risk(
                    "data_loss",
                    f"drops attribute {each.name} of type {before.name} with its values in all rows",
                )

    def consolidated(
        self, operations: list[Operation], live: Snapshot, server: Server, *, online: bool
    ) -> list[Operation]:
        """Return the operations with new types where attributes change in rows that are there."""
        for each in operations:
            if not isinstance(each, AlterObject) or each.subject.type != self.type:
                continue
            if (
                "attributes" in each.fields
                and self._retyped(each.before, each.after)
                and _is_used(each.subject, live)
            ):
                operations = as_replacement(operations, each.subject, self)
        return operations

    def _retyped(self, before: CompositeType, after: CompositeType) -> bool:
        """Whether an attribute gets another type or collation."""
        pairs = ((before.attribute(each.name), each) for each in after.attributes)
        form = self.normalizer.model
        return any(old is not None and _typed(form(old)) != _typed(form(new)) for old, new in pairs)

    def converted(self, value: Value, before: CompositeType, after: CompositeType, family: Family) -> str:
        """Return a row of what the attributes become; over the text of arrays, whose rows have no names."""
        if value.array:
            return super().converted(value, before, after, family)
        former = {new: old for old, new in renamed_attributes(before, after)}
        former |= dict(renamed_attributes(after, before))
        parts = []
        for each in after.attributes:
            old = before.attribute(former.get(each.name, each.name))
            parts.append("NULL" if old is None else _converted(value.text, old, each, family))
        row = f"ROW({', '.join(parts)})::{value.target}"
        return f"CASE WHEN {value.text} IS DISTINCT FROM NULL THEN {row} END"

    def conversion_problems(
        self, before: CompositeType, after: CompositeType, *, array: bool
    ) -> Iterator[str]:
        """Yield a fault for arrays of rows with other attributes, or in another order."""
        names = ([each.name for each in model.attributes] for model in (before, after))
        if array and len(set(map(tuple, names))) > 1:
            yield "arrays of it can only be converted where it has the same attributes in the same order"

    def definition_sql(self, model: CompositeType, server: Server) -> Iterator[str]:
        """Yield CREATE TYPE ... AS."""
        parts = ", ".join(map(_attribute_sql, model.attributes))
        yield f"CREATE TYPE {self.address(model)} AS ({parts})"
        for each in model.attributes:
            if each.comment:
                yield self._attribute_comment_sql(model, each)

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation; tables made of the type follow it."""
        match operation:
            case RenameAttribute(after=after, old=old, new=new):
                end = _cascade(operation.subject, live)
                yield f"ALTER TYPE {self.address(after)} RENAME ATTRIBUTE {quote(old)} TO {quote(new)}{end}"
            case AlterObject(subject=subject, before=before, after=after, fields=fields):
                if "attributes" in fields:
                    yield from self._changes(before, after, _cascade(subject, live))
                others = tuple(field for field in fields if field != "attributes")
                yield from super().statements(replace(operation, fields=others), live, server)
            case _:
                yield from super().statements(operation, live, server)

    def _changes(self, before: CompositeType, after: CompositeType, end: str) -> Iterator[str]:
        actions = []
        for each in before.attributes:
            if after.attribute(each.name) is None:
                actions.append(f"DROP ATTRIBUTE {quote(each.name)}{end}")
        for each in after.attributes:
            old = before.attribute(each.name)
            if old is None:
                actions.append(f"ADD ATTRIBUTE {_attribute_sql(each)}{end}")
            elif _typed(self.normalizer.model(old)) != _typed(self.normalizer.model(each)):
                actions.append(f"ALTER ATTRIBUTE {quote(each.name)} TYPE {_type_sql(each)}{end}")
        if actions:
            yield f"ALTER TYPE {self.address(after)} {', '.join(actions)}"
        for each in after.attributes:
            old = before.attribute(each.name)
            if each.comment != (old.comment if old is not None else ""):
                yield self._attribute_comment_sql(after, each)

    def _attribute_comment_sql(self, model: CompositeType, part: CompositeAttribute) -> str:
        said = literal(part.comment) if part.comment else "NULL"
        return f"COMMENT ON COLUMN {self.address(model)}.{quote(part.name)} IS {said}"


def renamed_attributes(live: CompositeType, wanted: CompositeType) -> Iterator[tuple[str, str]]:
    """Yield former and new name of each attribute to rename, in an order that works."""
    held = {each.name for each in live.attributes}
    pending = [each for each in wanted.attributes if each.renamed_from]
    while True:
        found = next((each for each in pending if each.renamed_from in held and each.name not in held), None)
        if found is None:
            return
        pending.remove(found)
        held = held - {found.renamed_from} | {found.name}
        yield found.renamed_from, found.name


def _converted(row: str, before: CompositeAttribute, after: CompositeAttribute, family: Family) -> str:
    """Return the expression that makes an attribute of a row what it is after."""
    value = f"({row}).{quote(before.name)}"
    made = family.converted(value, before.type)
    if made != value or normal_type(before.type) == normal_type(after.type):
        return made
    return f"{value}::{family.type_sql(after.type)}"


def _renamed(part: CompositeAttribute, old: str, new: str) -> CompositeAttribute:
    return replace(part, name=new) if part.name == old else part


def _keeps_order(before: CompositeType, after: CompositeType) -> bool:
    """Whether dropping attributes and adding others at the end leads from one to the other."""
    names = [each.name for each in after.attributes]
    kept = [each.name for each in before.attributes if each.name in names]
    return names[: len(kept)] == kept


def _typed(part: Any) -> tuple[str, str]:
    return part.type, part.collation


def _type_sql(part: CompositeAttribute) -> str:
    collation = f" COLLATE {object_name(part.collation).sql}" if part.collation else ""
    return f"{embedded(part.type)}{collation}"


def _attribute_sql(part: CompositeAttribute) -> str:
    return f"{quote(part.name)} {_type_sql(part)}"


def _is_used(subject: Ref, live: Snapshot) -> bool:
    """Whether columns have the type, or another type is made of it."""
    made_of_it = any(each.type in TYPES for each in live.dependents(subject))
    return made_of_it or is_inside(subject, live) or any(True for _ in columns_of(subject, live))


def _cascade(subject: Ref, live: Snapshot) -> str:
    """Return what makes tables that are made of the type (CREATE TABLE ... OF) follow it."""
    return " CASCADE" if any(ref.type == "table" for ref in live.dependents(subject)) else ""
