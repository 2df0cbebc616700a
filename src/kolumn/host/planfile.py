"""Saved plans: what was reviewed is what is applied, or nothing is.

A plan file holds the requests, the fingerprints of the answers, and the review. It has no secrets: sensitive
values are stored as salted digests. Applying it evaluates the configuration again, which also supplies the
settings of the providers; if any request or any fingerprint is then another one, the plan is stale. Variables
given on the command line are kept with it, but for those with sensitive values: they must be given again.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from kolumn.config.project import PolicyConfig, Project
from kolumn.contract import messages as m
from kolumn.contract.errors import PermissionError, StateError, ValidationError
from kolumn.contract.times import Timestamp
from kolumn.host.planning import Options, ProjectPlan
from kolumn.host.results import Review
from kolumn.host.sealing import seal_paths, seal_texts
from kolumn.version import __version__

FORMAT_VERSION = "1"
_KIND = "kolumn-plan"


class SavedProvider(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider was asked and answered."""

    address: str
    resources: list[dict[str, Any]]
    """The request's resources, sensitive values sealed."""
    fingerprint: str


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan file."""

    kind: str = _KIND
    format_version: str = FORMAT_VERSION
    kolumn: str = __version__
    created_at: str
    salt: str
    """Hex; keys the digests in this file."""
    lineage: str
    serial: int
    """Serial of the state the plan was made with, 0 for none."""
    options: Options
    variables: tuple[tuple[str, str], ...] = ()
    withheld: tuple[str, ...] = ()
    """Names of variables whose values were not kept because they are sensitive."""
    providers: tuple[SavedProvider, ...] = ()
    policies: tuple[PolicyConfig, ...] = ()
    """The policies the plan was made with. Those that count are the ones at the apply."""
    review: Review


def freeze(
    plan: ProjectPlan, project: Project, serial: int, variables: Iterable[tuple[str, str]], *, salt: str = ""
) -> SavedPlan:
    """Return a plan as it is saved."""
    salt = salt or secrets.token_hex(16)
    kept, withheld = [], []
    for kind, text in variables:
        name, _, value = text.partition("=")
        if kind == "var" and any(secret and secret in value for secret in project.secrets):
            withheld.append(name.strip())
        else:
            kept.append((kind, os.path.abspath(text) if kind == "var-file" else text))  # noqa: PTH100 - links kept
    return SavedPlan(
        created_at=str(Timestamp.utc_now()),
        salt=salt,
        lineage=plan.requests.before.lineage,
        serial=serial,
        options=plan.options,
        variables=tuple(kept),
        withheld=tuple(withheld),
        providers=tuple(
            SavedProvider(
                address=each.address,
                resources=[_sealed(resource, plan, project, salt) for resource in each.request.resources],
                fingerprint=each.fingerprint,
            )
            for each in plan.providers
        ),
        policies=project.policies,
        review=plan.review,
    )


def write(saved: SavedPlan, path: Path) -> None:
    """Write a plan file, readable by its owner only. Raises PermissionError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(saved))
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise PermissionError(
            f"The plan cannot be saved to {path}: {error.strerror}.", code="not_writable"
        ) from error


def read(path: Path) -> SavedPlan:
    """Read a plan file. Raises ValidationError for anything else."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValidationError(
            f"The plan {path} cannot be read: {error.strerror}.", code="unreadable_file"
        ) from error
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.kind != _KIND:
            raise msgspec.ValidationError("it is of another kind")
        if head.format_version != FORMAT_VERSION:
            raise ValidationError(
                f"{path} is a plan of format {head.format_version}, saved by Kolumn {head.kolumn}; "
                "this one reads "
                f"format {FORMAT_VERSION}. Plan again.",
                code="unknown_plan_format",
            )
        return msgspec.json.decode(data, type=SavedPlan)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValidationError(
            f"{path} is no plan of Kolumn. `kolumn plan --out FILE` writes one.", code="invalid_plan"
        ) from error


class _Head(msgspec.Struct):
    kind: str = ""
    format_version: str = ""
    kolumn: str = ""


def refuse_stale(saved: SavedPlan, plan: ProjectPlan, project: Project, lineage: str) -> None:
    """Raise StateError `stale_plan` unless `plan`, made just now, is the saved one."""
    if saved.lineage != lineage and saved.serial:
        raise StateError(
            "The plan was made for a state of another lineage, so for another project. Plan again.",
            code="stale_plan",
        )
    now = freeze(plan, project, 0, (), salt=saved.salt)
    changed: list[str] = []
    before = {each.address: each for each in saved.providers}
    after = {each.address: each for each in now.providers}
    for address in sorted({*before, *after}):
        old, new = before.get(address), after.get(address)
        asked = [
            {} if each is None else {_name(item): _data(item) for item in each.resources}
            for each in (old, new)
        ]
        changed += [
            name for name in sorted({*asked[0], *asked[1]}) if asked[0].get(name) != asked[1].get(name)
        ]
    if changed:
        hint = ""
        if saved.withheld:
            hint = (
                f" Sensitive variables are not kept in a plan; give them again: {', '.join(saved.withheld)}."
            )
        raise StateError(
            f"The configuration or the state changed since the plan was made: {', '.join(changed[:10])}"
            f"{' and more' if len(changed) > 10 else ''}. Plan again.{hint}",
            code="stale_plan",
            details={"resources": changed},
        )
    moved = [
        address
        for address in sorted({*before, *after})
        if (before[address].fingerprint if address in before else "")
        != (after[address].fingerprint if address in after else "")
    ]
    if saved.options.refresh_only and _data(saved.review.changes) != _data(plan.review.changes):
        moved = sorted({change.provider for change in (*saved.review.changes, *plan.review.changes)})
    if moved or _data(saved.review.outputs) != _data(plan.review.outputs):
        what = f"The database of {', '.join(moved)}" if moved else "An output"
        raise StateError(
            f"{what} changed since the plan was made: applying it would do something else. Plan again.",
            code="stale_plan",
            details={"providers": moved},
        )


def _sealed(resource: m.PlanResource, plan: ProjectPlan, project: Project, salt: str) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(resource)
    configured = {(each.type, each.name): each for each in plan.requests.configured.values()}
    known = configured.get((resource.resource_type, resource.name))
    if known is not None and known.sensitive:
        data["config"] = seal_paths(data.get("config", {}), known.sensitive, salt)
    if project.secrets:
        data["config"] = seal_texts(data.get("config", {}), project.secrets, salt)
    return data


def _data(value: Any) -> Any:
    """Return what is left of `value` after it was written and read."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _name(resource: dict[str, Any]) -> str:
    return f"{resource.get('resource_type')}.{resource.get('name')}"
