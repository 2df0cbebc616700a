"""From configuration to models and back, as their declaration says (see `engine.declaration`).

A plan reads thousands of models of a few classes, so what a class takes is worked out once (`_Shape`). A
configuration is read key by key as it comes; only where something is wrong it is read again in the order
of declaration, so that faults come in one order however it is written.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.schema import ValidatorSpec
from kolumn.engine.declaration import DeclaredField, build, declared_fields, held
from kolumn.engine.sharing import OncePerObject

M = TypeVar("M")

_ALIKE = 4096
"""How many elements a parser knows again."""
_ENCODE = msgspec.json.Encoder().encode

Check = Callable[[str, str], "Problem | None"]
"""Says what is wrong with a text of a grammar; the problem's path is filled in by the parser."""


def parse(model: type[M], config: Mapping[str, Any], check: Check | None = None) -> M:
    """Turn one configuration into `model`; see `Parser`."""
    return Parser(model, check).parse(config)


class Parser(Generic[M]):
    """Parses configurations of one class of models; `check` judges every text that declares a grammar.

    Elements that are written alike, such as the same column of many tables, become one object.
    """

    def __init__(self, model: type[M], check: Check | None = None) -> None:
        self._shape = _shape(model)
        self._check = check
        self._alike: dict[tuple[type[Any], bytes], Any] = {}

    def parse(self, config: Mapping[str, Any]) -> M:
        """Turn configuration into a model.

        Raises ValidationError with a Problem for every fault found; each has the path of the attribute.
        """
        problems: list[Problem] = []
        built = _Parsing(self._check, self._alike, problems).model(self._shape, config, "")
        if problems:
            raise ValidationError.of(problems)
        assert built is not None
        return built


_WRONG: Any = object()
"""Stands for what is no value of a field's type."""


def _text(raw: Any) -> Any:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw) if isinstance(raw, (int, float)) else _WRONG


def _whole(raw: Any) -> Any:
    whole = isinstance(raw, str) and re.fullmatch(r"-?\d{1,18}", raw) is not None
    if whole or (isinstance(raw, float) and raw.is_integer()):
        return int(raw)
    return _WRONG if isinstance(raw, bool) or not isinstance(raw, int) else raw


def _number(raw: Any) -> Any:
    return _WRONG if isinstance(raw, bool) or not isinstance(raw, (int, float)) else raw


def _truth(raw: Any) -> Any:
    if raw in ("true", "false"):
        return raw == "true"
    return raw if isinstance(raw, bool) else _WRONG


def _texts(raw: Any) -> Any:
    items = [raw] if isinstance(raw, str) else raw
    right = isinstance(items, (list, tuple)) and all(isinstance(item, str) for item in items)
    return tuple(items) if right else _WRONG


def _mapping(raw: Any) -> Any:
    return raw if isinstance(raw, Mapping) else _WRONG


class _Kind(NamedTuple):
    """How the values of one kind of field are read."""

    wanted: str
    """What it should be, in words."""
    taken: type[Any] | None
    """Values of exactly this type are taken as they are."""
    convert: Callable[[Any], Any]


_KINDS: Mapping[str, _Kind] = {
    "str": _Kind("a string", str, _text),
    "int": _Kind("a whole number", int, _whole),
    "float": _Kind("a number", float, _number),
    "bool": _Kind("true or false", bool, _truth),
    "strings": _Kind("a list of strings", None, _texts),
    "mapping": _Kind("a map", None, _mapping),
    "any": _Kind("", None, lambda raw: raw),
}


class _Slot:
    """One declared field, ready for many values."""

    __slots__ = (
        "block", "convert", "default", "field", "grammar", "hint", "judged", "many", "name", "nested",
        "taken", "tests",
    )  # fmt: skip

    def __init__(self, field: DeclaredField) -> None:
        self.field = field
        self.name, self.block, self.default = field.name, field.block, field.default
        self.grammar, self.hint = field.about.grammar, field.about.hint
        self.tests = tuple((_test(each), each) for each in field.about.validators)
        self.judged = bool(self.tests or self.grammar)
        self.many = field.kind == "models"
        self.nested = _shape(field.element) if field.element is not None else None
        kind = _KINDS.get(field.kind, _KINDS["any"])
        self.taken: type[Any] | None = kind.taken
        self.convert: Callable[[Any], Any] = kind.convert


