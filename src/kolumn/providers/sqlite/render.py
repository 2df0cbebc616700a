"""Writes models as CREATE statements, and finds the shortest way to keep one as it was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from kolumn.engine.sharing import OncePerObject
from kolumn.providers.sqlite import ddl
from kolumn.providers.sqlite.model import (
    SQLiteCheck,
    SQLiteColumn,
    SQLiteForeignKey,
    SQLiteIndex,
    SQLiteKeyPart,
    SQLiteObject,
    SQLitePrimaryKey,
    SQLiteTable,
    SQLiteTrigger,
    SQLiteUnique,
    SQLiteView,
)
from kolumn.providers.sqlite.tokens import BLOB, comments, fold, quote, tokenize, unquote
from kolumn.sql.reference import parse_reference
from kolumn.sql.tokens import NUMBER, QUOTED, STRING, WORD, without_outer_parentheses

O = TypeVar("O", SQLiteTable, SQLiteIndex, SQLiteView, SQLiteTrigger)  # noqa: E741

_KINDS: dict[type[Any], str] = {
    SQLiteTable: "table", SQLiteIndex: "index", SQLiteView: "view", SQLiteTrigger: "trigger",
}  # fmt: skip


def create(model: SQLiteObject, *, schema: str = "", name: str = "") -> str:
    """Return the CREATE statement of `model`, in `schema` and under `name` where these are given.

    The statement it was first written with is used if that still says the same as the model.
    """
    name = name or model.name
    if model.statement and _still_says(model):
        return _retarget(model.statement, schema, name)
    return _render(model, schema, name)


def kind_of(model: SQLiteObject) -> str:
    """Return table, index, view or trigger."""
    return _KINDS[type(model)]


def _still_says(model: SQLiteObject) -> bool:
    try:
        parsed = ddl.parse(kind_of(model), model.statement)
    except ddl.Unreadable:
        return False
    return replace(parsed, name=model.name, schema=model.schema) == model


def _retarget(statement: str, schema: str, name: str) -> str:
    """Return a CREATE statement for another schema and name, the rest word for word."""
    tokens = tokenize(statement)
    place = next(
        place for place, token in enumerate(tokens) if token.word in ("TABLE", "INDEX", "VIEW", "TRIGGER")
    )
    head = statement[: tokens[place].end]
    place += 1
    if tokens[place].word == "IF" and tokens[place + 1].word == "NOT":
        place += 3
    if tokens[place + 1].word == ".":
        place += 2
    written = tokens[place].text if unquote(tokens[place].text) == name else quote(name)
    end = statement.rstrip().rstrip(";") if tokens[-1].word == ";" else statement
    return f"{head} {f'{quote(schema)}.' if schema else ''}{written}{end[tokens[place].end :]}"


def _render(model: SQLiteObject, schema: str, name: str) -> str:
    quoting = _QUOTINGS[getattr(model, "quoting", "needed").lower()]
    full = f"{quote(schema)}.{quoting(name)}" if schema else quoting(name)
    match model:
        case SQLiteTable():
            return _virtual(model, full) if model.using else _table(model, full, quoting)
        case SQLiteIndex():
            unique = "UNIQUE " if model.unique else ""
            parts = ", ".join(_key_part(part, quoting) for part in model.columns)
            where = f" WHERE {model.where}" if model.where else ""
            return f"CREATE {unique}INDEX {full} ON {quoting(model.table)} ({parts}){where}"
        case SQLiteView():
            columns = f" ({', '.join(map(quoting, model.columns))})" if model.columns else ""
            return f"CREATE VIEW {full}{columns} AS\n{model.definition}"
        case SQLiteTrigger():
            row = " FOR EACH ROW" if model.for_each_row else ""
            when = f"\nWHEN {model.when}" if model.when else ""
            event = model.events[0]
            event = event[:6].upper() + re.sub(r"^\s*of\b", " OF", event[6:], flags=re.IGNORECASE)
            body = model.body if model.body[:1].isspace() or "\n" in model.body else f"  {model.body}"
            return (
                f"CREATE TRIGGER {full} {model.timing.upper()} {event} ON {quoting(model.table)}{row}{when}\n"
                f"BEGIN\n{body}\nEND"
            )


def _double(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_QUOTINGS: dict[str, Callable[[str], str]] = {
    "needed": quote,
    "double": _double,
    "brackets": lambda name: _double(name) if "]" in name else f"[{name}]",
    "backticks": lambda name: "`" + name.replace("`", "``") + "`",
}


def _virtual(table: SQLiteTable, full: str) -> str:
    arguments = f"({', '.join(table.arguments)})" if table.arguments else ""
    return f"CREATE VIRTUAL TABLE {full} USING {quote(table.using)}{arguments}"


def _table(table: SQLiteTable, full: str, quoting: Callable[[str], str]) -> str:
    definition = _plain_definition if quoting is quote else lambda column: column_definition(column, quoting)
    elements = [(definition(column), column.comment) for column in table.columns]
    elements += [(text, "") for text in _table_constraints(table, quoting)]
    options = [_OPTIONS[key] for key in _ordered(table.written, tuple(_OPTIONS)) if getattr(table, key)]
    tail = f" {', '.join(options)}" if options else ""
    if table.layout.lower() == "inline" and not table.comment and not any(comment for _, comment in elements):
        return f"CREATE TABLE {full} ({', '.join(text for text, _ in elements)}){tail}"
    lines = [f"CREATE TABLE {full} (" + (f" {_comment(table.comment)}" if table.comment else "")]
    for place, (text, comment) in enumerate(elements):
        comma = "," if place < len(elements) - 1 else ""
        lines.append(f"  {text}{comma}" + (f" {_comment(comment)}" if comment else ""))
    return "\n".join([*lines, f"){tail}"])


_OPTIONS = {"without_rowid": "WITHOUT ROWID", "strict": "STRICT"}
_COLUMN_CLAUSES = (
    "primary_key",
    "not_null",
    "unique",
    "default",
    "collation",
    "check",
    "references",
    "generated",
)
_TABLE_CONSTRAINTS = ("primary_key", "uniques", "checks", "foreign_keys")


@lru_cache(maxsize=1024)
def _ordered(written: tuple[str, ...], keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return `keys` in the order they were written in, those that were not last."""
    return tuple(key for key in dict.fromkeys((*written, *keys)) if key in keys)


