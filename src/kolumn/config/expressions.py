"""Recursive-descent parser for expressions and templates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from kolumn.config import lexer
from kolumn.config.diagnostics import Fault, Source
from kolumn.config.lexer import EOF, HEREDOC, IDENT, NEWLINE, NUMBER, OPERATOR, QUOTE, STRING
from kolumn.config.syntax import (
    Access,
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    Index,
    ObjectOf,
    Path,
    Spans,
    Splat,
    Step,
    Traversal,
    TupleOf,
    Unary,
    Value,
)
from kolumn.config.templates import Mark, Piece, build, unindent

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 80
"""How deep expressions and blocks may nest; keeps the parser well inside Python's own limit."""
MAX_DIGITS = 1000

_PRECEDENCE = {
    "||": 1,
    "&&": 2,
    "==": 3,
    "!=": 3,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
}
_KEY_FOLLOWS = re.compile(r"[ \t]*(?:=(?![=>])|:)")
_LITERALS = {"true": True, "false": False, "null": None}
_CLOSER = {"(": ")", "[": "]", "{": "}"}


class ExpressionParser:
    """Parses one source; the current token is in `kind`, `value`, `op`, `begin`, `pos` (its end).

    With `spans` given, the places of the parts of literal data are recorded under `path`.
    """

    def __init__(self, source: Source, spans: Spans | None = None) -> None:
        self.source = source
        self.text = source.text
        self.pos = 0
        self.begin = 0
        self.kind = NEWLINE
        self.value = ""
        self.op: str | None = None
        self.depth = 0
        self.spans = spans
        self.path: Path = ()
        self._match: Callable[[str, int], re.Match[str] | None] = lexer.LINE_TOKEN.match

    # Tokens

    def advance(self) -> None:
        """Read the next token."""
        match = self._match(self.text, self.pos)
        if match is None:
            self._strange()
        self.kind = kind = match.lastindex or 0
        self.begin, self.pos = match.span(kind)
        self.value = match.group(kind)
        if kind == OPERATOR:
            self.op = self.value
            if self.op == "/" and self.text.startswith("*", self.pos):
                self._unclosed_comment(self.begin)
        else:
            self.op = None
            if kind == STRING:  # the span without quotes is inside the token
                self.begin -= 1
                self.pos += 1

    def _unclosed_comment(self, start: int) -> NoReturn:
        self.pos = len(self.text)
        raise Fault("This comment is not closed.", start, start + 2, hint="End it with */.", code="syntax")

    def _strange(self) -> NoReturn:
        skipped = lexer.SKIPPED_LINES.match(self.text, self.pos)
        start = skipped.end() if skipped else self.pos
        if self.text.startswith("/*", start):
            raise Fault(
                "This comment is not closed.", start, start + 2, hint="End it with */.", code="syntax"
            )
        character = self.text[start]
        hint = "Write a text in double quotes." if character in "'`“”‘’" else ""
        if character in "&|":
            hint = f"Write {character}{character}."
        shown = character if character.isprintable() else f"U+{ord(character):04X}"
        raise Fault(f"Unexpected character {shown}", start, start + 1, hint=hint, code="syntax")

    def _free(self) -> Callable[[str, int], re.Match[str] | None]:
        """Make newlines white space until `_match` is set back to what is returned."""
        before = self._match
        self._match = lexer.FREE_TOKEN.match
        return before

    def describe(self) -> str:
        """Say what the current token is; texts and names are not quoted, for they may be secrets."""
        if self.kind == NEWLINE:
            return "the end of the line"
        if self.kind == EOF:
            return "the end of the file"
        if self.kind in (STRING, QUOTE):
            return "a text"
        if self.kind == HEREDOC:
            return "a heredoc"
        if self.kind == NUMBER:
            return "a number"
        return self.value if self.kind == OPERATOR else "a name"

    def unexpected(self, wanted: str, hint: str = "") -> NoReturn:
        """Raise the fault that the current token is not what is wanted."""
        end = max(self.pos, self.begin + 1)
        raise Fault(f"Expected {wanted}, found {self.describe()}.", self.begin, end, hint=hint, code="syntax")

    def _close(self, opener: str, start: int, before: Callable[[str, int], re.Match[str] | None]) -> int:
        """Consume the closing bracket; returns its end."""
        closer = _CLOSER[opener]
        if self.op != closer:
            if self.kind == EOF:
                raise Fault(
                    f"This {opener} is not closed.", start, start + 1, hint=f"Add {closer}.", code="syntax"
                )
            self.unexpected(f"{closer} or a comma" if opener != "(" else closer)
        end = self.pos
        self._match = before
        self.advance()
        return end

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Fault(
                f"Nested more than {MAX_DEPTH} levels deep.",
                self.begin,
                self.begin + 1,
                hint="Move inner parts into locals.",
                code="too_deep",
            )

    # Expressions

    def expression(self) -> Value:
        """Parse the expression at the current token; the token after it becomes current."""
        self._deeper()
        start = self.begin
        result = self._binary(1)
        if self.op == "?":
            self.advance()
            then = self.expression()
            if self.op != ":":
                self.unexpected("the : of the condition")
            self.advance()
            otherwise = self.expression()
            result = Conditional(start, self.begin, result, then, otherwise)
        self.depth -= 1
        return result

    def _binary(self, lowest: int) -> Value:
        start = self.begin
        left = self._unary()
        while True:
            operator = self.op
            precedence = _PRECEDENCE.get(operator, 0) if operator else 0
            if precedence < lowest or operator is None:
                return left
            self.advance()
            right = self._binary(precedence + 1)
            left = Binary(start, self.begin, operator, left, right)

    def _unary(self) -> Value:
        operator = self.op
        if operator != "-" and operator != "!":
            return self._postfix()
        start = self.begin
        self._deeper()
        self.advance()
        operand = self._unary()
        self.depth -= 1
        if operator == "-" and isinstance(operand, (int, float)) and not isinstance(operand, bool):
            return -operand
        return Unary(start, self.begin, operator, operand)

    def _postfix(self) -> Value:
        start, kind, name = self.begin, self.kind, self.value
        if kind == IDENT and name not in _LITERALS:
            end = self.pos
            self.advance()
            if self.op == "(":
                return self._with_steps(start, self._call(name, start))
            steps: list[Step] = []
            end = self._steps(steps, end)
            result: Value = Traversal(start, end, name, tuple(steps))
            return self._splats(start, result) if self.op in (".", "[") else result
        return self._with_steps(start, self._primary())

    def _with_steps(self, start: int, target: Value) -> Value:
        if self.op != "." and self.op != "[":
            return target
        steps: list[Step] = []
        end = self._steps(steps, self.begin)
        result = Access(start, end, target, tuple(steps)) if steps else target
        return self._splats(start, result)

    def _steps(self, steps: list[Step], end: int) -> int:
        """Read `.name` and `[key]` up to something else or a splat; returns where they end."""
        while True:
            if self.op == ".":
                match = _SPLAT_DOT.match(self.text, self.pos)
                if match:
                    return end
                self.advance()
                if self.kind == IDENT:
                    steps.append(self.value)
                elif self.kind == NUMBER:
                    steps.extend(Index(int(part)) for part in self._whole_numbers())
                else:
                    self.unexpected("a name after the dot")
                end = self.pos
                self.advance()
            elif self.op == "[":
                if _SPLAT_BRACKET.match(self.text, self.pos):
                    return end
                start = self.begin
                before = self._free()
                self.advance()
                key = self.expression()
                end = self._close("[", start, before)
                steps.append(Index(key))
            else:
                return end
            if len(steps) > MAX_DEPTH:
                self._deeper()

    def _whole_numbers(self) -> list[str]:
        parts = self.value.split(".")
        if not all(part.isdigit() and len(part) < 10 for part in parts):
            self.unexpected("a name after the dot")
        return parts

    def _splats(self, start: int, target: Value) -> Value:
        count = 0
        while self.op in (".", "["):
            count += 1
            if count > MAX_DEPTH:
                self._deeper()
            full = self.op == "["
            match = (_SPLAT_BRACKET if full else _SPLAT_DOT).match(self.text, self.pos)
            if match is None:
                steps: list[Step] = []
                end = self._steps(steps, self.begin)
                target = Access(start, end, target, tuple(steps))
                continue
            self.pos = match.end()
            end = self.pos
            self.advance()
            inner: list[Step] = []
            if full:
                end = self._steps(inner, end)
            else:
                while self.op == "." and not _SPLAT_DOT.match(self.text, self.pos):
                    self.advance()
                    if self.kind != IDENT:
                        self.unexpected("a name after the dot")
                    inner.append(self.value)
                    end = self.pos
                    self.advance()
            target = Splat(start, end, target, tuple(inner))
        return target

    def _call(self, name: str, start: int) -> Call:
        opening = self.begin
        before = self._free()
        self.advance()
        arguments: list[Value] = []
        expand = False
        while self.op != ")":
            arguments.append(self.expression())
            if self.op == "...":
                expand = True
                self.advance()
                if self.op == ",":
                    self.advance()
                break
            if self.op != ",":
                break
            self.advance()
        end = self._close("(", opening, before)
        return Call(start, end, name, tuple(arguments), expand)

    def _primary(self) -> Value:
        kind = self.kind
        if kind in (STRING, NUMBER, IDENT):
            value: Value = self.value
            if kind == NUMBER:
                value = self._number()
            elif kind == IDENT:
                value = _LITERALS[self.value]
            self.advance()
            return value
        if kind == QUOTE:
            return self._quoted()
        if kind == HEREDOC:
            return self._heredoc()
        if self.op == "[":
            return self._tuple()
        if self.op == "{":
            return self._object()
        if self.op == "(":
            start = self.begin
            before = self._free()
            self.advance()
            value = self.expression()
            self._close("(", start, before)
            return value
        return self.unexpected("a value")

    def _number(self) -> int | float:
        text = self.value
        if len(text) > MAX_DIGITS:
            raise Fault("This number has too many digits.", self.begin, self.pos, code="too_big")
        if text.isdigit():
            return int(text)
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise Fault("This number is too big.", self.begin, self.pos, code="too_big")
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def _tuple(self) -> Value:
        start = self.begin
        before = self._free()
        self.advance()
        if self.kind == IDENT and self.value == "for":
            return self._for("[", start, before)
        items: list[Value] = []
        plain = True
        outer = self.path
        while self.op != "]":
            begin = self.begin
            if self.spans is not None:
                self.path = (*outer, len(items))
            item = self.expression()
            if self.spans is not None:
                self.spans[self.path] = (begin, self.begin)
            plain = plain and not isinstance(item, Expression)
            items.append(item)
            if self.op != ",":
                break
            self.advance()
        self.path = outer
        end = self._close("[", start, before)
        return items if plain else TupleOf(start, end, tuple(items))

    def _object(self) -> Value:
        start = self.begin
        before = self._match
        self._match = lexer.LINE_TOKEN.match
        self.advance()
        self._newlines()
        if self.kind == IDENT and self.value == "for" and not _KEY_FOLLOWS.match(self.text, self.pos):
            return self._for("{", start, before)
        items: list[tuple[Value, Value]] = []
        plain = True
        outer = self.path
        while self.op != "}":
            begin, finish = self.begin, self.pos
            key = self._object_key()
            if self.op != "=" and self.op != ":":
                if self.kind == EOF:
                    break
                self.unexpected("= after the key")
            self.advance()
            if self.spans is not None:
                self.path = (*outer, key) if isinstance(key, str) else outer
                self.spans[self.path] = (begin, finish)
            value = self.expression()
            plain = plain and not isinstance(value, Expression) and not isinstance(key, Expression)
            items.append((key, value))
            if self.op == ",":
                self.advance()
            elif self.kind != NEWLINE:
                break
            self._newlines()
        self.path = outer
        end = self._close("{", start, before)
        if plain:
            return {_key_text(key): value for key, value in items}
        return ObjectOf(start, end, tuple(items))

    def _newlines(self) -> None:
        while self.kind == NEWLINE:
            self.advance()

    def _object_key(self) -> Value:
        if self.kind == IDENT and _KEY_FOLLOWS.match(self.text, self.pos):
            key: Value = self.value
            self.advance()
            return key
        start, end = self.begin, self.pos
        key = self.expression()
        if key is None or isinstance(key, (list, dict)):
            raise Fault(
                "A key is a text, a number or an expression in parentheses.", start, end, code="syntax"
            )
        return key

    def _for(self, opener: str, start: int, before: Callable[[str, int], re.Match[str] | None]) -> Value:
        self._free()
        self.advance()
        key_name, value_name, collection = self._for_intro()
        if self.op != ":":
            self.unexpected("the : of the for expression")
        self.advance()
        key_of: Value = None
        value_of = self.expression()
        group = False
        if opener == "{":
            if self.op != "=>":
                self.unexpected("=> between key and value")
            self.advance()
            key_of, value_of = value_of, self.expression()
            if self.op == "...":
                group = True
                self.advance()
        condition: Value = True
        if self.kind == IDENT and self.value == "if":
            self.advance()
            condition = self.expression()
        end = self._close(opener, start, before)
        return For(
            start, end, key_name, value_name, collection, key_of, value_of, condition, opener == "{", group
        )

    def _for_intro(self) -> tuple[str, str, Value]:
        """Parse `k, v in collection`; returns the names (key empty when left out) and the collection."""
        names: list[str] = []
        while True:
            if self.kind != IDENT:
                self.unexpected("a name for the element")
            names.append(self.value)
            self.advance()
            if self.op != "," or len(names) == 2:
                break
            self.advance()
        if self.kind != IDENT or self.value != "in":
            self.unexpected("in")
        self.advance()
        return (names[0] if len(names) == 2 else ""), names[-1], self.expression()

    # Templates

    def _quoted(self) -> Value:
        start = self.begin
        pieces = self._pieces(lexer.QUOTED_PART, self.begin + 1, len(self.text), start)
        end = self.pos
        self.advance()
        return build(pieces, start, end)

    def _heredoc(self) -> Value:
        start = self.begin
        flush = self.value.startswith("<<-")
        word = self.value.rstrip(" \t\r")[3 if flush else 2 :]
        body = self.pos + 1
        closing = re.compile(rf"^[ \t]*{re.escape(word)}[ \t\r]*$", re.MULTILINE).search(self.text, body)
        if closing is None:
            raise Fault(
                f"The heredoc is not closed: no line {word} follows.",
                start,
                self.pos,
                hint=f"End it with a line that holds nothing but {word}.",
                code="syntax",
            )
        pieces = self._pieces(lexer.HEREDOC_PART, body, closing.start(), start)
        if flush:
            pieces = unindent(pieces, self.text[body : closing.start()])
        self.pos = closing.end()
        self.advance()
        return build(pieces, start, closing.end())

    def template(self) -> Value:
        """Parse the whole source as a template: a JSON string, or a file for `templatefile`."""
        pieces = self._pieces(lexer.HEREDOC_PART, 0, len(self.text), 0)
        return build(pieces, 0, len(self.text))

    def _pieces(self, part: re.Pattern[str], pos: int, limit: int, start: int) -> list[Piece]:
        """Read template parts from `pos` to a closing quote, which ends it, or to `limit`."""
        pieces: list[Piece] = []
        literal: list[str] = []
        quoted = part is lexer.QUOTED_PART
        text = self.text
        while quoted or pos < limit:
            match = part.match(text, pos, limit)
            if match is None:
                self._broken_text(pos, start)
            kind, found, pos = match.lastindex or 0, match.group(), match.end()
            if kind == lexer.QUOTE_END:
                break
            if kind == lexer.CHUNK or kind == lexer.MARK:
                literal.append(found)
            elif kind == lexer.ESCAPE:
                literal.append(_unescape(found, match.start()))
            elif kind == lexer.ESCAPED_MARK:
                literal.append(found[1:])
            else:
                if literal:
                    pieces.append("".join(literal))
                    literal = []
                mark, pos = self._sequence(kind == lexer.DIRECTIVE, match.start(), pos)
                mark.strip_left = found.endswith("~")
                pieces.append(mark)
                if pos > limit:
                    raise Fault(
                        "This is not closed inside the heredoc.", match.start(), match.end(), code="syntax"
                    )
        if literal:
            pieces.append("".join(literal))
        self.pos = pos
        return pieces

    def _broken_text(self, pos: int, start: int) -> NoReturn:
        if pos < len(self.text) and self.text[pos] == "\\":
            raise Fault(
                "This is not an escape sequence.",
                pos,
                pos + 2,
                hint='Known are \\n \\r \\t \\" \\\\ \\uXXXX \\UXXXXXXXX; write \\\\ for a backslash.',
                code="syntax",
            )
        raise Fault(
            "This text is not closed.",
            start,
            pos,
            hint='Add " or, for several lines, use a heredoc (<<EOT).',
            code="unclosed_text",
        )

    def _sequence(self, directive: bool, start: int, pos: int) -> tuple[Mark, int]:
        """Parse what stands between `${` or `%{` and its brace; returns it and where the text goes on."""
        self._deeper()
        before = self._free()
        self.pos = pos
        self.advance()
        mark = Mark("", start, pos)
        if directive:
            mark.word = self.value if self.kind == IDENT else ""
            if mark.word not in ("if", "else", "endif", "for", "endfor"):
                self.unexpected("if, else, endif, for or endfor", hint="Write %%{ for the characters %{.")
            self.advance()
            if mark.word == "if":
                mark.value = self.expression()
            elif mark.word == "for":
                mark.key_name, mark.value_name, mark.value = self._for_intro()
        else:
            if self.op == "}":
                self.unexpected("a value", hint="Write $${ for the characters ${.")
            mark.value = self.expression()
        if self.op == "~":
            mark.strip_right = True
            self.advance()
        if self.op != "}":
            if self.kind == EOF:
                raise Fault("This is not closed.", start, pos, hint="Add }.", code="syntax")
            self.unexpected("}")
        mark.end = self.pos
        self._match = before
        self.depth -= 1
        return mark, self.pos


_SPLAT_BRACKET = re.compile(r"[ \t]*\*[ \t]*\]")
_SPLAT_DOT = re.compile(r"\*")


def _unescape(found: str, start: int) -> str:
    letter = found[1]
    if letter in "uU":
        code = int(found[2:], base=16)  # noqa: FURB166 - the prefix is HCL's
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise Fault("There is no such Unicode character.", start, start + len(found), code="syntax")
        return chr(code)
    return lexer.ESCAPES[letter]


def _key_text(key: Value) -> str:
    """Return the text of a literal object key."""
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if isinstance(key, str) else str(key)
