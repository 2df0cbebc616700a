"""Providers for tests of what a process can do wrong; each is an executable script written into a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent, indent

from tests.command import SOURCES

_HEAD = f"""\
#!{sys.executable}
import os, signal, sys, time
sys.path.insert(0, {str(SOURCES)!r})
from kolumn.contract.errors import OperationError
from kolumn.contract.schema import ProviderSchema
from kolumn.rpc.server import serve


class Provider:
    def configure(self, context, config):
        pass

    def schema(self):
        return ProviderSchema(name="odd", version="1.0", category="database", description="Odd")

    def close(self):
        pass

"""


def executable(folder: Path, name: str, body: str, *, before: str = "") -> Path:
    """Write `kolumn-provider-NAME`, whose methods are `body`; `before` runs before it serves."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"kolumn-provider-{name}"
    indented = indent(dedent(body), "    ")
    path.write_text(f"{_HEAD}{indented}\n{before}\nserve(Provider)\n")
    path.chmod(0o755)
    return path
