"""Views, and stages: views of files outside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import replaced
from kolumn.engine.resource import Ref
from kolumn.providers.duckdb.language import parser
from kolumn.providers.duckdb.language.dialect import DuckDBDialect
from kolumn.providers.duckdb.language.parser import Unparsable
from kolumn.providers.duckdb.model import FORMATS, DuckDBView, Stage
from kolumn.providers.duckdb.render import stage_query
from kolumn.providers.duckdb.resources import mentions
from kolumn.sql import handlers as sql
from kolumn.sql.model import View

_CERTAIN = frozenset({"schema", "table", "view", "stage"})


class DuckDBViewHandler(sql.ViewHandler):
    """Views; a changed one is replaced in place."""

    IN_PLACE = frozenset({"columns", "definition", "comment", "column_comments"})

    def __init__(self, dialect: DuckDBDialect) -> None:
        super().__init__(DuckDBView, dialect)

    def parse(self, config: Mapping[str, Any], name: str) -> View:
        """Return the view. Raises ValidationError with every fault, and for what is a stage."""
        view = super().parse(config, name)
        if not view.columns and read_stage(view.definition) is not None:
            raise ValidationError.of(
                [
                    Problem(
                        "a view that reads files, and nothing else, is a stage",
                        code="is_stage",
                        path="definition",
                        hint="Declare it as a duckdb_stage, with format and paths.",
                    )
                ]
            )
        return view

    def normal(self, model: View) -> View:
        """Return the normal form; no comments of columns are the same as none."""
        found = super().normal(model)
        comments = {
            self.fold(name): text for name, text in (getattr(model, "column_comments", None) or {}).items()
        }
        return replaced(found, {"column_comments": {name: text for name, text in comments.items() if text}})

    def uses(self, model: View) -> frozenset[Ref]:
        """Return what the query may read or call."""
        schema = self.dialect.normal_schema(model.schema)
        own = frozenset({Ref("schema", schema)}) if schema else frozenset()
        return (own | mentions.of_query(model.definition, schema)) - {self.ref(model)}

    def guesses(self, model: View) -> frozenset[Ref]:
        """Return what may be built in, or part of another name."""
        return frozenset(each for each in self.uses(model) if each.type not in _CERTAIN)


class StageHandler(sql.SQLHandler[Stage]):
    """Files outside, read like a table."""

    type = "stage"
    description = "Files outside of the database (Parquet, CSV, JSON) that are read like a table"
    IN_PLACE = frozenset({"format", "paths", "options", "comment"})

    def __init__(self, dialect: DuckDBDialect) -> None:
        super().__init__(Stage, dialect)

    def normal(self, model: Stage) -> Stage:
        """Return the normal form: options by name, as the parser reads them back."""
        found = super().normal(model)
        again = read_stage(stage_query(model))
        options = again.options if again is not None else found.options
        return replaced(found, {"options": json.loads(json.dumps(options or {}, sort_keys=True))})


def read_stage(definition: str) -> Stage | None:
    """Return what a view's query reads if that is files alone: `SELECT * FROM read_csv('...', ...)`."""
    try:
        tree = parser.statement(definition)
    except Unparsable:
        return None
    source = tree.get("from_table") or {}
    selected = tree.get("select_list", ())
    plain = (
        tree.get("type") == "SELECT_NODE"
        and len(selected) == 1
        and selected[0].get("type") == "STAR"
        and not any(selected[0].get(key) for key in ("exclude_list", "replace_list", "expr", "relation_name"))
        and source.get("type") == "TABLE_FUNCTION"
        and not source.get("alias")
        and not source.get("column_name_alias")
        and not tree.get("modifiers")
        and not tree.get("where_clause")
        and not tree.get("cte_map", {}).get("map")
        and not tree.get("group_expressions")
        and not tree.get("sample")
        and not tree.get("qualify")
        and not tree.get("having")
    )
    if not plain:
        return None
    call = source.get("function", {})
    formats = {name: kind for kind, name in FORMATS.items()} | {
        "read_csv_auto": "csv", "parquet_scan": "parquet", "read_json_auto": "json",
    }  # fmt: skip
    kind = formats.get(str(call.get("function_name", "")).lower())
    if kind is None:
        return None
    paths: list[str] = []
    options: dict[str, Any] = {}
    try:
        for argument in call.get("arguments", ()):
            name, value = _argument(argument)
            if name:
                options[name.lower()] = value
            else:
                paths += value if isinstance(value, list) else [value]
    except (KeyError, ValueError, TypeError):
        return None
    if not paths or not all(isinstance(each, str) for each in paths):
        return None
    return Stage(name="", format=kind, paths=tuple(paths), options=options or None)


def _argument(argument: Mapping[str, Any]) -> tuple[str, Any]:
    """Return name and value of an argument. Raises ValueError for what is no constant."""
    name, node = str(argument.get("name") or ""), argument.get("expression", argument)
    if node.get("type") == "COMPARE_EQUAL" and node["left"].get("class") == "COLUMN_REF":
        return str(node["left"]["column_names"][-1]), _constant(node["right"])
    return name or str(node.get("alias") or ""), _constant(node)


def _constant(node: Mapping[str, Any]) -> Any:
    if node.get("class") == "CONSTANT":
        literal = node["literal"]
        kind, text = literal["kind"], literal.get("text")
        if kind == "STRING":
            return text
        if kind == "BOOLEAN" or str(text).lower() in ("true", "false"):
            return str(text).lower() == "true"
        return float(text) if "." in str(text) or "e" in str(text).lower() else int(text)
    if node.get("class") == "CAST" and node["child"].get("class") == "CONSTANT":
        text = str(node["child"]["literal"].get("text", "")).lower()
        if text in ("t", "f", "true", "false"):
            return text in ("t", "true")
    if node.get("class") == "FUNCTION" and node.get("function_name") == "list_value":
        return [_constant(each.get("expression", each)) for each in node["arguments"]]
    if node.get("class") == "FUNCTION" and node.get("function_name") == "struct_pack":
        return dict(_argument(each) for each in node["arguments"])
    if node.get("class") == "FUNCTION" and node.get("function_name") == "-":
        (each,) = node["arguments"]
        return -_constant(each.get("expression", each))
    raise ValueError("no constant")
