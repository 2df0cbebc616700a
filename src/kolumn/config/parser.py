"""Parser for files and block bodies: statements, blocks, recovery after an error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from kolumn.config import lexer
from kolumn.config.collector import collector_paused
from kolumn.config.diagnostics import Fault, Source
from kolumn.config.expressions import MAX_DEPTH, ExpressionParser
from kolumn.config.syntax import (
    Block,
    Blocks,
    Body,
    Dynamic,
    Expression,
    NestedBlock,
    Path,
    Spans,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kolumn.contract.errors import Problem

_KEYWORDS = lexer.KEYWORDS
_ASSIGN = re.compile(r"[ \t]*=(?![=>])")
_SIMPLE_LIST = re.compile(r'[ \t]*\[((?:[ \t]*"[^"\\$%\n\]]*"[ \t]*,?)*)\][ \t]*(?=[\r\n}]|\Z)')
_LIST_ITEM = re.compile(r'"([^"]*)"')
_SEPARATED = re.compile(r"\]|\"[ \t]*\"|^[ \t]*,")
_STARTS_TOP_BLOCK = re.compile(
    r'^(?:(?:create|discover)[ \t]+"[^"\n]*"[ \t]+"[^"\n]*"'
    r'|(?:variable|output|module|provider|policy)[ \t]+"[^"\n]*"'
    r"|(?:locals|moved|kolumn|policies))[ \t\"\w]*\{",
    re.MULTILINE,
)
_STARTS_STATEMENT = re.compile(rf'([ \t]*)(?:{lexer.IDENTIFIER}[ \t]*(?:=(?!=)|[\w\s"-]*\{{)|\}})')
_BRACKETS = re.compile(rf'"(?:[^"\\\n]|\\.)*"|{lexer.COMMENTS.pattern}|[\[\](){{}}]|\n', re.VERBOSE)
MAX_PROBLEMS = 100


class _Unfinished(Exception):
    pass


class Parser(ExpressionParser):
    """Parses one file into top-level blocks; faults are collected in `problems`."""

    def __init__(self, source: Source, spans: Spans | None = None) -> None:
        super().__init__(source, spans)
        self.problems: list[Problem] = []
        self.statement = 0
        """Where the statement being parsed begins."""

    # Files

    def file(self) -> list[Block]:
        """Parse everything as top-level blocks."""
        blocks: list[Block] = []
        while True:
            try:
                if not self._top_level(blocks):
                    return blocks
            except Fault as fault:
                self._report(fault)
                self._recover(fault, top=True)
            except _Unfinished:
                continue
            except RecursionError:
                self._report(Fault("Nested too deeply.", self.pos, code="too_deep"))
                return blocks
            self.depth = 0
            self.path = ()

    def attributes(self) -> dict[str, Value]:
        """Parse everything as attributes: a `.klvars` file."""
        try:
            return self._statements(None, 0)
        except Fault as fault:
            self._report(fault)
        except RecursionError:
            self._report(Fault("Nested too deeply.", self.pos, code="too_deep"))
        except _Unfinished:
            pass  # reported where the block that was not closed begins
        return {}

    def _top_level(self, blocks: list[Block]) -> bool:
        """Parse one top-level block; False at the end."""
        match = lexer.STATEMENT.match(self.text, self.pos)
        if match is None:
            self._strange_statement()
        kind = match.lastindex or 0
        if kind == lexer.END:
            return False
        if kind == lexer.COMMENT:
            self.pos = match.end()
            return True
        if kind == lexer.CLOSE:
            self.statement = self.pos = match.end()
            raise Fault("This } closes nothing.", match.start(kind), match.end(), code="syntax")
        name, (start, end) = match.group(1), match.span(1)
        self.statement = start
        labels: tuple[str, ...]
        if kind in (lexer.TEXT, lexer.INTEGER, lexer.KEYWORD):
            labels = self._header(start, end)
        elif kind == lexer.NAME:
            self.pos = match.end()
            labels = self._header(start, end)
        else:
            self.pos = match.end()
            labels = match.group(5, 6)[: kind - 4] if kind != lexer.OPEN else ()
        header_end = self.pos - 1
        index = len(blocks)
        self.path = (index,)
        if self.spans is not None:
            self.spans[self.path] = (start, header_end)
        block = Block(name, labels, {}, index, start, header_end)
        blocks.append(block)
        faults = len(self.problems)
        block.broken = True
        block.entries = self._statements(start, header_end)
        block.broken = len(self.problems) > faults
        return True

    def _header(self, start: int, end: int) -> tuple[str, ...]:
        """Read labels and the opening brace after a block's name; `pos` ends up behind the brace."""
        self.pos = end
        labels: list[str] = []
        self.advance()
        while True:
            if self.kind == lexer.STRING or self.kind == lexer.IDENT:
                labels.append(self.value)
                self.advance()
            elif self.kind == lexer.QUOTE:
                label = self._quoted()
                if not isinstance(label, str):
                    raise Fault("A label is a plain text.", self.begin, self.pos, code="syntax")
                labels.append(label)
            else:
                break
        if self.op == "{":
            return tuple(labels)
        if self.op == "=" and not labels and start >= 0:
            raise Fault(
                "This attribute stands outside of a block.",
                start,
                end,
                hint="Put it into a block, for example locals { }.",
                code="syntax",
            )
        return self.unexpected("{ or = after this name")

    # Bodies

    def _statements(self, opened: int | None, opened_end: int) -> dict[str, Value]:
        """Parse a body up to its closing brace, or the end when `opened` is None; recovers from faults."""
        entries: dict[str, Value] = {}
        blocks: list[Blocks] = []
        path, depth = self.path, self.depth
        while True:
            try:
                self._body(entries, blocks, opened, opened_end)
                break
            except Fault as fault:
                self.path, self.depth = path, depth
                if fault.code == "unclosed_block":
                    raise
                self._report(fault)
                self._recover(fault, top=False)
        for group in blocks:
            if all(isinstance(item, NestedBlock) and type(item.body) is dict for item in group.items):
                entries[group.kind] = _plain_blocks(group)
        return entries

    def _body(
        self, entries: dict[str, Value], blocks: list[Blocks], opened: int | None, opened_end: int
    ) -> None:
        """Parse statements into `entries` until the closing brace is consumed."""
        statement, text = lexer.STATEMENT.match, self.text
        while True:
            match = statement(text, self.pos)
            if match is None:
                self._strange_statement()
            kind = match.lastindex or 0
            if kind == 2 or kind == 3 or kind == 4:
                name = match[1]
                if name in entries:
                    self._duplicate(name, match.start(1), match.end(1))
                entries[name] = match[2] if kind == 2 else int(match[3]) if kind == 3 else _KEYWORDS[match[4]]
                self.pos = match.end()
                if self.spans is not None:
                    self.spans[(*self.path, name)] = match.span(1)
            elif kind == lexer.CLOSE:
                self.pos = match.end()
                if opened is None:
                    self.statement = self.pos
                    raise Fault("This } closes nothing.", match.start(kind), match.end(), code="syntax")
                return
            elif kind == lexer.NAME:
                name = match[1]
                begin, end = match.span(1)
                self.statement = begin
                assign = _ASSIGN.match(text, end)
                if assign is None:
                    labels = self._header(-1, end)
                    self._nested(entries, blocks, name, labels, begin)
                    continue
                if name in entries:
                    self._duplicate(name, begin, end)
                self.pos = assign.end()
                if self.spans is not None:
                    path = self.path
                    self.path = (*path, name)
                    self.spans[self.path] = (begin, end)
                    entries[name] = self._attribute()
                    self.path = path
                else:
                    entries[name] = self._attribute()
            elif kind == lexer.COMMENT:
                self.pos = match.end()
            elif kind == lexer.END:
                if opened is None:
                    return
                raise Fault(
                    "This block is not closed.",
                    opened,
                    opened_end,
                    hint="Add } at its end.",
                    code="unclosed_block",
                )
            else:
                begin = match.start(1)
                if (
                    opened is not None
                    and (begin == 0 or text[begin - 1] == "\n")
                    and _STARTS_TOP_BLOCK.match(text, begin)
                ):
                    self._report(
                        Fault(
                            "This block is not closed.",
                            opened,
                            opened_end,
                            hint="Add } at its end.",
                            code="unclosed_block",
                        )
                    )
                    self.pos = begin
                    raise _Unfinished
                self.pos = match.end()
                self.statement = begin
                labels = () if kind == 7 else (match[5],) if kind == 5 else (match[5], match[6])
                self._nested(entries, blocks, match[1], labels, begin)

    def _attribute(self) -> Value:
        """Parse the value after `=` and the end of the statement."""
        simple = _SIMPLE_LIST.match(self.text, self.pos)
        if (
            simple is not None
            and self.spans is None
            and simple[1].count(",") >= simple[1].count('"') // 2 - 1
        ):
            self.pos = simple.end()
            return _LIST_ITEM.findall(simple[1])
        self._match = lexer.LINE_TOKEN.match
        self.advance()
        if self.kind == lexer.NEWLINE or self.kind == lexer.EOF:
            self.begin -= 1
            self.unexpected("a value after =")
        value = self.expression()
        if self.op == "," or self.kind == lexer.NEWLINE:
            return value
        self.pos = self.begin
        if self.op != "}" and self.kind != lexer.EOF:
            self.pos = self.begin + 1
            self.unexpected("the end of the line or a comma")
        return value

    def _nested(
        self, entries: dict[str, Value], blocks: list[Blocks], kind: str, labels: Sequence[str], start: int
    ) -> None:
        """Parse one nested block, its header being read, and add it to its group."""
        header_end = self.pos - 1
        self.depth += 1
        if self.depth > MAX_DEPTH // 2:
            raise Fault("Blocks are nested too deeply.", start, header_end, code="too_deep")
        if kind == "dynamic":
            if len(labels) != 1:
                raise Fault(
                    "A dynamic block has one label: the kind of block it makes.",
                    start,
                    header_end,
                    code="syntax",
                )
            outer = self.path
            self.path = (*outer, kind, labels[0])
            inner = self._statements(start, header_end)
            self.path = outer
            self.depth -= 1
            self._add(entries, blocks, labels[0], _dynamic(labels[0], inner, start, header_end), header_end)
            return
        group = entries.get(kind)
        if self.spans is not None:
            outer = self.path
            count = len(group.items) if isinstance(group, Blocks) else 0
            self.path = (*outer, kind, *(labels or (count,)))
            self.spans[self.path] = (start, header_end)
            body = self._statements(start, header_end)
            self.path = outer
        else:
            body = self._statements(start, header_end)
        self.depth -= 1
        for value in body.values():
            if isinstance(value, Expression):
                self._add(
                    entries,
                    blocks,
                    kind,
                    NestedBlock(tuple(labels), Body(start, header_end, body), start),
                    header_end,
                )
                return
        self._add(entries, blocks, kind, NestedBlock(tuple(labels), body, start), header_end)

    def _add(
        self,
        entries: dict[str, Value],
        blocks: list[Blocks],
        kind: str,
        item: NestedBlock | Dynamic,
        end: int,
    ) -> None:
        group = entries.get(kind)
        depth = len(item.labels) if isinstance(item, NestedBlock) else -1
        if group is None and kind not in entries:
            group = Blocks(item.start, end, kind, depth, [])
            entries[kind] = group
            blocks.append(group)
        elif not isinstance(group, Blocks):
            raise Fault(f"{kind} is both an attribute and a block.", item.start, end, code="duplicate")
        elif depth >= 0:
            if group.depth == -1:
                group.depth = depth
            elif depth != group.depth:
                raise Fault(
                    f"{kind} blocks have {group.depth} labels here, this one has {depth}.",
                    item.start,
                    end,
                    hint="Give all of them the same number of labels.",
                    code="labels",
                )
        group.items.append(item)

    def _duplicate(self, name: str, start: int, end: int) -> NoReturn:
        self.statement = start
        raise Fault(f"{name} is set twice.", start, end, hint="Remove one of them.", code="duplicate")

    # Errors

    def _strange_statement(self) -> NoReturn:
        skipped = lexer.SKIPPED_LINES.match(self.text, self.pos)
        self.statement = skipped.end() if skipped else self.pos
        self._match = lexer.FREE_TOKEN.match
        try:
            self.advance()
        finally:
            self._match = lexer.LINE_TOKEN.match
        hint = "Names stand without quotes." if self.kind in (lexer.STRING, lexer.QUOTE) else ""
        self.unexpected("an attribute or a block", hint)

    def _report(self, fault: Fault) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(fault.problem(self.source))

    def _recover(self, fault: Fault, *, top: bool) -> None:
        """Move `pos` to where parsing can go on: behind the brackets opened in the broken statement."""
        self._match = lexer.LINE_TOKEN.match
        if fault.code in ("duplicate", "labels"):
            if fault.code == "duplicate" and self.pos <= fault.start:
                self.pos = fault.start
            else:
                return
        text = self.text
        begin = self.statement
        position = max(fault.start, begin)
        margin = begin - text.rfind("\n", 0, begin) - 1
        line = text.rfind("\n", 0, position) + 1
        if (
            line > begin
            and (following := _STARTS_STATEMENT.match(text, line))
            and len(following[1]) <= margin
        ):
            # A bracket left open: the fault was noticed only where the next statement begins.
            self.pos = line
            return
        depth = 0
        for match in _BRACKETS.finditer(text, begin):
            found = match.group()
            if found in "([{":
                depth += 1
            elif found in ")]}":
                depth -= 1
                if found == "}" and depth < 0 and match.start() >= position:
                    self.pos = match.end() if top else match.start()
                    return
                depth = max(depth, 0)
            elif found == "\n" and match.end() > position:
                self.pos = match.end()
                if _STARTS_TOP_BLOCK.match(text, self.pos):
                    if not top:
                        raise _Unfinished
                    return
                following = _STARTS_STATEMENT.match(text, self.pos)
                if depth <= 0 or (following and len(following[1]) <= margin):
                    return
        self.pos = len(text)


