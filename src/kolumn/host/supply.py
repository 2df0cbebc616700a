"""Where a project's providers come from: a process of their own each, or classes in this one.

Both give the same `Provider`s. The command uses processes unless --in-process says otherwise; whoever uses
Kolumn as a library gets classes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kolumn.contract.environment import resolve_environment
from kolumn.contract.installed import load
from kolumn.contract.schema import ProviderSchema

if TYPE_CHECKING:
    from kolumn.contract.provider import Provider
    from kolumn.host.discovery import Found
    from kolumn.rpc.client import RemoteProvider

LOCK_FILE = "kolumn.lock.json"
"""See `provider_lock`."""


class Supply(Protocol):
    """Makes providers. An address is a provider's name, with an alias where there are several: `sqlite.eu`."""

    def check(self, name: str) -> None:
        """Raise ValidationError if there is no provider of that name."""
        ...

    def expect(self, addresses: Iterable[str]) -> None:
        """Prepare for these providers, without waiting for any."""
        ...

    def demand(self, constraints: Mapping[str, str]) -> None:
        """Use only versions that meet these constraints, by provider name."""
        ...

    def provider(self, address: str) -> Provider:
        """Return the provider for `address`, unconfigured the first time. Raises ValidationError."""
        ...

    def schema(self, name: str) -> ProviderSchema:
        """Return what the provider of that name offers. Raises ValidationError."""
        ...

    def complete(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return settings with everything in them that only this process may know."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...


class InProcess:
    """Providers of this Python environment, in this process. `folder` may have a lock file."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._schemas: dict[str, ProviderSchema] = {}

    def check(self, name: str) -> None:
        """See Supply."""
        load(name)

    def expect(self, addresses: Iterable[str]) -> None:
        """See Supply: there is nothing to prepare."""

    def demand(self, constraints: Mapping[str, str]) -> None:
        """See Supply: there is one version, and `requirements` says if it is the wrong one."""

    def provider(self, address: str) -> Provider:
        """See Supply."""
        return self._load(address.partition(".")[0])

    def schema(self, name: str) -> ProviderSchema:
        """See Supply."""
        if name not in self._schemas:
            self._schemas[name] = self._load(name).schema()
        return self._schemas[name]

    def complete(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Supply: a provider in this process sees its environment."""
        return settings

    def close(self) -> None:
        """See Supply."""

    def _load(self, name: str) -> Provider:
        provider = load(name)
        if self._folder is not None and (self._folder / LOCK_FILE).exists():
            from kolumn.host import discovery, provider_lock

            provider_lock.verify(discovery.package(name), self._folder)
        return provider


class Processes:
    """Every provider in a process of its own, started as soon as it is expected, several at once.

    The lock file of `folder` counts, if that is given.
    """

    def __init__(self, folder: Path | None, environment: Mapping[str, str] = os.environ) -> None:
        self._folder = folder
        self._environment = environment
        self._constraints: Mapping[str, str] = {}
        self._found: dict[str, Found] = {}
        self._started: dict[str, RemoteProvider] = {}
        self._spare: dict[str, RemoteProvider] = {}
        """By name: started for their schema, and taken by the first address of that name."""

    def check(self, name: str) -> None:
        """See Supply."""
        self._find(name)

    def expect(self, addresses: Iterable[str]) -> None:
        """See Supply. What is not there is not said here but where it is used."""
        from kolumn.contract.errors import KolumnError

        for address in addresses:
            try:
                self.provider(address)
            except KolumnError:
                continue

    def demand(self, constraints: Mapping[str, str]) -> None:
        """See Supply."""
        wanted = {name: constraint for name, constraint in constraints.items() if constraint}
        if wanted == self._constraints:
            return
        self._constraints = wanted
        before, self._found = self._found, {}
        for address, started in list(self._started.items()):
            name = address.partition(".")[0]
            if name in wanted and self._find(name) != before.get(name):
                started.close()
                del self._started[address]
        for name, spare in list(self._spare.items()):
            if name in wanted and self._find(name) != before.get(name):
                spare.close()
                del self._spare[name]

    def provider(self, address: str) -> RemoteProvider:
        """See Supply."""
        started = self._started.get(address)
        if started is None:
            name = address.partition(".")[0]
            started = self._spare.pop(name, None) or self._start(name)
            started.label = address
            self._started[address] = started
        return started

    def schema(self, name: str) -> ProviderSchema:
        """See Supply."""
        running = (each for address, each in self._started.items() if address.partition(".")[0] == name)
        asked = next(running, None) or self._spare.get(name)
        if asked is None:
            asked = self._spare[name] = self._start(name)
        return asked.schema()

    def complete(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Supply: a provider does not see this environment, so what refers to it is put in."""
        resolved = resolve_environment(settings, self._environment)
        for name in ("backup_key", "backup_dir"):
            if not resolved.get(name) and (value := self._environment.get(f"KOLUMN_{name.upper()}", "")):
                resolved[name] = value
        return resolved

    def close(self) -> None:
        """See Supply."""
        started = [*self._started.values(), *self._spare.values()]
        self._started, self._spare = {}, {}
        if len(started) == 1:
            started[0].close()
        elif started:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(len(started), "kolumn-close") as pool:
                list(pool.map(lambda each: each.close(), started))

    def found(self, name: str) -> Found:
        """Return where the provider of that name is. Raises ValidationError."""
        return self._find(name)

    def _find(self, name: str) -> Found:
        if name not in self._found:
            from kolumn.host import discovery, provider_lock

            constraint = self._constraints.get(name, "")
            found = discovery.choose(name, constraint, self._environment, self._version)
            if self._folder is not None:
                provider_lock.verify(found, self._folder)
            self._found[name] = found
        return self._found[name]

    def _start(self, name: str) -> RemoteProvider:
        started = remote(self._find(name), self._environment)
        started.start()
        return started

    def _version(self, found: Found) -> str:
        """Ask a provider for its version; empty if it cannot be asked."""
        from kolumn.contract.errors import KolumnError

        asked = remote(found, self._environment)
        try:
            return asked.schema().version
        except KolumnError:
            return ""
        finally:
            asked.close()


def remote(found: Found, environment: Mapping[str, str]) -> RemoteProvider:
    """Return a provider in a process of its own, not started yet."""
    from kolumn.rpc.client import Launch, RemoteProvider, visible

    launch = Launch(command=found.command, label=found.name, environment=visible(environment))
    return RemoteProvider(launch)
