"""A type that columns have makes way for another one of its name.

What PostgreSQL cannot change in place about a type (values of an enum removed, the type behind a domain) takes a
new type. While columns have the old one it cannot be dropped first. So it is set aside under another name, the
new one is created, columns are converted, and the old one is dropped at last: all four are operations of their
own, and what stands on the type or on the columns (views, indexes, functions, defaults, checks) is taken away
before and put back after like for any other change.

Types made of the old one (a domain over an enum, a composite type with an attribute of it) make way with it.
Collations do as well: to a column they are much like a type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.operations import Alter, Create, Drop, Operation, Rename, Risk
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.language.names import object_name
from kolumn.providers.postgres.language.tokens import NAME_BYTES, clip, quote
from kolumn.providers.postgres.language.types import TypeName, parse_type
from kolumn.sql.differ import column_ref
from kolumn.sql.operations import AlterColumn, AlterTable, DropColumn

TYPES = ("enum", "domain", "composite_type", "range_type")
KINDS = (*TYPES, "collation")
"""Resource types that make way for others of their name."""

_MISFIT = "a value that the new type does not know"


@dataclass(frozen=True, kw_only=True)
class SetAside(Operation):
    """Give a type another name, so that its successor can have its own. What uses it does not follow."""

    before: Any
    after: Any
    former: Ref
    """What it is called afterwards."""

    def describe(self) -> str:
        """Return `set <type> aside`."""
        return f"set {self.subject} aside as {self.after.name}"

    def inverse(self) -> Operation:
        """Return the renaming back."""
        return replace(
            self,
            subject=self.former,
            former=self.subject,
            before=self.after,
            after=self.before,
            removes=self.provides,
            provides=self.removes,
        )

    def effect(self) -> Mapping[Ref, Any]:
        """Return the type under its other name."""
        return {self.subject: None, self.former: self.after}


@dataclass(frozen=True, kw_only=True)
class DropFormer(Operation):
    """Drop a type that was set aside."""

    model: Any
    former: Ref
    """What it is called then."""

    def describe(self) -> str:
        """Return `drop <type>`."""
        return f"drop the former {self.subject}"

    def inverse(self) -> Operation:
        """Return the creation of the type under its other name."""
        return Create(subject=self.former, model=self.model)

    def effect(self) -> Mapping[Ref, Any]:
        """Return that the type is gone."""
        return {self.former: None}


class Conversion(NamedTuple):
    """How one column gets its new type, and back: type with collation, and USING expression, as SQL."""

    column: str
    forth: tuple[str, str]
    back: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class ConvertColumns(Operation):
    """Give the columns of one table the successors of their types, under the same names."""

    table: Ref
    columns: tuple[Conversion, ...]
    stands: tuple[Ref, ...]
    """What has to be away meanwhile: objects, and parts of tables."""

    def describe(self) -> str:
        """Return `convert <columns> of <table>`."""
        return f"convert {', '.join(each.column for each in self.columns)} of {self.table}"

    def inverse(self) -> Operation:
        """Return the conversion back."""
        turned = tuple(each._replace(forth=each.back, back=each.forth) for each in self.columns)
        return replace(self, columns=turned)

    def effect(self) -> Mapping[Ref, Any]:
        """Return nothing: by name, the columns have the types they had."""
        return {}


class Succeeding(Protocol):
    """What handlers of `KINDS` know besides what all do."""

    def aside(self, model: Any, name: str) -> Any:
        """Return the model under another name, and so with whatever has a name together with it."""

    def converted(self, value: Value, before: Any, after: Any, family: Family) -> str:
        """Return the expression that makes of a value of type `before` one of type `after`."""

    def conversion_problems(self, before: Any, after: Any, *, array: bool) -> Iterator[str]:
        """Yield why columns cannot be converted at all."""

    def conversion_risks(self, before: Any, after: Any) -> Iterator[str]:
        """Yield which values make the conversion fail: `fails if a row has <value> in ...`."""


class Value(NamedTuple):
    """An expression to convert, and the type it is to have, as SQL."""

    text: str
    target: str
    array: bool


@dataclass(frozen=True)
class Member:
    """A type that makes way, its successor, and what it is called meanwhile."""

    subject: Ref
    before: Any
    after: Any
    aside: Any
    handler: Any
    successor: Any
    """The handler of what comes after: another one where, say, a domain becomes an enum."""

    @property
    def former(self) -> Ref:
        """What it is called while it is set aside."""
        found: Ref = self.handler.ref(self.aside)
        return found


@dataclass
class Family:
    """All types of one plan that make way together, by what they are called before."""

    members: dict[Ref, Member] = field(default_factory=dict)
    reverse: bool = False
    """Whether the way is back: from the successors to what was set aside."""

    def of(self, name: TypeName) -> Member | None:
        """Return the member a type's name means, the multirange type of a range type as well."""
        place = "" if name.schema == "public" else name.schema
        for member in self.members.values():
            names = {
                ref for ref in (member.subject, *member.handler.aliases(member.before)) if ref.type in TYPES
            }
            if any((ref.name, ref.schema) == (name.name, place) for ref in names):
                return member
        return None

    def type_sql(self, text: str) -> str:
        """Return a type that columns have before as SQL after, its names with their schemas."""
        parsed = parse_type(text)
        if isinstance(parsed, str) or parsed.built_in:
            return text
        member = self.of(parsed)
        name = parsed
        if member is not None:
            target = member.aside if self.reverse else member.after
            name = replace(parsed, name=_renamed(parsed.name, member.before, target), schema=target.schema)
        size = f"({','.join(name.modifiers)})" if name.modifiers else ""
        return f"{quote(name.schema or 'public')}.{quote(name.name)}{size}" + ("[]" if name.array else "")

    def converted(self, text: str, type_text: str) -> str:
        """Return the expression that makes of a value of a type what it is after; itself for other types."""
        parsed = parse_type(type_text)
        member = None if isinstance(parsed, str) or parsed.built_in else self.of(parsed)
        if member is None or isinstance(parsed, str):
            return text
        before, after = (member.after, member.before) if self.reverse else (member.before, member.after)
        value = Value(text, self.type_sql(type_text), parsed.array)
        if member.handler.type != member.successor.type or member.handler.type == "collation":
            return f"{text}::text::{value.target}"
        converted: str = member.handler.converted(value, before, after, self)
        return converted


