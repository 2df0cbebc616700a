"""Functions.

https://www.postgresql.org/docs/current/sql-createfunction.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import attribute, one_of
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.handler import Entry
from kolumn.providers.postgres.language.names import NAME, object_name, spelled
from kolumn.providers.postgres.language.signatures import argument_type, routine_ref
from kolumn.providers.postgres.language.tokens import quote
from kolumn.providers.postgres.language.types import parse_type
from kolumn.providers.postgres.resources.routine import (
    ResultColumn,
    Routine,
    RoutineHandler,
    RoutineRow,
    Signature,
    conflict,
)
from kolumn.sql.normal import Grammar

VOLATILITIES = ("volatile", "stable", "immutable")
PARALLEL = ("unsafe", "restricted", "safe")

_USUAL_COST = 100.0
_USUAL_COST_COMPILED = 1.0
_USUAL_ROWS = 1000.0


@dataclass(frozen=True)
class _Result(Signature):
    """What a function returns, and what may be expected of it."""

    returns: str = attribute(
        "Type of the result, `setof <type>` for several rows; left out where arguments of mode out say it",
        default="",
        grammar="argument",
    )
    returns_table: tuple[ResultColumn, ...] = attribute("Columns of the table it returns", default=())
    window: bool = attribute("Whether it is a window function", default=False)
    volatility: str = attribute(
        "How its result can change: volatile, stable or immutable",
        default="volatile",
        validators=[one_of(*VOLATILITIES)],
        grammar="keyword",
    )
    strict: bool = attribute(
        "Whether its result is NULL where an argument is, without it running", default=False
    )
    leakproof: bool = attribute("Whether it tells nothing about its arguments but its result", default=False)
    parallel: str = attribute(
        "How far it fits parallel queries: unsafe, restricted or safe",
        default="unsafe",
        validators=[one_of(*PARALLEL)],
        grammar="keyword",
    )
    cost: float | None = attribute("Cost of a call, in units of cpu_operator_cost", default=None)
    rows: float | None = attribute("Rows it returns, as an estimate", default=None)
    support: str = attribute(
        "Function that helps the planner with it; with its schema where that is not public",
        default="",
        grammar="object_name",
    )


@dataclass(frozen=True)
class Function(Routine, _Result):
    """A function."""

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes: what is returned must be said, and once."""
        yield from super().verify()
        out = [each for each in self.arguments if each.mode.lower() in ("out", "inout")]
        if self.returns_table and (out or self.returns):
            yield conflict("returns_table", "the result is said twice", "Give returns_table alone.")
        if not (self.returns or self.returns_table or out):
            yield Problem(
                "returns is required",
                code="missing_attribute",
                path="returns",
                hint='Add returns, e.g. returns = "integer", or "void" where there is no result.',
            )

    @property
    def outcome(self) -> str:
        """The type of the result as PostgreSQL keeps it, `setof` before it where there are several rows."""
        out = [each for each in self.arguments if each.mode.lower() in ("out", "inout")]
        if self.returns_table:
            only = self.returns_table[0].type if len(self.returns_table) == 1 else "record"
            return f"setof {argument_type(only)}"
        if self.returns or not out:
            return argument_type(self.returns)
        return argument_type(out[0].type) if len(out) == 1 else "record"

    @property
    def returns_set(self) -> bool:
        """Whether it returns rows."""
        parsed = parse_type(self.outcome)
        return not isinstance(parsed, str) and parsed.set_of