def _plain_blocks(group: Blocks) -> Any:
    """Return blocks made of literals as plain data; a label given twice is left to the evaluator."""
    if group.depth == 0:
        return [item.body for item in group.items if isinstance(item, NestedBlock)]
    result: dict[str, Any] = {}
    for item in group.items:
        if isinstance(item, NestedBlock):
            target = result
            for label in item.labels[:-1]:
                target = target.setdefault(label, {})
            if item.labels[-1] in target:
                return group
            target[item.labels[-1]] = item.body
    return result


def _dynamic(kind: str, body: dict[str, Value], start: int, end: int) -> Dynamic:
    """Return the Dynamic for the body of a `dynamic` block."""
    if "for_each" not in body or "content" not in body:
        raise Fault("A dynamic block needs for_each and content { }.", start, end, code="syntax")
    for name in body:
        if name not in ("for_each", "iterator", "labels", "content"):
            raise Fault(
                f"A dynamic block has no {name}.",
                start,
                end,
                hint="It has for_each, iterator, labels, content.",
            )
    content = body["content"]
    if isinstance(content, Blocks) and content.depth == 0 and len(content.items) == 1:
        item = content.items[0]
        content = item.body if isinstance(item, NestedBlock) else None
    elif isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        content = content[0]
    elif not isinstance(content, dict):
        content = None
    if content is None:
        raise Fault("A dynamic block has exactly one content { } block.", start, end, code="syntax")
    iterator = body.get("iterator", kind)
    if isinstance(iterator, Expression):
        iterator = getattr(iterator, "root", None)
    if not isinstance(iterator, str):
        raise Fault("The iterator of a dynamic block is a name.", start, end, code="syntax")
    return Dynamic(iterator, body["for_each"], body.get("labels"), content, start, end)


