"""Triggers.

https://www.postgresql.org/docs/current/sql-createtrigger.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Drop, Operation, Rename, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.fragments import embedded
from kolumn.providers.postgres.language.names import NAME, object_name, spelled
from kolumn.providers.postgres.language.readable import readable
from kolumn.providers.postgres.language.tokens import literal, qualified, quote, tokenize, value
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.resources.routine import conflict
from kolumn.sql import model as sql
from kolumn.sql.differ import column_ref
from kolumn.sql.model import parse_event
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import AlterObject
from kolumn.sql.reference import quote as quote_in_list
from kolumn.sql.tokens import STRING, Token

FIRINGS = {"O": "origin", "R": "replica", "A": "always", "D": "disabled"}
"""When triggers and rules fire, by the sessions' replication role."""

_QUERIES: Mapping[str, str] = {
    "triggers": f"""
SELECT t.oid, c.oid, n.nspname, c.relname, t.tgname, t.tgtype::int, t.tgenabled::text,
    fn.nspname, f.proname, t.tgconstraint <> 0, t.tgdeferrable, t.tginitdeferred,
    coalesce(xn.nspname::text, ''), coalesce(x.relname::text, ''),
    array(
        SELECT a.attname::text FROM unnest(t.tgattr::int2[]) WITH ORDINALITY AS u (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = u.number ORDER BY place
    ),
    coalesce(t.tgoldtable::text, ''), coalesce(t.tgnewtable::text, ''), t.tgnargs,
    CASE WHEN t.tgqual IS NOT NULL OR t.tgnargs > 0 THEN pg_get_triggerdef(t.oid, false) ELSE '' END
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
LEFT JOIN pg_catalog.pg_class x ON x.oid = t.tgconstrrelid
LEFT JOIN pg_catalog.pg_namespace xn ON xn.oid = x.relnamespace
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND {{user_schemas}} AND {not_a_member("pg_trigger", "t.oid")}
    AND {not_a_member("pg_class", "c.oid")}
"""
}
"""Triggers, without the copies that partitions have of those of their table."""

_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _TRUNCATE, _INSTEAD = (1 << bit for bit in range(7))
"""Bits of pg_trigger.tgtype."""


class _Row(NamedTuple):
    """A row of the query without its oids, and with the comment: an entry's row."""

    schema: str
    table: str
    name: str
    kind: int
    enabled: str
    function_schema: str
    function: str
    constraint: bool
    deferrable: bool
    deferred: bool
    from_schema: str
    from_table: str
    columns: list[str]
    old_table: str
    new_table: str
    argument_count: int
    definition: str
    comment: str = ""


@dataclass(frozen=True)
class PostgresTrigger(sql.Trigger):
    """A trigger: when it fires, and the function it executes."""

    timing: str = attribute(
        "When it fires",
        default="after",
        validators=[one_of("before", "after", "instead of")],
        grammar="keyword",
    )
    function: str = attribute(
        "Function it executes; with its schema where that is not public",
        validators=[NOT_EMPTY],
        grammar="object_name",
    )
    arguments: tuple[str, ...] = attribute("Texts the function finds in TG_ARGV", default=())
    constraint: bool = attribute(
        "Whether it is a constraint trigger, which can wait for the commit", default=False
    )
    deferrable: bool = attribute("For constraint triggers: whether it can wait for the commit", default=False)
    initially_deferred: bool = attribute(
        "For constraint triggers: whether it waits by default", default=False
    )
    from_table: str = attribute(
        "For constraint triggers: the other table it is about; with its schema where that is not public",
        default="",
        grammar="object_name",
    )
    old_table: str = attribute("Name under which it sees the rows before", default="", grammar="identifier")
    new_table: str = attribute("Name under which it sees the rows after", default="", grammar="identifier")
    enabled: str = attribute(
        "When it fires, by the session's replication role: origin, replica, always or disabled",
        default="origin",
        validators=[one_of(*FIRINGS.values())],
        grammar="keyword",
        guards="terms",
    )
    comment: str = attribute("Comment", default="")

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        if self.constraint and (self.timing.lower() != "after" or not self.for_each_row):
            yield conflict(
                "constraint",
                "a constraint trigger fires after each row",
                'Set timing = "after" and for_each_row = true.',
            )
        if not self.constraint:
            for each in ("deferrable", "initially_deferred", "from_table"):
                if getattr(self, each):
                    yield conflict(each, f"{each} is for constraint triggers", "Set constraint = true.")
        if self.initially_deferred and not self.deferrable:
            yield conflict(
                "initially_deferred", "initially_deferred needs deferrable", "Set deferrable = true."
            )
        if self.timing.lower() == "instead of" and (not self.for_each_row or self.when):
            yield conflict(
                "timing",
                "what fires instead of an event does so for each row, without a condition",
                "Change them.",
            )


