"""Settings of backups, the same for every provider: where they go and what they are encrypted with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kolumn.contract.errors import Problem, ValidationError
from kolumn.contract.secrets import SecureString

FOLDER = Path(".kolumn", "backups")
"""Where backups go when nothing else is said: beside the project's state, or in the current folder."""
NAMES = ("backup_dir", "backup_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSettings:
    """What `backup_dir` and `backup_key` say; both may come from KOLUMN_BACKUP_DIR and KOLUMN_BACKUP_KEY."""

    folder: Path = FOLDER
    key: SecureString = field(default_factory=lambda: SecureString(""), repr=False)


def backup_settings(
    config: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> tuple[BackupSettings, dict[str, Any]]:
    """Return the settings of backups, and the rest of a provider's configuration.

    Raises ValidationError with every fault.
    """
    rest = {name: value for name, value in config.items() if name not in NAMES}
    found: dict[str, str] = {}
    problems = []
    for name in NAMES:
        value = config.get(name)
        if value is not None and not isinstance(value, str):
            problems.append(Problem(f"{name} must be a text", code="wrong_type", path=name))
            continue
        found[name] = value or environment.get(f"KOLUMN_{name.upper()}", "")
        if "\0" in found[name]:
            problems.append(Problem(f"{name} holds a zero byte", code="invalid_value", path=name))
    if 0 < len(found.get("backup_key", "")) < 16:
        problems.append(
            Problem(
                "backup_key is shorter than 16 characters",
                code="weak_key",
                path="backup_key",
                hint="Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
        )
    if problems:
        raise ValidationError.of(problems)
    folder = Path(found["backup_dir"]).expanduser() if found["backup_dir"] else FOLDER
    return BackupSettings(folder=folder.absolute(), key=SecureString(found["backup_key"])), rest
