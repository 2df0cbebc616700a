"""Rows of the catalogue functions as models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kolumn.providers.duckdb.language.tokens import fold, tokenize, unquote
from kolumn.providers.duckdb.language.types import normal_type
from kolumn.providers.duckdb.model import (
    DuckDBColumn,
    DuckDBIndex,
    DuckDBTable,
    DuckDBView,
    Function,
    Overload,
    Parameter,
    Stage,
)
from kolumn.providers.duckdb.resources.view import read_stage
from kolumn.providers.duckdb.triggers import TriggerText
from kolumn.sql.model import Check, ForeignKey, KeyPart, PrimaryKey, Unique
from kolumn.sql.reference import Reference
from kolumn.sql.tokens import QUOTED, WORD, Token, pieces, without_outer_parentheses


class ColumnRow(NamedTuple):
    """One row of duckdb_columns()."""

    name: str
    type: str
    default: str | None
    not_null: bool
    comment: str | None
    generated: str | None


class ConstraintRow(NamedTuple):
    """One row of duckdb_constraints()."""

    kind: str
    columns: tuple[str, ...]
    expression: str | None
    target: str | None
    target_columns: tuple[str, ...]


def table(
    name: str,
    schema: str,
    comment: str | None,
    sql: str,
    columns: Sequence[ColumnRow],
    constraints: Iterable[ConstraintRow],
    *,
    triggers: tuple[TriggerText, ...] = (),
) -> DuckDBTable:
    """Return a table; `sql` tells the collations, and which keys stand at their column, which nothing else does.

    Checks and foreign keys of one column stand at it, as far as a column has room.
    """
    key: tuple[str, ...] = ()
    uniques: list[tuple[str, ...]] = []
    checks: list[str] = []
    checks_at: dict[str, str] = {}
    foreign_keys: list[ForeignKey] = []
    references_at: dict[str, str] = {}
    for each in dict.fromkeys(constraints):
        alone_at = each.columns[0] if len(each.columns) == 1 else ""
        match each.kind:
            case "PRIMARY KEY":
                key = each.columns
            case "UNIQUE":
                uniques.append(each.columns)
            case "CHECK":
                expression = _bare(each.expression or "")
                if alone_at and alone_at not in checks_at:
                    checks_at[alone_at] = expression
                else:
                    checks.append(expression)
            case "FOREIGN KEY":
                target = str(Reference(each.target or "", each.target_columns))
                if alone_at and alone_at not in references_at:
                    references_at[alone_at] = target
                else:
                    foreign_keys.append(ForeignKey(columns=each.columns, references=target))
    written = _written(sql, columns) if " COLLATE " in sql or key or uniques else {}
    collations = {each: about.collation for each, about in written.items()}
    alone = {each[0] for each in uniques if len(each) == 1 and written[each[0]].unique}
    at_column = len(key) == 1 and written[key[0]].primary_key
    return DuckDBTable(
        name=name,
        schema=schema,
        comment=comment or "",
        columns=tuple(
            DuckDBColumn(
                name=each.name,
                type=each.type,
                not_null=each.not_null and each.name not in key,
                primary_key=at_column and key == (each.name,),
                unique=each.name in alone,
                default=None if each.generated is not None or each.default is None else _bare(each.default),
                generated=_generated(each),
                check=checks_at.get(each.name, ""),
                references=references_at.get(each.name, ""),
                collation=collations.get(each.name, ""),
                comment=each.comment or "",
            )
            for each in columns
        ),
        primary_key=PrimaryKey(columns=tuple(map(_part, key))) if key and not at_column else None,
        uniques=tuple(
            Unique(columns=tuple(map(_part, each)))
            for each in dict.fromkeys(uniques)
            if len(each) > 1 or each[0] not in alone
        ),
        checks=tuple(Check(expression=each) for each in dict.fromkeys(checks)),
        foreign_keys=tuple(dict.fromkeys(foreign_keys)),
        triggers=triggers,
    )


def _part(name: str) -> KeyPart:
    return KeyPart(column=name)


def _bare(text: str) -> str:
    """Return an expression without the parentheses around all of it."""
    tokens = tokenize(text)
    inner = without_outer_parentheses(tokens)
    return text[inner[0].start : inner[-1].end] if inner else text


def _generated(column: ColumnRow) -> str:
    """Return what a column is computed from: DuckDB tells it with a cast to the column's type around it."""
    text = column.generated
    if text is None:
        return ""
    head, middle, type_ = text.rpartition(" AS ")
    is_cast = text.startswith("CAST(") and middle and type_.endswith(")")
    if is_cast and normal_type(type_.removesuffix(")")) == normal_type(column.type):
        text = head.removeprefix("CAST(")
    return _bare(text)


class _Written(NamedTuple):
    """What the definition of a table says at a column."""

    collation: str
    primary_key: bool
    unique: bool


def _written(sql: str, columns: Iterable[ColumnRow]) -> dict[str, _Written]:
    names = {fold(each.name): each.name for each in columns}
    tokens = [each for each in tokenize(sql) if each.word != ";"]
    opening = next(at for at, token in enumerate(tokens) if token.word == "(")
    found = {each: _Written("", False, False) for each in names.values()}
    for part in pieces(without_outer_parentheses(tokens[opening:]))[: len(names)]:
        name = names.get(fold(unquote(part[0].text)))
        if name is not None:
            found[name] = _about(part)
    return found


def _about(part: list[Token]) -> _Written:
    words, collation, depth = [], "", 0
    for at, token in enumerate(part):
        depth += (token.word == "(") - (token.word == ")")
        if depth or not at:
            continue
        words.append(token.word)
        if token.word == "COLLATE" and at + 1 < len(part):
            end = at + 1
            while end + 2 < len(part) and part[end + 1].word == ".":
                end += 2
            collation = "".join(unquote(each.text) for each in part[at + 1 : end + 1])
    return _Written(collation, "PRIMARY" in words, "UNIQUE" in words)


