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
class sets `SHORTHAND` may be given as a bare string or list standing for that field.

Besides its fields a model class may define `prepare(config, path, problems)`, a static method that rewrites
accepted spellings into the declared one before parsing, and `verify()`, which yields the faults that only
show across attributes. `KEY_ORDER` names a field outside of equality that keeps the order of the keys in
configuration, and with it which were given although at their default; `config` writes them so again.
"""

from __future__ import annotations

import dataclasses
import operator
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.schema import AttributeSchema, AttributeType, ObjectType, ValidatorSpec, singular

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
    kept: bool = False
    """Whether the database's own value stands where configuration gives none, e.g. an owner."""
    grammar: str = ""
    """What a text is in the database's language, e.g. `expression`; empty for plain text.

    The floors above decide what that means: they check such texts and bring them into normal form.
    """


Check = Callable[[str, str], "Problem | None"]
"""Says what is wrong with a text of a grammar; the problem's path is filled in by the parser."""


def attribute(
    description: str,
    *,
    default: Any = dataclasses.MISSING,
    computed: bool = False,
    sensitive: bool = False,
    compare: bool = True,
    hint: bool = False,
    kept: bool = False,
    grammar: str = "",
    validators: Sequence[ValidatorSpec] = (),
) -> Any:
    """Declare a field of a model; without `default` it is required.

    `compare=False` keeps it out of equality: how a thing is written, not what it is. `kept` means that
    leaving it out of the configuration leaves the database's value alone (see `with_kept`).
    """
    about = Attribute(
        description,
        required=default is dataclasses.MISSING,
        computed=computed,
        sensitive=sensitive,
        validators=tuple(validators),
        hint=hint,
        kept=kept,
        grammar=grammar,
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


@dataclass(frozen=True, slots=True)
class DeclaredField:
    """One declared field of a model, with what its type annotation says."""

    name: str
    about: Attribute
    kind: str
    """`str`, `int`, `float`, `bool`, `any`, `strings`, `model`, `models` or `mapping`."""
    optional: bool
    default: Any
    element: Any = None
    block: str = ""


_DECLARED: dict[type[Any], tuple[DeclaredField, ...]] = {}


def declared_fields(model: type[Any]) -> tuple[DeclaredField, ...]:
    """Return the fields of `model` made with `attribute`, in order."""
    if model not in _DECLARED:
        _DECLARED[model] = tuple(_read_fields(model))
    return _DECLARED[model]


def _read_fields(model: type[Any]) -> Iterable[DeclaredField]:
    hints = get_type_hints(model)
    for each in dataclasses.fields(model):
        about = each.metadata.get("attribute")
        if not isinstance(about, Attribute):
            continue
        kind, optional, element = _kind(hints[each.name])
        block = singular(each.name) if kind == "models" else ""
        yield DeclaredField(each.name, about, kind, optional, each.default, element, block)


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
    for each in declared_fields(model):
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


def parse(model: type[M], config: Mapping[str, Any], check: Check | None = None) -> M:
    """Turn configuration into `model`; `check` judges every text that declares a grammar.

    Raises ValidationError with a Problem for every fault found; each has the path of the attribute.
    """
    problems: list[Problem] = []
    built = _Parser(check, problems).model(model, config, "")
    if problems:
        raise ValidationError.of(problems)
    assert built is not None
    return built


class _Parser:
    """Parses one configuration; collects the faults in `problems`."""

    def __init__(self, check: Check | None, problems: list[Problem]) -> None:
        self._check = check
        self._problems = problems

    def model(self, model: type[M], config: Mapping[str, Any], path: str) -> M | None:
        """Return the model, None where `config` has faults."""
        before = len(self._problems)
        prepare = getattr(model, "prepare", None)
        if prepare is not None:
            config = prepare(config, path, self._problems)
        fields = declared_fields(model)
        values: dict[str, Any] = {}
        taken = 0
        for each in fields:
            if each.kind == "models":
                where = f"{path}{each.name}"
                keys = [key for key in dict.fromkeys((each.name, each.block)) if key in config]
                taken += len(keys)
                keys = [key for key in keys if config[key] is not None]
                if keys:
                    elements: list[Any] = []
                    for key in keys:
                        elements += self._elements(each, config[key], where, block=key != each.name)
                    self._validate(each.about.validators, elements, where)
                    values[each.name] = tuple(elements)
                    continue
            elif each.name in config:
                taken += 1
                raw = config[each.name]
                if raw is not None:
                    values[each.name] = self._value(each, raw, f"{path}{each.name}")
                    continue
            if each.about.required:
                self._problems.append(
                    Problem(
                        f"{each.name} is required",
                        code="missing_attribute",
                        path=f"{path}{each.name}",
                        hint=f"Add {each.name}: {each.about.description[:1].lower()}"
                        f"{each.about.description[1:]}.",
                    )
                )
        if taken < len(config):
            _report_unknown(fields, config, path, self._problems)
        if len(self._problems) > before:
            return None
        if ordered := getattr(model, "KEY_ORDER", None):
            spelled = {each.block: each.name for each in fields if each.block}
            values[ordered] = tuple(spelled.get(key, key) for key in config)
        built = model(**values)
        verify = getattr(built, "verify", None)
        if verify is not None:
            self._problems.extend(
                dataclasses.replace(problem, path=f"{path}{problem.path}") for problem in verify()
            )
        return built

    def _elements(self, field: DeclaredField, raw: Any, path: str, *, block: bool) -> list[Any]:
        element = field.element
        shorthand: str | None = getattr(element, "SHORTHAND", None)
        bodies: Iterable[tuple[str, Any]]
        if isinstance(raw, Mapping):
            if _is_by_name(element, raw, block=block):
                bodies = [
                    (f"{path}.{name}", _with_name(element, name, body, shorthand))
                    for name, body in raw.items()
                ]
            else:
                bodies = [(path, raw)]
        elif isinstance(raw, list | tuple):
            bodies = [(f"{path}[{index}]", body) for index, body in enumerate(raw)]
        elif shorthand and isinstance(raw, str):
            bodies = [(path, raw)]
        else:
            self._problems.append(_mistyped(path, "a list or blocks", raw))
            return []
        built = []
        for where, given in bodies:
            body = {shorthand: given} if shorthand and isinstance(given, str | list | tuple) else given
            if not isinstance(body, Mapping):
                self._problems.append(_mistyped(where, "an object", body))
                continue
            made = self.model(element, body, f"{where}.")
            if made is not None:
                built.append(made)
        return built

    def _value(self, each: DeclaredField, raw: Any, path: str) -> Any:
        value: Any = raw
        wanted = ""
        match each.kind:
            case "str":
                if isinstance(raw, str):
                    pass
                elif isinstance(raw, bool):
                    value = "true" if raw else "false"
                elif isinstance(raw, int | float):
                    value = str(raw)
                else:
                    wanted = "a string"
            case "int":
                whole = isinstance(raw, str) and re.fullmatch(r"-?\d{1,18}", raw) is not None
                if whole or (isinstance(raw, float) and raw.is_integer()):
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
                elif each.about.grammar and not all(isinstance(item, str) for item in raw.values()):
                    wanted = "a map of strings"
            case "model":
                body = _body(each.element, raw)
                if body is not None:
                    return self.model(each.element, body, f"{path}.")
                wanted = "an object"
        if wanted:
            self._problems.append(_mistyped(path, wanted, raw))
            return None
        self._validate(each.about.validators, value, path)
        if self._check is not None and each.about.grammar:
            self._inspect(each, value, path)
        return value

    def _inspect(self, each: DeclaredField, value: Any, path: str) -> None:
        assert self._check is not None
        texts: Iterable[tuple[str, str]] = ((path, value),)
        if isinstance(value, tuple):
            texts = ((f"{path}[{at}]", text) for at, text in enumerate(value))
        elif isinstance(value, Mapping):
            texts = ((f"{path}.{key}", text) for key, text in value.items())
        for where, text in texts:
            if text == each.default:
                continue
            problem = self._check(each.about.grammar, text)
            if problem is not None:
                self._problems.append(dataclasses.replace(problem, path=where))

    def _validate(self, validators: Iterable[ValidatorSpec], value: Any, path: str) -> None:
        for validator in validators:
            if not _holds(validator, value):
                self._problems.append(
                    Problem(f"{path} {validator.message}", code=f"invalid_{validator.type}", path=path)
                )


def _is_by_name(element: type[Any], raw: Mapping[str, Any], *, block: bool) -> bool:
    """Whether `raw` maps names to elements rather than being one element itself.

    A block without a label arrives as its own body: some key is an attribute with a plain value.
    """
    fields = {key for each in declared_fields(element) for key in (each.name, each.block)}
    if "name" not in fields:
        return False
    return not block or not any(key in fields and not isinstance(body, Mapping) for key, body in raw.items())


def _with_name(element: type[Any], name: str, body: Any, shorthand: str | None) -> Any:
    if isinstance(body, list | tuple) and len(body) == 1 and isinstance(body[0], Mapping):
        only = _body(element, body)
        body = body if only is None else only
    if isinstance(body, Mapping):
        return body if "name" in body else {"name": name, **body}
    if isinstance(body, str | list | tuple) and shorthand:
        return {"name": name, shorthand: body}
    return body


def _body(element: type[Any], raw: Any) -> Mapping[str, Any] | None:
    """Return what a nested model is given as: a map, one block, or the value its SHORTHAND names."""
    if isinstance(raw, Mapping):
        return raw
    shorthand = getattr(element, "SHORTHAND", None)
    if isinstance(raw, list | tuple) and len(raw) == 1 and isinstance(raw[0], Mapping):
        known = {key for each in declared_fields(element) for key in (each.name, each.block)}
        if not shorthand or known.issuperset(raw[0]):
            return raw[0]
    return {shorthand: raw} if shorthand else None


def _mistyped(path: str, wanted: str, raw: Any) -> Problem:
    given = {bool: "a boolean", str: "a string", int: "a number", float: "a number", type(None): "null"}.get(
        type(raw), "a list" if isinstance(raw, list | tuple) else "an object"
    )
    return Problem(f"{path} must be {wanted}, not {given}", code="wrong_type", path=path)


def _report_unknown(
    fields: tuple[DeclaredField, ...], config: Mapping[str, Any], path: str, problems: list[Problem]
) -> None:
    known = {each.name for each in fields} | {each.block for each in fields if each.block}
    for key in config:
        if key not in known:
            close = get_close_matches(str(key), sorted(known), 1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(sorted(known))}."
            problems.append(
                Problem(f"unknown attribute {key}", code="unknown_attribute", path=f"{path}{key}", hint=hint)
            )


def _holds(validator: ValidatorSpec, value: Any) -> bool:
    """Whether `value` passes a validator of spec 7.3: regex, enum, range or length."""
    limits = validator.value
    match validator.type:
        case "regex":
            return isinstance(value, str) and re.fullmatch(limits, value) is not None
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
    ordered = getattr(type(model), "KEY_ORDER", None)
    order: tuple[str, ...] = getattr(model, ordered) if ordered else ()
    explicit = frozenset(order)
    for each in declared_fields(type(model)):
        value = getattr(model, each.name)
        if each.about.hint or value is None or (value == each.default and each.name not in explicit):
            continue
        data[each.name] = _plain(value)
    return {key: data[key] for key in sorted(data, key=_place(order))} if order else data


def _place(order: tuple[str, ...]) -> Callable[[str], int]:
    """Return the sort key that puts what `order` names there, the name first, and the rest last."""
    places = {key: place for place, key in enumerate(order)}
    return lambda key: -1 if key == "name" else places.get(key, len(places))


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int)):  # nearly always; a union is made anew at every call
        return value
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


