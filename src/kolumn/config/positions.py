"""Where attributes and blocks stand: recomputed by parsing a file again, only when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kolumn.config.json_syntax import parse_json
from kolumn.config.parser import parse

if TYPE_CHECKING:
    from kolumn.config.diagnostics import Source
    from kolumn.config.syntax import Block, Path, Spans
    from kolumn.contract.errors import Location, Problem


def parse_source(source: Source, spans: Spans | None = None) -> tuple[list[Block], list[Problem]]:
    """Parse a `.kl` or `.kl.json` file by its name."""
    if source.name.endswith(".json"):
        return parse_json(source, spans)
    return parse(source, spans)


def spans_of(source: Source) -> Spans:
    """Return the places of everything in a file; computed once."""
    cached: Spans | None = source.__dict__.get("spans")
    if cached is None:
        cached = {}
        parse_source(source, cached)
        source.__dict__["spans"] = cached
    return cached


def place(source: Source, path: Path) -> Location | None:
    """Return the place of `path`, or of its nearest parent that is written in the file."""
    spans = spans_of(source)
    for length in range(len(path), 0, -1):
        if span := spans.get(path[:length]):
            return source.location(*span)
    return None
