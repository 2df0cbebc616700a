"""Models declare their configuration: one dataclass gives its schema, its parser and its writer.

A model is a frozen dataclass whose fields are made with `attribute`. From the declaration follow

* `object_type(model)`: the contract's ObjectType (spec 7.3),
* `parse(model, config)`: the typed model, or one ValidationError with every fault and its path,
* `config(model)`: the inverse of `parse`, leaving out what is at its default.

So a provider adds an attribute by adding one field. Field types understood: `str`, `int`, `float`,
`bool`, `Any` (JSON), `T | None`, `tuple[str, ...]`, `tuple[Model, ...]`, a nested model, and
`Mapping[str, T]`.

A field holding a tuple of models is spelled in configuration as its plural name with a list or, when
the elements have a `name`, a map by name; or as its singular name, as blocks give it:
`columns = [{name = "id"}]`, `columns = {id = {}}` and `column "id" {}` are one thing. An element whose
class sets `SHORTHAND` may be given as a bare string standing for that field.

Besides its fields a model class may define `prepare(config, path, problems)`, a static method that rewrites
accepted spellings into the declared one before parsing, and `verify()`, which yields the faults that only
show across attributes.
"""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.schema import AttributeSchema, AttributeType, ObjectType, ValidatorSpec

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a field's declaration says beyond its type."""

    description: str
    required: bool = False
    computed: bool = False
    sensitive: bool = False
    validators: tuple[ValidatorSpec, ...] = ()
    hint: bool = False
    """A wish of the configuration rather than a fact of the database, e.g. `renamed_from`."""


def attribute(
    description: str,
    *,
    default: Any = dataclasses.MISSING,
    computed: bool = False,
    sensitive: bool = False,
    compare: bool = True,
    hint: bool = False,
    validators: Sequence[ValidatorSpec] = (),
) -> Any:
    """Declare a field of a model; without `default` it is required.

    `compare=False` keeps it out of equality: how a thing is written, not what it is.
    """
    about = Attribute(
        description, default is dataclasses.MISSING, computed, sensitive, tuple(validators), hint
    )
    return dataclasses.field(
        default=default, compare=compare and not hint, kw_only=True, metadata={"attribute": about}
    )


def one_of(*values: str) -> ValidatorSpec:
    """Return a validator that allows only `values`, compared without regard to case."""
    return ValidatorSpec(type="enum", value=list(values), message=f"must be one of {', '.join(values)}")


def length(*, minimum: int = 0, maximum: int | None = None) -> ValidatorSpec:
    """Return a validator of a text's length in characters or a list's in elements."""
    bounds = {"min": minimum} | ({"max": maximum} if maximum is not None else {})
    words = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
    return ValidatorSpec(type="length", value=bounds, message=f"length must be {words}")


NOT_EMPTY = ValidatorSpec(type="length", value={"min": 1}, message="must not be empty")


def singular(word: str) -> str:
    """Return the block name of a list attribute: `columns` -> `column`, `indexes` -> `index`."""
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("xes", "sses", "shes", "ches")):
        return word[:-2]
    return word.removesuffix("s")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    about: Attribute
    kind: str
    """`str`, `int`, `float`, `bool`, `any`, `strings`, `model`, `models` or `mapping`."""
    optional: bool
    default: Any
    element: Any = None
    block: str = ""


def _fields(model: type[Any]) -> tuple[_Field, ...]:
    found = _DECLARED.get(model)
    if found is None:
        found = _DECLARED[model] = _read_fields(model)
    return found


_DECLARED: dict[type[Any], tuple[_Field, ...]] = {}


def _read_fields(model: type[Any]) -> tuple[_Field, ...]:
    hints = get_type_hints(model)
    found = []
    for each in dataclasses.fields(model):
        about = each.metadata.get("attribute")
        if not isinstance(about, Attribute):
            continue
        kind, optional, element = _kind(hints[each.name])
        found.append(
            _Field(
                each.name,
                about,
                kind,
                optional,
                each.default,
                element,
                singular(each.name) if kind == "models" else "",
            )
        )
    return tuple(found)


