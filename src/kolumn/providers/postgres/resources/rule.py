"""Rewrite rules.

https://www.postgresql.org/docs/current/sql-createrule.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of
from kolumn.engine.operations import Operation, Statement
from kolumn.engine.resource import Ref, Snapshot
from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.handler import Entry, PostgresHandler
from kolumn.providers.postgres.language.fragments import commands_fault, embedded
from kolumn.providers.postgres.language.normal import normal_statement
from kolumn.providers.postgres.language.readable import readable
from kolumn.providers.postgres.language.tokens import qualified, quote, tokenize
from kolumn.providers.postgres.reading import Reading, not_a_member
from kolumn.providers.postgres.resources.trigger import FIRINGS, firing_words
from kolumn.sql.normal import Grammar
from kolumn.sql.operations import AlterObject
from kolumn.sql.tokens import Token

EVENTS = {"1": "select", "2": "update", "3": "insert", "4": "delete"}


class _Row(NamedTuple):
    """A row of the query without its oids, and with the comment: an entry's row."""

    schema: str
    table: str
    name: str
    event: str
    instead: bool
    enabled: str
    definition: str
    comment: str = ""


@dataclass(frozen=True)
class Rule:
    """A rewrite rule: what is done besides or instead of a statement on a table or view."""

    name: str = attribute("Rule name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Schema of the table; empty for public", default="", grammar="schema")
    table: str = attribute("Table or view it is on", validators=[NOT_EMPTY], grammar="identifier")
    event: str = attribute(
        "What it rewrites: insert, update, delete or select",
        validators=[one_of(*EVENTS.values())],
        grammar="keyword",
    )
    where: str = attribute("Condition, over NEW and OLD", default="", grammar="expression")
    instead: bool = attribute("Whether the actions take the place of the statement", default=False)
    actions: tuple[str, ...] = attribute(
        "Commands it runs, one text each; nothing when left out", default=(), grammar="command"
    )
    enabled: str = attribute(
        "When it applies, by the session's replication role: origin, replica, always or disabled",
        default="origin",
        validators=[one_of(*FIRINGS.values())],
        grammar="keyword",
        guards="terms",
    )
    comment: str = attribute("Comment", default="")
    renamed_from: str = attribute("Former name", default="", hint=True, grammar="identifier")


def _command_fault(text: str) -> str | None:
    why = commands_fault(text)
    if why:
        return why
    return (
        "it has more than one command" if any(each.word == ";" for each in tokenize(embedded(text))) else None
    )


class RuleHandler(PostgresHandler[Rule]):
    """Rewrite rules, other than those that make a view a view; replaced in place."""

    type = "rule"
    description = "A rewrite rule on a table or view"
    MODEL = Rule
    KEYWORD: ClassVar[str] = "RULE"
    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"comment", "enabled"})
    GRAMMARS: ClassVar[Mapping[str, Grammar]] = {"command": Grammar(_command_fault, normal_statement)}

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the query of pg_rewrite."""
        return {
            "rules": f"""
SELECT r.oid, c.oid, n.nspname, c.relname, r.rulename, r.ev_type::text, r.is_instead, r.ev_enabled::text,
    pg_get_ruledef(r.oid)
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND {{user_schemas}} AND {not_a_member("pg_class", "c.oid")}
    AND {not_a_member("pg_rewrite", "r.oid")}
