"""Changes of a table as one ALTER TABLE (https://dev.mysql.com/doc/refman/9.4/en/alter-table.html)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Create, Drop, Operation, Rename
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.dialect import draws, mentions
from kolumn.providers.mysql.language.tokens import fold, literal, qualified, quote
from kolumn.providers.mysql.language.types import TEXTS, type_of
from kolumn.providers.mysql.tables import implied, render
from kolumn.providers.mysql.tables.model import MySQLCheck, MySQLColumn, MySQLTable
from kolumn.providers.mysql.tables.naming import name_of
from kolumn.sql.model import Check, Column, Constraint, ForeignKey, PrimaryKey, Table, Unique
from kolumn.sql.operations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterObject,
    AlterTable,
    AlterTogether,
    DropColumn,
    DropConstraint,
    RenameColumn,
)


def changes_of(operation: AlterTable) -> Sequence[AlterTable]:
    """Return the single changes that an operation makes."""
    return operation.because if isinstance(operation, AlterTogether) else (operation,)


def alteration(operation: AlterTable, live: Snapshot, server: Server) -> Iterator[str]:
    """Yield the statement that makes all of an operation's changes at once, nothing where there is nothing to do.

    A second one follows where a column that was computed on reading is to hold values of its own: it is stored first.
    """
    before, after = operation.before, operation.after
    assert isinstance(before, MySQLTable)
    assert isinstance(after, MySQLTable)
    found = _Clauses(operation.subject, before, after, live, server)
    partitions = ""
    for change in changes_of(operation):
        found.take(change)
        if type(change) is AlterTable and "partition_by" in change.fields:
            partitions = _repartition(change.after)
    for index in getattr(operation, "indexes", ()):
        found.take_index(index)
    clauses = found.result()
    start = f"ALTER TABLE {qualified(before.schema, before.name)} "
    statement = " ".join([*([", ".join(clauses)] if clauses else []), *([partitions] if partitions else [])])
    # A column can be numbered though a foreign key refers to it, as its type stays; the server looks no closer.
    settings = [("foreign_key_checks", "0", "1")] if _is_numbering(operation) else []
    if before.system_versioned:  # former rows stay, in the new shape
        settings.append(("system_versioning_alter_history", "KEEP", "ERROR"))
    statements = [start + each for each in (statement, ", ".join(found.later)) if each]
    if found.drawn:
        statements.insert(1, _filling(after, found.drawn))
    for name, value, _ in settings if statements else ():
        yield f"SET SESSION {name} = {value}"
    yield from statements
    for name, _, usual in settings if statements else ():
        yield f"SET SESSION {name} = {usual}"


def _is_numbering(operation: AlterTable) -> bool:
    """Whether a column begins or ends to be numbered, and no key goes with that."""
    changes = changes_of(operation)
    return any(
        isinstance(each, AlterColumn) and "auto_increment" in each.fields for each in changes
    ) and not any(isinstance(each, DropConstraint | AddConstraint) for each in changes)


class _Clauses:
    """The clauses of one ALTER TABLE; each column has one definition at most."""

    def __init__(
        self, ref: Ref, before: MySQLTable, after: MySQLTable, live: Snapshot, server: Server
    ) -> None:
        self._ref = ref
        self._before = before
        self._after = after
        self._live = live
        self._server = server
        self._dropped: list[str] = []
        self._columns: dict[str, str] = {}
        self._added: list[str] = []
        self._options: list[str] = []
        self.later: list[str] = []
        """Clauses of a statement that must come after this one."""
        self.drawn: list[MySQLColumn] = []
        """New columns that rows get their values of in between: the server adds none whose default it draws."""

    def result(self) -> list[str]:
        """Return the clauses: what goes first, then columns, then what stands on them."""
        return [
            *dict.fromkeys(self._dropped),
            *self._columns.values(),
            *dict.fromkeys(self._added),
            *self._options,
        ]

    def take(self, change: AlterTable) -> None:
        """Add what one change needs."""
        match change:
            case RenameColumn(old=old, new=new):
                self._columns[f"rename {fold(old)}"] = f"RENAME COLUMN {quote(old)} TO {quote(new)}"
            case AddColumn(column=column):
                assert isinstance(column, MySQLColumn)
                definition = self._defined(column)
                if self._is_drawn(column):
                    bare = replaced(self._find(column.name) or column, {"default": None, "not_null": False})
                    self.drawn.append(column)
                    self.later.append(f"MODIFY COLUMN {definition}")
                    definition = render.column_sql(bare, self._after, self._server)
                place = self._place(column.name, change.after)
                self._columns[fold(column.name)] = f"ADD COLUMN {definition}{place}"
                inline = render.inline_checks(column, self._server)
                for each in column.own_constraints:
                    if each not in inline:
                        self._add(each, change.before)
            case DropColumn(column=column):
                for each in column.own_constraints:
                    if isinstance(each, Check) and not self._server.is_mariadb:
                        self._drop(each, change.after)
                self._columns[fold(column.name)] = f"DROP COLUMN {quote(column.name)}"
            case AlterColumn(old=old, new=new):
                assert isinstance(old, MySQLColumn)
                assert isinstance(new, MySQLColumn)
                if _is_virtual(old) == _is_virtual(new):
                    self._modify(new)
                else:
                    self._remake(old, new)
            case AddConstraint(constraint=constraint):
                if (at := self._column_with(constraint, change.after)) is not None:
                    self._modify(at)
                else:
                    self._add(constraint, change.before)
            case implied.DropKeyWithIndex(constraint=constraint, index=index):
                self._drop(constraint, change.after)
                self._dropped.append(f"DROP INDEX {quote(index)}")
            case DropConstraint(constraint=constraint):
                if (at := self._column_with(constraint, change.before)) is None:
                    self._drop(constraint, change.after)
                elif (now := self._find(at.name)) is not None:
                    self._modify(now)
            case _:
                self._options += self._table(change)
                if "application_period" in change.fields:
                    self._period()

    def take_index(self, change: Operation) -> None:
        """Add what the change of an index needs."""
        match change:
            case Drop(model=model):
                self._dropped.append(f"DROP INDEX {quote(model.name)}")
            case Create(model=model):
                self._added.append(f"ADD {render.index_sql(model, self._server)}")
            case Rename(before=before, after=after):
                self._dropped.append(f"RENAME INDEX {quote(before.name)} TO {quote(after.name)}")
            case AlterObject(before=before, after=after):
                self._dropped.append(f"DROP INDEX {quote(before.name)}")
                self._added.append(f"ADD {render.index_sql(after, self._server)}")

    def _is_drawn(self, column: MySQLColumn) -> bool:
        """Whether the server refuses to add a column, as each row would get another value, and it can be done apart.

        It cannot where triggers would take the filling of the column for a change.
        """
        if not is_drawn(column, self._server):
            return False
        triggers = (self._live.get(each) for each in self._live.attached(self._ref) if each.type == "trigger")
        return not any("update" in each.events for each in triggers)

    def _find(self, name: str) -> MySQLColumn | None:
        return next((each for each in self._after.columns if fold(each.name) == fold(name)), None)

    def _modify(self, column: MySQLColumn) -> None:
        now = self._find(column.name) or column
        if fold(now.name) not in self._columns:
            self._columns[fold(now.name)] = f"MODIFY COLUMN {self._defined(now)}"

    def _remake(self, old: MySQLColumn, new: MySQLColumn) -> None:
        """Drop and add a column that was or will be computed on reading: no other way leads there or back."""
        now = self._find(new.name) or new
        name = fold(now.name)
        made = now
        if not now.generated:
            made = replaced(old, {"name": now.name, "stored": True, "not_null": False})
            self.later.append(f"MODIFY COLUMN {self._defined(now)}")
        definition = render.column_sql(made, self._after, self._server)
        self._columns[name] = (
            f"DROP COLUMN {quote(old.name)}, ADD COLUMN {definition}{self._place(now.name, self._after)}"
        )
        for index in implied.indexes_of(self._ref, self._live):
            parts = (part.column or part.expression for part in index.columns)
            if not index.is_constraint and any(mentions(part, now.name) for part in parts):
                self._dropped.append(f"DROP INDEX {quote(index.name)}")
                self._added.append(f"ADD {render.index_sql(index, self._server)}")
        for table, change in ((self._before, self._drop), (self._after, self._add)):
            for each in table.constraints():
                keyed = isinstance(each, Unique) and any(fold(part.column) == name for part in each.columns)
                checked = isinstance(each, Check) and mentions(each.expression, now.name)
                if keyed or (checked and self._column_with(each, table) is None):
                    change(each, table.without_constraint(each))

    def _defined(self, column: MySQLColumn) -> str:
        now = self._find(column.name) or column
        return render.column_sql(now, self._after, self._server)

    def _place(self, name: str, table: Table) -> str:
        """Return where a new column stands, empty for the end; what goes in the same statement is no neighbour."""
        staying = {each.name for each in self._after.columns}
        names = [each.name for each in table.columns if each.name in staying]
        at = names.index(name)
        if at == len(names) - 1:
            return ""
        return f" AFTER {quote(names[at - 1])}" if at else " FIRST"

    def _column_with(self, constraint: Constraint, table: Table) -> MySQLColumn | None:
        """Return the column at which MariaDB keeps a check, None for what stands at the table."""
        if not isinstance(constraint, MySQLCheck):
            return None
        columns = (each for each in table.columns if isinstance(each, MySQLColumn))
        return next(
            (each for each in columns if constraint in render.inline_checks(each, self._server)), None
        )

    def _add(self, constraint: Constraint, others: Table) -> None:
        """Add a constraint; a foreign key whose name the server would give gets none, for the sake of its index."""
        name = name_of(constraint, others, self._server)
        if isinstance(constraint, ForeignKey) and implied.has_server_name(name, others.name):
            if name == name_of(replaced(constraint, {"name": ""}), others, self._server):
                self._added.append(f"ADD {render.foreign_key_sql(self._after, constraint, self._server)}")
                return
            self._added += self._index_of(constraint, others)
        self._added.append(f"ADD {self._constraint(constraint, others)}")

    def _index_of(self, key: ForeignKey, table: Table) -> Iterator[str]:
        """Yield the index that a foreign key needs, if there is none, under the name it has without one."""
        columns = [fold(each) for each in key.columns]
        there = implied.indexed_columns(table, implied.indexes_of(self._ref, self._live))
        if not any(implied.serves(columns, each) for each in there):
            names = ", ".join(map(quote, key.columns))
            yield f"ADD INDEX {quote(key.columns[0])} ({names})"

    def _constraint(self, constraint: Constraint, others: Table) -> str:
        name = name_of(constraint, others, self._server)
        return render.constraint_sql(self._after, replaced(constraint, {"name": name}), self._server)

    def _drop(self, constraint: Constraint, others: Table) -> None:
        name = quote(name_of(constraint, others, self._server))
        match constraint:
            case PrimaryKey():
                self._dropped.append("DROP PRIMARY KEY")
                # MariaDB lets a column be NULL again that was not for its key's sake only.
                for part in constraint.columns:
                    if (column := self._find(part.column)) is not None:
                        self._modify(column)
            case Unique():
                self._dropped.append(f"DROP INDEX {name}")
            case Check():
                self._dropped.append(f"DROP CONSTRAINT {name}")
            case ForeignKey():
                self._dropped.append(f"DROP FOREIGN KEY {name}")

    def _table(self, change: AlterTable) -> Iterator[str]:
        after = change.after
        assert isinstance(after, MySQLTable)
        fields = set(change.fields)
        if "engine" in fields:
            yield f"ENGINE={after.engine or self._server.engine}"
        if fields & {"character_set", "collation"}:
            yield from self._charset(after)
        if "row_format" in fields:
            yield f"ROW_FORMAT={after.row_format or 'DEFAULT'}"
        if "comment" in fields:
            yield f"COMMENT={literal(after.comment)}"
        if "options" in fields:
            assert isinstance(change.before, MySQLTable)
            old, new = change.before.options or {}, after.options or {}
            yield from (render.option(key, str(value)) for key, value in new.items() if old.get(key) != value)
            yield from (f"{key.upper()}={_unset(key)}" for key in old if key not in new)
        if "system_versioned" in fields:
            yield "ADD SYSTEM VERSIONING" if after.system_versioned else "DROP SYSTEM VERSIONING"

    def _period(self) -> None:
        """Have the old period go before what stands on its columns changes, and the new one come after."""
        if self._before.application_period is not None:
            self._dropped.append(f"DROP PERIOD FOR {quote(self._before.application_period.name)}")
        if self._after.application_period is not None:
            self._added.insert(0, f"ADD {render.period_sql(self._after.application_period)}")
        # A key over the period goes and comes with it.
        after = self._after.constraints()
        for each in self._before.constraints():
            if getattr(each, "without_overlaps", False) and each in after:
                self._drop(each, self._after)
                self._add(each, self._before)

    def _charset(self, after: MySQLTable) -> Iterator[str]:
        """Yield the new character set of the table, and have columns changed that have the table's."""
        words = " ".join(
            [
                *([f"CHARACTER SET {after.character_set}"] if after.character_set else []),
                *([f"COLLATE {after.collation}"] if after.collation else []),
            ]
        ) or self._default_charset(after)
        yield f"DEFAULT {words if words.startswith('CHARACTER') else _whole(words)}"
        # CONVERT TO would make longer texts of texts: the columns say themselves what they are.
        for column in after.columns:
            kind = type_of(column.type)
            if kind is not None and kind.name in TEXTS and not column.collation and not column.character_set:
                self._modify(column)

    def _default_charset(self, after: MySQLTable) -> str:
        """Return the database's character set, which a table has that names none."""
        found: Any = self._live.get(self._database(after))
        collation = getattr(found, "collation", "")
        return f"COLLATE {collation}" if collation else ""

    def _database(self, table: MySQLTable) -> Ref:
        return Ref("schema", fold(table.schema or self._server.database))


