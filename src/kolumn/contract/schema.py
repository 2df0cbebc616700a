"""What a provider offers: resource types and their attributes (spec 7), JSON as the Go types give it.

One extension: `AttributeSchema.elements` describes the entries of a list or map attribute, so that nested
blocks such as columns can be validated and documented. `float` and `any` extend the attribute types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from kolumn.contract.encoding import Message, Name, always

AttributeType: TypeAlias = Literal["string", "int", "float", "bool", "list", "map", "any"]
ValidatorType: TypeAlias = Literal["regex", "enum", "range", "length"]


class ValidatorSpec(Message, frozen=True, kw_only=True):
    """One rule for a value.

    `value` is, by type: `regex` a pattern the whole value must match, `enum` a list of the allowed values,
    `range` and `length` a map with `min` and/or `max`, both inclusive. `message` is what the person reads.
    """

    type: ValidatorType
    value: Any = always(lambda: None)
    message: str = always(str)


class AttributeSchema(Message, frozen=True, kw_only=True):
    """One attribute. `computed` ones are the provider's to set; `sensitive` ones are never shown."""

    type: AttributeType
    description: str = always(str)
    required: bool = always(bool)
    computed: bool = always(bool)
    sensitive: bool = always(bool)
    default: Any = None
    """What holds when it is left out; `None`: nothing. A default of false, 0 or "" is sent, as Go does."""
    validators: tuple[ValidatorSpec, ...] = ()
    elements: ObjectType | None = None
    """Extension: the attributes of each entry of a list or map."""


class ObjectType(Message, frozen=True, kw_only=True):
    """The attributes of something, by name."""

    attributes: Mapping[str, AttributeSchema] = always(dict)


class ResourceTypeDefinition(Message, frozen=True, kw_only=True):
    """One resource type: what a person writes (`config_schema`) and what is reported (`state_schema`)."""

    name: Name
    description: str = always(str)
    config_schema: ObjectType = always(ObjectType)
    state_schema: ObjectType = always(ObjectType)


class ProviderSchema(Message, frozen=True, kw_only=True):
    """Everything a provider offers, as returned by `Provider.schema()`."""

    name: Name
    version: str = always(str)
    category: str = always(str)
    """One of `kolumn.contract.functions.Category`."""
    description: str = always(str)
    resource_types: tuple[ResourceTypeDefinition, ...] = always(tuple)


def singular(word: str) -> str:
    """Return the block name of a list attribute: `columns` -> `column`, `indexes` -> `index`."""
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("xes", "sses", "shes", "ches")):
        return word[:-2]
    return word.removesuffix("s")
