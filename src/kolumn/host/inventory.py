"""Which providers there are: installed on this machine, configured in a project, and what they offer."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kolumn.config.project import Project
from kolumn.contract.errors import KolumnError, ValidationError
from kolumn.contract.schema import ProviderSchema
from kolumn.host import discovery, provider_lock
from kolumn.host.addresses import bare_type
from kolumn.host.configuration import check
from kolumn.host.discovery import Found
from kolumn.host.provider_lock import Locked
from kolumn.host.supply import InProcess, Processes, Supply


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledProvider:
    """A provider that was found; `error` says why it cannot be used."""

    name: str
    source: str = ""
    """`package`, `KOLUMN_PROVIDER_PATH`, `~/.kolumn/providers` or `PATH`."""
    place: str = ""
    """The executable's path, or the module of the package."""
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
    """All three lists, sorted."""

    installed: tuple[InstalledProvider, ...]
    configured: tuple[ConfiguredProvider, ...]
    hidden: tuple[Found, ...]
    """What is found as well, but is not used, because of another of the same name."""


def inventory(
    folder: Path,
    variables: tuple[tuple[str, str], ...],
    environment: Mapping[str, str] = os.environ,
    supply: Supply | None = None,
) -> Inventory:
    """Return what is there and, when `folder` is a project, what it configures.

    In this process (`supply`) only packages can be used.
    """
    supply = InProcess() if supply is None else supply
    project = _project(folder, variables, environment, supply)
    configured: tuple[ConfiguredProvider, ...] = ()
    if project is not None:
        uses = Counter(each.provider for each in project.resources)
        files = {each.address: str(each.location or "") for each in project.providers}
        configured = tuple(
            ConfiguredProvider(address=address, resources=uses[address], file=files.get(address, ""))
            for address in sorted({*uses, *files})
        )
    found: dict[str, Found] = {}
    hidden: list[Found] = []
    for each in discovery.all_of(environment):
        if each.name not in found and (each.source == discovery.PACKAGE or not isinstance(supply, InProcess)):
            found[each.name] = each
        else:
            hidden.append(each)
    names = sorted(found)
    supply.expect(names)
    return Inventory(tuple(_installed(found[name], supply) for name in names), configured, tuple(hidden))


def lock(
    folder: Path,
    variables: tuple[tuple[str, str], ...],
    environment: Mapping[str, str] = os.environ,
) -> tuple[Path, Mapping[str, Locked]]:
    """Write the lock file of the project in `folder`: the providers it uses, as they are now.

    Returns the file and what it says. Raises ValidationError, also where there is no project.
    """
    unlocked = Processes(None, environment)
    try:
        project = _project(folder, variables, environment, unlocked)
        if project is None:
            raise ValidationError(f"There is no project in {folder}.", code="no_project")
        used = {each.provider for each in project.resources} | {each.address for each in project.providers}
        names = {address.partition(".")[0] for address in used} | set(project.required_providers)
        unlocked.expect(sorted(names))
        versions = {unlocked.found(name): unlocked.schema(name).version for name in sorted(names)}
    finally:
        unlocked.close()
    path = provider_lock.write(folder, versions)
    return path, provider_lock.read(folder) or {}


def schema_of(provider: str, type_: str = "", supply: Supply | None = None) -> ProviderSchema:
    """Return a provider's schema, of one resource type only if given. Raises ValidationError."""
    schema = (InProcess() if supply is None else supply).schema(provider)
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


def _project(
    folder: Path, variables: tuple[tuple[str, str], ...], environment: Mapping[str, str], supply: Supply
) -> Project | None:
    if not folder.is_dir() or not any(each.name.endswith((".kl", ".kl.json")) for each in folder.iterdir()):
        return None
    return check(folder, variables, environment, supply).project


def _installed(found: Found, supply: Supply) -> InstalledProvider:
    try:
        schema = supply.schema(found.name)
    except KolumnError as error:
        return InstalledProvider(name=found.name, source=found.source, place=found.place, error=error.message)
    return InstalledProvider(
        name=found.name,
        source=found.source,
        place=found.place,
        version=schema.version,
        category=schema.category,
        description=schema.description,
        resource_types=tuple(each.name for each in schema.resource_types),
    )
