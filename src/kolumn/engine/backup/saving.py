"""Saving what a step destroys, in the transaction that destroys it and before it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kolumn.contract.context import Context
from kolumn.contract.errors import OperationError
from kolumn.contract.logs import HandlerLogger
from kolumn.engine.backup import register
from kolumn.engine.backup.manifest import Manifest
from kolumn.engine.backup.vault import Vault
from kolumn.engine.companion import Companion
from kolumn.engine.declaration import sensitive_fields
from kolumn.engine.handler import Registry
from kolumn.engine.operations import Step
from kolumn.engine.plan import Plan
from kolumn.engine.rows import RowSet
from kolumn.engine.session import Compiler, Session


def losing(plan: Plan, compiler: Compiler) -> dict[int, tuple[RowSet, ...]]:
    """Return what each step of a plan destroys or converts, by its position; other steps are left out."""
    found = {}
    for at, step in enumerate(plan.steps):
        losses = tuple(compiler.losses(step))
        if losses or _says_loss(step):
            found[at] = losses
    return found


def destroying(plan: Plan, losses: Mapping[int, tuple[RowSet, ...]]) -> dict[int, tuple[RowSet, ...]]:
    """Return those of `losses` that are gone for good, rather than converted as the plan says."""
    return {at: rows for at, rows in losses.items() if _says_loss(plan.steps[at])}


def refuse_unsaved(plan: Plan, losses: Mapping[int, Sequence[RowSet]], session: Session) -> None:
    """Raise OperationError `backup_impossible` where a step destroys what no backup can hold."""
    for at, rows in losses.items():
        step = plan.steps[at]
        if not rows or session.rows is None:
            raise OperationError(
                f"{step.description} loses data that no backup can hold, so nothing was changed: "
                f"{'; '.join(risk.message for risk in step.risks if risk.kind == 'data_loss')}. Save it yourself, "
                "then go on without a backup.",
                code="backup_impossible",
            )
        if not step.transactional and not session.rows.holds_outside:
            raise OperationError(
                f"{step.description} cannot run in a transaction, so that rows could be missed by a backup. "
                "Nothing was changed.",
                code="backup_impossible",
            )


def save(
    context: Context,
    session: Session,
    registry: Registry,
    vault: Vault,
    losses: Iterable[RowSet],
    reason: str,
    *,
    migration: str = "",
    fingerprint: str = "",
) -> tuple[Manifest, Path]:
    """Write a backup of rows and read it back; the rows stay as they are until the transaction ends.

    Raises OperationError `backup_failed` and what `Session.run` raises.
    """
    store = session.rows
    assert store is not None
    with vault.write(reason, migration=migration, fingerprint=fingerprint) as writer:
        for rows in losses:
            store.hold(context, rows)
            with writer.part() as file:
                copied = store.copy_out(context, rows, file.write)
                file.note(rows, copied, config=_told(rows, registry), format_=store.format)
        made, path = writer.finish()
    HandlerLogger.info("backup", name=made.name, rows=made.rows)
    return made, path


class Saving(Companion):
    """Saves what each step of a plan destroys. Raises OperationError `backup_impossible` when it is made."""

    def __init__(
        self, session: Session, registry: Registry, vault: Vault, plan: Plan, compiler: Compiler
    ) -> None:
        self._losses = losing(plan, compiler)
        refuse_unsaved(plan, self._losses, session)
        self.stops = frozenset(self._losses)
        self._session = session
        self._registry = registry
        self._vault = vault
        self._plan = plan
        self.path = ""
        """Where the last backup is."""

    def before(self, context: Context, at: int) -> None:
        """Save what the step destroys."""
        made, path = save(
            context,
            self._session,
            self._registry,
            self._vault,
            self._losses[at],
            self._plan.steps[at].description,
            fingerprint=self._plan.fingerprint,
        )
        register.note(context, self._session, made)
        self.path = str(path)


def _says_loss(step: Step) -> bool:
    return any(risk.kind == "data_loss" for risk in step.risks)


def _told(rows: RowSet, registry: Registry) -> dict[str, Any]:
    """Return the configuration of the object, without the values of sensitive attributes."""
    secret = sensitive_fields(type(rows.model))
    config = registry.get(rows.ref.type).config(rows.model)
    return {name: value for name, value in config.items() if name not in secret}