def parse(source: Source, spans: Spans | None = None) -> tuple[list[Block], list[Problem]]:
    """Parse a `.kl` file; returns its top-level blocks and every syntax fault.

    With `spans`, places of attributes and blocks are recorded in it.
    """
    parser = Parser(source, spans)
    with collector_paused():
        return parser.file(), parser.problems


def parse_attributes(source: Source, spans: Spans | None = None) -> tuple[dict[str, Value], list[Problem]]:
    """Parse a `.klvars` file; returns its attributes and every syntax fault."""
    parser = Parser(source, spans)
    return parser.attributes(), parser.problems


def parse_expression(source: Source) -> Value:
    """Parse the whole source as one expression. Raises Fault."""
    parser = ExpressionParser(source)
    try:
        parser._match = lexer.FREE_TOKEN.match  # noqa: SLF001 - a sibling in this package
        parser.advance()
        value = parser.expression()
        if parser.kind != lexer.EOF:
            parser.unexpected("the end of the expression")
    except RecursionError:
        raise Fault("Nested too deeply.", 0, 1, code="too_deep") from None
    return value


def parse_template(source: Source) -> Value:
    """Parse the whole source as a template. Raises Fault."""
    try:
        return ExpressionParser(source).template()
    except RecursionError:
        raise Fault("Nested too deeply.", 0, 1, code="too_deep") from None


__all__ = ["Path", "parse", "parse_attributes", "parse_expression", "parse_template"]