class TriggerHandler(PostgresHandler[PostgresTrigger]):
    """Triggers of tables and views: replaced in place, but for constraint triggers."""

    type = "trigger"
    description = "A trigger on a table or view: executes a function when rows change"
    MODEL = PostgresTrigger
    KEYWORD: ClassVar[str] = "TRIGGER"
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"object_name": NAME}
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"comment", "enabled"})

    # Reading

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_trigger."""
        return _QUERIES

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the triggers, each belonging to its table or view."""
        for row in reading.rows["triggers"]:
            read = _Row(*row[2:])._replace(comment=reading.comment("pg_trigger", row[0]))
            ref = Ref(self.type, read.name, self.dialect.normal_schema(read.schema), read.table)
            yield Entry(ref, ("pg_trigger", row[0]), read, reading.refs.get(("pg_class", row[1])))

    def build(self, entry: Entry) -> PostgresTrigger:
        """Return the trigger."""
        row = _Row(*entry.row)
        kind = row.kind
        columns = f" of {', '.join(map(quote_in_list, row.columns))}" if row.columns else ""
        events = {"insert": _INSERT, "delete": _DELETE, f"update{columns}": _UPDATE, "truncate": _TRUNCATE}
        tokens = tokenize(row.definition)
        return PostgresTrigger(
            name=row.name,
            schema=self.dialect.normal_schema(row.schema),
            table=row.table,
            timing="before" if kind & _BEFORE else "instead of" if kind & _INSTEAD else "after",
            events=tuple(event for event, bit in events.items() if kind & bit),
            for_each_row=bool(kind & _ROW),
            when=_condition(row.definition, tokens),
            function=spelled(row.function_schema, row.function),
            arguments=_arguments(tokens, row.argument_count),
            constraint=row.constraint,
            deferrable=row.deferrable,
            initially_deferred=row.deferred,
            from_table=spelled(row.from_schema, row.from_table) if row.from_table else "",
            old_table=row.old_table,
            new_table=row.new_table,
            enabled=FIRINGS[row.enabled],
            comment=row.comment,
        )

    # Comparing

    def ref(self, model: PostgresTrigger) -> Ref:
        """Return its name and that of its table."""
        return Ref(self.type, model.name, self.dialect.normal_schema(model.schema), model.table)

    def normal(self, model: PostgresTrigger) -> PostgresTrigger:
        """Return the normal form; the order of events says nothing."""
        return self.normalizer.trigger(super().normal(model))

    def changes_in_place(
        self, before: PostgresTrigger, after: PostgresTrigger, fields: tuple[str, ...]
    ) -> bool:
        """Whether the change is made in place: CREATE OR REPLACE takes no constraint triggers."""
        return self.IN_PLACE.issuperset(fields) or not (before.constraint or after.constraint)

    def follow(self, model: PostgresTrigger, operation: Operation) -> PostgresTrigger:
        """Return the trigger with its function and tables as they are called after a rename."""
        followed = super().follow(model, operation)
        if not isinstance(operation, Rename):
            return followed
        before, after = operation.subject, operation.target
        if before.type == "function":
            function = renamed_function(followed.function, operation)
            return dataclasses.replace(followed, function=function)
        if before.type == "table" and object_name(followed.from_table) == (before.name, before.schema):
            return dataclasses.replace(followed, from_table=spelled(after.schema, after.name))
        return followed

    # Writing

    def address(self, model: PostgresTrigger) -> str:
        """Return `name ON schema.table`."""
        return f"{quote(model.name)} ON {qualified(model.schema, model.table)}"

    def definition_sql(self, model: PostgresTrigger, server: Server) -> Iterator[str]:
        """Yield CREATE TRIGGER, and what is said of when it fires at all."""
        yield self._trigger_sql(model, "CREATE CONSTRAINT TRIGGER" if model.constraint else "CREATE TRIGGER")
        if model.enabled.lower() != "origin":
            yield self._firing_sql(model)

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation."""
        match operation:
            case AlterObject(after=after, fields=fields) if not self.IN_PLACE.issuperset(fields):
                yield self._trigger_sql(after, "CREATE OR REPLACE TRIGGER")
                if after.enabled.lower() != "origin":
                    yield self._firing_sql(after)
                if "comment" in fields:
                    yield self.comment_sql(after)
            case _:
                yield from super().statements(operation, live, server)

    def alteration(
        self, field: str, before: PostgresTrigger, after: PostgresTrigger, server: Server
    ) -> Iterator[str]:
        """Yield the statement that enables or disables the trigger."""
        yield self._firing_sql(after)

    def rename_sql(self, before: PostgresTrigger, after: PostgresTrigger) -> str:
        """Return the statement that gives the trigger its new name."""
        return f"ALTER TRIGGER {self.address(before)} RENAME TO {quote(after.name)}"

    def _trigger_sql(self, model: PostgresTrigger, words: str) -> str:
        events = " OR ".join(map(_event_sql, model.events))
        lines = [
            f"{words} {quote(model.name)}",
            f"{model.timing.upper()} {events} ON {qualified(model.schema, model.table)}",
        ]
        if model.from_table:
            lines.append(f"FROM {_qualified(model.from_table)}")
        if model.deferrable:
            lines.append("DEFERRABLE" + (" INITIALLY DEFERRED" if model.initially_deferred else ""))
        seen = [
            f"{which} TABLE AS {quote(name)}"
            for which, name in (("OLD", model.old_table), ("NEW", model.new_table))
            if name
        ]
        if seen:
            lines.append(f"REFERENCING {' '.join(seen)}")
        lines.append(f"FOR EACH {'ROW' if model.for_each_row else 'STATEMENT'}")
        if model.when:
            lines.append(f"WHEN ({embedded(model.when)})")
        arguments = ", ".join(map(literal, model.arguments))
        lines.append(f"EXECUTE FUNCTION {object_name(model.function).sql}({arguments})")
        return "\n".join(lines)

    def _firing_sql(self, model: PostgresTrigger) -> str:
        return (
            f"ALTER TABLE {qualified(model.schema, model.table)} "
            f"{firing_words(model.enabled)} TRIGGER {quote(model.name)}"
        )

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the lock on the table or view."""
        table = Ref("table", operation.subject.parent, operation.subject.schema).identity
        strongest = isinstance(operation, Drop | Rename)
        if isinstance(operation, AlterObject) and set(operation.fields) == {"comment"}:
            return ""
        return f"{'ACCESS EXCLUSIVE' if strongest else 'SHARE ROW EXCLUSIVE'} on {table}"

    # Rehearsing

    def rehearsed(self, wanted: PostgresTrigger, scratch: str) -> PostgresTrigger | None:
        """Return the trigger on a copy of its table, with a function that every database has."""
        found = super().rehearsed(wanted, scratch)
        return found and dataclasses.replace(
            found, function="suppress_redundant_updates_trigger", constraint=False, from_table="",
            deferrable=False, initially_deferred=False,
        )  # fmt: skip

    def rehearsal(
        self, rehearsed: PostgresTrigger, live: PostgresTrigger, server: Server
    ) -> Iterator[str | Statement]:
        """Yield the copy of the table and the trigger."""
        copy = qualified(rehearsed.schema, rehearsed.table)
        yield f"CREATE TABLE IF NOT EXISTS {copy} (LIKE {qualified(live.schema, live.table)})"
        yield from super().rehearsal(rehearsed, live, server)

    # Order

    def uses(self, model: PostgresTrigger) -> frozenset[Ref]:
        """Return the table or view with the columns that are named, the function, and what texts mention."""
        place = self.dialect.normal_schema(model.schema)
        tables = {Ref(kind, model.table, place) for kind in self.dialect.relation_types}
        if model.from_table:
            other = object_name(model.from_table)
            tables.add(Ref("table", other.name, other.schema))
        function = object_name(model.function)
        columns = {
            column_ref(Ref("table", model.table, place), column)
            for event in model.events
            for column in (parse_event(event) or ("", ()))[1]
        }
        called = Ref("function", f"{function.name}()", function.schema)
        return super().uses(model) | tables | columns | {called} | self.guesses(model)

    def guesses(self, model: PostgresTrigger) -> frozenset[Ref]:
        """Return what the condition mentions."""
        return self.named_in(model.when) if model.when else frozenset()


