"""Triggers (https://dev.mysql.com/doc/refman/9.4/en/create-trigger.html)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of, replaced
from kolumn.engine.operations import Create, Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language import fragments
from kolumn.providers.mysql.language.accounts import definer_of
from kolumn.providers.mysql.language.tokens import fold, qualified, quote, tokenize, unquote
from kolumn.providers.mysql.reading import Entry, Key, Reading, Row
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
    header: str = attribute(
        "What stands between TRIGGER and the body as first written, line breaks included: MariaDB keeps it. Used "
        "word for word as long as it says the same as the attributes",
        default="",
        compare=False,
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
        if self.header and fragments.fault(self.header)[0]:
            yield Problem("header is no beginning of a trigger", code="invalid_expression", path="header")
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

    def shown(self, rows: Mapping[str, list[Row]], server: Server) -> Mapping[Key, str]:
        """Return SHOW CREATE TRIGGER of each where the server keeps the statement as it was written."""
        if not server.is_mariadb:
            return {}
        return {
            (self.type, row[0], row[5]): f"SHOW CREATE TRIGGER {qualified(row[0], row[5])}"
            for row in rows["triggers"]
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the triggers; the second and further ones of a kind follow the one before."""
        for rows in reading.grouped("triggers", 4).values():
            previous = ""
            for row in sorted(rows, key=lambda each: int(each[4])):
                schema, table, timing, event, _, name, body, mode, definer = row
                place = reading.place(schema)
                said = reading.shown.get((self.type, schema, name), ("", "", ""))[2]
                header = _header(said or "", body)
                kept = (schema, table, timing, event, name, body, mode, definer, previous, header)
                owner = Ref("table", fold(table), place)
                yield Entry(
                    Ref(self.type, fold(name), place), kept, owner=owner, aside=reading.is_aside(schema)
                )
                previous = name

    def build(self, entry: Entry, reading: Reading) -> MySQLTrigger:
        """Return the trigger."""
        schema, table, timing, event, name, body, mode, definer, previous, header = entry.row
        found = MySQLTrigger(
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
        said = _says(header, found, follows=True) or _says(header, found, follows=False)
        return replaced(found, {"header": header}) if said and header != f"{_plain(found)} " else found

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

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements; a header that says no place is used where the trigger comes last anyway."""
        if isinstance(operation, Create) and isinstance(model := operation.model, MySQLTrigger):
            last = not any(_precedes(model, live.get(each)) for each in live.attached(self._table(model)))
            header = model.header if _says(model.header, model, follows=not last) else ""
            if last and not header and _says(model.header, model, follows=True):
                header = model.header
            yield from self._create(model, header or _plain(model), server)
        else:
            yield from super().statements(operation, live, server)

    def definition_sql(self, model: InlineTrigger, server: Server) -> Iterator[str | Statement]:
        """Yield CREATE TRIGGER."""
        assert isinstance(model, MySQLTrigger)
        yield from self._create(model, _plain(model), server)

    def _create(self, model: MySQLTrigger, header: str, server: Server) -> Iterator[str | Statement]:
        between = "" if header[-1].isspace() else " "
        yield from self.stored(
            model, f"CREATE {self.definer(model)}TRIGGER {header}{between}{self.body(model)}", server
        )

    def _table(self, model: InlineTrigger) -> Ref:
        return self.normalizer.table_ref(model.table, model.schema)


def _precedes(model: MySQLTrigger, other: object) -> bool:
    """Whether another trigger has the place after `model.follows`."""
    return (
        isinstance(other, MySQLTrigger)
        and fold(other.name) != fold(model.name)
        and other.timing.lower() == model.timing.lower()
        and other.events[0].strip().lower() == model.events[0].strip().lower()
        and fold(other.follows) == fold(model.follows)
    )


def _plain(model: MySQLTrigger, *, follows: bool = True) -> str:
    """Return what stands between TRIGGER and the body."""
    text = (
        f"{qualified(model.schema, model.name)} {model.timing.upper()} {model.events[0].strip().upper()} "
        f"ON {qualified(model.schema, model.table)} FOR EACH ROW"
    )
    return f"{text} FOLLOWS {quote(model.follows)}" if follows and model.follows else text


def _says(header: str, model: MySQLTrigger, *, follows: bool) -> bool:
    """Whether a header says what the model does, with or without its place."""
    return bool(header) and _form(header) == _form(_plain(model, follows=follows))


def _form(header: str) -> list[str]:
    return [fold(unquote(token.text)) for token in tokenize(header)]


def _header(text: str, body: str) -> str:
    """Return what stands between TRIGGER and the body in a CREATE statement of the server's."""
    text = text.rstrip()
    if not text.endswith(body):
        return ""
    text = text[: len(text) - len(body)]
    token = next((each for each in tokenize(text) if each.word == "TRIGGER"), None)
    return text[token.end :].lstrip() if token is not None else ""
