"""Random SQLite schemas as people write them: any layout, quoting, case and order of clauses.

`schemas()` draws a list of statements that SQLite accepts, tables before what is on them.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

TYPES = (
    "",
    "INTEGER",
    "integer",
    "INT",
    "TEXT",
    "text",
    "REAL",
    "BLOB",
    "NUMERIC",
    "VARCHAR(20)",
    "varchar (255)",
    "DECIMAL(10, 2)",
    "DOUBLE PRECISION",
    "BLOB SUB_TYPE TEXT",
    "TIMESTAMP WITH TIME ZONE",
    "UNSIGNED BIG INT",
    "boolean",
    "datetime(6)",
    '"odd type"',
)
STRICT_TYPES = ("INTEGER", "INT", "TEXT", "REAL", "BLOB", "ANY")
DEFAULTS = (
    "0",
    "-1",
    "+ 5",
    "1.5e3",
    "NULL",
    "'it''s'",
    "''",
    "x'00FF'",
    "CURRENT_TIMESTAMP",
    "current_date",
    "true",
    "(1 + 2)",
    "(datetime('now', 'localtime'))",
    '"quoted"',
    "bare",
    "( 'a' || 'b' )",
)
PLAIN_NAMES = ("id", "a", "b", "c", "name", "Email", "user_id", "createdAt", "x1")
ODD_NAMES = (
    "order",
    "group",
    "a b",
    "ü",
    "日本",
    'quo"te',
    "dot.ted",
    "(paren",
    "key",
    "-- no comment",
    "Select",
)
COLLATIONS = ("NOCASE", "RTRIM", "binary")
CONFLICTS = ("", "", "", " ON CONFLICT REPLACE", " on conflict ignore", " ON CONFLICT ROLLBACK")
ACTIONS = (
    "",
    " ON DELETE CASCADE",
    " on delete set null",
    " ON UPDATE CASCADE ON DELETE NO ACTION",
    " ON DELETE RESTRICT",
    " DEFERRABLE INITIALLY DEFERRED",
    " ON DELETE SET DEFAULT DEFERRABLE",
    " MATCH FULL",
    " NOT DEFERRABLE",
)


def identifier(name: str, style: int) -> str:
    """Return `name` quoted in one of SQLite's ways, or plain where that works."""
    if style == 0 and name in PLAIN_NAMES:
        return name
    if style == 1 and "]" not in name:
        return f"[{name}]"
    if style == 2:
        return "`" + name.replace("`", "``") + "`"
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class TableText:
    """A CREATE TABLE statement, and what else can be put on the table."""

    name: str
    columns: tuple[str, ...]
    plain: tuple[str, ...]
    """Columns that are not generated."""
    sql: str


def _names(draw: st.DrawFn, pool: tuple[str, ...], least: int, most: int) -> list[str]:
    return draw(
        st.lists(st.sampled_from(pool), min_size=least, max_size=most, unique_by=lambda name: name.lower())
    )


@st.composite
def tables(draw: st.DrawFn, name: str, others: tuple[str, ...] = ()) -> TableText:
    """Draw a table; `others` are tables its foreign keys may refer to, besides itself."""
    style = draw(st.integers(0, 3))
    q = lambda text: identifier(text, style)  # noqa: E731
    conflict = draw(st.sampled_from(CONFLICTS))  # one per table: clauses on one set of columns must agree
    strict = draw(st.integers(0, 5)) == 0
    without_rowid = draw(st.integers(0, 5)) == 0
    names = _names(draw, PLAIN_NAMES + ODD_NAMES, 1, 6)
    key = draw(st.sampled_from(("column", "column", "table", "none"))) if not without_rowid else "table"
    keyed = names[0]
    elements, plain = [], []
    for place, column in enumerate(names):
        kind = draw(st.sampled_from(STRICT_TYPES if strict else TYPES))
        generated = place > 0 and not (key == "table" and column == keyed) and draw(st.integers(0, 7)) == 0
        clauses = []
        if generated:
            always = draw(st.sampled_from(("GENERATED ALWAYS AS", "AS", "generated always as")))
            clauses.append(
                f"{always} ({q(names[0])} || 'x'){draw(st.sampled_from(('', ' VIRTUAL', ' STORED')))}"
            )
        else:
            plain.append(column)
            if place == 0 and key == "column":
                if kind.upper() == "INTEGER" and draw(st.booleans()):
                    clauses.append("PRIMARY KEY AUTOINCREMENT")
                else:
                    clauses.append("primary key" + draw(st.sampled_from(("", " ASC", " DESC"))) + conflict)
            if draw(st.integers(0, 3)) == 0:
                clauses.append("DEFAULT " + draw(st.sampled_from(DEFAULTS)))
            if draw(st.integers(0, 4)) == 0:
                clauses.append(f"REFERENCES {_target(draw, q, name, others)}{draw(st.sampled_from(ACTIONS))}")
            if draw(st.integers(0, 5)) == 0:
                clauses.append(_named(draw, q) + "UNIQUE" + conflict)
        if draw(st.integers(0, 2)) == 0:
            clauses.append(
                draw(
                    st.sampled_from(
                        ("NOT NULL", "not null", "NULL", "CONSTRAINT nn NOT NULL ON CONFLICT FAIL")
                    )
                )
            )
        if draw(st.integers(0, 4)) == 0:
            clauses.append(_named(draw, q) + draw(_checks(q(column))))
        if draw(st.integers(0, 6)) == 0:
            clauses.append("COLLATE " + draw(st.sampled_from(COLLATIONS)))
        clauses = draw(st.permutations(clauses))
        elements.append(" ".join(part for part in (q(column), kind, *clauses) if part))
    elements += draw(
        _constraints(q, name, others, tuple(names), tuple(plain), keyed if key == "table" else "", conflict)
    )
    options = [text for text, given in (("STRICT", strict), ("WITHOUT ROWID", without_rowid)) if given]
    body = draw(_layouts(elements))
    tail = f" {', '.join(draw(st.permutations(options)))}" if options else ""
    table = identifier(name, style if name in PLAIN_NAMES or style else 3) if style else f'"{name}"'
    return TableText(name, tuple(names), tuple(plain), f"CREATE TABLE {table}{body}{tail}")


