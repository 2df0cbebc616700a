"""Models as DuckDB's SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.providers.duckdb.language.tokens import full_name, literal, quote
from kolumn.providers.duckdb.model import (
    FORMATS,
    DuckDBColumn,
    DuckDBIndex,
    DuckDBTable,
    DuckDBView,
    Function,
    Overload,
    Parameter,
    Sequence,
    Stage,
    UserType,
)
from kolumn.sql.model import Check, Constraint, ForeignKey, PrimaryKey, Unique
from kolumn.sql.reference import parse_reference


def address(model: Any) -> str:
    """Return the name of an object with its schema."""
    return full_name(model.schema, model.name)


def create_table(table: DuckDBTable) -> Iterator[str]:
    """Yield what makes a table, with its comments."""
    lines = [column_definition(each) for each in table.columns]
    lines += [constraint_clause(table, each) for each in dict.fromkeys(_table_constraints(table))]
    yield f"CREATE TABLE {address(table)} (\n  " + ",\n  ".join(lines) + "\n)"
    yield from table_comments(table)


def table_comments(table: DuckDBTable) -> Iterator[str]:
    """Yield what gives a new table and its columns their comments."""
    if table.comment:
        yield comment_on("TABLE", address(table), table.comment)
    for column in table.columns:
        if column.comment:
            yield comment_on("COLUMN", f"{address(table)}.{quote(column.name)}", column.comment)


def _table_constraints(table: DuckDBTable) -> Iterator[Constraint]:
    """Yield the constraints but for the keys that stand at their column: keys first, foreign keys last."""
    if table.primary_key is not None:
        yield table.primary_key
    yield from table.uniques
    for kind in (Check, ForeignKey):
        for each in table.constraints():
            if isinstance(each, kind):
                yield each


def column_definition(column: DuckDBColumn) -> str:
    """Return a column with what is written at it, but for checks and foreign keys."""
    words = [quote(column.name), column.type]
    if column.collation:
        words.append(f"COLLATE {quote(column.collation)}")
    if column.generated:
        words.append(f"GENERATED ALWAYS AS ({column.generated}\n)")
    if column.default is not None:
        words.append(
            f"DEFAULT ({column.default}\n)" if "--" in column.default else f"DEFAULT ({column.default})"
        )
    if column.not_null:
        words.append("NOT NULL")
    if column.primary_key:
        words.append("PRIMARY KEY")
    if column.unique:
        words.append("UNIQUE")
    return " ".join(words)


def constraint_clause(table: DuckDBTable, constraint: Constraint) -> str:
    """Return a constraint as CREATE TABLE has it."""
    match constraint:
        case PrimaryKey(columns=columns):
            return f"PRIMARY KEY ({', '.join(quote(each.column) for each in columns)})"
        case Unique(columns=columns):
            return f"UNIQUE ({', '.join(quote(each.column) for each in columns)})"
        case Check(expression=expression):
            return f"CHECK ({closed(expression)})"
        case ForeignKey(columns=columns, references=references):
            target = parse_reference(references)
            assert target is not None
            named = f" ({', '.join(map(quote, target.columns))})" if target.columns else ""
            place = full_name(target.schema or table.schema, target.table)
            return f"FOREIGN KEY ({', '.join(map(quote, columns))}) REFERENCES {place}{named}"
    raise AssertionError(constraint)


def closed(text: str) -> str:
    """Return a text so that a comment at its end reaches no further."""
    return f"{text}\n" if "--" in text else text


def comment_on(kind: str, place: str, comment: str) -> str:
    """Return what sets a comment; an empty one is taken away."""
    return f"COMMENT ON {kind} {place} IS {literal(comment) if comment else 'NULL'}"


def create_index(index: DuckDBIndex) -> Iterator[str]:
    """Yield what makes an index, with its comment."""
    parts = ", ".join(
        quote(each.column) if each.column else f"({closed(each.expression)})" for each in index.columns
    )
    unique = "UNIQUE " if index.unique else ""
    yield f"CREATE {unique}INDEX {quote(index.name)} ON {full_name(index.schema, index.table)} ({parts})"
    if index.comment:
        yield comment_on("INDEX", address(index), index.comment)


def create_view(view: DuckDBView | Stage, *, replace: bool = False) -> Iterator[str]:
    """Yield what makes a view, or makes another one of it, with its comments."""
    columns = (
        f" ({', '.join(map(quote, view.columns))})" if isinstance(view, DuckDBView) and view.columns else ""
    )
    query = view.definition if isinstance(view, DuckDBView) else stage_query(view)
    yield f"CREATE {'OR REPLACE ' if replace else ''}VIEW {address(view)}{columns} AS {query}"
    if view.comment:
        yield comment_on("VIEW", address(view), view.comment)
    for name, comment in (getattr(view, "column_comments", None) or {}).items():
        yield comment_on("COLUMN", f"{address(view)}.{quote(name)}", comment)


def stage_query(stage: Stage) -> str:
    """Return the query that reads the files of a stage."""
    paths = list(map(literal, stage.paths))
    places = paths[0] if len(paths) == 1 else f"[{', '.join(paths)}]"
    options = "".join(f", {name} := {value_text(value)}" for name, value in (stage.options or {}).items())
    return f"SELECT * FROM {FORMATS[stage.format.lower()]}({places}{options})"


def value_text(value: Any) -> str:
    """Return a value of configuration as SQL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{literal(str(key))}: {value_text(each)}" for key, each in value.items()) + "}"
        )
    return repr(value)


def create_function(function: Function, *, replace: bool = False) -> Iterator[str]:
    """Yield what makes a macro, with its comment."""
    ways = ",\n  ".join(_way(function, each) for each in function.ways)
    yield f"CREATE {'OR REPLACE ' if replace else ''}MACRO {address(function)}{ways}"
    if function.comment:
        yield comment_on(macro_kind(function), address(function), function.comment)


def macro_kind(function: Function) -> str:
    """Return how statements call a macro."""
    return "MACRO TABLE" if function.returns.lower() == "table" else "MACRO"


def _way(function: Function, way: Overload) -> str:
    parameters = ", ".join(map(_parameter, way.parameters))
    if function.returns.lower() == "table":
        return f"({parameters}) AS TABLE ({closed(way.body)})"
    return f"({parameters}) AS ({closed(way.body)})"


def _parameter(parameter: Parameter) -> str:
    words = [quote(parameter.name)]
    if parameter.type:
        words.append(parameter.type)
    if parameter.default is not None:
        words.append(f":= {closed(parameter.default)}")
    return " ".join(words)


def create_sequence(sequence: Sequence) -> Iterator[str]:
    """Yield what makes a sequence, with its comment."""
    least, most, first = sequence.bounds
    cycle = " CYCLE" if sequence.cycle else ""
    yield (
        f"CREATE SEQUENCE {address(sequence)} INCREMENT BY {sequence.increment} MINVALUE {least} MAXVALUE {most} "
        f"START WITH {first}{cycle}"
    )
    if sequence.comment:
        yield comment_on("SEQUENCE", address(sequence), sequence.comment)


def create_type(type_: UserType) -> Iterator[str]:
    """Yield what makes a type, with its comment."""
    yield f"CREATE TYPE {address(type_)} AS {type_text(type_)}"
    if type_.comment:
        yield comment_on("TYPE", address(type_), type_.comment)


def type_text(type_: UserType) -> str:
    """Return what a type stands for."""
    if type_.values:
        return f"ENUM ({', '.join(map(literal, type_.values))})"
    if type_.fields:
        return f"STRUCT({', '.join(f'{quote(each.name)} {each.type}' for each in type_.fields)})"
    return type_.definition
