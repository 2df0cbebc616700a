"""One project folder opened for one command: configuration, state, providers and lock."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from kolumn.contract import identity
from kolumn.contract.context import Context
from kolumn.contract.errors import ValidationError
from kolumn.contract.times import Timestamp
from kolumn.host import state as states
from kolumn.host.backends import Backend, Holder
from kolumn.host.backends.local import LocalBackend
from kolumn.host.configuration import Configuration, evaluate
from kolumn.host.ledger import Ledger
from kolumn.host.planning import Options, ProjectPlan, ProviderPlan, plan
from kolumn.host.providers import Fleet
from kolumn.host.results import Applied
from kolumn.host.state import State
from kolumn.host.supply import InProcess, Processes, Supply

if TYPE_CHECKING:
    from kolumn.host.planfile import SavedPlan


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a command line says about a project."""

    folder: Path = Path()
    variables: tuple[tuple[str, str], ...] = ()
    """(`var`, `name=value`) and (`var-file`, path), in order; later ones win."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    in_process: bool = True
    """Whether providers are classes in this process; else each has a process of its own."""


class Workspace:
    """Opens lazily: a command pays only for what it looks at. Use as a context manager."""

    def __init__(self, arguments: Arguments, context: Context, *, command: str) -> None:
        if not arguments.folder.is_dir():
            raise ValidationError(f"{arguments.folder} is not a folder.", code="no_folder")
        self.arguments = arguments
        self.context = context
        self.folder = arguments.folder
        self._command = command
        self._reason = ""
        """Why policies do not count, for the audit trails; empty where all do."""
        self.backend: Backend = LocalBackend(arguments.folder)
        backups = (arguments.folder / ".kolumn" / "backups").absolute()
        supply: Supply = InProcess(arguments.folder)
        if not arguments.in_process:
            supply = Processes(arguments.folder, arguments.environment)
        self.fleet = Fleet(context, arguments.environment, backups=backups, supply=supply)

    @cached_property
    def configuration(self) -> Configuration:
        """The evaluated configuration. Raises ValidationError with every fault."""
        return evaluate(self.folder, self.arguments.variables, self.arguments.environment, self.fleet)

    @cached_property
    def ledger(self) -> Ledger:
        """The state as it was when first asked for, and the way to write the next one."""
        stored = self.backend.read()
        if stored is None:
            return Ledger(self.backend, 0, states.fresh(), self._command)
        return Ledger(self.backend, stored.entry.serial, states.decode(stored.body), self._command)

    @property
    def state(self) -> State:
        """The latest state."""
        return self.ledger.state

    def look_back(self, serial: int) -> None:
        """Make `state` the one of an earlier serial, for reading. Raises StateError `unknown_serial`."""
        stored = self.backend.read_serial(serial)
        self.__dict__["ledger"] = Ledger(self.backend, serial, states.decode(stored.body), self._command)

    @contextmanager
    def locked(self, wait: float) -> Iterator[None]:
        """Hold the project's lock. Raises StateError `locked`."""
        holder = Holder(os.getpid(), identity.host(), identity.user(), self._command, Timestamp.utc_now())
        with self.backend.lock(holder, wait, self.context.check):
            self.__dict__.pop("ledger", None)  # what was read before may be old by now
            yield

    def plan(self, options: Options) -> ProjectPlan:
        """Return what would make the databases match the configuration (or the state true)."""
        if options.refresh_only:
            from kolumn.host.refreshing import plan_refresh

            return plan_refresh(self.configuration.project, self.state, self.fleet, options)
        return plan(self.configuration, self.state, self.fleet, options)

    def save(self, plan: ProjectPlan, path: Path) -> None:
        """Write a plan file."""
        from kolumn.host import planfile

        planfile.write(
            planfile.freeze(plan, self.configuration.project, self.ledger.serial, self.arguments.variables),
            path,
        )

    def replan(self, saved: SavedPlan, *, lock_timeout: float) -> ProjectPlan:
        """Return the plan of a plan file, made anew. Raises StateError `stale_plan`."""
        from kolumn.host import planfile

        found = self.plan(dataclasses.replace(saved.options, lock_timeout=lock_timeout))
        planfile.refuse_stale(saved, found, self.configuration.project, self.state.lineage)
        return found

    def overrule(self, plan: ProjectPlan, policies: Sequence[str], reason: str) -> ProjectPlan:
        """Return a plan in which some policies do not count, for a reason. Raises ValidationError.

        What is written of the state from now on says so in its history, and so do the audit trails.
        """
        from kolumn.host.policies.evaluation import overrule

        review = overrule(plan.review, self.configuration.project, policies, reason)
        if policies:
            said = next((each.overridden for each in review.violations if each.overridden), "")
            names = ", ".join(dict.fromkeys(each.policy for each in review.violations if each.overridden))
            if names:
                self.ledger.reason = self._reason = f"{self._command} against {names}: {said}"
        return dataclasses.replace(plan, review=review)

    def refuse_denied(self, plan: ProjectPlan) -> None:
        """Raise ValidationError `policy_violation` when a policy forbids a plan."""
        if plan.review.denied:
            from kolumn.host.policies.evaluation import refuse_denied

            refuse_denied(plan.review)

    def apply(
        self,
        plan: ProjectPlan,
        *,
        keep_partial: bool = False,
        backup: bool = False,
        announce: Callable[[ProviderPlan], None] = lambda _: None,
    ) -> Applied:
        """Carry out a plan of this workspace; the project must be locked. See `applying.apply`.

        Raises ValidationError `policy_violation` before anything is done.
        """
        self.refuse_denied(plan)
        if plan.refreshed is not None:
            from kolumn.host.refreshing import results

            started = time.perf_counter()
            if plan.review.has_changes:
                self.ledger.put(plan.refreshed)
            return results(plan, self.ledger.serial, time.perf_counter() - started)
        from kolumn.host.applying import apply

        return apply(
            plan,
            self.configuration.project,
            self.ledger,
            self.fleet,
            self.context,
            keep_partial=keep_partial,
            backup=backup,
            reason=self._reason,
            announce=announce,
        )

    def close(self) -> None:
        """Close every provider."""
        self.fleet.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
