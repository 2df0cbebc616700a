"""MySQL and MariaDB. Importing this loads no driver: only `connect` does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from kolumn.contract.context import Context
from kolumn.contract.functions import Category
from kolumn.engine.provider import BaseProvider, Connection
from kolumn.providers.mysql.language.dialect import MySQLDialect
from kolumn.providers.mysql.language.tokens import fold
from kolumn.providers.mysql.registry import REFUSED, handlers

if TYPE_CHECKING:
    from kolumn.providers.mysql.handler import MySQLHandler


class MySQLProvider(BaseProvider):
    """What people keep in a MySQL or MariaDB server; it asks the server which of the two it is."""

    name: ClassVar[str] = "mysql"
    category: ClassVar[Category] = Category.SQL
    description: ClassVar[str] = (
        "MySQL and MariaDB databases: tables, routines, views, events, access and more"
    )
    refused: ClassVar[Mapping[str, str]] = REFUSED

    def handlers(self) -> Iterable[MySQLHandler[Any]]:
        """Return the handlers of the resource types."""
        self._dialect = MySQLDialect()
        self._types = tuple(handlers(self._dialect))
        return self._types

    def connect(self, context: Context, config: Mapping[str, Any]) -> Connection:
        """Check the settings and connect. Raises ValidationError, ConnectionError, PermissionError."""
        from kolumn.providers.mysql.catalog import MySQLCatalog
        from kolumn.providers.mysql.compile import MySQLCompiler
        from kolumn.providers.mysql.connection.session import MySQLSession
        from kolumn.providers.mysql.connection.settings import parse_settings
        from kolumn.providers.mysql.quarantine import MySQLQuarantine

        settings = parse_settings(config)
        session = MySQLSession(settings, REFUSED)
        try:
            server = session.server(context)
        except BaseException:
            session.close()
            raise
        self._dialect.default_schema = fold(server.database)
        self._dialect.account, self._dialect.sql_mode = server.account, server.sql_mode
        return Connection(
            session=session,
            catalog=MySQLCatalog(session, self._types),
            compiler=MySQLCompiler(self._types, server),
            audit=settings.audit,
            safe_destroy=settings.safe_destroy,
            quarantine=MySQLQuarantine(self._types, server),
            retention_days=settings.quarantine_retention_days,
            online=settings.online,
            query_timeout=settings.query_timeout,
        )
