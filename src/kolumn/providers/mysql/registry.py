"""The resource types of MySQL and MariaDB, and those they lack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolumn.providers.mysql.handler import MySQLHandler
from kolumn.providers.mysql.language.dialect import MySQLDialect
from kolumn.providers.mysql.resources.account import RoleHandler, UserHandler
from kolumn.providers.mysql.resources.event import EventHandler
from kolumn.providers.mysql.resources.grant import GrantHandler
from kolumn.providers.mysql.resources.index import MySQLIndexHandler
from kolumn.providers.mysql.resources.routine import FunctionHandler, ProcedureHandler
from kolumn.providers.mysql.resources.schema import SchemaHandler
from kolumn.providers.mysql.resources.sequence import SequenceHandler
from kolumn.providers.mysql.resources.trigger import MySQLTriggerHandler
from kolumn.providers.mysql.resources.view import MySQLViewHandler
from kolumn.providers.mysql.tables.handler import MySQLTableHandler

REFUSED: Mapping[str, str] = {
    "database": "the server calls schemas databases: use the type schema.",
    "materialized_view": "use a table that triggers or an event keep up to date.",
    "type": "columns have built-in types; for a list of values use ENUM.",
    "enum": "ENUM is a type of columns: type = \"ENUM('new', 'done')\".",
    "domain": "restrict the column with a check.",
    "policy": "rows have no owners; put what others may see in views.",
    "extension": "plugins are installed by the server's administrator.",
    "aggregate": "aggregate in queries; loadable functions are the administrator's.",
    "partition": "partitions are part of their table: partition_by.",
    "foreign_key": "a foreign key is part of its table: foreign_keys.",
}


def handlers(dialect: MySQLDialect) -> Iterator[MySQLHandler[Any]]:
    """Yield the handlers; the catalogue is read in this order, so what others belong to comes first."""
    yield RoleHandler(dialect)
    yield UserHandler(dialect)
    yield SchemaHandler(dialect)
    yield MySQLTableHandler(dialect)
    yield MySQLIndexHandler(dialect)
    yield SequenceHandler(dialect)
    yield MySQLViewHandler(dialect)
    yield FunctionHandler(dialect)
    yield ProcedureHandler(dialect)
    yield MySQLTriggerHandler(dialect)
    yield EventHandler(dialect)
    yield GrantHandler(dialect)
