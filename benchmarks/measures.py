"""Names of what is measured, and which of them are compared."""

from __future__ import annotations

from dataclasses import dataclass

VERSION = "version"
START_UP = "start-up"
PLAN = "plan, nothing to do"
ONE_CHANGE = "plan, one change"
FIRST_PLAN = "first plan"
IMPORT = "import"
CREATION = "apply to an empty database"
CHANGE = "apply, one change"
EVALUATION = "evaluation"
EVALUATION_CACHED = "evaluation, cached"
EVALUATION_START = "evaluation of one table"
EVALUATION_CACHED_START = "evaluation of one table, cached"

STARTS = {
    **dict.fromkeys((PLAN, ONE_CHANGE, FIRST_PLAN, IMPORT, CREATION, CHANGE), START_UP),
    EVALUATION: EVALUATION_START,
    EVALUATION_CACHED: EVALUATION_CACHED_START,
}
"""What Kolumn's own start is measured by in each of its measures; other programs count as a whole."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two measures of which the report says the ratio."""

    measure: str
    over: str
    aim: str = ""
    beyond: bool = False
    """Whether Kolumn's start-up is left out of `measure`."""
    part: str = ""
    """The part of `over` that is meant, as a peer times it; it has wall time only."""

    @property
    def words(self) -> str:
        """What the report calls the ratio."""
        over = f"{self.over}: {self.part} alone" if self.part else self.over
        return f"{self.measure}{', beyond start-up' if self.beyond else ''} / {over}"
