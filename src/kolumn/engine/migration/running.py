"""What goes along with the steps of a migration: backups before, its record after, in their transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError
from kolumn.engine.backup import register
from kolumn.engine.backup.saving import destroying, save
from kolumn.engine.backup.vault import Vault
from kolumn.engine.companion import Companion
from kolumn.engine.handler import Registry
from kolumn.engine.plan import Plan
from kolumn.engine.rows import RowSet
from kolumn.engine.session import Session


class Along(Companion):
    """Sees to it that nothing is lost unseen, and that the record is true whenever a transaction ends.

    With `backup` every step's losses are saved; without `allowed` there must be none. `note` is told, in each
    transaction, the names of the backups so far and whether all steps are done.
    """

    def __init__(
        self,
        session: Session,
        registry: Registry,
        vault: Vault,
        plan: Plan,
        losses: Mapping[int, tuple[RowSet, ...]],
        *,
        migration: str,
        backup: bool,
        allowed: bool,
        note: Callable[[Context, tuple[str, ...], bool], None],
    ) -> None:
        self.stops = frozenset(losses)
        self._session = session
        self._registry = registry
        self._vault = vault
        self._plan = plan
        self._losses = losses
        self._destroying = destroying(plan, losses)
        self._migration = migration
        self._backup = backup
        self._allowed = allowed
        self._note = note
        self._kept: tuple[str, ...] = ()
        self._closed = -1
        """The last step whose transaction was about to end."""
        self._is_closed = False
        self._written: list[str] = []
        """In the transaction under way."""
        self.path = ""
        """Where the last backup is."""

    @property
    def taken(self) -> tuple[str, ...]:
        """The backups of what steps that ran have destroyed."""
        return (*self._kept, *(self._written if self._is_closed else ()))

    def opened(self, context: Context, group: Sequence[int]) -> None:
        """Forget what a former try of the same steps wrote; note what runs outside of transactions before it does."""
        if self._closed == group[0] - 1:
            self._kept = (*self._kept, *self._written)
        self._written, self._is_closed = [], False
        if not all(self._plan.steps[at].transactional for at in group):
            self._note(context, self._kept, False)

    def before(self, context: Context, at: int) -> None:
        """Save what the step destroys, or see that it destroys nothing."""
        rows = self._losses[at]
        if not self._allowed and at in self._destroying:
            refuse_losses(hold_and_count(context, self._session, rows), self._plan.steps[at].description)
        if self._backup and rows:
            made, path = save(
                context,
                self._session,
                self._registry,
                self._vault,
                rows,
                self._plan.steps[at].description,
                migration=self._migration,
                fingerprint=self._plan.fingerprint,
            )
            register.note(context, self._session, made)
            self._written.append(made.name)
            self.path = str(path)
            if not self._plan.steps[at].transactional:
                self._note(context, (*self._kept, *self._written), False)

    def closing(self, context: Context, group: Sequence[int]) -> None:
        """Write the record."""
        self._closed, self._is_closed = group[-1], True
        self._note(context, (*self._kept, *self._written), group[-1] == len(self._plan.steps) - 1)


def counted(context: Context, session: Session, losses: Iterable[RowSet]) -> list[tuple[RowSet, int | None]]:
    """Return how many rows each loss is about, None where that cannot be told before earlier steps ran."""
    found: list[tuple[RowSet, int | None]] = []
    for rows in losses:
        try:
            found.append((rows, session.rows.count(context, rows) if session.rows is not None else None))
        except OperationError as error:
            if error.code in ("cancelled", "deadline_exceeded"):
                raise
            found.append((rows, None))
    return found


def hold_and_count(
    context: Context, session: Session, losses: Sequence[RowSet]
) -> list[tuple[RowSet, int | None]]:
    """Return how many rows would go now; nobody can add one before the transaction ends."""
    found: list[tuple[RowSet, int | None]] = []
    for rows in losses:
        if session.rows is not None:
            session.rows.hold(context, rows)
        found.append((rows, session.rows.count(context, rows) if session.rows is not None else None))
    return found


def words(found: Iterable[tuple[RowSet, int | None]]) -> list[str]:
    """Return what would be lost, for people."""
    said = []
    for rows, count in found:
        number = "an unknown number of" if count is None else f"{count}"
        thing = "value" if rows.lost else "row"
        if count != 1:
            thing += "s"
        where = f"column{'s' if len(rows.lost) > 1 else ''} {', '.join(rows.lost)} of " if rows.lost else ""
        said.append(f"{number} {thing} of {where}{rows.ref}")
    return said


def refuse_losses(found: Sequence[tuple[RowSet, int | None]], step: str) -> None:
    """Raise OperationError `data_loss` where anything would be lost."""
    if lost := [each for each in found if each[1] != 0]:
        raise data_loss(words(lost), step)


def data_loss(said: Sequence[str], step: str = "") -> KolumnError:
    """Return that a migration would lose what nobody allowed it to."""
    by = f" ({step})" if step else ""
    return OperationError(
        f"this would lose {' and '.join(said)}{by}. Nothing was changed. To go on set allow_data_loss, best with "
        "backup_before_migration, which makes it possible to bring it all back.",
        code="data_loss",
        details={"losses": list(said)},
    )
