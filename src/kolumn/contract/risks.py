"""What a step may risk, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_WORDS: Final[Mapping[str, str]] = {
    "data_loss": "loses data",
    "table_rewrite": "rewrites the table",
    "long_lock": "locks for long",
    "irreversible": "cannot be undone",
    "conversion": "changes values",
    "may_fail": "may fail",
}


def in_words(kind: str) -> str:
    """Return what a `PlanRisk.kind` means; a kind that only its provider knows stands for itself."""
    return _WORDS.get(kind, kind)
