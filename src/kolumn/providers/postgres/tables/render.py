"""Writes tables as SQL: CREATE TABLE, the clauses of columns and constraints, and what can only be said afterwards.

Everything here takes tables in canonical form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kolumn.engine.sharing import OncePerObject
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.language import names, naming
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.parameters import Parameters
from kolumn.providers.postgres.language.tokens import literal, qualified, quote
from kolumn.providers.postgres.language.types import serial_of
from kolumn.providers.postgres.tables.bounds import bounds_sql
from kolumn.providers.postgres.tables.model import (
    Exclusion,
    ExclusionPart,
    Identity,
    NotNull,
    PostgresCheck,
    PostgresColumn,
    PostgresForeignKey,
    PostgresKeyPart,
    PostgresPrimaryKey,
    PostgresTable,
    PostgresUnique,
)
from kolumn.sql.model import Constraint, KeyPart
from kolumn.sql.reference import parse_reference

_INDEXED = PostgresPrimaryKey | PostgresUnique | Exclusion


def create_table(table: PostgresTable, server: Server) -> Iterator[str]:
    """Yield the statements that create a table, without its owner and its comment."""
    name = qualified(table.schema, table.name)
    for column in table.columns:
        if named_sequence(table, column):
            kind = serial_of(column.type)
            yield f"CREATE SEQUENCE {sequence_sql(table, column)} AS {kind}"
    attached = _is_attached(table)
    inner = ",\n".join(f"    {line}" for line in _elements(table, server, attached=attached))
    yield "".join(
        (
            f"CREATE {'UNLOGGED ' if table.unlogged else ''}TABLE {name} ",
            _origin(table, inner, attached=attached),
            "" if attached or not table.partition_of else f" {bounds_sql(table.bounds)}",
            f" INHERITS ({', '.join(relation_sql(table, each) for each in table.inherits)})"
            if table.inherits
            else "",
            f" {partition_by_sql(table)}" if table.partition_by is not None else "",
            f" USING {quote(table.access_method)}" if table.access_method != "heap" else "",
            f" WITH ({_parameters(table.parameters).sql()})" if table.parameters else "",
            f" TABLESPACE {quote(table.tablespace)}" if table.tablespace else "",
        )
    )
    for column in table.columns:
        if named_sequence(table, column):
            yield f"ALTER SEQUENCE {sequence_sql(table, column)} OWNED BY {name}.{quote(column.name)}"
    if attached:
        yield attach_sql(table)
    actions = [*_afterwards(table)]
    if actions:
        yield alter_table(table, actions)
    yield from _comments(table)


def _is_attached(table: PostgresTable) -> bool:
    """Whether a partition is made on its own first, as it says more than PARTITION OF can."""
    keys = table.primary_key is not None or table.uniques
    return bool(table.partition_of) and bool(keys or any(column.local for column in table.columns))


def alter_table(table: PostgresTable, actions: Iterable[str], *, only: bool = False) -> str:
    """Return one ALTER TABLE with all `actions`, `only` without those that inherit from the table."""
    place = qualified(table.schema, table.name)
    return f"ALTER TABLE {'ONLY ' if only else ''}{place} " + ", ".join(actions)


def attach_sql(table: PostgresTable) -> str:
    """Return the statement that makes a table the partition it is to be."""
    parent = relation_sql(table, table.partition_of)
    name = qualified(table.schema, table.name)
    return f"ALTER TABLE {parent} ATTACH PARTITION {name} {bounds_sql(table.bounds)}"


def detach_sql(table: PostgresTable) -> str:
    """Return the statement that makes a partition a table of its own."""
    parent = relation_sql(table, table.partition_of)
    return f"ALTER TABLE {parent} DETACH PARTITION {qualified(table.schema, table.name)}"


def relation_sql(table: PostgresTable, text: str) -> str:
    """Return the name of another table that `table` refers to."""
    return qualified(*names.related(text, table.schema))


def _origin(table: PostgresTable, inner: str, *, attached: bool) -> str:
    body = f"(\n{inner}\n)" if inner else "()"
    if table.partition_of and not attached:
        parent = relation_sql(table, table.partition_of)
        return f"PARTITION OF {parent}" + (f" {body}" if inner else "")
    if table.of_type:
        return f"OF {embedded(table.of_type)}" + (f" {body}" if inner else "")
    return body


def _elements(table: PostgresTable, server: Server, *, attached: bool) -> Iterator[str]:
    for column in table.columns:
        if attached or column.local or not table.derives:
            yield column_sql(table, column, server)
        elif not column.follows and not table.inherits and (options := _options(table, column, server)):
            yield f"{quote(column.name)} {options}"
    handed_down = [each for each in table.handed_down if each.KIND == "check"] if attached else []
    for constraint in dict.fromkeys((*table.constraints(), *handed_down)):
        yield constraint_sql(table, constraint)


def _has_not_null_from_parent(column: PostgresColumn) -> bool:
    handed_down = column.origin is not None and column.origin.not_null
    named = column.not_null_constraint
    return handed_down and (named is None or named.name == column.not_null_from)


def _options(table: PostgresTable, column: PostgresColumn, server: Server) -> str:
    if _has_not_null_from_parent(column):
        return _source(table, column)
    parts = [_source(table, column), _not_null(table, column, server)]
    return " ".join(part for part in parts if part)


# Columns


def column_sql(table: PostgresTable, column: PostgresColumn, server: Server) -> str:
    """Return a column as CREATE TABLE and ADD COLUMN have it."""
    if column.sequence or column.identity is not None or column.not_null_constraint is not None:
        parts = (column_type(table, column), _source(table, column), _not_null(table, column, server))
        return _column_sql(column, *parts)
    return _plain_column_sql(column)


@OncePerObject
def _plain_column_sql(column: PostgresColumn) -> str:
    """Return a column in which no name depends on the table's."""
    return _column_sql(
        column, embedded(column.type), _expression(column), "NOT NULL" if column.not_null else ""
    )


