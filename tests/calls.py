"""One call of a provider in a process of its own, to be killed: says `ready`, then makes the call.

python -m tests.calls PROVIDER SETTINGS FUNCTION REQUEST     (JSON)
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from kolumn.host.providers import load
from tests.client import Client


def start(
    provider: str, settings: Mapping[str, Any], function: str, request: Mapping[str, Any]
) -> subprocess.Popen[str]:
    """Start the call and return once the process is about to make it."""
    words = [provider, json.dumps(dict(settings)), function, json.dumps(dict(request))]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.calls", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()
    return process


def main() -> None:
    """Make the call the command line names."""
    provider, settings, function, request = sys.argv[1:]
    with Client(load(provider)).configure(json.loads(settings)) as client:
        print("ready", flush=True)
        print(json.dumps(client.call(function, json.loads(request))))


if __name__ == "__main__":
    main()
