"""Range types (https://www.postgresql.org/docs/current/rangetypes.html).

Nothing but names, owner and comment changes in place: anything else takes a new type in the place of the old
one (see `succession`). The multirange type comes and goes with the range type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.names import NAME, catalogued, object_name
from kolumn.providers.postgres.language.tokens import NAME_BYTES, clip, qualified, quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.resources.user_type import UserTypeHandler
from kolumn.providers.postgres.succession import SetAside
from kolumn.sql.normal import Grammar


@dataclass(frozen=True)
class RangeType:
    """A range type: ranges of values of its subtype."""

    name: str = attribute("Name of the type", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    subtype: str = attribute("Type of the bounds", validators=[NOT_EMPTY], grammar="type")
    opclass: str = attribute(
        "B-tree operator class that orders the bounds, where it is not the default one",
        default="",
        grammar="name",
    )
    collation: str = attribute(
        "Collation that orders the bounds, where it is not the subtype's", default="", grammar="name"
    )
    canonical: str = attribute("Function that brings a range into canonical form", default="", grammar="name")
    subtype_diff: str = attribute(
        "Function that returns how far two bounds are apart", default="", grammar="name"
    )
    multirange: str = attribute(
        "Name of the multirange type, where it is not the usual one", default="", grammar="identifier"
    )
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    @property
    def multirange_name(self) -> str:
        """The name of the multirange type."""
        return self.multirange or usual_multirange(self.name)


def usual_multirange(name: str) -> str:
    """Return the name PostgreSQL gives the multirange type of a range type (makeMultirangeTypeName)."""
    if "range" in name:
        return clip(name.replace("range", "multirange", 1))
    return clip(name, NAME_BYTES - len("_multirange")) + "_multirange"


class RangeTypeHandler(UserTypeHandler[RangeType]):
    """Range types."""

    type = "range_type"
    description = "A range type, and its multirange type"
    MODEL = RangeType
    KEYWORD: ClassVar[str] = "TYPE"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"name": NAME}
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"owner", "comment", "multirange"})

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_range."""
        return {
            "range_types": f"""
SELECT t.oid, r.rngmultitypid,
    array(
        SELECT d.objid FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_type'::regclass
            AND d.refobjid IN (t.oid, r.rngmultitypid) AND d.deptype = 'i'
    ),
    n.nspname, t.typname, pg_get_userbyid(t.typowner), format_type(r.rngsubtype, NULL),
    coalesce(opn.nspname, ''), coalesce(op.opcname, ''), coalesce(con.nspname, ''), coalesce(co.collname, ''),
    coalesce(can.nspname, ''), coalesce(ca.proname, ''), coalesce(din.nspname, ''), coalesce(di.proname, ''),
    m.typname
FROM pg_catalog.pg_range r
JOIN pg_catalog.pg_type t ON t.oid = r.rngtypid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_type s ON s.oid = r.rngsubtype
JOIN pg_catalog.pg_type m ON m.oid = r.rngmultitypid
LEFT JOIN pg_catalog.pg_opclass op ON op.oid = r.rngsubopc AND NOT op.opcdefault
LEFT JOIN pg_catalog.pg_namespace opn ON opn.oid = op.opcnamespace
LEFT JOIN pg_catalog.pg_collation co ON co.oid = r.rngcollation AND r.rngcollation <> s.typcollation
LEFT JOIN pg_catalog.pg_namespace con ON con.oid = co.collnamespace
LEFT JOIN pg_catalog.pg_proc ca ON ca.oid = r.rngcanonical
LEFT JOIN pg_catalog.pg_namespace can ON can.oid = ca.pronamespace
LEFT JOIN pg_catalog.pg_proc di ON di.oid = r.rngsubdiff
LEFT JOIN pg_catalog.pg_namespace din ON din.oid = di.pronamespace
WHERE {{user_schemas}} AND {not_a_member("pg_type", "t.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the range types; what depends on the multirange type or a constructor depends on them."""
        for oid, multirange, constructors, schema, name, owner, *rest in reading.rows["range_types"]:
            place = self.dialect.normal_schema(schema)
            ref = Ref(self.type, name, place)
            reading.refs["pg_type", multirange] = ref
            for constructor in constructors:
                reading.refs["pg_proc", constructor] = ref
            row = (name, place, *rest, owner, reading.comment("pg_type", oid))
            yield Entry(ref, ("pg_type", oid), row)

    def build(self, entry: Entry) -> RangeType:
        """Return the range type."""
        name, schema, subtype, *names, multirange, owner, comment = entry.row
        spelled = [catalogued(*names[at : at + 2]) for at in range(0, len(names), 2)]
        opclass, collation, canonical, difference = spelled
        return RangeType(
            name=name,
            schema=schema,
            subtype=self.dialect.normal_type(subtype),
            opclass=opclass,
            collation=collation,
            canonical=canonical,
            subtype_diff=difference,
            multirange=multirange,
            owner=owner,
            comment=comment,
        )

    def config(self, model: RangeType) -> dict[str, Any]:
        """Return the configuration, without a multirange type's name that is the usual one."""
        usual = model.multirange == usual_multirange(model.name)
        return super().config(replace(model, multirange="") if usual else model)

    def normal(self, model: RangeType) -> RangeType:
        """Return the normal form, in which the multirange type always has a name."""
        return replace(super().normal(model), multirange=model.multirange_name)

    def aliases(self, model: RangeType) -> frozenset[Ref]:
        """Return the ref of the multirange type as well: columns may have that type."""
        return super().aliases(model) | {self.ref(model)._replace(name=model.multirange_name)}

    def uses(self, model: RangeType) -> frozenset[Ref]:
        """Return the subtype, the collation and the functions."""
        found = super().uses(model) | self.type_uses(model.subtype, model.schema)
        for kind, text in (
            ("collation", model.collation),
            ("routine", model.canonical),
            ("routine", model.subtype_diff),
        ):
            if text:
                name = object_name(text)
                found |= {Ref(kind, name.name, name.schema)}
        return found - {self.ref(model)}

    def aside(self, model: RangeType, name: str) -> RangeType:
        """Return the model under another name, and its multirange type with it."""
        return replace(model, name=name, multirange=usual_multirange(name))

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation; constructors follow a renamed type."""
        yield from super().statements(operation, live, server)
        match operation:
            case Rename(before=before, after=after):
                yield from self._constructors_renamed(before, after)
            case SetAside(before=before, after=after):
                yield from self.alteration("multirange", before, after, server)
                yield from self._constructors_renamed(before, after)

    def _constructors_renamed(self, before: RangeType, after: RangeType) -> Iterator[str]:
        old, new = qualified(after.schema, before.name), quote(after.name)
        subtype = embedded(after.subtype)
        for arguments in (f"{subtype}, {subtype}", f"{subtype}, {subtype}, text"):
            yield f"ALTER FUNCTION {old}({arguments}) RENAME TO {new}"

    def definition_sql(self, model: RangeType, server: Server) -> Iterator[str]:
        """Yield CREATE TYPE ... AS RANGE."""
        parts = [f"SUBTYPE = {embedded(model.subtype)}"]
        for word, text in (
            ("SUBTYPE_OPCLASS", model.opclass),
            ("COLLATION", model.collation),
            ("CANONICAL", model.canonical),
            ("SUBTYPE_DIFF", model.subtype_diff),
        ):
            if text:
                parts.append(f"{word} = {object_name(text).sql}")
        if model.multirange_name != usual_multirange(model.name):
            parts.append(f"MULTIRANGE_TYPE_NAME = {qualified(model.schema, model.multirange)}")
        yield f"CREATE TYPE {self.address(model)} AS RANGE ({', '.join(parts)})"

    def alteration(self, field: str, before: RangeType, after: RangeType, server: Server) -> Iterator[str]:
        """Yield the rename of the multirange type and its constructors."""
        old, new = qualified(after.schema, before.multirange_name), quote(after.multirange_name)
        yield f"ALTER TYPE {old} RENAME TO {new}"
        for arguments in ("", self.address(after), f"VARIADIC {self.address(after)}[]"):
            yield f"ALTER FUNCTION {old}({arguments}) RENAME TO {new}"
