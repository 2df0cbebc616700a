"""A provider's process: started, listened to, and ended, whatever that takes."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Final

from kolumn.contract.errors import OperationError, ValidationError
from kolumn.contract.logs import wanted_level
from kolumn.rpc import protocol
from kolumn.rpc.client import records

_KEPT_LINES: Final = 20
_LINE_LIMIT: Final = 2**20
_CHUNK: Final = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to start, and under which name to speak of it."""

    command: tuple[str, ...]
    label: str
    """The provider's address, `sqlite.eu`; what is started may be given another name later."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """All that the process gets to see, but for the terms of the handshake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long is waited for a provider, in seconds."""

    start: float = 30.0
    """From its start to its handshake."""
    unwind: float = 30.0
    """After a deadline or a cancellation, for the call to end: it may have steps to undo."""
    close: float = 10.0
    """For Close."""
    leave: float = 2.0
    """After it is asked to end, and once more after SIGTERM; then it is killed."""


class Process:
    """One process. Its standard error becomes log records; its last lines are kept."""

    def __init__(self, launch: Launch, certificate: bytes) -> None:
        """Start it. Raises ValidationError `provider_not_executable`."""
        self.launch = launch
        self.label = launch.label
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._first_line: str | None = None
        self._spoken = threading.Event()
        # The provider makes its socket in here; what a killed one leaves behind goes with it.
        self._folder = tempfile.mkdtemp(prefix=protocol.HOST_FOLDER)
        terms = {
            protocol.COOKIE_NAME: protocol.COOKIE,
            protocol.VERSIONS_NAME: ",".join(map(str, protocol.VERSIONS)),
            protocol.CERTIFICATE_NAME: certificate.decode(),
            protocol.SOCKET_FOLDER_NAME: self._folder,
            # All that is wanted here, and enough for progress and for last words.
            "KOLUMN_LOG": "debug" if wanted_level() == "debug" else "info",
        }
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what the user installed as a provider
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**launch.environment, **terms},
            )
        except OSError as error:
            self._clean_up()
            raise ValidationError(
                f"{launch.command[0]} cannot be started as provider {launch.label}: "
                f"{error.strerror or error}.",
                code="provider_not_executable",
            ) from None
        self._reader = threading.Thread(target=self._read, name=f"kolumn-{launch.label}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def last_lines(self) -> tuple[str, ...]:
        """What it wrote last to standard error, as a person reads it."""
        return tuple(map(records.text, list(self._lines)))

    def handshake(self, patience: float) -> protocol.Handshake:
        """Wait for the first line. Raises OperationError, ValidationError; the process has ended then."""
        there = self._spoken.wait(patience)
        line, label = self._first_line, self.label
        if not there:
            self.end(0)
            raise OperationError(
                f"Provider {label} ({self.launch.command[0]}) did not say within {patience:g} seconds that it "
                f"is ready.{self._last_words()}",
                code="provider_start_timeout",
            )
        if line is None:
            how = self.how_it_ended(patience=1.0)
            self.end(0)
            raise OperationError(
                f"Provider {label} ({self.launch.command[0]}) did not start: {how}.{self._last_words()}",
                code="provider_not_started",
            )
        try:
            found = protocol.Handshake.parse(line)
        except protocol.HandshakeError as error:
            self.end(0)
            raise ValidationError(
                f"{self.launch.command[0]} is no provider of Kolumn: {error}.", code="not_a_provider"
            ) from None
        if found.version not in protocol.VERSIONS:
            self.end(0)
            raise ValidationError(
                f"Provider {label} ({self.launch.command[0]}) speaks version {found.version} of Kolumn's "
                f"protocol; this is {protocol.VERSIONS[-1]}. Install versions that fit each other.",
                code="protocol_mismatch",
            )
        return found

    def crashed(self, doing: str) -> OperationError:
        """Return the error that says how the process ended in the middle of something, with its last words."""
        how = self.how_it_ended(patience=1.0)
        self.end(0)
        return OperationError(
            f"Provider {self.label} failed in the middle of {doing}: {how}.{self._last_words()} "
            "What the database did not confirm is not in the state; plan again to see what is left to do.",
            code="provider_crashed",
            details={"provider": self.label, "log": list(self.last_lines)},
        )

    def how_it_ended(self, patience: float) -> str:
        """Return in words how it ended, waiting a little for that."""
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return "its connection broke"
        self._reader.join(patience)
        if code >= 0:
            return f"its process ended with exit code {code}"
        with suppress(ValueError):
            return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process was ended by signal {-code}"

    def end(self, patience: float) -> None:
        """Wait `patience` seconds for its own end, then terminate it, then kill it; safe to call again."""
        for stop in (None, self._process.terminate, self._process.kill):
            if stop is not None:
                with suppress(OSError):
                    stop()
            try:
                self._process.wait(None if stop is self._process.kill else patience)
                break
            except subprocess.TimeoutExpired:
                continue
        self._reader.join(1.0)
        self._clean_up()

    def stop(self, patience: float) -> None:
        """Terminate it, and kill it if that does not end it in `patience` seconds."""
        with suppress(OSError):
            self._process.terminate()
        self.end(patience)

    def _last_words(self) -> str:
        lines = self.last_lines
        return f" Its last words: {' / '.join(lines[-5:])}." if lines else ""

    def _read(self) -> None:
        """Read both pipes to their ends, so that the process never waits for a reader."""
        out, err = self._process.stdout, self._process.stderr
        assert out is not None
        assert err is not None
        rest: dict[IO[bytes], bytes] = {out: b"", err: b""}
        with selectors.DefaultSelector() as selector:
            for pipe in rest:
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    pipe = err if key.fileobj is err else out
                    chunk = os.read(pipe.fileno(), _CHUNK)
                    lines = (rest[pipe] + chunk).split(b"\n")
                    rest[pipe] = lines.pop() if len(lines[-1]) < _LINE_LIMIT else b""
                    if not chunk:
                        selector.unregister(pipe)
                        lines.append(rest[pipe])
                    for line in filter(None, lines):
                        self._take(line.decode("utf-8", "replace"), pipe is out)
                    if not chunk and pipe is out:
                        self._spoken.set()
        out.close()
        err.close()

    def _take(self, line: str, handshake: bool) -> None:
        if handshake:
            if self._first_line is None:
                self._first_line = line
                self._spoken.set()
            return
        self._lines.append(line)
        records.record(line, self.label)

    def _clean_up(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def abandon(process: Process) -> None:
    """End the process of a provider that nobody closed."""
    process.stop(Limits().leave)