class _Shape(Generic[M]):
    """What reading and writing models of one class takes, worked out once."""

    def __init__(self, model: type[M]) -> None:
        self.model = model
        self.slots = tuple(_Slot(each) for each in declared_fields(model))
        self.blocks = {slot.block: slot.name for slot in self.slots if slot.block}
        self.by_name = {slot.name: slot for slot in self.slots}
        self.places = {slot.name: place for place, slot in enumerate(self.slots)}
        self.by_key = {key: slot for slot in self.slots for key in (slot.name, slot.block) if key}
        self.required = frozenset(slot.name for slot in self.slots if slot.field.about.required)
        self.prepare = getattr(model, "prepare", None)
        self.verify = getattr(model, "verify", None)
        self.order: str | None = getattr(model, "KEY_ORDER", None)
        self.shorthand: str | None = getattr(model, "SHORTHAND", None)


_SHAPES: dict[type[Any], _Shape[Any]] = {}


def _shape(model: type[M]) -> _Shape[M]:
    shape = _SHAPES.get(model)
    if shape is None:
        shape = _SHAPES[model] = _Shape(model)
    return shape


class _Parsing:
    """Parses one configuration; collects the faults in `problems`, and in `alike` the elements without."""

    def __init__(
        self, check: Check | None, alike: dict[tuple[type[Any], bytes], Any], problems: list[Problem]
    ) -> None:
        self._check = check
        self._alike = alike
        self._problems = problems

    def model(self, shape: _Shape[M], config: Mapping[str, Any], path: str) -> M | None:
        """Return the model, None where `config` has faults."""
        before = len(self._problems)
        if shape.prepare is not None:
            config = shape.prepare(config, path, self._problems)
        prepared = len(self._problems)
        values: dict[str, Any] = {}
        by_key, known = shape.by_key, True
        for key, raw in config.items():
            slot = by_key.get(key)
            if slot is None:
                known = False
                continue
            if slot.many:
                if key != slot.name and slot.name in config:
                    continue
                raw = self._given_elements(slot, config, path)
            if type(raw) is slot.taken and not slot.judged:
                values[slot.name] = raw
            elif raw is not None:
                values[slot.name] = raw if slot.many else self._value(slot, raw, path)
            elif slot.default is not dataclasses.MISSING:
                values[slot.name] = slot.default
        if not known or len(self._problems) > prepared or not shape.required <= values.keys():
            del self._problems[prepared:]
            self._tell(shape, config, path)
        if len(self._problems) > before:
            return None
        if shape.order is not None:
            values[shape.order] = tuple([shape.blocks.get(key, key) for key in config])
        built = build(shape.model, values)
        if shape.verify is not None:
            for problem in shape.verify(built):
                self._problems.append(dataclasses.replace(problem, path=f"{path}{problem.path}"))
        return built

    def _tell(self, shape: _Shape[Any], config: Mapping[str, Any], path: str) -> None:
        """Note every fault of `config`, in the order of declaration."""
        for slot in shape.slots:
            if slot.many:
                given = self._given_elements(slot, config, path) is not None
            else:
                raw = config.get(slot.name)
                given = raw is not None
                if given:
                    self._value(slot, raw, path)
            if not given and slot.name in shape.required:
                words = slot.field.about.description
                self._problems.append(
                    Problem(
                        f"{slot.name} is required",
                        code="missing_attribute",
                        path=f"{path}{slot.name}",
                        hint=f"Add {slot.name}: {words[:1].lower()}{words[1:]}.",
                    )
                )
        known = shape.by_key
        for key in config:
            if key not in known:
                from difflib import get_close_matches  # only a fault needs it

                close = get_close_matches(str(key), sorted(known), 1)
                hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(sorted(known))}."
                self._problems.append(
                    Problem(
                        f"unknown attribute {key}", code="unknown_attribute", path=f"{path}{key}", hint=hint
                    )
                )

    def _given_elements(self, slot: _Slot, config: Mapping[str, Any], path: str) -> tuple[Any, ...] | None:
        """Return the elements under the field's name and then its block's name, None if neither is set."""
        where = f"{path}{slot.name}"
        built: list[Any] | None = None
        for key in dict.fromkeys((slot.name, slot.block)):
            raw = config.get(key)
            if raw is not None:
                made = self._elements(slot, raw, where, block=key != slot.name)
                built = made if built is None else built + made
        if built is None:
            return None
        self._validate(slot, built, path)
        return tuple(built)

    def _elements(self, slot: _Slot, raw: Any, path: str, *, block: bool) -> list[Any]:
        shape = slot.nested
        assert shape is not None
        shorthand = shape.shorthand
        bodies: Iterable[tuple[str, Any]]
        if isinstance(raw, Mapping):
            if _is_by_name(shape, raw, block=block):
                bodies = [(f".{name}", _with_name(shape, name, body)) for name, body in raw.items()]
            else:
                bodies = [("", raw)]
        elif isinstance(raw, (list, tuple)):
            bodies = [(f"[{index}]", body) for index, body in enumerate(raw)]
        elif shorthand and isinstance(raw, str):
            bodies = [("", raw)]
        else:
            self._problems.append(_mistyped(path, "a list or blocks", raw))
            return []
        built = []
        for place, given in bodies:
            body = {shorthand: given} if shorthand and isinstance(given, (str, list, tuple)) else given
            made = self._element(shape, body, path, place)
            if made is not None:
                built.append(made)
        return built

    def _element(self, shape: _Shape[M], body: Any, path: str, place: str) -> M | None:
        """Return the element, the one made before of a body written alike if there is one."""
        key = None
        if type(body) is dict:
            try:
                key = (shape.model, _ENCODE(body))
            except (TypeError, ValueError, OverflowError, RecursionError):
                pass  # it holds what JSON has not, so nothing is written like it
            else:
                known: M | None = self._alike.get(key)
                if known is not None:
                    return known
        elif not isinstance(body, Mapping):
            self._problems.append(_mistyped(f"{path}{place}", "an object", body))
            return None
        before = len(self._problems)
        made = self.model(shape, body, f"{path}{place}.")
        if key is not None and made is not None and len(self._problems) == before:
            if len(self._alike) == _ALIKE:
                self._alike.clear()
            self._alike[key] = made
        return made

    def _value(self, slot: _Slot, raw: Any, path: str) -> Any:
        if slot.nested is not None:
            body = _body(slot.nested, raw)
            if body is not None:
                return self.model(slot.nested, body, f"{path}{slot.name}.")
            self._problems.append(_mistyped(f"{path}{slot.name}", "an object", raw))
            return None
        value = raw if type(raw) is slot.taken else slot.convert(raw)
        if value is _WRONG:
            self._problems.append(_mistyped(f"{path}{slot.name}", _KINDS[slot.field.kind].wanted, raw))
            return None
        self._validate(slot, value, path)
        if slot.grammar and self._check is not None:
            texts = value if isinstance(value, tuple) else (value,)
            for at, text in enumerate(texts):
                problem = self._check(slot.grammar, text) if text != slot.default else None
                if problem is not None:
                    where = f"{path}{slot.name}[{at}]" if isinstance(value, tuple) else f"{path}{slot.name}"
                    self._problems.append(dataclasses.replace(problem, path=where))
        return value

    def _validate(self, slot: _Slot, value: Any, path: str) -> None:
        for holds, validator in slot.tests:
            if not holds(value):
                where = f"{path}{slot.name}"
                self._problems.append(
                    Problem(f"{where} {validator.message}", code=f"invalid_{validator.type}", path=where)
                )


