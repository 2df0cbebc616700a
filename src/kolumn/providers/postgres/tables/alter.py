"""The SQL of changes inside a table.

Each change is what must run before ALTER TABLE, the actions of one ALTER TABLE, and what must run after it.
PostgreSQL works through the actions of one statement in passes (drops, types, new columns, the rest of columns,
constraints: `AlterTablePass` in src/backend/commands/tablecmds.c), and copies the rows once at the end; so what
comes together is written as one statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.language import names, naming
from kolumn.providers.postgres.language.conversions import conversion
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.parameters import Parameters
from kolumn.providers.postgres.language.tokens import literal, qualified, quote
from kolumn.providers.postgres.language.types import normal_type, serial_of
from kolumn.providers.postgres.tables import render
from kolumn.providers.postgres.tables.model import (
    Exclusion,
    Identity,
    NotNull,
    PostgresColumn,
    PostgresForeignKey,
    PostgresPrimaryKey,
    PostgresTable,
    PostgresUnique,
)
from kolumn.providers.postgres.tables.operations import AttachPartition, DetachPartition, RemakeColumn
from kolumn.sql.model import Constraint
from kolumn.sql.operations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterConstraint,
    AlterTable,
    AlterTogether,
    DropColumn,
    DropConstraint,
    RenameColumn,
)


@dataclass(slots=True)
class Change:
    """The statements of one change, those of ALTER TABLE as their actions."""

    before: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def together(operation: AlterTable) -> bool:
    """Whether a change can share an ALTER TABLE with others."""
    if isinstance(operation, RenameColumn | AttachPartition | DetachPartition):
        return False
    return not (isinstance(operation, AlterConstraint) and "name" in operation.fields)


def alter(operation: AlterTable, server: Server) -> Iterator[str]:
    """Yield the statements of a change inside a table."""
    if isinstance(operation, AttachPartition):
        yield render.attach_sql(_table(operation.after))
        return
    if isinstance(operation, DetachPartition):
        yield render.detach_sql(_table(operation.before))
        return
    if isinstance(operation, RenameColumn):
        old, new = quote(operation.old), quote(operation.new)
        yield render.alter_table(_table(operation.before), [f"RENAME COLUMN {old} TO {new}"])
        return
    change = Change()
    for each in operation.because if isinstance(operation, AlterTogether) else (operation,):
        _collect(each, change, server)
    yield from change.before
    if change.actions:
        yield render.alter_table(_table(operation.before), change.actions)
    yield from change.after


def _collect(operation: AlterTable, change: Change, server: Server) -> None:
    before, after = _table(operation.before), _table(operation.after)
    match operation:
        case AddColumn(column=PostgresColumn() as column):
            _add_column(after, column, change, server)
        case DropColumn(column=column):
            change.actions.append(f"DROP COLUMN {quote(column.name)}")
        case RemakeColumn(new=PostgresColumn() as new):
            change.actions.append(f"DROP COLUMN {quote(operation.old.name)}")
            _add_column(after, new, change, server)
        case AlterColumn(old=PostgresColumn() as old, new=PostgresColumn() as new):
            _ColumnChange(before, after, old, new, change, server).collect(operation.fields)
        case AddConstraint(constraint=constraint):
            change.actions.append(f"ADD {render.constraint_sql(after, constraint)}")
            change.actions += render.index_marks(constraint)
            if getattr(constraint, "comment", ""):
                change.after.append(render.constraint_comment(after, constraint))
        case DropConstraint(constraint=constraint):
            change.actions.append(f"DROP CONSTRAINT {quote(constraint.name)}")
        case AlterConstraint(old=old_constraint, new=new_constraint):
            _alter_constraint(after, old_constraint, new_constraint, operation.fields, change)
        case _:
            _alter_table(before, after, operation.fields, change)


def _add_column(table: PostgresTable, column: PostgresColumn, change: Change, server: Server) -> None:
    owned = render.named_sequence(table, column)
    if owned:
        change.before.append(
            f"CREATE SEQUENCE {render.sequence_sql(table, column)} AS {serial_of(column.type)}"
        )
    change.actions.append(f"ADD COLUMN {render.column_sql(table, column, server)}")
    change.actions += render.column_settings(column)
    if owned:
        change.after.append(_owned_by(table, column))
    if column.comment:
        change.after.append(render.column_comment(table, column))
    named = column.not_null_constraint
    if named is not None and named.comment:
        change.after.append(render.constraint_comment(table, named))


def _owned_by(table: PostgresTable, column: PostgresColumn) -> str:
    place = f"{qualified(table.schema, table.name)}.{quote(column.name)}"
    return f"ALTER SEQUENCE {render.sequence_sql(table, column)} OWNED BY {place}"


class _ColumnChange:
    """What differs between two states of a column, as actions in an order PostgreSQL accepts."""

    def __init__(
        self,
        before: PostgresTable,
        after: PostgresTable,
        old: PostgresColumn,
        new: PostgresColumn,
        change: Change,
        server: Server,
    ) -> None:
        self._before = before
        self._table = after
        self._old = old
        self._new = new
        self._change = change
        self._server = server
        self._serial_before, self._serial_after = serial_of(old.type), serial_of(new.type)

    def collect(self, fields: Iterable[str]) -> None:
        """Add the actions for all that differs."""
        changed = set(fields)
        old, new = self._old, self._new
        values_from = changed & {"type", "default", "identity", "sequence", "generated", "stored"}
        if values_from:
            self._leave_source()
        if "not_null" in changed and not new.not_null:
            self._action("DROP NOT NULL")
        retyped = self._type_before != self._type_after or "collation" in changed
        if retyped:
            self._change_type()
        if "not_null" in changed and new.not_null:
            self._set_not_null()
        if values_from:
            self._enter_source()
        if "storage" in changed:
            self._action(f"SET STORAGE {new.storage.upper() or 'DEFAULT'}")
        if "compression" in changed:
            self._action(f"SET COMPRESSION {quote(new.compression) if new.compression else 'DEFAULT'}")
        if "statistics" in changed:
            self._action(f"SET STATISTICS {-1 if new.statistics is None else new.statistics}")
        if "parameters" in changed:
            for each in _parameters(old.parameters).changes(_parameters(new.parameters)):
                self._action(each)
        if "not_null_constraint" in changed and old.not_null and new.not_null:
            self._change.after += _not_null_changes(self._table, old, new)
        if "comment" in changed:
            self._change.after.append(render.column_comment(self._table, new))

    @property
    def _type_before(self) -> str:
        return normal_type(self._serial_before or self._old.type)

    @property
    def _type_after(self) -> str:
        return normal_type(self._serial_after or self._new.type)

    def _action(self, text: str) -> None:
        self._change.actions.append(f"ALTER COLUMN {quote(self._new.name)} {text}")

    @property
    def _using(self) -> bool:
        """Whether the type changes in a way that PostgreSQL does not make by itself."""
        if self._type_before == self._type_after or self._new.generated:
            return False
        return bool(self._new.using or self._conversion)

    @property
    def _conversion(self) -> str:
        """The expression that makes the new value out of the old one, empty where PostgreSQL knows by itself."""
        return conversion(self._old.type, self._new.type).using(self._new.name)

    def _leave_source(self) -> None:
        """Take away where values come from now, as far as they will not come from there.

        The sequence goes at once where another one may take its name.
        """
        old, new = self._old, self._new
        if old.identity is not None and new.identity is None:
            self._at_once("DROP IDENTITY", at_once=bool(self._serial_after))
        if self._serial_before and not self._serial_after:
            at_once = new.identity is not None
            self._at_once("DROP DEFAULT", at_once=at_once)
            statements = self._change.before if at_once else self._change.after
            statements.append(f"DROP SEQUENCE {render.sequence_sql(self._before, old)}")
        elif old.default is not None and (new.default is None or self._using):
            self._action("DROP DEFAULT")
        if old.generated and not new.generated:
            self._action("DROP EXPRESSION")

    def _at_once(self, text: str, *, at_once: bool) -> None:
        if at_once:
            words = f"ALTER COLUMN {quote(self._new.name)} {text}"
            self._change.before.append(render.alter_table(self._before, [words]))
        else:
            self._action(text)

    def _enter_source(self) -> None:
        """Say where values come from, as far as they did not come from there before."""
        old, new = self._old, self._new
        if new.identity is not None:
            self._enter_identity(old.identity, new.identity)
        elif self._serial_after and not self._serial_before:
            sequence = render.sequence_sql(self._table, new)
            self._change.before.append(f"CREATE SEQUENCE {sequence} AS {self._serial_after}")
            self._action(f"SET DEFAULT {render.next_value(self._table, new)}")
            self._change.after += [_owned_by(self._table, new), self._continued(literal(sequence))]
        elif self._serial_after:
            self._keep_sequence()
        elif new.default is not None and (new.default != old.default or self._using):
            self._action(f"SET DEFAULT {render.default_sql(new)}")
        if new.generated and old.generated and new.generated != old.generated:
            self._action(f"SET EXPRESSION AS ({embedded(new.generated)})")

    def _keep_sequence(self) -> None:
        if self._serial_before != self._serial_after:
            sequence = render.sequence_sql(self._before, self._old)
            self._change.after.append(f"ALTER SEQUENCE {sequence} AS {self._serial_after}")
        mine, theirs = (
            render.sequence_sql(self._before, self._old),
            render.sequence_sql(self._table, self._new),
        )
        if mine != theirs and self._new.sequence:
            self._change.after.append(f"ALTER SEQUENCE {mine} RENAME TO {quote(self._new.sequence)}")

    def _enter_identity(self, old: Identity | None, new: Identity) -> None:
        if old is None:
            options = " ".join(render.identity_options(self._table, new))
            words = f"ADD GENERATED {new.generated.upper()} AS IDENTITY"
            self._action(f"{words} ({options})" if options else words)
            self._change.after.append(self._identity_continued(new))
            return
        changes = [*_identity_changes(old, new)]
        if changes:
            if _is_narrower(old, new):
                changes.append("RESTART")
                self._change.after.append(self._identity_continued(new))
            self._action(" ".join(changes))
        if new.sequence and old.sequence and new.sequence != old.sequence:
            name = qualified(self._table.schema, old.sequence)
            self._change.after.append(f"ALTER SEQUENCE {name} RENAME TO {quote(new.sequence)}")

    def _identity_continued(self, identity: Identity) -> str:
        place = literal(qualified(self._table.schema, self._table.name))
        sequence = f"pg_catalog.pg_get_serial_sequence({place}, {literal(self._new.name)})"
        return self._continued(sequence, _start(identity), descending=identity.increment < 0)

    def _continued(self, sequence: str, start: int = 1, *, descending: bool = False) -> str:
        """Return the statement that lets a new or restarted sequence go on after the values there are."""
        last = f"{'min' if descending else 'max'}({quote(self._new.name)})"
        table = qualified(self._table.schema, self._table.name)
        sign = "<=" if descending else ">="
        return f"SELECT pg_catalog.setval({sequence}, {last}) FROM {table} HAVING {last} {sign} {start}"

    def _change_type(self) -> None:
        new = self._new
        words = f"TYPE {embedded(self._serial_after or new.type)}"
        if new.collation:
            words += f" COLLATE {names.name_sql(new.collation)}"
        if self._using:
            words += f" USING {embedded(new.using) if new.using else self._conversion}"
        self._action(words)

    def _set_not_null(self) -> None:
        named = self._new.not_null_constraint
        usual = naming.not_null_name(self._table.name, self._new.name)
        if (
            named is None
            or not self._server.since(18)
            or (named.name in ("", usual) and not named.no_inherit and not named.not_valid)
        ):
            self._action("SET NOT NULL")
        else:
            self._change.actions.append(f"ADD {_not_null_constraint(self._new, named)}")
        if named is not None and named.comment:
            self._change.after.append(render.constraint_comment(self._table, named))


def _identity_changes(old: Identity, new: Identity) -> Iterator[str]:
    if old.generated.lower() != new.generated.lower():
        yield f"SET GENERATED {new.generated.upper()}"
    if old.increment != new.increment:
        yield f"SET INCREMENT BY {new.increment}"
    for word, mine, theirs in (
        ("MINVALUE", old.min_value, new.min_value),
        ("MAXVALUE", old.max_value, new.max_value),
    ):
        if mine != theirs:
            yield f"SET NO {word}" if theirs is None else f"SET {word} {theirs}"
    start = _start(new)
    if _start(old) != start:
        yield f"SET START WITH {start}"
    if old.cache != new.cache:
        yield f"SET CACHE {new.cache}"
    if old.cycle != new.cycle:
        yield "SET CYCLE" if new.cycle else "SET NO CYCLE"


def _is_narrower(old: Identity, new: Identity) -> bool:
    """Whether the sequence may stand outside of its new limits, which PostgreSQL refuses."""
    if (old.increment > 0) != (new.increment > 0):
        return True
    (low, high), (lowest, highest) = _limits(new), _limits(old)
    return lowest < low or high < highest


def _limits(identity: Identity) -> tuple[int, int]:
    low, high = (1, 2**63 - 1) if identity.increment > 0 else (-(2**63), -1)
    return (
        low if identity.min_value is None else identity.min_value,
        high if identity.max_value is None else identity.max_value,
    )


def _start(identity: Identity) -> int:
    """Return the first value of a sequence."""
    if identity.start is not None:
        return identity.start
    low, high = identity.min_value, identity.max_value
    return (1 if low is None else low) if identity.increment > 0 else (-1 if high is None else high)


def _not_null_constraint(column: PostgresColumn, constraint: NotNull) -> str:
    words = f"CONSTRAINT {quote(constraint.name)} NOT NULL {quote(column.name)}"
    words += " NO INHERIT" if constraint.no_inherit else ""
    return words + (" NOT VALID" if constraint.not_valid else "")


def _not_null_changes(table: PostgresTable, old: PostgresColumn, new: PostgresColumn) -> Iterator[str]:
    mine, theirs = old.not_null_constraint, new.not_null_constraint
    if mine is None or theirs is None:
        return
    if theirs.not_valid and not mine.not_valid:
        column = quote(new.name)
        yield render.alter_table(table, [f"ALTER COLUMN {column} DROP NOT NULL"])
        yield render.alter_table(table, [f"ADD {_not_null_constraint(new, theirs)}"])
        if theirs.comment:
            yield render.constraint_comment(table, theirs)
        return
    if mine.name != theirs.name and theirs.name:
        yield render.alter_table(table, [f"RENAME CONSTRAINT {quote(mine.name)} TO {quote(theirs.name)}"])
    if mine.no_inherit != theirs.no_inherit:
        word = "NO INHERIT" if theirs.no_inherit else "INHERIT"
        yield render.alter_table(table, [f"ALTER CONSTRAINT {quote(theirs.name)} {word}"])
    if mine.not_valid and not theirs.not_valid:
        yield render.alter_table(table, [f"VALIDATE CONSTRAINT {quote(theirs.name)}"])
    if mine.comment != theirs.comment:
        yield render.constraint_comment(table, theirs)


def _alter_constraint(
    table: PostgresTable, old: Constraint, new: Constraint, fields: tuple[str, ...], change: Change
) -> None:
    name = quote(new.name)
    if "name" in fields:
        change.before.append(render.alter_table(table, [f"RENAME CONSTRAINT {quote(old.name)} TO {name}"]))
    if isinstance(new, PostgresForeignKey) and {"deferrable", "initially_deferred"} & set(fields):
        if new.deferrable:
            words = (
                "DEFERRABLE INITIALLY DEFERRED"
                if new.initially_deferred
                else "DEFERRABLE INITIALLY IMMEDIATE"
            )
        else:
            words = "NOT DEFERRABLE"
        change.actions.append(f"ALTER CONSTRAINT {name} {words}")
    if "not_enforced" in fields:
        word = "NOT ENFORCED" if getattr(new, "not_enforced", False) else "ENFORCED"
        change.actions.append(f"ALTER CONSTRAINT {name} {word}")
    elif "not_valid" in fields:
        change.actions.append(f"VALIDATE CONSTRAINT {name}")
    if isinstance(old, PostgresPrimaryKey | PostgresUnique | Exclusion):
        assert isinstance(new, PostgresPrimaryKey | PostgresUnique | Exclusion)
        index = qualified(table.schema, new.name)
        for each in _parameters(old.parameters).changes(_parameters(new.parameters)):
            change.after.append(f"ALTER INDEX {index} {each}")
        if "tablespace" in fields:
            change.after.append(f"ALTER INDEX {index} SET TABLESPACE {quote(new.tablespace or 'pg_default')}")
        if "clustered" in fields and new.clustered:
            change.actions.append(f"CLUSTER ON {name}")
        elif "clustered" in fields and not _any_is(table, "clustered"):
            change.actions.append("SET WITHOUT CLUSTER")
        if "replica_identity" in fields and new.replica_identity:
            change.actions.append(f"REPLICA IDENTITY USING INDEX {name}")
        elif "replica_identity" in fields and not _any_is(table, "replica_identity"):
            change.actions.append(f"REPLICA IDENTITY {table.replica_identity.upper()}")
    if "comment" in fields:
        change.after.append(render.constraint_comment(table, new))


def _any_is(table: PostgresTable, mark: str) -> bool:
    """Whether the index of a constraint is marked so: there is one such index at most."""
    return any(getattr(constraint, mark, False) for constraint in table.constraints())


def _alter_table(
    before: PostgresTable, after: PostgresTable, fields: tuple[str, ...], change: Change
) -> None:
    for name in fields:
        match name:
            case "unlogged":
                change.actions.append("SET UNLOGGED" if after.unlogged else "SET LOGGED")
            case "parameters":
                change.actions += _parameters(before.parameters).changes(_parameters(after.parameters))
            case "access_method":
                change.actions.append(f"SET ACCESS METHOD {quote(after.access_method)}")
            case "tablespace":
                change.actions.append(f"SET TABLESPACE {quote(after.tablespace or 'pg_default')}")
            case "row_level_security":
                word = "ENABLE" if after.row_level_security else "DISABLE"
                change.actions.append(f"{word} ROW LEVEL SECURITY")
            case "force_row_level_security":
                word = "FORCE" if after.force_row_level_security else "NO FORCE"
                change.actions.append(f"{word} ROW LEVEL SECURITY")
            case "replica_identity" if not _any_is(after, "replica_identity"):
                change.actions.append(f"REPLICA IDENTITY {after.replica_identity.upper()}")
            case "inherits":
                mine = [names.related(each, before.schema) for each in before.inherits]
                theirs = [names.related(each, after.schema) for each in after.inherits]
                change.actions += [f"NO INHERIT {qualified(*each)}" for each in mine if each not in theirs]
                change.actions += [f"INHERIT {qualified(*each)}" for each in theirs if each not in mine]
            case "of_type":
                change.actions.append(f"OF {embedded(after.of_type)}" if after.of_type else "NOT OF")
            case "owner":
                change.after.append(render.alter_table(after, [f"OWNER TO {quote(after.owner)}"]))
            case "comment":
                text = literal(after.comment) if after.comment else "NULL"
                change.after.append(f"COMMENT ON TABLE {qualified(after.schema, after.name)} IS {text}")


def _parameters(given: object) -> Parameters:
    assert isinstance(given, Parameters)
    return given


def _table(table: object) -> PostgresTable:
    assert isinstance(table, PostgresTable)
    return table
