"""A process is killed while it moves things into quarantine and back: all of it is there, here or there.

What the killed process had begun is whole or not at all; what waits comes back as it was.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from kolumn.contract.errors import KolumnError
from kolumn.host.providers import load
from tests import command
from tests.client import Client
from tests.conformance.test_quarantine import LIBRARY, look
from tests.targets import TARGETS

KILLS = 200 if command.SOAK else 6
"""How often a process is killed, for each database."""

_WORK = """
import json, sys
from kolumn.contract.context import Context
from kolumn.host.providers import load

asked = json.load(sys.stdin)
provider = load(asked["provider"])
provider.configure(Context.background(), asked["settings"])

def call(function, request):
    context = Context.background().with_timeout(60)
    return json.loads(provider.call_function(context, function, json.dumps(request).encode()))

print("ready", flush=True)
while True:
    for name in ("author", "book", "country"):
        call("DeleteResource", {"resource_type": "table", "name": name})
    ids = [each["id"] for each in call("ListQuarantine", {})["entries"]]
    call("RestoreQuarantine", {"ids": ids})
"""

STEPWISE: Mapping[str, Mapping[str, Any]] = {"sqlite-step": {"apply_mode": "step"}}
NEWEST = [name for name in sorted(TARGETS) if "-" not in name]
"""Each provider; with servers of several versions, the newest."""


@pytest.mark.parametrize("name", [*NEWEST, *STEPWISE])
def test_nothing_is_lost(name: str, tmp_path: Path) -> None:
    target = TARGETS[name.partition("-")[0]]
    if reason := target.skip():
        pytest.skip(reason)
    moments = random.Random(name)
    with target.fresh(tmp_path / "database") as settings:
        target.execute(settings, LIBRARY + target.library)
        before = look(target, settings)
        careful = {**settings, "safe_destroy": True, **STEPWISE.get(name, {})}
        asked = json.dumps({"provider": target.provider, "settings": careful})
        for _ in range(KILLS):
            worker = subprocess.Popen(
                [sys.executable, "-c", _WORK],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=command.environment(),
                text=True,
            )
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(asked)
            worker.stdin.close()
            assert worker.stdout.readline() == "ready\n"
            time.sleep(moments.random() * 0.5)
            worker.kill()
            worker.wait()
            with Client(load(target.provider)).configure(careful) as client:
                patiently(lambda client=client: bring_back(client))  # type: ignore[misc]
            assert look(target, settings) == before


def bring_back(client: Client) -> None:
    ids = [each["id"] for each in client.done("ListQuarantine")["entries"]]
    if ids:
        client.done("RestoreQuarantine", {"ids": ids})
    assert client.done("ListQuarantine")["entries"] == []


def patiently(work: Callable[[], None]) -> None:
    """Do it; a server needs a moment to notice that a client is gone, and lets go of its locks then."""
    for attempt in range(20):
        try:
            return work()
        except KolumnError as error:
            if attempt == 19 or "lock" not in error.code:
                raise
            time.sleep(0.25)
    return None
