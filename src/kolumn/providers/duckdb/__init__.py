"""DuckDB: an analytical database in a file, inside the process that opens it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from kolumn.contract.context import Context
from kolumn.contract.functions import Category
from kolumn.engine.provider import BaseProvider, Connection
from kolumn.providers.duckdb.resources.registry import REFUSED, handlers

if TYPE_CHECKING:
    from kolumn.engine.handler import Handler


class DuckDBProvider(BaseProvider):
    """Tables, views, macros, types, files outside and what else a DuckDB database holds."""

    name: ClassVar[str] = "duckdb"
    category: ClassVar[Category] = Category.ANALYTICAL
    description: ClassVar[str] = (
        "DuckDB databases: schemas, tables, views, indexes, macros, sequences, types, external files, secrets "
        "and attached databases"
    )
    refused: ClassVar[Mapping[str, str]] = REFUSED

    def handlers(self) -> Iterable[Handler[Any]]:
        """Return the handlers of DuckDB's resource types."""
        return handlers()

    def connect(self, context: Context, config: Mapping[str, Any]) -> Connection:
        """Check the settings; the file is opened when it is first read. Raises ValidationError."""
        from kolumn.providers.duckdb.catalog import DuckDBCatalog
        from kolumn.providers.duckdb.compile import DuckDBCompiler
        from kolumn.providers.duckdb.connection.session import DuckDBSession
        from kolumn.providers.duckdb.language.dialect import DuckDBDialect
        from kolumn.providers.duckdb.quarantine import DuckDBQuarantine
        from kolumn.providers.duckdb.settings import parse_settings

        settings = parse_settings(config)
        session = DuckDBSession(settings, REFUSED)
        return Connection(
            session=session,
            catalog=DuckDBCatalog(session),
            compiler=DuckDBCompiler(DuckDBDialect(), session.file, settings.metadata_schema),
            audit=settings.audit,
            safe_destroy=settings.safe_destroy,
            quarantine=DuckDBQuarantine(self._registry, settings.metadata_schema),
            retention_days=settings.quarantine_retention_days,
            query_timeout=settings.query_timeout,
            release=session.release,
        )
