"""The four methods every provider has (spec 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from kolumn.contract.context import Context
from kolumn.contract.schema import ProviderSchema

__all__ = ["Context", "Provider"]


class Provider(Protocol):
    """One database behind the contract.

    Every method raises only `kolumn.contract.errors.KolumnError`; over RPC it travels as ErrorResponse.
    """

    def configure(self, context: Context, config: Mapping[str, Any]) -> None:
        """Check `config` (2.2, 11.1) and connect.

        Raises ValidationError with every fault, ConnectionError if the database cannot be reached.
        """
        ...

    def schema(self) -> ProviderSchema:
        """Return all resource types (2.3); works before `configure`."""
        ...

    def call_function(self, context: Context, function: str, input: bytes) -> bytes:  # noqa: A002 - spec 2.4
        """Run a function of `kolumn.contract.functions` on request JSON and return response JSON.

        An unknown one is a ValidationError `unsupported function: X` with code `unsupported_function`.
        """
        ...

    def close(self) -> None:
        """Close connections and clear secrets; may be called more than once."""
        ...
