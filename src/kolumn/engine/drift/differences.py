"""Where two configurations of one resource differ, each difference with its path, its values and its weight.

Paths are those of `engine.changes`: elements of a list are addressed by `name` where all have one, else the list
is one attribute. The declaration of the model says what is sensitive and what guards the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from kolumn.contract.masking import REDACTED
from kolumn.contract.messages import Severity
from kolumn.contract.secrets import is_sealed
from kolumn.engine.declaration import DeclaredField, Guard, declared_fields

Kind: TypeAlias = Literal["added", "removed", "changed"]
_REMARKS = frozenset({"comment"})
"""Attributes that change nothing but what people read."""


class Difference(NamedTuple):
    """One attribute that differs; None where it is absent."""

    steps: tuple[str, ...]
    """The way to the attribute, step by step: names may have dots."""
    before: Any
    after: Any
    guards: Guard = ""
    sensitive: bool = False
    remark: bool = False

    @property
    def path(self) -> str:
        """The way as one text, as in plans."""
        return ".".join(self.steps)

    @property
    def kind(self) -> Kind:
        """What happened to the attribute."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def severity(self) -> Severity:
        """How much it matters.

        A lost constraint, or one on other terms, is an error, and so is whatever decides who may do what; a further
        constraint is a warning, as is anything else but a remark. What is gone with all it had is an error.
        """
        if self.remark:
            return "info"
        if self.guards in ("security", "terms") or (self.guards == "integrity" and self.kind != "added"):
            return "error"
        return "error" if self.kind == "removed" and isinstance(self.before, Mapping) else "warning"


