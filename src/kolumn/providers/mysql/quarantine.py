"""The quarantine: a database for each thing that is set aside, so that everything in it keeps its name.

A table moves there with RENAME TABLE, with its rows and indexes; it loses its triggers and foreign keys before, as
the server moves neither. Kept values are a table of their own there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Operation, Statement, Step
from kolumn.engine.quarantine.operations import (
    KeepValues,
    LeaveChanged,
    MoveAside,
    MoveBack,
    NoteValues,
    PutBackValues,
)
from kolumn.engine.quarantine.place import Place
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.connection.settings import own_database
from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.dialect import mentions
from kolumn.providers.mysql.language.tokens import qualified, quote
from kolumn.sql.quarantine import AFTER, ROW, SQLQuarantine

_AT = "kolumn_at"
"""A column that numbers the rows of a table without a key while values find their rows."""
_NUMBERED = "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE"


class MySQLQuarantine(SQLQuarantine):
    """Moves tables and sequences."""

    MOVED: ClassVar[frozenset[str]] = frozenset({"table", "sequence"})
    ROWS: ClassVar[frozenset[str]] = frozenset({"table"})
    STAYING: ClassVar[frozenset[str]] = frozenset({"index"})
    SURVIVING: ClassVar[frozenset[str]] = frozenset({"table", "grant"})

    def __init__(self, handlers: Iterable[MySQLHandler[Any]], server: Server) -> None:
        super().__init__(handlers)
        self._server = server
        self._spelled: Snapshot | None = None
        """Knows how the names are written that statements are about: the server may tell `Track` from `track`."""

    def place(self, ref: Ref, model: Any, entry: str) -> Place:
        """Return the same name in a database of its own."""
        return Place(model.name, own_database(f"{entry}_{self._server.database}", "quarantine"))

    # Models

    def loose(self, column: Any) -> Any:
        """Return a column that takes any value."""
        return replaced(super().loose(column), {"auto_increment": False, "on_update_value": ""})

    def mentions(self, text: str, name: str) -> bool:
        """Whether an expression has a word that may be the column."""
        return mentions(text, name)

    # Statements

    def compile(self, operation: Operation, live: Snapshot) -> list[Step]:
        """Return a step for each statement, as each commits by itself, with what takes that one back."""
        self._spelled = live
        return [
            Step(
                operation=operation,
                description=operation.describe(),
                statements=(Statement(text),),
                undo=None if undo is None else tuple(map(Statement, undo)),
                lock=self.lock(operation),
                transactional=False,
            )
            for text, undo in self._pairs(operation, live)
        ]

    def _pairs(self, operation: Operation, live: Snapshot) -> Iterator[tuple[str, Sequence[str] | None]]:
        """Yield the statements, each with those that take it back; None where nothing does."""
        texts = list(self._texts(operation, live))
        match operation:
            case MoveAside(at=at, model=model, was=was) | MoveBack(at=at, model=model, was=was):
                back = MoveBack if isinstance(operation, MoveAside) else MoveAside
                inverse = back(subject=operation.subject, model=model, at=at, was=was)
                for text, undo in zip(texts, reversed(list(self._texts(inverse, live))), strict=True):
                    yield text, (undo,)
            case KeepValues(at=at):
                yield texts[0], tuple(self.removed(at))
                yield texts[1], self._not_kept(operation, live)
            case NoteValues() | LeaveChanged():
                yield texts[0], ()
            case PutBackValues(subject=table):
                columns = {each.name for each in getattr(live.get(table), "columns", ())}
                for text in texts[1 if _AT in columns else 0 : -1]:  # a restoration that was killed left it
                    yield text, self._taken_back(text, table)
                yield texts[-1], None
            case _:
                for text in texts:
                    yield text, None

    def _not_kept(self, operation: KeepValues, live: Snapshot) -> Sequence[str] | None:
        """Return what takes back that values are kept; the column may have been away, and be empty now.

        None where triggers would notice: then the values go on waiting.
        """
        if any(self.disturbing(operation.subject, live)):
            return None
        back = PutBackValues(
            subject=operation.subject,
            at=operation.at,
            column=operation.column,
            key=operation.key,
            others=operation.others,
        )
        return (*self._put_back(back), f"DROP TABLE IF EXISTS {self.at(operation.at)}")

    def _taken_back(self, text: str, table: Ref) -> Sequence[str]:
        """Return what takes back a statement that puts values back: they still wait, and their column goes."""
        added, gone = f"ADD COLUMN {_AT} {_NUMBERED}", f"DROP COLUMN {_AT}"
        if text.endswith(added):
            return (f"ALTER TABLE {self.table_sql(table)} {gone}",)
        if text.endswith(gone):
            return (f"ALTER TABLE {self.table_sql(table)} {added}",)
        return ()

    def disturbing(self, table: Ref, live: Snapshot) -> Iterator[Ref]:
        """Yield the triggers on changes of rows: the server cannot turn them off."""
        for ref in live.attached(table):
            events = getattr(live.get(ref), "events", ())
            if ref.type == "trigger" and any(each.strip().lower() == "update" for each in events):
                yield ref

    def quoted(self, name: str) -> str:
        """Return the quoted name."""
        return quote(name)

    def table_sql(self, ref: Ref) -> str:
        """Return the table's name as it is written."""
        model = self._spelled.get(ref) if self._spelled is not None else None
        return super().table_sql(ref) if model is None else self.address(model.schema, model.name)

    def differing(self, operation: PutBackValues, live: Snapshot) -> Statement:
        """Return the query, with names as they are written."""
        self._spelled = live
        return super().differing(operation, live)

    def unmatched(self, operation: PutBackValues, live: Snapshot) -> Statement:
        """Return the query, with names as they are written."""
        self._spelled = live
        return super().unmatched(operation, live)

    def address(self, schema: str, name: str) -> str:
        """Return database and name."""
        return qualified(schema, name)

    def opening(self, place: Place) -> Iterator[str]:
        """Yield the creation of the database."""
        yield f"CREATE DATABASE IF NOT EXISTS {quote(place.schema)}"

    def exists(self, place: Place) -> Statement:
        """Return the query of the table that waits."""
        return Statement(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s",
            (place.schema, place.name),
        )

    def move_aside(self, operation: MoveAside) -> Iterator[str]:
        """Yield the database and the move."""
        yield from self.opening(operation.at)
        home = self.address(operation.was.schema, operation.was.name)
        yield f"RENAME TABLE {home} TO {self.at(operation.at)}"

    def move_back(self, operation: MoveBack) -> Iterator[str]:
        """Yield the move and the end of the database."""
        home = qualified(operation.was.schema or self._server.database, operation.was.name)
        yield f"RENAME TABLE {self.at(operation.at)} TO {home}"
        yield f"DROP DATABASE IF EXISTS {quote(operation.at.schema)}"

    def removed(self, place: Place) -> Iterator[str]:
        """Yield the end of the database, in which is nothing else."""
        yield f"DROP DATABASE IF EXISTS {quote(place.schema)}"

    def row_id(self) -> Sequence[str]:
        """Return a constant: rows alike in all other columns are taken for one another, which they are."""
        return ("NULL",)

    def told_apart(self, others: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Return a digest of the row: not all types can be compared, and NULL is a value like others."""
        if not others:
            return []
        texts = ", ".join(self.as_text(quote(each)) for each in others)
        return [(ROW, f"SHA2(CONCAT_WS(',', {texts}), 256)")]

    def same(self, one: str, other: str) -> str:
        """Return the comparison that takes NULLs for the same."""
        return f"{one} <=> {other}"

    def differs(self, one: str, other: str) -> str:
        """Return whether texts differ; what was not noted, because an apply was killed, is no difference."""
        return f"{other} <> {one}"

    def as_text(self, value: str) -> str:
        """Return a value as a text that can be compared, whatever its type, and is never NULL."""
        return f"COALESCE(CONCAT('=', HEX(CONCAT({value}))), '-')"  # HEX alone would round numbers

    def _texts(self, operation: Operation, live: Snapshot) -> Iterator[str]:
        if isinstance(operation, LeaveChanged):
            rows, match = self._noted_rows(operation)
            differs = self.differs(f"t.{AFTER}", f"k.{AFTER}")
            yield f"DELETE k FROM {self.at(operation.at)} k JOIN {rows} ON {match} WHERE {differs}"
        else:
            yield from super()._texts(operation, live)

    def _keep(self, operation: KeepValues) -> str:
        """Return the statement that keeps the values, with room for what becomes of them."""
        created, _, query = super()._keep(operation).partition(" AS SELECT ")
        return f"{created} ({AFTER} LONGTEXT CHARACTER SET ascii COLLATE ascii_bin) AS SELECT {query}"

    def _note(self, operation: NoteValues, live: Snapshot) -> Iterator[str]:
        place = self.at(operation.at)
        rows, match = self._noted_rows(operation)
        yield f"UPDATE {place} k JOIN {rows} ON {match} SET k.{AFTER} = t.{AFTER}"

    def _put_back(self, operation: PutBackValues) -> Iterator[str]:
        table, column, place = (
            self.table_sql(operation.subject),
            self.quoted(operation.column),
            self.at(operation.at),
        )
        if operation.key:
            match = " AND ".join(f"u.{self.quoted(name)} = k.{self.quoted(name)}" for name in operation.key)
            yield f"UPDATE {table} u JOIN {place} k ON {match} SET u.{column} = k.{column}{self._still(operation)}"
            return
        rows, match = self._rows(operation, [f"{_AT} AS {_AT}"])
        yield f"ALTER TABLE {table} ADD COLUMN {_AT} {_NUMBERED}"
        yield (
            f"UPDATE {table} u JOIN {rows} ON u.{_AT} = t.{_AT} JOIN {place} k ON {match} "
            f"SET u.{column} = k.{column}{self._still(operation)}"
        )
        yield f"ALTER TABLE {table} DROP COLUMN {_AT}"

    def _still(self, operation: PutBackValues) -> str:
        """Return assignments that keep what every change of a row would set, such as the time of it."""
        model = self._spelled.get(operation.subject) if self._spelled is not None else None
        names = [each.name for each in getattr(model, "columns", ()) if each.on_update_value]
        return "".join(f", u.{quote(each)} = u.{quote(each)}" for each in names if each != operation.column)

    def lock(self, operation: Operation) -> str:
        """Return the metadata lock on the table."""
        return "exclusive metadata lock" if isinstance(operation, MoveAside | MoveBack) else ""
