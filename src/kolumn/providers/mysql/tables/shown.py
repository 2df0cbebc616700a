"""What only SHOW CREATE TABLE tells of a table: information_schema leaves it out.

Both servers write one column or index a line, the same way whatever was written when the table was made.
https://dev.mysql.com/doc/refman/9.4/en/show-create-table.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from kolumn.providers.mysql.language.tokens import fold, unquote

PRIMARY = "primary"
"""The primary key among the indexes."""

_NAME = r"`(?:[^`]|``)*`"
_INDEX = re.compile(rf"^  (?:(?:UNIQUE |FULLTEXT |SPATIAL )?KEY ({_NAME})|PRIMARY KEY) (\(.*)$", re.MULTILINE)
_USING = re.compile(r"\) USING (BTREE|HASH)")
_BLOCK = re.compile(r" KEY_BLOCK_SIZE=(\d+)")
_PARSER = re.compile(rf" WITH PARSER ({_NAME})")
_COMMENT = re.compile(r" COMMENT '(?:[^']|'')*'")
_OVERLAPS = re.compile(r"^\((?:`(?:[^`]|``)*`,)*`(?:[^`]|``)*` WITHOUT OVERLAPS\)")
_APPLICATION_PERIOD = re.compile(rf"^  PERIOD FOR ({_NAME}) \(({_NAME}), ({_NAME})\)", re.MULTILINE)
_CHARSET = re.compile(rf"^  ({_NAME}) \w+(?:\((?:'(?:[^']|'')*'|[^')])*\))? CHARACTER SET \w+", re.MULTILINE)
_PERIOD = re.compile(
    r"PARTITION BY SYSTEM_TIME +((?:INTERVAL|LIMIT) [^\n(]*?)(?: AUTO)?(?: PARTITIONS \d+)?\s*(?:\n|\(|$)"
)


class ShownIndex(NamedTuple):
    """What is said of an index besides its columns."""

    using: str = ""
    """btree or hash where it was said, though the engine may have no choice."""
    block: int | None = None
    parser: str = ""
    without_overlaps: bool = False
    """Whether its last part is the application-time period of the table (MariaDB)."""


class ShownTable(NamedTuple):
    """What the text of a table says."""

    indexes: Mapping[str, ShownIndex]
    """By folded name; those about which nothing is said are left out."""
    charsets: frozenset[str]
    """Folded names of columns whose character set is said, though it may be the table's."""
    period: str
    """When a new partition by system time begins: `INTERVAL 1 MONTH`, `LIMIT 1000`."""
    application_period: tuple[str, ...] = ()
    """Name, first and last column of the application-time period (MariaDB)."""


def read(text: str) -> ShownTable:
    """Return what SHOW CREATE TABLE says; nothing where it was refused and `text` is empty."""
    indexes = {}
    if any(word in text for word in (" USING ", "KEY_BLOCK_SIZE=", " WITH PARSER ", " WITHOUT OVERLAPS")):
        for found in _INDEX.finditer(text):
            said = _said(_COMMENT.sub("", found[2]))
            if said != ShownIndex():
                indexes[fold(unquote(found[1])) if found[1] else PRIMARY] = said
    charsets = [fold(unquote(name)) for name in _CHARSET.findall(text)] if " CHARACTER SET " in text else ()
    period = _PERIOD.search(text)
    application = _APPLICATION_PERIOD.search(text)
    return ShownTable(
        indexes,
        frozenset(charsets),
        period[1].strip() if period else "",
        tuple(map(unquote, application.groups())) if application else (),
    )


def _said(text: str) -> ShownIndex:
    using, block, parser = _USING.search(text), _BLOCK.search(text), _PARSER.search(text)
    return ShownIndex(
        using[1].lower() if using else "",
        int(block[1]) if block else None,
        unquote(parser[1]) if parser else "",
        _OVERLAPS.match(text) is not None,
    )
