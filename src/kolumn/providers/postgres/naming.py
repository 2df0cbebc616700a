"""The names PostgreSQL gives to what is created without one.

Source: makeObjectName, ChooseIndexName and ChooseConstraintName in src/backend/commands/indexcmds.c and
src/backend/catalog/pg_constraint.c. A name that is taken gets a number at its end.
"""

from __future__ import annotations

from kolumn.providers.postgres.tokens import NAME_BYTES, clip

_ADDITION_BYTES = NAME_BYTES + 1
"""Once the names of columns are as long together, no further one is added."""


def object_name(first: str, second: str, label: str) -> str:
    """Return `<first>_<second>_<label>` in 63 bytes at most: the longer of the two names is cut.

    `second` may be empty.
    """
    size = NAME_BYTES - len(label.encode()) - 1 - bool(second)
    one, two = len(first.encode()), len(second.encode())
    longer, shorter = max(one, two), min(one, two)
    longer = min(longer, max(size - shorter, (size + 1) // 2 if one <= two else size // 2))
    if longer + shorter > size:
        shorter = size - longer
    one, two = (longer, shorter) if one > two else (shorter, longer)
    return "_".join(part for part in (clip(first, one), clip(second, two), label) if part)
