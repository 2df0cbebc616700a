"""Providers as the host knows them: found by entry point, configured when needed, spoken to by contract."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from kolumn.config.project import ProviderConfig
from kolumn.contract import codec
from kolumn.contract import extensions as x
from kolumn.contract import messages as m
from kolumn.contract.context import Context
from kolumn.contract.encoding import Message
from kolumn.contract.errors import OperationError, Problem, ValidationError
from kolumn.contract.installed import GROUP, load, names
from kolumn.contract.provider import Provider
from kolumn.host.sealing import SEAL
from kolumn.host.supply import InProcess, Supply

if TYPE_CHECKING:
    from kolumn.contract.schema import ProviderSchema

__all__ = [
    "GROUP",
    "ApplyReply",
    "Client",
    "Fleet",
    "PlanReply",
    "load",
    "names",
    "settings",
    "url_variables",
]

_WHERE = ("url", "host", "path", "database")
"""Settings that say which database is meant; with any of them the environment is not asked."""
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

R = TypeVar("R", bound=Message)


class ApplyReply(msgspec.Struct, frozen=True, kw_only=True):
    """`ApplyResponse` with the state left as the JSON it came in."""

    success: bool = False
    results: tuple[m.ApplyResult, ...] = ()
    summary: m.ApplySummary = m.ApplySummary()
    error: str = ""
    steps: tuple[m.ExecutedStep, ...] = ()
    state: msgspec.Raw = msgspec.Raw(b"null")
    backup_path: str = ""


class PlanReply(NamedTuple):
    """A provider's plan."""

    response: m.PlanResponse
    sealed: bool
    """Whether there may be stand-ins of sensitive values in it (see `sealing`)."""


class _StateReply(msgspec.Struct, frozen=True, kw_only=True):
    success: bool = False
    state: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


_APPLY_REPLY = msgspec.json.Decoder(ApplyReply)
_STATE_REPLY = msgspec.json.Decoder(_StateReply)


class Client:
    """One configured provider, spoken to with typed messages."""

    def __init__(self, address: str, provider: Provider, context: Context) -> None:
        self.address = address
        self._provider = provider
        self._context = context

    def schema(self) -> ProviderSchema:
        """Return what the provider offers."""
        return self._provider.schema()

    def plan(self, request: m.PlanRequest) -> PlanReply:
        """Plan; see the contract."""
        reply = self._send("Plan", codec.encode(request))
        return PlanReply(self._read(reply, "Plan", m.PlanResponse), SEAL.encode() in reply)

    def apply(self, request: m.PlanRequest) -> ApplyReply:
        """Apply. A failure of the apply itself is in the reply: `success` and `error`."""
        return _APPLY_REPLY.decode(self._send("Apply", codec.encode(request)))

    def discover(
        self, resource_type: str = "", filters: Mapping[str, Any] | None = None
    ) -> tuple[m.DiscoveredResource, ...]:
        """Return live resources of a type, of every type when it is empty."""
        request = m.DiscoverResourcesRequest(resource_type=resource_type, filters=dict(filters or {}))
        return self._call("DiscoverResources", request, m.DiscoverResourcesResponse).resources

    def drift(self, request: m.DriftRequest) -> m.DriftResponse:
        """Compare the database with the state. Raises ValidationError `unsupported_function`."""
        return self._call("DetectDrift", request, m.DriftResponse)

    def validate(self, request: m.ValidateRequest) -> m.ValidateResponse:
        """Check a state, as it is stored, in itself and against the database."""
        return self._call("ValidateState", request, m.ValidateResponse)

    def audit(self, request: m.AuditRequest) -> m.AuditResponse:
        """Return a page of the audit trail. Raises ValidationError `unsupported_function`."""
        return self._call("GetAuditLog", request, m.AuditResponse)

    def verify_audit(self) -> x.VerifyAuditLogResponse:
        """Verify the audit trail, also against the state. Raises ValidationError `unsupported_function`."""
        return self._call("VerifyAuditLog", x.VerifyAuditLogRequest(), x.VerifyAuditLogResponse)

    def list_migrations(self) -> x.ListMigrationsResponse:
        """Return what the database remembers of migrations."""
        return self._call("ListMigrations", x.ListMigrationsRequest(), x.ListMigrationsResponse)

    def run_script(self, request: x.RunScriptRequest) -> x.RunScriptResponse:
        """Run a migration script and have it noted."""
        return self._call("RunMigrationScript", request, x.RunScriptResponse)

    def list_backups(self) -> x.ListBackupsResponse:
        """Return the backups in the provider's folder."""
        return self._call("ListBackups", x.ListBackupsRequest(), x.ListBackupsResponse)

    def verify_backup(self, name: str) -> x.VerifyBackupResponse:
        """Read all of a backup. Raises StateError `damaged_backup`."""
        return self._call("VerifyBackup", x.VerifyBackupRequest(name=name), x.VerifyBackupResponse)

    def restore_backup(self, request: x.RestoreBackupRequest) -> x.RestoreBackupResponse:
        """Put the rows of a backup back."""
        return self._call("RestoreBackup", request, x.RestoreBackupResponse)

    def quarantine(self, *ids: str) -> tuple[x.QuarantineEntry, ...]:
        """Return what is in quarantine, all of it without ids."""
        return self._call("ListQuarantine", x.QuarantineRequest(ids=ids), x.QuarantineResponse).entries

    def restore_quarantine(self, request: x.RestoreQuarantineRequest) -> x.RestoreQuarantineResponse:
        """Bring entries back. Raises OperationError `name_taken`, `not_found`."""
        return self._call("RestoreQuarantine", request, x.RestoreQuarantineResponse)

    def purge_quarantine(self, request: x.PurgeQuarantineRequest) -> x.PurgeQuarantineResponse:
        """Remove entries for good. Raises OperationError `retention`, `not_found`."""
        return self._call("PurgeQuarantine", request, x.PurgeQuarantineResponse)

    def version(self) -> m.VersionResponse:
        """Return the provider's version."""
        return self._call("Version", m.VersionRequest(), m.VersionResponse)

    def get_state(self) -> msgspec.Raw:
        """Return the provider's state as it is sent; `null` when it has none."""
        reply = _STATE_REPLY.decode(self._send("GetState", codec.encode(m.StateRequest())))
        _require(reply.success, reply.error, "GetState", self.address)
        return msgspec.Raw(bytes(reply.state))

    def set_state(self, state: msgspec.Raw) -> None:
        """Hand the provider its state, as `get_state` returned it."""
        sent = b"".join((b'{"state":', memoryview(state), b"}"))
        reply = codec.decode(m.SetStateResponse, self._send("SetState", sent))
        _require(reply.success, reply.error, "SetState", self.address)

    def close(self) -> None:
        """Close the connection; safe to call again."""
        self._provider.close()

    def _send(self, function: str, request: bytes) -> bytes:
        return self._provider.call_function(self._context, function, request)

    def _call(self, function: str, request: Message, response: type[R]) -> R:
        return self._read(self._send(function, codec.encode(request)), function, response)

    def _read(self, body: bytes, function: str, response: type[R]) -> R:
        reply = codec.decode(response, body)
        _require(getattr(reply, "success", True), getattr(reply, "error", ""), function, self.address)
        return reply


