"""What goes along with the steps of a plan inside their transactions, such as a backup of what one destroys."""

from __future__ import annotations

from collections.abc import Sequence

from kolumn.contract.context import Context


class Companion:
    """Told of what happens, in the transaction it happens in; this one does nothing.

    What it raises ends the apply like a failed step: nothing of the transaction is kept.
    """

    stops: frozenset[int] = frozenset()
    """Positions of the steps that `before` is to be called for."""

    def opened(self, context: Context, group: Sequence[int]) -> None:
        """Note that a transaction has begun for the steps at these positions, perhaps not for the first time."""

    def before(self, context: Context, at: int) -> None:
        """Do what must be done before the step at that position."""

    def closing(self, context: Context, group: Sequence[int]) -> None:
        """Do what belongs to these steps, all of which ran: the commit follows."""


ALONE = Companion()
