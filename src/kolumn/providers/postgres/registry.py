"""PostgreSQL's resource types, and those it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.providers.postgres.dialect import PostgresDialect
from kolumn.providers.postgres.handler import PostgresHandler
from kolumn.providers.postgres.resources.aggregate import AggregateHandler
from kolumn.providers.postgres.resources.enum import EnumHandler
from kolumn.providers.postgres.resources.event_trigger import EventTriggerHandler
from kolumn.providers.postgres.resources.function import FunctionHandler
from kolumn.providers.postgres.resources.materialized_view import MaterializedViewHandler
from kolumn.providers.postgres.resources.procedure import ProcedureHandler
from kolumn.providers.postgres.resources.rule import RuleHandler
from kolumn.providers.postgres.resources.schema import SchemaHandler
from kolumn.providers.postgres.resources.trigger import TriggerHandler
from kolumn.providers.postgres.resources.view import ViewHandler

REFUSED: Mapping[str, str] = {
    "database": "a provider block is one database; create databases with the server's own tools.",
    "type": "say which: enum, domain, composite_type or range_type.",
    "partition": "a partition is a table with partition_of.",
    "event": "it schedules nothing; use the operating system's scheduler or an extension such as pg_cron.",
}


def handlers() -> Iterator[PostgresHandler[Any]]:
    """Yield the handlers; the catalogue is read in this order, so what others belong to comes first."""
    dialect = PostgresDialect()
    yield SchemaHandler(dialect)
    yield EnumHandler(dialect)
    yield ViewHandler(dialect)
    yield MaterializedViewHandler(dialect)
    yield FunctionHandler(dialect)
    yield ProcedureHandler(dialect)
    yield AggregateHandler(dialect)
    yield TriggerHandler(dialect)
    yield RuleHandler(dialect)
    yield EventTriggerHandler(dialect)
