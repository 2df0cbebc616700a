from __future__ import annotations

from pathlib import Path

import pytest

from .project import ProjectFolder


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    return ProjectFolder.at(tmp_path / "project")
