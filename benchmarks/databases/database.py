"""What the benchmarks ask of a database product. A name stands for one database of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measures import Comparison
from benchmarks.processes import Command, Meter
from benchmarks.schemas import Spelling


@dataclass(frozen=True, slots=True)
class Peer:
    """Another tool that compares schemas. Its commands print the seconds of their parts as JSON."""

    name: str
    plan: Callable[[str], Command]
    """From a database to the peer's plan with nothing to do."""
    creation: Callable[[str, str], Command] | None = None
    """From a database and the name of another: the peer plans and makes the second like the first."""

    @property
    def creation_measure(self) -> str:
        """What the measure of `creation` is called."""
        return f"{self.name}, empty database"


class Database(ABC):
    """A database product, running."""

    title: str
    spelling: Spelling
    comparisons: Sequence[Comparison]
    missing: Sequence[str] = ()
    """What cannot be measured here, and why."""
    peers: Sequence[Peer] = ()
    meter: Meter | None = None
    """How to find out what the server's processors did."""

    @property
    @abstractmethod
    def described(self) -> str:
        """Product, version and what of its settings matters to the numbers."""

    @abstractmethod
    def environment(self, database: str) -> Mapping[str, str]:
        """Return what tells Kolumn which database is meant."""

    @abstractmethod
    def create(self, database: str, script: Path) -> None:
        """Make a database with the schema of `script`, as it is some time after somebody made it."""

    @abstractmethod
    def copy(self, original: str, database: str) -> None:
        """Make a database like another one, in the place of what went by that name."""

    @abstractmethod
    def empty(self, database: str) -> None:
        """Make an empty database, in the place of what went by that name."""

    @abstractmethod
    def loading(self, database: str, script: Path) -> Mapping[str, Command]:
        """Return what runs the script as it is, by measure: the floor of a creation."""

    @abstractmethod
    def reading(self, database: str) -> Mapping[str, Command]:
        """Return what else reads the whole schema, by measure."""
