"""Which providers there are: installed on this machine, configured in a project, and what they offer."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kolumn.contract.errors import KolumnError, ValidationError
from kolumn.contract.schema import ProviderSchema
from kolumn.host.addresses import bare_type
from kolumn.host.configuration import check
from kolumn.host.providers import load, names


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledProvider:
    """A provider package; `error` says why it cannot be used."""

    name: str
    version: str = ""
    category: str = ""
    description: str = ""
    resource_types: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredProvider:
    """A provider a project uses; without a file it comes from the environment."""

    address: str
    resources: int
    file: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Both lists, sorted."""

    installed: tuple[InstalledProvider, ...]
    configured: tuple[ConfiguredProvider, ...]


def inventory(
    folder: Path, variables: tuple[tuple[str, str], ...], environment: Mapping[str, str] = os.environ
) -> Inventory:
    """Return what is installed and, when `folder` is a project, what it configures."""
    configured: tuple[ConfiguredProvider, ...] = ()
    if folder.is_dir() and any(each.name.endswith((".kl", ".kl.json")) for each in folder.iterdir()):
        project = check(folder, variables, environment).project
        uses = Counter(each.provider for each in project.resources)
        files = {each.address: str(each.location or "") for each in project.providers}
        configured = tuple(
            ConfiguredProvider(address=address, resources=uses[address], file=files.get(address, ""))
            for address in sorted({*uses, *files})
        )
    return Inventory(tuple(_installed(name) for name in names()), configured)


def schema_of(provider: str, type_: str = "") -> ProviderSchema:
    """Return a provider's schema, of one resource type only if given. Raises ValidationError."""
    schema = load(provider).schema()
    if not type_:
        return schema
    wanted = bare_type(provider, type_)
    found = tuple(each for each in schema.resource_types if each.name == wanted)
    if not found:
        known = ", ".join(each.name for each in schema.resource_types)
        raise ValidationError(
            f"{provider} has no resource type {type_}. It has {known}.", code="unknown_resource_type"
        )
    return msgspec.structs.replace(schema, resource_types=found)


def _installed(name: str) -> InstalledProvider:
    try:
        schema = load(name).schema()
    except KolumnError as error:
        return InstalledProvider(name=name, error=error.message)
    return InstalledProvider(
        name=name,
        version=schema.version,
        category=schema.category,
        description=schema.description,
        resource_types=tuple(each.name for each in schema.resource_types),
    )
