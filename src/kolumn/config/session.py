"""One evaluation of a configuration: what is known so far, what went wrong, what may still be spent.

Everything is evaluated at most once and remembered with the addresses it refers to. A fault is reported
where it happens and its value becomes UNKNOWN, so that one mistake is one message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kolumn.config.diagnostics import Fault, Source
from kolumn.config.project import UNKNOWN, Discover
from kolumn.config.values import Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kolumn.config.evaluator import Frame
    from kolumn.contract.errors import Location, Problem


class Session:
    """One evaluation of a configuration: what is known so far, faults, limits."""

    def __init__(self, folder: Path, environ: Mapping[str, str], discover: Discover | None) -> None:
        self.problems: list[Problem] = []
        self.budget = Budget()
        self.discover = discover
        self.environ = environ
        self.folder = folder
        self.impure: set[str] = set()
        self.secrets: list[str] = []
        self.discovered = False
        self.computed = False
        """Whether anything was more than what is written."""
        self.provider_addresses: frozenset[str] = frozenset()
        self._known: dict[tuple[Any, ...], tuple[Any, frozenset[str]]] = {}
        self._active: dict[tuple[Any, ...], str] = {}

    def report(
        self, fault: Fault, source: Source | None, location: Location | None, resource: str = ""
    ) -> None:
        """Note a fault; the same one at the same place only once."""
        problem = fault.problem(source, location, resource)
        if problem not in self.problems:
            self.problems.append(problem)

    def once(
        self,
        key: tuple[Any, ...],
        label: str,
        frame: Frame,
        compute: Callable[[Frame], Any],
        place: Callable[[], tuple[Source | None, Location | None]],
        into: Frame | None,
    ) -> Any:
        """Compute something the first time; later return it. Its dependencies go into the frame `into`."""
        self.computed = True
        found = self._known.get(key)
        if found is None:
            if key in self._active:
                self._cycle(key)
            self._active[key] = label
            try:
                value = compute(frame)
            except Fault as fault:
                self.report(fault, *place())
                value = UNKNOWN
            except RecursionError:
                deep = Fault("References are chained too deeply here.", code="too_deep")
                self.report(deep, *place())
                value = UNKNOWN
            finally:
                del self._active[key]
            found = self._known[key] = (value, frozenset(frame.dependencies))
        if into is not None and found[1]:
            into.dependencies |= found[1]
        return found[0]

    def _cycle(self, key: tuple[Any, ...]) -> None:
        names = list(self._active.values())
        names = names[list(self._active).index(key) :]
        if len(names) > 8:
            names = [*names[:4], "...", *names[-3:]]
        raise Fault(
            f"These need each other: {' -> '.join([*names, names[0]])}.",
            hint="Break the circle by writing one of the values out.",
            code="cycle",
        )
