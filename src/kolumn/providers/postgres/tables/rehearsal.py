"""A wanted table as it is made in the scratch schema, to see how the server words its texts (see `settling`).

It is made without what ties it to other tables: what is inherited stands in a wanted table, and foreign keys
have no texts. In canonical form every constraint has a name, so they are matched up by name afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kolumn.engine.declaration import replaced
from kolumn.providers.postgres.tables.forms import canonical
from kolumn.providers.postgres.tables.model import PostgresTable
from kolumn.providers.postgres.wording import worded


def rehearsed(wanted: PostgresTable, scratch: str) -> PostgresTable:
    """Return the table as it can stand alone in schema `scratch`."""
    alone = {
        "schema": scratch,
        "foreign_keys": (),
        "partition_of": "",
        "bounds": "",
        "inherits": (),
        "replica_identity": "default",
        "owner": "",
        "comment": "",
    }
    return replaced(canonical(wanted), alone)


def with_words_of(wanted: PostgresTable, found: PostgresTable, known: frozenset[str]) -> PostgresTable:
    """Return `wanted` with the texts of `found`, which the server made of it, as far as they are `known`."""
    table = canonical(wanted)
    changes: dict[str, Any] = {}
    for field in ("columns", "uniques", "exclusions", "checks"):
        changes[field] = tuple(_worded(getattr(table, field), getattr(found, field), known))
    if table.partition_by is not None and found.partition_by is not None:
        changes["partition_by"] = worded(table.partition_by, found.partition_by, known)
    return replaced(table, changes)


def _worded(wanted: Iterable[Any], found: Iterable[Any], known: frozenset[str]) -> Iterable[Any]:
    by_name = {each.name: each for each in found}
    for each in wanted:
        other = by_name.get(each.name)
        yield each if other is None else worded(each, other, known)
