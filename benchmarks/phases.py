"""Where the processor time of one command goes: `python -m benchmarks.phases [COMMAND OF KOLUMN]`.

    KOLUMN_SQLITE_URL=sqlite:////tmp/empty.db python -m benchmarks.phases -C PROJECT apply --auto-approve

For finding what to make faster. The benchmarks themselves time whole processes, from outside. Each phase is
without those inside it; timing them costs a little too, most where a phase is entered for every resource.
"""

from __future__ import annotations

import functools
import gc
import importlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

PHASES: Mapping[str, Sequence[str]] = {
    "configuration: parse": ["kolumn.config.loader:load_files"],
    "configuration: evaluate": ["kolumn.config.evaluation:evaluate_fully"],
    "configuration: keep": ["kolumn.config.cache:write"],
    "requests": ["kolumn.host.requests:build"],
    "messages to JSON and back": ["kolumn.contract.codec:encode", "kolumn.contract.codec:decode"],
    "models": [
        "kolumn.engine.planning.planner:Planner._items",
        "kolumn.engine.planning.planner:Planner._resolve",
    ],
    "operations": ["kolumn.engine.planning.planner:Planner._operations"],
    "order": ["kolumn.engine.planning.graph:order"],
    "steps": ["kolumn.engine.planning.planner:Planner._arrange"],
    "attributes that change": ["kolumn.engine.plan:ResourceChange.attributes"],
    "plan as a message": ["kolumn.engine.resource_functions:ResourceFunctions.plan"],
    "review": ["kolumn.host.reviewing:changes"],
    "review as text": ["kolumn.cli.render.review:review_text"],
    "statements": ["kolumn.engine.applier:run"],
    "state in the provider": ["kolumn.engine.resource_functions:ResourceFunctions._record"],
    "state written": ["kolumn.host.ledger:Ledger.put"],
    "apply, the rest": [
        "kolumn.host.applying:apply",
        "kolumn.engine.resource_functions:ResourceFunctions.apply",
    ],
}
"""What a phase is: functions, as module:name."""


class Stopwatch:
    """Adds up processor seconds by phase, each without the phases inside it."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inside: list[float] = []

    def timed(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed as part of `phase`."""

        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            started = time.process_time()
            self._inside.append(0.0)
            try:
                return function(*arguments, **named)
            finally:
                took = time.process_time() - started
                self.seconds[phase] += took - self._inside.pop()
                if self._inside:
                    self._inside[-1] += took

        return call

    def attach(self, phase: str, name: str) -> None:
        """Time a function, also where other modules have imported it by name."""
        module, _, path = name.partition(":")
        *owners, last = path.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        function = vars(owner)[last]
        timed = self.timed(phase, function)
        setattr(owner, last, timed)
        for each in [each for each in sys.modules.values() if each.__name__.startswith("kolumn.")]:
            if vars(each).get(last) is function:
                setattr(each, last, timed)


def main(words: Sequence[str]) -> int:
    """Run a command of Kolumn and print its phases; return its exit code."""
    started = time.process_time()
    from kolumn.cli.commands import apply, plan  # noqa: F401 - so that what they import by name is there
    from kolumn.cli.main import main as kolumn

    stopwatch = Stopwatch()
    for phase, names in PHASES.items():
        for name in names:
            stopwatch.attach(phase, name)
    stopwatch.seconds["start"] = time.process_time() - started
    gc.disable()  # as the command does when it is a process of its own
    with redirect_stdout(StringIO()):
        code = kolumn(words)
    total = time.process_time() - started
    for phase, seconds in sorted(stopwatch.seconds.items(), key=lambda each: -each[1]):
        print(f"{seconds * 1000:8.1f} ms  {phase}")
    print(f"{(total - sum(stopwatch.seconds.values())) * 1000:8.1f} ms  anything else")
    print(f"{total * 1000:8.1f} ms")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
