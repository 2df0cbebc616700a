"""Access control lists as the catalogues keep them, of every kind of object, in one query.

Only lists that are not as initdb or an extension made them come out (`pg_init_privs`), which is what pg_dump
looks at as well. https://www.postgresql.org/docs/current/ddl-priv.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.grants.privileges import LETTERS, NOTHING, PUBLIC, Held, Rights
from kolumn.providers.postgres.reading import Reading


class Item(NamedTuple):
    """One entry of an access control list."""

    grantee: str
    """`public` for everybody."""
    grantor: str
    held: Held


_ITEM = re.compile(r'(?:"((?:[^"]|"")*)"|([^"=]*))=([A-Za-z*]*)/(?:"((?:[^"]|"")*)"|(.*))', re.DOTALL)


@lru_cache(maxsize=4096)
def parse_item(text: str) -> Item:
    """Read an `aclitem`: `app=arw*/owner`. Letters that Kolumn does not know are passed over."""
    parts = _ITEM.fullmatch(text)
    assert parts is not None, text
    quoted, plain, letters, quoted_grantor, plain_grantor = parts.groups()
    grantee = plain if quoted is None else quoted.replace('""', '"')
    grantor = plain_grantor if quoted_grantor is None else quoted_grantor.replace('""', '"')
    held = frozenset(LETTERS[letter] for letter in letters if letter in LETTERS)
    option = frozenset(LETTERS[letter] for letter in re.findall(r"(.)\*", letters) if letter in LETTERS)
    return Item(grantee or PUBLIC, grantor, Held(held, option))


@dataclass(slots=True)
class AccessList:
    """Who has what on one object and on its columns."""

    identity: tuple[str, int]
    """Catalogue and oid."""
    part_of: tuple[str, int]
    """The table a sequence belongs to."""
    on: str
    """Kind of object, as configuration calls it."""
    schema: str
    object: str
    arguments: tuple[str, ...]
    owner: str
    default: Mapping[str, Held]
    """What each grantee has where nobody said anything."""
    items: tuple[Item, ...] | None = None
    """None where nobody said anything of the object as a whole."""
    columns: list[tuple[str, tuple[Item, ...]]] = field(default_factory=list)

    def rights(self) -> dict[tuple[str, str], Rights]:
        """Return what there is by grantee and grantor, also for those who lack what they have by default."""
        found: dict[tuple[str, str], Rights] = {}
        if self.items is not None:
            found = {(role, self.owner): Rights() for role in self.default}
            found |= {(each.grantee, each.grantor): Rights(each.held) for each in self.items}
        for column, items in self.columns:
            for each in items:
                key = (each.grantee, each.grantor)
                usual = self.default_of(*key) if self.items is None else NOTHING
                rights = found.get(key) or Rights(usual)
                found[key] = Rights(rights.held, {**rights.columns, column: each.held})
        return found

    def default_of(self, role: str, grantor: str) -> Held:
        """Return what a grantee has from a grantor where nobody said anything."""
        return self.default.get(role, NOTHING) if grantor == self.owner else NOTHING


def lists(reading: Reading) -> Collection[AccessList]:
    """Return the lists that `query` found."""
    found: dict[tuple[str, int], AccessList] = {}
    for catalogue, oid, table, on, schema, name, arguments, owner, items, default, column in reading.rows[
        "access_lists"
    ]:
        key = (catalogue, oid)
        parsed = tuple(map(parse_item, items))
        usual = {item.grantee: item.held for item in map(parse_item, default)}
        each = found.get(key)
        if each is None:
            each = AccessList(key, ("pg_class", table), on, schema, name, tuple(arguments), owner, usual)
            found[key] = each
        if column:
            each.columns.append((column, parsed))
        else:
            each.items, each.default = parsed, usual
    return found.values()


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where the lists of one kind of object are; every text is SQL."""

    catalogue: str
    alias: str
    on: str
    letter: str
    """What `acldefault` calls the kind."""
    name: str
    owner: str
    acl: str
    schema: str = ""
    """The column of pg_class's kin that is its schema's oid; empty for what is in none."""
    join: str = ""
    where: str = ""
    arguments: str = "'{}'::text[]"
    table: str = "0"
    column: str = "''"
    number: str = "0"
    default: str = ""
    anyway: str = ""
    """Condition under which a list comes out although it is as it was made."""

    def query(self) -> str:
        """Return the query: one row per list."""
        join, where, schema = self.join, self.where, "''"
        if self.schema:
            join += f" JOIN pg_catalog.pg_namespace n ON n.oid = {self.schema}"
            where += " AND ({user_schemas} OR n.nspname = 'pg_catalog')"
            schema = "n.nspname::text"
        default = self.default or f"coalesce(i.initprivs, acldefault({self.letter}, {self.owner}))"
        return f"""SELECT '{self.catalogue}', {self.alias}.oid, ({self.table})::oid, {self.on}, {schema},
    {self.name}::text, {self.arguments}, pg_get_userbyid({self.owner})::text, {self.acl}::text[],
    ({default})::text[], {self.column}::text
FROM pg_catalog.{self.catalogue} {self.alias}{join}
LEFT JOIN pg_catalog.pg_init_privs i ON i.classoid = 'pg_catalog.{self.catalogue}'::regclass
    AND i.objoid = {self.alias}.oid AND i.objsubid = {self.number}
WHERE {self.acl} IS NOT NULL AND ({self.acl} IS DISTINCT FROM i.initprivs{self.anyway}){where}"""


