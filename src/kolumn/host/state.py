"""The state of a project: what each provider manages, and what the host remembers around it.

What a provider says it manages is kept as it said it, byte for byte, and handed back to it unread; the host
looks only at type and name. The document a backend keeps is `encode(state)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from kolumn.contract.errors import StateError
from kolumn.host.addresses import address_of, bare_type, prefixed_type
from kolumn.version import __version__

FORMAT = 1


class ResourceRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the configuration last said about a resource beyond its attributes."""

    provider: str
    """Address of its provider."""
    prevent_destroy: bool = False
    depends_on: tuple[str, ...] = ()
    """Addresses."""


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A resource an apply set out to create: managed even if the apply never came back to say so."""

    provider: str
    type: str
    """With its provider's prefix."""
    name: str
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    """Sealed where sensitive."""


class OutputRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An output of the last apply; a sensitive one is kept as its digest only."""

    value: Any = None
    sensitive: bool = False
    description: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One state of one project. Replace, never change: `msgspec.structs.replace`."""

    format: int = FORMAT
    kolumn: str = __version__
    """The version that wrote it."""
    lineage: str
    salt: str
    """Hex; keys the digests of sensitive values in this history."""
    providers: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)
    """By provider address: the provider's own state (spec 8.1) as JSON."""
    resources: dict[str, ResourceRecord] = msgspec.field(default_factory=dict)
    """By resource address."""
    intents: dict[str, Intent] = msgspec.field(default_factory=dict)
    """By resource address."""
    outputs: dict[str, OutputRecord] = msgspec.field(default_factory=dict)


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One managed resource as far as the host reads it; `raw` parts stay JSON until asked for."""

    type: str
    name: str
    status: str = "active"
    config: msgspec.Raw = msgspec.Raw(b"{}")
    state: msgspec.Raw = msgspec.Raw(b"{}")

    def read_config(self) -> dict[str, Any]:
        """Return the configuration last applied."""
        return dict(msgspec.json.decode(self.config))

    def read_state(self) -> dict[str, Any]:
        """Return what the provider recorded of the live object."""
        return dict(msgspec.json.decode(self.state))


class _ProviderState(msgspec.Struct, frozen=True):
    resources: list[Instance]


_DECODER = msgspec.json.Decoder(State)
_PROVIDER_DECODER = msgspec.json.Decoder(_ProviderState)


def fresh() -> State:
    """Return the state of a project that has none yet."""
    import secrets
    import uuid

    return State(lineage=str(uuid.uuid4()), salt=secrets.token_hex(16))


def decode(body: bytes) -> State:
    """Read a state document. Raises StateError for anything else, and for a newer format."""
    try:
        state = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StateError(f"This is not a state of Kolumn: {error}", code="invalid_state") from error
    if state.format > FORMAT:
        raise StateError(
            f"The state has format {state.format}, this Kolumn knows {FORMAT}. Upgrade Kolumn.",
            code="unknown_state_format",
        )
    return state


def encode(state: State) -> bytes:
    """Return the document of a state."""
    return msgspec.json.encode(msgspec.structs.replace(state, kolumn=__version__))


class Managed:
    """What a state manages, by address; built once per command."""

    def __init__(self, state: State) -> None:
        self._instances: dict[str, tuple[str, Instance]] = {}
        for provider, raw in state.providers.items():
            for instance in instances(raw):
                if instance.status == "active":
                    address = address_of(prefixed_type(provider, instance.type), instance.name)
                    self._instances[address] = (provider, instance)

    def __contains__(self, address: object) -> bool:
        return address in self._instances

    def __iter__(self) -> Iterator[str]:
        return iter(self._instances)

    def __len__(self) -> int:
        return len(self._instances)

    def items(self) -> Iterable[tuple[str, tuple[str, Instance]]]:
        """Return address, provider address and instance of each."""
        return self._instances.items()

    def get(self, address: str) -> tuple[str, Instance] | None:
        """Return provider address and instance, or None."""
        return self._instances.get(address)


def instances(provider_state: bytes | msgspec.Raw) -> list[Instance]:
    """Return the resources of a provider's own state. Raises StateError when it is none."""
    try:
        return _PROVIDER_DECODER.decode(provider_state).resources
    except msgspec.MsgspecError as error:
        raise StateError(f"The state of a provider cannot be read: {error}", code="invalid_state") from error


def rewrite(provider: str, raw: msgspec.Raw, names: Mapping[str, str | None]) -> msgspec.Raw:
    """Return a provider's state with addresses renamed; None drops the resource.

    `names` maps an address to its new address; the type must stay.
    """
    document: dict[str, Any] = msgspec.json.decode(raw)
    kept = []
    for entry in document.get("resources", ()):
        type_ = prefixed_type(provider, entry["type"])
        address = address_of(type_, entry["name"])
        if address in names:
            target = names[address]
            if target is None:
                continue
            entry["name"] = name_within(provider, type_, target)
        kept.append(entry)
    document["resources"] = kept
    return msgspec.Raw(msgspec.json.encode(document))


def name_within(provider: str, type_: str, address: str) -> str:
    """Return the name in `address`, which must be of `type_`. Raises StateError otherwise."""
    from kolumn.host.addresses import name_of

    given, name = name_of(address)
    if bare_type(provider, given) != bare_type(provider, type_) or not name:
        raise StateError(
            f"{address} is no address of a {type_}: a resource keeps its type when it moves.",
            code="invalid_move",
        )
    return name
