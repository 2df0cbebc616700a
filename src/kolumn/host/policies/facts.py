"""What rules look at: the changes of a plan, read for what they mean, and the configuration behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from kolumn.config.project import ResourceConfig
from kolumn.contract import messages as m
from kolumn.contract.schema import AttributeSchema, ObjectType, singular
from kolumn.host.addresses import bare_type
from kolumn.host.attributes import steps as path_steps
from kolumn.host.plan_document import blocks
from kolumn.host.results import Change, Difference
from kolumn.host.sealing import hidden

Schemas = Callable[[str], Mapping[str, ObjectType]]
"""Returns what a provider's resource types take, by name without prefix."""
_COLUMNS = "columns."


class AttributeChange(NamedTuple):
    """One attribute of a column that changes."""

    column: str
    before: Any
    after: Any


class Key(NamedTuple):
    """A foreign key: the columns that refer, and what they refer to."""

    columns: tuple[str, ...]
    references: str


def kind(change: Change) -> str:
    """Return the type of a change's resource without its provider: `table`."""
    return bare_type(change.provider, change.type)


def is_new(change: Change) -> bool:
    """Whether the object was not there before."""
    return change.action == "create"


def is_set_aside(change: Change) -> bool:
    """Whether what the change removes waits in quarantine."""
    return any(step.quarantine_location for step in change.steps)


def difference(change: Change, path: str) -> Difference | None:
    """Return what changes of one attribute, None where nothing does."""
    return next((each for each in change.differences if each.path == path), None)


def becomes_true(change: Change, path: str) -> bool:
    """Whether an attribute is true after the change and was not before."""
    found = difference(change, path)
    return found is not None and found.after is True and found.before is not True


def made_columns(change: Change) -> list[Mapping[str, Any]]:
    """Return the columns of a table that is created."""
    found = difference(change, "columns")
    if found is None or not isinstance(found.after, list) or found.before:
        return []
    return [each for each in found.after if isinstance(each, Mapping) and "name" in each]


def added_columns(change: Change) -> list[Mapping[str, Any]]:
    """Return the columns that a table which is there gets."""
    return [each.after for each in _whole_columns(change) if each.before is None]


def new_columns(change: Change) -> list[Mapping[str, Any]]:
    """Return the columns that are there after the change and were not before."""
    return [*made_columns(change), *added_columns(change)]


def dropped_columns(change: Change) -> list[Mapping[str, Any]]:
    """Return the columns that a table loses."""
    return [each.before for each in _whole_columns(change) if each.after is None]


def _whole_columns(change: Change) -> Iterator[Difference]:
    for each in change.differences:
        value = each.before if each.after is None else each.after
        if (
            each.path.startswith(_COLUMNS)
            and (each.before is None or each.after is None)
            and isinstance(value, Mapping)
            and each.path == f"{_COLUMNS}{value.get('name')}"
        ):
            yield each


def column_changes(change: Change, attribute: str) -> list[AttributeChange]:
    """Return the columns whose `attribute` changes, with both values."""
    ending = f".{attribute}"
    return [
        AttributeChange(each.path[len(_COLUMNS) : -len(ending)], each.before, each.after)
        for each in change.differences
        if each.path.startswith(_COLUMNS) and each.path.endswith(ending) and len(each.path) > len(ending) + 8
    ]


def typed_columns(change: Change) -> Iterator[tuple[str, str]]:
    """Yield name and type of the columns that are new or get another type."""
    for column in new_columns(change):
        if isinstance(column.get("type"), str):
            yield str(column["name"]), column["type"]
    for each in column_changes(change, "type"):
        if isinstance(each.after, str):
            yield each.column, each.after


