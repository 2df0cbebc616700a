"""The two forms of a table: canonical, which says everything once and by name, and concise, as a person writes it.

In canonical form every constraint stands at the table and has a name, the one PostgreSQL would give it where
nobody gave one; what is NOT NULL by other means says so. Tables are compared, and SQL is written, in this form.
In concise form whatever PostgreSQL would come up with itself is left out, and constraints of one column stand
at their column.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Set
from functools import lru_cache
from typing import Any

from kolumn.engine.declaration import declared_fields, replaced
from kolumn.engine.sharing import OncePerObject
from kolumn.providers.postgres.language import naming
from kolumn.providers.postgres.language.tokens import NAME_BYTES, clip, identifier, tokenize
from kolumn.providers.postgres.language.types import serial_of
from kolumn.providers.postgres.tables.model import (
    Exclusion,
    NotNull,
    PostgresCheck,
    PostgresColumn,
    PostgresForeignKey,
    PostgresPrimaryKey,
    PostgresTable,
    PostgresUnique,
)
from kolumn.sql.model import Check, Constraint, ForeignKey, PrimaryKey, Unique
from kolumn.sql.tokens import QUOTED, WORD

_CANONICAL = "canonical form"
"""Where a table keeps its canonical form, and such a form that it is one, beside its fields."""


def canonical(table: PostgresTable) -> PostgresTable:
    """Return the table with every constraint at the table, all with names; worked out once for each."""
    kept = vars(table).get(_CANONICAL)
    if kept is None:
        kept = _canonical(table)
        vars(table)[_CANONICAL] = kept
        vars(kept)[_CANONICAL] = True
    return table if kept is True else kept


def _canonical(table: PostgresTable) -> PostgresTable:
    if _is_canonical(table):
        return table
    held = dict.fromkeys(table.constraints())
    taken = {constraint.name for constraint in held if constraint.name}
    columns = [column.name for column in table.columns]
    named: dict[str, list[Constraint]] = {field: [] for field in table.CONSTRAINTS.values()}
    for constraint in held:
        full = constraint
        if not constraint.name:
            full = replaced(constraint, {"name": _free_name(table.name, constraint, columns, taken)})
            taken.add(full.name)
        field = next(field for kind, field in table.CONSTRAINTS.items() if isinstance(constraint, kind))
        named[field].append(full)
    keys = named.pop("primary_key")
    key = keys[0] if keys else None
    changes: dict[str, Any] = {field: tuple(each) for field, each in named.items()}
    keyed = {part.column for part in key.columns} if isinstance(key, PrimaryKey) else frozenset()
    changes["primary_key"] = key
    changes["columns"] = _canonical_columns(table, keyed)
    return replaced(table, changes)


def _is_canonical(table: PostgresTable) -> bool:
    """Whether there is nothing to do, as where a canonical table has lost a constraint."""
    names = {constraint.name for constraint in table.constraints()}
    if (
        "" in names
        or len(names) < len(table.constraints())
        or any(each.own_constraints for each in table.columns)
    ):
        return False
    keyed = (
        {part.column for part in table.primary_key.columns} if table.primary_key is not None else frozenset()
    )
    return all(map(operator.is_, _canonical_columns(table, keyed), table.columns))


def _canonical_columns(table: PostgresTable, keyed: Set[str]) -> tuple[PostgresColumn, ...]:
    return tuple(
        _canonical_key_column(column) if column.name in keyed else _canonical_column(column)
        for column in table.columns
    )


@OncePerObject
def _canonical_column(column: PostgresColumn) -> PostgresColumn:
    return _with_what_is_meant(column, keyed=False)


@OncePerObject
def _canonical_key_column(column: PostgresColumn) -> PostgresColumn:
    return _with_what_is_meant(column, keyed=True)


def _with_what_is_meant(column: PostgresColumn, *, keyed: bool) -> PostgresColumn:
    column = column.without_constraints()
    not_null = column.not_null or keyed or column.identity is not None or serial_of(column.type) is not None
    is_null = not column.inherited and (column.default or "").strip().lower() == "null"
    default = None if is_null else column.default
    if not_null == column.not_null and default == column.default:
        return column
    return replaced(column, {"not_null": not_null, "default": default})


def with_not_null_names(table: PostgresTable) -> PostgresTable:
    """Return a canonical table with the names of its not-null constraints, as PostgreSQL 18 has them."""
    columns = tuple(
        _with_not_null_name(table.name, column) if column.not_null else column for column in table.columns
    )
    return replaced(table, {"columns": columns})


def _with_not_null_name(table: str, column: PostgresColumn) -> PostgresColumn:
    constraint = column.not_null_constraint or NotNull()
    if constraint.name:
        return column
    named = replaced(constraint, {"name": naming.not_null_name(table, column.name)})
    return replaced(column, {"not_null_constraint": named})


def without_not_null_names(table: PostgresTable) -> PostgresTable:
    """Return the table as a server before PostgreSQL 18 knows it."""
    columns = tuple(
        column if column.not_null_constraint is None else replaced(column, {"not_null_constraint": None})
        for column in table.columns
    )
    return replaced(table, {"columns": columns})


def usual_name(table: str, constraint: Constraint, columns: Iterable[str]) -> str:
    """Return the name PostgreSQL gives a constraint if no other has it; `columns` are the table's."""
    match constraint:
        case PrimaryKey():
            return naming.primary_key_name(table)
        case Unique():
            include: tuple[str, ...] = getattr(constraint, "include", ())
            return naming.key_name(table, [*(part.column for part in constraint.columns), *include])
        case ForeignKey():
            return naming.foreign_key_name(table, constraint.columns)
        case Check():
            used = mentioned(constraint.expression, columns)
            return naming.check_name(table, used[0] if len(used) == 1 else "")
    assert isinstance(constraint, Exclusion)
    parts = [part.column or naming.expression_name(part.expression) for part in constraint.columns]
    return naming.key_name(table, [*parts, *constraint.include], "excl")