def _is_by_name(shape: _Shape[Any], raw: Mapping[str, Any], *, block: bool) -> bool:
    """Whether `raw` maps names to elements rather than being one element itself.

    A block without a label arrives as its own body: some key is an attribute with a plain value.
    """
    known = shape.by_key
    if "name" not in known:
        return False
    return not block or not any(
        key in known and type(body) is not dict and not isinstance(body, Mapping) for key, body in raw.items()
    )


def _with_name(shape: _Shape[Any], name: str, body: Any) -> Any:
    if isinstance(body, (list, tuple)) and len(body) == 1 and isinstance(body[0], Mapping):
        only = _body(shape, body)
        body = body if only is None else only
    if type(body) is dict or isinstance(body, Mapping):
        return body if "name" in body else {"name": name, **body}
    if isinstance(body, (str, list, tuple)) and shape.shorthand:
        return {"name": name, shape.shorthand: body}
    return body


def _body(shape: _Shape[Any], raw: Any) -> Mapping[str, Any] | None:
    """Return what a nested model is given as: a map, one block, or the value its SHORTHAND names."""
    if isinstance(raw, Mapping):
        return raw
    alone = isinstance(raw, (list, tuple)) and len(raw) == 1 and isinstance(raw[0], Mapping)
    if alone and (not shape.shorthand or shape.by_key.keys() >= raw[0].keys()):
        body: Mapping[str, Any] = raw[0]
        return body
    return {shape.shorthand: raw} if shape.shorthand else None