class FunctionHandler(RoutineHandler[Function]):
    """Functions."""

    type = "function"
    description = "A function"
    MODEL = Function
    KEYWORD: ClassVar[str] = "FUNCTION"
    KINDS: ClassVar[str] = "fw"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {**RoutineHandler.GRAMMARS, "object_name": NAME}
    ATTRIBUTES: ClassVar[frozenset[str]] = RoutineHandler.ATTRIBUTES | {
        "volatility",
        "strict",
        "leakproof",
        "parallel",
        "cost",
        "rows",
    }

    def build(self, entry: Entry) -> Function:
        """Return the function."""
        row = RoutineRow(*entry.row)
        modes = row.modes or ()
        table = tuple(
            ResultColumn(name=name, type=argument_type(type_name))
            for type_name, mode, name in zip(row.types, modes, row.names or (), strict=False)
            if mode == "t"
        )
        returns = "" if table or "o" in modes or "b" in modes else argument_type(row.returns)
        if row.returns_set and not table:
            returns = f"setof {argument_type(row.returns)}"
        model = Function(
            **self.common(row),
            returns=returns,
            returns_table=table,
            window=row.kind == "w",
            volatility=_VOLATILITY[row.volatility],
            strict=row.strict,
            leakproof=row.leakproof,
            parallel=_PARALLEL[row.parallel],
            support=spelled(*row.support[0]) if row.support else "",
        )
        cost = _estimate(row.cost) if row.cost != _cost(model) else None
        rows = _estimate(row.rows) if row.rows != _rows(model) else None
        return dataclasses.replace(model, cost=cost, rows=rows)

    def normal(self, model: Function) -> Function:
        """Return the normal form: results, cost and rows said, whichever way they follow."""
        normal = super().normal(model)
        return dataclasses.replace(
            normal,
            returns="" if normal.returns_table else normal.outcome,
            cost=_cost(model) if model.cost is None else float(model.cost),
            rows=_rows(model) if model.rows is None else float(model.rows),
        )

    def replaces(self, before: Function, after: Function) -> bool:
        """Whether CREATE OR REPLACE can make `after` of `before`: what comes out is the same as well."""
        return (
            super().replaces(before, after)
            and before.window == after.window
            and before.outcome == after.outcome
            and _row(before) == _row(after)
        )

    def types(self, model: Function) -> Iterator[str]:
        """Yield the types the function is declared with."""
        yield from super().types(model)
        yield from (each.type for each in model.returns_table)
        if model.returns:
            yield model.returns

    def uses(self, model: Function) -> frozenset[Ref]:
        """Return what the routine uses, and the function that supports it."""
        if not model.support:
            return super().uses(model)
        support = object_name(model.support)
        return super().uses(model) | {routine_ref(support.name, support.schema)}

    def result_sql(self, model: Function) -> Iterable[str]:
        """Return the RETURNS clause, none where arguments say it."""
        if model.returns_table:
            columns = (f"{quote(each.name)} {argument_type(each.type)}" for each in model.returns_table)
            return [f"RETURNS TABLE ({', '.join(columns)})"]
        return [f"RETURNS {argument_type(model.returns)}"] if model.returns else []

    def attributes_sql(self, model: Function) -> Iterable[str]:
        """Return the clauses of attributes that are not at their default."""
        found = ["WINDOW"] if model.window else []
        if model.volatility.lower() != "volatile":
            found.append(model.volatility.upper())
        if model.strict:
            found.append("STRICT")
        found += super().attributes_sql(model)
        if model.leakproof:
            found.append("LEAKPROOF")
        if model.parallel.lower() != "unsafe":
            found.append(f"PARALLEL {model.parallel.upper()}")
        if model.cost is not None:
            found.append(f"COST {_estimate(model.cost)!s}")
        if model.rows is not None:
            found.append(f"ROWS {_estimate(model.rows)!s}")
        if model.support:
            found.append(f"SUPPORT {object_name(model.support).sql}")
        return found

    def changed_attributes_sql(
        self, before: Function, after: Function, fields: Iterable[str]
    ) -> Iterator[str]:
        """Yield the clauses of ALTER FUNCTION."""
        fields = list(fields)
        yield from super().changed_attributes_sql(before, after, fields)
        for field in fields:
            match field:
                case "volatility":
                    yield after.volatility.upper()
                case "strict":
                    yield "STRICT" if after.strict else "CALLED ON NULL INPUT"
                case "leakproof":
                    yield "LEAKPROOF" if after.leakproof else "NOT LEAKPROOF"
                case "parallel":
                    yield f"PARALLEL {after.parallel.upper()}"
                case "cost" if after.cost is not None:
                    yield f"COST {_estimate(after.cost)!s}"
                case "rows" if after.rows:
                    yield f"ROWS {_estimate(after.rows)!s}"


_VOLATILITY = {"v": "volatile", "s": "stable", "i": "immutable"}
_PARALLEL = {"u": "unsafe", "r": "restricted", "s": "safe"}


def _cost(model: Function) -> float:
    return _USUAL_COST_COMPILED if model.language.lower() in ("c", "internal") else _USUAL_COST


def _rows(model: Function) -> float:
    return _USUAL_ROWS if model.returns_set else 0.0


def _estimate(given: float) -> float:
    """Return a number as a person writes it, without a fraction that is none."""
    return int(given) if given == int(given) else given


def _row(model: Function) -> tuple[tuple[str, str], ...]:
    """Return names and types of the columns of a result of several; of one, only the type matters."""
    out = [(each.name, each.type) for each in model.arguments if each.mode in ("out", "inout")]
    columns = out or [(each.name, each.type) for each in model.returns_table]
    return tuple(columns) if len(columns) > 1 else ()
