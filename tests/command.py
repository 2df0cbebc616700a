"""The real `kolumn` command, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import kolumn

SOURCES = Path(kolumn.__file__).parent.parent
SOAK = bool(os.environ.get("KOLUMN_SOAK"))
"""Whether this is the long run (`make soak`)."""
ONLY_IN_SOAK = pytest.mark.skipif(not SOAK, reason="KOLUMN_SOAK is not set; run `make soak`")
"""Mark of a test, or of one of its parameters, that only the long run has."""


OVER_RPC = {"KOLUMN_IN_PROCESS": ""}
"""Variables for a run as users have it: each provider in a process of its own."""


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a run: nothing of Kolumn's from outside, and the code under test.

    Providers are in the command's process, which is quicker; what depends on that is tested in tests/rpc, with
    `OVER_RPC` among the variables.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KOLUMN_")}
    path = os.pathsep.join(filter(None, [str(SOURCES), kept.get("PYTHONPATH", "")]))
    return {**kept, "PYTHONPATH": path, "NO_COLOR": "1", "KOLUMN_IN_PROCESS": "1", **variables}


@cache
def executable() -> Path:
    """Return the installed `kolumn`, or the same script written anew where it is not installed."""
    import tempfile

    installed = Path(sys.executable).with_name("kolumn")
    if installed.exists():
        return installed
    script = Path(tempfile.mkdtemp(prefix="kolumn-command-")) / "kolumn"
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom kolumn.cli.main import main\nsys.exit(main())\n")
    script.chmod(0o755)
    return script


def start(folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start `kolumn` in `folder` and leave it running."""
    return subprocess.Popen(
        [str(executable()), *words],
        cwd=folder,
        env=environment(**(variables or {})),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    folder: Path, *words: str, variables: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `kolumn` in `folder` to its end."""
    return subprocess.run(
        [str(executable()), *words],
        cwd=folder,
        env=environment(**(variables or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def done(folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> str:
    """Run `kolumn`, which must succeed, and return what it printed."""
    ended = run(folder, *words, variables=variables)
    assert ended.returncode == 0, (
        f"kolumn {' '.join(words)}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    )
    return ended.stdout


def document(folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> Any:
    """Run `kolumn ... --json`, which must succeed, and return the document."""
    return json.loads(done(folder, *words, "--json", variables=variables))
