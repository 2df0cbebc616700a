"""What goes wrong with every database server, in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolumn.contract.errors import ConnectionError, StateError


def locked(who: str, holder: Mapping[str, Any], name: str) -> StateError:
    """Return that somebody else holds Kolumn's lock `name` on this database; `holder` is what is known of them."""
    return StateError(
        f"{who} is working on this database. Wait until it is done, or give a longer lock timeout.",
        code="locked",
        details={"holder": dict(holder), "lock": name},
    )


def too_old(server: str, needed: str) -> ConnectionError:
    """Return that the server's version is not supported; `needed` says which are."""
    return ConnectionError(
        f"the server is {server}; Kolumn needs {needed} or newer. Upgrade the server.",
        code="unsupported_version",
        details={"server": server},
    )


def sentence(text: str) -> str:
    """Return what a server said with a full stop at its end."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
