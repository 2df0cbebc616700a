"""DuckDB's own parser, asked in memory: how it words a text, and what the text mentions.

DuckDB keeps expressions and queries as its parser spells them out: `b > 0` comes back as `(b > 0)`. A round trip
through `json_serialize_sql` spells any text the same way, without anything it mentions being there
(https://duckdb.org/docs/current/data/json/sql_to_and_from_json). What that function does not take, such as
PIVOT, is compared by its tokens.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kolumn.providers.duckdb.language.tokens import tokenize

if TYPE_CHECKING:
    import duckdb

_LOCK = threading.Lock()
_SCRATCH: list[duckdb.DuckDBPyConnection] = []


class Unparsable(ValueError):
    """The parser does not take a text; the message says why."""


class Mentions(NamedTuple):
    """What a query or expression names; each name is a path of one to three parts, as written."""

    relations: frozenset[tuple[str, ...]]
    """Tables and views, but not its own common table expressions."""
    functions: frozenset[tuple[str, ...]]
    sequences: frozenset[str]
    """What nextval and currval are called with."""
    columns: frozenset[str]
    types: frozenset[tuple[str, ...]]
    """What it casts to, built-in types among them."""


NOTHING = Mentions(frozenset(), frozenset(), frozenset(), frozenset(), frozenset())


def scratch(text: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query that the library answers in memory. Raises `duckdb.Error`."""
    with _LOCK:
        if not _SCRATCH:
            import duckdb

            off = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
            _SCRATCH.append(duckdb.connect(":memory:", config={**off, "threads": "1"}))
        return _SCRATCH[0].execute(text, list(parameters)).fetchall()


@lru_cache(maxsize=16384)
def _serialized(text: str) -> str:
    ((found,),) = scratch("SELECT json_serialize_sql(?)", text)
    return str(found)


def statement(text: str) -> dict[str, Any]:
    """Return the tree of one query. Raises Unparsable."""
    found = json.loads(_serialized(text))
    if found.get("error"):
        raise Unparsable(str(found.get("error_message", "it is no query")).splitlines()[0])
    statements = found["statements"]
    if len(statements) != 1:
        raise Unparsable("it is more than one statement")
    tree: dict[str, Any] = statements[0]["node"]
    return tree


@lru_cache(maxsize=16384)
def query_wording(text: str) -> str:
    """Return a query as the parser spells it out. Raises Unparsable."""
    statement(text)
    ((found,),) = scratch("SELECT json_deserialize_sql(?)", _serialized(text))
    return str(found)


def expression_wording(text: str) -> str:
    """Return an expression as the parser spells it out. Raises Unparsable."""
    tree = statement(f"SELECT (\n{text}\n)")
    if len(tree.get("select_list", ())) != 1:
        raise Unparsable("it is no single expression")
    return query_wording(f"SELECT (\n{text}\n)").removeprefix("SELECT ")


def is_star(text: str) -> bool:
    """Whether an expression is `*` or `COLUMNS(...)`, which stands for several. Raises Unparsable."""
    return any(
        node.get("class") == "STAR" for node in _nodes(statement(f"SELECT (\n{text}\n)")["select_list"])
    )


@lru_cache(maxsize=16384)
def mentioned(query: str) -> Mentions:
    """Return what a query names; nothing where the parser cannot tell."""
    try:
        tree = statement(query)
    except Unparsable:
        return NOTHING
    relations: set[tuple[str, ...]] = set()
    functions: set[tuple[str, ...]] = set()
    sequences: set[str] = set()
    columns: set[str] = set()
    types: set[tuple[str, ...]] = set()
    own: set[str] = set()
    for node in _nodes(tree):
        kind, class_ = node.get("type"), node.get("class")
        if "cte_map" in node:
            own.update(str(each["key"]).lower() for each in node["cte_map"].get("map", ()))
        if kind == "BASE_TABLE":
            path = (node.get("catalog_name"), node.get("schema_name"), node.get("table_name"))
            relations.add(tuple(each for each in path if each))
        elif class_ == "FUNCTION":
            path = (node.get("catalog"), node.get("schema"), node.get("function_name"))
            functions.add(tuple(each for each in path if each))
            if node.get("function_name", "").lower() in ("nextval", "currval"):
                sequences.update(_texts(node.get("arguments", ())))
        elif class_ == "COLUMN_REF":
            columns.update(node.get("column_names", ()))
        elif class_ == "TYPE":
            types.add(path_of(node))
    found = frozenset(each for each in relations if len(each) > 1 or each[0].lower() not in own)
    return Mentions(found, frozenset(functions), frozenset(sequences), frozenset(columns), frozenset(types))


def mentioned_in_expression(text: str) -> Mentions:
    """Return what an expression names."""
    return mentioned(f"SELECT (\n{text}\n)")


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)


def _texts(value: Any) -> Iterator[str]:
    for node in _nodes(value):
        found = node.get("literal")
        if isinstance(found, dict) and isinstance(found.get("text"), str):
            yield found["text"]


def path_of(node: dict[str, Any]) -> tuple[str, ...]:
    """Return the parts of the name that a node of a tree has."""
    return tuple(map(str, (node.get("qualified_name") or {}).get("path", ())))


@lru_cache(maxsize=4096)
def built_in_type(text: str) -> str | None:
    """Return how DuckDB spells a type; None where it mentions one that is not built in. Raises Unparsable."""
    import duckdb

    try:
        ((found,),) = scratch(f"SELECT typeof(CAST(NULL AS {text}\n))")
    except duckdb.ParserException as error:
        raise Unparsable(str(error).splitlines()[0]) from None
    except duckdb.CatalogException:
        return None
    except duckdb.Error as error:
        raise Unparsable(str(error).splitlines()[0]) from None
    return str(found)


def type_tree(text: str) -> dict[str, Any]:
    """Return the tree of a type. Raises Unparsable."""
    found = statement(f"SELECT CAST(NULL AS {text}\n)").get("select_list", ())
    if len(found) != 1 or found[0].get("class") != "CAST":
        raise Unparsable("it is no type")
    tree: dict[str, Any] = found[0]["type_expr"]
    return tree


def statements_of(script: str) -> list[str]:
    """Return the statements of a script, without the semicolons. Raises Unparsable."""
    import duckdb

    with _LOCK:
        try:
            found = duckdb.extract_statements(script)
        except duckdb.Error as error:
            raise Unparsable(str(error).splitlines()[0]) from None
    return [text for each in found if (text := _without_semicolon(each.query))]


def _without_semicolon(text: str) -> str:
    tokens = tokenize(text)
    while tokens and tokens[-1].word == ";":
        text = text[: tokens.pop().start]
    return text.strip() if tokens else ""


def kind_of_statement(text: str) -> str:
    """Return the kind of the one statement that a text is, e.g. `SELECT`. Raises Unparsable."""
    import duckdb

    with _LOCK:
        try:
            found = duckdb.extract_statements(text)
        except duckdb.Error as error:
            raise Unparsable(str(error).splitlines()[0]) from None
    if len(found) != 1:
        raise Unparsable("it is more than one statement" if found else "it is empty")
    return str(found[0].type.name)
