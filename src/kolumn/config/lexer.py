"""The words of the .kl language as regular expressions.

The parser asks for one token at a time, because what a quote or a newline means depends on where it
stands. `STATEMENT` reads a whole simple line of a body at once: most lines of a real configuration are
`name = literal` or a block header, and reading them with one match is what makes parsing fast.
"""

from __future__ import annotations

import re

IDENTIFIER = r"[^\W\d][\w-]*+"
_PLAIN = r'"([^"\\$%\n]*+)"'
_COMMENT = r"\#[^\n]*+|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/"

# Groups of STATEMENT, by Match.lastindex.
NAME, TEXT, INTEGER, KEYWORD, LABEL, SECOND_LABEL, OPEN, CLOSE, COMMENT, END = range(1, 11)

STATEMENT = re.compile(
    rf"""[ \t\r\n]*+
    (?:
      ({IDENTIFIER})[ \t]*+
      (?:
        =[ \t]*+
        (?: {_PLAIN} | (-?(?:0|[1-9][0-9]{{0,17}})) | (true|false|null) )
        [ \t]*+ (?: , | (?=[\r\n}}]|\Z) )
      | {_PLAIN}[ \t]*+(?:{_PLAIN}[ \t]*+)?\{{
      | (\{{)
      |
      )
    | (\}})
    | ({_COMMENT})
    | (\Z)
    )""",
    re.VERBOSE,
)
"""A whole simple statement, or its leading name, a closing brace, a comment, or the end of the text."""

KEYWORDS = {"true": True, "false": False, "null": None}

# Groups of a token, by Match.lastindex.
NEWLINE, IDENT, NUMBER, STRING, QUOTE, HEREDOC, OPERATOR, EOF = range(1, 9)

_TOKEN = rf"""
    (?:
      (\n)
    | ({IDENTIFIER})
    | ([0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)
    | {_PLAIN}
    | (")
    | (<<-?{IDENTIFIER}[ \t\r]*+(?=\n))
    | (==|!=|<=|>=|&&|\|\||=>|\.\.\.|[-+*/%!<>?:=.,(){{}}\[\]~])
    | (\Z)
    )"""
LINE_TOKEN = re.compile(rf"(?:[ \t\r]|{_COMMENT})*+{_TOKEN}", re.VERBOSE)
"""A token where a newline ends the expression."""
FREE_TOKEN = re.compile(rf"(?:[ \t\r\n]|{_COMMENT})*+{_TOKEN}", re.VERBOSE)
"""A token inside brackets, where a newline is white space."""

SKIPPED = re.compile(rf"(?:[ \t\r]|{_COMMENT})*+", re.VERBOSE)
SKIPPED_LINES = re.compile(rf"(?:[ \t\r\n]|{_COMMENT})*+", re.VERBOSE)
COMMENTS = re.compile(_COMMENT, re.VERBOSE)

# Groups of a template part.
CHUNK, ESCAPE, ESCAPED_MARK, INTERPOLATION, DIRECTIVE, MARK, QUOTE_END = range(1, 8)
QUOTED_PART = re.compile(
    r"""
      ([^"\\$%\n]++)
    | (\\(?:[nrt"\\]|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}))
    | (\$\$\{|%%\{)
    | (\$\{~?)
    | (%\{~?)
    | ([$%])
    | (")
    """,
    re.VERBOSE,
)
"""A piece of a quoted template."""
HEREDOC_PART = re.compile(
    r"""
      ([^$%]++)
    | (?!x)x()
    | (\$\$\{|%%\{)
    | (\$\{~?)
    | (%\{~?)
    | ([$%])
    """,
    re.VERBOSE,
)
"""A piece of a heredoc or of a template file: no backslash escapes."""

ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
