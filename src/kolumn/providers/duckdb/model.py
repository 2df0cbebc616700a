"""What DuckDB's objects have beyond the models that all SQL databases share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.providers.duckdb.triggers import TriggerText
from kolumn.sql.model import Column, ForeignKey, Index, Schema, Table, View

_ACTIONS = ("no action", "restrict")


@dataclass(frozen=True)
class DuckDBColumn(Column):
    """A column of a DuckDB table."""

    def verify(self) -> Iterator[Problem]:
        """Yield what DuckDB's columns cannot have."""
        yield from super().verify()
        if not self.type:
            yield Problem(f"column {self.name} has no type", code="missing_attribute", path="type")
        if self.stored:
            yield Problem(
                "DuckDB computes generated columns when they are read, and stores none",
                code="unsupported",
                path="stored",
                hint="Leave stored out, or make it a plain column that is filled on insert.",
            )
        yield from _foreign_key_faults(self)


@dataclass(frozen=True)
class DuckDBTable(Table):
    """A DuckDB table. Names of constraints are taken and forgotten: DuckDB keeps none."""

    columns: tuple[DuckDBColumn, ...] = attribute("Columns, in order", default=())
    triggers: tuple[TriggerText, ...] = dataclasses.field(default=(), compare=False, repr=False, kw_only=True)
    """Those a live table has."""

    def verify(self) -> Iterator[Problem]:
        """Yield what DuckDB's tables cannot have."""
        yield from super().verify()
        if not self.columns:
            yield Problem("a table has at least one column", code="missing_attribute", path="columns")
        elif all(each.generated for each in self.columns):
            yield Problem(
                "a table has at least one column that is not generated", code="unsupported", path="columns"
            )
        for each in self.foreign_keys:
            yield from _foreign_key_faults(each)


def _foreign_key_faults(key: ForeignKey | Column) -> Iterator[Problem]:
    for action in ("on_delete", "on_update"):
        if getattr(key, action).lower() not in _ACTIONS:
            yield Problem(
                f"DuckDB's foreign keys refuse, and do nothing else: {action} = {getattr(key, action)!r}",
                code="unsupported",
                path=action,
                hint='Leave it out ("no action"), and change the rows that refer first.',
            )
    if key.deferrable or key.initially_deferred:
        yield Problem(
            "DuckDB checks foreign keys at once, never at the commit",
            code="unsupported",
            path="deferrable" if key.deferrable else "initially_deferred",
            hint="Leave it out.",
        )


@dataclass(frozen=True)
class DuckDBIndex(Index):
    """An index (ART) on columns or expressions."""

    comment: str = attribute("Comment", default="")

    def verify(self) -> Iterator[Problem]:
        """Yield what DuckDB's indexes cannot have."""
        if self.where:
            yield Problem(
                "DuckDB has no partial indexes",
                code="unsupported",
                path="where",
                hint="Leave where out: the index then has every row.",
            )
        for part in self.columns:
            if part.order.lower() != "asc" or part.collation:
                yield Problem(
                    "DuckDB's indexes have neither order nor collation of their own",
                    code="unsupported",
                    path="columns",
                    hint="Leave order and collation out; an expression such as lower(name) can stand for a collation.",
                )


@dataclass(frozen=True)
class DuckDBView(View):
    """A view."""

    comment: str = attribute("Comment", default="")
    column_comments: Mapping[str, Any] | None = attribute("Comments of columns, by name", default=None)

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for a comment that is no text."""
        for name, comment in (self.column_comments or {}).items():
            if not isinstance(comment, str):
                yield Problem("must be a text", code="wrong_type", path=f"column_comments.{name}")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a macro."""

    SHORTHAND: ClassVar[str] = "name"

    name: str = attribute("Parameter name", validators=[NOT_EMPTY], grammar="column")
    type: str = attribute("Type; any without", default="", grammar="type")
    default: str | None = attribute("Value where it is left out, as SQL", default=None, grammar="expression")


@dataclass(frozen=True)
class Overload:
    """One way to call a macro."""

    parameters: tuple[Parameter, ...] = attribute("Parameters, in order", default=())
    body: str = attribute(
        "What it stands for: an expression, or a query", validators=[NOT_EMPTY], grammar="macro"
    )


@dataclass(frozen=True)
class Function:
    """A macro: an expression, or a query, with parameters."""

    name: str = attribute("Function name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema; empty for the default one", default="", grammar="schema")
    returns: str = attribute(
        "`value`: an expression; `table`: a query", default="value", validators=[one_of("value", "table")],
        grammar="keyword",
    )  # fmt: skip
    parameters: tuple[Parameter, ...] = attribute("Parameters, in order", default=())
    body: str = attribute("What it stands for", validators=[NOT_EMPTY], grammar="macro")
    overloads: tuple[Overload, ...] = attribute("Further ways to call it, with other parameters", default=())
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    @property
    def ways(self) -> tuple[Overload, ...]:
        """All ways to call it."""
        return (Overload(parameters=self.parameters, body=self.body), *self.overloads)