def mentioned(expression: str, columns: Iterable[str]) -> list[str]:
    """Return those of `columns` that an expression over one table uses."""
    used = _names(expression)
    return [column for column in columns if column in used]


@lru_cache(maxsize=65536)
def _names(expression: str) -> frozenset[str]:
    """Return the names in an expression that may be columns'."""
    tokens = tokenize(expression)
    found = set()
    for place, token in enumerate(tokens):
        if token.kind not in (WORD, QUOTED):
            continue
        before = tokens[place - 1].word if place else ""
        after = tokens[place + 1].word if place + 1 < len(tokens) else ""
        if before != "::" and after not in ("(", "."):
            found.add(identifier(token))
    return frozenset(found)


def _free_name(table: str, constraint: Constraint, columns: list[str], taken: set[str]) -> str:
    base = name = usual_name(table, constraint, columns)
    number = 0
    while name in taken:
        number += 1
        name = clip(base, NAME_BYTES - len(str(number))) + str(number)
    return name


# Concise


def concise(table: PostgresTable) -> PostgresTable:
    """Return a canonical table as a person writes it."""
    columns = [column.name for column in table.columns]
    unnamed: dict[str, Any] = {}
    for field in table.CONSTRAINTS.values():
        held = getattr(table, field)
        if isinstance(held, tuple):
            unnamed[field] = tuple(_without_usual_name(table.name, each, columns) for each in held)
        elif held is not None:
            unnamed[field] = _without_usual_name(table.name, held, columns)
    table = replaced(table, unnamed)
    table = _with_constraints_at_columns(table)
    keyed = {part.column for part in table.primary_key.columns} if table.primary_key is not None else set()
    shown = [_concise_column(table, column, keyed) for column in table.columns if _is_shown(table, column)]
    return replaced(table, {"columns": tuple(shown)})


