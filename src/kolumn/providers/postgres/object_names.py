"""Names of objects as attributes give them: exact, with the schema before a period where it is not public.

`touch` is that name in the schema public or among what is built in, as PostgreSQL looks it up; `app.touch`
has its schema; a name with a period or a quote in it stands in double quotes, quotes in it doubled.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kolumn.providers.postgres.tokens import quote
from kolumn.sql.normal import Grammar

_PART = r'(?:"(?:[^"]|"")+"|[^".\s](?:[^".]*[^".\s])?)'
_NAME = re.compile(rf"\s*(?:({_PART})\.)?({_PART})\s*")
_PLAIN = re.compile(r'[^".\s](?:[^".]*[^".\s])?')
_USUAL = ("", "public", "pg_catalog")
"""Schemas that are looked through, and so are left out."""


class ObjectName(NamedTuple):
    """An object's name and schema; the latter is empty for public and for what is built in."""

    name: str
    schema: str = ""

    def __str__(self) -> str:
        return f"{_spelled(self.schema)}.{_spelled(self.name)}" if self.schema else _spelled(self.name)

    @property
    def sql(self) -> str:
        """The name as SQL; without a schema it is looked up in what is built in, then in public."""
        return f"{quote(self.schema)}.{quote(self.name)}" if self.schema else quote(self.name)


def parse_name(text: str) -> ObjectName | None:
    """Read a name, None if it is not one."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    schema, name = (_unquoted(part) for part in match.groups(""))
    return ObjectName(name, "" if schema in _USUAL else schema)


def object_name(text: str) -> ObjectName:
    """Return the name that a checked text gives."""
    found = parse_name(text)
    assert found is not None, text
    return found


def qualified_name(schema: str, name: str) -> str:
    """Return what names an object of the catalogue; empty for the empty name."""
    return str(ObjectName(name, "" if schema in _USUAL else schema)) if name else ""


def _check(text: str) -> str | None:
    if parse_name(text) is None:
        return "write a name, or a schema and a name with a period between them"
    long = [part for part in parse_name(text) or () if len(part.encode("utf-8", "surrogatepass")) > 63]
    return f"{long[0][:20]}... has more than 63 bytes" if long else None


def _normal(text: str) -> str:
    found = parse_name(text)
    return text if found is None else str(found)


NAME = Grammar(_check, _normal)
"""The grammar of attributes that name an object."""


def _spelled(part: str) -> str:
    return part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"'


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part
