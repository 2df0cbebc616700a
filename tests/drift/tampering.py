"""One way to change a database behind Kolumn's back, and exactly what must be found then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Place = tuple[str, str, str]
"""Resource type, name, attribute path; an empty path is the whole resource."""


@dataclass(frozen=True)
class Tampering:
    """A script, and the places where it makes a difference."""

    script: str
    found: frozenset[Place]
    since: int = 0
    """The first major version of the server that can do it."""

    @property
    def label(self) -> str:
        """A short name for the test."""
        return "+".join(f"{type_}.{path or 'gone'}" for type_, _, path in sorted(self.found))[:80]


def of(
    type_: str, name: str, *changes: tuple[str, str], since: int = 0, until: int = 99
) -> Iterator[Tampering]:
    """Yield changes of one resource: a script with the paths it changes, separated by spaces; `-` for none."""
    for script, paths in changes:
        places = frozenset((type_, name, "" if path == "-" else path) for path in paths.split())
        yield Tampering(script, places, since)


def together(tamperings: Iterable[Tampering], bound: Iterable[frozenset[str]]) -> list[list[Tampering]]:
    """Return rounds of tampering that do not get into each other's way: each resource once in a round.

    Resources in one set of `bound` are as one: who changes one makes the others anew.
    """
    families = list(bound)
    rounds: list[tuple[set[str], list[Tampering]]] = []
    for each in tamperings:
        names = {name for _, name, _ in each.found}
        touched = names.union(*(family for family in families if family & names))
        for taken, group in rounds:
            if not taken & touched:
                taken |= touched
                group.append(each)
                break
        else:
            rounds.append((set(touched), [each]))
    return [group for _, group in rounds]
