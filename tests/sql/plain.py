"""A plain dialect, for what the SQL floor does whatever the database; and models with a provider's extras."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from kolumn.engine.declaration import NOT_EMPTY, attribute
from kolumn.engine.operations import Risk
from kolumn.sql.dialect import Dialect, Relation
from kolumn.sql.handlers import TableHandler
from kolumn.sql.model import Check, Column, Constraint, ForeignKey, KeyPart, PrimaryKey, Table, Unique

_ALIASES = {"int": "integer", "character varying": "varchar"}


class PlainDialect(Dialect):
    """Names without regard to case, keywords in capitals or not, whitespace free."""

    name = "plain"

    def __init__(self, *, inline: bool = False, places: bool = False, generated: bool = False) -> None:
        self.inline_foreign_keys = inline
        self.places_columns = places
        self._generated = generated

    def fold(self, identifier: str) -> str:
        return identifier.lower()

    def normal_schema(self, name: str) -> str:
        return "" if name.lower() == "public" else name.lower()

    def normal_type(self, type_name: str) -> str:
        lowered = " ".join(type_name.lower().split())
        return _ALIASES.get(lowered, lowered)

    def normal_expression(self, text: str) -> str:
        return re.sub(r"\s+", "", text).lower()

    def normal_statement(self, text: str) -> str:
        return " ".join(text.lower().split())

    def generated_name(self, table: str, constraint: Constraint) -> bool:
        return self._generated and constraint.name.startswith(f"{table}_")

    def type_change_risks(self, table: str, before: Column, after: Column) -> tuple[Risk, ...]:
        return (Risk("table_rewrite", f"rewrites table {table}"),)

    def relations(self, text: str) -> frozenset[Relation]:
        found = re.findall(r"\b(?:from|join|into|update)\s+(?:(\w+)\.)?(\w+)", text, re.IGNORECASE)
        return frozenset(Relation(name.lower(), schema.lower()) for schema, name in found)

    def with_column_renamed(self, text: str, old: str, new: str) -> str:
        return re.sub(rf"\b{re.escape(old)}\b", new, text, flags=re.IGNORECASE)

    def check_identifier(self, name: str) -> str | None:
        return "it has a NUL" if "\0" in name else "it is empty" if not name else None

    def check_type(self, text: str) -> str | None:
        return None if re.fullmatch(r"\w+( \w+)*( ?\(\d+(, ?\d+)?\))?", text) else "not a type"

    def check_expression(self, text: str) -> str | None:
        outside = re.sub(r"'(?:[^']|'')*'", "", text)
        if not text.strip() or ";" in outside or "'" in outside or outside.count("(") != outside.count(")"):
            return "it is empty, unbalanced or has a semicolon"
        return None

    def check_query(self, text: str) -> str | None:
        return None if text.lower().startswith("select ") and ";" not in text else "not one SELECT"

    def check_body(self, text: str) -> str | None:
        return None if text.strip() else "empty"

    def is_constant(self, word: str) -> bool:
        return word.upper() in ("CURRENT_TIMESTAMP", "CURRENT_DATE")


@dataclass(frozen=True)
class Exclusion:
    """A kind of constraint the floor does not know."""

    KIND: ClassVar[str] = "exclusion"

    columns: tuple[KeyPart, ...] = attribute("Columns", validators=[NOT_EMPTY])
    name: str = attribute("Constraint name", default="", grammar="identifier")


@dataclass(frozen=True)
class PlainColumn(Column):
    """A column with attributes the floor does not know."""

    invisible: bool = attribute("Whether `*` leaves it out", default=False)
    storage: str = attribute("How it is stored", default="", grammar="keyword")


@dataclass(frozen=True)
class PlainTable(Table):
    """A table with attributes the floor does not know."""

    CONSTRAINTS: ClassVar = {**Table.CONSTRAINTS, Exclusion: "exclusions"}

    columns: tuple[PlainColumn, ...] = attribute("Columns, in order", default=())
    exclusions: tuple[Exclusion, ...] = attribute("Exclusion constraints", default=())
    engine: str = attribute("Storage engine", default="", grammar="keyword")
    layout: str = attribute("How it is written down", default="", compare=False)


def tables(**options: bool) -> TableHandler:
    return TableHandler(PlainTable, PlainDialect(**options))


__all__ = [
    "Check",
    "ForeignKey",
    "PlainColumn",
    "PlainDialect",
    "PlainTable",
    "PrimaryKey",
    "Unique",
    "tables",
]
