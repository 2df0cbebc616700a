"""Messages of functions that go beyond the specification's list: what Kolumn's own host asks a provider for.

A provider offers them like any other function; a host that does not know them never calls them
(docs/spec-readings.md).
"""

from __future__ import annotations