_RELATION = """CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized_view'
    WHEN 'f' THEN 'foreign_table' ELSE 'table' END"""
_TABLE_OF_SEQUENCE = """CASE c.relkind WHEN 'S' THEN coalesce((
    SELECT d.refobjid FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')), 0) ELSE 0 END"""
_TYPES_OF_ARGUMENTS = """array(SELECT format_type(a.type, NULL)
    FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, place) ORDER BY a.place)"""
_ROUTINE = "CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END"
_USUAL_OF_SCHEMA = """CASE n.nspname WHEN 'public' THEN acldefault('n', n.nspowner)
    || ('={public}/' || quote_ident(pg_get_userbyid(n.nspowner)))::aclitem
    ELSE coalesce(i.initprivs, acldefault('n', n.nspowner)) END"""
"""Everybody may use schema public from the beginning; before version 15 they may create things in it."""


def query(server: Server) -> str:
    """Return the query of every list; a table's own comes before those of its columns."""
    return "\nUNION ALL\n".join(each.query() for each in _sources(server))


def _sources(server: Server) -> list[_Source]:
    usual_of_schema = _USUAL_OF_SCHEMA.replace("{public}", "U" if server.since(15) else "UC")
    sources = [
        _Source(
            catalogue="pg_class", alias="c", on=_RELATION, name="c.relname", owner="c.relowner",
            letter="CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\"", acl="c.relacl",
            schema="c.relnamespace", where=" AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')",
            table=_TABLE_OF_SEQUENCE,
        ),
        _Source(
            catalogue="pg_class", alias="c", on=_RELATION, name="c.relname", owner="c.relowner",
            letter="'r'", acl="a.attacl", schema="c.relnamespace", column="a.attname", number="a.attnum",
            join=" JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped",
            default="acldefault('r', c.relowner)",
        ),
        _Source(
            catalogue="pg_namespace", alias="n", on="'schema'", name="n.nspname", owner="n.nspowner",
            letter="'n'", acl="n.nspacl", where=" AND ({user_schemas} OR n.nspname = 'pg_catalog')",
            default=usual_of_schema, anyway=" OR n.nspname = 'public'",
        ),
        _Source(
            catalogue="pg_proc", alias="p", on=_ROUTINE, name="p.proname", owner="p.proowner",
            letter="'f'", acl="p.proacl", schema="p.pronamespace", arguments=_TYPES_OF_ARGUMENTS,
        ),
        _Source(
            catalogue="pg_type", alias="t", on="CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END",
            name="t.typname", owner="t.typowner", letter="'T'", acl="t.typacl", schema="t.typnamespace",
        ),
        _Source(
            catalogue="pg_language", alias="l", on="'language'", name="l.lanname", owner="l.lanowner",
            letter="'l'", acl="l.lanacl",
        ),
        _Source(
            catalogue="pg_foreign_data_wrapper", alias="w", on="'foreign_data_wrapper'", name="w.fdwname",
            owner="w.fdwowner", letter="'F'", acl="w.fdwacl",
        ),
        _Source(
            catalogue="pg_foreign_server", alias="s", on="'foreign_server'", name="s.srvname",
            owner="s.srvowner", letter="'S'", acl="s.srvacl",
        ),
        _Source(
            catalogue="pg_database", alias="d", on="'database'", name="d.datname", owner="d.datdba",
            letter="'d'", acl="d.datacl", where=" AND d.datname = current_database()",
        ),
        _Source(
            catalogue="pg_tablespace", alias="b", on="'tablespace'", name="b.spcname", owner="b.spcowner",
            letter="'t'", acl="b.spcacl",
        ),
    ]  # fmt: skip
    if server.since(15):
        sources.append(
            _Source(
                catalogue="pg_parameter_acl",
                alias="r",
                on="'parameter'",
                name="r.parname",
                owner="10",
                letter="'p'",
                acl="r.paracl",
            )
        )
    return sources