def _kind(hint: Any) -> tuple[str, bool, Any]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        inner = [each for each in get_args(hint) if each is not types.NoneType]
        kind, _, element = _kind(inner[0]) if len(inner) == 1 else ("any", True, None)
        return kind, True, element
    if hint in (str, int, float, bool):
        return hint.__name__, False, None
    if origin is tuple:
        element = get_args(hint)[0]
        return ("strings", False, None) if element is str else ("models", False, element)
    if origin in (Mapping, dict) or hint in (Mapping, dict):
        return "mapping", False, None
    if dataclasses.is_dataclass(hint):
        return "model", False, hint
    if hint is Any:
        return "any", False, None
    raise TypeError(f"a declared attribute cannot have the type {hint!r}")


_CONTRACT_TYPES: Mapping[str, AttributeType] = {
    "str": "string", "int": "int", "float": "float", "bool": "bool", "any": "any",
    "strings": "list", "models": "list", "model": "map", "mapping": "map",
}  # fmt: skip


def object_type(model: type[Any]) -> ObjectType:
    """Return the contract's description of `model` (spec 7.3)."""
    attributes = {}
    for each in _fields(model):
        default = each.default
        plain = default is not dataclasses.MISSING and isinstance(default, str | int | float | bool)
        attributes[each.name] = AttributeSchema(
            type=_CONTRACT_TYPES[each.kind],
            description=each.about.description,
            required=each.about.required,
            computed=each.about.computed,
            sensitive=each.about.sensitive,
            default=default if plain else None,
            validators=each.about.validators,
            elements=object_type(each.element) if each.element is not None else None,
        )
    return ObjectType(attributes=attributes)


def parse(model: type[M], config: Mapping[str, Any]) -> M:
    """Turn configuration into `model`.

    Raises ValidationError with a Problem for every fault found; each has the path of the attribute.
    """
    problems: list[Problem] = []
    built = _parse_model(model, config, "", problems)
    if problems:
        raise ValidationError.of(problems)
    assert built is not None
    return built


def _parse_model(model: type[M], config: Mapping[str, Any], path: str, problems: list[Problem]) -> M | None:
    before = len(problems)
    prepare = getattr(model, "prepare", None)
    if prepare is not None:
        config = prepare(config, path, problems)
    fields = _fields(model)
    values: dict[str, Any] = {}
    taken = 0
    for each in fields:
        if each.kind == "models":
            raws = [config[key] for key in (each.name, each.block) if key in config]
            taken += len(raws)
            raws = [raw for raw in raws if raw is not None]
            if raws:
                where = f"{path}{each.name}"
                elements: list[Any] = []
                for raw in raws:
                    elements += _parse_elements(each.element, raw, where, problems)
                _validate(each.about.validators, elements, where, problems)
                values[each.name] = tuple(elements)
                continue
        elif each.name in config:
            taken += 1
            raw = config[each.name]
            if raw is not None:
                values[each.name] = _parse_value(each, raw, f"{path}{each.name}", problems)
                continue
        if each.about.required:
            problems.append(
                Problem(
                    f"{each.name} is required",
                    code="missing_attribute",
                    path=f"{path}{each.name}",
                    hint=f"Add {each.name}: {each.about.description[:1].lower()}{each.about.description[1:]}.",
                )
            )
    if taken < len(config):
        _report_unknown(fields, config, path, problems)
    if len(problems) > before:
        return None
    built = model(**values)
    verify = getattr(built, "verify", None)
    if verify is not None:
        problems.extend(dataclasses.replace(problem, path=f"{path}{problem.path}") for problem in verify())
    return built


def _parse_elements(element: type[Any], raw: Any, path: str, problems: list[Problem]) -> list[Any]:
    named = any(each.name == "name" for each in _fields(element))
    bodies: Iterable[tuple[str, Any]]
    if isinstance(raw, Mapping):
        if not named:
            bodies = [(path, raw)]
        else:
            bodies = [(f"{path}.{name}", _with_name(name, body)) for name, body in raw.items()]
    elif isinstance(raw, list | tuple):
        bodies = [(f"{path}[{index}]", body) for index, body in enumerate(raw)]
    else:
        problems.append(_mistyped(path, "a list or blocks", raw))
        return []
    shorthand = getattr(element, "SHORTHAND", None)
    built = []
    for where, given in bodies:
        body = {shorthand: given} if shorthand and isinstance(given, str) else given
        if not isinstance(body, Mapping):
            problems.append(_mistyped(where, "an object", body))
            continue
        made = _parse_model(element, body, f"{where}.", problems)
        if made is not None:
            built.append(made)
    return built


