"""Validate: the configuration against the language and the providers' schemas, without any database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolumn.config.project import UNKNOWN, ResourceConfig
from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.schema import ObjectType, singular
from kolumn.host.addresses import bare_type
from kolumn.host.configuration import Configuration, check
from kolumn.host.supply import InProcess, Supply


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A configuration that is valid."""

    resources: int
    providers: tuple[str, ...]
    warnings: tuple[Problem, ...]
    policies: int = 0
    """How many are switched on."""


def validate(
    folder: Path,
    variables: tuple[tuple[str, str], ...],
    environment: Mapping[str, str] = os.environ,
    supply: Supply | None = None,
) -> Checked:
    """Check a folder. Raises ValidationError with every fault and its place."""
    supply = InProcess() if supply is None else supply
    configuration = check(folder, variables, environment, supply)
    project = configuration.project
    problems: list[Problem] = []
    schemas: dict[str, dict[str, ObjectType]] = {}
    for resource in project.resources:
        provider = resource.provider.partition(".")[0]
        if provider not in schemas:
            schemas[provider] = {
                each.name: each.config_schema for each in supply.schema(provider).resource_types
            }
        problems += _faults(resource, schemas[provider], configuration)
    try:
        from kolumn.host.policies.evaluation import check as check_policies

        policies = check_policies(project)
    except ValidationError as error:
        problems += error.problems
    if problems:
        raise ValidationError.of(problems)
    return Checked(
        policies=policies,
        resources=len(project.resources),
        providers=tuple(sorted({each.provider for each in project.resources})),
        warnings=configuration.warnings,
    )


def _faults(
    resource: ResourceConfig, schemas: Mapping[str, ObjectType], configuration: Configuration
) -> list[Problem]:
    schema = schemas.get(bare_type(resource.provider, resource.type))
    if schema is None:
        known = ", ".join(f"{resource.provider.partition('.')[0]}_{name}" for name in sorted(schemas))
        return [
            Problem(
                f"there is no resource type {resource.type}",
                code="unsupported_resource_type",
                resource=resource.address,
                location=resource.location,
                hint=f"Known: {known}.",
            )
        ]
    found = []
    for path, message, code in _check(resource.config, schema, ""):
        where = configuration.locate(resource.address, path) or resource.location
        found.append(Problem(message, code=code, path=path, resource=resource.address, location=where))
    return found


def _check(config: Mapping[str, Any], schema: ObjectType, path: str) -> list[tuple[str, str, str]]:
    """Return path, message and code of what the schema alone can tell: unknown and missing attributes."""
    found = []
    spellings = {name: name for name in schema.attributes}
    spellings |= {
        singular(name): name
        for name, each in schema.attributes.items()
        if each.type == "list" and each.elements
    }
    for key in config:
        if key not in spellings:
            from difflib import get_close_matches

            close = get_close_matches(key, spellings, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            found.append((f"{path}{key}", f"unknown attribute {key}.{hint}", "unknown_attribute"))
    given = {spellings[key] for key in config if key in spellings}
    for name, attribute in schema.attributes.items():
        if attribute.required and not attribute.computed and name not in given:
            found.append(
                (f"{path}{name}", f"{name} is required: {attribute.description}", "missing_attribute")
            )
    for key, value in config.items():
        declared = schema.attributes.get(spellings.get(key, ""))
        if declared is None or value is UNKNOWN:
            continue
        if declared.type in ("int", "bool", "string") and isinstance(value, list | dict):
            found.append((f"{path}{key}", f"{key} must be a {declared.type}", "wrong_type"))
    return found
