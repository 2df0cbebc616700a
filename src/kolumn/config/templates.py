"""From the flat pieces of a template to its tree: strip markers, directives, heredoc indentation."""

from __future__ import annotations

from dataclasses import dataclass

from kolumn.config.diagnostics import Fault
from kolumn.config.syntax import Expression, Template, TemplateFor, TemplateIf, Value


@dataclass(slots=True)
class Mark:
    """A `${` or `%{` sequence as it was read; `word` is empty for an interpolation."""

    word: str
    start: int
    end: int
    value: Value = None
    key_name: str = ""
    value_name: str = ""
    strip_left: bool = False
    strip_right: bool = False


Piece = str | Mark


def unindent(pieces: list[Piece], raw: str) -> list[Piece]:
    """Take the indentation common to all lines of a `<<-` heredoc away; `raw` is its text."""
    margin = min((len(line) - len(line.lstrip(" \t")) for line in raw.split("\n") if line.strip()), default=0)
    if not margin:
        return pieces
    result: list[Piece] = []
    for position, piece in enumerate(pieces):
        if isinstance(piece, str):
            lines = piece.split("\n")
            first = 0 if position == 0 else 1
            for row in range(first, len(lines)):
                line = lines[row]
                lines[row] = line[min(margin, len(line) - len(line.lstrip(" \t"))) :]
            piece = "\n".join(lines)
        result.append(piece)
    return result


def _stripped(pieces: list[Piece]) -> list[Piece]:
    """Apply the `~` markers to the texts beside them."""
    result: list[Piece] = list(pieces)
    for position, piece in enumerate(pieces):
        if isinstance(piece, Mark):
            before = result[position - 1] if position else None
            if piece.strip_left and isinstance(before, str):
                result[position - 1] = before.rstrip(" \t\r\n")
            after = result[position + 1] if position + 1 < len(result) else None
            if piece.strip_right and isinstance(after, str):
                result[position + 1] = after.lstrip(" \t\r\n")
    return result


def build(pieces: list[Piece], start: int, end: int) -> Value:
    """Return the value of a template: a str, the lone expression itself, or a Template.

    Raises Fault on directives that do not match.
    """
    if not any(isinstance(piece, Mark) for piece in pieces):
        return "".join(piece for piece in pieces if isinstance(piece, str))
    if len(pieces) == 1 and isinstance(pieces[0], Mark) and not pieces[0].word:
        return pieces[0].value
    tree = _Tree(_stripped(pieces))
    parts = tree.parts(frozenset())
    if all(isinstance(part, str) for part in parts):
        return "".join(parts)
    return Template(start, end, parts)


class _Tree:
    """Recursive descent over the pieces."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces
        self.position = 0

    def parts(self, closers: frozenset[str], opener: Mark | None = None) -> tuple[Value, ...]:
        """Read until one of `closers`, which stays unread."""
        result: list[Value] = []
        while self.position < len(self.pieces):
            piece = self.pieces[self.position]
            if isinstance(piece, str):
                if piece:
                    if result and isinstance(result[-1], str):
                        result[-1] += piece
                    else:
                        result.append(piece)
                self.position += 1
                continue
            if piece.word in closers:
                return tuple(result)
            self.position += 1
            if not piece.word:
                result.append(_interpolated(piece))
            elif piece.word == "if":
                then = self.parts(frozenset({"else", "endif"}), piece)
                otherwise: tuple[Value, ...] = ()
                if self._word() == "else":
                    self.position += 1
                    otherwise = self.parts(frozenset({"endif"}), piece)
                self.position += 1
                result.append(TemplateIf(piece.start, piece.end, piece.value, then, otherwise))
            elif piece.word == "for":
                inner = self.parts(frozenset({"endfor"}), piece)
                self.position += 1
                names = (piece.key_name, piece.value_name)
                result.append(TemplateFor(piece.start, piece.end, *names, piece.value, inner))
            else:
                raise Fault(
                    f"%{{{piece.word}}} has no %{{if}} or %{{for}} that it belongs to.",
                    piece.start,
                    piece.end,
                    code="syntax",
                )
        if opener is not None:
            raise Fault(
                f"%{{{opener.word}}} is not closed.",
                opener.start,
                opener.end,
                hint=f"Write %{{end{opener.word}}} where it ends.",
                code="syntax",
            )
        return tuple(result)

    def _word(self) -> str:
        piece = self.pieces[self.position]
        return piece.word if isinstance(piece, Mark) else ""


def _interpolated(piece: Mark) -> Value:
    """Return the part for `${...}`: a literal in it still has to become text when evaluated."""
    if isinstance(piece.value, (Expression, str)):
        return piece.value
    return Template(piece.start, piece.end, (piece.value,))
