"""Users: roles that may log in.

https://www.postgresql.org/docs/current/sql-createuser.html
"""

from __future__ import annotations

from collections.abc import Mapping

from kolumn.providers.postgres.connection.server import Server
from kolumn.providers.postgres.resources.role import RoleHandler, User


class UserHandler(RoleHandler):
    """Users. All but the type and the attribute `login` is as with roles."""

    type = "user"
    description = "A user: a role that may log in"
    MODEL = User

    def queries(self, server: Server) -> Mapping[str, str]:
        """Return nothing: the queries of roles find users too."""
        return {}