def _with_name(name: str, body: Any) -> Any:
    if isinstance(body, Mapping):
        return body if "name" in body else {"name": name, **body}
    return {"name": name, "type": body} if isinstance(body, str) else body


def _parse_value(each: _Field, raw: Any, path: str, problems: list[Problem]) -> Any:
    value: Any = raw
    wanted = ""
    match each.kind:
        case "str":
            if isinstance(raw, bool):
                value = "true" if raw else "false"
            elif isinstance(raw, int | float):
                value = str(raw)
            elif not isinstance(raw, str):
                wanted = "a string"
        case "int":
            if (isinstance(raw, str) and re.fullmatch(r"-?\d{1,18}", raw)) or (
                isinstance(raw, float) and raw.is_integer()
            ):
                value = int(raw)
            elif isinstance(raw, bool) or not isinstance(raw, int):
                wanted = "a whole number"
        case "float":
            if isinstance(raw, bool) or not isinstance(raw, int | float):
                wanted = "a number"
        case "bool":
            if raw in ("true", "false"):
                value = raw == "true"
            elif not isinstance(raw, bool):
                wanted = "true or false"
        case "strings":
            items = [raw] if isinstance(raw, str) else raw
            if isinstance(items, list | tuple) and all(isinstance(item, str) for item in items):
                value = tuple(items)
            else:
                wanted = "a list of strings"
        case "mapping":
            if not isinstance(raw, Mapping):
                wanted = "a map"
        case "model":
            shorthand = getattr(each.element, "SHORTHAND", None)
            if isinstance(raw, list) and len(raw) == 1 and isinstance(raw[0], Mapping):
                raw = raw[0]
            elif shorthand and not isinstance(raw, Mapping):
                raw = {shorthand: raw}
            if isinstance(raw, Mapping):
                return _parse_model(each.element, raw, f"{path}.", problems)
            wanted = "an object"
    if wanted:
        problems.append(_mistyped(path, wanted, raw))
        return None
    _validate(each.about.validators, value, path, problems)
    return value


def _mistyped(path: str, wanted: str, raw: Any) -> Problem:
    given = {bool: "a boolean", str: "a string", int: "a number", float: "a number", type(None): "null"}.get(
        type(raw), "a list" if isinstance(raw, list | tuple) else "an object"
    )
    return Problem(f"{path} must be {wanted}, not {given}", code="wrong_type", path=path)


def _report_unknown(
    fields: tuple[_Field, ...], config: Mapping[str, Any], path: str, problems: list[Problem]
) -> None:
    known = {each.name for each in fields} | {each.block for each in fields if each.block}
    for key in config:
        if key not in known:
            close = get_close_matches(str(key), sorted(known), 1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(sorted(known))}."
            problems.append(
                Problem(f"unknown attribute {key}", code="unknown_attribute", path=f"{path}{key}", hint=hint)
            )


def _validate(validators: Iterable[ValidatorSpec], value: Any, path: str, problems: list[Problem]) -> None:
    for validator in validators:
        if not _holds(validator, value):
            problems.append(
                Problem(f"{path} {validator.message}", code=f"invalid_{validator.type}", path=path)
            )


def _holds(validator: ValidatorSpec, value: Any) -> bool:
    """Whether `value` passes a validator of spec 7.3: regex, enum, range or length."""
    limits = validator.value
    match validator.type:
        case "regex":
            return isinstance(value, str) and re.search(limits, value) is not None
        case "enum":
            folded = {str(each).lower() for each in limits}
            return all(
                str(each).lower() in folded for each in (value if isinstance(value, tuple) else (value,))
            )
        case "range":
            return bool(limits.get("min", value) <= value <= limits.get("max", value))
        case "length":
            return bool(limits.get("min", 0) <= len(value) <= limits.get("max", len(value)))
    return True


def config(model: Any) -> dict[str, Any]:
    """Return the configuration of `model`: what `parse` turns back into an equal model."""
    data: dict[str, Any] = {}
    for each in _fields(type(model)):
        value = getattr(model, each.name)
        if each.about.hint or value == each.default or value is None:
            continue
        data[each.name] = _plain(value)
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        data = config(value)
        shorthand = getattr(type(value), "SHORTHAND", None)
        if shorthand and set(data) == {shorthand}:
            return data[shorthand]
        return data
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return value
