"""A MySQL connection that somebody stands in: what happens at a certain statement is up to the test.

A real server, a real client, and between them a proxy that reads what is asked. At the statement that is chosen, by its
number among those that change something, it calls back: before the server hears of it, or once the server has
answered and before the client hears of that.
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

_QUERY = 3
_READING = re.compile(rb"\s*(SELECT|SHOW|SET|START|KILL|USE|SAVEPOINT)\b", re.IGNORECASE)


@dataclass
class Moment:
    """The statement at which something happens, and what; without one all goes through."""

    number: int = 0
    """From 1 on; 0 for none."""
    answered: bool = False
    """Whether the server has done it by then."""
    act: Callable[[], None] = lambda: None
    """Called before the connection is cut."""
    seen: list[str] = field(default_factory=list)
    """The statements that changed something so far."""
    cut: bool = False
    """Whether it has happened."""


class Interception:
    """Listens at a port of its own for one server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 3306)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.moment = Moment()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url: str) -> str:
        """Return a url of the server as it leads through here, without TLS."""
        parts = urlsplit(url)
        account = parts.netloc.rpartition("@")[0]
        place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        netloc = f"{account}@{place}" if account else place
        return urlunsplit(parts._replace(netloc=netloc, query="ssl-mode=disabled"))

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                both = _Pair(client, server)
                threading.Thread(target=self._ask, args=(both,), daemon=True).start()
                threading.Thread(target=self._answer, args=(both,), daemon=True).start()

    def _ask(self, both: _Pair) -> None:
        with both:
            for head, payload in _packets(both.client):
                if head[3] == 0 and payload[:1] == bytes([_QUERY]) and not _READING.match(payload, 1):
                    with self._lock:
                        moment = self.moment
                        moment.seen.append(payload[1:].decode("utf-8", "replace"))
                        is_now = len(moment.seen) == moment.number
                    if is_now and not moment.answered:
                        return self._happen(moment)
                    both.awaited = moment if is_now else None
                both.server.sendall(head + payload)
        return None

    def _answer(self, both: _Pair) -> None:
        with both:
            while data := both.server.recv(65536):
                if both.awaited is not None:
                    return self._happen(both.awaited)
                both.client.sendall(data)
        return None

    def _happen(self, moment: Moment) -> None:
        moment.cut = True
        moment.act()


@dataclass
class _Pair:
    """The two ends of one connection, closed together."""

    client: socket.socket
    server: socket.socket
    awaited: Moment | None = None

    def __enter__(self) -> _Pair:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        for each in (self.client, self.server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        return isinstance(error, OSError)


def _packets(client: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    while head := _exactly(client, 4):
        payload = _exactly(client, int.from_bytes(head[:3], "little"))
        yield head, payload


def _exactly(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = client.recv(count - len(found))
        if not more:
            return b""
        found += more
    return found
