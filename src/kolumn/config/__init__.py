"""The .kl language: parse, evaluate, format, write."""

from kolumn.config.cache import load_project
from kolumn.config.evaluation import evaluate, evaluate_providers
from kolumn.config.formatter import format_source
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
from kolumn.config.writer import Labelled, Unlabelled, WrittenProvider, WrittenResource, write_project

__all__ = [
    "UNKNOWN",
    "Configuration",
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
