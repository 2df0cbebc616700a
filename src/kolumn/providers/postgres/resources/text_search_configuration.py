"""Text search configurations (https://www.postgresql.org/docs/current/sql-createtsconfig.html).

Which dictionaries the tokens of a parser are looked up in changes in place. Parsers, dictionaries and templates
themselves are not managed: they are named, and have to be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.names import NAME, catalogued, object_name
from kolumn.providers.postgres.language.tokens import quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.sql.normal import Grammar


@dataclass(frozen=True)
class TokenMapping:
    """What tokens of one type are looked up in."""

    SHORTHAND: ClassVar[str] = "dictionaries"

    name: str = attribute("Type of token, e.g. asciiword", validators=[NOT_EMPTY], grammar="identifier")
    dictionaries: tuple[str, ...] = attribute(
        "Dictionaries, asked one after the other", validators=[NOT_EMPTY], grammar="name"
    )


@dataclass(frozen=True)
class TextSearchConfiguration:
    """How a text is cut into lexemes."""

    name: str = attribute("Name of the configuration", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema it is in; empty for public", default="", grammar="schema")
    parser: str = attribute("Parser that cuts texts into tokens", default="default", grammar="name")
    mappings: tuple[TokenMapping, ...] = attribute(
        "By type of token: the dictionaries it is looked up in", default=()
    )
    owner: str = attribute("Role that owns it", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for every type of token mapped twice."""
        seen: set[str] = set()
        for each in self.mappings:
            if each.name in seen:
                yield Problem(
                    f"tokens of type {each.name} are mapped twice",
                    code="duplicate",
                    path=f"mappings.{each.name}",
                )
            seen.add(each.name)


class TextSearchConfigurationHandler(PostgresHandler[TextSearchConfiguration]):
    """Text search configurations."""

    type = "text_search_configuration"
    description = "A text search configuration: a parser, and dictionaries for its tokens"
    MODEL = TextSearchConfiguration
    KEYWORD: ClassVar[str] = "TEXT SEARCH CONFIGURATION"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"name": NAME}
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"owner", "comment", "mappings"})

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_ts_config."""
        return {
            "text_search_configurations": f"""
SELECT c.oid, n.nspname, c.cfgname, pn.nspname, p.prsname,
    array(
        SELECT ARRAY[t.alias, dn.nspname::text, d.dictname::text]
        FROM pg_catalog.pg_ts_config_map m
        JOIN pg_catalog.ts_token_type(c.cfgparser) t ON t.tokid = m.maptokentype
        JOIN pg_catalog.pg_ts_dict d ON d.oid = m.mapdict
        JOIN pg_catalog.pg_namespace dn ON dn.oid = d.dictnamespace
        WHERE m.mapcfg = c.oid ORDER BY t.alias, m.mapseqno
    ),
    pg_get_userbyid(c.cfgowner)
FROM pg_catalog.pg_ts_config c
JOIN pg_catalog.pg_namespace n ON n.oid = c.cfgnamespace
JOIN pg_catalog.pg_ts_parser p ON p.oid = c.cfgparser
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.prsnamespace
WHERE {{user_schemas}} AND {not_a_member("pg_ts_config", "c.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the configurations."""
        for oid, schema, name, of_parser, parser, mappings, owner in reading.rows[
            "text_search_configurations"
        ]:
            place = self.dialect.normal_schema(schema)
            tokens: dict[str, list[str]] = {}
            for token, of_dictionary, dictionary in mappings:
                tokens.setdefault(token, []).append(catalogued(of_dictionary, dictionary))
            pairs = tuple((token, tuple(names)) for token, names in sorted(tokens.items()))
            comment = reading.comment("pg_ts_config", oid)
            row = (name, place, catalogued(of_parser, parser), pairs, owner, comment)
            yield Entry(Ref(self.type, name, place), ("pg_ts_config", oid), row)

    def build(self, entry: Entry) -> TextSearchConfiguration:
        """Return the configuration."""
        name, schema, parser, mappings, owner, comment = entry.row
        return TextSearchConfiguration(
            name=name,
            schema=schema,
            parser=parser,
            mappings=tuple(TokenMapping(name=token, dictionaries=names) for token, names in mappings),
            owner=owner,
            comment=comment,
        )

    def normal(self, model: TextSearchConfiguration) -> TextSearchConfiguration:
        """Return the normal form; the order of the types of tokens says nothing."""
        normal = super().normal(model)
        return replace(normal, mappings=tuple(sorted(normal.mappings, key=lambda each: each.name)))

    def definition_sql(self, model: TextSearchConfiguration, server: Server) -> Iterator[str]:
        """Yield CREATE TEXT SEARCH CONFIGURATION and its mappings."""
        yield f"CREATE TEXT SEARCH CONFIGURATION {self.address(model)} (PARSER = {_parser_sql(model.parser)})"
        for each in model.mappings:
            yield self._mapping_sql("ADD", model, each)

    def alteration(
        self, field: str, before: TextSearchConfiguration, after: TextSearchConfiguration, server: Server
    ) -> Iterator[str]:
        """Yield ALTER TEXT SEARCH CONFIGURATION for every type of token that differs."""
        held = {each.name: each for each in self.normal(before).mappings}
        wanted = {each.name: each for each in self.normal(after).mappings}
        for name in held:
            if name not in wanted:
                yield f"ALTER {self.KEYWORD} {self.address(after)} DROP MAPPING FOR {quote(name)}"
        for name, each in wanted.items():
            if held.get(name) != each:
                yield self._mapping_sql("ALTER" if name in held else "ADD", after, each)

    def _mapping_sql(self, verb: str, model: TextSearchConfiguration, mapping: TokenMapping) -> str:
        names = ", ".join(object_name(each).sql for each in mapping.dictionaries)
        return f"ALTER {self.KEYWORD} {self.address(model)} {verb} MAPPING FOR {quote(mapping.name)} WITH {names}"


def _parser_sql(text: str) -> str:
    return object_name(text).sql
