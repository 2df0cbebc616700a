"""Events: statements that the server runs at certain times.

https://dev.mysql.com/doc/refman/9.4/en/create-event.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of, replaced
from kolumn.engine.operations import Statement
from kolumn.engine.resource import Ref
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language.accounts import definer_of
from kolumn.providers.mysql.language.tokens import fold, literal
from kolumn.providers.mysql.reading import Entry, Reading
from kolumn.providers.mysql.resources.stored import StoredHandler, mode_of, verify_sql_mode

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d)?")
_INTERVAL = re.compile(
    r"\s*('[^'\\]*'|\d+)\s+(YEAR|QUARTER|MONTH|DAY|HOUR|MINUTE|WEEK|SECOND|YEAR_MONTH|DAY_HOUR|DAY_MINUTE|DAY_SECOND"
    r"|HOUR_MINUTE|HOUR_SECOND|MINUTE_SECOND)\s*",
    re.IGNORECASE,
)
_STATUS = {"ENABLED": "enabled", "DISABLED": "disabled"}
_STATUS_SQL = {"enabled": "ENABLE", "disabled": "DISABLE", "disabled on replica": "DISABLE ON SLAVE"}


@dataclass(frozen=True)
class Event:
    """An event. Times are those of the server's time zone."""

    name: str = attribute("Name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Database it is in; empty for the one managed", default="", grammar="schema")
    at: str = attribute("When it runs, once: 2035-01-01 00:00:00", default="")
    every: str = attribute("How often it runs: 1 DAY, or '1:30' HOUR_MINUTE", default="", grammar="keyword")
    starts: str = attribute("From when on; when it is created if left out", default="", kept=True)
    ends: str = attribute("Until when", default="")
    preserve: bool = attribute("Whether it stays after it ran for the last time", default=False)
    status: str = attribute(
        "Whether it runs", default="enabled", validators=[one_of(*_STATUS_SQL)], grammar="keyword"
    )
    body: str = attribute(
        "What it does: one statement, perhaps BEGIN ... END", validators=[NOT_EMPTY], grammar="body"
    )
    definer: str = attribute(
        "Account whose rights count: `name@host`; whoever creates it when left out",
        default="", kept=True, grammar="account", guards="security",
    )  # fmt: skip
    sql_mode: str = attribute(
        "SQL mode it runs in; the server's when left out", default="", kept=True, grammar="keyword"
    )
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from verify_sql_mode(self.sql_mode)
        if bool(self.at) == bool(self.every):
            yield Problem("give either at or every", code="conflicting_attributes", path="at")
        for name in ("at", "starts", "ends"):
            if getattr(self, name) and not _TIME.fullmatch(getattr(self, name)):
                yield Problem(f"{name} is no time", code="invalid_time", path=name,
                              hint="Write it as in 2035-01-01 00:00:00.")  # fmt: skip
        if self.every and not _INTERVAL.fullmatch(self.every):
            yield Problem(f"{self.every!r} is no interval", code="invalid_value", path="every",
                          hint="Write a number and a unit: 1 DAY.")  # fmt: skip
        if self.at and (self.starts or self.ends):
            yield Problem(
                "what runs once neither starts nor ends", code="conflicting_attributes", path="starts"
            )


class EventHandler(StoredHandler[Event]):
    """Events; everything about one changes in place."""

    type = "event"
    description = "An event: statements that the server runs at certain times"
    MODEL = Event
    KEYWORD: ClassVar[str] = "EVENT"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset(
        {"at", "every", "starts", "ends", "preserve", "status", "body", "definer", "sql_mode", "comment"}
    )

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of all events."""
        return {
            "events": """
SELECT event_schema, event_name, CAST(execute_at AS CHAR), interval_value, interval_field, CAST(starts AS CHAR),
    CAST(ends AS CHAR), on_completion, status, event_definition, definer, sql_mode, event_comment
FROM information_schema.events WHERE {in_databases:event_schema}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the events."""
        for row in reading.rows["events"]:
            ref = Ref(self.type, fold(row[1]), reading.place(row[0]))
            yield Entry(ref, tuple(row), aside=reading.is_aside(row[0]))

    def build(self, entry: Entry, reading: Reading) -> Event:
        """Return the event."""
        schema, name, at, value, unit, starts, ends, completion, status, body, definer, mode, comment = (
            entry.row
        )
        return Event(
            name=name,
            schema=reading.schema(schema),
            at=_time(at),
            every=f"{value} {unit.lower()}" if value else "",
            starts=_time(starts),
            ends=_time(ends),
            preserve=completion == "PRESERVE",
            status=_STATUS.get(status, "disabled on replica"),
            body=body,
            definer=definer_of(definer, reading.server),
            sql_mode=mode_of(mode, reading.server),
            comment=comment or "",
        )

    def normal(self, model: Event) -> Event:
        """Return the normal form, in which every time has its seconds."""
        changes: dict[str, Any] = {"body": model.body.strip().rstrip(";").rstrip()}
        for name in ("at", "starts", "ends"):
            text = getattr(model, name)
            changes[name] = f"{text} 00:00:00" if len(text) == 10 else text
        return replaced(super().normal(model), changes)

    def changes_in_place(self, before: Event, after: Event, fields: tuple[str, ...]) -> bool:
        """Whether ALTER EVENT can do it: an end that is not said stays in MariaDB."""
        return not (before.ends and not after.ends) and super().changes_in_place(before, after, fields)

    def definition_sql(self, model: Event, server: Server) -> Iterator[str | Statement]:
        """Yield CREATE EVENT."""
        text = f"CREATE {self.definer(model)}EVENT {self.address(model)} {self._schedule(model)}"
        yield from self.stored(model, f"{text} {self._rest(model)}DO {self.body(model)}")

    def alteration_sql(
        self, before: Event, after: Event, fields: tuple[str, ...], server: Server
    ) -> Iterator[str | Statement]:
        """Yield ALTER EVENT; what is not said stays."""
        words = [f"ALTER {self.definer(after)}EVENT {self.address(after)}"]
        if {"at", "every", "starts", "ends"} & set(fields):
            words.append(self._schedule(after))
        words.append(self._rest(after, comment="comment" in fields).rstrip())
        if {"body", "sql_mode"} & set(fields):
            words.append(f"DO {self.body(after)}")
        yield from self.stored(after, " ".join(words))

    def rename_sql(self, before: Event, after: Event, server: Server) -> str:
        """Return ALTER EVENT ... RENAME TO."""
        return f"ALTER EVENT {self.address(before)} RENAME TO {self.address(after)}"

    def _schedule(self, model: Event) -> str:
        if model.at:
            return f"ON SCHEDULE AT {literal(model.at)}"
        text = f"ON SCHEDULE EVERY {model.every.strip().upper()}"
        text += f" STARTS {literal(model.starts)}" if model.starts else ""
        return text + (f" ENDS {literal(model.ends)}" if model.ends else "")

    def _rest(self, model: Event, *, comment: bool = True) -> str:
        text = (
            f"ON COMPLETION {'' if model.preserve else 'NOT '}PRESERVE {_STATUS_SQL[model.status.lower()]} "
        )
        return text + (f"COMMENT {literal(model.comment)} " if comment and (model.comment or comment) else "")


def _time(text: str | None) -> str:
    return text.partition(".")[0] if text else ""
