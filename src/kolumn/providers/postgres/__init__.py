"""PostgreSQL 14 and newer. Importing this loads no driver: only `connect` does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from kolumn.contract.context import Context
from kolumn.contract.functions import Category
from kolumn.engine.provider import BaseProvider, Connection
from kolumn.providers.postgres.registry import REFUSED, handlers

if TYPE_CHECKING:
    from kolumn.providers.postgres.handler import PostgresHandler


class PostgresProvider(BaseProvider):
    """Everything people keep in a PostgreSQL database."""

    name: ClassVar[str] = "postgres"
    category: ClassVar[Category] = Category.SQL
    description: ClassVar[str] = "PostgreSQL databases: tables, types, routines, views, access and more"
    refused: ClassVar[Mapping[str, str]] = REFUSED

    def handlers(self) -> Iterable[PostgresHandler[Any]]:
        """Return the handlers of PostgreSQL's resource types."""
        self._types = tuple(handlers())
        return self._types

    def connect(self, context: Context, config: Mapping[str, Any]) -> Connection:
        """Check the settings and connect. Raises ValidationError, ConnectionError, PermissionError."""
        from kolumn.providers.postgres.catalog import PostgresCatalog
        from kolumn.providers.postgres.compile import PostgresCompiler
        from kolumn.providers.postgres.connection.session import PostgresSession
        from kolumn.providers.postgres.connection.settings import parse_settings
        from kolumn.providers.postgres.online import Patience
        from kolumn.providers.postgres.quarantine import PostgresQuarantine, prefix

        settings = parse_settings(config)
        session = PostgresSession(settings, REFUSED)
        try:
            server = session.server(context)
        except BaseException:
            session.close()
            raise
        hidden = ("information_schema", settings.metadata_schema)
        return Connection(
            session=session,
            catalog=PostgresCatalog(session, self._types, hidden, prefix(settings.metadata_schema)),
            compiler=PostgresCompiler(
                self._types, server, Patience(settings.lock_retries + 1, settings.lock_retry_wait)
            ),
            audit=settings.audit,
            safe_destroy=settings.safe_destroy,
            quarantine=PostgresQuarantine(self._types, server, settings.metadata_schema),
            retention_days=settings.quarantine_retention_days,
            online=settings.online,
            query_timeout=settings.query_timeout,
        )
