"""SQLite's resources: the models all SQL databases share, and what SQLite has more of.

SQLite keeps a schema as the text of its CREATE statements. So that such a text survives being turned into
configuration and back, models record, outside of equality, how they were written: the order of clauses
(the order of keys in configuration) in `written`, and `layout`, `quoting` or the whole `statement`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.providers.sqlite import fragments
from kolumn.providers.sqlite.tokens import fold
from kolumn.sql import model
from kolumn.sql.model import Constraint
from kolumn.sql.reference import Reference, parse_reference

CONFLICT = ("rollback", "abort", "fail", "ignore", "replace")
LAYOUTS = ("lines", "inline")
QUOTINGS = ("needed", "double", "brackets", "backticks")


def _written() -> Any:
    return dataclasses.field(default=(), compare=False, repr=False, kw_only=True)


def _conflict(what: str) -> Any:
    return attribute(
        f"What SQLite does when {what} fails",
        default="",
        validators=[one_of("", *CONFLICT)],
        grammar="keyword",
    )


def _statement(kind: str) -> Any:
    return attribute(
        f"The CREATE {kind} statement as first written, comments and line breaks included. Used word for "
        "word as long as it says the same as the other attributes; when they say something else, it is "
        "written anew",
        default="",
        compare=False,
    )


def _quoting() -> Any:
    return attribute(
        "How identifiers are quoted in the stored statement", default="needed", compare=False,
        validators=[one_of(*QUOTINGS)],
    )  # fmt: skip


_RESERVED_PREFIXES = {"sqlite_": "SQLite", "kolumn_": "Kolumn"}


def _verify_name(name: str) -> Iterator[Problem]:
    """Yield a fault for names that SQLite or Kolumn keep for themselves."""
    for prefix, owner in _RESERVED_PREFIXES.items():
        if fold(name).startswith(prefix):
            yield Problem(
                f"{name} is reserved: {owner} keeps names beginning with {prefix} for itself",
                code="reserved_name",
                path="name",
            )


@dataclass(frozen=True)
class SQLiteKeyPart(model.KeyPart):
    """One column or expression of an index or key."""

    KEY_ORDER: ClassVar[str] = "written"
    written: tuple[str, ...] = _written()


@dataclass(frozen=True)
class SQLitePrimaryKey(model.PrimaryKey):
    """A primary key written as a table constraint."""

    columns: tuple[SQLiteKeyPart, ...] = attribute("Columns of the key, in order", validators=[NOT_EMPTY])
    autoincrement: bool = attribute("Whether rowids are never used again", default=False)
    on_conflict: str = _conflict("the key")


@dataclass(frozen=True)
class SQLiteUnique(model.Unique):
    """A unique constraint."""

    columns: tuple[SQLiteKeyPart, ...] = attribute(
        "Columns of the constraint, in order", validators=[NOT_EMPTY]
    )
    on_conflict: str = _conflict("the constraint")


@dataclass(frozen=True)
class SQLiteCheck(model.Check):
    """A check constraint."""


@dataclass(frozen=True)
class SQLiteForeignKey(model.ForeignKey):
    """A foreign key."""

    KEY_ORDER: ClassVar[str] = "written"
    written: tuple[str, ...] = _written()

    def verify(self) -> Iterator[Problem]:
        """Yield faults: a target that cannot be read or is in another file."""
        yield from super().verify()
        yield from _verify_foreign_key(self.references)


def _verify_foreign_key(references: str) -> Iterator[Problem]:
    target = parse_reference(references)
    if target is not None and target.schema:
        yield Problem(
            "a foreign key cannot refer to a table in another attached file",
            code="invalid_reference",
            path="references",
            hint="Leave the schema out: the target is looked up in the file of the table itself.",
        )


@dataclass(frozen=True)
class SQLiteColumn(model.Column):
    """A column of a table, with the constraints written at it, in the order of the keys given."""

    KEY_ORDER: ClassVar[str] = "written"
    written: tuple[str, ...] = _written()

    CONSTRAINTS: ClassVar[Mapping[type[Any], tuple[str, ...]]] = {
        model.PrimaryKey: (
            *model.Column.CONSTRAINTS[model.PrimaryKey],
            "primary_key_name",
            "primary_key_order",
            "primary_key_conflict",
            "autoincrement",
        ),
        model.Unique: (*model.Column.CONSTRAINTS[model.Unique], "unique_name", "unique_conflict"),
        model.Check: (*model.Column.CONSTRAINTS[model.Check], "check_name"),
        model.ForeignKey: (*model.Column.CONSTRAINTS[model.ForeignKey], "references_name", "match"),
    }

    primary_key_name: str = attribute("Name of the primary key", default="", grammar="identifier")
    primary_key_order: str = attribute(
        "Sort order of the primary key", default="asc", validators=[one_of("asc", "desc")], grammar="keyword"
    )
    primary_key_conflict: str = _conflict("the primary key")
    autoincrement: bool = attribute("Whether rowids are never used again", default=False)
    not_null_conflict: str = _conflict("NOT NULL")
    unique_name: str = attribute("Name of the unique constraint", default="", grammar="identifier")
    unique_conflict: str = _conflict("the unique constraint")
    check_name: str = attribute("Name of the check constraint", default="", grammar="identifier")
    references_name: str = attribute("Name of the foreign key", default="", grammar="identifier")
    match: str = attribute("MATCH type of the foreign key, as written", default="", grammar="identifier")

    @staticmethod
    def prepare(config: Mapping[str, Any], path: str, problems: list[Problem]) -> Mapping[str, Any]:
        """Accept `nullable` as the opposite of `not_null`; true is kept, as NULL can be written."""
        if config.get("nullable") in (True, "true") and "not_null" not in config:
            return {"not_null" if key == "nullable" else key: False if key == "nullable" else value
                    for key, value in config.items()}  # fmt: skip
        return model.Column.prepare(config, path, problems)

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes, and texts that are not exactly one type or expression."""
        yield from super().verify()
        if self.references:
            yield from _verify_foreign_key(self.references)
        if self.comment:
            yield from fragments.comment_problems(self.comment, "comment")
        if self.stored and not self.generated:
            yield Problem(
                "stored is only for generated columns", code="conflicting_attributes", path="stored"
            )
        if self.autoincrement and not self.primary_key:
            yield Problem(
                "autoincrement needs primary_key at the same column",
                code="conflicting_attributes",
                path="autoincrement",
                hint='Write primary_key = true and type = "INTEGER" at this column.',
            )
        if self.primary_key and self.generated:
            yield Problem(
                "a generated column cannot be the primary key",
                code="conflicting_attributes",
                path="generated",
            )

    def constraints(self) -> Iterator[Constraint]:
        """Yield what is written at this column as the table constraints it means."""
        if self.primary_key:
            part = SQLiteKeyPart(column=self.name, order=self.primary_key_order)
            yield SQLitePrimaryKey(
                columns=(part,),
                name=self.primary_key_name,
                autoincrement=self.autoincrement,
                on_conflict=self.primary_key_conflict,
            )
        if self.unique:
            yield SQLiteUnique(
                columns=(SQLiteKeyPart(column=self.name),),
                name=self.unique_name,
                on_conflict=self.unique_conflict,
            )
        if self.check:
            yield SQLiteCheck(expression=self.check, name=self.check_name)
        if self.references:
            yield SQLiteForeignKey(
                columns=(self.name,),
                references=self.references,
                name=self.references_name,
                on_delete=self.on_delete,
                on_update=self.on_update,
                match=self.match,
                deferrable=self.deferrable,
                initially_deferred=self.initially_deferred,
            )


