"""A provider in a process of its own, with the four methods of the contract as one in this process has them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from kolumn.contract import codec
from kolumn.contract.context import Context
from kolumn.contract.errors import KolumnError, OperationError, ValidationError
from kolumn.contract.schema import ProviderSchema
from kolumn.rpc.client.process import Launch, Limits, Process, abandon

if TYPE_CHECKING:
    from kolumn.rpc.certificates import Identity
    from kolumn.rpc.client.connection import Connection


_LIMITS = Limits()


class _Session:
    """A process that has been started, and the connection to it."""

    def __init__(self, process: Process, connection: Connection) -> None:
        self.process = process
        self.connection = connection


class RemoteProvider:
    """Starts the process with the first call, or with `start`, and ends it with `close`."""

    def __init__(self, launch: Launch, limits: Limits = _LIMITS) -> None:
        self.launch = launch
        self._label = launch.label
        self._process: Process | None = None
        self._limits = limits
        self._lock = threading.Lock()
        self._starting: Future[_Session] | None = None
        self._schema: ProviderSchema | None = None

    def start(self) -> None:
        """Begin to start the process, without waiting for it."""
        with self._lock:
            if self._starting is None:
                self._starting = Future()
                thread = threading.Thread(
                    target=self._start, args=(self._starting,), name="kolumn-start", daemon=True
                )
                thread.start()

    @property
    def label(self) -> str:
        """The name under which errors and records speak of it; another one counts from then on."""
        return self._label

    @label.setter
    def label(self, label: str) -> None:
        self._label = label
        if self._process is not None:
            self._process.label = label

    @property
    def pid(self) -> int:
        """The number of the process, which is started if it is not. Raises as `configure` does."""
        return self._session().process.pid

    def configure(self, context: Context, config: Mapping[str, Any]) -> None:
        """Check `config` and connect; see the contract.

        Raises what the provider raises, and OperationError for a process that does not start or ends.
        """
        context.check()
        try:
            encoded = msgspec.json.encode(config)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValidationError(
                f"the provider's configuration has no JSON form: {error}", code="invalid_value"
            ) from None
        self._call(
            "Configure",
            lambda connection: connection.configure(context, encoded, self._limits.unwind),
            context,
        )

    def schema(self) -> ProviderSchema:
        """Return all resource types; works before `configure` and after `close`."""
        if self._schema is None:
            reply = self._call("Schema", lambda connection: connection.schema(self._limits.start))
            self._schema = codec.decode(ProviderSchema, reply)
        return self._schema

    def call_function(self, context: Context, function: str, input: bytes) -> bytes:  # noqa: A002 - spec 2.4
        """Run a function of the contract; see there."""
        context.check()
        patience = self._limits.unwind
        reply: bytes = self._call(
            function[:100] or "a call",
            lambda connection: connection.call_function(context, function, input, patience),
            context,
        )
        return reply

    def close(self) -> None:
        """Close what the provider has open and end its process; may be called more than once."""
        with self._lock:
            starting, self._starting = self._starting, None
        if starting is None:
            return
        with suppress(KolumnError):
            session = starting.result()
            self._close(session)

    def _close(self, session: _Session) -> None:
        from kolumn.rpc.client.connection import Broken, Unanswered

        try:
            session.connection.close_provider(self._limits.close)
        except (Broken, Unanswered, KolumnError):
            session.connection.leave()
            session.process.stop(self._limits.leave)
            return
        session.connection.shut_down(self._limits.leave)
        session.process.end(self._limits.leave)

    def _call(self, doing: str, call: Any, context: Context | None = None) -> Any:
        session = self._session()
        from kolumn.rpc.client.connection import Broken, Unanswered

        try:
            return call(session.connection)
        except Broken:
            self._forget()
            session.connection.leave()
            raise session.process.crashed(doing) from None
        except Unanswered:
            self._forget()
            session.connection.leave()
            session.process.stop(self._limits.leave)
            why = "cancelled" if context is not None and context.cancelled else "deadline_exceeded"
            words = "was cancelled" if why == "cancelled" else "took longer than it may"
            raise OperationError(
                f"{doing} {words}, and provider {self.label} did not end it within "
                f"{self._limits.unwind:g} seconds. Its process was ended; plan again to see what is left to do.",
                code=why,
            ) from None

    def _session(self) -> _Session:
        self.start()
        starting = self._starting
        if starting is None:
            raise OperationError(f"Provider {self.label} was closed.", code="provider_closed")
        try:
            return starting.result()
        except KolumnError:
            self._forget()
            raise

    def _forget(self) -> None:
        """Let the next call start a new process."""
        with self._lock:
            self._starting = None

    def _start(self, starting: Future[_Session]) -> None:
        try:
            identity = _identity()
            process = Process(self.launch, identity.certificate)
            weakref.finalize(self, abandon, process)
            self._process = process
            process.label = self._label
            # Imported while the process does its own imports.
            from kolumn.rpc.client.connection import Broken, Connection

            handshake = process.handshake(self._limits.start)
            if not handshake.certificate:
                process.end(0)
                raise ValidationError(
                    f"{self.launch.command[0]} does not identify itself by a certificate (AutoMTLS), so it is "
                    "not trusted with credentials.",
                    code="not_a_provider",
                )
            try:
                starting.set_result(_Session(process, Connection(handshake, identity)))
            except Broken:
                raise process.crashed("its start") from None
        except KolumnError as error:
            starting.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - whoever waits for it must hear of it
            starting.set_exception(
                OperationError(
                    f"Provider {self.label} could not be started: {type(error).__name__}: {error}",
                    code="provider_not_started",
                )
            )


@cache
def _identity() -> Identity:
    """Return the certificate of this process towards all its providers."""
    from kolumn.rpc import certificates

    return certificates.make()
