"""What one server is and can do: asked when it is connected to, never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass

OLDEST_MYSQL = (8, 0, 23)
OLDEST_MARIADB = (10, 6)

ABOUT = (
    "SELECT version(), @@version_comment, database(), current_user(), @@lower_case_table_names, "
    "@@global.sql_mode, @@default_storage_engine, @@collation_server"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server, as it says itself."""

    version: tuple[int, ...]
    is_mariadb: bool
    database: str
    """The database that names without one mean."""
    account: str
    """Who the server takes the connection for, `name@host`."""
    sql_mode: str
    """What routines, triggers and events are made with where nothing else is said."""
    engine: str
    """The storage engine of tables that name none."""
    lower_case_table_names: int

    @property
    def product(self) -> str:
        """Product and version, for people."""
        return f"{'MariaDB' if self.is_mariadb else 'MySQL'} {'.'.join(map(str, self.version))}"

    def _since(self, mysql: tuple[int, ...] | None, mariadb: tuple[int, ...] | None) -> bool:
        least = mariadb if self.is_mariadb else mysql
        return least is not None and self.version >= least

    @property
    def functional_indexes(self) -> bool:
        """Whether an index can have expressions."""
        return self._since((8, 0, 13), None)

    @property
    def check_enforcement(self) -> bool:
        """Whether a check can be there without being enforced."""
        return self._since((8, 0, 16), None)

    @property
    def sequences(self) -> bool:
        """Whether there are sequences."""
        return self._since(None, (10, 3))

    @property
    def system_versioning(self) -> bool:
        """Whether tables can keep former rows."""
        return self._since(None, (10, 3, 4))

    @property
    def application_periods(self) -> bool:
        """Whether tables can have a time for which their rows hold, and keys over it."""
        return self._since(None, (10, 5, 3))

    @property
    def compressed_columns(self) -> bool:
        """Whether the values of a column can be stored compressed."""
        return self._since(None, (10, 3, 2))

    @property
    def spatial_reference_systems(self) -> bool:
        """Whether a geometry column can be bound to one."""
        return self._since((8, 0, 3), None)

    @property
    def histograms_of_roles(self) -> bool:
        """Whether roles are rows of mysql.role_edges (MySQL) rather than mysql.roles_mapping (MariaDB)."""
        return not self.is_mariadb

    @property
    def instant_anywhere(self) -> bool:
        """Whether columns can come and go at any place without copying rows."""
        return self._since((8, 0, 29), (10, 4))


def read_version(text: str) -> tuple[tuple[int, ...], bool]:
    """Return the version that `version()` says, and whether it is MariaDB's."""
    numbers = re.match(r"(?:5\.5\.5-)?(\d+(?:\.\d+)*)", text)
    version = tuple(int(each) for each in numbers[1].split(".")) if numbers else ()
    return version, "mariadb" in text.lower()
