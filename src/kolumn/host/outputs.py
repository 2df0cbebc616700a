"""Outputs: what the last apply stored and, for sensitive ones asked for by name, what is configured."""

from __future__ import annotations

from kolumn.contract.errors import StateError
from kolumn.host.applying import output_values
from kolumn.host.results import OutputValue
from kolumn.host.workspace import Workspace


def all_outputs(workspace: Workspace) -> tuple[OutputValue, ...]:
    """Return the outputs of the last apply, sensitive ones hidden."""
    return output_values(workspace.state)


def one_output(workspace: Workspace, name: str) -> OutputValue:
    """Return one output with its value. Raises StateError `unknown_output`."""
    found = next((each for each in output_values(workspace.state) if each.name == name), None)
    if found is None:
        known = ", ".join(sorted(workspace.state.outputs)) or "none"
        raise StateError(f"There is no output {name}. The last apply stored: {known}.", code="unknown_output")
    if not found.sensitive:
        return found
    for each in workspace.configuration.project.outputs:
        if each.name == name:
            return OutputValue(name, each.value, True, each.description)
    raise StateError(
        f"Output {name} is sensitive, so its value is not stored, and the configuration no longer has it.",
        code="unknown_output",
    )