def _comment(text: str) -> str:
    return f"/* {text} */" if "\n" in text else f"-- {text}"


def column_definition(
    column: SQLiteColumn, quoting: Callable[[str], str] = quote, *, comment: bool = False
) -> str:
    """Return a column as CREATE TABLE and ADD COLUMN have it, its comment behind it if asked for."""
    parts = [quoting(column.name)]
    if column.type:
        parts.append(column.type)
    for key in _ordered(column.written, _COLUMN_CLAUSES):
        if not getattr(column, key) and key != "not_null":
            continue
        clause = _column_clause(column, key, quoting)
        if clause:
            name = getattr(column, f"{key}_name", "")
            parts.append(f"CONSTRAINT {quoting(name)} {clause}" if name else clause)
    if comment and column.comment:
        parts.append(f"/* {column.comment} */")
    return " ".join(parts)


_plain_definition = OncePerObject(column_definition)


def _column_clause(column: SQLiteColumn, key: str, quoting: Callable[[str], str]) -> str:
    """Return what one key of a column's configuration says, without its constraint's name."""
    conflict = _conflict(getattr(column, f"{key}_conflict", ""))
    match key:
        case "primary_key" if column.primary_key:
            order = _order(column.primary_key_order, "primary_key_order" in column.written)
            return f"PRIMARY KEY{order}{conflict}" + (" AUTOINCREMENT" if column.autoincrement else "")
        case "not_null" if column.not_null:
            return f"NOT NULL{conflict}"
        case "not_null" if "not_null" in column.written and not column.primary_key:
            return "NULL"
        case "unique" if column.unique:
            return f"UNIQUE{conflict}"
        case "default" if column.default is not None:
            return f"DEFAULT {_default(column.default)}"
        case "collation" if column.collation:
            return f"COLLATE {quote(column.collation)}"
        case "check" if column.check:
            return f"CHECK ({column.check})"
        case "references" if column.references:
            return _references(column, quoting)
        case "generated" if column.generated:
            kind = " STORED" if column.stored else " VIRTUAL" if "stored" in column.written else ""
            return f"GENERATED ALWAYS AS ({column.generated}){kind}"
    return ""


def _default(text: str) -> str:
    """Return a default, in parentheses unless SQLite's grammar takes it as it is."""
    tokens = tokenize(text)
    if tokens[0].word in ("+", "-") and len(tokens) == 2 and tokens[1].kind == NUMBER:
        return text
    if len(tokens) == 1 and tokens[0].kind in (STRING, NUMBER, BLOB, WORD, QUOTED):
        return text
    return text if len(without_outer_parentheses(tokens)) < len(tokens) else f"({text})"


def _order(order: str, explicit: bool) -> str:
    return f" {order.upper()}" if explicit or order.lower() != "asc" else ""


def _conflict(resolution: str) -> str:
    return f" ON CONFLICT {resolution.upper()}" if resolution else ""