def is_drawn(column: Column, server: Server) -> bool:
    """Whether a column's default may be another one for each row, so that the server refuses to add it in one go."""
    return not server.is_mariadb and column.default is not None and draws(column.default)


def remains(operation: Operation, server: Server) -> Iterator[str]:
    """Yield what removes a column that could be added, and could not be filled."""
    if not isinstance(operation, AddColumn) or not is_drawn(operation.column, server):
        return
    table, column = operation.before, operation.column.name
    place = qualified(table.schema, table.name)
    yield (
        "SET @kolumn_remains = IF((SELECT count(*) FROM information_schema.columns WHERE "
        f"table_schema = {literal(table.schema) if table.schema else 'DATABASE()'} "
        f"AND table_name = {literal(table.name)} AND column_name = {literal(column)}), "
        f"{literal(f'ALTER TABLE {place} DROP COLUMN {quote(column)}')}, 'DO 0')"
    )
    yield "PREPARE kolumn_remains FROM @kolumn_remains"
    yield "EXECUTE kolumn_remains"
    yield "DEALLOCATE PREPARE kolumn_remains"


def _filling(table: MySQLTable, columns: Sequence[MySQLColumn]) -> str:
    """Return the statement that gives every row values of new columns, and touches no other column."""
    values = [f"{quote(each.name)} = {render.default_sql(each.default or 'NULL')}" for each in columns]
    values += [f"{quote(each.name)} = {quote(each.name)}" for each in table.columns if each.on_update_value]
    return f"UPDATE {qualified(table.schema, table.name)} SET {', '.join(values)}"


def _is_virtual(column: MySQLColumn) -> bool:
    return bool(column.generated) and not column.stored


def _whole(words: str) -> str:
    """Return a collation with its character set, which CONVERT and DEFAULT want first."""
    collation = words.removeprefix("COLLATE ").strip()
    return f"CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}"


_COUNTED = frozenset(
    {
        "key_block_size",
        "avg_row_length",
        "max_rows",
        "min_rows",
        "checksum",
        "delay_key_write",
        "page_checksum",
    }
)


def _unset(key: str) -> str:
    """Return what a table option is set to that is not named any more."""
    if key in _COUNTED:
        return "0"
    return "''" if key in ("compression", "encryption", "connection", "tablespace") else "DEFAULT"


def _repartition(after: Table) -> str:
    assert isinstance(after, MySQLTable)
    return "REMOVE PARTITIONING" if after.partition_by is None else render.partition_by(after.partition_by)
