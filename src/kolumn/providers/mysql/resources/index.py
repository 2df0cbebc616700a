"""Indexes (https://dev.mysql.com/doc/refman/9.4/en/create-index.html).

A unique index over whole columns is the same to the server as a unique constraint: it is a part of its table,
unless it is declared apart. One that a foreign key brought along counts only where it is named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.contract.errors import Problem, ValidationError
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of, replaced
from kolumn.engine.operations import Create, Operation, Rename
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.dialect import MySQLDialect
from kolumn.providers.mysql.language.tokens import fold, literal, qualified, quote
from kolumn.providers.mysql.reading import Entry, Reading
from kolumn.providers.mysql.tables import render
from kolumn.providers.mysql.tables.handler import INDEXES
from kolumn.providers.mysql.tables.model import MySQLKeyPart
from kolumn.providers.mysql.tables.reading import IndexRow, key_part
from kolumn.sql.handlers import IndexHandler
from kolumn.sql.model import Index


@dataclass(frozen=True)
class MySQLIndex(Index):
    """An index."""

    columns: tuple[MySQLKeyPart, ...] = attribute("Columns or expressions, in order", validators=[NOT_EMPTY])
    kind: str = attribute(
        "fulltext or spatial, where it is one of these", default="",
        validators=[one_of("", "fulltext", "spatial")], grammar="keyword",
    )  # fmt: skip
    using: str = attribute(
        "How it is kept, where the engine leaves a choice: btree or hash", default="btree",
        validators=[one_of("btree", "hash")], grammar="keyword",
    )  # fmt: skip
    visible: bool = attribute("Whether queries may use it (MariaDB: not IGNORED)", default=True)
    comment: str = attribute("Comment", default="")

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        if self.where:
            yield Problem("an index has all rows of its table", code="unsupported_attribute", path="where")
        if self.kind and self.unique:
            yield Problem(
                f"a {self.kind} index is never unique", code="conflicting_attributes", path="unique"
            )
        if self.kind and any(part.expression or part.length or part.order == "desc" for part in self.columns):
            yield Problem(f"a {self.kind} index has whole columns, without an order", code="conflicting_attributes",
                          path="columns")  # fmt: skip
        if fold(self.name) == "primary":
            yield Problem("PRIMARY is the table's primary key", code="reserved_name", path="name",
                          hint="Declare it in the table.")  # fmt: skip

    @property
    def is_constraint(self) -> bool:
        """Whether the server takes it for a unique constraint of its table."""
        whole = all(
            part.column and part.length is None and part.order.lower() == "asc" for part in self.columns
        )
        return self.unique and whole and self.visible and not self.comment and self.using.lower() == "btree"


class MySQLIndexHandler(MySQLHandler[Index], IndexHandler):
    """Indexes."""

    type = "index"
    description = "An index on a table"
    MODEL = MySQLIndex
    KEYWORD: ClassVar[str] = "INDEX"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"visible"})
    parts = True

    def __init__(self, dialect: MySQLDialect) -> None:
        super().__init__(dialect)

    # Reading

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return nothing: the queries of tables bring all indexes."""
        return {}

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the indexes of all tables."""
        for rows, table, indexes in reading.notes[INDEXES]:
            for each in (*indexes.own, *indexes.constraints):
                ref = Ref(self.type, fold(each.name), table.schema, table.name)
                aside = (
                    each.is_constraint
                    or fold(each.name) in indexes.implied
                    or reading.is_aside(rows.schema or reading.default)
                )
                yield Entry(ref, (rows.schema, rows.name, each), owner=table, aside=aside)

    def build(self, entry: Entry, reading: Reading) -> MySQLIndex:
        """Return the index."""
        schema, table, row = entry.row
        assert isinstance(row, IndexRow)
        kind = row.kind.lower() if row.kind in ("FULLTEXT", "SPATIAL") else ""
        return MySQLIndex(
            name=row.name,
            schema=schema,
            table=table,
            columns=tuple(key_part(*each) for each in row.parts),
            unique=row.unique,
            kind=kind,
            using="hash" if row.kind == "HASH" else "btree",
            visible=row.visible,
            comment=row.comment,
        )

    # What it is part of

    def part_of(self, model: Index) -> tuple[Ref, Ref] | None:
        """Return the table whose unique constraint it is, if it is one."""
        assert isinstance(model, MySQLIndex)
        if not model.is_constraint:
            return None
        table = self.normalizer.table_ref(model.table, model.schema)
        return table, Ref("constraint", fold(model.name), table.schema, table.name)

    # Comparing

    def diff(self, live: Index | None, wanted: Index | None) -> list[Operation]:
        """Return the operations; an index is renamed in its table only, also to another spelling of its name."""
        if live is None or wanted is None:
            return super().diff(live, wanted)
        before, after = self.ref(live), self.ref(wanted)
        if before.parent != after.parent:
            return [self.dropped(live), self.created(wanted)]
        found = super().diff(live, wanted)
        if (
            before == after
            and live.name != wanted.name
            and not any(isinstance(each, Create) for each in found)
        ):
            renamed = replaced(live, {"name": wanted.name})
            found.insert(0, Rename(subject=before, before=live, after=renamed, target=after))
        return found

    # Writing

    def definition_sql(self, model: Index, server: Server) -> Iterator[str]:
        """Yield ALTER TABLE ... ADD INDEX, which tells more than CREATE INDEX when it fails."""
        yield f"ALTER TABLE {self._table(model)} {self.clause(model, server)}"

    def clause(self, model: Index, server: Server) -> str:
        """Return the clause of ALTER TABLE that adds the index."""
        assert isinstance(model, MySQLIndex)
        if any(part.expression for part in model.columns) and not server.functional_indexes:
            raise ValidationError.of(
                [
                    Problem(
                        f"{server.product} has no indexes over expressions",
                        code="unsupported_by_server",
                        path="columns",
                        resource=f"mysql_index.{model.name}",
                        hint="Add a generated column, and index that.",
                    )
                ]
            )
        kind = f"{model.kind.upper()} " if model.kind else "UNIQUE " if model.unique else ""
        text = f"ADD {kind}INDEX {quote(model.name)} {render.key_sql(model.columns)}"
        if model.using.lower() == "hash":
            text += " USING HASH"
        if model.comment:
            text += f" COMMENT {literal(model.comment)}"
        if not model.visible:
            text += " IGNORED" if server.is_mariadb else " INVISIBLE"
        return text

    def drop_sql(self, model: Index, server: Server) -> str:
        """Return ALTER TABLE ... DROP INDEX."""
        return f"ALTER TABLE {self._table(model)} DROP INDEX {quote(model.name)}"

    def rename_sql(self, before: Index, after: Index, server: Server) -> str:
        """Return ALTER TABLE ... RENAME INDEX."""
        return f"ALTER TABLE {self._table(before)} RENAME INDEX {quote(before.name)} TO {quote(after.name)}"

    def alteration_sql(
        self, before: Index, after: Index, fields: tuple[str, ...], server: Server
    ) -> Iterator[str]:
        """Yield ALTER TABLE ... ALTER INDEX."""
        assert isinstance(after, MySQLIndex)
        shown = (
            ("NOT IGNORED" if after.visible else "IGNORED")
            if server.is_mariadb
            else ("VISIBLE" if after.visible else "INVISIBLE")
        )
        yield f"ALTER TABLE {self._table(after)} ALTER INDEX {quote(after.name)} {shown}"

    def _table(self, model: Index) -> str:
        return qualified(model.schema, model.table)

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the metadata lock, which every change of a table needs for a moment."""
        return "exclusive metadata lock"

    # Rehearsing

    def rehearsal(
        self, wanted: Index, live: Index, scratch: str, tag: str, server: Server
    ) -> tuple[Index, list[str]] | None:
        """Return an index over expressions on a copy of its table; others have nothing to word."""
        if not any(part.expression for part in wanted.columns):
            return None
        made = replaced(wanted, {"schema": scratch, "table": f"t{tag}", "name": "kolumn_rehearsed"})
        copied = f"CREATE TABLE {qualified(scratch, f't{tag}')} LIKE {self._table(live)}"
        return made, [copied, *self.definition_sql(made, server)]

    def worded(self, wanted: Index, rehearsed: Index, found: Index, live: Index) -> Index:
        """Return the live index where the server takes both for the same."""
        same = dataclasses.replace(found, name=live.name, schema=live.schema, table=live.table)
        return live if self.normal(same) == self.normal(live) else wanted
