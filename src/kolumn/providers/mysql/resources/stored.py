"""What routines, triggers and events have in common: a body that the server keeps word for word.

With it the server keeps who made it and the SQL mode of that moment, in which the body means what it means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

from kolumn.contract.errors import Problem
from kolumn.engine.operations import Statement
from kolumn.engine.resource import Model, Ref
from kolumn.providers.mysql.connection.server import Server
from kolumn.providers.mysql.handler import MySQLHandler, same_modes
from kolumn.providers.mysql.language.accounts import account_sql
from kolumn.providers.mysql.language.fragments import embedded

M = TypeVar("M", bound=Model)


def verify_sql_mode(text: str) -> Iterator[Problem]:
    """Yield a fault for what is no SQL mode."""
    if not re.fullmatch(r"[A-Za-z_,]*", text):
        yield Problem(f"{text!r} is no SQL mode", code="invalid_value", path="sql_mode",
                      hint="Write modes with commas: STRICT_TRANS_TABLES,NO_ZERO_DATE.")  # fmt: skip


def mode_of(text: str | None, server: Server) -> str:
    """Return a SQL mode as models spell it: empty for the server's own."""
    return "" if not text or same_modes(text, server.sql_mode) else text


class StoredHandler(MySQLHandler[M]):
    """A resource type whose objects have a body."""

    def guesses(self, model: M) -> frozenset[Ref]:
        """Return all that was read out of the body: the server looks at it when it runs."""
        body = getattr(model, "body", "")
        return self.named_in(body, getattr(model, "schema", "")) - {self.ref(model)}

    def uses(self, model: M) -> frozenset[Ref]:
        """Return the schema, and what the body may use."""
        return super().uses(model) | self.guesses(model)

    def stored(self, model: Any, text: str, server: Server) -> Iterator[str | Statement]:
        """Yield a CREATE statement in the SQL mode that belongs to it."""
        if model.sql_mode:
            yield f"SET SESSION sql_mode = '{model.sql_mode}'"
        yield text
        if model.sql_mode:
            yield f"SET SESSION sql_mode = '{server.sql_mode}'"

    def definer(self, model: Any) -> str:
        """Return the DEFINER clause, empty for who creates it."""
        return f"DEFINER = {account_sql(model.definer)} " if model.definer else ""

    def body(self, model: Any) -> str:
        """Return the body as it ends a statement."""
        return embedded(model.body)
