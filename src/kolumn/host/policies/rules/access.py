"""Who may do what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.host.policies.facts import Facts, becomes_true, difference, is_new
from kolumn.host.policies.rule import Finding, rule
from kolumn.host.results import Change

_GROUP = "Access"


@rule(
    _GROUP,
    kinds=("table",),
    why="Everybody who may read the table sees all rows from that moment.",
    instead="Change the policies (`postgres_policy`) rather than switching all of them off.",
)
def row_level_security_disabled(
    _facts: Facts, change: Change, _options: Mapping[str, Any]
) -> Iterator[Finding]:
    """Row level security of a table is switched off."""
    for path, words in (
        ("row_level_security", "row level security is switched off"),
        ("force_row_level_security", "row level security does not apply to the owner any more"),
    ):
        found = difference(change, path)
        if found is not None and found.before is True and found.after is not True:
            yield Finding(words)


@rule(
    _GROUP,
    kinds=("grant", "default_privileges"),
    why="PUBLIC is everybody who can connect, now and later.",
    instead="Grant to a role, and make those who need it members.",
)
def grant_to_public(facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """Privileges are granted to PUBLIC."""
    if change.action not in ("create", "update", "replace"):
        return
    role = difference(change, "role")
    resource = facts.resource(change.address)
    name = role.after if role is not None else resource.config.get("role") if resource is not None else None
    given = difference(change, "privileges") or difference(change, "columns")
    if str(name).lower() == "public" and (role is not None or given is not None):
        what = given.after if given is not None else None
        listed = ", ".join(map(str, what)) if isinstance(what, list) and _plain(what) else "privileges"
        yield Finding(f"{listed} for everybody")


def _plain(values: list[Any]) -> bool:
    return all(isinstance(each, str) for each in values)


@rule(
    _GROUP,
    kinds=("role", "user"),
    why="No check of privileges, or of row level security, applies to such a role.",
    instead="Grant what is needed; predefined roles such as pg_monitor and pg_read_all_data cover most.",
)
def superuser_role(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A role becomes superuser, or gets above row level security."""
    for path, words in (
        ("superuser", "the role becomes superuser"),
        ("bypassrls", "the role is above row level security"),
    ):
        if becomes_true(change, path):
            yield Finding(words)


@rule(
    _GROUP,
    kinds=("function", "procedure"),
    why="It runs with its owner's rights, and whoever calls it chooses by his search path which objects it meets.",
    instead='Set one for it: settings = { search_path = "pg_catalog, pg_temp" }, and write names with their schema.',
)
def security_definer_search_path(
    facts: Facts, change: Change, _options: Mapping[str, Any]
) -> Iterator[Finding]:
    """A SECURITY DEFINER routine has no search path of its own."""
    resource = facts.resource(change.address)
    if resource is None or change.action not in ("create", "update", "replace"):
        return
    touched = is_new(change) or any(
        each.path.startswith(("security_definer", "settings", "body")) for each in change.differences
    )
    settings = resource.config.get("settings")
    named = {str(key).lower() for key in settings} if isinstance(settings, Mapping) else set()
    if touched and resource.config.get("security_definer") in (True, "true") and "search_path" not in named:
        yield Finding("it runs with its owner's rights and its caller's search_path")
