"""Secrets in statements reach the server and nobody else."""

from __future__ import annotations

import psycopg
import pytest

from kolumn.contract.errors import (
    KolumnError,
    PermissionError,
)
from kolumn.contract.masking import REDACTED
from kolumn.contract.secrets import SecureString
from kolumn.providers.postgres.connection.confidential import RolePassword, confidential
from kolumn.providers.postgres.connection.session import PostgresSession
from kolumn.providers.postgres.connection.settings import parse_settings
from tests.providers.postgres.sessions import (
    FOREVER,
    Other,
    S,
    heard,
)
from tests.servers.postgres import Server


class TestSecrets:
    def test_a_password_reaches_the_server_as_what_can_check_it(
        self,
        server: Server,
        database: str,
        session: PostgresSession,
        other: Other,
    ) -> None:
        if not server.demands_passwords:
            pytest.skip("this server trusts everybody")
        role, password = f"r%s_{database[-8:]}", "it's 100% \\ secret"
        other.execute(
            "DO $$ BEGIN CREATE ROLE kolumn_password_required; EXCEPTION WHEN duplicate_object THEN END $$"
        )
        create = confidential(
            f'CREATE ROLE "{role}" LOGIN PASSWORD ', RolePassword(role, SecureString(password))
        )
        with session.transaction(FOREVER, ()):
            session.run(FOREVER, [create, S(f'GRANT kolumn_password_required TO "{role}"')])
        try:
            stored = other.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (role,)).fetchone()
            assert stored is not None
            assert stored[0].startswith("SCRAM-SHA-256$")
            place = psycopg.conninfo.conninfo_to_dict(database)
            known = {"host": str(place["host"]), "port": str(place["port"]), "database": str(place["dbname"])}
            session_of = PostgresSession(parse_settings({**known, "username": role, "password": password}))
            assert session_of.current_user == role
            session_of.close()
            wrong = PostgresSession(parse_settings({**known, "username": role, "password": "wrong-one"}))
            with pytest.raises(PermissionError) as caught:
                wrong.ping(FOREVER)
            assert caught.value.code == "wrong_password"
            assert "wrong-one" not in str(caught.value)
            # A verifier, as somebody may have copied it from a server, is kept as it is.
            again = confidential(
                f'ALTER ROLE "{role}" PASSWORD ', RolePassword(role, SecureString(stored[0]))
            )
            session.run(FOREVER, [again])
            assert (
                other.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (role,)).fetchone()
                == stored
            )
        finally:
            other.execute(f'DROP ROLE "{role}"')

    def test_no_error_tells_it(self, session: PostgresSession) -> None:
        secret = SecureString('hush it\'s "quoted" \\ 100%')
        seen: list[str] = []
        failing = [
            confidential("ALTER ROLE nobody_there PASSWORD ", secret),
            confidential("SELECT CAST(", secret, " AS integer)"),
            confidential("SELECT ", secret, " FROM"),
            confidential("DO ", secret),
            confidential("DO LANGUAGE plpgsql ", secret),
            confidential("SELECT 1 FROM pg_class WHERE ", secret),
        ]
        with heard(lambda *record: seen.append(repr(record))):
            for statement in failing:
                with pytest.raises(KolumnError) as caught:
                    session.run(FOREVER, [statement])
                error = caught.value
                seen += [str(error), repr(error), repr(error.details), repr(statement), repr(error.__cause__)]
        for text in seen:
            assert not [part for part in ("hush", "quoted", "100") if part in text], text
        assert REDACTED in seen[5] + seen[10]
