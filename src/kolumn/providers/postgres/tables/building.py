"""From an entry's rows to the model of a table, in canonical form (see `canonical`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kolumn.engine.declaration import replaced
from kolumn.providers.postgres.language import names
from kolumn.providers.postgres.language.parameters import Parameters
from kolumn.providers.postgres.language.respelling import respelled
from kolumn.providers.postgres.language.tokens import tokenize
from kolumn.providers.postgres.language.types import normal_type
from kolumn.providers.postgres.tables.clauses import parse_exclusion, parse_partition_key
from kolumn.providers.postgres.tables.forms import usual_name
from kolumn.providers.postgres.tables.model import (
    Exclusion,
    Identity,
    NotNull,
    PostgresCheck,
    PostgresColumn,
    PostgresForeignKey,
    PostgresPrimaryKey,
    PostgresTable,
    PostgresUnique,
)
from kolumn.providers.postgres.tables.rows import ColumnRow, ConstraintRow, TableRow
from kolumn.sql.model import Constraint, KeyPart
from kolumn.sql.reference import Reference
from kolumn.sql.tokens import without_outer_parentheses

_STORAGES = {"p": "plain", "e": "external", "x": "extended", "m": "main"}
_COMPRESSIONS = {"p": "pglz", "l": "lz4"}
_ACTIONS = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}
_REPLICA_IDENTITIES = {"n": "nothing", "f": "full"}
_SERIALS = {"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}


def build(row: TableRow) -> PostgresTable:
    """Return the table that a row tells of, with all names filled in."""
    parents = tuple(names.relation(schema, name, row.schema) for schema, name in row.parents)
    bounds = row.bounds.removeprefix("FOR VALUES ") if row.bounds else ""
    held = [_constraint(each, row.schema) for each in row.constraints]
    handed_down = [_constraint(each, row.schema) for each in row.handed_down]
    columns = tuple(_column(each, explicit=bool(bounds) and not row.in_order) for each in row.columns)
    names_ = [column.name for column in columns]
    unusual = [each for each in handed_down if bounds and _is_unusual(row.name, each, names_)]
    table = PostgresTable(
        name=row.name,
        schema=row.schema,
        columns=columns,
        partition_by=parse_partition_key(row.partition_key) if row.partition_key else None,
        partition_of=parents[0] if bounds and parents else "",
        bounds=bounds,
        inherits=() if bounds else parents,
        of_type=normal_type(row.of_type) if row.of_type else "",
        unlogged=row.unlogged,
        parameters=_parameters(row.options, row.toast_options),
        access_method=row.access_method or "heap",
        tablespace=row.tablespace or "",
        row_level_security=row.row_level_security,
        force_row_level_security=row.force_row_level_security,
        replica_identity=_REPLICA_IDENTITIES.get(row.replica_identity, "default"),
        owner=row.owner,
        comment=row.comment,
        handed_down=tuple(each for each in handed_down if each not in unusual),
        version=row.version,
    )
    return with_constraints(table, (*held, *unusual))


def with_constraints(table: PostgresTable, constraints: Iterable[Constraint]) -> PostgresTable:
    """Return the table with `constraints` as those at the table."""
    fields: dict[str, list[Constraint]] = {field: [] for field in table.CONSTRAINTS.values()}
    for constraint in constraints:
        fields[table.CONSTRAINTS[_kind(table, constraint)]].append(constraint)
    keys = fields.pop("primary_key")
    changes: dict[str, Any] = {field: tuple(each) for field, each in fields.items()}
    changes["primary_key"] = keys[0] if keys else None
    return replaced(table, changes)


def _kind(table: PostgresTable, constraint: Constraint) -> type[Any]:
    return next(kind for kind in table.CONSTRAINTS if isinstance(constraint, kind))


def _is_unusual(table: str, constraint: Constraint, columns: list[str]) -> bool:
    """Whether a partition's constraint is not as PostgreSQL makes it after the parent's."""
    if not isinstance(constraint, PostgresPrimaryKey | PostgresUnique):
        return False
    more = constraint.comment or constraint.parameters or constraint.tablespace
    return bool(more) or constraint.name != usual_name(table, constraint, columns)


def _constraint(row: ConstraintRow, schema: str) -> Constraint:
    match row.kind:
        case "p":
            return _primary_key(row)
        case "u":
            return _unique(row)
        case "x":
            return _exclusion(row)
        case "c":
            return _check(row)
    return foreign_key(row, schema)


def _column(row: ColumnRow, *, explicit: bool) -> PostgresColumn:
    identity = None
    kind, generated, stored = normal_type(row.type), "", False
    default = respelled(row.default) if row.default is not None else None
    if row.source in ("a", "d") and (row.sequence is not None or not row.inherited):
        identity = _identity(row)
    elif row.source in ("s", "v"):
        generated, default = bare(row.default or ""), None
        stored = row.source == "s"
    elif row.sequence is not None:
        kind, default = _SERIALS[kind], None
    named = row.not_null_constraint
    if row.origin is not None and default is None and not generated and row.origin[1] is not None:
        default = "NULL"
    return PostgresColumn(
        name=row.name,
        type=kind,
        not_null=row.not_null,
        default=default,
        generated=generated,
        stored=stored,
        identity=identity,
        sequence=row.sequence.name if row.sequence is not None and identity is None else "",
        not_null_constraint=None
        if named is None
        else NotNull(
            name=named.name,
            no_inherit=named.no_inherit,
            not_valid=not named.validated,
            comment=named.comment,
        ),
        collation="" if row.collation is None else names.spelled(row.collation_schema or "", row.collation),
        storage=_STORAGES[row.storage] if row.storage else "",
        compression=_COMPRESSIONS[row.compression] if row.compression else "",
        statistics=row.statistics,
        parameters=Parameters.read(row.options or ()),
        comment=row.comment,
        inherited=row.inherited,
        local=row.local or explicit,
        follows=row.follows,
        not_null_from=row.not_null_from,
        origin=_origin(row) if row.origin is not None else None,
    )


def _origin(row: ColumnRow) -> PostgresColumn:
    """Return the parent's column as far as it may differ from this one."""
    assert row.origin is not None
    not_null, default, storage, compression = row.origin
    return PostgresColumn(
        name=row.name,
        type=normal_type(row.type),
        not_null=not_null,
        default=default,
        storage=_STORAGES[storage] if storage else "",
        compression=_COMPRESSIONS[compression] if compression else "",
    )


