"""What people do to a state by hand: list, show, move, remove, pull, push, history, restore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from kolumn.contract.errors import StateError, ValidationError
from kolumn.host import state as states
from kolumn.host.addresses import address_of, covers, name_of, prefixed_type
from kolumn.host.backends import Backend, Entry
from kolumn.host.ledger import Ledger
from kolumn.host.sealing import shown
from kolumn.host.state import Managed, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One managed resource."""

    address: str
    type: str
    provider: str
    status: str
    prevent_destroy: bool = False
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One managed resource with all the state knows of it; sensitive values hidden."""

    listed: Listed
    config: dict[str, Any]
    state: dict[str, Any]


def listed(state: State, pattern: str = "") -> tuple[Listed, ...]:
    """Return the managed resources that `pattern` covers (an address, a block, a module, a type), sorted.

    Resources an interrupted apply set out to create appear with the status `pending`, deleted ones that can
    come back with `quarantined`.
    """
    found = [
        _listed(state, address, prefixed_type(provider, instance.type), provider, instance.status)
        for address, (provider, instance) in Managed(state).items()
    ]
    found += [
        _listed(state, address_of(type_, instance.name), type_, provider, instance.status)
        for provider, raw in state.providers.items()
        for instance in states.instances(raw)
        if instance.status == "quarantined"
        for type_ in (prefixed_type(provider, instance.type),)
    ]
    known = {each.address for each in found}
    found += [
        _listed(state, address, intent.type, intent.provider, "pending")
        for address, intent in state.intents.items()
        if address not in known
    ]
    return tuple(
        sorted(
            (each for each in found if not pattern or covers(pattern, each.address) or each.type == pattern),
            key=lambda each: each.address,
        )
    )


def show(state: State, address: str) -> Shown:
    """Return one managed resource. Raises StateError `not_managed`."""
    found = Managed(state).get(address)
    if found is None:
        raise _not_managed(state, address)
    provider, instance = found
    return Shown(
        listed=_listed(state, address, prefixed_type(provider, instance.type), provider, instance.status),
        config=shown(instance.read_config()),
        state=shown(instance.read_state()),
    )


def move(ledger: Ledger, source: str, target: str) -> None:
    """Give a managed resource another address; databases are not touched. Raises StateError."""
    state = ledger.state
    managed = Managed(state)
    found = managed.get(source)
    if found is None:
        raise _not_managed(state, source)
    if target in managed:
        raise StateError(
            f"{target} is managed already; remove it first: kolumn state rm {target}", code="taken"
        )
    provider, instance = found
    states.name_within(provider, prefixed_type(provider, instance.type), target)
    records = dict(state.resources)
    if source in records:
        records[target] = records.pop(source)
    providers = dict(state.providers)
    providers[provider] = states.rewrite(provider, providers[provider], {source: target})
    ledger.put(msgspec.structs.replace(state, providers=providers, resources=records))


def remove(ledger: Ledger, addresses: Sequence[str]) -> tuple[str, ...]:
    """Forget resources; what they are in their databases stays. Returns the addresses forgotten.

    Raises StateError when one of `addresses` covers nothing.
    """
    state = ledger.state
    known = {*Managed(state), *state.intents}
    gone: set[str] = set()
    for wanted in addresses:
        covered = {address for address in known if covers(wanted, address)}
        if not covered:
            raise _not_managed(state, wanted)
        gone |= covered
    ledger.put(
        msgspec.structs.replace(
            state,
            providers={
                provider: states.rewrite(provider, raw, dict.fromkeys(gone))
                for provider, raw in state.providers.items()
            },
            resources={address: each for address, each in state.resources.items() if address not in gone},
            intents={address: each for address, each in state.intents.items() if address not in gone},
        )
    )
    return tuple(sorted(gone))


def push(backend: Backend, body: bytes, *, force: bool = False) -> Entry:
    """Store a state document that `kolumn state pull` wrote, perhaps edited. Raises StateError.

    The document says the serial it follows; an older one than the latest, or one of another lineage, needs
    `force`.
    """
    try:
        head = msgspec.json.decode(body, type=_Pulled)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValidationError(
            f"This is not a state as `kolumn state pull` writes it: {error}", code="invalid_state"
        ) from error
    state = states.decode(bytes(head.state))
    for raw in state.providers.values():
        states.instances(raw)
    latest = backend.read()
    parent = head.serial
    if latest is not None and latest.entry.serial != parent:
        if not force:
            raise StateError(
                f"The state is at serial {latest.entry.serial}, the pushed one follows serial "
                f"{parent}: it would undo "
                "what was written since. Pull again, or use --force.",
                code="stale_state",
            )
        parent = latest.entry.serial
    if latest is None:
        parent = 0
    return backend.write(
        states.encode(state), lineage=state.lineage, parent=parent, reason="state push", force=force
    )


def pull(backend: Backend) -> dict[str, Any]:
    """Return the latest state with its serial. Raises StateError `no_state`."""
    stored = backend.read()
    if stored is None:
        raise no_state()
    return {"serial": stored.entry.serial, "state": msgspec.Raw(stored.body)}


def restore(backend: Backend, serial: int) -> Entry:
    """Make the state of an earlier serial the latest one again; databases stay. Raises StateError."""
    written = backend.history()
    if not written:
        raise no_state()
    body = backend.read_serial(serial).body
    state = states.decode(body)
    return backend.write(
        body,
        lineage=state.lineage,
        parent=written[0].serial,
        reason=f"state restore {serial}",
        force=True,
    )


def no_state() -> StateError:
    """Return the error of a project that was never applied."""
    return StateError("There is no state yet. `kolumn apply` writes the first.", code="no_state")


class _Pulled(msgspec.Struct):
    serial: int
    state: msgspec.Raw


def _listed(state: State, address: str, type_: str, provider: str, status: str) -> Listed:
    record = state.resources.get(address)
    return Listed(
        address=address,
        type=type_,
        provider=provider,
        status=status,
        prevent_destroy=record.prevent_destroy if record else False,
        depends_on=record.depends_on if record else (),
    )


def _not_managed(state: State, address: str) -> StateError:
    from difflib import get_close_matches

    known = [*Managed(state), *state.intents]
    close = get_close_matches(address, known, 1)
    hint = f"Did you mean {close[0]}?" if close else "`kolumn state list` shows what is managed."
    if name_of(address)[0] == "":
        hint = "An address is TYPE.NAME. " + hint
    return StateError(f"{address} is not managed. {hint}", code="not_managed")
