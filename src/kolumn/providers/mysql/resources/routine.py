"""Functions and procedures (https://dev.mysql.com/doc/refman/9.4/en/create-procedure.html)."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kolumn.contract.errors import Problem
from kolumn.engine.declaration import NOT_EMPTY, attribute, one_of, replaced
from kolumn.engine.operations import Statement
from kolumn.engine.resource import Ref
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.language import fragments
from kolumn.providers.mysql.language.accounts import definer_of
from kolumn.providers.mysql.language.fragments import embedded
from kolumn.providers.mysql.language.tokens import (
    Token,
    fold,
    literal,
    normal,
    qualified,
    quote,
    tokenize,
    unquote,
)
from kolumn.providers.mysql.language.types import type_of
from kolumn.providers.mysql.reading import Entry, Key, Reading, Row
from kolumn.providers.mysql.resources.stored import StoredHandler, mode_of, verify_sql_mode
from kolumn.providers.mysql.tables.model import verify_charset


@dataclass(frozen=True)
class Argument:
    """An argument of a routine."""

    name: str = attribute("Name", validators=[NOT_EMPTY], grammar="identifier")
    type: str = attribute("Data type", validators=[NOT_EMPTY], grammar="type")
    mode: str = attribute(
        "Which way its value goes, in a procedure", default="in", validators=[one_of("in", "out", "inout")],
        grammar="keyword",
    )  # fmt: skip
    collation: str = attribute("Collation; the database's when left out", default="", grammar="keyword")

    def verify(self) -> Iterator[Problem]:
        """Yield faults of the collation."""
        yield from verify_charset("", self.collation)


@dataclass(frozen=True)
class Routine:
    """What functions and procedures have in common."""

    name: str = attribute("Name", validators=[NOT_EMPTY], grammar="identifier")
    schema: str = attribute("Database it is in; empty for the one managed", default="", grammar="schema")
    arguments: tuple[Argument, ...] = attribute("Arguments, in order", default=())
    body: str = attribute(
        "What it does: one statement, as a rule BEGIN ... END", validators=[NOT_EMPTY], grammar="body"
    )
    deterministic: bool = attribute("Whether the same arguments always give the same", default=False)
    data_access: str = attribute(
        "What its statements do with rows",
        default="contains sql",
        validators=[one_of("contains sql", "no sql", "reads sql data", "modifies sql data")],
        grammar="keyword",
    )
    security: str = attribute(
        "Whose rights count: definer or invoker", default="definer", validators=[one_of("definer", "invoker")],
        grammar="keyword", guards="security",
    )  # fmt: skip
    definer: str = attribute(
        "Account whose rights count: `name@host`; whoever creates it when left out",
        default="", kept=True, grammar="account", guards="security",
    )  # fmt: skip
    sql_mode: str = attribute(
        "SQL mode it runs in; the server's when left out", default="", kept=True, grammar="keyword"
    )
    comment: str = attribute("Comment", default="")
    signature: str = attribute(
        "The arguments as first written, line breaks included. Used word for word as long as it says the same as "
        "arguments; the server keeps it",
        default="",
        compare=False,
    )

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        if self.signature and fragments.fault(self.signature, commas=True)[0]:
            yield Problem("signature is no list of arguments", code="invalid_expression", path="signature")
        yield from verify_sql_mode(self.sql_mode)
        names = [fold(each.name) for each in self.arguments]
        if len(set(names)) < len(names):
            yield Problem("two arguments have one name", code="duplicate", path="arguments")


@dataclass(frozen=True)
class Procedure(Routine):
    """A procedure."""


@dataclass(frozen=True)
class Function(Routine):
    """A function."""

    returns: str = attribute("Data type of what it returns", validators=[NOT_EMPTY], grammar="type")
    returns_collation: str = attribute(
        "Collation of that; the database's when left out", default="", grammar="keyword"
    )

    def verify(self) -> Iterator[Problem]:
        """Yield faults across attributes."""
        yield from super().verify()
        yield from verify_charset("", self.returns_collation)
        if any(each.mode.lower() != "in" for each in self.arguments):
            yield Problem(
                "arguments of a function only go in", code="conflicting_attributes", path="arguments"
            )


def _written(text: str) -> str:
    """Return the list of arguments in a CREATE statement of the server's."""
    tokens = tokenize(text)
    start = next((at for at, token in enumerate(tokens) if token.word == "("), None)
    if start is None:
        return ""
    depth = 0
    for token in tokens[start:]:
        depth += (token.word == "(") - (token.word == ")")
        if depth == 0:
            return text[tokens[start].end : token.start]
    return ""


