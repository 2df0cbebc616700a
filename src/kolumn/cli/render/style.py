"""Colours, on terminals only."""

from __future__ import annotations

from dataclasses import dataclass

_CODES = {
    "create": "32",
    "update": "33",
    "delete": "31",
    "replace": "35",
    "adopt": "36",
    "dim": "2",
    "bold": "1",
}


@dataclass(frozen=True, slots=True)
class Style:
    """Wraps text in colour when `enabled`, else leaves it alone."""

    enabled: bool

    def paint(self, kind: str, text: str) -> str:
        """Return `text` in the colour of `kind`: a key of the palette, anything else stays plain."""
        code = _CODES.get(kind)
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and code and text else text

    def bold(self, text: str) -> str:
        """Return `text` emphasised."""
        return self.paint("bold", text)

    def dim(self, text: str) -> str:
        """Return `text` set back."""
        return self.paint("dim", text)

    def error(self, text: str) -> str:
        """Return `text` as an error."""
        return self.paint("delete", text)

    def warning(self, text: str) -> str:
        """Return `text` as a warning."""
        return self.paint("update", text)
