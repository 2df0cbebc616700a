"""Indexes (https://dev.mysql.com/doc/refman/9.4/en/create-index.html).

A unique index over whole columns is the same to the server as a unique constraint: it is a part of its table,
unless it is declared apart. One that a foreign key brought along counts only where it is named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import ClassVar

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Create, Operation, Rename
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.dialect import MySQLDialect
from kolumn.providers.mysql.language.tokens import fold, qualified, quote
from kolumn.providers.mysql.reading import Entry, Reading
from kolumn.providers.mysql.tables import render
from kolumn.providers.mysql.tables.handler import INDEXES
from kolumn.providers.mysql.tables.model import MySQLIndex
from kolumn.providers.mysql.tables.reading import IndexRow, key_part
from kolumn.sql.handlers import IndexHandler
from kolumn.sql.model import Index


class MySQLIndexHandler(MySQLHandler[Index], IndexHandler):
    """Indexes."""

    type = "index"
    description = "An index on a table"
    MODEL = MySQLIndex
    KEYWORD: ClassVar[str] = "INDEX"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"columns", "kind", "using", "visible", "comment"})
    """Where only parser or key_block_size differ the server takes an index dropped and added at once for the same."""
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
            using=row.using,
            key_block_size=row.block,
            parser=row.parser,
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
        assert isinstance(model, MySQLIndex)
        yield f"ALTER TABLE {self._table(model)} ADD {render.index_sql(model, server)}"

    def drop_sql(self, model: Index, server: Server) -> str:
        """Return ALTER TABLE ... DROP INDEX."""
        return f"ALTER TABLE {self._table(model)} DROP INDEX {quote(model.name)}"

    def rename_sql(self, before: Index, after: Index, server: Server) -> str:
        """Return ALTER TABLE ... RENAME INDEX."""
        return f"ALTER TABLE {self._table(before)} RENAME INDEX {quote(before.name)} TO {quote(after.name)}"

    def alteration_sql(
        self, before: Index, after: Index, fields: tuple[str, ...], server: Server
    ) -> Iterator[str]:
        """Yield ALTER TABLE ... ALTER INDEX, or the drop and the new index in one: a foreign key may need it."""
        assert isinstance(after, MySQLIndex)
        if fields == ("visible",):
            shown = render.visibility(after, server)
            yield f"ALTER TABLE {self._table(after)} ALTER INDEX {quote(after.name)} {shown}"
        else:
            yield (
                f"ALTER TABLE {self._table(after)} DROP INDEX {quote(before.name)}, "
                f"ADD {render.index_sql(after, server)}"
            )

    def _table(self, model: Index) -> str:
        return qualified(model.schema, model.table)

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the metadata lock, which every change of a table needs for a moment."""
        return "exclusive metadata lock"

    # Rehearsing

    def rehearsal(
        self, wanted: Index, live: Index, scratch: str, tag: str, server: Server
    ) -> tuple[Index, list[str]] | None:
        """Return the index on a copy of its table where the server words expressions or has its own way."""
        assert isinstance(wanted, MySQLIndex)
        worded = wanted.using or wanted.key_block_size or wanted.parser
        if not worded and not any(part.expression for part in wanted.columns):
            return None
        made = replaced(wanted, {"schema": scratch, "table": f"t{tag}", "name": "kolumn_rehearsed"})
        copied = f"CREATE TABLE {qualified(scratch, f't{tag}')} LIKE {self._table(live)}"
        return made, [copied, *self.definition_sql(made, server)]

    def worded(self, wanted: Index, rehearsed: Index, found: Index, live: Index) -> Index:
        """Return the live index where the server takes both for the same."""
        same = dataclasses.replace(found, name=live.name, schema=live.schema, table=live.table)
        return live if self.normal(same) == self.normal(live) else wanted
