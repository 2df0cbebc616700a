"""Tables out of information_schema: queries over all of them at once, and a model out of the rows of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kolumn.engine.declaration import replaced
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.fragments import is_literal
from kolumn.providers.mysql.language.qualifying import unqualified
from kolumn.providers.mysql.language.tokens import fold, literal, quote, tokenize, unescaped
from kolumn.providers.mysql.language.types import NUMBERS, type_of
from kolumn.providers.mysql.reading import Reading, Row
from kolumn.providers.mysql.tables import shown
from kolumn.providers.mysql.tables.implied import index_name, serves
from kolumn.providers.mysql.tables.model import (
    ApplicationPeriod,
    MySQLCheck,
    MySQLColumn,
    MySQLForeignKey,
    MySQLKeyPart,
    MySQLPrimaryKey,
    MySQLTable,
    MySQLUnique,
    Partition,
    Partitioning,
)
from kolumn.sql.reference import Reference

_TABLE_TYPES = "('BASE TABLE', 'SYSTEM VERSIONED')"
_OPTION = re.compile(r"`?(\w+)`?=(\"[^\"]*\"|'[^']*'|\S+)")
_IMPLIED_OPTIONS = frozenset({"row_format", "partitioned", "transactional"})


def queries(server: Server) -> Mapping[str, str]:
    """Return the queries of tables by name."""
    generation = "generation_expression"
    srid = "NULL" if server.is_mariadb else "srs_id"
    expression = "NULL" if server.is_mariadb else "expression"
    shown = "IF(ignored = 'NO', 1, 0)" if server.is_mariadb else "IF(is_visible = 'YES', 1, 0)"
    found = {
        "tables": f"""
SELECT table_schema, table_name, engine, table_collation, create_options, table_comment,
    IF(table_type = 'SYSTEM VERSIONED', 1, 0)
FROM information_schema.tables
WHERE table_type IN {_TABLE_TYPES} AND {{in_databases:table_schema}}
""",
        "columns": f"""
SELECT table_schema, table_name, ordinal_position, column_name, column_default, is_nullable, column_type,
    collation_name, extra, column_comment, {generation}, {srid}
FROM information_schema.columns WHERE {{in_databases:table_schema}}
""",
        "statistics": f"""
SELECT table_schema, table_name, index_name, seq_in_index, non_unique, column_name, collation, sub_part, index_type,
    index_comment, {shown}, {expression}
FROM information_schema.statistics WHERE {{in_databases:table_schema}}
""",
        "key_columns": """
SELECT constraint_schema, table_name, constraint_name, ordinal_position, column_name, referenced_table_schema,
    referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE referenced_table_name IS NOT NULL AND {in_databases:constraint_schema}
""",
        "referential": """
SELECT constraint_schema, table_name, constraint_name, update_rule, delete_rule
FROM information_schema.referential_constraints WHERE {in_databases:constraint_schema}
""",
        "partitions": """
SELECT table_schema, table_name, partition_ordinal_position, COALESCE(subpartition_ordinal_position, 0),
    partition_name, partition_method, partition_expression, partition_description, partition_comment,
    subpartition_method, subpartition_expression, subpartition_name
FROM information_schema.partitions WHERE partition_name IS NOT NULL AND {in_databases:table_schema}
""",
        "databases": """
SELECT schema_name, default_character_set_name, default_collation_name
FROM information_schema.schemata WHERE {in_databases:schema_name}
""",
    }
    if server.is_mariadb:
        found["checks"] = """
SELECT constraint_schema, table_name, constraint_name, check_clause, IF(level = 'Column', 1, 0), 1
FROM information_schema.check_constraints WHERE {in_databases:constraint_schema}
"""
    elif server.check_enforcement:
        # Put together by `_checks_by_table`: the server joins these two in time that grows with the square.
        found["check_clauses"] = """
SELECT constraint_schema, constraint_name, check_clause
FROM information_schema.check_constraints WHERE {in_databases:constraint_schema}
"""
        found["check_tables"] = """
