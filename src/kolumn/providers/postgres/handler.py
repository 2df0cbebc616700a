"""What every resource type of PostgreSQL does: read its objects out of the catalogues, and write them as SQL.

A resource type is one module in `resources/` (tables: the package `tables/`): its model, its catalogue query,
and the statements that create, change and drop it, side by side. A subclass gives

* `MODEL`, `KEYWORD` (what ALTER, DROP and COMMENT ON call it) and `IN_PLACE` (attributes ALTER can change);
* `queries`, `entries`, `build`: from catalogue rows to entries, and from an entry, when asked, to its model;
* `definition_sql`: the CREATE statement; `alteration`: the statements that change one attribute.

Renames, owners, comments and drops are written here, alike for all.
"""

from __future__ import annotations

import builtins
import dataclasses
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

from kolumn.engine.operations import Create, Drop, Operation, Rename, Risk, Statement
from kolumn.engine.resource import Model, Ref, Snapshot
from kolumn.engine.rewriting import rewrite
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.following import text_change
from kolumn.providers.postgres.language import mentions
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.language.signatures import routine_ref
from kolumn.providers.postgres.language.tokens import literal, qualified, quote
from kolumn.providers.postgres.reading import Reading
from kolumn.providers.postgres.wording import worded
from kolumn.sql.handlers import SQLHandler
from kolumn.sql.operations import AlterObject

M = TypeVar("M", bound=Model)

TYPE_KINDS = ("enum", "domain", "composite_type", "range_type", "table", "view", "materialized_view")
"""Resource types whose objects can be the type of a column; a relation is the type of its rows."""


def role_refs(*names: str) -> frozenset[Ref]:
    """Return what roles of these names may be among the resources; empty and `public` are no roles."""
    return frozenset(
        Ref(kind, name) for name in names if name not in ("", "public") for kind in ("role", "user")
    )


class Entry(NamedTuple):
    """One object as the catalogues have it: enough to build its model later, and to tell if it changed."""

    ref: Ref
    identity: tuple[str, int]
    """Catalogue and oid: what `pg_depend` calls it."""
    row: tuple[Any, ...]
    """All that says what the object is, and no oids: they differ between databases that are alike."""
    owner: Ref | None = None
    """The object it vanishes with, e.g. an index's table."""
    aside: bool = False
    """Whether it counts only where it is named (see `Snapshot`)."""
    parts: tuple[Ref, ...] = ()
    """Parts of other objects, e.g. columns, that it stands on without a word of `pg_depend`."""
    secret: str = ""
    """What `build` needs and no digest may be made of."""


