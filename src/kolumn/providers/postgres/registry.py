"""PostgreSQL's resource types, and those it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.providers.postgres.dialect import PostgresDialect
from kolumn.providers.postgres.handler import PostgresHandler
from kolumn.providers.postgres.resources.collation import CollationHandler
from kolumn.providers.postgres.resources.composite_type import CompositeTypeHandler
from kolumn.providers.postgres.resources.domain import DomainHandler
from kolumn.providers.postgres.resources.enum import EnumHandler
from kolumn.providers.postgres.resources.extension import ExtensionHandler
from kolumn.providers.postgres.resources.index import PostgresIndexHandler
from kolumn.providers.postgres.resources.operator import OperatorHandler
from kolumn.providers.postgres.resources.range_type import RangeTypeHandler
from kolumn.providers.postgres.resources.schema import SchemaHandler
from kolumn.providers.postgres.resources.sequence import SequenceHandler
from kolumn.providers.postgres.resources.statistics import StatisticsHandler
from kolumn.providers.postgres.resources.text_search_configuration import TextSearchConfigurationHandler
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
    yield SchemaHandler(dialect)
    yield ExtensionHandler(dialect)
    yield CollationHandler(dialect)
    yield EnumHandler(dialect)
    yield DomainHandler(dialect)
    yield CompositeTypeHandler(dialect)
    yield RangeTypeHandler(dialect)
    yield SequenceHandler(dialect)
    yield PostgresTableHandler(dialect)
    yield PostgresIndexHandler(dialect)
    yield OperatorHandler(dialect)
    yield TextSearchConfigurationHandler(dialect)
    yield StatisticsHandler(dialect)
