"""What a SQLite file holds, asked of SQLite itself: the judge of the tests, without a line of Kolumn.

Two schemas that mean the same give the same lines, however they are written: quotes, letter case, the order
of clauses and whether a constraint stands at its column or in the table make no difference.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

_TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]"""
    r"""|[xX]'[0-9a-fA-F]*'|[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*|\d[\w.]*|<>|<=|>=|==|!=|\|\||<<|>>|->>?|.""",
    re.DOTALL,
)
_TABLE_CONSTRAINTS = ("constraint", "primary", "unique", "check", "foreign")
OWN = "kolumn_"
"""Tables whose name begins so are Kolumn's own notes, not the user's schema."""


def tokens(sql: str) -> list[str]:
    """Return the tokens of a statement: names unquoted, everything but text literals in lower case."""
    found = []
    for match in _TOKEN.finditer(sql):
        text = match[0]
        if text.isspace() or text.startswith(("--", "/*")):
            continue
        if text[0] in '"`[' and len(text) > 1:
            text = text[1:-1].replace(text[0] * 2, text[0])
        elif text[0] == "'":
            found.append(text)
            continue
        found.append(text.lower())
    return found


def spelled(sql: str) -> str:
    """Return a statement or expression in one spelling."""
    return " ".join(tokens(sql))


def schema(path: Path | str, *, ordered: bool = False) -> list[str]:
    """Return one line per fact of the schema of `path`, sorted; with `ordered`, columns tell their place."""
    with closing(sqlite3.connect(path)) as database:
        return sorted(_facts(database, ordered))


def _facts(database: sqlite3.Connection, ordered: bool) -> Iterator[str]:
    listing = {
        row[1]: row[2:]
        for row in database.execute("PRAGMA main.table_list")
        if row[0] == "main" and not row[1].startswith("sqlite_")
    }
    for kind, name, table, sql in database.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema"
    ).fetchall():
        if name.startswith((OWN, "sqlite_")) or table.startswith(OWN):
            continue
        if kind in ("view", "trigger"):
            yield f"{kind} {name.lower()}: {spelled(sql).replace(' if not exists ', ' ', 1)}"
        elif kind == "table":
            shape, _, without_rowid, strict = listing[name]
            if shape == "shadow":
                continue
            yield f"table {name.lower()}: {shape} without_rowid={without_rowid} strict={strict}"
            if shape == "virtual":
                yield f"table {name.lower()}: {spelled(sql[sql.upper().index(' USING ') :])}"
            else:
                for fact in _table_facts(database, name, sql, ordered):
                    yield f"table {name.lower()}: {fact}"


def _table_facts(database: sqlite3.Connection, name: str, sql: str, ordered: bool) -> Iterator[str]:
    for place, column, type_, not_null, default, key, hidden in database.execute(
        "SELECT * FROM pragma_table_xinfo(?)", (name,)
    ).fetchall():
        where = f"#{place} " if ordered else ""
        given = None if default is None else spelled(default)
        yield (
            f"column {where}{column.lower()} {spelled(type_)} not_null={not_null} default={given} key={key} "
            f"hidden={hidden}"
        )
    keys: dict[int, list[tuple[object, ...]]] = {}
    for row in database.execute("SELECT * FROM pragma_foreign_key_list(?)", (name,)).fetchall():
        keys.setdefault(row[0], []).append(tuple(str(each).lower() for each in row[1:]))
    for rows in keys.values():
        yield f"foreign key {sorted(rows)!r}"
    for _, index, unique, origin, partial in database.execute(
        "SELECT * FROM pragma_index_list(?)", (name,)
    ).fetchall():
        parts = database.execute(
            "SELECT name, desc, coll, key FROM pragma_index_xinfo(?) WHERE key OR ?", (index, origin == "pk")
        ).fetchall()
        label = index.lower() if origin == "c" else origin
        written = ""
        if origin == "c":
            text = database.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (index,)).fetchone()[0]
            written = spelled(text[text.index("(") :])
        yield f"index {label} unique={unique} partial={partial} {parts!r} {written}".lower()
    yield from _written(tokens(sql))


def _written(words: list[str]) -> Iterator[str]:
    """Yield what only the text of CREATE TABLE says: checks, collations, deferral, conflict clauses, ..."""
    if "autoincrement" in words:
        yield "autoincrement"
    start = words.index("(")
    depth, elements = 0, [[]]  # type: tuple[int, list[list[str]]]
    for word in words[start + 1 :]:
        if word == ")" and depth == 0:
            break
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            elements.append([])
        else:
            elements[-1].append(word)
    for element in elements:
        units = _units(element)
        if units[0] in _TABLE_CONSTRAINTS:
            columns = next((unit for unit in units if unit.startswith("(")), "")
            yield from _clauses(units, columns)
        else:
            yield from _clauses(units[1:], f"( {units[0]} )")


def _units(words: list[str]) -> list[str]:
    """Return words, a whole parenthesis being one."""
    units: list[str] = []
    depth = 0
    for word in words:
        if depth:
            units[-1] += f" {word}"
        else:
            units.append(word)
        depth += (word == "(") - (word == ")")
    return units


def _clauses(units: list[str], columns: str) -> Iterator[str]:
    name, subject = "", ""
    for at, unit in enumerate(units):
        following = units[at + 1] if at + 1 < len(units) else ""
        match unit:
            case "constraint":
                name = following
            case "check":
                yield f"check {name} {following}"
                name = ""
            case "primary" | "unique" | "references" | "not":
                if unit != "not" or following == "null":
                    subject = unit
                if name and unit != "references":
                    yield f"named {unit} {name} {columns}"
                    name = ""
                elif name:
                    yield f"named foreign key {name} {columns}"
                    name = ""
            case "as":
                yield f"generated {columns} {following}"
            case "collate":
                yield f"collate {columns} {following}"
            case "deferrable":
                deferred = " ".join(units[at - 1 : at] + units[at : at + 3])
                if not deferred.startswith("not") and "deferred" in deferred:
                    yield f"deferred {columns}"
            case "conflict":
                yield f"on conflict {subject} {columns} {following}"


def rows(path: Path | str, table: str, columns: list[str] | None = None) -> list[tuple[object, ...]]:
    """Return the rows of a table, or of some of its columns, in an order of their own."""
    with closing(sqlite3.connect(path)) as database:
        chosen = ", ".join(_quoted(each) for each in columns) if columns else "*"
        found = database.execute(f"SELECT {chosen} FROM {_quoted(table)}").fetchall()
    return sorted(found, key=repr)


def checksums(path: Path | str) -> dict[str, tuple[int, str]]:
    """Return number and checksum of the rows of each table, by name in lower case."""
    with closing(sqlite3.connect(path)) as database:
        names = [
            row[1]
            for row in database.execute("PRAGMA main.table_list")
            if row[0] == "main" and row[2] in ("table", "virtual") and not row[1].startswith(("sqlite_", OWN))
        ]
    found = {}
    for name in names:
        content = rows(path, name)
        found[name.lower()] = (len(content), hashlib.sha256(repr(content).encode()).hexdigest())
    return found


def sound(path: Path | str) -> list[str]:
    """Return what SQLite's own checks find wrong with a file; nothing where all is well."""
    with closing(sqlite3.connect(path)) as database:
        found = (row[0] for row in database.execute("PRAGMA integrity_check"))
        # SQLite 3.40 sees NULLs that are not there in tables without rowid; the inserts refuse real ones.
        problems = [text for text in found if text != "ok" and not text.startswith("NULL value in ")]
        problems += [f"foreign key: {row!r}" for row in database.execute("PRAGMA foreign_key_check")]
    return problems


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