def _column_sql(column: PostgresColumn, kind: str, source: str, not_null: str) -> str:
    parts = [
        quote(column.name),
        kind,
        f"COLLATE {names.name_sql(column.collation)}" if column.collation else "",
        f"COMPRESSION {quote(column.compression)}" if column.compression else "",
        source,
        not_null,
    ]
    return " ".join(part for part in parts if part)


def column_type(table: PostgresTable, column: PostgresColumn) -> str:
    """Return the type to create a column with."""
    if named_sequence(table, column):
        return serial_of(column.type) or ""
    return embedded(column.type)


def _source(table: PostgresTable, column: PostgresColumn) -> str:
    if column.identity is not None and not column.generated:
        options = " ".join(identity_options(table, column.identity))
        generated = f"GENERATED {column.identity.generated.upper()} AS IDENTITY"
        return f"{generated} ({options})" if options else generated
    if named_sequence(table, column) and not column.generated:
        return f"DEFAULT {next_value(table, column)}"
    return _expression(column)


def _expression(column: PostgresColumn) -> str:
    if column.generated:
        return (
            f"GENERATED ALWAYS AS ({embedded(column.generated)}) {'STORED' if column.stored else 'VIRTUAL'}"
        )
    return f"DEFAULT {default_sql(column)}" if column.default is not None else ""


def default_sql(column: PostgresColumn) -> str:
    """Return a default as an expression that stands for itself."""
    return embedded(column.default or "NULL")


def _not_null(table: PostgresTable, column: PostgresColumn, server: Server) -> str:
    if not column.not_null:
        return ""
    named = column.not_null_constraint
    if named is None or not server.since(18):
        return "NOT NULL"
    usual = column.not_null_from or naming.not_null_name(table.name, column.name)
    words = "NOT NULL" if named.name in ("", usual) else f"CONSTRAINT {quote(named.name)} NOT NULL"
    return f"{words} NO INHERIT" if named.no_inherit else words


def named_sequence(table: PostgresTable, column: PostgresColumn) -> bool:
    """Whether a serial column's sequence has a name that PostgreSQL would not give it."""
    return bool(
        column.sequence
        and column.sequence != naming.sequence_name(table.name, column.name)
        and serial_of(column.type) is not None
    )


def sequence_sql(table: PostgresTable, column: PostgresColumn) -> str:
    """Return the name of the sequence of a serial or identity column."""
    given = column.sequence or (column.identity.sequence if column.identity is not None else "")
    return qualified(table.schema, given or naming.sequence_name(table.name, column.name))


def next_value(table: PostgresTable, column: PostgresColumn) -> str:
    """Return the default of a serial column."""
    return f"nextval({literal(sequence_sql(table, column))}::regclass)"


