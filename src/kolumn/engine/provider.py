"""The base of every provider: the four methods of the contract (spec 2) over handlers and one session."""

from __future__ import annotations

import contextlib
import platform
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract import messages as m
from kolumn.contract.codec import decode, encode
from kolumn.contract.context import Context
from kolumn.contract.encoding import Message
from kolumn.contract.environment import resolve_environment
from kolumn.contract.errors import ConnectionError, KolumnError, OperationError, Problem, ValidationError
from kolumn.contract.functions import FUNCTIONS, Category
from kolumn.contract.logs import ConfigLogger, ConnectionLogger, DispatchLogger, StateLogger
from kolumn.contract.schema import ProviderSchema
from kolumn.engine.audit.functions import AuditFunctions
from kolumn.engine.audit.trail import Trail
from kolumn.engine.backup.functions import BackupFunctions
from kolumn.engine.backup.settings import BackupSettings, backup_settings
from kolumn.engine.backup.vault import Vault
from kolumn.engine.drift.functions import DriftFunctions
from kolumn.engine.function_group import FunctionGroup
from kolumn.engine.handler import Handler, Registry
from kolumn.engine.migration.functions import MigrationFunctions
from kolumn.engine.migration.script_functions import ScriptFunctions
from kolumn.engine.planning.planner import Planner
from kolumn.engine.quarantine.functions import QuarantineFunctions
from kolumn.engine.quarantine.place import Quarantine
from kolumn.engine.resource_functions import ResourceFunctions
from kolumn.engine.session import Capabilities, Catalog, Compiler, Session
from kolumn.engine.state.functions import ValidationFunctions
from kolumn.engine.state.store import StateStore
from kolumn.engine.transactions.conversation import Conversation
from kolumn.engine.transactions.functions import TransactionFunctions
from kolumn.version import __version__

GROUPS: tuple[type[FunctionGroup], ...] = (
    ResourceFunctions,
    QuarantineFunctions,
    AuditFunctions,
    DriftFunctions,
    ValidationFunctions,
    TransactionFunctions,
    MigrationFunctions,
    ScriptFunctions,
    BackupFunctions,
)
"""What every provider offers on a connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a provider opens at Configure: a session, and what reads and writes through it."""

    session: Session
    catalog: Catalog
    compiler: Compiler
    audit: bool = True
    """Whether changes are noted in the audit trail."""
    safe_destroy: bool = True
    """Whether a delete must leave a way back (spec 8.3)."""
    quarantine: Quarantine | None = None
    """Where what is deleted can be set aside; None where the database has no room for it."""
    retention_days: int = 30
    """How long what is set aside is kept at least."""
    online: bool = False
    """Whether changes are made so that others can work on (see `Compiler.compile`)."""
    query_timeout: float | None = None
    """Seconds a call may take when its caller sets no deadline; None without a limit."""
    release: Callable[[], None] = lambda: None
    """Called when a call is over: lets go of what keeps others out, such as a file that one process has at a time."""


