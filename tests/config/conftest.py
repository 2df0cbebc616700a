from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from kolumn.config import Project, evaluate, load

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[..., Project]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write_files(folder: Path, files: str | Mapping[str, str]) -> None:
    for name, text in ({"main.kl": files} if isinstance(files, str) else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def build(folder: Path) -> Build:
    """Write files, load and evaluate them."""

    def run(files: str | Mapping[str, str], discover: Any = None, **options: Any) -> Project:
        write_files(folder, files)
        options.setdefault("environ", {})
        return evaluate(load(folder, **options), discover)

    return run


@pytest.fixture
def value(build: Build) -> Callable[..., Any]:
    """Evaluate one expression."""

    def run(expression: str, more: str = "") -> Any:
        return build(f'output "x" {{\n  value = {expression}\n}}\n{more}').outputs[0].value

    return run
