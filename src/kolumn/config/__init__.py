"""The .kl language: parse, evaluate, format, write.

Names are imported when they are first used: a command that finds its project in the cache never loads the
parser.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kolumn.config.cache import load_project
    from kolumn.config.configuration import Configuration
    from kolumn.config.evaluation import evaluate, evaluate_providers
    from kolumn.config.formatter import format_source
    from kolumn.config.loader import load, locate
    from kolumn.config.project import (
        UNKNOWN,
        Discover,
        DiscoverConfig,
        Lifecycle,
        Moved,
        OutputValue,
        Project,
        ProviderConfig,
        ResourceConfig,
        Unknown,
    )
    from kolumn.config.writer import (
        Labelled,
        Unlabelled,
        WrittenProvider,
        WrittenResource,
        write_project,
    )

_HOMES = {
    "cache": ("load_project",),
    "configuration": ("Configuration",),
    "evaluation": ("evaluate", "evaluate_providers"),
    "formatter": ("format_source",),
    "loader": ("load", "locate"),
    "project": (
        "UNKNOWN",
        "Discover",
        "DiscoverConfig",
        "Lifecycle",
        "Moved",
        "OutputValue",
        "Project",
        "ProviderConfig",
        "ResourceConfig",
        "Unknown",
    ),
    "writer": ("Labelled", "Unlabelled", "WrittenProvider", "WrittenResource", "write_project"),
}

__all__ = [
    "UNKNOWN",
    "Configuration",
    "Discover",
    "DiscoverConfig",
    "Labelled",
    "Lifecycle",
    "Moved",
    "OutputValue",
    "Project",
    "ProviderConfig",
    "ResourceConfig",
    "Unknown",
    "Unlabelled",
    "WrittenProvider",
    "WrittenResource",
    "evaluate",
    "evaluate_providers",
    "format_source",
    "load",
    "load_project",
    "locate",
    "write_project",
]


def __getattr__(name: str) -> Any:
    """Import the module a name lives in."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
