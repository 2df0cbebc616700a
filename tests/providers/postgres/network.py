"""A network between client and server, which can be cut at a chosen moment."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit, urlunsplit


class Link:
    """Carries every connection made to `url` to the server behind it."""

    def __init__(self, listener: socket.socket, server: tuple[str, int], url: str) -> None:
        self.url = url
        self.turns = 0
        """How often a client has spoken after the server has."""
        self.is_down = False
        """Whether new connections are turned away."""
        self.delay = 0.0
        """Seconds before a new connection reaches the server."""
        self.is_frozen = False
        """Whether nothing arrives any more, without a word."""
        self._listener = listener
        self._server = server
        self._mark = b""
        self._when: Literal["before", "after"] = "before"
        self._goes_down = False
        self._cutting: set[socket.socket] = set()
        self._server_spoke = False

    def cut_at(self, mark: bytes, when: Literal["before", "after"], *, for_good: bool = False) -> None:
        """Break the connection that sends `mark`, once: before the server sees it or after it answered."""
        self._mark, self._when, self._goes_down = mark, when, for_good

    def accept(self) -> None:
        """Carry connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.is_down:
                    client.close()
                    continue
                time.sleep(self.delay)
                server = socket.create_connection(self._server)
                for carry in (self._forward, self._answer):
                    threading.Thread(target=carry, args=(client, server), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.is_frozen:
                    continue
                self.turns += self._server_spoke
                self._server_spoke = False
                if self._mark and self._mark in data:
                    self._mark, self.is_down = b"", self._goes_down
                    if self._when == "before":
                        break
                    self._cutting.add(server)
                server.sendall(data)
        _shut(client, server)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while (data := server.recv(65536)) and server not in self._cutting:
                self._server_spoke = True
                client.sendall(data)
        _shut(client, server)


@contextmanager
def link(url: str) -> Iterator[Link]:
    """Open a link to the server of `url`; its own `url` leads through it."""
    parts = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        account = parts.netloc.rpartition("@")[0]
        through = urlunsplit(parts._replace(netloc=f"{account}@127.0.0.1:{listener.getsockname()[1]}"))
        made = Link(listener, (parts.hostname or "", parts.port or 5432), through)
        threading.Thread(target=made.accept, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)


def _shut(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
