"""Changes that break code that is running while they happen, or that was not released yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.host.policies.facts import Facts, column_changes, difference, kind
from kolumn.host.policies.rule import Finding, rule
from kolumn.host.results import Change

_GROUP = "Compatibility"
_RELATIONS = ("table", "view", "materialized_view", "foreign_table")


@rule(
    _GROUP,
    kinds=_RELATIONS,
    why="Code that knows the old name fails from that moment, code that knows the new one until then.",
    instead="Rename, and leave a view with the old name in the same change until nobody uses it.",
)
def rename_table(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A table or view gets another name."""
    found = difference(change, "name")
    if found is not None and found.before is not None and found.after is not None:
        yield Finding(f"{kind(change).replace('_', ' ')} {found.before} is renamed to {found.after}")


@rule(
    _GROUP,
    kinds=_RELATIONS,
    why="Code that knows the old name fails from that moment, code that knows the new one until then.",
    instead="Add a column with the new name, write both, copy old rows, read the new one, drop the old one.",
)
def rename_column(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column gets another name."""
    for each in column_changes(change, "name"):
        if each.before is not None and each.after is not None:
            yield Finding(f"column {each.before} is renamed to {each.after}")


@rule(
    _GROUP,
    severity="info",
    kinds=("table",),
    why="Code that reads or compares the column may rely on the old type, and so may views and functions.",
    instead="Release code that takes both types first.",
)
def column_type_changed(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column gets another type."""
    for each in column_changes(change, "type"):
        yield Finding(f"column {each.column} from {each.before} to {each.after}")


@rule(
    _GROUP,
    severity="info",
    kinds=("table",),
    why="Code that reads the column may not expect NULL, and it cannot be taken back once there are NULLs.",
    instead="Release code that expects NULL first.",
)
def not_null_dropped(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column that was NOT NULL may hold NULL."""
    for each in column_changes(change, "not_null"):
        if each.before is True and not each.after:
            yield Finding(f"column {each.column} may be NULL from now on")


@rule(
    _GROUP,
    severity="info",
    kinds=("function", "procedure", "aggregate", "view", "materialized_view"),
    why="Between the drop and the creation others may find it missing, and privileges given by hand are lost.",
    instead="Give the new one another name and drop the old one when nothing uses it.",
)
def replaced_object(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A view or routine is dropped and created again."""
    if change.action == "replace":
        yield Finding(f"the {kind(change).replace('_', ' ')} is dropped and created again")