@dataclass(frozen=True)
class SQLiteTable(model.Table):
    """A table of SQLite, or a virtual table where `using` names a module."""

    KEY_ORDER: ClassVar[str] = "written"
    written: tuple[str, ...] = _written()

    columns: tuple[SQLiteColumn, ...] = attribute("Columns, in order", default=())
    primary_key: SQLitePrimaryKey | None = attribute(
        "Primary key: a list of columns, or a block", default=None
    )
    uniques: tuple[SQLiteUnique, ...] = attribute("Unique constraints", default=())
    checks: tuple[SQLiteCheck, ...] = attribute("Check constraints", default=())
    foreign_keys: tuple[SQLiteForeignKey, ...] = attribute("Foreign keys", default=())
    strict: bool = attribute(
        "Whether values must be of their column's type (STRICT)", default=False, guards="integrity"
    )
    without_rowid: bool = attribute("Whether rows are stored by primary key (WITHOUT ROWID)", default=False)
    using: str = attribute("Module of a virtual table, e.g. `fts5`", default="")
    arguments: tuple[str, ...] = attribute("Arguments of the virtual table's module, as written", default=())
    layout: str = attribute(
        "How the stored statement is laid out: one element per line, or all on one line",
        default="lines",
        compare=False,
        validators=[one_of(*LAYOUTS)],
    )
    quoting: str = _quoting()
    statement: str = _statement("TABLE")

    def verify(self) -> Iterator[Problem]:
        """Yield faults across columns, and what SQLite would refuse."""
        yield from super().verify()
        if self.comment:
            yield from fragments.comment_problems(self.comment, "comment")
        yield from self._verify_names()
        if self.using:
            yield from self._verify_virtual()
            return
        if self.arguments:
            yield Problem(
                "arguments are only for virtual tables", code="conflicting_attributes", path="arguments"
            )
        yield from self._verify_columns()
        if self.statement:
            yield from fragments.statement_problems(self.statement, "TABLE", "statement")

    def _verify_names(self) -> Iterator[Problem]:
        yield from _verify_name(self.name)
        if len({fold(column.name) for column in self.columns}) == len(self.columns):
            return
        seen: dict[str, str] = {}
        for column in self.columns:
            first = seen.setdefault(fold(column.name), column.name)
            if first != column.name:
                yield Problem(
                    f"columns {first} and {column.name} have the same name for SQLite, which ignores case",
                    code="duplicate",
                    path=f"columns.{column.name}",
                )

    def _verify_virtual(self) -> Iterator[Problem]:
        if self.columns or self.constraints() or self.strict or self.without_rowid:
            yield Problem(
                "a virtual table has only a module and arguments; its columns are the module's",
                code="conflicting_attributes",
                path="using",
                hint="Give columns as arguments, as in CREATE VIRTUAL TABLE.",
            )
        for position, text in enumerate(self.arguments):
            yield from fragments.argument_problems(text, f"arguments[{position}]")

    def _verify_columns(self) -> Iterator[Problem]:
        if all(column.generated for column in self.columns):
            yield Problem(
                f"table {self.name} needs at least one column that is not generated",
                code="missing_attribute",
                path="columns",
            )
        known = {fold(column.name) for column in self.columns}
        keys = [each for each in self.constraints() if isinstance(each, model.PrimaryKey)]
        for constraint in self.constraints():
            if isinstance(constraint, (model.PrimaryKey, model.Unique)):
                path = "primary_key" if isinstance(constraint, model.PrimaryKey) else "uniques"
                names = [part.column for part in constraint.columns]
                if "" in names:
                    yield Problem(
                        "a key of a table has columns, not expressions",
                        code="invalid_key",
                        path=path,
                        hint="Use a unique index for expressions.",
                    )
            elif isinstance(constraint, model.ForeignKey):
                path, names = "foreign_keys", list(constraint.columns)
            else:
                continue
            for name in names:
                if name and fold(name) not in known:
                    yield Problem(
                        f"there is no column {name} in table {self.name}", code="unknown_column", path=path
                    )
        if self.without_rowid and not keys:
            yield Problem(
                "a table without rowid needs a primary key", code="missing_attribute", path="primary_key"
            )
        if self.strict:
            for column in self.columns:
                if column.type.upper() not in fragments.STRICT_TYPES:
                    yield Problem(
                        f"a strict table cannot have a column of type {column.type or '(none)'}",
                        code="invalid_type",
                        path=f"columns.{column.name}.type",
                        hint=f"Use one of {', '.join(sorted(fragments.STRICT_TYPES))}.",
                    )
        if (
            any(isinstance(key, SQLitePrimaryKey) and key.autoincrement for key in keys)
            and self.rowid_column is None
        ):
            yield Problem(
                "autoincrement needs a primary key of one column of type INTEGER in a table with rowids",
                code="conflicting_attributes",
                path="primary_key",
            )

    @functools.cached_property
    def rowid_column(self) -> SQLiteColumn | None:
        """The column that is the rowid under another name (INTEGER PRIMARY KEY), if there is one."""
        if self.without_rowid or self.using:
            return None
        for column in self.columns:
            if column.primary_key:
                is_alias = column.type.upper() == "INTEGER" and column.primary_key_order.lower() != "desc"
                return column if is_alias else None
        if self.primary_key is None or len(self.primary_key.columns) != 1:
            return None
        name = fold(self.primary_key.columns[0].column)
        found = next((column for column in self.columns if fold(column.name) == name), None)
        return found if found is not None and found.type.upper() == "INTEGER" else None

    @property
    def autoincrement(self) -> bool:
        """Whether SQLite keeps the table's largest rowid in sqlite_sequence."""
        return any(column.autoincrement for column in self.columns) or (
            self.primary_key is not None and self.primary_key.autoincrement
        )

    def foreign_key_targets(self) -> tuple[Reference, ...]:
        """Return what the table's foreign keys refer to."""
        found = (
            parse_reference(each.references)
            for each in self.constraints()
            if isinstance(each, model.ForeignKey)
        )
        return tuple(each for each in found if each is not None)


