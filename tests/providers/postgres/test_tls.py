"""TLS with certificates both ways: who is trusted, who is refused, and what is said then."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from kolumn.contract.errors import ConnectionError, KolumnError, PermissionError
from kolumn.providers.postgres import PostgresProvider
from tests.client import Client
from tests.servers import postgres
from tests.servers.cache import Unavailable


class Secured(NamedTuple):
    """A server that takes user `certified` with a client's certificate only, and the certificates of both."""

    url: str
    folder: Path

    def settings(self, **changes: str) -> dict[str, str]:
        address = self.url.rpartition("@")[2].partition("/")[0]
        host, _, port = address.partition(":")
        given = {
            "host": "localhost",
            "port": port,
            "database": "postgres",
            "username": "certified",
            "ssl_mode": "verify-full",
            "ssl_root_cert": str(self.folder / "ca.crt"),
            "ssl_cert": str(self.folder / "client.crt"),
            "ssl_key": str(self.folder / "client.key"),
            "parameters": {"hostaddr": host},
        }
        return {name: value for name, value in (given | changes).items() if value}  # type: ignore[return-value]


def openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def authority(folder: Path, name: str) -> None:
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.crt")  # fmt: skip


def certificate(folder: Path, by: str, file: str, name: str) -> None:
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{file}.key", "-out", f"{file}.csr")  # fmt: skip
    openssl(folder, "x509", "-req", "-in", f"{file}.csr", "-CA", f"{by}.crt", "-CAkey", f"{by}.key",
            "-CAcreateserial", "-days", "2", "-out", f"{file}.crt")  # fmt: skip
    (folder / f"{file}.key").chmod(0o600)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Secured:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("tls")
    authority(folder, "ca")
    authority(folder, "stranger")
    certificate(folder, "ca", "server", "localhost")
    certificate(folder, "ca", "client", "certified")
    certificate(folder, "stranger", "forged", "certified")
    files = {"ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "ssl_ca_file": "ca.crt"}
    (folder / "hba").write_text(
        "hostssl all certified 127.0.0.1/32 cert\nhost all certified 127.0.0.1/32 reject\n"
        "host all all 127.0.0.1/32 trust\n"
    )
    for place in (folder, *folder.parents[:2]):
        place.chmod(0o755)
    settings = [("ssl", "on"), *((name, str(folder / file)) for name, file in files.items())]
    try:
        server = postgres.start(15, (*settings, ("hba_file", str(folder / "hba"))))
    except Unavailable as reason:
        pytest.skip(f"PostgreSQL 15 with TLS: {reason}")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE certified LOGIN SUPERUSER")
    return Secured(server.url, folder)


def connected(settings: dict[str, Any]) -> str:
    with Client(PostgresProvider()).configure(settings) as client:
        return str(client.done("Ping")["message"])


def refused(settings: dict[str, Any]) -> KolumnError:
    with pytest.raises(KolumnError) as caught:
        connected(settings)
    return caught.value


def test_certificates_of_both_sides(secured: Secured) -> None:
    assert "PostgreSQL 15" in connected(secured.settings())


def test_in_a_url(secured: Secured) -> None:
    parts = secured.settings()
    query = "&".join(
        f"{name}={parts[key]}"
        for name, key in (
            ("sslmode", "ssl_mode"),
            ("sslrootcert", "ssl_root_cert"),
            ("sslcert", "ssl_cert"),
            ("sslkey", "ssl_key"),
        )
    )
    assert connected(
        {"url": f"postgresql://certified@localhost:{parts['port']}/postgres?{query}&hostaddr=127.0.0.1"}
    )


def test_a_server_of_another_name(secured: Secured) -> None:
    error = refused(secured.settings(host="elsewhere.example"))
    assert isinstance(error, ConnectionError)
    assert "elsewhere.example" in error.message
    assert "certificate" in error.message


def test_a_server_that_nobody_vouches_for(secured: Secured) -> None:
    error = refused(secured.settings(ssl_root_cert=str(secured.folder / "stranger.crt")))
    assert isinstance(error, ConnectionError)
    assert "certificate verify failed" in error.message


def test_a_client_that_nobody_vouches_for(secured: Secured) -> None:
    forged = {"ssl_cert": str(secured.folder / "forged.crt"), "ssl_key": str(secured.folder / "forged.key")}
    assert isinstance(refused(secured.settings(**forged)), (ConnectionError, PermissionError))


def test_a_client_without_certificate(secured: Secured) -> None:
    error = refused(secured.settings(ssl_cert="", ssl_key=""))
    assert isinstance(error, (ConnectionError, PermissionError))
    assert "certificate" in error.message


def test_without_tls(secured: Secured) -> None:
    error = refused(secured.settings(ssl_mode="disable", ssl_root_cert="", ssl_cert="", ssl_key=""))
    assert isinstance(error, (ConnectionError, PermissionError))


def test_a_key_that_others_can_read(secured: Secured) -> None:
    key = secured.folder / "open.key"
    shutil.copy(secured.folder / "client.key", key)
    key.chmod(0o644)
    error = refused(secured.settings(ssl_key=str(key)))
    assert isinstance(error, ConnectionError)
    assert str(key) in error.message


def test_files_that_are_not_there(secured: Secured) -> None:
    error = refused(secured.settings(ssl_root_cert="/nowhere/ca.crt"))
    assert "/nowhere/ca.crt" in error.message