def added_keys(change: Change) -> Iterator[Key]:
    """Yield the foreign keys that a change adds, whichever way they are written."""
    for column in new_columns(change):
        if isinstance(column.get("references"), str):
            yield Key((str(column["name"]),), column["references"])
    for each in column_changes(change, "references"):
        if isinstance(each.after, str):
            yield Key((each.column,), each.after)
    for found in change.differences:
        if found.path == "foreign_keys" or found.path.startswith("foreign_keys."):
            before = found.before if isinstance(found.before, list) else []
            keys = found.after if isinstance(found.after, list) else [found.after]
            for key in keys:
                if isinstance(key, Mapping) and key not in before and isinstance(key.get("columns"), list):
                    yield Key(tuple(map(str, key["columns"])), str(key.get("references", "")))
    if kind(change) == "foreign_key" and is_new(change):
        columns, target = difference(change, "columns"), difference(change, "references")
        if columns is not None and isinstance(columns.after, list):
            yield Key(tuple(map(str, columns.after)), str(target.after) if target else "")


def parts(step: m.PlanStep) -> list[str]:
    """Return the single changes that a step makes at once, in the words of its description."""
    _, colon, listed = step.description.partition(": ")
    return [step.description, *(listed.split("; ") if colon else ())]


def does(step: m.PlanStep, *beginnings: str) -> bool:
    """Whether a step does something whose description begins with one of `beginnings`."""
    return any(part.startswith(beginnings) for part in parts(step))


def disturbing(change: Change) -> list[m.PlanStep]:
    """Return the steps that keep others from writing or even reading."""
    return [step for step in change.steps if blocks(step)]


def rows_text(rows: int | None) -> str:
    """Return a number of rows for people."""
    if rows is None:
        return "an unknown number of rows"
    return "about one row" if rows == 1 else f"about {rows:,} rows"


class Resource:
    """One resource of the configuration with every attribute of its type: what is not written is null or empty."""

    def __init__(self, written: ResourceConfig, schema: ObjectType | None) -> None:
        self.written = written
        self._schema = schema

    @property
    def kind(self) -> str:
        """Its type without its provider."""
        return bare_type(self.written.provider, self.written.type)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its attributes, lists of objects as lists; sensitive values as `(sensitive)`."""
        config: Any = self.written.config
        for path in self.written.sensitive:
            config = hidden(config, [singular(step) for step in path_steps(path)])
        return _complete(config, self._schema) if self._schema is not None else dict(config)

    @property
    def name(self) -> str:
        """What it is called in the database."""
        return str(self.config.get("name") or self.written.name)

    @property
    def columns(self) -> list[dict[str, Any]]:
        """Its columns, for a type that has some of its own: those of an index or a grant are a table's."""
        attribute = self._schema.attributes.get("columns") if self._schema is not None else None
        if attribute is None or attribute.elements is None or "type" not in attribute.elements.attributes:
            return []
        found = self.config.get("columns")
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    @property
    def primary_key(self) -> list[str]:
        """The columns of its primary key."""
        inline = [str(each.get("name")) for each in self.columns if each.get("primary_key") in (True, "true")]
        return inline or key_columns(self.config.get("primary_key"))

    def document(self) -> dict[str, Any]:
        """Return it as the expressions of policies see it."""
        place = self.written.location
        return {
            "address": self.written.address,
            "type": self.written.type,
            "kind": self.kind,
            "provider": self.written.provider,
            "name": self.name,
            "config": self.config,
            "columns": self.columns,
            "primary_key": self.primary_key,
            "file": place.file if place else None,
            "line": place.line if place else None,
        }


def key_columns(key: Any) -> list[str]:
    """Return the columns of a key as it may be written: a name, a list of parts, or an object with one."""
    if isinstance(key, Mapping):
        key = key.get("columns", key.get("column"))
    if isinstance(key, str):
        return [key]
    if not isinstance(key, list | tuple):
        return []
    found = [each.get("column") if isinstance(each, Mapping) else each for each in key]
    return [each for each in found if isinstance(each, str)]


