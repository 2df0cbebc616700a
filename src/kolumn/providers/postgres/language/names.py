"""Names of objects as one text of configuration: `name`, or `schema.name` for what is not in public.

A part that has a dot or a quote in it stands in double quotes; apart from that names are exact, as everywhere.
A collation or operator class without a schema may also be one of PostgreSQL's own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from kolumn.providers.postgres.language.tokens import quote
from kolumn.sql import reference
from kolumn.sql.normal import Grammar

_OPERATOR = re.compile(r"(?!.*(?:--|/\*))[-+*/<>=~!@#%^&|`?]{1,63}")


@lru_cache(maxsize=4096)
def parse_name(text: str) -> tuple[str, str] | None:
    """Return schema and name, the schema empty where none is given or for public; None if it is no name."""
    parts = reference.parse_dotted(text)
    match parts:
        case (name,):
            return "", name
        case (schema, name):
            return "" if schema == "public" else schema, name
    return None


def name_fault(text: str) -> str | None:
    """Return why `text` is not one name, None if it is."""
    return None if parse_name(text) is not None else "write `name` or `schema.name`"


def normal_name(text: str) -> str:
    """Return the one spelling of a name; pg_catalog and public are left out."""
    found = parse_name(text)
    return text if found is None else spelled(*found)


def spelled(schema: str, name: str) -> str:
    """Return a name as configuration has it."""
    prefix = f"{reference.quote(schema)}." if schema not in ("", "public", "pg_catalog") else ""
    return prefix + reference.quote(name)


def catalogued(schema: str, name: str) -> str:
    """Return what configuration calls an object of the catalogue, empty where there is none."""
    return spelled(schema, name) if name else ""


class ObjectName(NamedTuple):
    """What a name means: the schema is empty for public and for what is built in."""

    name: str
    schema: str = ""

    @property
    def sql(self) -> str:
        """The name as SQL; without a schema it is looked up in what is built in, then in public."""
        return f"{quote(self.schema)}.{quote(self.name)}" if self.schema else quote(self.name)


def object_name(text: str) -> ObjectName:
    """Return what a checked text names."""
    schema, name = parse_name(text) or ("", text)
    return ObjectName(name, "" if schema == "pg_catalog" else schema)


def relation(schema: str, name: str, own: str) -> str:
    """Return a table as one in schema `own` refers to it; empty schemas are public."""
    prefix = "" if schema == own else f"{reference.quote(schema or 'public')}."
    return prefix + reference.quote(name)


def related(text: str, own: str) -> tuple[str, str]:
    """Return schema and name of a table that one in schema `own` refers to; empty schemas are public."""
    parts = reference.parse_dotted(text) or (text,)
    schema = parts[0] if len(parts) > 1 else own
    return "" if schema == "public" else schema, parts[-1]


def name_sql(text: str) -> str:
    """Return a name as SQL, found through the search path where it has no schema."""
    schema, name = parse_name(text) or ("", text)
    return f"{quote(schema)}.{quote(name)}" if schema else quote(name)


def operator_fault(text: str) -> str | None:
    """Return why `text` is not one operator, `=` or `schema.=`, None if it is."""
    return None if _OPERATOR.fullmatch(_parts(text)[1]) is not None else "write an operator such as = or &&"


def normal_operator(text: str) -> str:
    """Return the one spelling of an operator; pg_catalog and public are left out."""
    schema, sign = _parts(text)
    return sign if schema in ("", "public", "pg_catalog") else f"{reference.quote(schema)}.{sign}"


def operator_sql(text: str) -> str:
    """Return an operator as SQL."""
    schema, sign = _parts(text)
    return f"OPERATOR({quote(schema)}.{sign})" if schema else sign


def _parts(text: str) -> tuple[str, str]:
    text = text.strip()
    head, dot, sign = text.rpartition(".")
    names = reference.parse_dotted(head) if dot else ()
    return (names[0], sign) if len(names) == 1 else ("", text)


NAME = Grammar(name_fault, normal_name)
"""The grammar of attributes that name an object."""
OPERATOR = Grammar(operator_fault, normal_operator)
"""The grammar of attributes that name an operator."""
