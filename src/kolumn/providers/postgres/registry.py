"""PostgreSQL's resource types, and those it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.providers.postgres.grants.handler import GrantHandler
from kolumn.providers.postgres.handler import PostgresHandler
from kolumn.providers.postgres.language.dialect import PostgresDialect
from kolumn.providers.postgres.resources.aggregate import AggregateHandler
from kolumn.providers.postgres.resources.collation import CollationHandler
from kolumn.providers.postgres.resources.composite_type import CompositeTypeHandler
from kolumn.providers.postgres.resources.default_privileges import DefaultPrivilegesHandler
from kolumn.providers.postgres.resources.domain import DomainHandler
from kolumn.providers.postgres.resources.enum import EnumHandler
from kolumn.providers.postgres.resources.event_trigger import EventTriggerHandler
from kolumn.providers.postgres.resources.extension import ExtensionHandler
from kolumn.providers.postgres.resources.foreign_key import ForeignKeyHandler
from kolumn.providers.postgres.resources.function import FunctionHandler
from kolumn.providers.postgres.resources.index import PostgresIndexHandler
from kolumn.providers.postgres.resources.materialized_view import MaterializedViewHandler
from kolumn.providers.postgres.resources.operator import OperatorHandler
from kolumn.providers.postgres.resources.policy import PolicyHandler
from kolumn.providers.postgres.resources.procedure import ProcedureHandler
from kolumn.providers.postgres.resources.publication import PublicationHandler
from kolumn.providers.postgres.resources.range_type import RangeTypeHandler
from kolumn.providers.postgres.resources.role import RoleHandler
from kolumn.providers.postgres.resources.rule import RuleHandler
from kolumn.providers.postgres.resources.schema import SchemaHandler
from kolumn.providers.postgres.resources.sequence import SequenceHandler
from kolumn.providers.postgres.resources.statistics import StatisticsHandler
from kolumn.providers.postgres.resources.text_search_configuration import TextSearchConfigurationHandler
from kolumn.providers.postgres.resources.trigger import TriggerHandler
from kolumn.providers.postgres.resources.user import UserHandler
from kolumn.providers.postgres.resources.view import ViewHandler
from kolumn.providers.postgres.tables.handler import PostgresTableHandler

REFUSED: Mapping[str, str] = {
    "database": "a provider block is one database; create databases with the server's own tools.",
    "type": "say which: enum, domain, composite_type or range_type.",
    "partition": "a partition is a table with partition_of.",
    "event": "it schedules nothing; use the operating system's scheduler or an extension such as pg_cron.",
}


def handlers() -> Iterator[PostgresHandler[Any]]:
    """Yield the handlers; the catalogue is read in this order, so what others belong to comes first."""
    dialect = PostgresDialect()
    yield RoleHandler(dialect)
    yield UserHandler(dialect)
    yield SchemaHandler(dialect)
    yield ExtensionHandler(dialect)
    yield CollationHandler(dialect)
    yield EnumHandler(dialect)
    yield DomainHandler(dialect)
    yield CompositeTypeHandler(dialect)
    yield RangeTypeHandler(dialect)
    yield TextSearchConfigurationHandler(dialect)
    yield PostgresTableHandler(dialect)
    yield ForeignKeyHandler(dialect)
    yield SequenceHandler(dialect)
    yield ViewHandler(dialect)
    yield MaterializedViewHandler(dialect)
    yield PostgresIndexHandler(dialect)
    yield StatisticsHandler(dialect)
    yield FunctionHandler(dialect)
    yield ProcedureHandler(dialect)
    yield AggregateHandler(dialect)
    yield OperatorHandler(dialect)
    yield TriggerHandler(dialect)
    yield RuleHandler(dialect)
    yield EventTriggerHandler(dialect)
    yield PolicyHandler(dialect)
    yield PublicationHandler(dialect)
    yield GrantHandler(dialect)
    yield DefaultPrivilegesHandler(dialect)
