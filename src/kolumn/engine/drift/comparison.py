"""What the database has of managed resources, against what the state remembers of them.

Both sides are what the same catalogue queries say, at the last apply and now, so a resource whose digest is the
one in state is not looked at. The others are compared in the database's normal form, in which a part that is
declared apart is no part of its owner, and another wording of the same is no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from kolumn.contract.context import Context
from kolumn.contract.errors import ValidationError
from kolumn.contract.masking import REDACTED
from kolumn.contract.schema import singular
from kolumn.contract.secrets import is_sealed
from kolumn.engine.drift.differences import Difference, differences, with_value
from kolumn.engine.handler import Handler, Registry
from kolumn.engine.plan import ResourceKey
from kolumn.engine.planning.claims import Claims
from kolumn.engine.resource import Ref, Snapshot
from kolumn.engine.rewriting import with_kept
from kolumn.engine.session import Catalog
from kolumn.engine.state.remembered import CONCEALED, LIVE, conceal, recall
from kolumn.engine.state.store import Managed


class Compared(NamedTuple):
    """One managed resource that is not exactly what the state says."""

    key: ResourceKey
    managed: Managed
    found: Ref | None
    """What it is in the database; None where it is gone."""
    differences: tuple[Difference, ...] = ()
    """None of them where only the catalogue's words changed."""
    unknown: bool = False
    """Whether it changed while the state does not tell what it was."""


class _Pair(msgspec.Struct):
    """One resource while it is compared."""

    key: ResourceKey
    managed: Managed
    handler: Handler[Any]
    found: Ref
    live: Any
    seals: tuple[Difference, ...]
    """Sensitive values of which the state has only a stand-in; who has the salt can tell if they differ."""
    before: Any = None
    """What it was, with the live value in the place of each that is sealed; None where that makes no model."""


class Comparison:
    """Compares managed resources with one reading of the database. `lineage` keys digests of what is concealed."""

    def __init__(
        self,
        registry: Registry,
        catalog: Catalog,
        live: Snapshot,
        everything: Sequence[tuple[ResourceKey, Managed]],
        *,
        lineage: str,
    ) -> None:
        self._registry = registry
        self._catalog = catalog
        self._live = live
        self._everything = everything
        self._lineage = lineage

    def of(self, context: Context, chosen: Iterable[tuple[ResourceKey, Managed]]) -> Iterator[Compared]:
        """Yield those of `chosen` whose objects are gone, or have another digest than in state.

        Raises ValidationError for a type that the provider does not know.
        """
        pairs: list[_Pair] = []
        for key, managed in chosen:
            handler = self._registry.get(key.type)
            if managed.digest and managed.digest == self._live.digest(managed.ref):
                continue
            found, model = self._find(handler, key, managed)
            if found is None:
                if model is None:
                    yield Compared(key, managed, None)
                continue
            pairs.append(self._pair(handler, key, managed, found, model))
        context.check()
        yield from self._compare(context, pairs)

    def _find(self, handler: Handler[Any], key: ResourceKey, managed: Managed) -> tuple[Ref | None, Any]:
        """Return where a resource is and its model; no place but a model where it holds without an object."""
        if managed.ref in self._live:
            return managed.ref, self._live.get(managed.ref)
        wanted = self._parsed(handler, key, recall(managed.instance) or managed.instance.config)
        if wanted is None:
            return None, None
        implied = handler.implied(wanted, self._live)
        if implied is not None and not handler.diff(implied, wanted):
            return None, implied
        other = handler.former(wanted)
        if other is not None and other.type != managed.ref.type and other in self._live:
            return other, self._live.get(other)
        return None, None

    def _pair(
        self, handler: Handler[Any], key: ResourceKey, managed: Managed, found: Ref, model: Any
    ) -> _Pair:
        remembered = recall(managed.instance)
        sealed = _plain(managed.instance.config if remembered is None else remembered)
        seals: list[Difference] = []
        known = _unsealed(sealed, _plain(handler.config(model)), (), seals)
        before = self._parsed(handler, key, known)
        if before is not None and remembered is None:
            before = with_kept(handler.completed(before, self._live.get), model)
        return _Pair(key, managed, handler, found, model, tuple(seals), before)

    def _parsed(self, handler: Handler[Any], key: ResourceKey, config: Mapping[str, Any]) -> Any:
        try:
            return handler.parse(config, key.name)
        except ValidationError:
            return None

    def _compare(self, context: Context, pairs: Sequence[_Pair]) -> Iterator[Compared]:
        if not pairs:
            return
        claims = self._claims()
        for pair in pairs:
            pair.live = claims.without(pair.handler, pair.found, pair.live)
            if pair.before is not None:
                pair.before = claims.without(pair.handler, pair.found, pair.before)
        open_ = [each for each in pairs if each.before is not None and not _same(each)]
        if open_:
            asked = [(each.handler, each.live, each.before) for each in open_]
            for pair, settled in zip(open_, self._catalog.settle(context, asked), strict=True):
                pair.before = settled
        for pair in pairs:
            yield Compared(
                pair.key,
                pair.managed,
                pair.found,
                tuple(self._differences(pair)),
                unknown=pair.before is None,
            )

    def _claims(self) -> Claims:
        """Return the parts that are resources of their own, as they are and as they were."""
        found = []
        for key, managed in self._everything:
            handler = self._registry.get(key.type)
            if handler.parts:
                known = recall(managed.instance) or managed.instance.config
                models = (self._live.get(managed.ref), self._parsed(handler, key, known))
                found += [(handler, managed.ref, each) for each in models if each is not None]
        return Claims.of(found)

    def _differences(self, pair: _Pair) -> Iterator[Difference]:
        if pair.found.type != pair.managed.ref.type:
            yield Difference(("type",), pair.managed.ref.type, pair.found.type, "security")
        live = _plain(pair.handler.config(pair.live))
        if pair.before is not None and not _same(pair):
            before = _plain(pair.handler.config(pair.before))
            differing = [name for name in {*before, *live} if before.get(name) != live.get(name)]
            same = {
                name
                for name in differing
                if self._is_none(pair, (name,), (before.get(name), live.get(name)), before, live)
            }
            yield from (
                each
                for each in differences(pair.handler.model, _but(before, same), _but(live, same))
                if not self._is_none(pair, each.steps, (each.before, each.after), before, live)
            )
        yield from pair.seals
        yield from self._concealed(pair)

    def _is_none(
        self,
        pair: _Pair,
        steps: Sequence[str],
        values: tuple[Any, Any],
        before: Mapping[str, Any],
        live: Mapping[str, Any],
    ) -> bool:
        """Whether one difference is none by itself, e.g. another order of columns.

        Another one may be all there is to it: that a column of a primary key is not null goes without saying.
        """
        for model, config, value in ((pair.before, before, values[1]), (pair.live, live, values[0])):
            changed = with_value(pair.handler.model, config, steps, value)
            made = None if changed is None else self._parsed(pair.handler, pair.key, changed)
            if made is not None and pair.handler.normal(made) == pair.handler.normal(model):
                return True
        return False

    def _concealed(self, pair: _Pair) -> Iterator[Difference]:
        state = pair.managed.instance.state
        noted = state.get(CONCEALED, {} if LIVE in state else None)
        if not isinstance(noted, Mapping):
            return
        now = conceal(pair.handler.concealed(pair.live), self._lineage)
        for name in [*noted, *(name for name in now if name not in noted)]:
            if noted.get(name) != now.get(name):
                yield Difference(
                    (name,),
                    REDACTED if noted.get(name) else None,
                    REDACTED if now.get(name) else None,
                    "security",
                    sensitive=True,
                )