def _require(success: bool, error: str, function: str, address: str) -> None:
    if not success:
        raise OperationError(error or f"{function} of provider {address} failed without saying why.")


class Fleet:
    """The providers of one project. Each is made and configured the first time it is asked for."""

    def __init__(
        self,
        context: Context,
        environment: Mapping[str, str] = os.environ,
        blocks: Mapping[str, ProviderConfig] = {},
        backups: Path | None = None,
        supply: Supply | None = None,
    ) -> None:
        self.supply = InProcess() if supply is None else supply
        self._context = context
        self._environment = environment
        self._blocks = dict(blocks)
        self._backups = backups
        self._clients: dict[str, Client] = {}

    def declare(self, block: ProviderConfig) -> None:
        """Make a provider block known."""
        self._blocks[block.address] = block

    def get(self, address: str) -> Client:
        """Return the provider at `address`, configured. Raises ValidationError, ConnectionError."""
        client = self._clients.get(address)
        if client is None:
            block = self._blocks.get(address) or self._implicit(address)
            provider = self.supply.provider(address)
            client = Client(address, provider, self._context)
            self._clients[address] = client
            try:
                provider.configure(self._context, self.supply.complete(self._settings(block)))
            except ValidationError as error:
                raise _placed(error, block) from error
        return client

    def _settings(self, block: ProviderConfig) -> dict[str, Any]:
        """Return what `Configure` gets; backups are beside the state unless something else is said."""
        config = settings(block, self._environment)
        if self._backups is not None and not self._environment.get("KOLUMN_BACKUP_DIR"):
            config.setdefault("backup_dir", str(self._backups))
        return config

    def close(self) -> None:
        """Close every provider, and what was started for one that nobody asked for."""
        clients, self._clients = self._clients, {}
        self.supply.close()  # processes all at once; to close them again does nothing
        for client in clients.values():
            client.close()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _implicit(self, address: str) -> ProviderConfig:
        kind, _, alias = address.partition(".")
        block = ProviderConfig(type=kind, alias=alias)
        if any(self._environment.get(name) for name in url_variables(block)):
            return block
        self.supply.check(kind)  # an unknown provider is the better thing to say
        inside = f' alias = "{alias}" ' if alias else ""
        wanted = f'provider "{kind}" {{{inside}}}'
        raise ValidationError(
            f"No provider {address} is configured. Add a `{wanted}` block that says which database is meant, "
            f"or set {url_variables(block)[0]}.",
            code="missing_provider",
        )


def url_variables(block: ProviderConfig) -> tuple[str, ...]:
    """Return the environment variables that may hold the URL of a provider, the first one set counts."""
    base = f"KOLUMN_{_variable(block.type)}"
    return (*((f"{base}_{_variable(block.alias)}_URL",) if block.alias else ()), f"{base}_URL")


def settings(block: ProviderConfig, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what `Configure` gets: the block, with URL and `safe_destroy` of the environment if missing."""
    config = dict(block.config)
    if not any(config.get(name) for name in _WHERE):
        url = next((environment[name] for name in url_variables(block) if environment.get(name)), "")
        if url:
            config["url"] = url
    said = environment.get("KOLUMN_SAFE_DESTROY", "").strip().lower()
    if said and "safe_destroy" not in config:
        if said not in (*_TRUE, *_FALSE):
            raise ValidationError("KOLUMN_SAFE_DESTROY must be true or false.", code="invalid_environment")
        config["safe_destroy"] = said in _TRUE
    return config


def _variable(text: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in text).upper()


def _placed(error: ValidationError, block: ProviderConfig) -> ValidationError:
    """Say where the provider block is that an error is about."""
    where = f'provider "{block.address}"'
    problems = [problem.at(resource=where, location=block.location) for problem in error.problems]
    if not problems:
        problems = [Problem(error.message, code=error.code, resource=where, location=block.location)]
    hint = ""
    if not any(block.config.get(name) for name in _WHERE):
        hint = f" The block names no database; {url_variables(block)[0]} can supply its URL."
    return ValidationError(
        f"Provider {block.address} is not configured rightly.{hint}", code=error.code, problems=problems
    )
