"""ValidateState (spec 3.3.1): whether a state is sound in itself, and true of the database.

Every finding says where, how bad, and what mends it. A repair is a list of edits of the document, so that whoever
keeps the state can apply it without knowing more; none of them changes the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from kolumn.contract import messages as m
from kolumn.contract.codec import encode
from kolumn.contract.context import Context
from kolumn.contract.times import Timestamp
from kolumn.engine.drift.comparison import Compared, Comparison
from kolumn.engine.drift.functions import Scope
from kolumn.engine.function_group import FunctionGroup
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.state.remembered import CONCEALED, LIVE, conceal, recall, remember
from kolumn.engine.state.structure import Placed, Structure, forget, holds_seal

_OF_APPLY = ("config_digest", "digested_by", "ignore_changes")
"""Metadata that no longer holds for a configuration that was read from the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationFunctions(FunctionGroup):
    """Validates state on one connection."""

    METHODS: ClassVar[Mapping[str, str]] = {"ValidateState": "validate"}

    def validate(self, context: Context, request: m.ValidateRequest) -> m.ValidateResponse:
        """Return what is wrong with a state. Raises ValidationError for an unknown type in the request."""
        scope = Scope.of(self.registry, request.resource_types, request.names)
        document = request.state
        if document is None:
            document = msgspec.json.decode(encode(self.state.export()))
        structure = Structure(
            self.state.provider, self.registry, self.state.engine_version, Timestamp.utc_now()
        )
        structure.check(document)
        live = self.catalog.scan(context)
        findings = [*structure.findings, *self._against(context, live, structure)]
        if request.resource_types or request.names:
            wanted = {
                (each.managed.instance.type, each.key.name)
                for each in structure.placed
                if scope.has(each.managed.ref, each.key)
            }
            findings = [each for each in findings if (each.resource_type, each.name) in wanted]
        findings.sort(key=lambda each: _place(each.path))
        return m.ValidateResponse(
            success=True,
            valid=not any(each.severity == "error" for each in findings),
            findings=tuple(findings),
            checked=len(structure.placed),
        )

    def _against(
        self, context: Context, live: Snapshot, structure: Structure
    ) -> Iterator[m.ValidationFinding]:
        """Yield what of a document is not true of the database."""
        active = [each for each in structure.placed if each.managed.instance.status == "active"]
        everything = [(each.key, each.managed) for each in active]
        comparison = Comparison(self.registry, self.catalog, live, everything, lineage=structure.lineage)
        by_key = {each.key: each for each in active}
        readable = [each for each in active if each.readable]
        other = {
            compared.key: compared
            for compared in comparison.of(context, [(each.key, each.managed) for each in readable])
        }
        for placed in active:
            if not placed.readable:
                yield self._unreadable(placed, live)
            elif (compared := other.get(placed.key)) is not None:
                yield self._differing(by_key[placed.key], compared, live, structure.lineage)
            elif placed.managed.digest:
                yield from self._memory(placed, live)
        yield from self._references(readable, live)

    def _unreadable(self, placed: Placed, live: Snapshot) -> m.ValidationFinding:
        there = placed.managed.ref in live
        repair = _adopt(self._edits(placed, placed.managed.ref, live)) if there else forget(placed.path)
        return _finding(
            placed,
            "invalid_config",
            "its configuration is none of this resource type",
            f"{placed.path}.config",
            repair=repair,
        )

    def _differing(
        self, placed: Placed, compared: Compared, live: Snapshot, lineage: str
    ) -> m.ValidationFinding:
        if compared.found is None:
            words = f"{placed.managed.ref} is gone from the database"
            return _finding(placed, "resource_gone", words, placed.path, repair=forget(placed.path))
        path = f"{placed.path}.state.digest"
        if compared.differences or compared.unknown:
            paths = ", ".join(each.path for each in compared.differences[:5])
            words = f"{compared.found} is otherwise in the database: {paths or 'it changed'}"
            edits = self._edits(placed, compared.found, live)
            return _finding(placed, "drifted", words, path, severity="warning", repair=_adopt(edits))
        model = live.get(compared.found)
        state = {
            **placed.managed.instance.state,
            "digest": live.digest(compared.found),
            LIVE: remember(placed.managed.instance.config, placed.handler.config(model)),
        }
        if concealed := conceal(placed.handler.concealed(model), lineage):
            state[CONCEALED] = concealed
        repair = m.StateRepair(
            action="digest",
            description="what the catalogue says now is noted",
            edits=(m.StateEdit(path=f"{placed.path}.state", value=state),),
        )
        words = "the digest of what the catalogue says is another one, though nothing of it changed"
        return _finding(placed, "stale_digest", words, path, severity="warning", repair=repair)

    def _memory(self, placed: Placed, live: Snapshot) -> Iterator[m.ValidationFinding]:
        """Yield a finding where the state remembers something else than its own digest stands for."""
        instance = placed.managed.instance
        known = recall(instance)
        if known is None or holds_seal(known):
            return
        now = msgspec.json.decode(msgspec.json.encode(placed.handler.config(live.get(placed.managed.ref))))
        if known == now:
            return
        path = f"{placed.path}.state.{LIVE}"
        repair = m.StateRepair(
            action="digest",
            description="what is live is noted",
            edits=(m.StateEdit(path=path, value=remember(instance.config, now)),),
        )
        words = "what the state remembers of the live object is not what its digest stands for"
        yield _finding(placed, "wrong_memory", words, path, repair=repair)

    def _edits(self, placed: Placed, ref: Ref, live: Snapshot) -> tuple[m.StateEdit, ...]:
        """Return the edits that make an entry say what is live."""
        instance, path = placed.managed.instance, placed.path
        metadata = {name: each for name, each in instance.metadata.items() if name not in _OF_APPLY}
        config = placed.handler.config(live.get(ref))
        state: dict[str, Any] = {
            "identity": ref.identity,
            "digest": live.digest(ref),
            LIVE: {},
            CONCEALED: None,
        }
        return (
            m.StateEdit(path=f"{path}.config", value=config),
            m.StateEdit(path=f"{path}.state", value=state),
            m.StateEdit(path=f"{path}.metadata", value={**metadata, "ref": list(ref)}),
            m.StateEdit(path=f"{path}.updated_at", value=str(Timestamp.utc_now())),
        )

    def _references(self, placed: Sequence[Placed], live: Snapshot) -> Iterator[m.ValidationFinding]:
        """Yield what resources refer to and what is neither in state nor in the database.

        A name that may be one of several types, or was read out of a text, may as well be the database's own.
        """
        types = frozenset(self.registry.types())
        known: set[Ref] = {each.managed.ref for each in placed}
        for each in placed:
            if each.model is not None:
                known |= each.handler.aliases(each.model)
        for each in placed:
            if each.model is None or each.managed.ref not in live:
                continue
            created = each.handler.created(each.model)
            named = Counter(ref[1:] for ref in created.uses)
            for ref in sorted(created.uses - created.guesses):
                if ref.type not in types or named[ref[1:]] > 1 or ref in known or ref in live:
                    continue
                words = (
                    f"{each.managed.ref} refers to {ref}, which is neither in the state nor in the database"
                )
                yield _finding(each, "dangling_reference", words, f"{each.path}.config", severity="warning")


def _finding(
    placed: Placed,
    code: str,
    message: str,
    path: str,
    *,
    severity: m.Severity = "error",
    repair: m.StateRepair | None = None,
) -> m.ValidationFinding:
    return m.ValidationFinding(
        resource_type=placed.managed.instance.type,
        name=placed.key.name,
        path=path,
        code=code,
        message=message,
        severity=severity,
        repair=repair,
    )


def _adopt(edits: tuple[m.StateEdit, ...]) -> m.StateRepair:
    return m.StateRepair(
        action="adopt",
        description="the state takes over what is live; the next plan compares that with the configuration",
        edits=edits,
    )


def _place(path: str) -> tuple[Any, ...]:
    """Return what sorts JSON paths as the document is read."""
    head, _, rest = path.partition("[")
    number, _, tail = rest.partition("]")
    return (bool(rest), head, int(number) if number.isdigit() else 0, tail)