def identity_options(table: PostgresTable, identity: Identity) -> Iterator[str]:
    """Yield the options of an identity column's sequence that are not the usual ones."""
    if identity.sequence:
        yield f"SEQUENCE NAME {qualified(table.schema, identity.sequence)}"
    if identity.increment != 1:
        yield f"INCREMENT BY {identity.increment}"
    if identity.min_value is not None:
        yield f"MINVALUE {identity.min_value}"
    if identity.max_value is not None:
        yield f"MAXVALUE {identity.max_value}"
    if identity.start is not None:
        yield f"START WITH {identity.start}"
    if identity.cache != 1:
        yield f"CACHE {identity.cache}"
    if identity.cycle:
        yield "CYCLE"


# Constraints


def constraint_sql(table: PostgresTable, constraint: Constraint) -> str:
    """Return a constraint as CREATE TABLE and ADD CONSTRAINT have it."""
    return f"CONSTRAINT {quote(constraint.name)} {constraint_body(table, constraint)}"


def constraint_body(table: PostgresTable, constraint: Constraint) -> str:
    """Return a constraint without its name."""
    match constraint:
        case PostgresCheck():
            body = f"CHECK ({embedded(constraint.expression)})"
            return body + (" NO INHERIT" if constraint.no_inherit else "") + _validity(constraint)
        case PostgresForeignKey():
            return _foreign_key(table, constraint)
        case PostgresPrimaryKey():
            return f"PRIMARY KEY {_key(constraint)}"
        case PostgresUnique():
            nulls = "NULLS NOT DISTINCT " if constraint.nulls_not_distinct else ""
            return f"UNIQUE {nulls}{_key(constraint)}"
    assert isinstance(constraint, Exclusion)
    parts = ", ".join(_exclusion_part(each) for each in constraint.columns)
    where = f" WHERE ({embedded(constraint.where)})" if constraint.where else ""
    return (
        f"EXCLUDE USING {quote(constraint.method)} ({parts})"
        f"{_index_clauses(constraint)}{where}{_deferral(constraint)}"
    )


def _key(constraint: PostgresPrimaryKey | PostgresUnique) -> str:
    columns = ", ".join(quote(part.column) for part in constraint.columns)
    overlaps = " WITHOUT OVERLAPS" if constraint.without_overlaps else ""
    return f"({columns}{overlaps}){_index_clauses(constraint)}{_deferral(constraint)}"


def _index_clauses(constraint: _INDEXED) -> str:
    include = f" INCLUDE ({', '.join(map(quote, constraint.include))})" if constraint.include else ""
    options = f" WITH ({_parameters(constraint.parameters).sql()})" if constraint.parameters else ""
    tablespace = f" USING INDEX TABLESPACE {quote(constraint.tablespace)}" if constraint.tablespace else ""
    return f"{include}{options}{tablespace}"


def _deferral(constraint: _INDEXED | PostgresForeignKey) -> str:
    if not constraint.deferrable:
        return ""
    return " DEFERRABLE INITIALLY DEFERRED" if constraint.initially_deferred else " DEFERRABLE"


def _validity(constraint: PostgresCheck | PostgresForeignKey) -> str:
    if constraint.not_enforced:
        return " NOT ENFORCED"
    return " NOT VALID" if constraint.not_valid else ""


def _foreign_key(table: PostgresTable, key: PostgresForeignKey) -> str:
    target = parse_reference(key.references)
    assert target is not None
    parts = [f"FOREIGN KEY ({_columns(key.columns, key.period)})"]
    name = qualified(target.schema or table.schema, target.table)
    parts.append(f"REFERENCES {name}")
    if target.columns:
        parts[-1] += f"({_columns(target.columns, key.period)})"
    if key.match.lower() == "full":
        parts.append("MATCH FULL")
    for event, action in (("UPDATE", key.on_update), ("DELETE", key.on_delete)):
        if action.lower() != "no action":
            only = f" ({', '.join(map(quote, key.on_delete_columns))})" if key.on_delete_columns else ""
            parts.append(f"ON {event} {action.upper()}{only if event == 'DELETE' else ''}")
    return " ".join(parts) + _deferral(key) + _validity(key)


def _columns(columns: tuple[str, ...], period: bool) -> str:
    quoted = [quote(column) for column in columns]
    if period:
        quoted[-1] = f"PERIOD {quoted[-1]}"
    return ", ".join(quoted)


