"""The syntax tree of .kl files.

A literal is not a node: it is the plain Python value (str, int, float, bool, None, list, dict), and a
list, object or body made of literals only is plain too. So `isinstance(x, Expression)` asks whether
anything is left to evaluate. `start` and `end` are character offsets in the file and do not take part in
comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""A plain value or an Expression."""


@dataclass(slots=True)
class Expression:
    """Something to evaluate."""

    start: int = field(compare=False)
    end: int = field(compare=False)


@dataclass(slots=True)
class Index:
    """The step `[key]` of a traversal."""

    key: Value


Step: TypeAlias = str | Index
"""`.name` as a str, or `[key]`."""


@dataclass(slots=True)
class Traversal(Expression):
    """A name and the steps from it: `var.x`, `sqlite_table.users["eu"].name`."""

    root: str
    steps: tuple[Step, ...] = ()


@dataclass(slots=True)
class Access(Expression):
    """Steps from the value of an expression: `f(x).name[0]`."""

    target: Value
    steps: tuple[Step, ...]


@dataclass(slots=True)
class Splat(Expression):
    """`target[*].steps` or `target.*.steps`."""

    target: Value
    steps: tuple[Step, ...]


@dataclass(slots=True)
class Call(Expression):
    """A function call; `expand` for `f(list...)`."""

    name: str
    arguments: tuple[Value, ...]
    expand: bool = False


@dataclass(slots=True)
class Unary(Expression):
    """`-x` or `!x`."""

    operator: str
    operand: Value


@dataclass(slots=True)
class Binary(Expression):
    """`left operator right`."""

    operator: str
    left: Value
    right: Value


@dataclass(slots=True)
class Conditional(Expression):
    """`condition ? then : otherwise`."""

    condition: Value
    then: Value
    otherwise: Value


@dataclass(slots=True)
class TupleOf(Expression):
    """`[a, b]` with something to evaluate in it."""

    items: tuple[Value, ...]


@dataclass(slots=True)
class ObjectOf(Expression):
    """`{ key = value }` with something to evaluate in it."""

    items: tuple[tuple[Value, Value], ...]


@dataclass(slots=True)
class For(Expression):
    """`[for k, v in c : value if condition]` or, with `key_of`, `{for k, v in c : key => value...}`."""

    key_name: str
    value_name: str
    collection: Value
    key_of: Value
    value_of: Value
    condition: Value
    is_object: bool
    group: bool = False


@dataclass(slots=True)
class Template(Expression):
    """Text with something to evaluate in it; parts are str or Expression."""

    parts: tuple[Value, ...]


@dataclass(slots=True)
class TemplateIf(Expression):
    """`%{if condition}...%{else}...%{endif}`."""

    condition: Value
    then: tuple[Value, ...]
    otherwise: tuple[Value, ...]


@dataclass(slots=True)
class TemplateFor(Expression):
    """`%{for k, v in c}...%{endfor}`."""

    key_name: str
    value_name: str
    collection: Value
    parts: tuple[Value, ...]


@dataclass(slots=True)
class Embedded(Expression):
    """An expression out of a JSON string: faults in it stand at the string."""

    inner: Value


@dataclass(slots=True)
class Body(Expression):
    """Attributes and blocks in file order; values are plain, Expression or Blocks."""

    entries: dict[str, Value]


@dataclass(slots=True)
class NestedBlock:
    """One block inside a body; `body` is a plain dict or a Body."""

    labels: tuple[str, ...]
    body: Value
    start: int = field(compare=False)


@dataclass(slots=True)
class Dynamic:
    """A `dynamic` block: makes one block per element of `for_each`."""

    iterator: str
    for_each: Value
    labels: Value
    content: Value
    start: int = field(compare=False)
    end: int = field(compare=False)


@dataclass(slots=True)
class Blocks(Expression):
    """All blocks of one kind in a body. `depth` is the number of labels each of them has."""

    kind: str
    depth: int
    items: list[NestedBlock | Dynamic]


@dataclass(slots=True)
class Block:
    """A top-level block. `index` counts blocks in the file and is the first part of a recorded path."""

    kind: str
    labels: tuple[str, ...]
    entries: dict[str, Value]
    index: int = field(compare=False)
    start: int = field(compare=False)
    end: int = field(compare=False)
    """End of the header, for the caret."""
    broken: bool = field(default=False, compare=False)
    """True when there are syntax errors in it: parts may be missing."""


Path: TypeAlias = tuple[str | int, ...]
Spans: TypeAlias = dict[Path, tuple[int, int]]
"""Where attributes and blocks stand: path from the top-level block's index -> offsets."""
