"""From the answers of providers to a review: what happens to each resource, in words people know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from kolumn.contract import messages as m
from kolumn.host.addresses import bare_type, prefixed_type
from kolumn.host.attributes import same_steps
from kolumn.host.providers import PlanReply
from kolumn.host.requests import Key, Requests
from kolumn.host.results import Action, Change, Difference, OutputChange
from kolumn.host.sealing import HIDDEN, SEAL, Veil, hidden, is_sealed, sealed_paths, shown, texts_at
from kolumn.host.state import Instance, OutputRecord


def changes(
    reply: PlanReply,
    requests: Requests,
    provider: str,
    pruned: frozenset[Key],
    veil: Veil,
) -> list[Change]:
    """Return what a provider's plan changes; `pruned` are the deletes that only `--prune` asked for."""
    response = reply.response
    steps: dict[tuple[str, str], list[m.PlanStep]] = {}
    for step in response.steps:
        steps.setdefault((bare_type(provider, step.resource_type), step.name), []).append(step)
    found: list[Change] = []
    for each in response.resources:
        bare = bare_type(provider, each.resource_type)
        address = requests.address(provider, each.resource_type, each.name)
        mine = tuple(steps.pop((bare, each.name), ()))
        known = address in requests.known
        moved_from = requests.moves.get(address, "")
        action = _action(each.action, bare, mine, known=known, moved=bool(moved_from))
        removed = address in requests.removed or (provider, bare, each.name) in pruned
        if removed and each.action == "unchanged":
            action = "forget"  # it is gone from the database already
        if action == "unchanged":
            continue
        sensitive = _sensitive(address, requests)
        curtain = veil.also(_texts(each.changes, sensitive)) if sensitive else veil
        found.append(
            Change(
                address=address,
                type=prefixed_type(provider, each.resource_type),
                provider=provider,
                action=action,
                differences=_differences(each.changes, sensitive, curtain, sealed=reply.sealed)
                if action != "delete"
                else (),
                steps=tuple(
                    _veiled(step, curtain, blind=bool(sensitive) and action == "delete") for step in mine
                ),
                adopted=not known and each.action in ("update", "unchanged") and not removed,
                moved_from=moved_from,
                reason=_reason(action, address, requests, (provider, bare, each.name) in pruned),
            )
        )
    for (bare, name), rest in steps.items():
        found.append(
            Change(
                address=requests.address(provider, bare, name),
                type=prefixed_type(provider, bare),
                provider=provider,
                action="recreate",
                steps=tuple(_veiled(step, veil) for step in rest),
                reason="it stands in the way of another change",
            )
        )
    return found


def _action(planned: str, bare: str, steps: Iterable[m.PlanStep], *, known: bool, moved: bool) -> Action:
    if planned == "unchanged":
        if moved:
            return "move"
        return "unchanged" if known else "adopt"
    if planned == "update":
        dropped = any(step.description.startswith((f"drop {bare} ", f"move {bare} ")) for step in steps)
        return "replace" if dropped else "update"
    return "delete" if planned == "delete" else "create"


def _reason(action: Action, address: str, requests: Requests, pruned: bool) -> str:
    if pruned:
        return "no configuration names it (--prune)"
    if action == "forget":
        return "the configuration no longer has it, nor has the database (under this address)"
    if address in requests.interrupted and action in ("adopt", "update", "delete"):
        return "an interrupted apply left it"
    if action == "delete" and address in requests.removed:
        return "" if address in requests.configured else "the configuration no longer has it"
    return ""


def _sensitive(address: str, requests: Requests) -> list[tuple[str, ...]]:
    """Return what is sensitive of a resource, now or when it was last applied, as steps in one spelling."""
    resource = requests.configured.get(address)
    entry = requests.managed.get(address)
    return sensitive_steps(resource.sensitive if resource is not None else (), entry[1] if entry else None)


def sensitive_steps(paths: Iterable[str], entry: Instance | None) -> list[tuple[str, ...]]:
    """Return `paths` and what is sealed in a state's entry, as steps in one spelling."""
    found = set(paths)
    if entry is not None and SEAL.encode() in bytes(entry.config):
        found.update(sealed_paths(entry.read_config()))
    return [same_steps(path) for path in sorted(found)]


def _parts(
    changes: Mapping[str, Any], sensitive: Iterable[tuple[str, ...]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each changed path with the steps inside its value that lead to something sensitive."""
    for path in changes:
        at = same_steps(path)
        for steps in sensitive:
            if at[: len(steps)] == steps:
                yield path, ()
            elif steps[: len(at)] == at:
                yield path, steps[len(at) :]


def _texts(changes: Mapping[str, Any], sensitive: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for path, rest in _parts(changes, sensitive):
        for side in ("before", "after"):
            for text in texts_at(changes[path].get(side), rest):
                yield text
                yield text.strip("'\"")


def _differences(
    changes: Mapping[str, Any], sensitive: Sequence[tuple[str, ...]], veil: Veil, *, sealed: bool
) -> tuple[Difference, ...]:
    inside: dict[str, list[tuple[str, ...]]] = {}
    if sensitive:
        for path, rest in _parts(changes, sensitive):
            inside.setdefault(path, []).append(rest)
    found = []
    for path, change in changes.items():
        before, after = change.get("before"), change.get("after")
        for rest in inside.get(path, ()):
            before, after = hidden(before, rest), hidden(after, rest)
        before, after = veil.value(before), veil.value(after)
        found.append(
            Difference(path, shown(before), shown(after)) if sealed else Difference(path, before, after)
        )
    return tuple(found)


def _veiled(step: m.PlanStep, veil: Veil, *, blind: bool = False) -> m.PlanStep:
    """Return a step without sensitive texts; `blind` if they are unknown, and only in the undo."""
    if not veil and not blind:
        return step
    sql, undo = tuple(map(veil.text, step.sql)), tuple(map(veil.text, step.undo))
    if blind and undo:
        undo = (HIDDEN,)
    if sql == step.sql and undo == step.undo:
        return step
    return msgspec.structs.replace(step, sql=sql, undo=undo)


def output_changes(
    before: Mapping[str, OutputRecord], after: Mapping[str, OutputRecord]
) -> tuple[OutputChange, ...]:
    """Return the outputs that are not what they were."""
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is not None and new is not None and (old.value, old.sensitive) == (new.value, new.sensitive):
            continue
        sensitive = bool((old and old.sensitive) or (new and new.sensitive))
        found.append(
            OutputChange(
                name,
                _output_shown(old, sensitive),
                _output_shown(new, sensitive),
                sensitive,
                "create" if old is None else "delete" if new is None else "update",
            )
        )
    return tuple(found)


def _output_shown(output: OutputRecord | None, sensitive: bool) -> Any:
    if output is None:
        return None
    return HIDDEN if sensitive or is_sealed(output.value) else output.value
