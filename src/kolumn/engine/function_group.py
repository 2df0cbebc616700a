"""A group of functions of the contract that work on one connection; `BaseProvider` offers what its groups list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from kolumn.contract.context import Context
from kolumn.contract.encoding import Message
from kolumn.engine.audit.trail import Trail
from kolumn.engine.backup.vault import Vault
from kolumn.engine.handler import Registry
from kolumn.engine.planning.planner import Planner
from kolumn.engine.quarantine.place import Quarantine
from kolumn.engine.session import Catalog, Compiler, Session
from kolumn.engine.state.store import StateStore

if TYPE_CHECKING:
    from kolumn.engine.transactions.conversation import Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionGroup:
    """What the functions of a group work with. Made for each call, so nothing is kept in it."""

    METHODS: ClassVar[Mapping[str, str]]
    """The methods by the names of the functions they are; each takes a context and the function's request."""

    registry: Registry
    session: Session
    catalog: Catalog
    compiler: Compiler
    planner: Planner
    state: StateStore
    trail: Trail
    """Where every change is noted, whatever function makes it."""
    conversation: Conversation
    """The transaction that is open on the session, and those that were."""
    vault: Vault
    """Where backups go."""
    safe_destroy: bool
    """Whether a delete must leave a way back (spec 8.3)."""
    query_timeout: float | None = None
    """Seconds a call, or a transaction, may take unless a request says so itself; None without a limit."""
    quarantine: Quarantine | None = None
    """Where what is deleted can be set aside; None where the database has no room for it."""
    retention_days: int = 30
    """How long what is set aside is kept at least."""
    online: bool = False
    """Whether changes are made so that others can work on, unless a request says so itself."""

    def call(self, function: str, context: Context, request: Any) -> Message:
        """Run the function of that name."""
        method: Callable[[Context, Any], Message] = getattr(self, self.METHODS[function])
        return method(context, request)
