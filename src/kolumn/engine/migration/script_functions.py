"""RunMigrationScript, an extension of the contract: what `kolumn migrate` has run (docs/migrations.md)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from kolumn.contract import extensions as x
from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError, StateError, ValidationError
from kolumn.contract.logs import HandlerLogger
from kolumn.contract.masking import mask
from kolumn.engine.audit.trail import Entry
from kolumn.engine.function_group import FunctionGroup
from kolumn.engine.migration.record import required
from kolumn.engine.migration.scripts import Scripts, step_of, without_own_transaction
from kolumn.engine.operations import Statement, Step

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_WORDS = re.compile(r"[a-z]+")
_OF_ROWS = frozenset(
    {"select", "insert", "update", "delete", "replace", "with", "values", "merge", "set", "do", "savepoint",
     "release", "rollback to"}
)  # fmt: skip
"""How statements begin that leave a transaction open also where changes of structure commit by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFunctions(FunctionGroup):
    """Scripts on one connection."""

    METHODS: ClassVar[Mapping[str, str]] = {"RunMigrationScript": "run_script"}

    def run_script(self, context: Context, request: x.RunScriptRequest) -> x.RunScriptResponse:
        """Run a script and note it: both or neither, where it is a transaction.

        Where changes of structure commit by themselves, a script that has some is none, whatever it says.

        A script outside of a transaction is noted statement by statement, so that one that was interrupted goes on
        where it stopped. Raises StateError where the database remembers another script of this version,
        ValidationError for a script that cannot be cut, and what its statements raise.
        """
        started = time.perf_counter_ns()
        if request.timeout_seconds > 0:
            context = context.with_timeout(request.timeout_seconds)
        required(self.session)
        statements = list(self.compiler.split(request.script))
        if request.transactional:
            statements = without_own_transaction(statements, [_beginning(each) for each in statements])
        scripts = Scripts(self.session)
        with self.session.lock(context, "apply"):
            record = scripts.get(context, request.version)
            if _is_done(request, record):
                return x.RunScriptResponse(
                    success=True,
                    version=request.version,
                    already=True,
                    duration=time.perf_counter_ns() - started,
                )
            if request.dry_run:
                return x.RunScriptResponse(
                    success=True, version=request.version, statements=tuple(map(mask, statements))
                )
            step = step_of(request, statements, together=self._is_together(request, statements))
            self.session.admit([step])
            if step.transactional:
                self._together(context, request, step)
            else:
                self._one_by_one(context, request, step, record)
        HandlerLogger.info("script", version=request.version, direction=request.direction)
        return x.RunScriptResponse(
            success=True,
            version=request.version,
            executed=len(statements),
            duration=time.perf_counter_ns() - started,
        )

    def _is_together(self, request: x.RunScriptRequest, statements: Sequence[str]) -> bool:
        """Whether one transaction holds the whole script."""
        if not request.transactional or self.session.capabilities.transactional_ddl:
            return request.transactional
        return all(_beginning(each) in _OF_ROWS for each in statements)

    def _together(self, context: Context, request: x.RunScriptRequest, step: Step) -> None:
        done = 0

        def finished() -> None:
            nonlocal done
            done += 1

        started = time.perf_counter_ns()
        try:
            with self.session.transaction(context, [step]):
                self.session.run(context, step.statements, finished)
                self._note(context, request, len(step.statements))
                self.trail.record_within(context, _entry(request, step.statements, started))
        except KolumnError as error:
            self.trail.record(Context.background(), _entry(request, step.statements[:done], started, error))
            raise _placed(error, request, step.statements, done, " Nothing of it was kept.") from error

    def _one_by_one(
        self, context: Context, request: x.RunScriptRequest, step: Step, record: x.ScriptRecord | None
    ) -> None:
        scripts = Scripts(self.session)
        done = record.executed if record is not None and record.status == "running" else 0
        if request.direction == "down":
            done = 0
        began, started = done, time.perf_counter_ns()
        try:
            for statement in step.statements[done:]:
                if request.direction == "up":
                    with self.session.transaction(context, ()):
                        scripts.put(context, scripts.running(request, done))
                with self.session.transaction(context, [step]):
                    self.session.run(context, [statement])
                done += 1
        except KolumnError as error:
            if request.direction == "up":
                with self.session.transaction(Context.background(), ()):
                    if done or record is not None:
                        scripts.put(Context.background(), scripts.running(request, done, error.message))
                    else:  # nothing of it was done, so that it may be corrected
                        scripts.remove(Context.background(), request.version)
            self.trail.record(
                Context.background(), _entry(request, step.statements[began:done], started, error)
            )
            kept = (
                f" The {done} before it stand; what is run next goes on with it. To correct the file, run its way "
                "back first: kolumn migrate rollback."
                if done
                else ""
            )
            raise _placed(error, request, step.statements, done, kept) from error
        with self.session.transaction(context, ()):
            self._note(context, request, len(step.statements))
            self.trail.record_within(context, _entry(request, step.statements[began:], started))

    def _note(self, context: Context, request: x.RunScriptRequest, executed: int) -> None:
        scripts = Scripts(self.session)
        if request.direction == "down":
            scripts.remove(context, request.version)
            return
        applied = msgspec.structs.replace(scripts.running(request, executed), status="applied")
        scripts.put(context, applied)


def _entry(
    request: x.RunScriptRequest, ran: Sequence[Statement], started: int, error: KolumnError | None = None
) -> Entry:
    """Return what the audit trail says of a script."""
    return Entry(
        function="RunMigrationScript",
        action=request.direction,
        outcome="succeeded" if error is None else "failed",
        resource_type="script",
        resource_name=request.version,
        statements=ran,
        error="" if error is None else error.message,
        duration=time.perf_counter_ns() - started,
        after={"checksum": request.checksum, "name": request.name},
    )


def _is_done(request: x.RunScriptRequest, record: x.ScriptRecord | None) -> bool:
    """Whether there is nothing to do. Raises StateError where the database remembers something else."""
    if len(request.version) > 200:
        raise ValidationError("a version has at most 200 characters.", code="too_long")
    if record is None:
        if request.direction == "down":
            raise StateError(
                f"migration {request.version} is not applied, so it cannot be rolled back.",
                code="not_applied",
            )
        return False
    if record.checksum != request.checksum:
        raise StateError(
            f"migration {request.version} was {record.status} with other content (checksum "
            f"{record.checksum[:12]}, now {request.checksum[:12]}). Put the file back as it was, and write a new "
            "one for what is to change.",
            code="migration_altered",
        )
    return request.direction == "up" and record.status == "applied"


def _beginning(statement: str) -> str:
    """Return the word or words that tell a statement about transactions."""
    words = _WORDS.findall(_COMMENT.sub(" ", statement).lower())
    if words[:2] == ["start", "transaction"]:
        return "start transaction"
    if words[:1] == ["rollback"] and "to" in words[:3]:
        return "rollback to"
    return words[0] if words else ""


def _placed(
    error: KolumnError, request: x.RunScriptRequest, statements: Sequence[Statement], done: int, kept: str
) -> KolumnError:
    """Return an error with the statement that it is about."""
    if error.code in ("cancelled", "deadline_exceeded") or done >= len(statements):
        return error
    text = " ".join(statements[done].text.split())
    shown = mask(text[:77] + "..." if len(text) > 80 else text)
    words = f"statement {done + 1} of migration {request.version} failed: {error.message} ({shown}){kept}"
    if isinstance(error, OperationError):
        return OperationError(words, code=error.code, details=error.details)
    return type(error)(words, code=error.code, details=error.details)
