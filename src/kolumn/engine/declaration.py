"""Models declare their configuration: one dataclass gives its schema, its parser and its writer.

A model is a frozen dataclass whose fields are made with `attribute`. From the declaration follow

* `object_type(model)`: the contract's ObjectType (spec 7.3),
* `parsing.parse(model, config)`: the typed model, or one ValidationError with every fault and its path,
* `parsing.config(model)`: the inverse of `parse`, leaving out what is at its default,
* `rewriting`: other models made from it, text by text.

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
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

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


def sensitive_fields(model: type[Any]) -> frozenset[str]:
    """Return the names of the fields of `model` whose values are never shown."""
    if not dataclasses.is_dataclass(model):
        return frozenset()
    return frozenset(each.name for each in declared_fields(model) if each.about.sensitive)


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


_FIELDS: dict[type[Any], frozenset[str] | None] = {}


def _own_fields(model: type[Any]) -> frozenset[str] | None:
    """Return the names of all fields; None where objects of the class need its constructor."""
    if model not in _FIELDS:
        fields = dataclasses.fields(model)
        optional = (each for each in fields if "attribute" not in each.metadata)
        simple = not any("__slots__" in vars(each) for each in model.__mro__[:-1]) and all(
            each.default is not dataclasses.MISSING for each in optional
        )
        _FIELDS[model] = frozenset(each.name for each in fields) if simple else None
    return _FIELDS[model]


def build(model: type[M], values: Mapping[str, Any]) -> M:
    """Return a model with `values`, among which is everything required; the quick way to make thousands.

    What is not given stays in the class, where dataclasses keep defaults, instead of in each object.
    """
    if _own_fields(model) is None:
        return model(**values)
    built = object.__new__(model)
    built.__dict__.update(values)
    complete: Callable[[M], None] | None = getattr(model, "__post_init__", None)
    if complete is not None:
        complete(built)
    return built


def held(model: Any) -> Mapping[str, Any]:
    """Return the values that a model holds itself: all that are not at their default, in no certain order."""
    names = _own_fields(type(model))
    if names is None:
        return {each.name: getattr(model, each.name) for each in dataclasses.fields(model)}
    values: dict[str, Any] = model.__dict__
    if names >= values.keys():
        return values
    return {name: value for name, value in values.items() if name in names}  # what is cached is left out


def replaced(model: M, changes: Mapping[str, Any]) -> M:
    """Return the model with other values, as `dataclasses.replace` does."""
    return build(type(model), {**held(model), **changes}) if changes else model
