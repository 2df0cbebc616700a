"""Event triggers.

https://www.postgresql.org/docs/current/sql-createeventtrigger.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Operation, Rename
from kolumn.engine.resource import Ref
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.names import NAME, object_name, spelled
from kolumn.providers.postgres.language.tokens import literal, quote
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.resources.trigger import FIRINGS, firing_words, renamed_function
from kolumn.sql.normal import Grammar

EVENTS = ("ddl_command_start", "ddl_command_end", "table_rewrite", "sql_drop", "login")


@dataclass(frozen=True)
class EventTrigger:
    """An event trigger: of the whole database, it fires for statements that change its objects."""

    name: str = attribute("Name of the event trigger", validators=[NOT_EMPTY], grammar="identifier")
    event: str = attribute(
        "What it fires for: ddl_command_start, ddl_command_end, table_rewrite, sql_drop, login",
        validators=[one_of(*EVENTS)],
        grammar="keyword",
    )
    tags: tuple[str, ...] = attribute(
        "Statements it fires for, e.g. DROP TABLE; for all when left out", default=()
    )
    function: str = attribute(
        "Function it executes; with its schema where that is not public",
        validators=[NOT_EMPTY],
        grammar="object_name",
    )
    enabled: str = attribute(
        "When it fires, by the session's replication role: origin, replica, always or disabled",
        default="origin",
        validators=[one_of(*FIRINGS.values())],
        grammar="keyword",
    )
    owner: str = attribute("Role that owns it, a superuser", default="", kept=True, grammar="identifier")
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")


class EventTriggerHandler(PostgresHandler[EventTrigger]):
    """Event triggers: created last and dropped first, so that they leave the plan's own statements alone."""

    type = "event_trigger"
    description = "An event trigger: executes a function when objects of the database are changed"
    MODEL = EventTrigger
    KEYWORD: ClassVar[str] = "EVENT TRIGGER"
    PLACE: ClassVar[int] = 1
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"object_name": NAME}
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"owner", "comment", "enabled"})

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_event_trigger."""
        return {
            "event_triggers": f"""
SELECT t.oid, t.evtname, t.evtevent, coalesce(t.evttags, ARRAY[]::text[]), n.nspname, f.proname,
    t.evtenabled::text, pg_get_userbyid(t.evtowner)
FROM pg_catalog.pg_event_trigger t
JOIN pg_catalog.pg_proc f ON f.oid = t.evtfoid JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
WHERE {not_a_member("pg_event_trigger", "t.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the event triggers."""
        for oid, *row in reading.rows["event_triggers"]:
            comment = reading.comment("pg_event_trigger", oid)
            yield Entry(Ref(self.type, row[0]), ("pg_event_trigger", oid), (*row, comment))

    def build(self, entry: Entry) -> EventTrigger:
        """Return the event trigger."""
        name, event, tags, schema, function, enabled, owner, comment = entry.row
        return EventTrigger(
            name=name,
            event=event,
            tags=tuple(tags),
            function=spelled(schema, function),
            enabled=FIRINGS[enabled],
            owner=owner,
            comment=comment,
        )

    def normal(self, model: EventTrigger) -> EventTrigger:
        """Return the normal form; tags are in capitals, and their order says nothing."""
        normal = super().normal(model)
        return dataclasses.replace(normal, tags=tuple(sorted({tag.upper() for tag in model.tags})))

    def address(self, model: EventTrigger) -> str:
        """Return its quoted name."""
        return quote(model.name)

    def definition_sql(self, model: EventTrigger, server: Server) -> Iterator[str]:
        """Yield CREATE EVENT TRIGGER, and what is said of when it fires at all."""
        tags = f"\nWHEN TAG IN ({', '.join(map(literal, model.tags))})" if model.tags else ""
        event, function = model.event.lower(), object_name(model.function).sql
        yield f"CREATE EVENT TRIGGER {self.address(model)} ON {event}{tags}\nEXECUTE FUNCTION {function}()"
        if model.enabled.lower() != "origin":
            yield self._firing_sql(model)

    def alteration(
        self, field: str, before: EventTrigger, after: EventTrigger, server: Server
    ) -> Iterator[str]:
        """Yield the statement that enables or disables the event trigger."""
        yield self._firing_sql(after)

    def _firing_sql(self, model: EventTrigger) -> str:
        return f"ALTER EVENT TRIGGER {self.address(model)} {firing_words(model.enabled)}"

    def uses(self, model: EventTrigger) -> frozenset[Ref]:
        """Return the function it executes."""
        function = object_name(model.function)
        called = Ref("function", f"{function.name}()", function.schema)
        return super().uses(model) | {called}

    def follow(self, model: EventTrigger, operation: Operation) -> EventTrigger:
        """Return the event trigger with its function as it is called after a rename."""
        followed = super().follow(model, operation)
        if isinstance(operation, Rename) and operation.subject.type == "function":
            return dataclasses.replace(followed, function=renamed_function(followed.function, operation))
        return followed
