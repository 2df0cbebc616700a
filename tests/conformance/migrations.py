"""What the tests of migrations and of backups share: a table with rows, and the requests about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.client import Client, wanted
from tests.targets import Settings, Target

ROWS = 700
"""More than one piece of anything."""


def filled(target: Target, settings: Settings, client: Client, rows: int = ROWS) -> Mapping[str, Any]:
    """Create the first sample's table, fill it, and return its configuration."""
    table = target.samples[0]
    client.apply(wanted(table.type, table.name, table.config))
    values = ", ".join(
        f"({n}, 'It''s \u00e4 {n}\n \\t', {'NULL' if n % 7 == 0 else 1900 + n % 100})"
        for n in range(1, rows + 1)
    )
    target.execute(settings, f"INSERT INTO author (id, name, born) VALUES {values};")
    return table.config


def without(config: Mapping[str, Any], column: str) -> dict[str, Any]:
    """Return a table without one column."""
    return {**config, "columns": [each for each in config["columns"] if each["name"] != column]}


def migration(
    name: str, before: Mapping[str, Any], after: Mapping[str, Any], **options: Any
) -> dict[str, Any]:
    """Return a request about the table `author`."""
    return {
        "migration_id": name,
        "resource_type": "table",
        "resource_name": "author",
        "from_state": dict(before),
        "to_state": dict(after),
        **({"options": options} if options else {}),
    }


def held(target: Target, settings: Settings) -> list[str]:
    """Return what the database holds, statement by statement, without what Kolumn notes in it."""
    found, pending = [], ""
    for line in target.dump(settings):
        pending += f"{line}\n"
        if not pending.startswith(("INSERT", "CREATE", "ALTER")) or line.endswith(";"):
            found.append(pending)
            pending = ""
    return sorted(
        each
        for each in (*found, pending)
        if "kolumn" not in each.lower() and not each.startswith("SET default")
    )


def with_vault(settings: Settings, folder: Path, **more: Any) -> dict[str, Any]:
    """Return settings with a folder for backups."""
    return {**settings, "backup_dir": str(folder), **more}


LOSING = {"allow_data_loss": True, "backup_before_migration": True}
