"""What is known of the server behind a connection, and what its version can."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One PostgreSQL server and database as the connected role sees it."""

    version: int
    """`server_version_num`, e.g. 150018."""
    database: str
    user: str
    """The role in effect: whoever owns what is created."""
    is_superuser: bool
    product: str = "PostgreSQL"
    """Product and version for people, e.g. `PostgreSQL 15.18`."""
    login: str = ""
    """The role that connected, before `role` was assumed."""
    max_identifier: int = 63
    """Longest name in bytes."""
    is_standby: bool = False
    """Whether it only replays what a primary does."""

    def since(self, major: int) -> bool:
        """Whether the server is of this major version or a later one."""
        return self.version >= major * 10_000
