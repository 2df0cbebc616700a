"""Values that are sensitive because the provider says so of their attribute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from kolumn.config.project import Project
from kolumn.contract.schema import AttributeSchema, ObjectType, singular
from kolumn.host.addresses import bare_type

Schemas = Callable[[str], Mapping[str, ObjectType]]
"""Returns what a provider's resource types take, by name without prefix; empty for an unknown provider."""


def mark(project: Project, schemas: Schemas) -> tuple[Project, tuple[str, ...]]:
    """Return the project with such values among `ResourceConfig.sensitive`, and their texts."""
    secretive: dict[tuple[str, str], ObjectType | None] = {}
    texts: list[str] = []
    resources = list(project.resources)
    for at, resource in enumerate(resources):
        key = (resource.provider.partition(".")[0], resource.type)
        if key not in secretive:
            schema = schemas(key[0]).get(bare_type(*key))
            secretive[key] = schema if schema is not None and _holds_secrets(schema) else None
        schema = secretive[key]
        if schema is None:
            continue
        found = dict(_values(resource.config, schema, ""))
        if found:
            texts += [str(value) for value in found.values()]
            sensitive = resource.sensitive.union(found)
            resources[at] = msgspec.structs.replace(resource, sensitive=sensitive)
    if not texts:
        return project, ()
    return msgspec.structs.replace(project, resources=tuple(resources)), tuple(dict.fromkeys(texts))


def _holds_secrets(schema: ObjectType) -> bool:
    return any(
        each.sensitive or (each.elements is not None and _holds_secrets(each.elements))
        for each in schema.attributes.values()
    )


def _values(config: Mapping[str, Any], schema: ObjectType, path: str) -> Iterator[tuple[str, Any]]:
    """Yield each sensitive value that is given, with its path."""
    known = dict(schema.attributes)
    known |= {singular(name): each for name, each in schema.attributes.items() if each.elements is not None}
    for key, value in config.items():
        attribute = known.get(key)
        if attribute is None or value is None:
            continue
        if attribute.sensitive:
            yield f"{path}{key}", value
        elif attribute.elements is not None:
            yield from _inside(value, attribute, attribute.elements, f"{path}{key}")


def _inside(
    value: Any, attribute: AttributeSchema, elements: ObjectType, path: str
) -> Iterator[tuple[str, Any]]:
    """Yield from the elements of a list or of a map by name, or from the one object that is given."""
    if isinstance(value, list | tuple):
        for at, each in enumerate(value):
            if isinstance(each, Mapping):
                yield from _values(each, elements, f"{path}[{at}].")
    elif isinstance(value, Mapping):
        yield from _values(value, elements, f"{path}.")
        if attribute.type == "list":
            for name, each in value.items():
                if isinstance(each, Mapping) and name not in elements.attributes:
                    quoted = str(name).replace("\\", "\\\\").replace('"', '\\"')
                    yield from _values(each, elements, f'{path}["{quoted}"].')