"""
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the rules, each belonging to its table or view."""
        for row in reading.rows["rules"]:
            read = _Row(*row[2:])._replace(comment=reading.comment("pg_rewrite", row[0]))
            ref = Ref(self.type, read.name, self.dialect.normal_schema(read.schema), read.table)
            yield Entry(ref, ("pg_rewrite", row[0]), read, reading.refs.get(("pg_class", row[1])))

    def build(self, entry: Entry) -> Rule:
        """Return the rule."""
        row = _Row(*entry.row)
        where, actions = _parts(row.definition)
        return Rule(
            name=row.name,
            schema=self.dialect.normal_schema(row.schema),
            table=row.table,
            event=EVENTS[row.event],
            where=readable(where),
            instead=row.instead,
            actions=tuple(map(readable, actions)),
            enabled=FIRINGS[row.enabled],
            comment=row.comment,
        )

    def ref(self, model: Rule) -> Ref:
        """Return its name and that of its table."""
        return Ref(self.type, model.name, self.dialect.normal_schema(model.schema), model.table)

    def changes_in_place(self, before: Rule, after: Rule, fields: tuple[str, ...]) -> bool:
        """Whether the change is made in place: CREATE OR REPLACE RULE takes any."""
        return True

    def address(self, model: Rule) -> str:
        """Return `name ON schema.table`."""
        return f"{quote(model.name)} ON {qualified(model.schema, model.table)}"

    def definition_sql(self, model: Rule, server: Server) -> Iterator[str]:
        """Yield CREATE RULE, and what is said of when it applies at all."""
        yield self._rule_sql(model, "CREATE RULE")
        if model.enabled.lower() != "origin":
            yield self._firing_sql(model)

    def statements(self, operation: Operation, live: Snapshot, server: Server) -> Iterator[str | Statement]:
        """Yield the statements of one operation."""
        if isinstance(operation, AlterObject):
            rest = tuple(each for each in operation.fields if each in self.IN_PLACE)
            if len(rest) < len(operation.fields):
                yield self._rule_sql(operation.after, "CREATE OR REPLACE RULE")
            operation = dataclasses.replace(operation, fields=rest)
        yield from super().statements(operation, live, server)

    def alteration(self, field: str, before: Rule, after: Rule, server: Server) -> Iterator[str]:
        """Yield the statement that enables or disables the rule."""
        yield self._firing_sql(after)

    def _rule_sql(self, model: Rule, words: str) -> str:
        table = qualified(model.schema, model.table)
        on = f"{words} {quote(model.name)} AS ON {model.event.upper()} TO {table}"
        where = f"\nWHERE ({embedded(model.where)})" if model.where else ""
        commands = [embedded(action) for action in model.actions]
        done = commands[0] if commands else "NOTHING"
        if len(commands) > 1:
            together = ";\n".join(commands)
            done = f"(\n{together}\n)"
        return f"{on}{where}\nDO {'INSTEAD' if model.instead else 'ALSO'} {done}"

    def _firing_sql(self, model: Rule) -> str:
        table = qualified(model.schema, model.table)
        return f"ALTER TABLE {table} {firing_words(model.enabled)} RULE {quote(model.name)}"

    def lock(self, operation: Operation, live: Snapshot) -> str:
        """Return the lock on the table or view."""
        if isinstance(operation, AlterObject) and set(operation.fields) == {"comment"}:
            return ""
        return (
            f"ACCESS EXCLUSIVE on {Ref('table', operation.subject.parent, operation.subject.schema).identity}"
        )

    def rehearsal(self, rehearsed: Rule, live: Rule, server: Server) -> Iterator[str | Statement]:
        """Yield a copy of the table and the rule on it."""
        copy = qualified(rehearsed.schema, rehearsed.table)
        yield f"CREATE TABLE IF NOT EXISTS {copy} (LIKE {qualified(live.schema, live.table)})"
        yield from super().rehearsal(rehearsed, live, server)

    def uses(self, model: Rule) -> frozenset[Ref]:
        """Return the table or view it is on, and what its texts mention."""
        place = self.dialect.normal_schema(model.schema)
        tables = {Ref(kind, model.table, place) for kind in self.dialect.relation_types}
        return super().uses(model) | tables | self.guesses(model)

    def guesses(self, model: Rule) -> frozenset[Ref]:
        """Return what was read out of condition and actions."""
        texts = [text for text in (model.where, *model.actions) if text]
        return frozenset().union(
            *(self.relations_in(text) for text in texts), *(self.named_in(text) for text in texts)
        )


def _parts(definition: str) -> tuple[str, tuple[str, ...]]:
    """Return the condition and the actions of `pg_get_ruledef`; what is no keyword there has quotes."""
    tokens = tokenize(definition)
    while tokens and tokens[-1].word == ";":
        tokens.pop()
    do = _outside(tokens, "do", 0)
    where = _outside(tokens, "where", 0, do)
    condition = definition[tokens[where].end : tokens[do].start].strip() if where < do else ""
    begin = do + 1 + (tokens[do + 1].word == "instead")
    if tokens[begin].word == "nothing":
        return condition, ()
    if tokens[begin].word != "(":
        return condition, (definition[tokens[begin].start : tokens[-1].end],)
    actions: list[str] = []
    start = begin + 1
    depth = 0
    for at in range(start, len(tokens) - 1):
        depth += (tokens[at].word == "(") - (tokens[at].word == ")")
        if depth == 0 and tokens[at].word == ";":
            actions.append(definition[tokens[start].start : tokens[at - 1].end])
            start = at + 1
    if start < len(tokens) - 1:
        actions.append(definition[tokens[start].start : tokens[-2].end])
    return condition, tuple(actions)


def _outside(tokens: list[Token], word: str, start: int, end: int | None = None) -> int:
    """Return where a word stands outside parentheses, the end where it does not."""
    last = len(tokens) if end is None else end
    depth = 0
    for at in range(start, last):
        depth += (tokens[at].word == "(") - (tokens[at].word == ")")
        if depth == 0 and tokens[at].word == word:
            return at
    return last
