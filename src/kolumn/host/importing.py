"""Import: a live database as formatted configuration. Adopts nothing and changes nothing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from kolumn.config.project import ProviderConfig
from kolumn.config.writer import Labelled, Unlabelled, WrittenProvider, WrittenResource, write_project
from kolumn.contract import messages as m
from kolumn.contract.errors import PermissionError, ValidationError
from kolumn.contract.schema import AttributeSchema, ObjectType, singular
from kolumn.host.addresses import bare_type, prefixed_type
from kolumn.host.providers import Fleet, url_variables

SPLIT_ABOVE = 60
"""With more resources than this every type gets a file of its own."""
_SUFFIXES = (".kl", ".kl.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import wrote."""

    provider: str
    files: tuple[str, ...]
    """Paths, sorted."""
    counts: Mapping[str, int]
    """Resources by type, with the provider's prefix."""
    variable: str
    """The environment variable the provider block reads its URL from."""


def import_database(
    provider: str, out: Path, fleet: Fleet, *, url: str = "", types: Sequence[str] = (), force: bool = False
) -> Imported:
    """Describe the database of `provider` in the folder `out`.

    Raises ValidationError when `out` holds configuration already (unless `force`), when a type is unknown,
    and what the provider raises.
    """
    block = ProviderConfig(type=provider, config={"url": url} if url else {})
    known = {each.name: each for each in fleet.supply.schema(provider).resource_types}
    wanted = [bare_type(provider, each) for each in types]
    if unknown := [each for each in wanted if each not in known]:
        raise ValidationError(
            f"{provider} has no resource type {', '.join(unknown)}. It has {', '.join(sorted(known))}.",
            code="unknown_resource_type",
        )
    if not force:
        _refuse_existing(out)
    if url:
        fleet.declare(block)
    client = fleet.get(provider)
    found: list[m.DiscoveredResource] = []
    for each in wanted or [""]:
        found += client.discover(each)
    schemas = {name: each.config_schema for name, each in known.items()}
    files = render(provider, found, schemas)
    written = write_files(out, files)
    numbers = Counter(bare_type(provider, each.type) for each in found)
    counts = {prefixed_type(provider, bare): numbers[bare] for bare in _order(schemas) if numbers[bare]}
    return Imported(provider=provider, files=written, counts=counts, variable=url_variables(block)[-1])


def render(
    provider: str, found: Sequence[m.DiscoveredResource], schemas: Mapping[str, ObjectType]
) -> dict[str, str]:
    """Return file names with formatted configuration that describes `found`."""
    by_type: dict[str, list[WrittenResource]] = {bare: [] for bare in _order(schemas)}
    for each in found:
        bare = bare_type(provider, each.type)
        by_type.setdefault(bare, []).append(
            WrittenResource(
                type=prefixed_type(provider, each.type),
                name=_label(each),
                config=shaped(each.config, schemas.get(bare, ObjectType())),
            )
        )
    variable = url_variables(ProviderConfig(type=provider))[-1]
    files = {
        "providers.kl": f"# Which database is meant comes from the environment variable {variable}.\n"
        + write_project((), [WrittenProvider(provider)])["providers.kl"]
    }
    by_type = {bare: group for bare, group in by_type.items() if group}
    groups = {"main.kl": [each for group in by_type.values() for each in group]}
    if len(found) > SPLIT_ABOVE:
        groups = {f"{_plural(bare)}.kl": group for bare, group in by_type.items()}
    for name, group in groups.items():
        files[name] = write_project(group, filename=name)[name]
    return files


def _order(schemas: Mapping[str, ObjectType]) -> list[str]:
    """Return the types so that one with an attribute called like another comes after that: table, index."""
    needs = {
        bare: sorted(other for other in schemas if other != bare and other in schema.attributes)
        for bare, schema in sorted(schemas.items())
    }
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError:
        return sorted(schemas)


def _label(resource: m.DiscoveredResource) -> str:
    """Return the label of a resource: its name as written, with its schema unless that is the default one."""
    name, schema = resource.config.get("name"), resource.config.get("schema")
    if not isinstance(name, str) or not name:
        return resource.name
    return f"{schema}_{name}" if isinstance(schema, str) and schema else name


def shaped(config: Mapping[str, Any], schema: ObjectType) -> dict[str, Any]:
    """Return `config` with its lists of objects as the blocks a person would write."""
    written: dict[str, Any] = {}
    for key, value in config.items():
        attribute = schema.attributes.get(key)
        blocks = _blocks(value, attribute) if attribute is not None else None
        if blocks is None:
            written[key] = value
        else:
            written[singular(key)] = blocks
    return written


def _blocks(value: Any, attribute: AttributeSchema) -> Labelled | Unlabelled | None:
    if (
        attribute.type != "list"
        or attribute.elements is None
        or not isinstance(value, list | tuple)
        or not value
    ):
        return None
    if not all(isinstance(each, Mapping) for each in value):
        return None
    inner = [shaped(each, attribute.elements) for each in value]
    names = [each.get("name") for each in inner]
    named = attribute.elements.attributes.get("name")
    if (
        named is not None
        and all(isinstance(name, str) and name for name in names)
        and len(set(names)) == len(names)
    ):
        return Labelled(
            {each["name"]: {key: item for key, item in each.items() if key != "name"} for each in inner}
        )
    return Unlabelled(inner)


def _plural(word: str) -> str:
    if word.endswith("y"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("x", "s", "sh", "ch")) else "s")


def _refuse_existing(out: Path) -> None:
    try:
        present = sorted(each.name for each in out.iterdir() if each.name.endswith(_SUFFIXES))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ValidationError(f"{out} cannot be used: {error.strerror}.", code="no_folder") from error
    if present:
        raise ValidationError(
            f"{out} holds configuration already "
            f"({', '.join(present[:5])}{', ...' if len(present) > 5 else ''}). "
            "Choose another folder, or replace what import writes with --force.",
            code="would_overwrite",
        )


def write_files(out: Path, files: Mapping[str, str]) -> tuple[str, ...]:
    """Write the files, each whole or not at all; return their paths. Raises PermissionError."""
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in sorted(files.items()):
            path = out / name
            partial = out / f".{name}.{os.getpid()}"
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
            written.append(str(path))
    except OSError as error:
        raise PermissionError(f"{out} cannot be written: {error.strerror}.", code="not_writable") from error
    return tuple(written)
