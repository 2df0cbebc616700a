"""SQLite: a database in a file, through the standard library's driver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from kolumn.contract.context import Context
from kolumn.contract.functions import Category
from kolumn.engine.provider import BaseProvider, Connection
from kolumn.providers.sqlite.resources import REFUSED, handlers

if TYPE_CHECKING:
    from kolumn.engine.handler import Handler


class SQLiteProvider(BaseProvider):
    """Tables, indexes, views, triggers and attached files of a SQLite database."""

    name: ClassVar[str] = "sqlite"
    category: ClassVar[Category] = Category.SQL
    description: ClassVar[str] = "SQLite databases: tables, indexes, views, triggers and attached files"
    refused: ClassVar[Mapping[str, str]] = REFUSED

    def handlers(self) -> Iterable[Handler[Any]]:
        """Return the handlers of SQLite's resource types."""
        return handlers()

    def connect(self, context: Context, config: Mapping[str, Any]) -> Connection:
        """Check the settings; the file is opened when it is first read. Raises ValidationError."""
        from kolumn.providers.sqlite.catalog import SQLiteCatalog
        from kolumn.providers.sqlite.compile import SQLiteCompiler
        from kolumn.providers.sqlite.dialect import SQLiteDialect
        from kolumn.providers.sqlite.quarantine import SQLiteQuarantine
        from kolumn.providers.sqlite.session import SQLiteSession
        from kolumn.providers.sqlite.settings import parse_settings

        settings = parse_settings(config)
        session = SQLiteSession(settings, REFUSED)
        return Connection(
            session=session,
            catalog=SQLiteCatalog(session),
            compiler=SQLiteCompiler(SQLiteDialect()),
            audit=settings.audit,
            safe_destroy=settings.safe_destroy,
            quarantine=SQLiteQuarantine(self._registry),
            retention_days=settings.quarantine_retention_days,
            query_timeout=settings.query_timeout,
        )
