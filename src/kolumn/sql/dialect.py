"""What the SQL floor asks of a database about its language, and what its tables can do.

A provider's dialect subclasses `Dialect` and so inherits what is said here of most databases.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from kolumn.engine.operations import Risk
from kolumn.sql.fragments import Fragments
from kolumn.sql.model import Column, Constraint, Table


class Relation(NamedTuple):
    """A table or view as a text names it, folded; `schema` is empty where the text says none."""

    name: str
    schema: str = ""


class Dialect(Protocol):
    """One database's language. Two texts with the same normal form mean the same to the database.

    Every method is pure and should be cached: planning asks for the same few texts over and over.
    """

    name: str
    fragments: Fragments
    """What can tell whether a text is exactly one piece of the language."""

    inline_foreign_keys: bool = False
    """Whether a foreign key can only be made with its table, before what it refers to exists."""
    places_columns: bool = False
    """Whether a column can be added between others in place."""
    renames: frozenset[str] = frozenset({"table"})
    """Resource types whose objects can be renamed in place."""
    named_in_table: frozenset[str] = frozenset()
    """Resource types whose names are unique per table only, e.g. `index` in MySQL."""
    relation_types: tuple[str, ...] = ("table", "view")
    """Resource types whose objects a FROM clause can name."""

    def fold(self, identifier: str) -> str:
        """Return the form in which identifiers are compared (SQLite: lower case)."""
        ...

    def normal_schema(self, name: str) -> str:
        """Return the folded name of a schema, empty for the default one."""
        return self.fold(name)

    def normal_type(self, type_name: str) -> str:
        """Return the normal form of a column type."""
        ...

    def normal_expression(self, text: str) -> str:
        """Return the normal form of an expression or predicate."""
        ...

    def normal_statement(self, text: str) -> str:
        """Return the normal form of a view's query or a trigger's body."""
        ...

    def normal_table(self, table: Table) -> Table:
        """Return `table`, whose texts are in normal form already, with what only shows across attributes.

        For example, where a primary key implies NOT NULL: its columns as not null.
        """
        return table

    def generated_name(self, table: str, constraint: Constraint) -> bool:
        """Whether a constraint's name is what the database itself gives to one without a name."""
        return False

    def type_change_risks(self, table: str, before: Column, after: Column) -> tuple[Risk, ...]:
        """Return what a change of type endangers."""
        ...

    def relations(self, text: str) -> frozenset[Relation]:
        """Return the tables and views a statement or expression may refer to."""
        ...

    def with_column_renamed(self, text: str, old: str, new: str) -> str:
        """Return an expression over one table's columns as the database rewrites it after a rename.

        The text itself where it does not; then what used the old name is dropped and made anew.
        """
        return text

    def check_identifier(self, name: str) -> str | None:
        """Return why the database cannot have an object of this name, None if it can."""
        if "\0" in name:
            return "it has a NUL character"
        try:
            name.encode()
        except UnicodeEncodeError:
            return "it is no valid Unicode text"
        return None

    def check_type(self, text: str) -> str | None:
        """Return why `text` is not exactly one column type, None if it is."""
        return self.fragments.type_fault(text) or None

    def check_expression(self, text: str) -> str | None:
        """Return why `text` is not exactly one expression, None if it is."""
        return self.fragments.expression_fault(text) or None

    def check_query(self, text: str) -> str | None:
        """Return why `text` is not exactly one query, None if it is."""
        return self.fragments.query_fault(text) or None

    def check_body(self, text: str) -> str | None:
        """Return why `text` cannot be the whole of a trigger's body, None if it can."""
        return self.fragments.body_fault(text) or None

    def is_constant(self, word: str) -> bool:
        """Whether a lone word can be a default: a keyword or constant such as CURRENT_TIMESTAMP.

        Any other word is taken for a text whose quotes were forgotten.
        """
        ...
