"""Triggers (https://dev.mysql.com/doc/refman/9.4/en/create-trigger.html)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of, replaced
from kolumn.engine.operations import Statement
from kolumn.engine.resource import Ref
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.accounts import definer_of
from kolumn.providers.mysql.language.tokens import fold, qualified, quote
from kolumn.providers.mysql.reading import Entry, Reading
from kolumn.providers.mysql.resources.stored import StoredHandler, mode_of, verify_sql_mode
from kolumn.sql.handlers import TriggerHandler
from kolumn.sql.model import InlineTrigger


@dataclass(frozen=True)
class MySQLTrigger(InlineTrigger):
    """A trigger. It fires for every row, on one kind of change."""

    timing: str = attribute(
        "When it fires", validators=[one_of("before", "after")], grammar="keyword", default="before"
    )
    events: tuple[str, ...] = attribute(
        "The one event: insert, update or delete", validators=[NOT_EMPTY], grammar="event"
    )
    for_each_row: bool = attribute("Whether it fires for every row: always", default=True)
    follows: str = attribute(
        "Trigger of the same table, time and event after which it fires", default="", grammar="identifier"
    )
    definer: str = attribute(
        "Account whose rights count: `name@host`; whoever creates it when left out",
        default="", kept=True, grammar="account", guards="security",
    )  # fmt: skip
    sql_mode: str = attribute(
        "SQL mode it runs in; the server's when left out", default="", kept=True, grammar="keyword"
    )

    def verify(self) -> Iterator[Problem]:
        """Yield what the server does not have."""
        yield from verify_sql_mode(self.sql_mode)
        if len(self.events) > 1 or any(" of " in f" {each.lower()} " for each in self.events):
            yield Problem(
                "a trigger has one event, insert, update or delete, of all columns",
                code="unsupported_attribute",
                path="events",
                hint="Declare a trigger for each event, and compare columns in the body.",
            )
        if any(each.strip().lower() == "truncate" for each in self.events):
            yield Problem("TRUNCATE fires no trigger", code="unsupported_attribute", path="events")
        if self.when:
            yield Problem(
                "a trigger has no condition",
                code="unsupported_attribute",
                path="when",
                hint="Put IF into the body.",
            )
        if not self.for_each_row:
            yield Problem("a trigger fires for every row", code="unsupported_attribute", path="for_each_row")


class MySQLTriggerHandler(StoredHandler[InlineTrigger], TriggerHandler):
    """Triggers; a changed one is dropped and created."""

    type = "trigger"
    description = "A trigger on a table"
    MODEL = MySQLTrigger
    KEYWORD: ClassVar[str] = "TRIGGER"

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of all triggers."""
        return {
            "triggers": """
SELECT trigger_schema, event_object_table, action_timing, event_manipulation, action_order, trigger_name,
    action_statement, sql_mode, definer
FROM information_schema.triggers WHERE {in_databases:trigger_schema}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the triggers; the second and further ones of a kind follow the one before."""
        for rows in reading.grouped("triggers", 4).values():
            previous = ""
            for row in sorted(rows, key=lambda each: int(each[4])):
                schema, table, timing, event, _, name, body, mode, definer = row
                place = reading.place(schema)
                kept = (schema, table, timing, event, name, body, mode, definer, previous)
                owner = Ref("table", fold(table), place)
                yield Entry(
                    Ref(self.type, fold(name), place), kept, owner=owner, aside=reading.is_aside(schema)
                )
                previous = name

    def build(self, entry: Entry, reading: Reading) -> MySQLTrigger:
        """Return the trigger."""
        schema, table, timing, event, name, body, mode, definer, previous = entry.row
        return MySQLTrigger(
            name=name,
            schema=reading.schema(schema),
            table=table,
            timing=timing.lower(),
            events=(event.lower(),),
            body=body,
            follows=previous,
            definer=definer_of(definer, reading.server),
            sql_mode=mode_of(mode, reading.server),
        )

    def normal(self, model: InlineTrigger) -> InlineTrigger:
        """Return the normal form; the body is kept as it is written."""
        return replaced(super().normal(model), {"body": model.body.strip().rstrip(";").rstrip()})

    def guesses(self, model: InlineTrigger) -> frozenset[Ref]:
        """Return what the body may use, but for the table itself."""
        return super().guesses(model) - {self.normalizer.table_ref(model.table, model.schema)}

    def uses(self, model: InlineTrigger) -> frozenset[Ref]:
        """Return its table, the trigger that it follows, and what the body may use."""
        assert isinstance(model, MySQLTrigger)
        table = self.normalizer.table_ref(model.table, model.schema)
        found = {table, table._replace(type="view")} | super().uses(model)
        if model.follows:
            found.add(Ref(self.type, fold(model.follows), table.schema))
        return frozenset(found - {self.ref(model)})

    def definition_sql(self, model: InlineTrigger, server: Server) -> Iterator[str | Statement]:
        """Yield CREATE TRIGGER."""
        assert isinstance(model, MySQLTrigger)
        text = (
            f"CREATE {self.definer(model)}TRIGGER {self.address(model)} {model.timing.upper()} "
            f"{model.events[0].strip().upper()} ON {qualified(model.schema, model.table)} FOR EACH ROW"
        )
        if model.follows:
            text += f" FOLLOWS {quote(model.follows)}"
        yield from self.stored(model, f"{text} {self.body(model)}", server)
