"""The names PostgreSQL gives to what has none.

`makeObjectName`, `ChooseIndexName` and their kin in src/backend/commands/indexcmds.c and tablecmds.c. The server adds a
number to a name that is taken; that is not done here, so such names stay in configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kolumn.providers.postgres.tokens import NAME_BYTES, clip
from kolumn.sql.model import Check, Constraint, ForeignKey, PrimaryKey, Unique

EXPRESSION = "expr"
"""What stands for an expression in an index's name."""


def object_name(first: str, second: str, label: str) -> str:
    """Return `first_second_label`, with the longer one of the first two shortened until it fits."""
    sizes = [len(first.encode()), len(second.encode())]
    available = NAME_BYTES - len(label) - 1 - (1 if second else 0)
    while sum(sizes) > available:
        sizes[0 if sizes[0] > sizes[1] else 1] -= 1
    parts = (clip(first, sizes[0]), clip(second, sizes[1]), label)
    return "_".join(part for part in parts if part)


def joined(columns: Iterable[str]) -> str:
    """Return the columns' names as an index's name has them."""
    found = ""
    for column in columns:
        found += f"_{column}" if found else column
        if len(found.encode()) > NAME_BYTES:
            break
    return found


def distinct(columns: Sequence[str]) -> Iterator[str]:
    """Yield the names, with numbers at those that were there before; `""` is an expression."""
    taken: set[str] = set()
    for column in columns:
        base = column or EXPRESSION
        name, number = base, 1
        while name in taken:
            name, number = f"{clip(base, NAME_BYTES - len(str(number)))}{number}", number + 1
        taken.add(name)
        yield name


def sequence_name(table: str, column: str) -> str:
    """Return the name of the sequence of a serial or identity column."""
    return object_name(table, column, "seq")


def not_null_name(table: str, column: str) -> str:
    """Return the name of a not-null constraint, which has one since PostgreSQL 18."""
    return object_name(table, column, "not_null")


def index_name(table: str, columns: Sequence[str], label: str = "idx") -> str:
    """Return the name of an index over `columns`, those it includes at the end, `""` for expressions."""
    return object_name(table, joined(distinct(columns)), label)


def constraint_name(table: str, constraint: Constraint, uses: Sequence[str] = ()) -> str:
    """Return the name of a constraint of `table`; `uses` are the columns that a check mentions."""
    match constraint:
        case PrimaryKey():
            return object_name(table, "", "pkey")
        case Unique():
            include: tuple[str, ...] = getattr(constraint, "include", ())
            return index_name(table, [*(part.column for part in constraint.columns), *include], "key")
        case ForeignKey():
            return object_name(table, joined(constraint.columns), "fkey")
        case Check():
            return object_name(table, uses[0] if len(uses) == 1 else "", "check")
    include = getattr(constraint, "include", ())
    return index_name(table, [*(part.column for part in constraint.columns), *include], "excl")
