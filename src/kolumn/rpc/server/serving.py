"""The life of a provider's process: started by a host, serving it, ending with it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from kolumn.rpc import protocol
from kolumn.rpc.protocol import Handshake

if TYPE_CHECKING:
    import ssl

    from grpclib._typing import IServable
    from grpclib.server import Server

    from kolumn.contract.provider import Provider
    from kolumn.rpc.server.calls import Calls

_PATIENCE: Final = 5.0
"""Seconds that calls get to roll back when the host is gone or the process is told to end."""
_SHUTDOWN_PATIENCE: Final = 1.5
"""Likewise when the host waits for the end: after two seconds it kills."""


def serve(factory: Callable[[], Provider]) -> NoReturn:
    """Be the executable of the provider that `factory` makes; never returns.

    Started by hand, says what it is and exits with 1.
    """
    if os.environ.get(protocol.COOKIE_NAME) != protocol.COOKIE:
        _explain()
    # The terminal's Ctrl-C is the host's to answer: it cancels what runs here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # calls are short-lived piles of data; `Calls` collects between them
    asyncio.run(_serve(factory))
    _leave(0)


def _explain() -> NoReturn:
    program = Path(sys.argv[0]).name or "This program"
    sys.stderr.write(
        f"{program} is a provider of Kolumn: the command `kolumn` starts it and speaks to it, so there is\n"
        "nothing to see by hand. `kolumn providers` lists what is found, and\n"
        f"`kolumn conformance {sys.argv[0]}` checks it against the specification.\n"
    )
    raise SystemExit(1)


def _leave(code: int) -> NoReturn:
    """End at once: a thread that waits for a database must not keep the process."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the host says in the environment."""

    version: int
    certificate: str
    folder: str
    group: str
    ports: tuple[int, int]
    multiplex: bool | None

    @classmethod
    def take(cls) -> _Terms:
        """Read the terms and take them out of the environment: they are nobody else's."""

        def text(name: str) -> str:
            return os.environ.pop(name, "")

        ports = [int(value) if (value := text(name)).isdecimal() else 0 for name in protocol.PORT_NAMES]
        text(protocol.COOKIE_NAME)
        return cls(
            version=protocol.negotiate(text(protocol.VERSIONS_NAME)),
            certificate=text(protocol.CERTIFICATE_NAME),
            folder=text(protocol.SOCKET_FOLDER_NAME),
            group=text(protocol.SOCKET_GROUP_NAME),
            ports=(ports[0], ports[1]),
            # Asked for or not: this side opens no further connections that could share this one.
            multiplex=False if text(protocol.MULTIPLEX_NAME) else None,
        )


async def _serve(factory: Callable[[], Provider]) -> None:
    from kolumn.rpc.server import records
    from kolumn.rpc.server.host_watch import watch
    from kolumn.rpc.server.plugin import Output

    terms, parent = _Terms.take(), os.getppid()
    records.begin()
    loop = asyncio.get_running_loop()
    ending: asyncio.Future[float] = loop.create_future()

    def end(patience: float) -> None:
        if not ending.done():
            ending.set_result(patience)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            loop.add_signal_handler(getattr(signal, name), end, _PATIENCE)
    output = Output()
    calls, server = _server(factory, output, lambda: end(_SHUTDOWN_PATIENCE))
    security, certificate = _security(terms)
    with _place(terms) as place:
        await _listen(server, place, terms, security)
        handshake = Handshake(
            terms.version, place.network, place.address(server), certificate, terms.multiplex
        )
        original = output.take_over(1)
        os.write(original, f"{handshake.line()}\n".encode())

        def host_is_gone() -> None:
            loop.call_soon_threadsafe(end, _PATIENCE)

        watch(original, parent, host_is_gone)
        patience = await ending
        server.close()
        await calls.close(patience)
    _leave(0)


def _server(
    factory: Callable[[], Provider], output: object, shut_down: Callable[[], None]
) -> tuple[Calls, Server]:
    from grpclib.encoding.proto import ProtoStatusDetailsCodec
    from grpclib.server import Server

    from kolumn.rpc.codec import CONFIGURATION, LimitedCodec
    from kolumn.rpc.server import plugin
    from kolumn.rpc.server.calls import Calls
    from kolumn.rpc.server.service import ProviderService

    assert isinstance(output, plugin.Output)
    calls = Calls(factory)
    services: list[IServable] = [
        ProviderService(calls),
        plugin.Health(),
        plugin.Controller(shut_down),
        plugin.Broker(),
        plugin.Stdio(output),
    ]
    server = Server(
        services,
        codec=LimitedCodec(),
        status_details_codec=ProtoStatusDetailsCodec(),
        config=CONFIGURATION,
    )
    return calls, server


def _security(terms: _Terms) -> tuple[ssl.SSLContext | None, bytes]:
    """Return the settings of TLS and the own certificate, nothing for a host that does not want it."""
    if not terms.certificate:
        return None, b""
    from kolumn.rpc import certificates

    identity = certificates.make()
    try:
        return certificates.for_server(identity, terms.certificate), identity.der
    except ValueError as error:
        raise SystemExit(f"{protocol.CERTIFICATE_NAME} is {error}") from None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the server listens: a socket only its user can reach, or loopback where there are no such."""

    path: Path | None = None

    @property
    def network(self) -> str:
        return "tcp" if self.path is None else "unix"

    def address(self, server: Server) -> str:
        """Return where `server`, which listens, can be reached."""
        if self.path is not None:
            return str(self.path)
        listening = server._server  # noqa: SLF001 - grpclib has no other way to tell the port
        assert isinstance(listening, asyncio.Server)
        host, port = listening.sockets[0].getsockname()[:2]
        return f"{host}:{port}"


@contextmanager
def _place(terms: _Terms) -> Iterator[_Place]:
    """Yield where to listen; what was made for it is removed afterwards."""
    import shutil
    import socket
    import tempfile

    if not hasattr(socket, "AF_UNIX"):
        yield _Place()
        return
    # mkdtemp makes a folder that is its owner's alone.
    folder = Path(tempfile.mkdtemp(prefix="kolumn-", dir=terms.folder or None))
    try:
        yield _Place(folder / "provider")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if Path(terms.folder).name.startswith(protocol.HOST_FOLDER):
            with suppress(OSError):
                Path(terms.folder).rmdir()  # as the host does; it may be gone


async def _listen(server: Server, place: _Place, terms: _Terms, security: ssl.SSLContext | None) -> None:
    if place.path is None:
        if security is None:
            raise SystemExit("without Unix sockets a host must ask for TLS (AutoMTLS)")
        await _listen_on_loopback(server, terms.ports, security)
        return
    before = os.umask(0o177)
    try:
        await server.start(path=str(place.path), ssl=security)
    finally:
        os.umask(before)
    if terms.group:
        shared = _group_id(terms.group)
        for path, mode in ((place.path.parent, 0o750), (place.path, 0o660)):
            os.chown(path, -1, shared)
            path.chmod(mode)


def _group_id(name: str) -> int:
    if name.isdecimal():
        return int(name)
    import grp

    return grp.getgrnam(name).gr_gid


async def _listen_on_loopback(server: Server, ports: tuple[int, int], security: ssl.SSLContext) -> None:
    first, last = ports
    for port in range(first, last + 1) if 0 < first <= last else (0,):
        with suppress(OSError):
            await server.start("127.0.0.1", port, ssl=security)
            return
    raise SystemExit(f"no port from {first} to {last} is free")
