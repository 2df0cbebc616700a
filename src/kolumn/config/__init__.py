"""The .kl language: parse, evaluate, format, write."""

from kolumn.config.evaluation import evaluate, evaluate_providers
from kolumn.config.loader import Configuration, load, locate
from kolumn.config.project import (
    UNKNOWN,
    DiscoverConfig,
    Lifecycle,
    Moved,
    OutputValue,
    Project,
    ProviderConfig,
    ResourceConfig,
    Unknown,
)

__all__ = [
    "UNKNOWN",
    "Configuration",
    "DiscoverConfig",
    "Lifecycle",
    "Moved",
    "OutputValue",
    "Project",
    "ProviderConfig",
    "ResourceConfig",
    "Unknown",
    "evaluate",
    "evaluate_providers",
    "load",
    "locate",
]