SELECT constraint_schema, table_name, constraint_name, IF(enforced = 'YES', 1, 0)
FROM information_schema.table_constraints
WHERE constraint_type = 'CHECK' AND {in_databases:constraint_schema}
"""
    return found


class IndexRow(NamedTuple):
    """One index, with the rows of its columns put together; plain values only."""

    name: str
    unique: bool
    kind: str
    comment: str
    visible: bool
    parts: tuple[tuple[str, str, int, str], ...]
    """Column, expression, length (0 for all of it), order."""
    using: str = ""
    block: int | None = None
    parser: str = ""
    without_overlaps: bool = False

    @property
    def is_constraint(self) -> bool:
        """Whether it is what a unique constraint makes: whole columns, and nothing said about it.

        The size of its pages is none of that: it stays behind from an earlier one of its table.
        """
        plain = all(column and not length and order == "asc" for column, _, length, order in self.parts)
        silent = self.visible and not self.comment and not self.using
        return self.unique and plain and silent and self.kind in ("BTREE", "HASH")

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns, folded, if all are whole columns; else none."""
        if any(not column or length for column, _, length, _ in self.parts):
            return ()
        return tuple(fold(column) for column, *_ in self.parts)


class TableRows(NamedTuple):
    """All that the catalogues say of one table; plain values only, so that a digest can be made of it."""

    schema: str
    name: str
    table: Row
    columns: tuple[Row, ...]
    primary: IndexRow | None
    uniques: tuple[IndexRow, ...]
    checks: tuple[Row, ...]
    foreign_keys: tuple[Row, ...]
    """Name, columns, referenced schema, table and columns, rules of update and delete."""
    partitions: tuple[Row, ...]
    default_collation: str
    """Of the database."""
    charsets: tuple[str, ...]
    """Folded names of columns whose character set is said, though it may be the table's."""
    period: str
    """When a new partition by system time begins."""
    application_period: tuple[str, ...]
    """Name, first and last column."""


class ReadIndexes(NamedTuple):
    """The indexes of a table that are no constraints, and which of them a foreign key brought along."""

    own: tuple[IndexRow, ...]
    constraints: tuple[IndexRow, ...]
    implied: frozenset[str]
    """Folded names."""


def read(reading: Reading) -> Iterator[tuple[TableRows, ReadIndexes]]:
    """Yield every table with its indexes."""
    columns = reading.grouped("columns")
    statistics = reading.grouped("statistics")
    checks = _checks_by_table(reading)
    partitions = reading.grouped("partitions")
    referential = {row[:3]: row[3:] for row in reading.rows["referential"]}
    keys: dict[tuple[Any, ...], list[Row]] = {}
    for key, rows in reading.grouped("key_columns", 3).items():
        rows.sort(key=lambda row: int(row[3]))
        first = rows[0]
        update, delete = referential.get(key, ("RESTRICT", "RESTRICT"))
        keys.setdefault(key[:2], []).append(
            (
                key[2],
                tuple(str(row[4]) for row in rows),
                "" if first[5] == key[0] else reading.schema(first[5]),
                first[6],
                tuple(str(row[7]) for row in rows),
                update.lower(),
                delete.lower(),
            )
        )
    collations = {name: collation for name, _, collation in reading.rows["databases"]}
    for row in reading.rows["tables"]:
        key = (row[0], row[1])
        said = shown.read(str(reading.shown.get(("table", *key), ("", ""))[1]))
        indexes = list(_indexes(statistics.get(key, []), said.indexes))
        foreign = tuple(sorted(keys.get(key, ()), key=lambda each: str(each[0])))
        primary = next((each for each in indexes if each.name == "PRIMARY"), None)
        uniques = tuple(each for each in indexes if each.is_constraint and each.name != "PRIMARY")
        own = tuple(each for each in indexes if not each.is_constraint and each.name != "PRIMARY")
        yield (
            TableRows(
                schema=reading.schema(row[0]),
                name=row[1],
                table=tuple(row[2:]),
                columns=tuple(
                    each[3:] for each in sorted(columns.get(key, []), key=lambda each: int(each[2]))
                ),
                primary=primary,
                uniques=uniques,
                checks=tuple(tuple(each[2:]) for each in checks.get(key, ())),
                foreign_keys=foreign,
                partitions=tuple(
                    tuple(each[2:])
                    for each in sorted(partitions.get(key, ()), key=lambda each: (int(each[2]), int(each[3])))
                ),
                default_collation=collations.get(row[0], ""),
                charsets=() if reading.server.is_mariadb else tuple(sorted(said.charsets)),
                period=said.period,
                application_period=said.application_period,
            ),
            ReadIndexes(own, uniques, _implied(indexes, foreign, row[1])),
        )