def _mistyped(path: str, wanted: str, raw: Any) -> Problem:
    given = {bool: "a boolean", str: "a string", int: "a number", float: "a number", type(None): "null"}.get(
        type(raw), "a list" if isinstance(raw, (list, tuple)) else "an object"
    )
    return Problem(f"{path} must be {wanted}, not {given}", code="wrong_type", path=path)


def _test(validator: ValidatorSpec) -> Callable[[Any], bool]:
    """Return what says whether a value passes a validator of spec 7.3: regex, enum, range or length."""
    limits = validator.value
    match validator.type:
        case "regex":
            return lambda value: isinstance(value, str) and re.fullmatch(limits, value) is not None
        case "enum":
            folded = frozenset(str(each).lower() for each in limits)
            return lambda value: all(
                str(each).lower() in folded for each in (value if isinstance(value, tuple) else (value,))
            )
        case "range":
            return lambda value: bool(limits.get("min", value) <= value <= limits.get("max", value))
        case "length":
            least, most = limits.get("min", 0), limits.get("max")
            return lambda value: least <= len(value) and (most is None or len(value) <= most)
    return lambda value: True  # noqa: ARG005 - a validator for others


def config(model: Any) -> dict[str, Any]:
    """Return the configuration of `model`: what `parse` turns back into an equal model. Not to be changed."""
    return _config(_shape(type(model)), model)


def _config(shape: _Shape[Any], model: Any) -> dict[str, Any]:
    order: tuple[str, ...] = getattr(model, shape.order) if shape.order else ()
    data: dict[str, Any] = {}
    for name, value in held(model).items():
        slot = shape.by_name.get(name)
        if slot is None or slot.hint or value is None or (value == slot.default and name not in order):
            continue
        data[name] = value if type(value) is str or type(value) is bool else _plain(value)
    if not order:
        return {name: data[name] for name in sorted(data, key=shape.places.__getitem__)}
    if tuple(data) == order and "name" not in order[1:]:
        return data
    placed = {name: data[name] for name in dict.fromkeys(("name", *order)) if name in data}
    if len(placed) < len(data):
        placed |= {name: data[name] for name in shape.places if name in data and name not in placed}
    return placed


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int)):  # nearly always; a union is made anew at every call
        return value
    if type(value) in _SHAPES:
        return _element_config(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _element_config(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return value


@OncePerObject
def _element_config(model: Any) -> Any:
    shape = _shape(type(model))
    data = _config(shape, model)
    return data[shape.shorthand] if len(data) == 1 and shape.shorthand in data else data
