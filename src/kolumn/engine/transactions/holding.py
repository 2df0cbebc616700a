"""What a transaction that spans calls keeps until it ends, and the words for what it does not allow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack

from kolumn.contract.errors import ConnectionError, KolumnError, OperationError, PermissionError
from kolumn.engine.operations import Step

LOST = "transaction_lost"
"""Code: the transaction is gone with its connection, or the database gave it up."""


class HeldLocks:
    """Locks taken while a transaction is open.

    They outlive the call that took them: who takes one next must see what the transaction has done.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._names: set[str] = set()

    def hold(self, name: str, lock: AbstractContextManager[None]) -> None:
        """Take `lock` and keep it, unless the lock of that name is held already."""
        if name not in self._names:
            self._stack.enter_context(lock)
            self._names.add(name)

    def release(self) -> None:
        """Release all of them; safe to call again."""
        self._names.clear()
        with contextlib.suppress(KolumnError):
            self._stack.close()


def admit(steps: Iterable[Step]) -> None:
    """Raise OperationError (code `not_in_transaction`) naming every step that cannot run in a transaction."""
    refused = [step for step in steps if not step.transactional]
    if refused:
        words = "; ".join(dict.fromkeys(step.description for step in refused))
        raise OperationError(
            f"cannot be done inside a transaction: {words}. Nothing was changed. Commit the transaction, or "
            "roll it back, and do this outside of one.",
            code="not_in_transaction",
            details={"steps": [step.description for step in refused]},
        )


def lost(why: str) -> ConnectionError:
    """Return that an open transaction is no more; `why` is a sentence."""
    return ConnectionError(
        f"the transaction is gone: {why} Nothing of it was kept. Begin another one.", code=LOST
    )


def read_only(error: KolumnError) -> KolumnError:
    """Return what the database said to a change inside a transaction that may only read."""
    if error.code != "read_only":
        return error
    return PermissionError(
        "the transaction was begun with read_only, so nothing can be changed in it. Begin one without it.",
        code="read_only",
        details=error.details,
    )