@dataclass(frozen=True)
class Sequence:
    """A sequence of numbers."""

    name: str = attribute("Sequence name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema; empty for the default one", default="", grammar="schema")
    start: int | None = attribute(
        "First number of a new sequence; the least one, or the greatest of a descending one, where left out. One "
        "that is there goes on where it is",
        default=None,
        compare=False,
    )
    increment: int = attribute("Step from number to number; negative for a descending one", default=1)
    min_value: int | None = attribute("Least number", default=None)
    max_value: int | None = attribute("Greatest number", default=None)
    cycle: bool = attribute("Whether it begins anew after the last number", default=False)
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield numbers that contradict each other."""
        least, most, first = self.bounds
        if self.increment == 0:
            yield Problem("must not be 0", code="out_of_range", path="increment")
        if least >= most:
            yield Problem(f"must be less than max_value ({most})", code="out_of_range", path="min_value")
        elif not least <= first <= most:
            yield Problem(f"must be from {least} to {most}", code="out_of_range", path="start")

    @property
    def bounds(self) -> tuple[int, int, int]:
        """Least, greatest and first number."""
        up = self.increment > 0
        least = self.min_value if self.min_value is not None else 1 if up else -(2**63)
        most = self.max_value if self.max_value is not None else 2**63 - 1 if up else -1
        first = self.start if self.start is not None else least if up else most
        return least, most, first


@dataclass(frozen=True)
class TypeField:
    """A field of a struct."""

    SHORTHAND: ClassVar[str] = "type"

    name: str = attribute("Field name", validators=[NOT_EMPTY], grammar="column")
    type: str = attribute("Data type", validators=[NOT_EMPTY], grammar="type")


@dataclass(frozen=True)
class UserType:
    """A type with a name: an enum, a struct, or another name for a type."""

    name: str = attribute("Type name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema; empty for the default one", default="", grammar="schema")
    values: tuple[str, ...] = attribute("Values, in order: an enum", default=())
    fields: tuple[TypeField, ...] = attribute("Fields, in order: a struct", default=())
    definition: str = attribute(
        "The type it is another name for, e.g. `DECIMAL(10,2)` or `UNION(n INTEGER, t VARCHAR)`",
        default="",
        grammar="type",
    )
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield a fault unless exactly one of values, fields and definition is given."""
        given = [name for name in ("values", "fields", "definition") if getattr(self, name)]
        if len(given) != 1:
            yield Problem(
                "give exactly one of values, fields and definition",
                code="conflicting_attributes" if given else "missing_attribute",
                path=given[-1] if given else "definition",
            )
        if len(set(self.values)) < len(self.values):
            yield Problem("a value is given twice", code="duplicate", path="values")


FORMATS: Mapping[str, str] = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}
"""By format of a stage: the function that reads its files."""


@dataclass(frozen=True)
class Stage:
    """Files outside of the database that are read like a table: a view over a function that reads them."""

    name: str = attribute("Name under which the files are read", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema; empty for the default one", default="", grammar="schema")
    format: str = attribute(
        "Format of the files", validators=[one_of(*FORMATS)], default="parquet", grammar="keyword"
    )
    paths: tuple[str, ...] = attribute(
        "Files: paths, patterns such as `data/*.parquet`, or URLs", validators=[NOT_EMPTY]
    )
    options: Mapping[str, Any] | None = attribute(
        "Options of the function that reads them, e.g. `header`, by name", default=None
    )
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield options that are no plain values."""
        for name, value in (self.options or {}).items():
            if not name.isidentifier():
                yield Problem("is no name of an option", code="invalid_name", path=f"options.{name}")
            if not _is_plain(value):
                yield Problem(
                    "must be a text, a number, true, false, or a list or map of these",
                    code="wrong_type",
                    path=f"options.{name}",
                )


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    return isinstance(value, str | int | float | bool)


@dataclass(frozen=True)
class Secret:
    """Credentials for files outside, kept in DuckDB's folder of secrets, for all databases of its user."""

    GUARDS: ClassVar[str] = "security"

    name: str = attribute("Secret name", validators=[NOT_EMPTY], grammar="identifier")
    type: str = attribute("What it is for, e.g. `http`, `s3`, `gcs`", validators=[NOT_EMPTY], grammar="word")
    provider: str = attribute(
        "How the values are found: `config` (given here), `credential_chain`, ...",
        default="",
        kept=True,
        grammar="word",
    )
    scope: tuple[str, ...] = attribute("Prefixes of the URLs it is for; all without", default=())
    values: Mapping[str, Any] | None = attribute(
        "Its values by name, e.g. `bearer_token`", default=None, sensitive=True, compare=False
    )
    content: bytes = dataclasses.field(default=b"", compare=False, repr=False, kw_only=True)
    """The file in which DuckDB keeps a live one."""

    def verify(self) -> Iterator[Problem]:
        """Yield values that are no texts."""
        for name, value in (self.values or {}).items():
            if not name.isidentifier():
                yield Problem("is no name of a value", code="invalid_name", path=f"values.{name}")
            if not _is_plain(value):
                yield Problem("must be a text, number, list or map", code="wrong_type", path=f"values.{name}")


@dataclass(frozen=True)
class AttachedDatabase:
    """Another database file, read and written through this one under a name."""

    name: str = attribute("Name under which it is attached", validators=[NOT_EMPTY], grammar="identifier")
    path: str = attribute("The file; relative to the folder of this database", validators=[NOT_EMPTY])
    read_only: bool = attribute("Whether it can only be read", default=False)


@dataclass(frozen=True)
class DuckDBSchema(Schema):
    """A schema."""
