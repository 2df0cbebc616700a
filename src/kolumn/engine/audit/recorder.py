"""Noting in the audit trail what an apply does, while it does it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError
from kolumn.contract.logs import HandlerLogger
from kolumn.engine.applier import Executed
from kolumn.engine.audit.chain import NOTHING, Head
from kolumn.engine.audit.trail import Entry, Outcome, Trail, new_call
from kolumn.engine.plan import Plan, ResourceChange, ResourceKey
from kolumn.engine.session import Session


class Recorder:
    """Notes one call of a function that runs a plan: see `applier.Witness`.

    First the intent, in a transaction of its own: what a killed process leaves. Then one entry for each
    resource, in the transaction that changes it. `Apply`, which is about many, ends with an entry of its own.
    """

    def __init__(self, trail: Trail, session: Session, function: str, reason: str = "") -> None:
        self._trail = trail
        self._session = session
        self._function = function
        self._reason = reason
        self._call = new_call()
        self._head = NOTHING
        self._written = NOTHING
        """The head of what was written in a transaction that may still be rolled back."""
        self._plan = Plan(changes=())
        self._changes: dict[ResourceKey, ResourceChange] = {}
        self._last: dict[ResourceKey, int] = {}
        """Position of each resource's last step."""
        self._started = 0
        self._besides: tuple[Entry, ...] = ()

    def besides(self, *entries: Entry) -> None:
        """Have these noted with the steps of the transaction that is open; said again, they replace themselves."""
        self._besides = entries

    def begin(self, context: Context, plan: Plan) -> None:
        """See that the trail is whole, and note that `plan` is about to run."""
        if not self._trail.is_kept:
            return
        self._plan = plan
        self._changes = {change.key: change for change in plan.changes if change.action != "unchanged"}
        self._last = {owner: at for at, owner in enumerate(plan.owners)}
        self._started = time.perf_counter_ns()
        only = next(iter(self._changes)) if self._is_single else None
        intent = self._whole("started") if only is None else self._entry(only, "started")
        with self._session.transaction(context, ()):
            head = self._trail.opened(context, self._call)
            head = self._trail.append(context, head, self._call, [intent])
        self._adopt(head)

    def ran(self, context: Context, executed: Sequence[Executed], *, last: bool) -> None:
        """Note steps that ran, in the transaction they ran in; `last` says that they end the plan."""
        if not self._trail.is_kept:
            return
        entries = [self._part(key, parts) for key, parts in self._by_owner(executed).items()]
        entries += self._besides
        self._besides = ()
        if last:
            stepless = [key for key in self._changes if key not in self._last]
            entries += [self._entry(key, "succeeded", **self._configuration(key)) for key in stepless]
            if not self._is_single:
                entries.append(self._whole("succeeded"))
        self._write(context, entries)

    def committed(self) -> None:
        """Take what was written last as kept."""
        if self._trail.is_kept:
            self._adopt(self._written)

    def undone(self, context: Context, at: int) -> None:
        """Note that a step was taken back, in the transaction that did."""
        if self._trail.is_kept:
            step = self._plan.steps[at]
            self._write(context, [self._entry(self._plan.owners[at], "undone", statements=step.undo or ())])

    def failed(self, error: KolumnError, owner: ResourceKey | None) -> None:
        """Note why the plan ended early, in a transaction of its own; a fault of that is only logged."""
        if not self._trail.is_kept:
            return
        if owner is None and self._is_single:
            owner = next(iter(self._changes))
        entries = []
        if owner is not None:
            statements = [
                statement
                for at, step in enumerate(self._plan.steps)
                if self._plan.owners[at] == owner
                for statement in step.statements
            ]
            configuration = self._configuration(owner)
            entries.append(
                self._entry(owner, "failed", error=error.message, statements=statements, **configuration)
            )
        if not self._is_single:
            entries.append(self._whole("failed", error=error.message))
        context = Context.background()  # the apply's own deadline may be what ended it
        try:
            with self._session.transaction(context, ()):
                self._write(context, entries)
            self.committed()
        except KolumnError as problem:
            HandlerLogger.warn("the failure could not be noted in the audit trail", error=problem.message)

    @property
    def _is_single(self) -> bool:
        """Whether the function is about one resource, so that its entry says everything."""
        return self._function != "Apply" and len(self._changes) == 1

    def _adopt(self, head: Head) -> None:
        self._head = head
        self._trail.settled(head)

    def _write(self, context: Context, entries: Sequence[Entry]) -> None:
        self._written = (
            self._trail.append(context, self._head, self._call, entries) if entries else self._head
        )

    def _by_owner(self, executed: Sequence[Executed]) -> dict[ResourceKey, list[Executed]]:
        found: dict[ResourceKey, list[Executed]] = defaultdict(list)
        for each in executed:
            found[self._plan.owners[each.at]].append(each)
        return found

    def _part(self, key: ResourceKey, parts: Sequence[Executed]) -> Entry:
        """Return the entry of a resource's steps in one transaction."""
        is_complete = any(each.at == self._last[key] for each in parts)
        return self._entry(
            key,
            "succeeded" if is_complete else "partial",
            statements=[statement for each in parts for statement in self._plan.steps[each.at].statements],
            duration=sum(each.duration for each in parts),
            **(self._configuration(key) if is_complete else {}),
        )

    def _configuration(self, key: ResourceKey) -> dict[str, Any]:
        """Return what changes of a resource: each attribute before and after."""
        change = self._changes.get(key)
        attributes = change.attributes() if change is not None else {}
        return {
            side: {path: value[side] for path, value in attributes.items() if value[side] is not None}
            for side in ("before", "after")
        }

    def _entry(self, key: ResourceKey, outcome: Outcome, **more: Any) -> Entry:
        change = self._changes.get(key)
        return Entry(
            function=self._function,
            # What stands in the way of a change is dropped and made again without being changed itself.
            action=change.action if change is not None else "rebuild",
            outcome=outcome,
            resource_type=key.type,
            resource_name=key.name,
            fingerprint=self._plan.fingerprint,
            **more,
        )

    def _whole(self, outcome: Outcome, **more: Any) -> Entry:
        duration = time.perf_counter_ns() - self._started
        counts: dict[str, int] = defaultdict(int)
        for change in self._changes.values():
            counts[change.action] += 1
        after: dict[str, Any] = {"changes": dict(counts)} if counts else {}
        if self._reason:
            after["reason"] = self._reason
        return Entry(
            function=self._function,
            action="apply",
            outcome=outcome,
            duration=0 if outcome == "started" else duration,
            fingerprint=self._plan.fingerprint,
            after=after,
            **more,
        )