def _without_usual_name(table: str, constraint: Constraint, columns: list[str]) -> Constraint:
    usual = constraint.name == usual_name(table, constraint, columns)
    return replaced(constraint, {"name": ""}) if usual else constraint


def _is_shown(table: PostgresTable, column: PostgresColumn) -> bool:
    return not table.derives or column.local or not column.follows or any(column.constraints())


def _concise_column(table: PostgresTable, column: PostgresColumn, keyed: set[str]) -> PostgresColumn:
    if column.inherited and not column.local:
        return _as_override(column)
    serial = serial_of(column.type) is not None
    implied = serial or column.identity is not None or column.primary_key or column.name in keyed
    changes: dict[str, Any] = {}
    if column.not_null and implied:
        changes["not_null"] = False
    named = column.not_null_constraint
    if named is not None:
        usual = named.name == naming.not_null_name(table.name, column.name)
        short = replaced(named, {"name": ""}) if usual else named
        changes["not_null_constraint"] = None if short == NotNull() else short
    if column.sequence or column.identity is not None:
        sequence = naming.sequence_name(table.name, column.name)
        if column.sequence == sequence:
            changes["sequence"] = ""
        if column.identity is not None and column.identity.sequence == sequence:
            changes["identity"] = replaced(column.identity, {"sequence": ""})
    return replaced(column, changes)


def _as_override(column: PostgresColumn) -> PostgresColumn:
    """Return an inherited column with only what it has otherwise than its origin."""
    defaults = {each.name: each.default for each in declared_fields(PostgresColumn)}
    changes = {field: defaults[field] for field in ("type", "collation", "generated", "stored")}
    named = column.not_null_constraint
    if named is not None and named.name == column.not_null_from:
        changes["not_null_constraint"] = None
    for field in ("not_null", "default", "storage", "compression"):
        origin = column if column.follows else column.origin
        if origin is not None and getattr(column, field) == getattr(origin, field):
            changes[field] = defaults[field]
    return replaced(column, changes)


def _with_constraints_at_columns(table: PostgresTable) -> PostgresTable:
    """Return the table with those constraints at their columns that can be written there in full."""
    places = {column.name: at for at, column in enumerate(table.columns)}
    columns = list(table.columns)
    left: dict[str, Any] = {}
    for field in table.CONSTRAINTS.values():
        held = getattr(table, field)
        if held is None:
            continue
        rest = []
        for constraint in held if isinstance(held, tuple) else (held,):
            written = _at_column(constraint, places)
            at = places.get(written[0], -1) if written is not None else -1
            if written is None or at < 0 or _has(columns[at], written[1]):
                rest.append(constraint)
                continue
            moved = replaced(columns[at], written[1])
            if set(moved.constraints()) - {constraint} != set(columns[at].constraints()):
                rest.append(constraint)
            else:
                columns[at] = moved
        left[field] = tuple(rest) if isinstance(held, tuple) else next(iter(rest), None)
    return replaced(table, {"columns": tuple(columns), **left})


def _has(column: PostgresColumn, changes: dict[str, Any]) -> bool:
    return any(getattr(column, field) for field in changes if field in ("check", "references", "unique"))


def _at_column(constraint: Constraint, columns: Iterable[str]) -> tuple[str, dict[str, Any]] | None:
    """Return the column a nameless constraint can stand at, and the attributes that say it there."""
    if constraint.name:
        return None
    match constraint:
        case PostgresPrimaryKey(columns=(part,)):
            return part.column, {"primary_key": True}
        case PostgresUnique(columns=(part,)):
            return part.column, {"unique": True}
        case PostgresCheck():
            used = mentioned(constraint.expression, columns)
            return (used[0], {"check": constraint.expression}) if len(used) == 1 else None
        case PostgresForeignKey(columns=(column,)):
            fields = ("references", "on_delete", "on_update", "deferrable", "initially_deferred")
            return column, {field: getattr(constraint, field) for field in fields}
    return None