def _complete(config: Mapping[str, Any], schema: ObjectType) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, attribute in schema.attributes.items():
        value = config.get(name)
        if value is None and attribute.elements is not None:
            value = config.get(singular(name))
        absent = value is None or (value == "" and attribute.default == "")
        found[name] = _absent(attribute) if absent else _value(value, attribute)
    return found


def _absent(attribute: AttributeSchema) -> Any:
    """Return what stands for an attribute that is not written: its default, false, an empty list or null."""
    if attribute.default not in (None, ""):
        return attribute.default
    return {"bool": False, "list": [], "map": {} if attribute.elements is None else None}.get(attribute.type)


def _value(value: Any, attribute: AttributeSchema) -> Any:
    elements = attribute.elements
    if attribute.type != "list" or elements is None:
        return value
    if isinstance(value, Mapping):
        value = [
            {"name": name, **(each if isinstance(each, Mapping) else {"type": each})}
            for name, each in value.items()
        ]
    if not isinstance(value, list | tuple):
        return value
    return [_complete(each, elements) if isinstance(each, Mapping) else each for each in value]


_Place = tuple[str, str, str]
"""Provider, schema and name of a table; the schema is empty for the default one."""


def _place(table: Resource) -> _Place:
    return table.written.provider, _schema_name(table.config.get("schema")), table.name


def _table_place(part: Resource) -> _Place:
    """Return where the table is that an index or a foreign key is on."""
    schema, _, name = str(part.config.get("table") or "").rpartition(".")
    return part.written.provider, _schema_name(schema or part.config.get("schema")), name


def _schema_name(written: Any) -> str:
    return "" if written in (None, "public", "main") else str(written)


class Facts:
    """A plan as rules see it."""

    def __init__(
        self, changes: Sequence[Change], resources: Sequence[ResourceConfig], schemas: Schemas
    ) -> None:
        self.changes = changes
        self._schemas = schemas
        self._resources = resources

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        """The resources of the configuration by address, changed or not."""
        return {each.address: Resource(each, self._schema(each)) for each in self._resources}

    def resource(self, address: str) -> Resource | None:
        """Return a resource of the configuration; None for what is only in the state."""
        return self.resources.get(address)

    def is_indexed(self, table: Resource, columns: Sequence[str]) -> bool:
        """Whether an index, or a key, that the configuration has begins with `columns`, in any order."""
        wanted = set(columns)
        return any(set(each[: len(wanted)]) == wanted for each in self._indexes_of(table))

    def _indexes_of(self, table: Resource) -> Iterator[list[str]]:
        yield table.primary_key
        for column in table.columns:
            if column.get("unique") in (True, "true"):
                yield [str(column.get("name"))]
        for unique in table.config.get("uniques") or ():
            yield key_columns(unique)
        for index in self._indexes.get(_place(table), ()):
            if not index.config.get("where"):
                yield key_columns(index.config.get("columns"))

    def indexes_beside(self, index: Resource) -> Iterator[Resource]:
        """Yield the other indexes of the same table."""
        yield from (each for each in self._indexes.get(_table_place(index), ()) if each is not index)

    @cached_property
    def _indexes(self) -> Mapping[_Place, list[Resource]]:
        """Indexes by their table."""
        found: dict[_Place, list[Resource]] = {}
        for each in self.resources.values():
            if each.kind == "index":
                found.setdefault(_table_place(each), []).append(each)
        return found

    def table_of(self, key: Resource) -> Resource | None:
        """Return the table that a resource with an attribute `table` is on, None if it is not configured."""
        return self._tables.get(_table_place(key))

    @cached_property
    def _tables(self) -> Mapping[_Place, Resource]:
        return {_place(each): each for each in self.resources.values() if each.kind == "table"}

    def _schema(self, resource: ResourceConfig) -> ObjectType | None:
        known = self._schemas(resource.provider.partition(".")[0])
        return known.get(bare_type(resource.provider, resource.type))