def former_names(model: Any) -> dict[str, str]:
    """Return what elements of `model` were called before, by path: `{"columns.headline": "title"}`."""
    found: dict[str, str] = {}
    for each in declared_fields(type(model)):
        if each.kind == "models":
            for element in getattr(model, each.name):
                before = getattr(element, "renamed_from", "")
                if before:
                    found[f"{each.name}.{element.name}"] = before
    return found


def with_kept(wanted: M, live: M) -> M:
    """Return `wanted` with the live values of what configuration leaves alone, in its elements as well."""
    kind = type(wanted)
    if kind not in _KEPT:
        _KEPT[kind] = tuple(
            each
            for each in declared_fields(kind)
            if each.about.kept or (each.kind in ("model", "models") and _keeps(each.element))
        )
    changes: dict[str, Any] = {}
    for each in _KEPT[kind]:
        mine, theirs = getattr(wanted, each.name), getattr(live, each.name, each.default)
        made: Any = mine
        if each.about.kept:
            made = theirs if mine == each.default else mine
        elif each.kind == "model" and mine is not None and theirs is not None:
            made = with_kept(mine, theirs)
        elif each.kind == "models":
            named = {getattr(element, "name", ""): element for element in theirs}
            made = tuple(
                with_kept(element, named[name])
                if (name := getattr(element, "name", "")) and name in named
                else element
                for element in mine
            )
        if made != mine:
            changes[each.name] = made
    return dataclasses.replace(wanted, **changes) if changes else wanted  # type: ignore[type-var]