class BaseProvider(ABC):
    """One database behind the contract. Subclasses name it, list its handlers and connect."""

    name: ClassVar[str]
    category: ClassVar[Category]
    description: ClassVar[str]
    version: ClassVar[str] = __version__
    refused: ClassVar[Mapping[str, str]] = {}
    """Resource types the database lacks, each with what to use instead."""

    def __init__(self) -> None:
        self._registry = Registry(self.name, self.refused)
        for handler in self.handlers():
            self._registry.register(handler)
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._planner: Planner | None = None
        """Plans against the connection, as long as there is one."""
        self._state = StateStore(self.name, self.version)
        self._conversation = Conversation(self._state, self._lock)
        self._backups = BackupSettings()
        self._functions: dict[str, Callable[[Context, Any], Message]] = {
            "GetState": self._get_state,
            "SetState": self._set_state,
            "Ping": self._ping,
            "Version": self._version,
        }
        for group in GROUPS:
            for function in group.METHODS:
                self._functions[function] = self._grouped(group, function)

    @abstractmethod
    def handlers(self) -> Iterable[Handler[Any]]:
        """Return one handler per resource type."""

    @abstractmethod
    def connect(self, context: Context, config: Mapping[str, Any]) -> Connection:
        """Check the settings and connect.

        Raises ValidationError with every fault, ConnectionError or PermissionError.
        """

    def functions(self) -> tuple[str, ...]:
        """Return the names of the contract's functions this provider offers, in the contract's order."""
        return tuple(name for name in FUNCTIONS if name in self._functions)

    def configure(self, context: Context, config: Mapping[str, Any]) -> None:
        """Check `config` and connect (spec 2.2); a second call replaces the connection of the first."""
        ConfigLogger.debug("configuring", provider=self.name, settings=sorted(config))
        if not isinstance(config, Mapping):
            raise ValidationError("the provider's configuration must be an object", code="wrong_type")
        resolved = resolve_environment(config)
        backups, resolved = backup_settings(resolved)
        context.check()
        with self._having_its_driver():
            connection = self.connect(context, resolved)
            try:
                server = connection.session.ping(context)
            except BaseException:
                connection.session.close()
                raise
        connection.release()
        with self._lock:
            self._conversation.roll_back()
            before, self._connection = self._connection, connection
            self._backups = backups
            self._planner = Planner(
                self._registry,
                connection.catalog,
                connection.compiler,
                self._state,
                connection.quarantine,
            )
            if before is not None:
                before.session.close()
        ConnectionLogger.info("connected", provider=self.name, server=server)

    def schema(self) -> ProviderSchema:
        """Return every registered resource type (spec 2.3)."""
        return ProviderSchema(
            name=self.name,
            version=self.version,
            category=self.category.value,
            description=self.description,
            resource_types=tuple(
                self._registry.get(resource_type).definition() for resource_type in self._registry.types()
            ),
        )

    def call_function(self, context: Context, function: str, input: bytes) -> bytes:  # noqa: A002 - spec 2.4
        """Run one function of the contract; raises `unsupported function: X` for any other."""
        call = self._functions.get(function)
        if call is None:
            message = f"unsupported function: {function[:100]}"
            hint = f"{self.name} offers {', '.join(self.functions())}."
            raise ValidationError(
                message,
                code="unsupported_function",
                problems=[Problem(message, "unsupported_function", hint=hint)],
            )
        request = decode(FUNCTIONS[function].request, input)
        connection = self._connection
        if context.deadline is None and connection is not None and connection.query_timeout is not None:
            context = context.with_timeout(connection.query_timeout)
        context.check()
        DispatchLogger.debug("dispatch", function=function, bytes=len(input))
        with self._lock:
            try:
                response = self._guarded(function, call, context, request)
            finally:
                if connection is not None:
                    connection.release()
        DispatchLogger.debug("dispatched", function=function)
        return encode(response)

    def close(self) -> None:
        """Close the connection and clear credentials; may be called more than once (spec 2.5)."""
        with self._lock:
            self._conversation.roll_back()
            connection, self._connection, self._planner = self._connection, None, None
        if connection is not None:
            connection.session.close()

    @property
    def capabilities(self) -> Capabilities | None:
        """What the connected server can do; None before Configure."""
        return self._connection.session.capabilities if self._connection else None

    def _connected(self) -> Connection:
        if self._connection is None:
            raise ConnectionError(
                f"the {self.name} provider is not connected. Call Configure first.", code="not_configured"
            )
        return self._connection

    def _grouped(self, group: type[FunctionGroup], function: str) -> Callable[[Context, Any], Message]:
        def call(context: Context, request: Any) -> Message:
            connection, planner = self._connected(), self._planner
            assert planner is not None
            functions = group(
                registry=self._registry,
                session=connection.session,
                catalog=connection.catalog,
                compiler=connection.compiler,
                planner=planner,
                state=self._state,
                trail=Trail(connection.session, self._state, enabled=connection.audit),
                conversation=self._conversation,
                query_timeout=connection.query_timeout,
                vault=Vault(
                    self._backups, provider=self.name, database=connection.session.capabilities.server
                ),
                safe_destroy=connection.safe_destroy,
                quarantine=connection.quarantine,
                retention_days=connection.retention_days,
                online=connection.online,
            )
            if group is TransactionFunctions:
                return functions.call(function, context, request)
            with self._conversation.call(context) as limited:
                return functions.call(function, limited, request)

        return call

    def _guarded(
        self, function: str, call: Callable[[Context, Any], Message], context: Context, request: Message
    ) -> Message:
        """Make the call; whatever goes wrong leaves as one of the five categories (spec 9.2)."""
        try:
            with self._having_its_driver():
                return call(context, request)
        except KolumnError:
            raise
        except RecursionError:
            raise ValidationError(f"the {function} request is nested too deeply", code="too_deep") from None
        except Exception as error:
            DispatchLogger.error("internal error", function=function, error=repr(error))
            raise OperationError(
                f"internal error in {function}: {type(error).__name__}: {error}. "
                "This is a fault of Kolumn; please report it.",
                code="internal_error",
            ) from error

    @contextlib.contextmanager
    def _having_its_driver(self) -> Iterator[None]:
        """Raise ValidationError where the package is missing that speaks with the database."""
        try:
            yield
        except ImportError as error:
            raise ValidationError(
                f"the driver of the {self.name} provider is not installed ({error}). "
                f"Install it: pip install 'kolumn[{self.name}]'.",
                code="missing_driver",
            ) from error

    def _get_state(self, context: Context, request: m.StateRequest) -> m.StateResponse:
        return m.StateResponse(success=True, state=self._state.export())

    def _set_state(self, context: Context, request: m.SetStateRequest) -> m.SetStateResponse:
        self._state.replace(request.state)
        StateLogger.debug("state set", resources=len(request.state.resources))
        return m.SetStateResponse(success=True)

    def _ping(self, context: Context, request: m.PingRequest) -> m.PingResponse:
        session = self._connected().session
        started = time.perf_counter()
        server = session.ping(context)
        latency = round((time.perf_counter() - started) * 1000)
        return m.PingResponse(success=True, latency_ms=latency, message=server)

    def _version(self, context: Context, request: m.VersionRequest) -> m.VersionResponse:
        return m.VersionResponse(
            success=True,
            version=self.version,
            go_version=f"python{platform.python_version()}",
            provider_name=self.name,
        )