class PostgresHandler(SQLHandler[M]):
    """One resource type of PostgreSQL."""

    MODEL: ClassVar[builtins.type[Any]]
    KEYWORD: ClassVar[str]
    dialect: PostgresDialect
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"owner", "comment"})
    NAMESPACE: ClassVar[str] = ""
    """What shares names with objects of this type, whatever its type: `relation`, `routine`."""
    PLACE: ClassVar[int] = 0
    """-1 for types that everything else may need: created first, dropped last."""

    def __init__(self, dialect: PostgresDialect) -> None:
        super().__init__(self.MODEL, dialect, self.description)

    # Reading

    @abstractmethod
    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the catalogue queries by name, unique among all types.

        `{user_schemas}` in a query stands for the condition on `n` (pg_namespace) that leaves out the
        system's schemas and Kolumn's.
        """

    @abstractmethod
    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield what the rows of `queries` describe."""

    @abstractmethod
    def build(self, entry: Entry) -> M:
        """Return the model of an entry."""

    # Writing

    def address(self, model: M) -> str:
        """Return how statements name the object, e.g. `public.mood` or `touched ON public.film`."""
        return qualified(getattr(model, "schema", ""), model.name)

    @abstractmethod
    def definition_sql(self, model: M, server: Server) -> Iterator[str | Statement]:
        """Yield the statements that create the object, without owner and comment."""

    def alteration(self, field: str, before: M, after: M, server: Server) -> Iterator[str | Statement]:
        """Yield the statements that change one attribute of `IN_PLACE` beyond owner and comment."""
        raise AssertionError(field)
        yield ""

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation on an object of this type."""
        match operation:
            case Create(model=model):
                yield from self.definition_sql(model, server)
                if getattr(model, "owner", ""):
                    yield self.owner_sql(model)
                if getattr(model, "comment", ""):
                    yield self.comment_sql(model)
            case Drop(model=model):
                yield self.drop_sql(model)
            case Rename(before=before, after=after):
                yield self.rename_sql(before, after)
            case AlterObject(before=before, after=after, fields=fields):
                for field in fields:
                    if field == "owner":
                        yield self.owner_sql(after)
                    elif field == "comment":
                        yield self.comment_sql(after)
                    else:
                        yield from self.alteration(field, before, after, server)
            case _:
                raise AssertionError(operation)

    def drop_sql(self, model: M) -> str:
        """Return the statement that drops the object, and nothing else."""
        return f"DROP {self.KEYWORD} {self.address(model)}"

    def rename_sql(self, before: M, after: M) -> str:
        """Return the statement that gives the object its new name."""
        return f"ALTER {self.KEYWORD} {self.address(before)} RENAME TO {quote(after.name)}"

    def owner_sql(self, model: M) -> str:
        """Return the statement that gives the object to its owner."""
        return f"ALTER {self.KEYWORD} {self.address(model)} OWNER TO {quote(getattr(model, 'owner', ''))}"

    def comment_sql(self, model: M) -> str:
        """Return the statement that sets the comment, or takes it away."""
        text = getattr(model, "comment", "")
        said = literal(text) if text else "NULL"
        return f"COMMENT ON {self.KEYWORD} {self.address(model)} IS {said}"

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the strongest lock the operation takes on what others use, empty for none worth telling."""
        return ""

    def risks(self, operation: Operation, live: Snapshot) -> Iterable[Risk]:
        """Return what the operation endangers besides what it says itself, given what the database holds."""
        return ()

    # The server's own wording (see `settling`)

    def rehearsed(self, wanted: M, scratch: str) -> M | None:
        """Return the model that is made in schema `scratch` to see how the server words it.

        None where there is nothing to see, or no way to.
        """
        if not hasattr(wanted, "schema"):
            return None
        changes = {"schema": scratch, **{name: "" for name in ("owner", "comment") if hasattr(wanted, name)}}
        return dataclasses.replace(wanted, **changes)  # type: ignore[type-var]

    def rehearsal(self, rehearsed: M, live: M, server: Server) -> Iterator[str | Statement]:
        """Yield the statements that make `rehearsed`, and before it what it needs in the same schema."""
        return self.definition_sql(rehearsed, server)

    def worded(self, wanted: M, rehearsed: M, found: M, known: frozenset[str]) -> M:
        """Return `wanted` with the texts that `found`, what the server made of `rehearsed`, has `known`."""
        settled: M = worded(wanted, found, known)
        return settled

    # Order

    def aliases(self, model: M) -> frozenset[Ref]:
        """Return the name by which objects of several types may be meant."""
        if not self.NAMESPACE:
            return frozenset()
        schema = getattr(model, "schema", "")
        return frozenset({Ref(self.NAMESPACE, model.name, self.dialect.normal_schema(schema))})

    def uses(self, model: M) -> frozenset[Ref]:
        """Return the schema the object is in, if it is not public, and the role that owns it."""
        return super().uses(model) | role_refs(getattr(model, "owner", ""))

    def follow(self, model: M, operation: Operation) -> M:
        """Return the model as it is once a role, or what its texts name, has its new name."""
        if isinstance(operation, Rename) and operation.subject in role_refs(getattr(model, "owner", "")):
            return dataclasses.replace(model, owner=operation.after.name)  # type: ignore[type-var]
        change = text_change(operation)
        if change is not None:
            model = rewrite(model, change)
        return super().follow(model, operation)

    def created(self, model: M) -> Create:
        """Return the creation of the object."""
        return _placed(super().created(model), self.PLACE)

    def dropped(self, model: M) -> Drop:
        """Return the drop of the object."""
        return _placed(super().dropped(model), -self.PLACE)

    def consolidated(
        self, operations: list[Operation], live: Snapshot, server: Server, *, online: bool
    ) -> list[Operation]:
        """Return the operations of a plan with what only all of them together, and the server, show.

        Called once per plan, in the order of the registry. They are the operations themselves where there is
        nothing to add. `online` says that they will not be one transaction.
        """
        return operations

    def disturbs(self, operation: Operation, live: Snapshot, *, replaced: bool) -> Iterable[Ref]:
        """Yield what must be dropped before the operation and comes back after it.

        What is dropped to be created anew takes along what hangs on it; anything else leaves it in peace,
        as PostgreSQL refers to objects by number.
        """
        if isinstance(operation, Drop) and replaced:
            yield from live.attached(operation.subject)
            yield from live.dependents(operation.subject)

    def relations_in(self, text: str) -> frozenset[Ref]:
        """Return the tables, views and the like that a query may read; only existing objects count."""
        found = self.dialect.relations(text)
        return frozenset(
            Ref(kind, each.name, each.schema) for each in found for kind in self.dialect.relation_types
        )

    def named_in(self, text: str) -> frozenset[Ref]:
        """Return the routines, types and sequences that a text may use; only existing objects count."""
        routines = (routine_ref(each.name, each.schema) for each in mentions.functions(text))
        sequences = (Ref("sequence", each.name, each.schema) for each in mentions.sequences(text))
        types = (
            Ref(kind, each.name, each.schema) for each in mentions.type_names(text) for kind in TYPE_KINDS
        )
        return frozenset((*routines, *sequences, *types))

    def type_uses(self, text: str, schema: str) -> frozenset[Ref]:
        """Return the user types a type's name may mean; only existing objects count."""
        found = self.dialect.type_of(text)
        return frozenset() if found is None else self._refs(TYPE_KINDS, found.name, found.schema, schema)

    def _refs(self, kinds: Iterable[str], name: str, schema: str, own: str) -> frozenset[Ref]:
        named = self.dialect.normal_schema(schema) if schema else ""
        places = {named} if schema else {"", self.dialect.normal_schema(own) if own else ""}
        return frozenset(Ref(kind, name, place) for kind in kinds for place in places)


O = TypeVar("O", Create, Drop)  # noqa: E741


def _placed(operation: O, place: int) -> O:
    if place == 0:
        return operation
    return dataclasses.replace(operation, place=place)