_KEPT: dict[type[Any], tuple[DeclaredField, ...]] = {}


def _keeps(model: type[Any]) -> bool:
    return any(
        each.about.kept or (each.kind in ("model", "models") and _keeps(each.element))
        for each in declared_fields(model)
    )


Change = Callable[[str, str], str]
"""Returns what stands in the place of a text: called with its grammar and the text."""

_REWRITTEN: dict[type[Any], tuple[DeclaredField, ...]] = {}


def rewrite(model: M, change: Change, *, hints: bool = True) -> M:
    """Return `model` with every text that has a grammar replaced by what `change` makes of it.

    Texts at their default stay. Without `hints`, hints are reset to their default. A model in which
    nothing changes is returned itself.
    """
    kind = type(model)
    if kind not in _REWRITTEN:
        _REWRITTEN[kind] = tuple(
            each
            for each in declared_fields(kind)
            if each.about.grammar or each.about.hint or each.kind in ("model", "models")
        )
    changes: dict[str, Any] = {}
    for each in _REWRITTEN[kind]:
        value = getattr(model, each.name)
        if value is None or value == each.default:
            continue
        made: Any
        if each.about.hint and not hints:
            made = each.default
        elif each.kind == "model":
            made = rewrite(value, change, hints=hints)
        elif each.kind == "models":
            made = tuple([rewrite(element, change, hints=hints) for element in value])
            if all(map(operator.is_, made, value)):
                continue
        elif each.kind == "strings":
            made = tuple([change(each.about.grammar, text) for text in value])
        elif each.kind == "mapping" and each.about.grammar:
            made = {key: change(each.about.grammar, text) for key, text in value.items()}
        elif isinstance(value, str):
            made = change(each.about.grammar, value)
        else:
            continue
        if made is not value and (made != value or each.kind in ("model", "models")):
            changes[each.name] = made
    return dataclasses.replace(model, **changes) if changes else model  # type: ignore[type-var]