def _same(pair: _Pair) -> bool:
    return bool(
        pair.before == pair.live or pair.handler.normal(pair.before) == pair.handler.normal(pair.live)
    )


def _but(config: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    left_out = frozenset(names)
    return {name: each for name, each in config.items() if name not in left_out}


def _plain(config: Mapping[str, Any]) -> Any:
    """Return a configuration as it is after it was written and read."""
    return msgspec.json.decode(msgspec.json.encode(config))


def _unsealed(value: Any, live: Any, steps: tuple[str, ...], seals: list[Difference]) -> Any:
    """Return `value` with what `live` has in the place of each stand-in of a sensitive value; note these.

    The two may be spelled in different ways: a list as its blocks or by name (see `engine.declaration`).
    """
    if is_sealed(value):
        seals.append(Difference(steps, value, live, sensitive=True))
        return live
    if isinstance(value, dict):
        found = {}
        for key, each in value.items():
            name, there = key, None
            if isinstance(live, dict):
                name = next((other for other in live if singular(other) == singular(key)), key)
                there = live.get(name)
            elif isinstance(live, list):
                there = _counterpart(live, {"name": key}, len(live))
            found[key] = _unsealed(each, there, (*steps, name), seals)
        return {key: each for key, each in found.items() if each is not None or not is_sealed(value[key])}
    if isinstance(value, list):
        held = live if isinstance(live, list) else []
        return [
            _unsealed(each, _counterpart(held, each, at), (*steps, _name(each) or str(at)), seals)
            for at, each in enumerate(value)
        ]
    return value


def _name(element: Any) -> str:
    name = element.get("name") if isinstance(element, dict) else None
    return name if isinstance(name, str) else ""


def _counterpart(live: list[Any], element: Any, at: int) -> Any:
    name = element.get("name") if isinstance(element, dict) else None
    if isinstance(name, str):
        return next((each for each in live if isinstance(each, dict) and each.get("name") == name), None)
    return live[at] if at < len(live) else None
