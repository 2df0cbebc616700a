"""Tables as SQL (https://dev.mysql.com/doc/refman/9.4/en/create-table.html)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kolumn.contract.errors import Problem, ValidationError
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.fragments import embedded, is_literal
from kolumn.providers.mysql.language.tokens import literal, qualified, quote
from kolumn.providers.mysql.language.types import type_of
from kolumn.providers.mysql.tables.model import (
    ApplicationPeriod,
    MySQLCheck,
    MySQLColumn,
    MySQLIndex,
    MySQLTable,
    Partitioning,
)
from kolumn.sql.model import Check, Constraint, ForeignKey, KeyPart, PrimaryKey, Unique
from kolumn.sql.reference import parse_reference


def create_table(table: MySQLTable, server: Server, indexes: Iterable[MySQLIndex] = ()) -> str:
    """Return CREATE TABLE with all its constraints, and `indexes` that it cannot be without."""
    lines = [column_sql(each, table, server) for each in table.columns]
    inline = {each for column in table.columns for each in inline_checks(column, server)}
    for constraint in dict.fromkeys(table.constraints()):
        if constraint not in inline:
            lines.append(constraint_sql(table, constraint, server))
    lines += [index_sql(each, server) for each in indexes]
    periods = {each.period.lower(): each.name for each in table.columns if each.period}
    if len(periods) == 2:
        lines.append(f"PERIOD FOR SYSTEM_TIME ({quote(periods['start'])}, {quote(periods['end'])})")
    if table.application_period is not None:
        lines.append(period_sql(table.application_period))
    text = f"CREATE TABLE {qualified(table.schema, table.name)} (\n  " + ",\n  ".join(lines) + "\n)"
    options = [*table_options(table), *(["WITH SYSTEM VERSIONING"] if table.system_versioned else [])]
    if table.auto_increment_start is not None:
        options.append(f"AUTO_INCREMENT={table.auto_increment_start}")
    if options:
        text += " " + " ".join(options)
    if table.partition_by is not None:
        text += "\n" + partition_by(table.partition_by)
    return text


def table_options(table: MySQLTable) -> Iterator[str]:
    """Yield the options that a table names."""
    if table.engine:
        yield f"ENGINE={table.engine}"
    if table.character_set:
        yield f"DEFAULT CHARACTER SET={table.character_set}"
    if table.collation:
        yield f"COLLATE={table.collation}"
    if table.row_format:
        yield f"ROW_FORMAT={table.row_format}"
    if table.comment:
        yield f"COMMENT={literal(table.comment)}"
    for key, value in (table.options or {}).items():
        yield option(key, str(value))


def option(key: str, value: str) -> str:
    """Return a table option of any name."""
    plain = value.replace(".", "").isalnum()
    return f"{key.upper()}={value if plain else literal(value)}"


def column_sql(column: MySQLColumn, table: MySQLTable, server: Server) -> str:
    """Return the definition of a column, without the constraints that stand at the table as well."""
    words = [quote(column.name), embedded(column.type)]
    kind = type_of(column.type)
    if column.compressed:
        words.append("COMPRESSED")
    if column.character_set:
        words.append(f"CHARACTER SET {column.character_set}")
    if column.collation:
        words.append(f"COLLATE {column.collation}")
    if column.period:
        words.append(f"GENERATED ALWAYS AS ROW {column.period.upper()}")
    elif column.generated:
        words.append(
            f"GENERATED ALWAYS AS ({embedded(column.generated)}) {'STORED' if column.stored else 'VIRTUAL'}"
        )
    if column.not_null and not (column.generated and server.is_mariadb):
        words.append("NOT NULL")
    elif (
        kind is not None
        and kind.name == "timestamp"
        and not (column.generated or column.period)
        and not _is_key(column, table)
    ):
        words.append("NULL")
    if column.srid is not None:
        words.append(f"{'SRID' if server.spatial_reference_systems else 'REF_SYSTEM_ID ='} {column.srid}")
    if column.invisible:
        words.append("INVISIBLE")
    if column.default is not None and not column.generated:
        words.append(f"DEFAULT {default_sql(column.default)}")
    if column.on_update_value:
        words.append(f"ON UPDATE {embedded(column.on_update_value)}")
    if column.auto_increment:
        words.append("AUTO_INCREMENT")
    if not column.versioned:
        words.append("WITHOUT SYSTEM VERSIONING")
    if column.comment:
        words.append(f"COMMENT {literal(column.comment)}")
    words += [f"CHECK ({embedded(each.expression)})" for each in inline_checks(column, server)]
    return " ".join(words)


def _is_key(column: MySQLColumn, table: MySQLTable) -> bool:
    return any(
        part.column == column.name
        for each in table.constraints()
        if isinstance(each, PrimaryKey)
        for part in each.columns
    )


def inline_checks(column: MySQLColumn, server: Server) -> list[MySQLCheck]:
    """Return the check written at a column where the server keeps it there, as MariaDB does."""
    if not server.is_mariadb:
        return []
    return [each for each in column.own_constraints if isinstance(each, MySQLCheck)]


def default_sql(text: str) -> str:
    """Return a default as it stands after DEFAULT: an expression in parentheses, unless it is a constant."""
    inner = embedded(text)
    return inner if is_literal(inner) or (inner.startswith("(") and inner.endswith(")")) else f"({inner})"


def constraint_sql(table: MySQLTable, constraint: Constraint, server: Server) -> str:
    """Return a constraint as it stands in CREATE TABLE and after ADD."""
    name = f"CONSTRAINT {quote(constraint.name)} " if constraint.name else ""
    match constraint:
        case PrimaryKey():
            using = str(getattr(constraint, "using", ""))
            key = _constraint_key(table, constraint)
            return f"PRIMARY KEY {key}" + (f" USING {using.upper()}" if using else "")
        case Unique():
            name = f"{quote(constraint.name)} " if constraint.name else ""
            return f"UNIQUE KEY {name}{_constraint_key(table, constraint)}"
        case Check():
            enforced = "" if getattr(constraint, "enforced", True) else " NOT ENFORCED"
            return f"{name}CHECK ({embedded(constraint.expression)}){enforced}"
        case ForeignKey():
            return name + foreign_key_sql(table, constraint, server)
    raise AssertionError(constraint)


def period_sql(period: ApplicationPeriod) -> str:
    """Return a period as it stands in CREATE TABLE and after ADD."""
    return f"PERIOD FOR {quote(period.name)} ({quote(period.start)}, {quote(period.end)})"


def _constraint_key(table: MySQLTable, constraint: PrimaryKey | Unique) -> str:
    """Return the columns of a constraint, and the period in which its rows do not overlap."""
    period = table.application_period
    if not getattr(constraint, "without_overlaps", False) or period is None:
        return key_sql(constraint.columns)
    parts = ", ".join(map(_part, constraint.columns))
    return f"({parts}, {quote(period.name)} WITHOUT OVERLAPS)"


def foreign_key_sql(table: MySQLTable, key: ForeignKey, server: Server) -> str:
    """Return a foreign key without its name."""
    target = parse_reference(key.references)
    assert target is not None
    columns = ", ".join(map(quote, key.columns))
    referred = ", ".join(map(quote, target.columns or key.columns))
    place = qualified(target.schema or table.schema, target.table)
    text = f"FOREIGN KEY ({columns}) REFERENCES {place} ({referred})"
    for event, action in (("DELETE", key.on_delete), ("UPDATE", key.on_update)):
        # MariaDB means RESTRICT where nothing is said, MySQL NO ACTION; InnoDB does the same for both.
        if (server.is_mariadb and action.lower() != "restrict") or action.lower() != "no action":
            text += f" ON {event} {action.upper()}"
    return text


def key_sql(parts: Iterable[KeyPart]) -> str:
    """Return the columns of a key or index, in parentheses."""
    return f"({', '.join(map(_part, parts))})"


def index_sql(index: MySQLIndex, server: Server) -> str:
    """Return an index as it stands in CREATE TABLE and after ADD. Raises ValidationError."""
    if any(part.expression for part in index.columns) and not server.functional_indexes:
        raise ValidationError.of(
            [
                Problem(
                    f"{server.product} has no indexes over expressions",
                    code="unsupported_by_server",
                    path="columns",
                    resource=f"mysql_index.{index.name}",
                    hint="Add a generated column, and index that.",
                )
            ]
        )
    kind = f"{index.kind.upper()} " if index.kind else "UNIQUE " if index.unique else ""
    words = [f"{kind}INDEX {quote(index.name)} {key_sql(index.columns)}"]
    if index.using:
        words.append(f"USING {index.using.upper()}")
    if index.key_block_size is not None:
        words.append(f"KEY_BLOCK_SIZE={index.key_block_size}")
    if index.parser:
        words.append(f"WITH PARSER {quote(index.parser)}")
    if index.comment:
        words.append(f"COMMENT {literal(index.comment)}")
    if not index.visible:
        words.append(visibility(index, server))
    return " ".join(words)


def visibility(index: MySQLIndex, server: Server) -> str:
    """Return whether queries may use an index, as the server says it."""
    if server.is_mariadb:
        return "NOT IGNORED" if index.visible else "IGNORED"
    return "VISIBLE" if index.visible else "INVISIBLE"


def _part(part: Any) -> str:
    text = f"({embedded(part.expression)})" if part.expression else quote(part.column)
    if getattr(part, "length", None):
        text += f"({part.length})"
    return text + (" DESC" if part.order.lower() == "desc" else "")


def partition_by(how: Partitioning) -> str:
    """Return PARTITION BY with all its partitions."""
    method = how.method.upper()
    text = f"PARTITION BY {method}"
    text += f" {embedded(how.expression)}" if method == "SYSTEM_TIME" and how.expression else ""
    text += "" if method == "SYSTEM_TIME" else f" ({embedded(how.expression) if how.expression else ''})"
    if how.count is not None:
        text += f" PARTITIONS {how.count}"
    if how.subpartition_method:
        text += f" SUBPARTITION BY {how.subpartition_method.upper()} ({embedded(how.subpartition_expression) or ''})"
        if how.subpartition_count is not None and not any(each.subpartitions for each in how.partitions):
            text += f" SUBPARTITIONS {how.subpartition_count}"
    if how.partitions:
        text += " (" + ", ".join(partition_sql(how, each) for each in how.partitions) + ")"
    return text


def partition_sql(how: Partitioning, part: Any) -> str:
    """Return one partition."""
    text = f"PARTITION {quote(part.name)}"
    kind = how.method.lower().split()[0]
    values = embedded(part.values) if part.values else ""
    if kind == "range":
        columns = how.method.lower() == "range columns"
        bare = values.upper() == "MAXVALUE" and not columns
        text += f" VALUES LESS THAN {'MAXVALUE' if bare else f'({values})'}"
    elif kind == "list":
        text += f" VALUES IN ({values})"
    elif kind == "system_time":
        text += f" {values.upper() or 'HISTORY'}"
    text += f" COMMENT = {literal(part.comment)}" if part.comment else ""
    names = ", ".join(f"SUBPARTITION {quote(each)}" for each in part.subpartitions)
    return f"{text} ({names})" if names else text