def index(
    name: str, schema: str, table_name: str, *, unique: bool, comment: str | None, sql: str
) -> DuckDBIndex:
    """Return an index: its columns are what stands in the last parentheses of its definition."""
    tokens = [each for each in tokenize(sql) if each.word != ";"]
    inner = without_outer_parentheses(_last_parentheses(tokens))
    return DuckDBIndex(
        name=name,
        schema=schema,
        table=table_name,
        unique=unique,
        comment=comment or "",
        columns=tuple(_index_part(each, sql) for each in pieces(inner)),
    )


def _last_parentheses(tokens: list[Token]) -> list[Token]:
    depth = 0
    for at in range(len(tokens) - 1, -1, -1):
        depth += (tokens[at].word == ")") - (tokens[at].word == "(")
        if not depth:
            return tokens[at:]
    return tokens


def _index_part(tokens: list[Token], sql: str) -> KeyPart:
    if len(tokens) == 1 and tokens[0].kind in (WORD, QUOTED):
        return KeyPart(column=unquote(tokens[0].text))
    bare = without_outer_parentheses(tokens)
    if len(bare) == 1 and bare[0].kind in (WORD, QUOTED):
        return KeyPart(column=unquote(bare[0].text))
    return KeyPart(expression=sql[bare[0].start : bare[-1].end])


def view(
    name: str, schema: str, comment: str | None, sql: str, column_comments: Mapping[str, str]
) -> DuckDBView | Stage:
    """Return a view, or the stage that a view of files alone is."""
    tokens = tokenize(sql)
    at = next(place for place, token in enumerate(tokens) if token.word == "AS")
    definition = sql[tokens[at].end :].strip().removesuffix(";")
    head = tokens[:at]
    columns: tuple[str, ...] = ()
    if head[-1].word == ")":
        listed = without_outer_parentheses(_last_parentheses(head))
        columns = tuple(unquote(each[0].text) for each in pieces(listed))
    if not columns and not column_comments:
        stage = read_stage(definition)
        if stage is not None:
            return Stage(
                name=name,
                schema=schema,
                format=stage.format,
                paths=stage.paths,
                options=stage.options,
                comment=comment or "",
            )
    return DuckDBView(
        name=name,
        schema=schema,
        columns=columns,
        definition=definition,
        comment=comment or "",
        column_comments=dict(column_comments) or None,
    )


class MacroRow(NamedTuple):
    """One row of duckdb_functions(): one way to call a macro."""

    kind: str
    comment: str | None
    parameters: tuple[str, ...]
    types: tuple[str | None, ...]
    definition: str


def function(name: str, schema: str, rows: Sequence[MacroRow], candidates: Sequence[str]) -> Function:
    """Return a macro; `candidates` are its ways to be called as an error tells them, defaults among that."""
    ways = [
        _way(row, candidate) for row, candidate in zip(rows, [*candidates, *[""] * len(rows)], strict=False)
    ]
    return Function(
        name=name,
        schema=schema,
        returns="table" if rows[0].kind == "table_macro" else "value",
        parameters=ways[0].parameters,
        body=ways[0].body,
        overloads=tuple(ways[1:]),
        comment=next((row.comment for row in rows if row.comment), ""),
    )


def _way(row: MacroRow, candidate: str) -> Overload:
    defaults = _defaults(row, candidate)
    is_table = row.kind == "table_macro"
    return Overload(
        parameters=tuple(
            Parameter(name=name, type=type_ or "", default=defaults.get(name))
            for name, type_ in zip(row.parameters, row.types, strict=True)
        ),
        body=row.definition if is_table else _bare(row.definition),
    )


_QUALIFIED = re.compile(r'"?system"?\.main\.')


def _defaults(row: MacroRow, candidate: str) -> dict[str, str]:
    """Return the defaults in `mm(x, y INTEGER := 3)`; names stand there without quotes."""
    if ":=" not in candidate:
        return {}
    inner = candidate[
        candidate.index(
            "(", candidate.rindex('"', 0, candidate.index("(")) if candidate.startswith('"') else 0
        )
        + 1 :
    ]
    text = inner.strip().removesuffix(")")
    found = {}
    for at, name in enumerate(row.parameters):
        text = text.removeprefix(name).lstrip()
        if (type_ := row.types[at]) is not None:
            text = text.removeprefix(type_).lstrip()
        rest = row.parameters[at + 1] if at + 1 < len(row.parameters) else None
        if text.startswith(":="):
            value, text = _until(text[2:].lstrip(), rest)
            found[name] = _QUALIFIED.sub("", value)
        else:
            _, text = _until(text, rest)
    return found


def _until(text: str, following: str | None) -> tuple[str, str]:
    """Return what stands before the comma that the next parameter comes after, and what comes after it."""
    if following is None:
        return text, ""
    depth = 0
    for token in tokenize(text):
        depth += (token.word in ("(", "[", "{")) - (token.word in (")", "]", "}"))
        if token.word == "," and not depth and text[token.end :].lstrip().startswith(following):
            return text[: token.start].rstrip(), text[token.end :].lstrip()
    return text, ""


def candidates_in(message: str) -> list[str]:
    """Return the ways to call a macro out of the error's text."""
    _, _, rest = message.partition("Candidate macros:")
    found = []
    for line in rest.split("\n"):
        if line.startswith("LINE "):
            break
        if line.startswith("\t"):
            found.append(line.strip())
        elif line and found:
            found[-1] += f"\n{line}"
    return [each.strip() for each in found]
