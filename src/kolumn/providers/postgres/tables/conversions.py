"""Which changes of a column's type PostgreSQL makes by itself."""

from __future__ import annotations

from kolumn.providers.postgres.types import TypeName, parse_type

_TEXTS = frozenset({"text", "varchar", "bpchar", "name"})
_NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric"})
_TIMES = frozenset({"date", "timestamp", "timestamptz", "time", "timetz"})


def needs_using(before: str, after: str) -> bool:
    """Whether a change of type needs USING: there is no assignment cast between the types."""
    old, new = parse_type(before), parse_type(after)
    if isinstance(old, str) or isinstance(new, str):
        return True
    if (old.name, old.schema, old.array) == (new.name, new.schema, new.array):
        return False
    if old.array != new.array:
        return not (not new.array and new.built_in and new.name in _TEXTS)
    return not _assignable(old, new)


def _assignable(old: TypeName, new: TypeName) -> bool:
    if new.built_in and new.name in _TEXTS:
        return True
    if not (old.built_in and new.built_in):
        return False
    return any({old.name, new.name} <= family for family in (_NUMBERS, _TIMES))