def differences(model: type[Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return where two configurations of `model`, as `Handler.config` writes them, differ, in their order."""
    return list(_inside(model, before, after, (), _terms(getattr(model, "GUARDS", ""))))


def _inside(
    model: type[Any],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    path: tuple[str, ...],
    guards: Guard,
) -> Iterator[Difference]:
    fields = {each.name: each for each in declared_fields(model)}
    for key in [*before, *(key for key in after if key not in before)]:
        mine, theirs = before.get(key), after.get(key)
        if mine == theirs:
            continue
        field, where = fields.get(key), (*path, key)
        if field is None:
            yield Difference(where, mine, theirs, guards)
        else:
            yield from _field(field, mine, theirs, where, guards)


def _field(
    field: DeclaredField, mine: Any, theirs: Any, path: tuple[str, ...], guards: Guard
) -> Iterator[Difference]:
    guards = field.about.guards or guards
    inner: Guard = getattr(field.element, "GUARDS", "") or guards
    if field.about.sensitive:
        yield _sealed(path, mine, theirs, guards) or Difference(
            path,
            None if mine is None else REDACTED,
            None if theirs is None else REDACTED,
            guards,
            sensitive=True,
        )
        return
    if sealed := _sealed(path, mine, theirs, guards):
        yield sealed
        return
    if field.kind == "model" and mine is not None and theirs is not None:
        one, other = _expanded(field.element, mine), _expanded(field.element, theirs)
        if one is not None and other is not None:
            yield from _inside(field.element, one, other, path, _terms(inner))
            return
    if field.kind == "models":
        ours, others = _named(field.element, mine), _named(field.element, theirs)
        if ours is not None and others is not None:
            found = list(_elements(field, ours, others, path, inner))
            yield from found or [Difference(path, list(ours), list(others), inner)]
            return
    if field.kind == "mapping" and isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for key in [*mine, *(key for key in theirs if key not in mine)]:
            if mine.get(key) != theirs.get(key):
                sealed = _sealed((*path, key), mine.get(key), theirs.get(key), guards)
                yield sealed or Difference((*path, key), mine.get(key), theirs.get(key), guards)
        return
    before, after = (_without_secrets(field, _or_default(field, each)) for each in (mine, theirs))
    yield Difference(path, before, after, inner, remark=field.name in _REMARKS)


def _or_default(field: DeclaredField, value: Any) -> Any:
    """Return what holds where nothing is said, if that is anything; `value` otherwise."""
    if value is not None or not isinstance(field.default, str | int | float | tuple):
        return value
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return default or None


def _elements(
    field: DeclaredField,
    mine: Mapping[str, Any],
    theirs: Mapping[str, Any],
    path: tuple[str, ...],
    guards: Guard,
) -> Iterator[Difference]:
    for name in [*mine, *(name for name in theirs if name not in mine)]:
        one, other = mine.get(name), theirs.get(name)
        if one == other:
            continue
        if one is None or other is None:
            where = (*path, name)
            yield Difference(where, _without_secrets(field, one), _without_secrets(field, other), guards)
        else:
            yield from _inside(field.element, one, other, (*path, name), _terms(guards))


def _terms(guards: Guard) -> Guard:
    """Return what the attributes of a constraint are."""
    return "terms" if guards == "integrity" else guards


def _sealed(path: tuple[str, ...], mine: Any, theirs: Any, guards: Guard) -> Difference | None:
    """Return the difference between a stand-in and a live value: whether it is one, who has the salt can say."""
    return Difference(path, mine, theirs, guards, sensitive=True) if is_sealed(mine) else None


def _expanded(model: type[Any], value: Any) -> Mapping[str, Any] | None:
    """Return an element as an object, whether it is written as one or in its short form."""
    if isinstance(value, Mapping):
        return value
    short = getattr(model, "SHORTHAND", None)
    return {short: value} if short else None


def _named(model: type[Any], value: Any) -> dict[str, Mapping[str, Any]] | None:
    """Return the elements of a list by name; None where they have none of their own."""
    if value is None:
        return {}
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    named: dict[str, Mapping[str, Any]] = {}
    for each in value:
        element = _expanded(model, each)
        name = element.get("name") if element is not None else None
        if element is None or not isinstance(name, str) or name in named:
            return None
        named[name] = element
    return named


def _without_secrets(field: DeclaredField, value: Any) -> Any:
    """Return a value with what is sensitive inside of it replaced."""
    if field.element is None or value is None:
        return value
    if field.kind == "models" and isinstance(value, Sequence) and not isinstance(value, str):
        return [_hidden(field.element, each) for each in value]
    return _hidden(field.element, value)


def _hidden(model: type[Any], value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    fields = {each.name: each for each in declared_fields(model)}
    return {
        key: each
        if key not in fields
        else REDACTED
        if fields[key].about.sensitive
        else _without_secrets(fields[key], each)
        for key, each in value.items()
    }


def with_value(
    model: type[Any], config: Mapping[str, Any], steps: Sequence[str], value: Any
) -> dict[str, Any] | None:
    """Return a configuration of `model` with another value at a difference; None removes what is there.

    None where the configuration has nothing that the steps lead through.
    """
    head, rest = steps[0], steps[1:]
    field = next((each for each in declared_fields(model) if each.name == head), None)
    held = config.get(head)
    made: Any = value
    if rest:
        if field is not None and field.kind == "model" and held is not None:
            inside = _expanded(field.element, held)
            made = None if inside is None else with_value(field.element, inside, rest, value)
        elif field is not None and field.kind == "models":
            made = _with_element(field, held, rest, value)
        elif isinstance(held, Mapping):
            made = {key: each for key, each in {**held, rest[0]: value}.items() if each is not None}
        else:
            return None
        if made is None:
            return None
    return {key: each for key, each in {**config, head: made}.items() if each is not None}


def _with_element(field: DeclaredField, held: Any, steps: Sequence[str], value: Any) -> list[Any] | None:
    named = _named(field.element, held)
    if named is None:
        return None
    name, rest = steps[0], steps[1:]
    made: Any = value
    if rest:
        made = with_value(field.element, named[name], rest, value) if name in named else None
        if made is None:
            return None
    return [each for each in {**named, name: made}.values() if each is not None]