def _checks_by_table(reading: Reading) -> Mapping[tuple[Any, ...], list[Row]]:
    """Return database, table, name, expression, whether it stands at a column, whether it is enforced."""
    if "check_tables" not in reading.rows:
        return reading.grouped("checks")
    clauses = {row[:2]: row[2] for row in reading.rows["check_clauses"]}
    found: dict[tuple[Any, ...], list[Row]] = {}
    for schema, table, name, enforced in reading.rows["check_tables"]:
        if (clause := clauses.get((schema, name))) is not None:  # else it went in between
            found.setdefault((schema, table), []).append((schema, table, name, clause, 0, enforced))
    return found


def _indexes(rows: list[Row], said: Mapping[str, shown.ShownIndex]) -> Iterator[IndexRow]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[2], []).append(row)
    for name, parts in found.items():
        parts.sort(key=lambda row: int(row[3]))
        first = parts[0]
        kind = first[8]
        more = said.get(fold(name), shown.ShownIndex())
        if more.without_overlaps:  # listed with both columns of the period at the end
            parts = parts[:-2]
        yield IndexRow(
            name,
            not int(first[4]),
            kind,
            first[9] or "",
            bool(int(first[10])),
            tuple(
                (
                    row[5] or "",
                    unescaped(row[11]) if row[11] else "",
                    int(row[7]) if row[7] and kind in ("BTREE", "HASH") else 0,
                    "desc" if row[6] == "D" else "asc",
                )
                for row in parts
            ),
            *more,
        )


def _implied(indexes: list[IndexRow], keys: tuple[Row, ...], table: str) -> frozenset[str]:
    """Return the indexes that foreign keys brought along (see `implied`)."""
    found = set()
    for key in keys:
        columns = tuple(fold(each) for each in key[1])
        serving = [each for each in indexes if serves(columns, each.columns)]
        if len(serving) != 1:
            continue
        (only,) = serving
        bare = not only.unique and only.kind == "BTREE" and only.visible and not only.comment
        bare = bare and not only.using
        ascending = all(order == "asc" for *_, order in only.parts)
        named = fold(only.name) == fold(index_name(key[0], key[1], table))
        if bare and ascending and only.columns == columns and named:
            found.add(fold(only.name))
    return frozenset(found)


def build(rows: TableRows, server: Server) -> MySQLTable:
    """Return the model of a table."""
    engine, collation, created_with, comment, versioned = rows.table
    options = {name.lower(): value.strip("\"'") for name, value in _OPTION.findall(created_with or "")}
    row_format = options.get("row_format", "").lower()
    checks, column_checks = _checks(rows, server)
    columns = tuple(
        _column(each, "" if fold(each[0]) in rows.charsets else collation or "", server, column_checks)
        for each in rows.columns
    )
    columns = tuple(_as_json(each, collation or "", server) for each in columns)
    columns, primary, uniques = _at_columns(columns, rows)
    return MySQLTable(
        name=rows.name,
        schema=rows.schema,
        columns=columns,
        primary_key=primary,
        uniques=uniques,
        checks=checks,
        foreign_keys=tuple(_foreign_key(each) for each in rows.foreign_keys),
        comment=comment or "",
        engine="" if engine == server.engine or not engine else engine,
        collation="" if collation == rows.default_collation else collation or "",
        row_format=row_format,
        options={key: value for key, value in options.items() if key not in _IMPLIED_OPTIONS} or None,
        partition_by=_partitioning(rows.partitions, rows.period) if rows.partitions else None,
        system_versioned=bool(int(versioned)),
        application_period=_application_period(rows.application_period),
    )