def _references(key: SQLiteColumn | SQLiteForeignKey, quoting: Callable[[str], str]) -> str:
    target = parse_reference(key.references)
    assert target is not None
    text = f"REFERENCES {quoting(target.table)}"
    if target.columns:
        text += f" ({', '.join(map(quoting, target.columns))})"
    for each in _ordered(key.written, ("on_delete", "on_update", "match")):
        value = getattr(key, each)
        if each == "match":
            text += f" MATCH {quote(value)}" if value else ""
        elif each in key.written or value.lower() != "no action":
            text += f" {each.replace('_', ' ').upper()} {value.upper()}"
    if key.deferrable or "deferrable" in key.written or key.initially_deferred:
        text += " DEFERRABLE" if key.deferrable or key.initially_deferred else " NOT DEFERRABLE"
        if key.initially_deferred:
            text += " INITIALLY DEFERRED"
        elif "initially_deferred" in key.written:
            text += " INITIALLY IMMEDIATE"
    return text


def _key_part(part: SQLiteKeyPart, quoting: Callable[[str], str]) -> str:
    text = quoting(part.column) if part.column else part.expression
    if part.collation:
        text += f" COLLATE {quote(part.collation)}"
    return text + _order(part.order, "order" in part.written)


def _table_constraints(table: SQLiteTable, quoting: Callable[[str], str]) -> Iterator[str]:
    for key in _ordered(table.written, _TABLE_CONSTRAINTS):
        given = getattr(table, key)
        for constraint in given if isinstance(given, tuple) else [given] if given is not None else []:
            name = f"CONSTRAINT {quoting(constraint.name)} " if constraint.name else ""
            yield name + _table_constraint(constraint, quoting)


def _table_constraint(
    constraint: SQLitePrimaryKey | SQLiteUnique | SQLiteCheck | SQLiteForeignKey,
    quoting: Callable[[str], str],
) -> str:
    match constraint:
        case SQLitePrimaryKey():
            parts = ", ".join(_key_part(part, quoting) for part in constraint.columns)
            tail = " AUTOINCREMENT" if constraint.autoincrement else ""
            return f"PRIMARY KEY ({parts}{tail}){_conflict(constraint.on_conflict)}"
        case SQLiteUnique():
            parts = ", ".join(_key_part(part, quoting) for part in constraint.columns)
            return f"UNIQUE ({parts}){_conflict(constraint.on_conflict)}"
        case SQLiteCheck():
            return f"CHECK ({constraint.expression})"
        case SQLiteForeignKey():
            columns = ", ".join(map(quoting, constraint.columns))
            return f"FOREIGN KEY ({columns}) {_references(constraint, quoting)}"


def concise(model: O) -> O:
    """Return `model` without the `statement` it was read from, if that can be written again without it.

    Written again it must have the same tokens and comments, and what people and tools can look up in the text
    alone must stand there as it did: each CHECK with the rest of its line, all of a view or trigger.
    """
    if not model.statement:
        return model
    candidate: O
    for candidate in _candidates(replace(model, statement="")):
        if _reads_like(_render(candidate, "", model.name), model.statement, kind_of(model)):
            return candidate
    return model


def _candidates(model: SQLiteObject) -> Iterator[Any]:
    yield model
    if isinstance(model, SQLiteTable) and not model.using:
        yield replace(model, layout="inline")
        yield replace(model, quoting="brackets")
        yield replace(model, quoting="brackets", layout="inline")
    elif isinstance(model, SQLiteIndex):
        yield replace(model, quoting="brackets")


_CHECK_LINE = re.compile(r"\bcheck\s*\(.*", re.IGNORECASE)
_SPACE_AND_QUOTES = re.compile(r'[\s"`]+')


def _bare(text: str) -> str:
    return _SPACE_AND_QUOTES.sub("", text).lower()


def _reads_like(text: str, other: str, kind: str) -> bool:
    if kind in ("view", "trigger"):
        return _bare(text) == _bare(other)
    if kind == "index":
        before, after = (re.search(r" ON .*", each, re.IGNORECASE | re.DOTALL) for each in (text, other))
        return before is not None and after is not None and _bare(before.group()) == _bare(after.group())
    if _gist(text) != _gist(other):
        return False
    return [_bare(line) for line in _CHECK_LINE.findall(text)] == [
        _bare(line) for line in _CHECK_LINE.findall(other)
    ]


def _gist(text: str) -> list[str]:
    """Return the tokens and comments of a statement, names without quotes and case."""
    tokens = [
        fold(unquote(token.text)) if token.kind in (WORD, QUOTED, STRING) else token.text
        for token in tokenize(text)
    ]
    if "--" in text or "/*" in text:
        tokens += [each.text.strip("-/* \n") for each in comments(text)]
    return tokens