class RoutineHandler(StoredHandler[Routine]):
    """What is common to both; a changed body means drop and create, as ALTER changes none."""

    IN_PLACE: ClassVar[frozenset[str]] = frozenset({"comment", "data_access", "security"})

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return the queries of routines and their arguments."""
        return {
            "routines": """
SELECT routine_schema, routine_name, routine_type, routine_definition, is_deterministic, sql_data_access,
    security_type, sql_mode, routine_comment, definer, database_collation
FROM information_schema.routines
WHERE routine_type IN ('FUNCTION', 'PROCEDURE') AND {in_databases:routine_schema}
""",
            "parameters": """
SELECT specific_schema, specific_name, routine_type, ordinal_position, parameter_mode, parameter_name, dtd_identifier,
    collation_name
FROM information_schema.parameters WHERE {in_databases:specific_schema}
""",
        }

    def shown(self, rows: Mapping[str, list[Row]], server: Server) -> Mapping[Key, str]:
        """Return SHOW CREATE of each: only that has the arguments as they were written."""
        return {
            (self.type, row[0], row[1]): f"SHOW CREATE {self.KEYWORD} {qualified(row[0], row[1])}"
            for row in rows["routines"]
            if row[2].lower() == self.type
        }

    def entries(self, reading: Reading) -> Iterator[Entry]:
        """Yield the routines of this type."""
        parameters = reading.grouped("parameters", 3)
        for row in reading.rows["routines"]:
            if row[2].lower() != self.type or row[3] is None:
                continue  # whose body may not be seen cannot be managed
            rows = sorted((each[3:] for each in parameters.get(row[:3], [])), key=lambda each: int(each[0]))
            ref = Ref(self.type, fold(row[1]), reading.place(row[0]))
            said = reading.shown.get((self.type, row[0], row[1]), ("", "", ""))[2]
            yield Entry(ref, (*row, tuple(rows), _written(said or "")), aside=reading.is_aside(row[0]))

    def build(self, entry: Entry, reading: Reading) -> Routine:
        """Return the routine."""
        (
            schema,
            name,
            _kind,
            body,
            deterministic,
            access,
            security,
            mode,
            comment,
            definer,
            usual,
            rows,
            signature,
        ) = entry.row
        arguments = []
        returns: dict[str, Any] = {}
        for number, direction, parameter, type_, collation in rows:
            own = "" if collation in (None, usual) or type_of(type_) is None else collation
            if int(number) == 0:
                returns = {"returns": type_, "returns_collation": own}
            else:
                arguments.append(
                    Argument(name=parameter, type=type_, mode=(direction or "in").lower(), collation=own)
                )
        made: builtins.type[Any] = self.MODEL
        found: Routine = made(
            name=name,
            schema=reading.schema(schema),
            arguments=tuple(arguments),
            body=body,
            deterministic=deterministic == "YES",
            data_access=access.lower(),
            security=security.lower(),
            definer=definer_of(definer, reading.server),
            sql_mode=mode_of(mode, reading.server),
            comment=comment or "",
            **returns,
        )
        plain = " ".join(signature.split()) == " ".join(self._arguments(found).split())
        return (
            found if plain or not self._says(signature, found) else replaced(found, {"signature": signature})
        )

    def definition_sql(self, model: Routine, server: Server) -> Iterator[str | Statement]:
        """Yield CREATE FUNCTION or CREATE PROCEDURE."""
        listed = model.signature if self._says(model.signature, model) else self._arguments(model)
        words = [f"CREATE {self.definer(model)}{self.KEYWORD} {self.address(model)} ({listed})"]
        if isinstance(model, Function):
            words.append(f"RETURNS {_typed(model.returns, model.returns_collation)}")
        if model.comment:
            words.append(f"COMMENT {literal(model.comment)}")
        words.append("DETERMINISTIC" if model.deterministic else "NOT DETERMINISTIC")
        words += [model.data_access.upper(), f"SQL SECURITY {model.security.upper()}"]
        yield from self.stored(model, "\n".join([*words, self.body(model)]))

    def _arguments(self, model: Routine) -> str:
        return ", ".join(self._argument(each) for each in model.arguments)

    def _says(self, signature: str, model: Routine) -> bool:
        """Whether a list of arguments says the same as the model."""
        return bool(signature.strip()) and self._form(signature) == self._form(self._arguments(model))

    def _form(self, signature: str) -> list[tuple[str, ...]]:
        return [_argument_form(each) for each in _pieces(signature)]

    def _argument(self, argument: Argument) -> str:
        mode = f"{argument.mode.upper()} " if self.type == "procedure" else ""
        return f"{mode}{quote(argument.name)} {_typed(argument.type, argument.collation)}"

    def alteration_sql(
        self, before: Routine, after: Routine, fields: tuple[str, ...], server: Server
    ) -> Iterator[str | Statement]:
        """Yield ALTER FUNCTION or ALTER PROCEDURE."""
        words = [f"ALTER {self.KEYWORD} {self.address(after)}"]
        if "comment" in fields:
            words.append(f"COMMENT {literal(after.comment)}")
        if "data_access" in fields:
            words.append(after.data_access.upper())
        if "security" in fields:
            words.append(f"SQL SECURITY {after.security.upper()}")
        yield " ".join(words)

    def changes_in_place(self, before: Routine, after: Routine, fields: tuple[str, ...]) -> bool:
        """Whether ALTER can do it: it gives another comment, but takes none away."""
        return not (before.comment and not after.comment) and super().changes_in_place(before, after, fields)

    def rehearsal(
        self, wanted: Routine, live: Routine, scratch: str, tag: str, server: Server
    ) -> tuple[Routine, list[str]] | None:
        """Return nothing: bodies are kept as they are written, and types have a normal form."""
        return None

    def normal(self, model: Routine) -> Routine:
        """Return the normal form."""
        found = super().normal(model)
        return replaced(found, {"body": model.body.strip().rstrip(";").rstrip()})


def _pieces(signature: str) -> Iterator[tuple[Token, ...]]:
    """Yield the tokens of each argument."""
    depth = 0
    piece: list[Token] = []
    for token in tokenize(signature):
        depth += (token.word == "(") - (token.word == ")")
        if token.word == "," and not depth:
            yield tuple(piece)
            piece = []
        else:
            piece.append(token)
    if piece:
        yield tuple(piece)


def _argument_form(tokens: tuple[Token, ...]) -> tuple[str, ...]:
    """Return mode, name and type of an argument in normal form."""
    mode = tokens[0].word.lower() if tokens[0].word in ("IN", "OUT", "INOUT") and len(tokens) > 2 else ""
    rest = tokens[1:] if mode else tokens
    text = " ".join(each.text for each in rest[1:])
    found = type_of(text)
    kind = str(found) if found is not None else " ".join(normal(rest[1:]))
    return mode or "in", fold(unquote(rest[0].text)) if rest else "", kind


def _typed(type_: str, collation: str) -> str:
    return embedded(type_) + (
        f" CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}" if collation else ""
    )


class FunctionHandler(RoutineHandler):
    """Functions."""

    type = "function"
    description = "A stored function"
    MODEL: ClassVar[builtins.type[Any]] = Function
    KEYWORD: ClassVar[str] = "FUNCTION"


class ProcedureHandler(RoutineHandler):
    """Procedures."""

    type = "procedure"
    description = "A stored procedure"
    MODEL: ClassVar[builtins.type[Any]] = Procedure
    KEYWORD: ClassVar[str] = "PROCEDURE"
