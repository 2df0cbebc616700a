"""The rows of one reading of the catalogues, and how queries say which objects are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kolumn.engine.resource import Ref
from kolumn.providers.postgres.connection.server import Server

COMMENTS = """
SELECT classoid::regclass::text, objoid, objsubid, description FROM pg_catalog.pg_description
WHERE objoid >= 16384 OR classoid = 'pg_namespace'::regclass
UNION ALL
SELECT classoid::regclass::text, objoid, 0, description FROM pg_catalog.pg_shdescription WHERE objoid >= 16384
"""
"""Comments on what was not made with the cluster (oids below 16384), and on schema public."""


def not_a_member(catalogue: str, oid: str) -> str:
    """Return the condition that the object `oid` of `catalogue` does not belong to an extension."""
    return (
        f"NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = '{catalogue}'::regclass "
        f"AND e.objid = {oid} AND e.deptype = 'e')"
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """What the queries of one scan returned. Oids are the server's, and mean nothing outside of it."""

    server: Server
    rows: Mapping[str, list[tuple[Any, ...]]]
    """Rows by name of the query."""
    comments: Mapping[tuple[str, int, int], str]
    """By catalogue, oid and column number (0 for the object itself)."""
    refs: dict[tuple[str, int], Ref] = field(default_factory=dict)
    """Objects found so far by catalogue and oid, filled in the order of the handlers."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What one resource type found out and a later one needs."""

    @classmethod
    def of(cls, server: Server, rows: Mapping[str, list[tuple[Any, ...]]]) -> Reading:
        """Return the reading with its comments sorted out."""
        comments = {(catalogue, oid, part): text for catalogue, oid, part, text in rows["comments"]}
        return cls(server, rows, comments)

    def comment(self, catalogue: str, oid: int, part: int = 0) -> str:
        """Return the comment on an object or on one of its columns, empty without one."""
        return self.comments.get((catalogue, oid, part), "")
