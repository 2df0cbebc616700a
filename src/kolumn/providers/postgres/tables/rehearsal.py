"""A table made in a schema of its own, to see how the server words its texts (see `settling`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kolumn.engine.declaration import replaced
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.language import names
from kolumn.providers.postgres.language.tokens import clip, literal, qualified
from kolumn.providers.postgres.tables import render
from kolumn.providers.postgres.tables.bounds import bounds_sql
from kolumn.providers.postgres.tables.forms import canonical
from kolumn.providers.postgres.tables.inheritance import detached
from kolumn.providers.postgres.tables.model import PostgresTable
from kolumn.providers.postgres.wording import worded
from kolumn.sql.model import Constraint


def rehearsed(wanted: PostgresTable, scratch: str) -> PostgresTable:
    """Return the table as it is made in schema `scratch`: without what takes others or leaves a mark on disk.

    A partition is made as one of a table that is partitioned as its own is, so that its bounds get worded.
    """
    table = canonical(wanted)
    parent = names.relation(scratch, clip(f"p {table.name}"), scratch) if table.partition_of else ""
    alone = detached(replaced(table, {"handed_down": ()}))
    return replaced(
        alone,
        {
            "schema": scratch,
            "owner": "",
            "comment": "",
            "tablespace": "",
            "foreign_keys": (),
            "replica_identity": "default",
            "partition_of": parent,
            "bounds": table.bounds,
        },
    )


def rehearsal(table: PostgresTable, live: PostgresTable, server: Server) -> Iterator[str]:
    """Yield the statements that make a rehearsed table, with the parent of a partition before it."""
    if table.partition_of:
        parent = render.relation_sql(live, live.partition_of)
        scratch = render.relation_sql(table, table.partition_of)
        create = f"CREATE TABLE {scratch} (LIKE {parent}) PARTITION BY "
        key = f"pg_catalog.pg_get_partkeydef({literal(parent)}::regclass)"
        yield f"DO {literal(f'BEGIN EXECUTE {literal(create)} || {key}; END')}"
        yield f"CREATE TABLE {qualified(table.schema, table.name)} PARTITION OF {scratch} {bounds_sql(table.bounds)}"
    else:
        yield from render.create_table(table, server)


def reworded(wanted: PostgresTable, found: PostgresTable, known: frozenset[str]) -> PostgresTable:
    """Return the wanted table with the texts of `found`, what the server made of it, that are `known`."""
    table = canonical(wanted)
    columns = {column.name: column for column in found.columns}
    changes: dict[str, Any] = {
        "columns": tuple(
            worded(column, columns[column.name], known) if column.name in columns else column
            for column in table.columns
        )
    }
    for field in table.CONSTRAINTS.values():
        mine = getattr(table, field)
        if isinstance(mine, tuple):
            changes[field] = tuple(_constraints(mine, getattr(found, field), known))
    if found.bounds in known:
        changes["bounds"] = found.bounds
    if table.partition_by is not None and found.partition_by is not None:
        changes["partition_by"] = worded(table.partition_by, found.partition_by, known)
    return replaced(table, changes)


def _constraints(
    mine: Iterable[Constraint], theirs: Iterable[Constraint], known: frozenset[str]
) -> Iterator[Constraint]:
    by_name = {each.name: each for each in theirs}
    for each in mine:
        yield worded(each, by_name[each.name], known) if each.name in by_name else each