def _renamed(name: str, before: Any, after: Any) -> str:
    """Return what `name`, of a type or of its multirange type, is called after."""
    if name == before.name:
        return str(after.name)
    return str(getattr(after, "multirange_name", after.name))


def consolidated(operations: list[Operation], live: Snapshot, handlers: Mapping[str, Any]) -> list[Operation]:
    """Return the operations with successions in the place of drops and creations of types columns have.

    Raises ValidationError for columns that cannot be converted.
    """
    planning = _Planning(operations, live, handlers)
    return planning.result() if planning.tables else operations


def unhurried(operations: list[Operation]) -> list[Operation]:
    """Return the operations with changes of tables that need not come before a type is set aside.

    A column that gets another type has the former one as long as it likes, and may need the new one at once.
    """
    aside = frozenset().union(*(each.removes for each in operations if isinstance(each, SetAside)))
    if not aside:
        return operations
    return [
        replace(each, releases=each.releases - aside) if isinstance(each, AlterTable) else each
        for each in operations
    ]


class _Planning:
    """Which types make way, and which columns with them."""

    def __init__(self, operations: list[Operation], live: Snapshot, handlers: Mapping[str, Any]) -> None:
        self._operations = operations
        self._live = live
        self._handlers = handlers
        self._family = Family()
        self._spared: set[int] = set()
        self._creations: list[Operation] = []
        self._dropped = {each.subject for each in operations if isinstance(each, Drop)}
        self._taken: set[str] = set()
        self.tables: dict[Ref, list[str]] = {}
        """The columns that have one of the types, by table."""
        self._find_replaced()
        if self._family.members:
            self._find_nested()
            self._find_columns()

    def result(self) -> list[Operation]:
        """Return the operations with those of the succession in the place of drops and creations."""
        problems: list[Problem] = []
        found: list[Operation] = []
        for table in sorted(self.tables):
            conversion = self._conversion(table, problems)
            if conversion is not None:
                found.append(conversion)
        members = self._family.members.values()
        found += [self._drop_former(member, tuple(found)) for member in members]
        found += [self._set_aside(member) for member in members]
        if problems:
            raise ValidationError.of(problems)
        kept = [each for each in self._operations if id(each) not in self._spared]
        return [*kept, *self._creations, *found]

    def _find_replaced(self) -> None:
        """Find what is dropped while something else gets its name."""
        renames = {each.target: each for each in self._operations if isinstance(each, Rename)}
        drops = {
            _name(each.subject): each
            for each in self._operations
            if isinstance(each, Drop) and each.subject.type in KINDS
        }
        for each in self._operations:
            if not isinstance(each, Create) or each.subject.type not in KINDS:
                continue
            drop = drops.get(_name(each.subject))
            if drop is None:
                continue
            rename = renames.get(drop.subject)
            subject = drop.subject if rename is None else rename.subject
            if subject in self._live:
                self._add(subject, each)
                self._spared.update(map(id, (drop, each, rename)))

    def _find_nested(self) -> None:
        """Find what is made of the types that make way, and of that, and so on."""
        queue = list(self._family.members)
        while queue:
            for dependent in self._live.dependents(queue.pop()):
                ref = dependent
                if dependent.type == "column":
                    ref = Ref("composite_type", dependent.parent, dependent.schema)
                known = ref in self._family.members or ref in self._dropped
                if known or ref.type not in TYPES or ref not in self._live:
                    continue
                after = self._live.get(ref)
                name = ref
                for each in self._operations:
                    if each.subject == name and isinstance(each, Alter | Rename):
                        after = each.after
                        name = each.target if isinstance(each, Rename) else name
                        self._spared.add(id(each))
                self._add(ref, self._handlers[ref.type].created(after))
                queue.append(ref)

    def _find_columns(self) -> None:
        for ref in self._family.members:
            for dependent in self._live.dependents(ref):
                table = Ref("table", dependent.parent, dependent.schema)
                if dependent.type != "column" or table not in self._live or table in self._dropped:
                    continue
                columns = self.tables.setdefault(table, [])
                if dependent.name not in columns:
                    columns.append(dependent.name)

    def _add(self, subject: Ref, creation: Create) -> None:
        before = self._live.get(subject)
        handler, successor = self._handlers[subject.type], self._handlers[creation.subject.type]
        aside = handler.aside(before, self._free_name(subject))
        self._family.members[subject] = Member(subject, before, creation.model, aside, handler, successor)
        self._creations.append(creation)

    def _free_name(self, subject: Ref) -> str:
        """Return a name nothing has for a type that is set aside."""
        number = 0
        while True:
            ending = f"_former{number or ''}"
            name = clip(subject.name, NAME_BYTES - len(ending)) + ending
            kinds = (*KINDS, "table", "view", "materialized_view")
            if name not in self._taken and not any(
                subject._replace(type=k, name=name) in self._live for k in kinds
            ):
                self._taken.add(name)
                return name
            number += 1

    def _made_of(self, member: Member) -> Iterator[Member]:
        """Yield the other members that are made of one."""
        for each in self._family.members.values():
            if each is not member and member.subject in each.handler.uses(each.before):
                yield each

    def _set_aside(self, member: Member) -> SetAside:
        return SetAside(
            subject=member.subject,
            before=member.before,
            after=member.aside,
            former=member.former,
            requires=frozenset(_marker("aside", each) for each in self._made_of(member)),
            removes=member.handler.aliases(member.before) | {member.subject},
            provides=frozenset({_marker("aside", member)}),
        )

    def _drop_former(self, member: Member, converted: Iterable[Operation]) -> DropFormer:
        """Return the drop of what was set aside: after all conversions, and after what is made of it."""
        requires = {ref for each in converted for ref in each.provides}
        requires |= {_marker("aside", member), *(_marker("dropped", each) for each in self._made_of(member))}
        return DropFormer(
            subject=member.subject,
            model=member.aside,
            former=member.former,
            requires=frozenset(requires),
            provides=frozenset({_marker("dropped", member)}),
            place=1,
        )

    def _conversion(self, table: Ref, problems: list[Problem]) -> ConvertColumns | None:
        model = self._live.get(table)
        leaving = self._leaving(table)
        names = [name for name in self.tables[table] if name not in leaving]
        columns = [each for each in model.columns if each.name in names and not each.inherited]
        if not columns:
            return None
        problems += self._problems(table, model, columns)
        back = replace(self._family, reverse=True)
        members = self._members(columns)
        refs = frozenset(column_ref(table, each.name) for each in columns)
        return ConvertColumns(
            subject=members[0].successor.ref(members[0].after),
            table=table,
            columns=tuple(
                Conversion(each.name, self._change(each, self._family), self._change(each, back))
                for each in columns
            ),
            stands=tuple(dict.fromkeys(self._standing(table, model, columns, members))),
            requires=frozenset(
                member.successor.ref(member.after) for member in self._family.members.values()
            ),
            removes=refs,
            provides=refs,
            releases=refs | {table},
            risks=tuple(self._risks(table, columns, members)),
        )

    def _leaving(self, table: Ref) -> set[str]:
        """Return the columns that are dropped or get another type anyway."""
        found = set()
        for each in self._operations:
            for part in getattr(each, "because", (each,)) if each.subject == table else ():
                if isinstance(part, DropColumn):
                    found.add(part.column.name)
                elif isinstance(part, AlterColumn) and "type" in part.fields:
                    found.add(part.old.name)
        return found

    def _members(self, columns: Iterable[Any]) -> list[Member]:
        """Return the members that columns have as type or collation."""
        found: dict[Ref, Member] = {}
        for column in columns:
            parsed = parse_type(column.type)
            member = None if isinstance(parsed, str) or parsed.built_in else self._family.of(parsed)
            if member is None and column.collation:
                member = self._collation(column.collation)
            if member is not None:
                found[member.subject] = member
        return list(found.values())

    def _collation(self, text: str) -> Member | None:
        name = object_name(text)
        return self._family.members.get(Ref("collation", name.name, name.schema))

    def _change(self, column: Any, family: Family) -> tuple[str, str]:
        """Return type with collation, and USING expression, of a column after."""
        words = family.type_sql(column.type)
        if column.collation:
            collation = object_name(column.collation).sql
            member = self._collation(column.collation)
            if member is not None:
                target = member.aside if family.reverse else member.after
                collation = f"{quote(target.schema or 'public')}.{quote(target.name)}"
            words += f" COLLATE {collation}"
        value = quote(column.name)
        using = family.converted(value, column.type)
        return words, "" if using == value else using

    def _standing(
        self, table: Ref, model: Any, columns: Iterable[Any], members: Iterable[Member]
    ) -> Iterator[Ref]:
        """Yield what has to be away while columns are converted.

        Indexes, statistics and checks over the columns alone PostgreSQL makes anew by itself.
        """
        names = [each.name for each in columns]
        children = [ref for ref in self.tables if ref != table]
        for name in names:
            for place in (table, *children):
                column = self._live.get(place).column(name)
                inherited = place != table and column is not None and column.inherited
                if column is not None and column.default is not None and (place == table or inherited):
                    yield Ref("default", name, place.schema, place.name)
            for each in self._live.dependents(column_ref(table, name)):
                if each.type not in ("index", "statistics", "constraint", "column", "sequence"):
                    yield each
        for member in self._family.members.values():
            for each in self._live.dependents(member.subject):
                if each.type in ("default", "constraint") and (each.schema, each.parent) == (
                    table.schema,
                    table.name,
                ):
                    yield each
        for key in model.foreign_keys:
            if not set(names).isdisjoint(key.columns):
                yield Ref("constraint", key.name, table.schema, table.name)
        for column in model.columns:
            if column.generated and any(name in column.generated for name in names):
                yield Ref("default", column.name, table.schema, table.name)

    def _problems(self, table: Ref, model: Any, columns: Iterable[Any]) -> Iterator[Problem]:
        key = {part.column for part in model.partition_by.columns} if model.partition_by else set()
        for column in columns:
            parsed = parse_type(column.type)
            for member in self._members([column]):
                said = f"column {column.name} of {table} has the type {member.subject}, which cannot change in place"
                if column.name in key:
                    yield Problem(
                        f"{said}, and decides which partition a row belongs to",
                        code="partition_key",
                        resource=str(member.subject),
                        hint="Make a new table and copy the rows, or keep the type as it is.",
                    )
                array = not isinstance(parsed, str) and parsed.array
                if member.handler is member.successor:
                    for why in member.handler.conversion_problems(member.before, member.after, array=array):
                        yield Problem(f"{said}: {why}", code="no_conversion", resource=str(member.subject))

    def _risks(self, table: Ref, columns: Iterable[Any], members: Iterable[Member]) -> Iterator[Risk]:
        named = ", ".join(each.name for each in columns)
        for member in members:
            kin = member.handler is member.successor
            whys = member.handler.conversion_risks(member.before, member.after) if kin else (_MISFIT,)
            for why in whys:
                yield conversion_risk(table, why, named)
        yield Risk("table_rewrite", f"copies every row of {table}")
        yield Risk("long_lock", f"nobody reads or writes {table} while it is copied")


