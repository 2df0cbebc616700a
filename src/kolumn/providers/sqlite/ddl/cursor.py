"""Walking over the tokens of one statement."""

from __future__ import annotations

from kolumn.providers.sqlite.keywords import RESERVED
from kolumn.providers.sqlite.tokens import tokenize, unquote
from kolumn.sql.tokens import ILLEGAL, QUOTED, STRING, WORD, Token


class Unreadable(ValueError):
    """A statement that is not understood; the message names the place."""


_CONFLICTS = frozenset({"ROLLBACK", "ABORT", "FAIL", "IGNORE", "REPLACE"})


class Cursor:
    """A place in a statement. `word` is the upper-case keyword or operator there, empty for anything else."""

    __slots__ = ("_tokens", "place", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokenize(text)
        end = len(text)
        if self._tokens and self._tokens[-1].word == ";":
            end = self._tokens.pop().start
        illegal = next((token for token in self._tokens if token.kind == ILLEGAL), None)
        if illegal is not None:
            raise self.fault("a character that is no SQL", illegal)
        self._tokens += [Token("end", "", end, end, "")] * 4  # as far as anybody looks ahead
        self.place = 0

    @property
    def token(self) -> Token:
        """The token here; of kind `end` after the last one."""
        return self._tokens[self.place]

    @property
    def word(self) -> str:
        """The keyword or operator here."""
        return self._tokens[self.place].word

    @property
    def last_end(self) -> int:
        """Where the token before this one ends."""
        return self._tokens[self.place - 1].end if self.place else 0

    def ahead(self, distance: int) -> Token:
        """Return the token `distance` places further on."""
        return self._tokens[self.place + distance]

    def take(self) -> Token:
        """Return the token here and go on."""
        token = self._tokens[self.place]
        if token.kind == "end":
            raise self.fault("an end too early")
        self.place += 1
        return token

    def accept(self, word: str, *more: str) -> bool:
        """Go past these words if exactly these come now."""
        tokens, place = self._tokens, self.place
        if tokens[place].word != word:
            return False
        for following in more:
            place += 1
            if tokens[place].word != following:
                return False
        self.place = place + 1
        return True

    def expect(self, word: str, *more: str) -> None:
        """Go past `words`. Raises Unreadable if something else comes."""
        if not self.accept(word, *more):
            raise self.fault(f"{self.token.text or 'the end'!r} instead of {' '.join((word, *more))}")

    def fault(self, what: str, token: Token | None = None) -> Unreadable:
        """Return an error saying what stands here."""
        token = token or self.token
        line = self.text.count("\n", 0, token.start) + 1
        near = self.text[max(0, token.start - 30) : token.end + 20].replace("\n", " ")
        return Unreadable(f"line {line} has {what} near {near!r}")

    def name(self) -> str:
        """Go past an identifier, quoted in any way or not, and return it."""
        token = self.take()
        if token.kind in (QUOTED, STRING) or (token.kind == WORD and token.word not in RESERVED):
            return unquote(token.text)
        self.place -= 1
        raise self.fault(f"{token.text!r} instead of a name")

    def object_name(self) -> str:
        """Go past `[IF NOT EXISTS] [schema.]name`, as a statement's writer may have it; return the name."""
        self.accept("IF", "NOT", "EXISTS")
        if self.ahead(1).word == ".":
            self.place += 2
        return self.name()

    def names(self) -> tuple[str, ...]:
        """Go past `(name, ...)` and return the names; collations and orders mean nothing here."""
        self.expect("(")
        found = [self.name()]
        while True:
            if self.accept("COLLATE"):
                self.name()
            elif self.word in ("ASC", "DESC"):
                self.take()
            elif self.accept(","):
                found.append(self.name())
            else:
                self.expect(")")
                return tuple(found)

    def parenthesised(self) -> str:
        """Go past `( ... )` and return what is inside, as it is written, without white space at the ends.

        A line break at an end is kept: it is part of how the text is laid out.
        """
        self.expect("(")
        start = self.last_end
        self.skip_to(")")
        inner = self.text[start : self.token.start]
        self.expect(")")
        return strip_spaces(inner)

    def skip_to(self, *words: str) -> None:
        """Go to the first of `words` outside parentheses that open on the way; the end if there is none."""
        depth = 0
        while self.token.kind != "end":
            word = self.word
            if depth == 0 and word in words:
                return
            depth += (word == "(") - (word == ")")
            if depth < 0:
                raise self.fault("a parenthesis that nothing opened")
            self.place += 1
        if depth:
            raise self.fault("a parenthesis that nothing closes")

    def conflict(self) -> str:
        """Go past an ON CONFLICT clause, if there is one, and return its resolution in lower case."""
        if not (self.word == "ON" and self.ahead(1).word == "CONFLICT"):
            return ""
        self.place += 2
        if self.word not in _CONFLICTS:
            raise self.fault(f"{self.token.text!r} instead of a conflict resolution")
        return self.take().text.lower()

    def finish(self) -> None:
        """Raise Unreadable unless the statement ends here."""
        if self.token.kind != "end":
            raise self.fault(f"{self.token.text!r} after its end")


def strip_spaces(text: str) -> str:
    """Return `text` without white space at its ends, unless that has a line break."""
    inner = text.strip()
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return (before if "\n" in before else "") + inner + (after if "\n" in after else "")