def _identity(row: ColumnRow) -> Identity:
    generated = "always" if row.source == "a" else "by default"
    sequence = row.sequence
    if sequence is None:
        return Identity(generated=generated)
    low, high = limits(sequence.type, sequence.increment)
    first = sequence.min_value if sequence.increment > 0 else sequence.max_value
    return Identity(
        generated=generated,
        sequence=sequence.name,
        start=None if sequence.start == first else sequence.start,
        increment=sequence.increment,
        min_value=None if sequence.min_value == low else sequence.min_value,
        max_value=None if sequence.max_value == high else sequence.max_value,
        cache=sequence.cache,
        cycle=sequence.cycle,
    )


def limits(kind: str, increment: int) -> tuple[int, int]:
    """Return the smallest and largest value of a sequence that does not say them itself."""
    high = {"smallint": 2**15 - 1, "integer": 2**31 - 1}.get(kind, 2**63 - 1)
    return (1, high) if increment > 0 else (-high - 1, -1)


def bare(text: str) -> str:
    """Return an expression of the catalogue without the parentheses around it."""
    text = respelled(text)
    tokens = without_outer_parentheses(tokenize(text))
    return text[tokens[0].start : tokens[-1].end] if tokens else text


def _parts(columns: Iterable[str]) -> tuple[KeyPart, ...]:
    return tuple(KeyPart(column=column) for column in columns)


def _primary_key(row: ConstraintRow) -> PostgresPrimaryKey:
    assert row.backing is not None
    return PostgresPrimaryKey(
        name=row.name,
        columns=_parts(row.columns),
        without_overlaps=row.period,
        include=row.backing.include,
        deferrable=row.deferrable,
        initially_deferred=row.deferred,
        parameters=_parameters(row.backing.options),
        tablespace=row.backing.tablespace or "",
        clustered=row.backing.clustered,
        replica_identity=row.backing.replica_identity,
        comment=row.comment,
    )


def _unique(row: ConstraintRow) -> PostgresUnique:
    assert row.backing is not None
    return PostgresUnique(
        name=row.name,
        columns=_parts(row.columns),
        nulls_not_distinct=row.backing.nulls_not_distinct,
        without_overlaps=row.period,
        include=row.backing.include,
        deferrable=row.deferrable,
        initially_deferred=row.deferred,
        parameters=_parameters(row.backing.options),
        tablespace=row.backing.tablespace or "",
        clustered=row.backing.clustered,
        replica_identity=row.backing.replica_identity,
        comment=row.comment,
    )


def _exclusion(row: ConstraintRow) -> Exclusion:
    assert row.backing is not None
    parsed = parse_exclusion(respelled(row.text or ""))
    return Exclusion(
        name=row.name,
        columns=parsed.parts,
        method=parsed.method,
        where=parsed.where,
        include=row.backing.include,
        deferrable=row.deferrable,
        initially_deferred=row.deferred,
        parameters=_parameters(row.backing.options),
        tablespace=row.backing.tablespace or "",
        clustered=row.backing.clustered,
        replica_identity=row.backing.replica_identity,
        comment=row.comment,
    )


def _check(row: ConstraintRow) -> PostgresCheck:
    return PostgresCheck(
        name=row.name,
        expression=bare(row.text or ""),
        no_inherit=row.no_inherit,
        not_valid=row.enforced and not row.validated,
        not_enforced=not row.enforced,
        comment=row.comment,
    )


def foreign_key(row: ConstraintRow, schema: str) -> PostgresForeignKey:
    """Return the foreign key of a table in `schema` that a row tells of."""
    target = row.target
    assert target is not None
    where = "" if target.schema == schema else target.schema or "public"
    return PostgresForeignKey(
        name=row.name,
        columns=row.columns,
        references=str(Reference(target.table, target.columns, where)),
        on_update=_ACTIONS[target.on_update],
        on_delete=_ACTIONS[target.on_delete],
        on_delete_columns=target.on_delete_columns,
        match="full" if target.full else "simple",
        deferrable=row.deferrable,
        initially_deferred=row.deferred,
        period=row.period,
        not_valid=row.enforced and not row.validated,
        not_enforced=not row.enforced,
        comment=row.comment,
    )


def _parameters(options: list[str] | None, toast: list[str] | None = None) -> Parameters:
    mine = Parameters.read(options or ())
    return Parameters({**mine, **Parameters.read(toast, "toast.")}) if toast else mine