def _at_columns(
    columns: tuple[MySQLColumn, ...], rows: TableRows
) -> tuple[tuple[MySQLColumn, ...], MySQLPrimaryKey | None, tuple[MySQLUnique, ...]]:
    """Return columns with the keys that are written at them as a person would, and those that stay at the table."""
    primary = (
        MySQLPrimaryKey(
            columns=_parts(rows.primary.parts),
            using=rows.primary.using,
            without_overlaps=rows.primary.without_overlaps,
        )
        if rows.primary is not None
        else None
    )
    keyed = (
        primary.columns[0].column
        if primary is not None and primary == MySQLPrimaryKey(columns=_whole(primary.columns))
        else ""
    )
    uniques = [
        MySQLUnique(name=each.name, columns=_parts(each.parts), without_overlaps=each.without_overlaps)
        for each in rows.uniques
    ]
    alone = {
        each.name
        for each in uniques
        if len(each.columns) == 1 and each.columns[0].column == each.name and not each.without_overlaps
    }
    found = []
    for column in columns:
        changes: dict[str, Any] = {}
        if column.name == keyed:
            changes = {"primary_key": True, "not_null": False}
        if column.name in alone:
            changes["unique"] = True
        found.append(replaced(column, changes))
    kept = tuple(each for each in uniques if each.name not in alone)
    return tuple(found), None if keyed else primary, kept


def _whole(parts: tuple[MySQLKeyPart, ...]) -> tuple[MySQLKeyPart, ...]:
    """Return the key that `primary_key` at a column means."""
    return (MySQLKeyPart(column=parts[0].column),)


def _parts(parts: tuple[tuple[str, str, int, str], ...]) -> tuple[MySQLKeyPart, ...]:
    return tuple(key_part(*each) for each in parts)


def key_part(column: str, expression: str, length: int, order: str) -> MySQLKeyPart:
    """Return a column or expression of a key."""
    return MySQLKeyPart(column=column, expression=expression, length=length or None, order=order)


def _checks(rows: TableRows, server: Server) -> tuple[tuple[MySQLCheck, ...], dict[str, str]]:
    """Return the checks of a table, and by folded name those that stand at columns."""
    at_table, at_column = [], {}
    period = _check_of_period(rows)
    for name, clause, column, enforced in rows.checks:
        text = clause if server.is_mariadb else unescaped(clause)
        if name == period:
            continue
        if int(column):
            at_column[fold(name)] = text
        else:
            at_table.append(
                MySQLCheck(name=name, expression=without_parentheses(text), enforced=bool(int(enforced)))
            )
    return tuple(sorted(at_table, key=lambda each: each.name)), at_column


def _application_period(said: tuple[str, ...]) -> ApplicationPeriod | None:
    if not said:
        return None
    name, start, end = said
    return ApplicationPeriod(name=name, start=start, end=end)


def _check_of_period(rows: TableRows) -> str | None:
    """Return the name of the check by which MariaDB keeps a period, and which it lists with the others.

    It is called as the period, with a number where another check is called so.
    """
    if not rows.application_period:
        return None
    name, start, end = rows.application_period
    like = {each[0] for each in rows.checks if each[1] == f"{quote(start)} < {quote(end)}"}
    numbered = sorted(
        (each for each in like if re.fullmatch(re.escape(name) + r"_\d+", each)),
        key=lambda each: int(each.rpartition("_")[2]),
    )
    return name if name in like else next(iter(numbered), None)


def without_parentheses(text: str) -> str:
    """Return an expression without the one pair of parentheses that encloses it all, which the server adds."""
    tokens = tokenize(text)
    if len(tokens) > 2 and tokens[0].word == "(" and tokens[-1].word == ")":
        depth = 0
        for token in tokens[:-1]:
            depth += (token.word == "(") - (token.word == ")")
            if depth == 0:
                return text
        return text[tokens[0].end : tokens[-1].start].strip()
    return text


def _column(row: Row, table_collation: str, server: Server, checks: Mapping[str, str]) -> MySQLColumn:
    name, default, nullable, kind, collation, extra, comment, generation, srid = row
    words = (extra or "").upper()
    generated = generation or ""
    period = {"ROW START": "start", "ROW END": "end"}.get(generated.upper(), "")
    if period:
        generated = ""
    elif generated and not server.is_mariadb:
        generated = unescaped(generated)
    on_update = re.search(r"on update (\S+)", extra or "", re.IGNORECASE)
    return MySQLColumn(
        name=name,
        type=_type(kind),
        not_null=nullable == "NO" and not period,
        default=None if generated or period else _default(default, kind, words, server),
        generated=without_parentheses(generated),
        stored="STORED GENERATED" in words or "PERSISTENT" in words if generated else False,
        collation="" if not collation or collation == table_collation else collation,
        check=without_parentheses(checks.get(fold(name), "")),
        comment=comment or "",
        auto_increment="AUTO_INCREMENT" in words,
        on_update_value=_time(on_update[1]) if on_update else "",
        invisible="INVISIBLE" in words,
        srid=int(srid) if srid is not None else None,
        versioned="WITHOUT SYSTEM VERSIONING" not in words,
        compressed="COMPRESSED" in kind[len(_type(kind)) :],
        period=period,
    )


