"""Kolumn: schema as configuration for many databases behind one provider contract."""

from kolumn.version import __version__

__all__ = ["__version__"]
