"""Providers installed as Python packages: each registers its class as an entry point."""

from __future__ import annotations

from kolumn.contract import entry_points
from kolumn.contract.errors import ValidationError
from kolumn.contract.provider import Provider

GROUP = "kolumn.providers"
"""The entry point group a provider package registers its class in."""


def names() -> tuple[str, ...]:
    """Return the names of all installed providers, sorted."""
    return tuple(sorted(entry_points.find(GROUP)))


def load(name: str) -> Provider:
    """Return a new, unconfigured provider in this process.

    Raises ValidationError when none of that name is installed.
    """
    installed = entry_points.find(GROUP)
    if name not in installed:
        known = ", ".join(sorted(installed)) or "none"
        raise ValidationError(
            f'There is no provider "{name}". Installed: {known}. A provider comes with its package, '
            f"e.g. `pip install 'kolumn[{name}]'`.",
            code="unknown_provider",
        )
    try:
        provider: Provider = entry_points.load(installed[name])()
    except (ImportError, AttributeError) as error:
        raise ValidationError(
            f"Provider {name} cannot be loaded: {error}. Install what it needs: pip install "
            f"'kolumn[{name}]'.",
            code="provider_not_installed",
        ) from error
    return provider