def _type(text: str) -> str:
    """Return a type without what MariaDB adds to those of old tables."""
    return re.sub(r"\s*/\*.*?\*/", "", text)


def _time(text: str) -> str:
    return re.sub(r"(?i)^current_timestamp\(\)$", "CURRENT_TIMESTAMP", text).replace(
        "current_timestamp", "CURRENT_TIMESTAMP"
    )


def _default(text: str | None, kind: str, extra: str, server: Server) -> str | None:
    """Return a default as SQL; MySQL lists constants without quotes, MariaDB all of them as SQL."""
    if text is None:
        return None
    found = type_of(_type(kind))
    name = found.name if found is not None else ""
    if server.is_mariadb:
        if text == "NULL":
            return None
        if text.lower().startswith("current_timestamp"):
            return _time(text)
        text = unqualified(text, server.database, columns=False)
        return text if is_literal(text) or text.startswith("(") else f"({text})"
    if "DEFAULT_GENERATED" in extra:
        inner = unescaped(text)
        if inner.upper().startswith("CURRENT_TIMESTAMP"):
            return inner
        return inner if inner.startswith("(") and without_parentheses(inner) != inner else f"({inner})"
    if name in NUMBERS or name == "year" or (name == "bit" and text.startswith("b'")):
        return text
    if name in ("binary", "varbinary") and text.startswith("0x"):
        return text
    return literal(text)


def _as_json(column: MySQLColumn, table_collation: str, server: Server) -> MySQLColumn:
    """Return a column of MariaDB that was declared JSON, an alias for a text with a check, as that."""
    if not server.is_mariadb or column.type != "longtext":
        return column
    valid = f"json_valid(`{column.name}`)".lower()
    binary = (column.collation or table_collation) == "utf8mb4_bin"
    if not binary or column.check.lower() != valid:
        return column
    return replaced(column, {"type": "json", "collation": "", "check": ""})


def _foreign_key(row: Row) -> MySQLForeignKey:
    name, columns, schema, table, referred, update, delete = row
    return MySQLForeignKey(
        name=name,
        columns=columns,
        references=str(Reference(table, referred, schema)),
        on_update=update,
        on_delete=delete,
    )


def _partitioning(rows: tuple[Row, ...], period: str) -> Partitioning:
    first = rows[0]
    method, expression = first[3].lower(), first[4] or ""
    kind = method.split()[0]
    if kind == "system_time":
        expression = period
    parts: dict[str, Partition] = {}
    subparts = 0
    names_of_subparts: dict[str, list[str]] = {}
    for number, sub, name, _, _, description, comment, *_, subpart in rows:
        subparts = max(subparts, int(sub)) if int(number) == 1 else subparts
        if subpart is not None:
            names_of_subparts.setdefault(name, []).append(subpart)
        values = description or "" if kind in ("range", "list", "system_time") else ""
        parts.setdefault(name, Partition(name=name, values=values, comment=comment or ""))
    if any(
        name.lower() != f"{part}sp{at}".lower()
        for part, found in names_of_subparts.items()
        for at, name in enumerate(found)
    ):
        parts = {
            name: replaced(each, {"subpartitions": tuple(names_of_subparts.get(name, ()))})
            for name, each in parts.items()
        }
    names = list(parts)
    plain = kind in ("hash", "linear", "key") and names == [f"p{at}" for at in range(len(names))]
    plain = plain and not any(each.comment for each in parts.values())
    return Partitioning(
        method=method,
        expression=expression,
        count=len(names) if plain and len(names) > 1 else None,
        partitions=() if plain else tuple(parts.values()),
        subpartition_method=(first[7] or "").lower(),
        subpartition_expression=first[8] or "",
        subpartition_count=subparts or None,
    )
