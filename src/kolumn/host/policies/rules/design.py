"""Definitions that are regretted later."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kolumn.host.policies.facts import (
    Facts,
    Resource,
    added_keys,
    becomes_true,
    column_changes,
    difference,
    is_new,
    kind,
    typed_columns,
)
from kolumn.host.policies.rule import Finding, rule
from kolumn.host.results import Change

_GROUP = "Design"
_POSTGRES = ("postgres",)


@rule(
    _GROUP,
    kinds=("table",),
    why="Rows cannot be told apart, so they cannot be changed or deleted one by one, replicated or merged.",
    instead="Add a column for it, e.g. an identity column, or make a key of the columns that tell rows apart.",
)
def table_without_primary_key(facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A table has no primary key."""
    table = facts.resource(change.address)
    if table is None or change.action not in ("create", "update", "replace") or table.primary_key:
        return
    config = table.config
    if config.get("partition_of") or config.get("inherits") or config.get("using"):
        return
    lost = difference(change, "primary_key") or column_changes(change, "primary_key")
    if is_new(change) or lost:
        yield Finding("the table has no primary key")


@rule(
    _GROUP,
    kinds=("table", "foreign_key"),
    why="Deleting or changing a row of the other table looks through all of this one, holding locks meanwhile.",
    instead="Add an index that begins with the columns that refer.",
)
def foreign_key_without_index(facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """No index begins with the columns of a new foreign key."""
    resource = facts.resource(change.address)
    if resource is None or change.action not in ("create", "update", "replace"):
        return
    table = resource if resource.kind == "table" else facts.table_of(resource)
    for key in added_keys(change):
        if table is None or not facts.is_indexed(table, key.columns):
            yield Finding(f"{', '.join(key.columns)} refers to {key.references}, and no index begins with it")


def _of_type(change: Change, is_meant: Callable[[str], object]) -> Iterator[Finding]:
    """Yield the new columns, and those of a new type, whose type in small letters is meant."""
    for column, type_ in typed_columns(change):
        if is_meant(" ".join(type_.lower().split())):
            yield Finding(f"column {column} is {type_}")


_is_serial = re.compile(r"(small|big)?serial[248]?").fullmatch
_is_local = re.compile(r"timestamp ?(\(\d\))?( without time zone)?(\[\])*").fullmatch
_is_bounded = re.compile(r"(varchar|character varying) ?\(\d+\)(\[\])*").fullmatch
_is_padded = re.compile(r"(char|character|bpchar)( ?\(\d+\))?(\[\])*").fullmatch
_is_small = re.compile(r"(small)?(int|integer|int[24]|serial[24]?)").fullmatch


@rule(
    _GROUP,
    severity="info",
    kinds=("table",),
    providers=_POSTGRES,
    why="Its sequence has rights and ownership of its own, and copies of the table share it.",
    instead='An identity column: type = "bigint", identity = "always".',
)
def serial_column(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column is serial rather than an identity column."""
    yield from _of_type(change, _is_serial)


@rule(
    _GROUP,
    severity="info",
    kinds=("table",),
    providers=_POSTGRES,
    why="It says what a clock somewhere showed, not when: sessions with other time zones read other moments.",
    instead="timestamptz, which takes the same room.",
)
def timestamp_without_time_zone(
    _facts: Facts, change: Change, _options: Mapping[str, Any]
) -> Iterator[Finding]:
    """A column is a timestamp without time zone."""
    yield from _of_type(change, _is_local)


@rule(
    _GROUP,
    severity="info",
    enabled=False,
    kinds=("table",),
    providers=_POSTGRES,
    why="The limit costs a lock to change and saves no room.",
    instead='text, with a check where a limit matters: check = "length(name) <= 30".',
)
def bounded_text(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column is varchar(n)."""
    yield from _of_type(change, _is_bounded)


@rule(
    _GROUP,
    severity="info",
    kinds=("table",),
    providers=_POSTGRES,
    why="Values are filled up with blanks, which are then passed over in some comparisons and not in others.",
    instead="text.",
)
def padded_text(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column is char(n)."""
    yield from _of_type(change, _is_padded)


@rule(
    _GROUP,
    severity="info",
    kinds=("table",),
    providers=_POSTGRES,
    why="json keeps the text, is parsed at every use and has no equality, so DISTINCT and GROUP BY fail.",
    instead="jsonb.",
)
def json_column(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column is json rather than jsonb."""
    yield from _of_type(change, ("json", "json[]").__contains__)


@rule(
    _GROUP,
    severity="info",
    kinds=("table",),
    providers=_POSTGRES,
    why="What it means depends on a setting of the session (lc_monetary); fractions and currencies are lost.",
    instead="numeric, with a column for the currency.",
)
def money_column(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column is money."""
    yield from _of_type(change, ("money", "money[]").__contains__)


@rule(
    _GROUP,
    severity="info",
    kinds=("table",),
    providers=_POSTGRES,
    why="It ends at 2,147,483,647 (smallint at 32,767), and making it bigger then copies the table and all that refers "
    "to it.",
    instead="bigint.",
)
def small_primary_key(facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A primary key of one column is an integer that may run out."""
    table = facts.resource(change.address)
    if table is None or len(table.primary_key) != 1:
        return
    for column, type_ in typed_columns(change):
        if column == table.primary_key[0] and _is_small(" ".join(type_.lower().split())):
            yield Finding(f"the primary key {column} is {type_}")


@rule(
    _GROUP,
    severity="info",
    kinds=("table",),
    providers=_POSTGRES,
    why="After a crash the table is empty, and replicas never have it.",
    instead="A usual table, unless it can be filled again from elsewhere.",
)
def unlogged_table(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A table is unlogged."""
    if becomes_true(change, "unlogged"):
        yield Finding("the table's rows do not outlive a crash")


@rule(
    _GROUP,
    severity="info",
    kinds=("index",),
    why="Every write pays for both, and the longer one serves wherever the shorter one does.",
    instead="Keep one of them: the longer one where they differ.",
)
def redundant_index(facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A new index has the columns that another one begins with."""
    mine = facts.resource(change.address)
    if mine is None or not is_new(change) or not _plain(mine):
        return
    for other in facts.indexes_beside(mine):
        if _plain(other) and _listed(other)[: len(_listed(mine))] == _listed(mine):
            same = len(_listed(other)) == len(_listed(mine))
            if not same or other.written.address < mine.written.address:
                yield Finding(f"{other.written.address} begins with the same columns")


def _plain(index: Resource) -> bool:
    """Whether an index is a usual one: all rows, columns only, not unique."""
    config = index.config
    columns = config.get("columns")
    named = isinstance(columns, list) and all(isinstance(each, str) for each in columns)
    method = str(config.get("method") or config.get("using") or "btree").lower()
    return named and method == "btree" and not config.get("where") and config.get("unique") is not True


def _listed(index: Resource) -> list[str]:
    return list(index.config["columns"])


@rule(
    _GROUP,
    severity="info",
    enabled=False,
    kinds=("table", "foreign_key"),
    why="One delete can take rows of many tables along, under locks nobody thought of.",
    instead='on_delete = "restrict", and delete what refers to a row on purpose.',
)
def cascading_delete(facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A foreign key deletes the rows that refer."""
    resource = facts.resource(change.address)
    if resource is None or not list(added_keys(change)):
        return
    declared = [*resource.columns, *(resource.config.get("foreign_keys") or ())]
    if kind(change) == "foreign_key":
        declared = [resource.config]
    for each in declared:
        if isinstance(each, Mapping) and str(each.get("on_delete")).lower() == "cascade":
            yield Finding(f"the foreign key of {each.get('name') or each.get('columns')} deletes rows along")
