"""Macros: expressions and queries with parameters (https://duckdb.org/docs/current/sql/statements/create_macro)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import replaced
from kolumn.engine.resource import Ref
from kolumn.providers.duckdb.language.dialect import DuckDBDialect, normal_expression, normal_statement
from kolumn.providers.duckdb.language.fragments import expression_fault, fault, query_fault
from kolumn.providers.duckdb.model import Function, Overload
from kolumn.providers.duckdb.resources import mentions
from kolumn.sql.handlers import SQLHandler
from kolumn.sql.normal import Grammar


class FunctionHandler(SQLHandler[Function]):
    """Macros, scalar and table."""

    type = "function"
    description = "A macro: an expression or a query with parameters"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {
        "macro": Grammar(lambda text: fault(text, commas=True) or None, lambda text: text)
    }
    IN_PLACE = frozenset({"parameters", "body", "overloads", "comment"})

    def __init__(self, dialect: DuckDBDialect) -> None:
        super().__init__(Function, dialect)

    def parse(self, config: Mapping[str, Any], name: str) -> Function:
        """Return the function. Raises ValidationError with every fault."""
        function = super().parse(config, name)
        problems = list(_problems(function))
        if problems:
            raise ValidationError.of(problems)
        return function

    def normal(self, model: Function) -> Function:
        """Return the normal form: ways to call it in any order."""
        found = super().normal(model)
        form = normal_statement if found.returns == "table" else normal_expression
        ways = sorted((replaced(each, {"body": form(each.body)}) for each in found.ways), key=repr)
        return replaced(
            found,
            {"parameters": ways[0].parameters, "body": ways[0].body, "overloads": tuple(ways[1:])},
        )

    def guesses(self, model: Function) -> frozenset[Ref]:
        """Return all that texts mention."""
        return self.uses(model) - super().uses(model)

    def uses(self, model: Function) -> frozenset[Ref]:
        """Return schema, and what the bodies and defaults may use."""
        schema = self.dialect.normal_schema(model.schema)
        found = set(super().uses(model))
        of_body = mentions.of_query if model.returns.lower() == "table" else mentions.of_expression
        for way in model.ways:
            found |= of_body(way.body, schema)
            for each in way.parameters:
                found |= mentions.of_expression(each.default or "", schema)
                found |= mentions.of_type(each.type, schema) if each.type else set()
        return frozenset(found) - {self.ref(model)}


def _problems(function: Function) -> Iterator[Problem]:
    check = query_fault if function.returns.lower() == "table" else expression_fault
    what = "query" if function.returns.lower() == "table" else "expression"
    for at, way in enumerate(function.ways):
        path = f"overloads.{at - 1}." if at else ""
        if why := check(way.body):
            yield Problem(f"the body is not one {what}: {why}", code="invalid_body", path=f"{path}body")
        names = [each.name.lower() for each in way.parameters]
        if len(set(names)) < len(names):
            yield Problem("two parameters have one name", code="duplicate", path=f"{path}parameters")
        given = [each.default is not None for each in way.parameters]
        if given != sorted(given):
            yield Problem(
                "a parameter without a default comes after one with",
                code="invalid_parameters",
                path=f"{path}parameters",
            )
    shapes = [_shape(each) for each in function.ways]
    if len(set(shapes)) < len(shapes):
        yield Problem("two ways to call it have the same parameters", code="duplicate", path="overloads")


def _shape(way: Overload) -> tuple[str, ...]:
    return tuple(each.type.lower() for each in way.parameters)
