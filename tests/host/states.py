"""States as providers leave them, for tests of what the host makes of them."""

from __future__ import annotations

from typing import Any

import msgspec

from kolumn.host import state as states
from kolumn.host.state import Intent, ResourceRecord, State


def instance(type_: str, name: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": type_,
        "name": name,
        "provider": "sqlite",
        "status": "active",
        "config": config or {"name": name},
        "state": {"identity": name, "digest": "d" * 32},
        "created_at": "2025-12-15T10:30:00Z",
        "updated_at": "2025-12-15T10:30:00Z",
    }


def state(
    *instances: dict[str, Any],
    provider: str = "sqlite",
    records: dict[str, ResourceRecord] | None = None,
    intents: dict[str, Intent] | None = None,
) -> State:
    document = {
        "version": "1.0.0",
        "provider": "sqlite",
        "resources": list(instances),
        "metadata": {"lineage": "l", "serial": 1},
        "updated_at": "2025-12-15T10:30:00Z",
    }
    return msgspec.structs.replace(
        states.fresh(),
        providers={provider: msgspec.Raw(msgspec.json.encode(document))},
        resources=records or {},
        intents=intents or {},
    )
