"""Changes that lose data, or may find data that does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.host.policies.facts import (
    Facts,
    added_columns,
    column_changes,
    dropped_columns,
    is_set_aside,
    kind,
    rows_text,
)
from kolumn.host.policies.rule import Finding, rule
from kolumn.host.results import Change

_GROUP = "Data loss"


@rule(
    _GROUP,
    kinds=("table",),
    why="Whoever still uses the table fails at once. Its rows wait in quarantine until its time is over; where "
    "`safe_destroy` is off they are gone.",
    instead="Stop using the table first and rename it; drop it when nothing has missed it for a while. Or keep it in "
    "the database and forget it: `kolumn state rm ADDRESS`, then delete its block.",
)
def drop_table(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A table is dropped."""
    if change.action in ("delete", "replace"):
        rows = next((step.rows for step in change.steps), None)
        again = " and created anew, empty" if change.action == "replace" else ""
        how = "set aside in quarantine" if is_set_aside(change) else "dropped"
        yield Finding(f"the table is {how}{again}, with {rows_text(rows)}")


@rule(
    _GROUP,
    kinds=("table",),
    why="Code that still names the column fails at once. Its values wait in quarantine until its time is over; where "
    "`safe_destroy` is off they are gone.",
    instead="Release code that does not use the column first. Then drop it, in a change of its own.",
)
def drop_column(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column is dropped."""
    for column in dropped_columns(change):
        values = " with all its values"
        if column.get("generated"):
            values = ""
        elif is_set_aside(change):
            values = "; its values are set aside in quarantine"
        yield Finding(f"column {column['name']} is dropped{values}")


@rule(
    _GROUP,
    kinds=("table",),
    why="Values may be cut off, changed or refused: the plan says which with its risks.",
    instead="Add a column of the new type, fill it in batches, check what does not fit, switch over, drop the old one.",
)
def narrower_type(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column gets a type that not every old value fits."""
    retyped = column_changes(change, "type")
    for step in change.steps:
        risky = [risk.message for risk in step.risks if risk.kind in ("data_loss", "conversion", "may_fail")]
        for message in (*risky, *step.cleared):
            named = any(f"{each.column}," in message or f"{each.column}:" in message for each in retyped)
            if named and not message.startswith("drops "):
                yield Finding(message)


@rule(
    _GROUP,
    kinds=("enum",),
    why="Rows that hold the value have to be changed, and code that writes it fails.",
    instead="Stop writing the value, change the rows that hold it, then remove it.",
)
def drop_enum_value(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A value of an enum type is removed."""
    for each in change.differences:
        if each.path == "values" or each.path.startswith("values."):
            before, after = (set(_names(side)) for side in (each.before, each.after))
            for value in sorted(before - after):
                yield Finding(f"the value {value} is removed")


def _names(side: Any) -> list[str]:
    values = side if isinstance(side, list) else [] if side is None else [side]
    found = [value.get("name") if isinstance(value, Mapping) else value for value in values]
    return [name for name in found if isinstance(name, str)]


@rule(
    _GROUP,
    why="What is lost does not come back by undoing the change.",
    instead="Copy what is still needed elsewhere first.",
)
def other_data_loss(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """Something else with data in it is dropped or made anew."""
    if kind(change) == "table":
        dropped = bool(dropped_columns(change)) or change.action in ("delete", "replace")
        if dropped or column_changes(change, "type"):
            return
    for step in change.steps:
        for risk in step.risks:
            if risk.kind == "data_loss" and kind(change) != "enum":
                yield Finding(risk.message)


@rule(
    _GROUP,
    kinds=("table",),
    why="Rows that are there have no value for it, so the change fails halfway through a release.",
    instead="Give the column a default; or add it without NOT NULL, fill it, and set NOT NULL then.",
)
def not_null_without_default(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A NOT NULL column without a default is added to a table that has rows."""
    rows = [step.rows for step in change.steps]
    if change.action == "create" or all(each == 0 for each in rows):
        return
    for column in added_columns(change):
        filled = any(column.get(key) is not None for key in ("default", "generated", "identity"))
        filled = filled or "serial" in str(column.get("type", "")).lower()
        if (column.get("not_null") is True or column.get("primary_key") is True) and not filled:
            known = next((each for each in rows if each), None)
            yield Finding(
                f"column {column['name']} is NOT NULL and has no default; the table has {rows_text(known)}",
                unknown=known is None,
            )
