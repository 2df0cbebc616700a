"""Procedures.

https://www.postgresql.org/docs/current/sql-createprocedure.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kolumn.providers.postgres.handler import Entry
from kolumn.providers.postgres.language.signatures import argument_type
from kolumn.providers.postgres.language.tokens import qualified
from kolumn.providers.postgres.resources.routine import Routine, RoutineHandler, RoutineRow


@dataclass(frozen=True)
class Procedure(Routine):
    """A procedure."""


class ProcedureHandler(RoutineHandler[Procedure]):
    """Procedures."""

    type = "procedure"
    description = "A procedure: a routine that is called, and may end transactions"
    MODEL = Procedure
    KEYWORD: ClassVar[str] = "PROCEDURE"
    KINDS: ClassVar[str] = "p"

    def build(self, entry: Entry) -> Procedure:
        """Return the procedure."""
        return Procedure(**self.common(RoutineRow(*entry.row)))

    def address(self, model: Procedure) -> str:
        """Return its qualified name with its arguments; those that come out are named among them."""
        arguments = (f"{each.mode.upper()} {argument_type(each.type)}" for each in model.arguments)
        return f"{qualified(model.schema, model.name)}({', '.join(arguments)})"

    def replaces(self, before: Procedure, after: Procedure) -> bool:
        """Whether CREATE OR REPLACE can make `after` of `before`: what comes out is the same as well."""
        out = [
            [(each.mode, each.name, each.type) for each in model.arguments if each.mode in ("out", "inout")]
            for model in (before, after)
        ]
        return super().replaces(before, after) and out[0] == out[1]
