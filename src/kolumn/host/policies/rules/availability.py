"""Changes that keep others from reading or writing for as long as a big table takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.contract import messages as m
from kolumn.host.plan_document import blocks
from kolumn.host.policies.facts import (
    Facts,
    added_columns,
    becomes_true,
    column_changes,
    disturbing,
    does,
    kind,
    rows_text,
)
from kolumn.host.policies.rule import Finding, Parameter, rule
from kolumn.host.results import Change

_GROUP = "Availability"
_MAX_ROWS = Parameter(100_000, "tables with fewer rows are passed over")
_ONLINE = "Use `--online`, or `online = true` in the provider block"
_STOPPED = {"writes": "nobody writes", "everything": "nobody reads or writes", "": "others go on"}


def _big(step: m.PlanStep, options: Mapping[str, Any]) -> bool:
    """Whether a step is about a table with many rows, or with nobody knows how many."""
    return step.rows is None or step.rows > options["max_rows"]


def _slow(change: Change, options: Mapping[str, Any], what: str, *beginnings: str) -> Iterator[Finding]:
    """Yield the steps that do something which takes as long as a table is big while others wait."""
    for step in disturbing(change):
        if does(step, *beginnings) and _big(step, options):
            yield Finding(
                f"{step.description}: {_STOPPED[blocks(step)]} while {what} {rows_text(step.rows)}",
                unknown=step.rows is None,
            )


@rule(
    _GROUP,
    why="Every row is copied while nobody else can use the table, and disk space for a second copy is needed.",
    instead="Add a new column or table, fill it in batches, switch over, drop the old one. Or do it when nobody minds.",
    max_rows=_MAX_ROWS,
)
def table_rewrite(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """A table with many rows is copied as a whole."""
    for step in change.steps:
        if step.rewrites and _big(step, options):
            retyped = ", ".join(each.column for each in column_changes(change, "type"))
            because = f"; the type of {retyped} changes" if retyped else ""
            yield Finding(
                f"{step.description}: copies {rows_text(step.rows)}{because}", unknown=step.rows is None
            )


@rule(
    _GROUP,
    kinds=("index",),
    why="Building an index the plain way stops all writes to the table until every row is in it.",
    instead=f"{_ONLINE}: the index is then built beside the writes (CREATE INDEX CONCURRENTLY).",
    max_rows=_MAX_ROWS,
)
def index_not_online(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """An index on a table with many rows is built under a lock that stops writes."""
    yield from _slow(change, options, "the index is built over", "create index ")


@rule(
    _GROUP,
    severity="info",
    kinds=("index",),
    why="The drop waits for every query on the table that is running, and all new ones wait behind it.",
    instead=f"{_ONLINE}: the index is then dropped beside them (DROP INDEX CONCURRENTLY).",
    max_rows=_MAX_ROWS,
)
def index_dropped_not_online(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """An index on a table with many rows is dropped under a lock that stops everything."""
    yield from _slow(change, options, "it is dropped, in a table with", "drop index ")


@rule(
    _GROUP,
    kinds=("table",),
    why="A unique constraint or primary key builds its index under the strongest lock.",
    instead=f"{_ONLINE}: the index is then built beside the writes, and the constraint takes it over.",
    max_rows=_MAX_ROWS,
)
def unique_not_online(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """A unique constraint, primary key or exclusion is added directly to a table with many rows."""
    yield from _slow(
        change, options, "an index is built over", "add unique ", "add primary key ", "add exclusion "
    )


@rule(
    _GROUP,
    kinds=("table", "foreign_key"),
    why="Every row is looked up in the other table while neither of them can be written.",
    instead=f"{_ONLINE}: the foreign key is then added unchecked (NOT VALID) and checked afterwards.",
    max_rows=_MAX_ROWS,
)
def foreign_key_not_online(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """A foreign key is added to a table with many rows under a lock that stops writes."""
    beginnings = ["add foreign key "]
    if kind(change) == "foreign_key":
        beginnings.append("create foreign_key ")
    if not becomes_true(change, "not_valid"):
        yield from _slow(change, options, "it is checked for", *beginnings)


@rule(
    _GROUP,
    kinds=("table",),
    why="Every row is checked while nobody else can use the table.",
    instead=f"{_ONLINE}: the check is then added unchecked (NOT VALID) and checked afterwards.",
    max_rows=_MAX_ROWS,
)
def check_not_online(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """A check constraint is added to a table with many rows under a lock that stops everything."""
    yield from _slow(change, options, "it is checked for", "add check ")


@rule(
    _GROUP,
    kinds=("table",),
    why="Every row is checked for NULL while nobody else can use the table.",
    instead=f"{_ONLINE}: a check is then proven beside the writes, and NOT NULL set without looking again.",
    max_rows=_MAX_ROWS,
)
def not_null_not_online(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """NOT NULL is set on a column of a table with many rows under a lock that stops everything."""
    for each in column_changes(change, "not_null"):
        if each.after is True:
            yield from _slow(change, options, "it is checked for", f"alter column {each.column} of ")


@rule(
    _GROUP,
    kinds=("table",),
    why="The default is computed for every row that is there, so the table is copied.",
    instead="Add the column without the default, set the default in a second change, fill old rows in batches.",
    max_rows=_MAX_ROWS,
)
def volatile_default(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column whose value differs from row to row is added to a table with many rows."""
    for column in added_columns(change):
        default = str(column.get("default") or "").lower()
        varies = any(name in default for name in _VOLATILE) or column.get("identity") or _computed(column)
        if not varies and "serial" not in str(column.get("type", "")).lower():
            continue
        for step in disturbing(change):
            if does(step, f"add column {column['name']} ") and _big(step, options):
                yield Finding(
                    f"column {column['name']} gets a value of its own in {rows_text(step.rows)}",
                    unknown=step.rows is None,
                )


_VOLATILE = ("random()", "gen_random_uuid()", "clock_timestamp()", "nextval(", "uuid_generate_", "uuidv7()")


def _computed(column: Mapping[str, Any]) -> bool:
    return bool(column.get("generated")) and column.get("stored") is True


@rule(
    _GROUP,
    severity="info",
    kinds=("table",),
    why="The lock of the first step is held until the last is done, and others that need several of the same tables "
    "may wait for each other for ever.",
    instead=f"{_ONLINE}, which gives each step a transaction of its own; or make the changes one after the other.",
    max_rows=_MAX_ROWS,
)
def several_locks(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """A table with many rows is locked by more than one step of one transaction."""
    steps = [
        step for step in disturbing(change) if step.transactional and (step.rows or 0) > options["max_rows"]
    ]
    if len(steps) > 1:
        yield Finding(
            f"{len(steps)} steps of one transaction lock the table, with {rows_text(steps[0].rows)}"
        )