def renamed_function(text: str, rename: Rename) -> str:
    """Return what an attribute that names a function names after the function is renamed."""
    before, after = rename.before, rename.after
    if object_name(text) != object_name(spelled(before.schema, before.name)):
        return text
    return spelled(after.schema, after.name)


def firing_words(enabled: str) -> str:
    """Return what ALTER TABLE says to make a trigger or rule fire as `enabled` has it."""
    words = {
        "origin": "ENABLE",
        "replica": "ENABLE REPLICA",
        "always": "ENABLE ALWAYS",
        "disabled": "DISABLE",
    }
    return words[enabled.lower()]


def _qualified(text: str) -> str:
    name = object_name(text)
    return qualified(name.schema, name.name)


def _event_sql(text: str) -> str:
    found = parse_event(text)
    assert found is not None, text
    kind, columns = found
    return f"{kind.upper()} OF {', '.join(map(quote, columns))}" if columns else kind.upper()


def _condition(definition: str, tokens: list[Token]) -> str:
    """Return what stands in the parentheses after WHEN; no name without quotes is that word."""
    begin = next((at for at, token in enumerate(tokens) if token.word == "when"), None)
    if begin is None:
        return ""
    depth = 0
    for at in range(begin + 1, len(tokens)):
        depth += (tokens[at].word == "(") - (tokens[at].word == ")")
        if depth == 0:
            return readable(definition[tokens[begin + 1].end : tokens[at].start].strip())
    raise AssertionError(definition)


def _arguments(tokens: list[Token], count: int) -> tuple[str, ...]:
    """Return the constants at the end of a definition."""
    if not count:
        return ()
    texts = [token for token in tokens if token.kind == STRING][-count:]
    return tuple(value(token) or "" for token in texts)
