"""Environment variables in provider configuration (spec 11.2): `${NAME}` and `${NAME:-default}`.

Only a whole value is replaced, as in the specification. A variable that is not set is a ValidationError,
where the specification's example gives an empty text: a silently empty password helps nobody.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from kolumn.contract.errors import Problem, ValidationError

_WHOLE = re.compile(r"\$\{([^{}]*)\}", re.DOTALL)
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def resolve_environment(
    config: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return `config` with every `${NAME}` replaced, also inside maps and lists; results are texts.

    `${NAME:-default}` stands for `default` when the variable is not set or empty. `environ` is the process's
    environment unless given. Raises ValidationError naming every variable that is not set.
    """
    problems: list[Problem] = []
    variables = os.environ if environ is None else environ
    resolved = {key: _resolve(value, str(key), variables, problems) for key, value in config.items()}
    if problems:
        raise ValidationError.of(problems)
    return resolved


def _resolve(value: Any, path: str, environ: Mapping[str, str], problems: list[Problem]) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolve(item, f"{path}.{key}", environ, problems) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_resolve(item, f"{path}[{index}]", environ, problems) for index, item in enumerate(value)]
    if not isinstance(value, str) or (whole := _WHOLE.fullmatch(value)) is None:
        return value
    inside = _INSIDE.fullmatch(whole[1])
    if inside is None:
        problems.append(
            Problem(
                "this is not the name of an environment variable.",
                code="invalid_environment_reference",
                path=path,
                hint="Write ${NAME} or ${NAME:-default}; names have letters, digits and _.",
            )
        )
        return value
    name, default = inside.groups()
    found = environ.get(name)
    if default is not None:
        return found or default
    if found is None:
        problems.append(
            Problem(
                f"the environment variable {name} is not set.",
                code="unset_environment_variable",
                path=path,
                hint=f"Set it, or write ${{{name}:-default}}.",
            )
        )
    return found