@dataclass(frozen=True)
class SQLiteIndex(model.Index):
    """An index of its own, not one that a constraint brings."""

    columns: tuple[SQLiteKeyPart, ...] = attribute("Columns or expressions, in order", validators=[NOT_EMPTY])
    quoting: str = _quoting()
    statement: str = _statement("INDEX")

    def verify(self) -> Iterator[Problem]:
        """Yield a name that is reserved, a statement that is none."""
        yield from _verify_name(self.name)
        if self.statement:
            yield from fragments.statement_problems(self.statement, "INDEX", "statement")


@dataclass(frozen=True)
class SQLiteView(model.View):
    """A view."""

    statement: str = _statement("VIEW")

    def verify(self) -> Iterator[Problem]:
        """Yield a name that is reserved, a statement that is none."""
        yield from _verify_name(self.name)
        if self.statement:
            yield from fragments.statement_problems(self.statement, "VIEW", "statement")


@dataclass(frozen=True)
class SQLiteTrigger(model.InlineTrigger):
    """A trigger."""

    statement: str = _statement("TRIGGER")

    def verify(self) -> Iterator[Problem]:
        """Yield faults: a reserved name, several events, a statement that is none."""
        yield from _verify_name(self.name)
        if len(self.events) != 1:
            yield Problem(
                "SQLite's triggers have exactly one event",
                code="invalid_event",
                path="events",
                hint="Declare one trigger for each event.",
            )
        if self.statement:
            yield from fragments.statement_problems(self.statement, "TRIGGER", "statement")


@dataclass(frozen=True)
class SQLiteSchema(model.Schema):
    """Another database file, attached under a name."""

    path: str = attribute("The database file; created when it is not there", validators=[NOT_EMPTY])

    def verify(self) -> Iterator[Problem]:
        """Yield a fault for the names SQLite uses itself."""
        if fold(self.name) in ("main", "temp"):
            yield Problem(
                f"{self.name} is always there and cannot be attached", code="reserved_name", path="name"
            )


SQLiteObject = SQLiteTable | SQLiteIndex | SQLiteView | SQLiteTrigger
