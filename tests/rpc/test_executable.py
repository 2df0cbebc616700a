"""A provider's executable as any host sees it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.health.v1.health_grpc import HealthStub
from grpclib.health.v1.health_pb2 import HealthCheckRequest

from kolumn.rpc import certificates, protocol
from kolumn.rpc.protocol import Handshake
from kolumn.rpc.wire.grpc_controller_grpc import GRPCControllerStub
from kolumn.rpc.wire.grpc_controller_pb2 import Empty
from kolumn.rpc.wire.grpc_stdio_grpc import GRPCStdioStub
from tests.command import environment
from tests.rpc.processes import alive, until
from tests.rpc.providers import executable

COMMAND = (sys.executable, "-m", "kolumn.rpc", "sqlite")
HERE = Path(__file__).parent


@contextmanager
def started(
    command: tuple[str, ...] = COMMAND, **variables: str
) -> Iterator[tuple[subprocess.Popen[bytes], Handshake]]:
    """Start a provider as a host does and yield it with its handshake."""
    terms = {protocol.COOKIE_NAME: protocol.COOKIE, protocol.VERSIONS_NAME: "1", **variables}
    process = subprocess.Popen(
        command,
        env=environment(**terms),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield process, Handshake.parse(process.stdout.readline().decode())
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def identity() -> certificates.Identity:
    return certificates.make()


def reach(handshake: Handshake, identity: certificates.Identity) -> Channel:
    return Channel(
        path=handshake.address,
        ssl=certificates.for_client(identity, handshake.certificate),
        config=Configuration(ssl_target_name_override="localhost"),
    )


@pytest.mark.parametrize("cookie", ["", "wrong"])
def test_started_by_hand_it_explains_itself(cookie: str) -> None:
    ended = subprocess.run(
        COMMAND,
        env=environment(**({protocol.COOKIE_NAME: cookie} if cookie else {})),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "provider of Kolumn" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_its_socket_is_its_users_alone(identity: certificates.Identity, tmp_path: Path) -> None:
    variables = {
        protocol.CERTIFICATE_NAME: identity.certificate.decode(),
        protocol.SOCKET_FOLDER_NAME: str(tmp_path),
    }
    with started(**variables) as (process, handshake):
        path = Path(handshake.address)
        assert path.parent.parent == tmp_path
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_ISSOCK(path.stat().st_mode)
        process.terminate()
        assert process.wait(10) == 0
        assert not path.parent.exists()


def test_nobody_gets_in_without_the_hosts_key(identity: certificates.Identity) -> None:
    """Not without a certificate, not with another, not without TLS."""
    stranger = certificates.make()
    with started(**{protocol.CERTIFICATE_NAME: identity.certificate.decode()}) as (_, handshake):
        assert handshake.certificate

        async def asks(security: ssl.SSLContext | None) -> None:
            config = Configuration(ssl_target_name_override="localhost")
            channel = Channel(path=handshake.address, ssl=security, config=config)
            try:
                await asyncio.wait_for(HealthStub(channel).Check(HealthCheckRequest(service="plugin")), 5)
            finally:
                channel.close()

        nameless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        nameless.load_verify_locations(cadata=handshake.certificate)
        nameless.set_alpn_protocols(["h2"])
        for refused in (certificates.for_client(stranger, handshake.certificate), nameless, None):
            with pytest.raises((OSError, asyncio.TimeoutError, Exception)) as caught:
                asyncio.run(asks(refused))
            assert not isinstance(caught.value, AssertionError)
        # and the host does not speak to whoever else listens there
        with pytest.raises(ssl.SSLCertVerificationError):
            asyncio.run(asks(certificates.for_client(identity, stranger.der)))
        asyncio.run(asks(certificates.for_client(identity, handshake.certificate)))


def test_the_services_beside_the_providers_own(identity: certificates.Identity, tmp_path: Path) -> None:
    body = """
    def call_function(self, context, function, input):
        print("printed", flush=True)
        return b"{}"
    """
    path = executable(tmp_path, "loud", body)
    terms = {protocol.CERTIFICATE_NAME: identity.certificate.decode()}
    with started((str(path),), **terms) as (process, handshake):

        async def converse() -> None:
            from kolumn.rpc.wire.provider_grpc import ProviderStub
            from kolumn.rpc.wire.provider_pb2 import CallFunctionRequest

            channel = reach(handshake, identity)
            answer = await HealthStub(channel).Check(HealthCheckRequest(service="plugin"))
            assert answer.status == answer.SERVING
            async with GRPCStdioStub(channel).StreamStdio.open() as stream:
                from google.protobuf.empty_pb2 import Empty as Nothing

                await stream.send_message(Nothing(), end=True)
                await ProviderStub(channel).CallFunction(CallFunctionRequest(function="Ping"))
                printed = b""
                while not printed.endswith(b"\n"):
                    piece = await asyncio.wait_for(stream.recv_message(), 10)
                    assert piece is not None
                    assert piece.channel == piece.STDOUT
                    printed += piece.data
                assert printed == b"printed\n"
                await stream.cancel()
            await GRPCControllerStub(channel).Shutdown(Empty())
            channel.close()

        asyncio.run(converse())
        assert process.wait(2) == 0


def test_its_records_are_lines_a_go_host_understands(tmp_path: Path) -> None:
    body = """
    def configure(self, context, config):
        from kolumn.contract.logs import ConnectionLogger, register_secret
        register_secret("hunter2-zebra")
        ConnectionLogger.warn("connected", password="x", host="db hunter2-zebra")
    """
    from kolumn.contract.context import Context
    from kolumn.rpc.client import Launch, RemoteProvider, visible

    path = executable(tmp_path, "logging", body)
    provider = RemoteProvider(Launch(command=(str(path),), label="x", environment=visible(os.environ)))
    provider.configure(Context.background(), {})
    process = provider._session().process
    assert until(lambda: bool(process._lines))
    record = json.loads(process._lines[0])
    assert record["@level"] == "warn"
    assert record["@message"] == "connected"
    assert record["@module"] == "ConnectionLogger"
    assert record["@timestamp"].endswith("Z")
    assert "." in record["@timestamp"]
    assert record["password"] == "[REDACTED]"
    assert "hunter2" not in process._lines[0]
    provider.close()


def test_without_a_shared_version_it_offers_its_lowest() -> None:
    with started(**{protocol.VERSIONS_NAME: "7,8"}) as (_, handshake):
        assert handshake.version == protocol.VERSIONS[0]
        assert handshake.certificate == b""


def test_it_says_that_it_does_not_multiplex_where_that_is_asked() -> None:
    with started(**{protocol.MULTIPLEX_NAME: "true"}) as (process, _):
        assert alive(process.pid)
    terms = {protocol.COOKIE_NAME: protocol.COOKIE, protocol.MULTIPLEX_NAME: "true"}
    process = subprocess.Popen(COMMAND, env=environment(**terms), stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = process.stdout.readline().decode().strip()
    assert line.endswith("|false")
    process.kill()
    process.communicate()


def test_a_stock_go_host_drives_it(tmp_path: Path) -> None:
    """go-plugin's own client: automatic mTLS with its P-521 certificate, all four methods, Kill."""
    libraries = Path("/usr/share/gocode/src/github.com/hashicorp/go-plugin")
    if shutil.which("go") is None or not libraries.is_dir():
        pytest.skip("no Go, or not golang-github-hashicorp-go-plugin-dev")
    host = tmp_path / "go_host"
    built = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",
        "GOCACHE": str(tmp_path / "cache"),
    }
    cached = os.environ.get("KOLUMN_TEST_CACHE")
    if cached:
        built["GOCACHE"] = str(Path(cached) / "go-build")
    subprocess.run(["go", "build", "-o", str(host), "."], cwd=HERE / "go_host", env=built, check=True)
    ended = subprocess.run(
        [str(host), *COMMAND],
        input=json.dumps({"path": str(tmp_path / "x.db"), "safe_destroy": False}),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["schema"]["name"] == "sqlite"
    assert found["Ping"]["success"] is True
    assert found["Version"]["provider_name"] == "sqlite"
    assert found["DiscoverResources"]["resources"] == []
    assert found["status"] == "Unimplemented"
    assert found["error"]["code"] == "unsupported_function"
    assert found["error"]["details"]["category"] == "ValidationError"
    assert found["exited"] is True
    assert found["kill_ms"] < 1500
    (line,) = (line for line in ended.stderr.splitlines() if "connected: " in line)
    assert "[INFO]" in line
    assert "@module=ConnectionLogger" in line


def test_there_are_unix_sockets_here() -> None:
    assert hasattr(socket, "AF_UNIX"), "the tests of sockets mean nothing without"
