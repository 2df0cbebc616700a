"""Settings: what a url spells, what libpq fills in, every fault at once, and the password nowhere."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolumn.contract.errors import ValidationError
from kolumn.contract.secrets import SecureString
from kolumn.providers.postgres.connection.settings import PostgresSettings, parse_settings

LIBPQ = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSERVICE", "PGAPPNAME")
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=20)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*LIBPQ, "PGCONNECT_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)


def faults(**config: object) -> dict[str, str]:
    """Return the message of each fault by its path."""
    with pytest.raises(ValidationError) as caught:
        parse_settings(config)
    return {problem.path: problem.message for problem in caught.value.problems}


def understood(settings: PostgresSettings) -> dict[str, str]:
    own = ("fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count")
    return {key: value for key, value in settings.conninfo().items() if key not in own}


def test_a_url_is_read_as_libpq_reads_it() -> None:
    for url in (
        "postgresql://",
        "postgresql://localhost/db",
        "postgres://me@h:5433/db?sslmode=require&target_session_attrs=any",
        "postgresql://me:secret@[::1]:5433/my%20db",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/db",
        "postgresql:///db?host=/tmp&port=5433&user=me",
        "postgresql://a:1,b:2,c:3/db",
        "postgresql://h/db?ssl=true",
    ):
        settings = parse_settings({"url": url, "database": "x"} if url == "postgresql://" else {"url": url})
        wanted = {key: str(value) for key, value in psycopg.conninfo.conninfo_to_dict(url).items()}
        if url == "postgresql://":
            wanted["dbname"] = "x"
        assert {"client_encoding": "utf-8", **wanted} == understood(settings), url


@given(user=TEXT, password=TEXT, host=st.sampled_from(["h", "127.0.0.1", "[::1]"]), database=TEXT)
def test_any_text_survives_a_url_when_escaped(user: str, password: str, host: str, database: str) -> None:
    parts = [quote(each, safe="") for each in (user, password, database)]
    settings = parse_settings({"url": f"postgresql://{parts[0]}:{parts[1]}@{host}:1/{parts[2]}"})
    assert (settings.username, settings.secret.reveal(), settings.database) == (user, password, database)
    assert settings.host == host.strip("[]")


@given(st.text(max_size=60))
def test_no_url_is_beyond_reading(text: str) -> None:
    for url in (text, f"postgresql://{text}"):
        try:
            parse_settings({"url": url})
        except ValidationError as error:
            assert error.problems


def test_the_password_is_shown_nowhere() -> None:
    for config in (
        {"url": "postgresql://me:hunter22@h/db", "parameters": {"sslpassword": "hunter22"}},
        {"host": "h", "password": "hunter22"},
        {"url": "postgresql://me@h/db?password=hunter22"},
    ):
        settings = parse_settings(config)
        assert isinstance(settings.secret, SecureString)
        assert settings.secret.reveal() == "hunter22"
        assert "hunter22" not in repr(settings) + str(settings) + str(vars(settings)) + settings.where
    for config in (
        {"url": "postgresql://me:hunter22/@h/db"},
        {"url": "postgresql://me:%zzhunter22@h/db"},
        {"url": "mysql://me:hunter22@h/db"},
        {"url": "postgresql://me:hunter22@h:port/db"},
        {"url": "postgresql://me:hunter22@h/db", "password": "hunter22"},
    ):
        with pytest.raises(ValidationError) as caught:
            parse_settings(config)
        assert "hunter22" not in str(caught.value) + repr(caught.value) + str(caught.value.details)


def test_all_faults_are_told_at_once() -> None:
    found = faults(
        host="a,b",
        port="1,2,99999",
        ssl_root_cert="/nowhere.pem",
        ssl_cert=__file__,
        metadata_schema="pg_kolumn",
        parameters={"replication": "true", "sslmode": "require", "hots": "h"},
        connection_pool={"min_size": 5, "max_size": 2},
    )
    assert found.keys() == {"connection_pool.min_size"}
    found = faults(
        host="a,b",
        port="1,2,99999",
        ssl_root_cert="/nowhere.pem",
        ssl_cert=__file__,
        metadata_schema="pg_kolumn",
        parameters={"replication": "true", "sslmode": "require", "hots": "h"},
    )
    assert found.keys() == {
        "port",
        "ssl_root_cert",
        "ssl_key",
        "metadata_schema",
        "parameters.replication",
        "parameters.sslmode",
        "parameters.hots",
    }


def test_mistyped_settings_are_told_at_once() -> None:
    found = faults(host="h", ssl_mode="on", port="http", lock_timeout=-1, conect_timeout=3, lock_retries="x")
    assert found.keys() == {"ssl_mode", "port", "lock_timeout", "conect_timeout", "lock_retries"}


def test_what_stands_in_the_url_is_not_given_again() -> None:
    found = faults(url="postgresql://me:pw@h:1/db?sslmode=require", host="g", port=2, ssl_mode="disable")
    assert found.keys() == {"host", "port", "ssl_mode"}
    settings = parse_settings({"url": "postgresql://me@h/db", "password": "pw", "port": 5433})
    assert (settings.secret.reveal(), settings.port) == ("pw", "5433")


def test_a_missing_database_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults() == {"url": "no database is named"}
    assert faults(username="me", password="pw") == {"url": "no database is named"}
    for name in ("PGHOST", "PGDATABASE", "PGSERVICE"):
        monkeypatch.setenv(name, "x")
        parse_settings({})
        monkeypatch.delenv(name)
    assert parse_settings({"parameters": {"service": "mine"}}).conninfo()["service"] == "mine"


def test_what_is_left_out_is_left_to_libpq(server, database, monkeypatch: pytest.MonkeyPatch) -> None:
    info = psycopg.conninfo.conninfo_to_dict(database)
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    monkeypatch.setenv("PGPORT", str(info["port"]))
    monkeypatch.setenv("PGUSER", str(info["user"]))
    monkeypatch.setenv("PGDATABASE", str(info["dbname"]))
    settings = parse_settings({"host": str(info["host"])})
    with psycopg.connect(psycopg.conninfo.make_conninfo(**settings.conninfo())) as connection:
        assert connection.info.dbname == info["dbname"]
        assert connection.info.host == info["host"]


def test_a_folder_is_the_host_of_a_socket(server) -> None:
    if server.log is None:
        pytest.skip("where the socket of this server is, is not known")
    port = psycopg.conninfo.conninfo_to_dict(server.url)["port"]
    place = {"host": str(server.log.parent), "port": port, "database": "postgres", "username": "postgres"}
    for settings in (
        place,
        {"url": f"postgresql://postgres@{quote(place['host'], safe='')}:{port}/postgres"},
    ):
        with psycopg.connect(
            psycopg.conninfo.make_conninfo(**parse_settings(settings).conninfo())
        ) as connection:
            assert connection.execute("SELECT inet_server_port()").fetchone() == (None,)


def test_seconds_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_settings({"host": "h"}).patience == 10
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "7")
    assert parse_settings({"host": "h"}).patience == 7
    assert parse_settings({"host": "h", "connect_timeout": 3}).patience == 3
    assert parse_settings({"url": "postgresql://h/d?connect_timeout=4"}).patience == 4
    assert faults(url="postgresql://h/d?connect_timeout=soon") == {
        "connect_timeout": "connect_timeout must be a number, not a string"
    }


def test_certificates_are_found_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "root.pem").write_text("")
    assert parse_settings({"host": "h", "ssl_root_cert": "~/root.pem"}).conninfo()["sslrootcert"] == str(
        tmp_path / "root.pem"
    )
    assert parse_settings({"host": "h", "ssl_root_cert": "system"}).conninfo()["sslrootcert"] == "system"
