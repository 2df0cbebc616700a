"""Names, and what a team wants of everything it defines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.host.policies.facts import (
    Facts,
    column_changes,
    difference,
    is_new,
    kind,
    new_columns,
    typed_columns,
)
from kolumn.host.policies.rule import Finding, Parameter, rule
from kolumn.host.results import Change

_GROUP = "Conventions"
_WORDS = (
    "_ all alter analyse analyze and any array as asc asymmetric begin between both by case cast check "
    "collate column commit constraint create cross current_date current_role current_time "
    "current_timestamp current_user default deferrable delete desc distinct do drop else end escape "
    "except exists false fetch for foreign from full grant group having if in index initially inner "
    "insert intersect into is isnull join lateral leading left like limit localtime localtimestamp "
    "natural not notnull null offset on only or order outer over overlaps placing primary raise "
    "references returning revoke right rollback row select session_user set similar some symmetric "
    "table then to trailing transaction trigger true truncate union unique update user using values "
    "variadic verbose view when where window with "
)
_RESERVED = frozenset(_WORDS.split())
"""Reserved words of SQL:2016 that PostgreSQL, SQLite, MySQL or SQL Server reserve as well."""
_NAMED = (
    "table",
    "view",
    "materialized_view",
    "index",
    "sequence",
    "function",
    "procedure",
    "schema",
    "enum",
)


def _names(change: Change) -> Iterator[tuple[str, str]]:
    """Yield what a change gives names to, in words, and the names."""
    found = difference(change, "name")
    if found is not None and isinstance(found.after, str) and change.action != "delete":
        yield kind(change), found.after
    for column in new_columns(change):
        yield "column", str(column["name"])
    for each in column_changes(change, "name"):
        if isinstance(each.after, str):
            yield "column", each.after


@rule(
    _GROUP,
    severity="info",
    kinds=_NAMED,
    why="Whoever writes a query by hand has to quote it, and forgets.",
    instead="Another word: `orders` for `order`, `account` for `user`.",
)
def reserved_name(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A new name is a reserved word of SQL."""
    for what, name in _names(change):
        if name.lower() in _RESERVED:
            yield Finding(f"{what} {name} is called like a word of SQL")


@rule(
    _GROUP,
    severity="info",
    kinds=_NAMED,
    why="Without quotes the database takes it for another name, or does not understand it.",
    instead="Small letters, digits and underscores.",
)
def quoted_name(_facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """A new name has to be quoted."""
    folds = change.provider.partition(".")[0] == "postgres"
    plain = re.compile(r"[a-z_][a-z0-9_$]*" if folds else r"[A-Za-z_][A-Za-z0-9_$]*")
    for what, name in _names(change):
        if not plain.fullmatch(name):
            yield Finding(f"{what} {name} has to be quoted wherever it is used")


@rule(
    _GROUP,
    enabled=False,
    why="Names that follow one pattern can be guessed.",
    instead="Rename it, before others use it.",
    tables=Parameter("", "regular expression that names of tables have to match as a whole"),
    columns=Parameter("", "the same for columns"),
    indexes=Parameter("", "the same for indexes"),
    views=Parameter("", "the same for views"),
    functions=Parameter("", "the same for functions and procedures"),
)
def naming(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """A new name does not match the pattern for its kind."""
    for what, name in _names(change):
        pattern = options.get(_PATTERNS.get(what, ""))
        if pattern and not re.fullmatch(pattern, name):
            yield Finding(f"{what} {name} does not match {pattern}")


_PATTERNS = {
    "table": "tables",
    "column": "columns",
    "index": "indexes",
    "view": "views",
    "materialized_view": "views",
    "function": "functions",
    "procedure": "functions",
}


@rule(
    _GROUP,
    enabled=False,
    kinds=("table",),
    why="Types that a team has agreed on are those that its code, its reports and its backups understand.",
    instead="One of the allowed types.",
    types=Parameter([], 'types that columns may have, without length or precision, e.g. ["text", "bigint"]'),
)
def allowed_types(_facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """A column has a type that is not on the list."""
    allowed = {str(each).lower() for each in options["types"]}
    for column, type_ in typed_columns(change):
        whole = " ".join(type_.lower().split())
        bare = " ".join(re.sub(r"\(.*?\)", "", whole).split())
        if allowed and not {whole, bare} & allowed:
            yield Finding(f"column {column} is {type_}; allowed: {', '.join(map(str, options['types']))}")


@rule(
    _GROUP,
    severity="info",
    enabled=False,
    kinds=("table", "view", "materialized_view", "function", "procedure"),
    why="What a table is for is asked again by everybody who joins.",
    instead='comment = "..."',
    columns=Parameter(False, "whether columns need one as well"),
)
def comment_required(facts: Facts, change: Change, options: Mapping[str, Any]) -> Iterator[Finding]:
    """Something new has no comment."""
    resource = facts.resource(change.address)
    if resource is None or "comment" not in resource.config:
        return
    if is_new(change) and not resource.config["comment"]:
        yield Finding(f"the {kind(change).replace('_', ' ')} has no comment")
    for column in new_columns(change) if options["columns"] else ():
        if not column.get("comment"):
            yield Finding(f"column {column['name']} has no comment")


@rule(
    _GROUP,
    severity="info",
    enabled=False,
    why="Without an owner of its own, whoever happens to run the apply owns it.",
    instead='owner = "..."',
)
def owner_required(facts: Facts, change: Change, _options: Mapping[str, Any]) -> Iterator[Finding]:
    """Something new names no owner, and could."""
    resource = facts.resource(change.address)
    if (
        resource is not None
        and is_new(change)
        and "owner" in resource.config
        and not resource.config["owner"]
    ):
        yield Finding(f"the {kind(change).replace('_', ' ')} names no owner")
