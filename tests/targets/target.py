"""What the conformance suite must know of a provider to test it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kolumn.contract.provider import Provider
from kolumn.host.providers import load
from kolumn.rpc.client import Launch, RemoteProvider, visible

Settings = Mapping[str, Any]

PLANTED = "Pl4nted-hunter2-zebra"
"""A secret that must not come out anywhere."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One object of a resource type, as it is created and as it is changed."""

    type: str
    name: str
    config: Mapping[str, Any]
    changed: Mapping[str, Any]
    """Another configuration of the same object; loses no data. The same where nothing of it can change."""
    impossible: Mapping[str, Any] | None = None
    """A change that cannot be made to what is there, and is refused."""
    needs: tuple[Sample, ...] = ()
    """What must be there before."""
    uses: tuple[Sample, ...] = ()
    """Those of `needs` that the database itself ties it to, so that the order follows without being told."""

    quotable: bool = True
    """Whether its name may be any text."""
    listed: bool = True
    """Whether it is among everything that is discovered, and not only where its type is asked for."""
    apart: bool = False
    """Whether it cannot be made inside a transaction."""
    called: str = ""
    """What the database calls it, where that is not `name`."""

    @property
    def identity(self) -> str:
        """The object's own name in the database."""
        return self.called or self.name

    def planted(self, attribute: str) -> Any:
        """Return a value of a sensitive attribute that has `PLANTED` wherever the sample has a value."""
        given = self.config.get(attribute)
        return dict.fromkeys(given, PLANTED) if isinstance(given, Mapping) else PLANTED

    @property
    def changes(self) -> bool:
        """Whether anything of it can change."""
        return self.changed != self.config


@dataclass(frozen=True, kw_only=True)
class Failing:
    """Three resources of which the second fails when it is carried out, whatever the planner knows."""

    script: str
    """Run before: puts there what makes it fail."""
    resources: tuple[Mapping[str, Any], ...]
    culprit: str
    """Name of the one that fails."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One provider and the database to test it on."""

    provider: str
    """Name of its entry point."""
    fresh: Callable[[Path], AbstractContextManager[Settings]]
    """Yields the settings of a database that is empty, in which everything may be done."""
    execute: Callable[[Settings, str], None]
    """Runs a script in the database by other means than Kolumn."""
    dump: Callable[[Settings], list[str]]
    """Everything in the database, rows as well, by other means than Kolumn."""
    rows: Callable[[Settings, str], list[dict[str, Any]]]
    """The rows of a table by column, by other means than Kolumn."""
    library: str
    """What else the library of the quarantine's tests has in this database: triggers, comments, privileges."""
    shorter: str
    """The column of its table `book` that loses something as an integer."""
    samples: tuple[Sample, ...]
    """At least one of each resource type."""
    column: Mapping[str, Any]
    """A further column for the first sample, which must be a table and have an attribute `columns`."""
    renamed: Mapping[str, Any]
    """The first sample's configuration with one column renamed through `renamed_from`."""
    cycle: tuple[Mapping[str, Any], ...]
    """Resources that need each other."""
    failing: Failing
    slow: Callable[[Settings, Callable[[Settings, str], None]], Mapping[str, Any]]
    """Prepares the database and returns a resource that takes some ten seconds to create."""
    refused: frozenset[str]
    """Resource types of the specification that this database lacks."""
    missing: frozenset[str]
    """Functions its category must offer and it does not yet. Shrinks: one that works must be taken out."""
    trail: str
    """The table of the audit trail, as `execute` names it."""
    unprotect: str
    """A script that takes from that table what makes the database refuse changes of it."""
    transactional: bool = True
    """Whether changes of structure can be part of a transaction."""
    isolation: tuple[str, ...] = ()
    """The words for the isolation of a transaction, the default first."""
    savepoints: bool = True
    """Whether part of a transaction can be rolled back; else a call that fails ends all of it."""
    joined: str = "{} || {}"
    """The expression that puts two texts together."""
    analyze: str = "ANALYZE {}"
    """The statement that counts a table's rows for the optimiser."""
    partial_indexes: bool = True
    """Whether an index can leave rows out."""
    processes: bool = True
    """Whether several processes can work on the database at a time."""
    apart: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
    """A resource that cannot be made inside a transaction once the samples are there, and the options for it."""
    cut: Callable[[Settings], None] | None = None
    """Breaks every connection that Kolumn has to the database; None where there are none."""
    given: frozenset[tuple[str, str]] = frozenset()
    """Type and identity of what an empty database has, told only where its type is asked for."""
    worded: frozenset[str] = frozenset()
    """Attributes whose texts the database spells in its own way."""
    hostile: int | None = None
    """How many hostile texts each place gets outside a soak run; None for all."""
    lacking: frozenset[str] = frozenset()
    """Resource types that the provider has, and this server does not."""
    missing_types: frozenset[str] = frozenset()
    """Resource types its category must have and it does not have yet. Shrinks likewise."""
    secrets: Mapping[str, Any] = field(default_factory=dict)
    """Settings with `PLANTED` in them, each by itself added to those of `fresh`; taken or refused."""
    tampered: str = ""
    """The module of `tests.drift` that tampers with it; empty for the one called as the provider is."""
    verified: str = "real server"
    """How the provider is verified, for PROVIDER_STATUS.md."""
    remote: bool = False
    """Whether the provider is to be reached over RPC."""
    skip: Callable[[], str] = lambda: ""
    """Why it cannot run here; empty when it can."""

    @property
    def variable(self) -> str:
        """The environment variable that names another server."""
        return f"KOLUMN_TEST_{self.provider.upper()}_URL"

    @property
    def shared(self) -> bool:
        """Whether two providers can have transactions open at a time."""
        return self.processes or not self.remote

    def open(self) -> Provider:
        """Return a provider that is not configured, in a process of its own if `remote`."""
        if not self.remote:
            return load(self.provider)
        command = (sys.executable, "-P", "-m", "kolumn.rpc", self.provider)
        environment = visible(os.environ)
        return RemoteProvider(Launch(command=command, label=self.provider, environment=environment))

    def sample(self, resource_type: str) -> Sample:
        """Return the first sample of a type."""
        return next(each for each in self.samples if each.type == resource_type)
