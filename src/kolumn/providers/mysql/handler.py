"""What every resource type does: read its objects out of the catalogues, and write them as SQL.

A resource type is one module in `resources/` (tables: the package `tables/`): its model, its catalogue query and
the statements that create, change and drop it, side by side.
"""

from __future__ import annotations

import builtins
import dataclasses
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from kolumn.engine.declaration import replaced
from kolumn.engine.operations import Create, Drop, Operation, Rename, Risk, Statement
from kolumn.engine.resource import Model, Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.accounts import account_fault, account_normal, parse_account
from kolumn.providers.mysql.language.dialect import MySQLDialect, calls
from kolumn.providers.mysql.language.tokens import qualified
from kolumn.providers.mysql.reading import Entry, Key, Reading, Row
from kolumn.sql.handlers import SQLHandler
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import AlterObject

M = TypeVar("M", bound=Model)

ROUTINES = ("function", "procedure")


def same_modes(one: str, other: str) -> bool:
    """Whether two SQL modes are the same, in whatever order."""
    return _modes(one) == _modes(other)


def _modes(text: str) -> frozenset[str]:
    return frozenset(each for each in text.upper().split(",") if each)


class MySQLHandler(SQLHandler[M]):
    """One resource type of MySQL or MariaDB."""

    MODEL: ClassVar[builtins.type[Any]]
    KEYWORD: ClassVar[str]
    """What CREATE, ALTER and DROP call it."""
    PLACE: ClassVar[int] = 0
    """-1 for types that everything else may need: created first, dropped last."""
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {
        "account": Grammar(account_fault, account_normal),
    }
    dialect: MySQLDialect

    def __init__(self, dialect: MySQLDialect) -> None:
        super().__init__(self.MODEL, dialect, self.description)

    # Reading

    @abstractmethod
    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the catalogue queries by name, unique among all types.

        `{in_databases:column}` in a query stands for the condition on the column of a database's name.
        """

    def further_queries(self, rows: Mapping[str, list[Row]], server: Server) -> Mapping[str, str]:
        """Return the queries that need to know what the others found."""
        return {}

    def shown(self, rows: Mapping[str, list[Row]], server: Server) -> Mapping[Key, str]:
        """Return the SHOW statements that tell what no table of the catalogue does, by what they are about."""
        return {}

    @abstractmethod
    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield what the rows say is there."""

    @abstractmethod
    def build(self, entry: Entry, reading: Reading) -> M:
        """Return the model of an entry."""

    # Writing

    def address(self, model: M) -> str:
        """Return how statements name the object."""
        return qualified(getattr(model, "schema", ""), model.name)

    @abstractmethod
    def definition_sql(self, model: M, server: Server) -> Iterator[str | Statement]:
        """Yield the statements that create the object."""

    def alteration_sql(
        self, before: M, after: M, fields: tuple[str, ...], server: Server
    ) -> Iterator[str | Statement]:
        """Yield the statements that change attributes of `IN_PLACE`."""
        raise AssertionError(fields)
        yield ""

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation on an object of this type."""
        match operation:
            case Create(model=model):
                yield from self.definition_sql(model, server)
            case Drop(model=model):
                yield self.drop_sql(model, server)
            case Rename(before=before, after=after):
                yield self.rename_sql(before, after, server)
            case AlterObject(before=before, after=after, fields=fields):
                yield from self.alteration_sql(before, after, fields, server)
            case _:
                raise AssertionError(operation)

    def pieces(self, operation: Operation) -> Iterable[Operation]:
        """Return the operation as several of which each is one statement, as each commits by itself."""
        return (operation,)

    def drop_sql(self, model: M, server: Server) -> str:
        """Return the statement that drops the object, and nothing else."""
        return f"DROP {self.KEYWORD} {self.address(model)}"

    def rename_sql(self, before: M, after: M, server: Server) -> str:
        """Return the statement that gives the object its new name."""
        return f"RENAME TABLE {self.address(before)} TO {self.address(after)}"

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the strongest lock the operation takes on what others use, empty for none worth telling."""
        return ""

    def risks(self, operation: Operation, live: Snapshot) -> Iterable[Risk]:
        """Return what the operation endangers besides what it says itself."""
        return ()

    # Who made it, and in which SQL mode: models are silent where these are the session's own

    def explicit(self, model: M) -> M:
        """Return the model with its definer and SQL mode."""
        implied = {"definer": str(parse_account(self.dialect.account)), "sql_mode": self.dialect.sql_mode}
        return replaced(
            model, {name: text for name, text in implied.items() if getattr(model, name, text) == ""}
        )

    def normal(self, model: M) -> M:
        """Return the normal form, silent about what holds anyway."""
        found = super().normal(model)
        changes = {}
        if definer := getattr(found, "definer", ""):
            is_own = parse_account(definer) == parse_account(self.dialect.account)
            changes["definer"] = "" if is_own else str(parse_account(definer))
        if mode := getattr(found, "sql_mode", ""):
            changes["sql_mode"] = "" if same_modes(mode, self.dialect.sql_mode) else mode
        return replaced(found, changes) if changes else found

    # The server's own wording (see `settling`)

    def rehearsal(
        self, wanted: M, live: M, scratch: str, tag: str, server: Server
    ) -> tuple[M, list[str]] | None:
        """Return the model as it is made in database `scratch` to see how the server words it, and how.

        Its name ends with `tag`, which no other has. None where there is nothing to see, or no way to.
        """
        return None

    def worded(self, wanted: M, rehearsed: M, found: M, live: M) -> M:
        """Return `wanted` with the live texts wherever `found`, what the server made of it, has the same."""
        same = dataclasses.replace(found, name=live.name, schema=getattr(live, "schema", ""))  # type: ignore[type-var]
        return live if self.normal(same) == self.normal(live) else wanted

    # What texts may use

    def named_in(self, text: str, schema: str) -> frozenset[Ref]:
        """Return the tables, views and routines that a text may use; only existing objects count."""
        found = {ref for each in self.dialect.relations(text) for ref in self.relation_refs(each, schema)}
        own = self.dialect.normal_schema(schema) if schema else ""
        for each in calls(text):
            places = {self.dialect.normal_schema(each.schema)} if each.schema else {"", own}
            found |= {Ref(kind, each.name, place) for kind in ROUTINES for place in places}
        return frozenset(found)

    def created(self, model: M) -> Create:
        """Return the creation of the object."""
        return _placed(super().created(model), self.PLACE)

    def dropped(self, model: M) -> Drop:
        """Return the drop of the object."""
        return _placed(super().dropped(model), -self.PLACE)


O = TypeVar("O", Create, Drop)  # noqa: E741


def _placed(operation: O, place: int) -> O:
    return dataclasses.replace(operation, place=place) if place else operation