def _exclusion_part(part: ExclusionPart) -> str:
    return f"{part_sql(part)} WITH {names.operator_sql(part.operator)}"


def part_sql(part: KeyPart) -> str:
    """Return a column or expression of an index, with all that is said of it."""
    words = [quote(part.column) if part.column else f"({embedded(part.expression)})"]
    if isinstance(part, PostgresKeyPart):
        if part.collation:
            words.append(f"COLLATE {names.name_sql(part.collation)}")
        if part.opclass:
            words.append(names.name_sql(part.opclass))
        if part.opclass_parameters:
            words[-1] += f" ({_parameters(part.opclass_parameters).sql()})"
        if part.order.lower() == "desc":
            words.append("DESC")
        if part.nulls:
            words.append(f"NULLS {part.nulls.upper()}")
    return " ".join(words)


def partition_by_sql(table: PostgresTable) -> str:
    """Return how a table is partitioned."""
    assert table.partition_by is not None
    columns = ", ".join(part_sql(part) for part in table.partition_by.columns)
    return f"PARTITION BY {table.partition_by.strategy.upper()} ({columns})"


# Afterwards


def _afterwards(table: PostgresTable) -> Iterator[str]:
    """Yield the actions of ALTER TABLE for what CREATE TABLE cannot say."""
    for column in table.columns:
        if table.inherits and not column.local and not column.follows:
            if column.default is not None:
                yield f"ALTER COLUMN {quote(column.name)} SET DEFAULT {default_sql(column)}"
            if column.not_null and not _has_not_null_from_parent(column):
                yield f"ALTER COLUMN {quote(column.name)} SET NOT NULL"
        if column.local or not column.follows:
            yield from column_settings(column)
    for constraint in table.constraints():
        yield from index_marks(constraint)
    if table.row_level_security:
        yield "ENABLE ROW LEVEL SECURITY"
    if table.force_row_level_security:
        yield "FORCE ROW LEVEL SECURITY"
    if table.replica_identity.lower() != "default":
        yield f"REPLICA IDENTITY {table.replica_identity.upper()}"


def column_settings(column: PostgresColumn) -> Iterator[str]:
    """Yield the actions for what ADD COLUMN cannot say of a column."""
    name = quote(column.name)
    if column.storage:
        yield f"ALTER COLUMN {name} SET STORAGE {column.storage.upper()}"
    if column.statistics is not None:
        yield f"ALTER COLUMN {name} SET STATISTICS {column.statistics}"
    if column.parameters:
        yield f"ALTER COLUMN {name} SET ({_parameters(column.parameters).sql()})"


def index_marks(constraint: Constraint) -> Iterator[str]:
    """Yield the actions that say what else the index of a constraint is for."""
    if isinstance(constraint, PostgresPrimaryKey | PostgresUnique | Exclusion):
        if constraint.clustered:
            yield f"CLUSTER ON {quote(constraint.name)}"
        if constraint.replica_identity:
            yield f"REPLICA IDENTITY USING INDEX {quote(constraint.name)}"


def _comments(table: PostgresTable) -> Iterator[str]:
    for column in table.columns:
        if column.comment:
            yield column_comment(table, column)
        named = column.not_null_constraint
        if named is not None and named.comment:
            yield constraint_comment(table, named)
    for constraint in table.constraints():
        if getattr(constraint, "comment", ""):
            yield constraint_comment(table, constraint)


def column_comment(table: PostgresTable, column: PostgresColumn) -> str:
    """Return the statement that sets a column's comment, or takes it away."""
    name = f"{qualified(table.schema, table.name)}.{quote(column.name)}"
    return f"COMMENT ON COLUMN {name} IS {_text(column.comment)}"


def constraint_comment(table: PostgresTable, constraint: Constraint | NotNull) -> str:
    """Return the statement that sets a constraint's comment, or takes it away."""
    comment: str = getattr(constraint, "comment", "")
    place = qualified(table.schema, table.name)
    return f"COMMENT ON CONSTRAINT {quote(constraint.name)} ON {place} IS {_text(comment)}"


def _text(comment: str) -> str:
    return literal(comment) if comment else "NULL"


def _parameters(given: object) -> Parameters:
    assert isinstance(given, Parameters)
    return given
