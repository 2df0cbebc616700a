"""Random tables for the differ: few names, so that two tables share a good part of what they have."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from kolumn.sql.model import ACTIONS, Check, ForeignKey, KeyPart, PrimaryKey, Unique
from kolumn.sql.reference import quote
from tests.sql.plain import Exclusion, PlainColumn, PlainTable

NAMES = ("a", "B", "c", "d", "long name", 'q"x', "f,g")


def _spelled(name: str, upper: bool) -> str:
    return name.upper() if upper else name


def expressions(names: list[str]) -> st.SearchStrategy[str]:
    """Expressions over the columns a table has: another would be refused by any database."""
    plain = [name for name in names if name.isalpha()] or ["1"]
    operand = st.builds(_spelled, st.sampled_from(plain), st.booleans())
    return st.builds("{} {}  {}".format, operand, st.sampled_from(("<", ">")), st.sampled_from(("0", "1")))


@st.composite
def columns(draw: st.DrawFn, name: str, names: list[str]) -> PlainColumn:
    others = [each for each in names if each != name]
    generated = draw(st.one_of(st.just(""), st.just(""), expressions(others)))
    reference = draw(
        st.sampled_from(("", "", "other(a)", "other.a", f"T({quote(name)})", "Shop.x(y)", "other"))
    )
    return PlainColumn(
        name=_spelled(name, draw(st.booleans())),
        type=draw(st.sampled_from(("int", "integer", "INT", "text", "varchar(10)", "character varying"))),
        not_null=draw(st.booleans()),
        unique=draw(st.sampled_from((False, False, True))),
        default=None
        if generated
        else draw(st.sampled_from((None, None, "0", "'x'", "CURRENT_TIMESTAMP", ""))),
        generated=generated,
        stored=bool(generated) and draw(st.booleans()),
        collation=draw(st.sampled_from(("", "", "C", "c"))),
        check=draw(st.one_of(st.just(""), expressions(names))),
        references=reference,
        on_delete=draw(st.sampled_from((*ACTIONS, "CASCADE"))) if reference else "no action",
        comment=draw(st.sampled_from(("", "", "it's", "what"))),
        renamed_from=draw(st.sampled_from(("", "", *NAMES))),
        invisible=draw(st.booleans()),
        storage=draw(st.sampled_from(("", "plain", "PLAIN", "external"))),
    )


def _parts(draw: st.DrawFn, names: list[str]) -> tuple[KeyPart, ...]:
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    return tuple(
        KeyPart(column=name, order=draw(st.sampled_from(("asc", "desc", "DESC")))) for name in chosen
    )


@st.composite
def tables(draw: st.DrawFn, name: str = "t") -> PlainTable:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    made = [draw(columns(each, names)) for each in names]
    formers: set[str] = set()
    for at, column in enumerate(made):
        if column.renamed_from.lower() in formers:
            made[at] = _without_hint(column)
        formers.add(column.renamed_from.lower())
    label = st.sampled_from(("", "", "k1", "K1", "k2", "t_a"))
    key: PrimaryKey | None = None
    match draw(st.sampled_from(("none", "column", "table"))):
        case "column":
            at = draw(st.integers(0, len(made) - 1))
            made[at] = _with(made[at], primary_key=True)
        case "table":
            key = PrimaryKey(columns=_parts(draw, names), name=draw(label))
    uniques = [Unique(columns=_parts(draw, names), name=draw(label)) for _ in range(draw(st.integers(0, 2)))]
    checks = [
        Check(expression=draw(expressions(names)), name=draw(label)) for _ in range(draw(st.integers(0, 2)))
    ]
    keys = [
        ForeignKey(
            columns=(draw(st.sampled_from(names)),),
            references=draw(st.sampled_from(("other(a)", f"t({quote(names[0])})", "shop.u(v)"))),
            name=draw(label),
            deferrable=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(0, 2)))
    ]
    exclusions = [Exclusion(columns=_parts(draw, names)) for _ in range(draw(st.integers(0, 1)))]
    return PlainTable(
        name=name,
        schema=draw(st.sampled_from(("", "public"))),
        columns=tuple(made),
        primary_key=key,
        uniques=tuple(uniques),
        checks=tuple(checks),
        foreign_keys=tuple(keys),
        exclusions=tuple(exclusions),
        comment=draw(st.sampled_from(("", "one", "two"))),
        engine=draw(st.sampled_from(("", "InnoDB", "innodb", "heap"))),
        layout=draw(st.sampled_from(("", "lines"))),
    )


def _with(column: PlainColumn, **changes: Any) -> PlainColumn:
    import dataclasses

    return dataclasses.replace(column, **changes)


def _without_hint(column: PlainColumn) -> PlainColumn:
    return _with(column, renamed_from="")