def _target(draw: st.DrawFn, q: object, name: str, others: tuple[str, ...]) -> str:
    target = draw(st.sampled_from((name, *others)))
    return f'"{target}"' + draw(st.sampled_from(("", "(id)", ' ("a")')))


def _named(draw: st.DrawFn, q: object) -> str:
    return draw(st.sampled_from(("", "", "CONSTRAINT ck ", 'constraint "odd name" ')))


@st.composite
def _checks(draw: st.DrawFn, column: str) -> str:
    return draw(
        st.sampled_from(
            (
                f"CHECK ({column} > 0)",
                f"check({column} <> 'a,b(c')",
                f"CHECK ( {column} IN ('x', 'y') OR {column} IS NULL )",
                f"CHECK (\n    {column} > 0 AND\n    length({column}) < 10\n  )",
                f"CHECK (({column}) >= 0)",
            )
        )
    )


@st.composite
def _constraints(
    draw: st.DrawFn,
    q: object,
    name: str,
    others: tuple[str, ...],
    names: tuple[str, ...],
    plain: tuple[str, ...],
    key: str,
    conflict: str,
) -> list[str]:
    quote = q  # type: ignore[assignment]
    found = []
    if key:
        order = draw(st.sampled_from(("", " DESC", " COLLATE NOCASE")))
        found.append(f"{_named(draw, q)}PRIMARY KEY ({quote(key)}{order}){conflict}")
    if draw(st.integers(0, 3)) == 0:
        found.append(f"{_named(draw, q)}UNIQUE ({', '.join(map(quote, plain[:2]))}){conflict}")
    if draw(st.integers(0, 3)) == 0:
        found.append(_named(draw, q) + draw(_checks(quote(names[-1]))))
    if draw(st.integers(0, 3)) == 0:
        found.append(
            f"{_named(draw, q)}FOREIGN KEY ({quote(plain[-1])}) REFERENCES {_target(draw, q, name, others)}"
            + draw(st.sampled_from(ACTIONS))
        )
    return draw(st.permutations(found))


@st.composite
def _layouts(draw: st.DrawFn, elements: list[str]) -> str:
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return f"({', '.join(elements)})"
    if kind == 1:
        return " (\n  " + ",\n  ".join(elements) + "\n)"
    if kind == 2:
        lines = [
            f"  {text}{',' if at < len(elements) - 1 else ''} -- note {at}"
            for at, text in enumerate(elements)
        ]
        return " ( -- about the table\n" + "\n".join(lines) + "\n)"
    if kind == 3:
        return "\n(\n\t" + "\n\t, ".join(elements) + "\n\t/* the end */\n)"
    spaced = (
        text if any(quote in text for quote in "'\"`[") else text.replace(" ", "  ") for text in elements
    )
    return f" ({' ,'.join(spaced)})"


@st.composite
def schemas(draw: st.DrawFn, most: int = 4) -> list[str]:
    """Draw the statements of a schema."""
    names = _names(draw, ("users", "Orders", "line items", "t", "kv", "log"), 1, most)
    statements = []
    for place, name in enumerate(names):
        table = draw(tables(name, tuple(names)))
        statements.append(table.sql)
        target = '"' + name + '"'
        column = '"' + draw(st.sampled_from(table.plain)).replace('"', '""') + '"'
        last = '"' + table.columns[-1].replace('"', '""') + '"'
        if draw(st.booleans()):
            unique = draw(st.sampled_from(("", "", "UNIQUE ")))
            part = draw(
                st.sampled_from(
                    (
                        column,
                        f"{column} DESC",
                        f"{column} collate nocase",
                        f"lower({last})",
                        f"{last}, {column} ASC",
                    )
                )
            )
            where = draw(
                st.sampled_from(("", "", f" WHERE {column} IS NOT NULL", f"\nwhere {column} > 1 -- few\n"))
            )
            space = draw(st.sampled_from((" ", "\n  ")))
            statements.append(f"CREATE {unique}INDEX idx_{place}{space}ON {target} ({part}){where}")
        if draw(st.integers(0, 2)) == 0:
            listed = draw(st.sampled_from(("", " (p, q)")))
            statements.append(
                f"CREATE VIEW view_{place}{listed} AS\n  SELECT {column} AS p, 1 AS q"
                f" FROM {target} -- v\n  WHERE {last} <> ''"
            )
        if draw(st.integers(0, 2)) == 0:
            timing = draw(st.sampled_from(("", "AFTER ", "before ")))
            event = draw(st.sampled_from(("INSERT", "delete", f"UPDATE OF {column}", "UPDATE")))
            when = draw(
                st.sampled_from(
                    ("", " WHEN 1 < 2", " FOR EACH ROW", " for each row\nwhen case when 1 then 1 end = 1")
                )
            )
            statements.append(
                f"CREATE TRIGGER trg_{place} {timing}{event} ON {target}{when} BEGIN\n"
                f"  SELECT CASE WHEN 1 THEN 'a;b' END; -- note\n"
                f"  UPDATE {target} SET {column} = {column};\nEND"
            )
    return statements
