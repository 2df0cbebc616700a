"""A project folder on each database: the same commands, the same words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.project import ProjectFolder
from tests.targets import TARGETS, Settings, Target


@dataclass(frozen=True)
class Place:
    """A project and the one database it is about."""

    project: ProjectFolder
    target: Target
    settings: Settings

    def write(self, *tables: str) -> None:
        """Write the configuration: `users id email` is a table of these columns, the first one its key."""
        self.project.write("\n".join(self.table(*each.split()) for each in tables))

    def table(self, name: str, key: str, *columns: str) -> str:
        """Return one table as configuration."""
        lines = [f'create "{self.target.provider}_table" "{name}" {{']
        lines += [f'  column "{key}" {{', '    type = "integer"', "    primary_key = true", "  }"]
        for column in columns:
            lines += [f'  column "{column}" {{', '    type = "text"', "  }"]
        return "\n".join([*lines, "}", ""])

    def sql(self, script: str) -> None:
        """Run statements by other means than Kolumn."""
        self.target.execute(self.settings, script)

    def dump(self) -> list[str]:
        """Return what the database holds, without Kolumn's notes."""
        return [line for line in self.target.dump(self.settings) if "kolumn" not in line.lower()]


@contextmanager
def place(name: str, folder: Path) -> Iterator[Place]:
    """Yield a project on a database that is fresh and empty."""
    target = TARGETS[name]
    with target.fresh(folder / "database") as settings:
        where = settings.get("url") or f"{target.provider}:///{settings['path']}"
        project = ProjectFolder.at(folder / "project")
        project.environment.clear()
        project.environment.update(
            {f"KOLUMN_{target.provider.upper()}_URL": where, "KOLUMN_SAFE_DESTROY": "false"}
        )
        yield Place(project, target, settings)
