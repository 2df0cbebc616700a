"""What the SQL floor asks of a database about equality of names, types and expressions."""

from __future__ import annotations

from typing import Protocol

from kolumn.engine.operations import Risk
from kolumn.sql.model import Column


class Dialect(Protocol):
    """Normal forms: two texts with the same one mean the same to the database."""

    name: str

    def fold(self, identifier: str) -> str:
        """Return the form in which identifiers are compared (SQLite: lower case)."""

    def normal_type(self, type_name: str) -> str:
        """Return the normal form of a column type."""

    def normal_expression(self, text: str) -> str:
        """Return the normal form of an expression or predicate."""

    def normal_statement(self, text: str) -> str:
        """Return the normal form of a whole statement: a view's query, a trigger's body."""

    def type_change_risks(self, table: str, before: Column, after: Column) -> tuple[Risk, ...]:
        """Return what a change of type endangers."""

    def relations(self, text: str) -> frozenset[str]:
        """Return the folded names of tables and views a statement or expression may refer to."""
