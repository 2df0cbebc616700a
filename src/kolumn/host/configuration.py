"""The configuration as the host uses it: evaluated, with `discover` blocks answered by providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kolumn.config.cache import load_project
from kolumn.config.configuration import Configuration as Files
from kolumn.config.project import DiscoverConfig, Project
from kolumn.contract.errors import Location, Problem, ValidationError
from kolumn.contract.schema import ObjectType
from kolumn.host import anticipation, declared_secrets, requirements
from kolumn.host.declared_secrets import Schemas
from kolumn.host.providers import Fleet
from kolumn.host.supply import InProcess, Supply

if TYPE_CHECKING:
    from kolumn.contract.secrets import SecureString


@dataclass(frozen=True, slots=True)
class Configuration:
    """An evaluated project that still knows where everything was written."""

    project: Project
    _files: Files = field(repr=False)
    schemas: Schemas = field(repr=False)
    """What the resource types of a provider take."""
    _secrets: tuple[SecureString, ...] = field(default=(), repr=False)
    """As long as these live, every error and log record masks the sensitive texts of the project."""

    def locate(self, address: str, path: str = "") -> Location | None:
        """Return where attribute `path` of a resource is written, as near as can be told."""
        from kolumn.config import locate  # the parser is not needed when the project comes from the cache

        return locate(self._files, address, path)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is ignored in the files but worth a word; said when the files are read, not from the cache."""
        return self._files.warnings if "loaded" in vars(self._files) else ()


def evaluate(
    folder: Path, variables: tuple[tuple[str, str], ...], environment: Mapping[str, str], fleet: Fleet
) -> Configuration:
    """Read and evaluate a folder; providers are connected only if a `discover` block asks for them.

    Raises ValidationError with every fault, ConnectionError from a provider that must be asked.
    """
    declared = False

    def discover(block: DiscoverConfig) -> Mapping[str, Any]:
        nonlocal declared
        if not declared:
            from kolumn.config import evaluate_providers, load

            for provider in evaluate_providers(load(folder, arguments=variables, environ=environment)):
                fleet.declare(provider)
            declared = True
        return _discover(block, fleet)

    supply = fleet.supply
    schemas = schemas_of(supply)

    def is_open(project: Project) -> bool:
        """Whether nothing in the project is sensitive to a provider."""
        return not declared_secrets.mark(project, schemas)[1]

    supply.expect(anticipation.remembered(folder))
    files, project = load_project(
        folder, arguments=variables, environ=environment, discover=discover, fit_to_keep=is_open
    )
    _prepare(project, supply)
    anticipation.remember(folder, {each.provider for each in project.resources})
    for provider in project.providers:
        fleet.declare(provider)
    return _configuration(project, files, schemas)


def check(
    folder: Path,
    variables: tuple[tuple[str, str], ...],
    environment: Mapping[str, str],
    supply: Supply | None = None,
) -> Configuration:
    """Read and evaluate a folder without asking any database. Raises ValidationError with every fault."""
    from kolumn.config import evaluate as evaluate_files
    from kolumn.config import load

    files = load(folder, arguments=variables, environ=environment)
    project = evaluate_files(files, None)
    supply = InProcess() if supply is None else supply
    _prepare(project, supply)
    return _configuration(project, files, schemas_of(supply))


def schemas_of(supply: Supply) -> Schemas:
    """Return what tells of a provider's name what its resource types take; empty for one that is unknown."""

    @cache
    def schemas(provider: str) -> Mapping[str, ObjectType]:
        try:
            types = supply.schema(provider).resource_types
        except ValidationError as error:
            if error.code != "unknown_provider":
                raise
            return {}
        return {each.name: each.config_schema for each in types}

    return schemas


def _prepare(project: Project, supply: Supply) -> None:
    """Have the providers ready that a project uses, and refuse a project that demands others."""
    supply.demand(requirements.constraints(project))
    supply.expect(dict.fromkeys(each.provider for each in project.resources))

    def version(provider: str) -> str | None:
        try:
            return supply.schema(provider).version
        except ValidationError as error:
            if error.code != "unknown_provider":
                raise
            return None

    requirements.check(project, version)


def _configuration(project: Project, files: Files, schemas: Schemas) -> Configuration:
    marked, texts = declared_secrets.mark(project, schemas)
    return Configuration(marked, files, schemas, _guarded((*project.secrets, *texts)))


def _guarded(secrets: Sequence[str]) -> tuple[SecureString, ...]:
    if not secrets:
        return ()
    from kolumn.contract.secrets import SecureString

    return tuple(map(SecureString, secrets))


def _discover(block: DiscoverConfig, fleet: Fleet) -> Mapping[str, Any]:
    """Return what the one live object that a `discover` block means is like."""
    filters = dict(block.filters) or {"name": block.name.rpartition(".")[2]}
    found = fleet.get(block.provider).discover(block.type, filters)
    if not found:
        wanted = ", ".join(f"{key} = {value!r}" for key, value in filters.items())
        raise ValidationError.of(
            [
                Problem(
                    f"{block.address} found no {block.type} with {wanted}",
                    code="not_found",
                    resource=block.address,
                    location=block.location,
                    hint="Create it first, or change what the block looks for.",
                )
            ]
        )
    everything = [{**each.config, **each.state} for each in found]
    return {**(everything[0] if len(everything) == 1 else {}), "resources": everything}