def conversion_risk(table: Ref, why: str, columns: str) -> Risk:
    """Return that rows of a table are in the way of a conversion of its columns."""
    return Risk("may_fail", f"fails if a row of {table} has {why} in {columns}")


def _marker(what: str, member: Member) -> Ref:
    """Return a ref that only orders operations."""
    return Ref(what, member.aside.name, member.aside.schema, member.subject.type)


def _name(ref: Ref) -> tuple[bool, str, str]:
    """Return what no two types, and no two collations, share."""
    return ref.type == "collation", ref.schema, ref.name


def as_replacement(operations: list[Operation], subject: Ref, handler: Any) -> list[Operation]:
    """Return the operations with a drop and a creation of `subject` in the place of its changes."""
    changes = [each for each in operations if each.subject == subject and isinstance(each, Alter)]
    first, last = changes[0], changes[-1]
    spared = set(map(id, changes))
    kept = [each for each in operations if id(each) not in spared]
    return [*kept, handler.dropped(first.before), handler.created(last.after)]


def columns_of(subject: Ref, live: Snapshot) -> Iterator[tuple[Ref, Any]]:
    """Yield the columns of tables that have a type or an array of it, each after its table."""
    for each in live.dependents(subject):
        table = Ref("table", each.parent, each.schema)
        model = live.get(table) if each.type == "column" else None
        column = None if model is None else model.column(each.name)
        if column is not None:
            yield table, column
