"""The grants that default privileges bring along with what is created.

https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from kolumn.engine.operations import Create, Drop, Operation
from kolumn.engine.planning.consequences import Brought
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.grants.model import GRANTED_AS, Grant
from kolumn.providers.postgres.grants.privileges import KINDS, NOTHING, PUBLIC, Held
from kolumn.providers.postgres.handler import PostgresHandler
from kolumn.providers.postgres.language.naming import sequence_name
from kolumn.providers.postgres.language.types import serial_of
from kolumn.providers.postgres.resources.default_privileges import KINDS_BY_NAME


class _Object(NamedTuple):
    """Something that is created, and that privileges can be granted on."""

    source: Ref
    on: str
    """What default privileges call its kind."""
    kind: str
    """What grants call it."""
    name: str
    schema: str
    arguments: tuple[str, ...]
    owner: str


def brought(
    operations: Iterable[Operation], live: Snapshot, server: Server, grants: PostgresHandler[Grant]
) -> Iterator[Brought]:
    """Yield the grants that come along with what `operations` create.

    Default privileges that the same plan drops are gone before, and those it creates or changes are so after.
    """
    operations = tuple(operations)
    creations = [each for each in operations if isinstance(each, Create) and each.subject.type in GRANTED_AS]
    if not creations:
        return
    gone = {each.subject for each in operations if isinstance(each, Drop)}
    defaults = _Defaults(live, gone, server)
    if not defaults:
        return
    for each in creations:
        for created in _objects(each.subject, each.model, server):
            for grant in defaults.grants_on(created):
                yield Brought(grants.ref(grant), grant, each.subject)


def _objects(source: Ref, model: Any, server: Server) -> Iterator[_Object]:
    """Yield what is created, a table's sequences with it."""
    schema, owner = getattr(model, "schema", ""), getattr(model, "owner", "") or server.user
    arguments = tuple(getattr(model, "input_types", ()))
    yield _Object(source, *GRANTED_AS[source.type], model.name, schema, arguments, owner)
    for column in model.columns if source.type == "table" else ():
        if column.identity is None and serial_of(column.type) is None:
            continue
        named = column.identity.sequence if column.identity is not None else column.sequence
        name = named or sequence_name(model.name, column.name)
        yield _Object(source, *GRANTED_AS["sequence"], name, schema, (), owner)


class _Defaults:
    """What is granted on objects of the role in effect: whatever is created is its own at first."""

    def __init__(self, live: Snapshot, gone: set[Ref], server: Server) -> None:
        self._server = server
        self._held: dict[tuple[str, str], dict[str, Held]] = defaultdict(dict)
        for ref in live.refs("default_privileges"):
            model = live.get(ref)
            if ref not in gone and model.owner == server.user:
                held = model.held(KINDS[model.kind].complete(server))
                self._held[model.on.lower().strip(), model.in_schema][model.role] = held

    def __bool__(self) -> bool:
        return bool(self._held)

    def grants_on(self, created: _Object) -> Iterator[Grant]:
        """Yield what grantees get on an object that they would not have otherwise, or lack."""
        everywhere = self._held.get((created.on, ""), {})
        inside = self._held.get((created.on, created.schema or "public"), {})
        if not everywhere and not inside:
            return
        kind = KINDS[KINDS_BY_NAME[created.on]]
        complete = kind.complete(self._server)
        creator = self._server.user
        for role in sorted({*everywhere, *inside}):
            usual = Held(complete) if role == creator else Held(kind.public) if role == PUBLIC else NOTHING
            base, more = everywhere.get(role, usual), inside.get(role, NOTHING)
            held = Held(base.privileges | more.privileges, base.grantable | more.grantable)
            # A new owner gets what the creator had, and so has everything already where that is as usual.
            if held == usual or (role == created.owner and role != creator):
                continue
            listed, option = held.lists(complete)
            yield Grant(
                role=created.owner if role == creator else role,
                on=created.kind,
                object=created.name,
                schema=created.schema,
                arguments=created.arguments,
                privileges=listed,
                grant_option=option,
                default=usual,
                complete=complete,
            )
