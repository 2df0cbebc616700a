"""`kolumn fmt`: one layout for all .kl files.

Works on words, not on the tree, so comments and line breaks stay where the author put them. The rules are
those of terraform fmt: two spaces per level, `=` and trailing comments aligned in runs of neighbouring
lines, single blank lines, one between top-level blocks. Texts and heredocs are left untouched.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from kolumn.config import lexer
from kolumn.config.diagnostics import Source
from kolumn.config.parser import parse, parse_attributes
from kolumn.contract.errors import Problem, ValidationError

_WORD = re.compile(
    rf"""
      (\n)
    | ((?:\#|//)[^\n]*+)
    | (/\*(?:[^*]|\*(?!/))*+\*/)
    | ({lexer.IDENTIFIER})
    | ([0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)
    | (")
    | (<<-?{lexer.IDENTIFIER}[ \t\r]*+(?=\n))
    | (==|!=|<=|>=|&&|\|\||=>|\.\.\.|[-+*/%!<>?:=.,(){{}}\[\]~])
    """,
    re.VERBOSE,
)
_NEWLINE, _COMMENT, _BLOCK_COMMENT, _NAME, _NUMBER, _TEXT, _HEREDOC, _SIGN = range(1, 9)
_SPACE = re.compile(r"[ \t\r]*")
_OPENERS = frozenset("([{")
_CLOSERS = frozenset(")]}")
_KEYWORDS = frozenset({"in", "if", "for"})


@dataclass(slots=True)
class _Token:
    kind: int
    text: str
    unary: bool = False
    """A minus or exclamation mark before its operand."""
    operand: bool = False
    """Ends an operand, so that a minus after it is a subtraction."""


@dataclass(slots=True)
class _Line:
    tokens: list[_Token] = field(default_factory=list)
    depth: int = 0
    lead: str = ""
    assign: str = ""
    comment: str = ""
    ends_block: bool = False
    """A top-level block ends here."""

    @property
    def several(self) -> bool:
        """Tell whether it spans several lines of text."""
        return any("\n" in token.text for token in self.tokens)


def format_source(text: str, filename: str = "") -> str:
    """Return the canonical layout of a `.kl`, `.klvars` or `.kl.json` file.

    Formatting a formatted file changes nothing, and the meaning stays the same. Raises ValidationError
    when the file has syntax errors.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    source = Source(filename or "<input>", text, private=".klvars" in filename)
    if filename.endswith(".json"):
        return _format_json(source)
    problems = (parse_attributes if filename.endswith(".klvars") else parse)(source)[1]
    if problems:
        raise ValidationError.of(problems)
    lines = _lines(text)
    _indent(lines)
    for line in lines:
        _split(line)
    _align_assignments(lines)
    _align_comments(lines)
    return _joined(lines)


def _format_json(source: Source) -> str:
    try:
        return json.dumps(json.loads(source.text), indent=2, ensure_ascii=False) + "\n"
    except (ValueError, RecursionError) as error:
        position = getattr(error, "pos", 0)
        problem = Problem("This is not JSON.", code="syntax", location=source.location(position))
        raise ValidationError.of([problem]) from None


def _lines(text: str) -> list[_Line]:
    """Cut a file that parses into lines of tokens."""
    lines = [_Line()]
    position = 0
    previous: _Token | None = None
    before = ""
    while True:
        position = _skip(text, position)
        if position >= len(text):
            return lines
        match = _WORD.match(text, position)
        if match is None:  # the parser accepted the file, so this cannot be a word of the language
            raise ValidationError(f"offset {position} cannot be formatted", code="syntax")
        kind = match.lastindex or 0
        position = match.end()
        if kind == _NEWLINE:
            lines.append(_Line())
            continue
        found = match.group()
        if kind == _TEXT:
            position = _text_end(text, position)
            found = text[match.start() : position]
        elif kind == _HEREDOC:
            position = _heredoc_end(text, position, found)
            found = text[match.start() : position]
        token = _Token(kind, found.rstrip() if kind == _COMMENT else found)
        if kind == _SIGN:
            token.unary = found == "!" or (found == "-" and not (previous and previous.operand))
            token.operand = found in ")]}" or (found == "*" and before == ".")
        elif kind != _COMMENT and kind != _BLOCK_COMMENT:
            token.operand = not (kind == _NAME and found in _KEYWORDS and before != ".")
        lines[-1].tokens.append(token)
        if kind not in (_COMMENT, _BLOCK_COMMENT):
            previous, before = token, found


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _text_end(text: str, position: int) -> int:
    """Return the offset behind the closing quote of the text whose inside begins at `position`."""
    while True:
        match = lexer.QUOTED_PART.match(text, position)
        if match is None:
            return len(text)
        position = match.end()
        if match.lastindex == lexer.QUOTE_END:
            return position
        if match.lastindex in (lexer.INTERPOLATION, lexer.DIRECTIVE):
            position = _sequence_end(text, position)


def _sequence_end(text: str, position: int) -> int:
    """Return the offset behind the brace that closes an interpolation."""
    depth = 1
    while depth and position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            position += 1
            continue
        kind, position = match.lastindex, match.end()
        if kind == _TEXT:
            position = _text_end(text, position)
        elif kind == _HEREDOC:
            position = _heredoc_end(text, position, match.group())
        elif kind == _SIGN:
            depth += (match.group() == "{") - (match.group() == "}")
    return position


def _heredoc_end(text: str, position: int, opening: str) -> int:
    word = opening.lstrip("<-").rstrip()
    closing = re.compile(rf"^[ \t]*{re.escape(word)}(?=[ \t\r]*$)", re.MULTILINE).search(text, position)
    return closing.end() if closing else len(text)


def _indent(lines: list[_Line]) -> None:
    """Give each line its depth: one more than the line of the innermost open bracket."""
    opened: list[int] = []
    in_block = False
    for number, line in enumerate(lines):
        tokens = line.tokens
        if not tokens:
            continue
        if not opened:
            in_block = len(tokens) > 1 and tokens[0].kind == _NAME and tokens[1].text != "="
        leading = True
        line.depth = lines[opened[-1]].depth + 1 if opened else 0
        for token in tokens:
            if token.kind == _SIGN and token.text in _CLOSERS:
                if opened:
                    begun = opened.pop()
                    if leading:
                        line.depth = lines[begun].depth
            else:
                leading = False
                if token.kind == _SIGN and token.text in _OPENERS:
                    opened.append(number)
        line.ends_block = in_block and not opened and any(token.text == "}" for token in tokens)


def _split(line: _Line) -> None:
    """Write a line's tokens into lead, assignment and trailing comment."""
    tokens = line.tokens
    if len(tokens) > 1 and tokens[-1].kind == _COMMENT:
        line.comment = tokens[-1].text
        tokens = tokens[:-1]
    equals = next((i for i, token in enumerate(tokens) if i and token.kind == _SIGN and token.text == "="), 0)
    if equals and (
        any(token.text == "{" for token in tokens[:equals]) or _net(tokens[equals:]) or _net(tokens[:equals])
    ):
        equals = 0
    if equals:
        line.lead = _spaced(tokens[:equals])
        line.assign = _spaced(tokens[equals:])
    else:
        line.lead = _spaced(tokens)


def _net(tokens: list[_Token]) -> int:
    signs = [token.text for token in tokens if token.kind == _SIGN]
    return sum(sign in _OPENERS for sign in signs) - sum(sign in _CLOSERS for sign in signs)


def _spaced(tokens: list[_Token]) -> str:
    parts: list[str] = []
    previous: _Token | None = None
    for token in tokens:
        if previous is not None and _space_between(previous, token):
            parts.append(" ")
        parts.append(token.text)
        previous = token
    return "".join(parts)


def _space_between(left: _Token, right: _Token) -> bool:
    if right.kind in (_COMMENT, _BLOCK_COMMENT) or left.kind in (_COMMENT, _BLOCK_COMMENT):
        return True
    first = left.text if left.kind == _SIGN else ""
    second = right.text if right.kind == _SIGN else ""
    if second in (",", ")", "]", "...", ".") or first in ("(", "[", "."):
        return False
    if left.unary:
        return False
    if first == "{" and second == "}":
        return False
    if second in ("(", "["):
        return not left.operand
    return True


def _align_assignments(lines: list[_Line]) -> None:
    run: list[_Line] = []
    for line in [*lines, _Line()]:
        if line.assign:
            run.append(line)
        if run and (not line.assign or line.several):
            width = max(len(one.lead) for one in run)
            for one in run:
                one.lead = f"{one.lead.ljust(width)} {one.assign}"
            run = []


def _align_comments(lines: list[_Line]) -> None:
    run: list[_Line] = []
    for line in [*lines, _Line()]:
        if line.comment and not line.several:
            run.append(line)
            continue
        if run:
            width = max(2 * one.depth + len(one.lead) for one in run)
            for one in run:
                one.lead = f"{one.lead.ljust(width - 2 * one.depth)} {one.comment}"
            run = []
        if line.comment:
            line.lead = f"{line.lead} {line.comment}"


def _joined(lines: list[_Line]) -> str:
    """Put the lines together, with single blank lines where they belong."""
    result: list[str] = []
    previous: _Line | None = None
    blank = False
    for line in lines:
        if not line.tokens:
            blank = True
            continue
        if previous is not None:
            opens = _last(previous).text in _OPENERS and _last(previous).kind == _SIGN
            closes = line.tokens[0].kind == _SIGN and line.tokens[0].text in _CLOSERS
            if (blank and not opens and not closes) or (previous.ends_block and line.depth == 0):
                result.append("\n")
        result.append(f"{'  ' * line.depth}{line.lead}\n")
        previous, blank = line, False
    return "".join(result)


def _last(line: _Line) -> _Token:
    """Return the last token that is no comment, or the last one."""
    return next((token for token in reversed(line.tokens) if token.kind != _COMMENT), line.tokens[-1])
