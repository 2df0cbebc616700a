"""Drift: what the databases are, against what the state says of them."""

from __future__ import annotations

from dataclasses import dataclass

from kolumn.contract import messages as m
from kolumn.contract.errors import ValidationError
from kolumn.host.addresses import address_of, prefixed_type
from kolumn.host.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Drift:
    """Findings with the address they are about."""

    checked: int
    findings: tuple[tuple[str, m.DriftFinding], ...]


def detect(workspace: Workspace, *, include_unmanaged: bool = False) -> Drift:
    """Ask every provider that manages something. Raises ValidationError `drift_unavailable`."""
    _ = workspace.configuration
    checked = 0
    findings: list[tuple[str, m.DriftFinding]] = []
    for provider, raw in workspace.state.providers.items():
        client = workspace.fleet.get(provider)
        client.set_state(raw)
        try:
            response = client.drift(m.DriftRequest(include_unmanaged=include_unmanaged))
        except ValidationError as error:
            if error.code != "unsupported_function":
                raise
            raise ValidationError(
                f"Provider {provider} cannot detect drift in this version. `kolumn plan` compares the "
                "database with "
                "the configuration, `kolumn plan --refresh-only` with the state.",
                code="drift_unavailable",
            ) from error
        checked += response.checked
        findings += [
            (address_of(prefixed_type(provider, each.resource_type), each.name), each)
            for each in response.findings
        ]
    return Drift(checked, tuple(findings))
