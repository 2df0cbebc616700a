"""The state of a project as one command reads and writes it."""

from __future__ import annotations

from dataclasses import dataclass

from kolumn.contract.logs import StateLogger
from kolumn.host import state as states
from kolumn.host.backends import Backend
from kolumn.host.state import State


@dataclass(slots=True)
class Ledger:
    """The state of a project while a command changes it: every `put` is one write."""

    backend: Backend
    serial: int
    state: State
    reason: str

    def put(self, state: State) -> None:
        """Write `state` as the next serial, unless it says what the last one said."""
        if state == self.state and self.serial:
            return
        entry = self.backend.write(
            states.encode(state), lineage=state.lineage, parent=self.serial, reason=self.reason
        )
        self.serial, self.state = entry.serial, state
        StateLogger.debug("state written", serial=entry.serial, bytes=entry.size)
