"""A wire between client and server that loses answers, breaks, and heals again."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

_CHUNK = 65536


class Wire:
    """
    A TCP port that passes everything on to a server, until it is told otherwise.

    While it is deaf, whatever the server sends is lost, so calls are served
    and their answers never arrive.
    """

    def __init__(self, address: str) -> None:
        """Listen on a free port, for the server on *address*."""
        host, _, port = address.rpartition(":")
        self._server = (host, int(port))
        self._deaf = False
        self._deaf_connections: set[socket.socket] = set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A thread that waits in accept is woken by shutdown, not by close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def lose_answers(self) -> None:
        """Lose what the server sends from here on."""
        self._deaf = True

    def lose_answers_of_connected(self) -> None:
        """Lose what the server sends over the connections that there are; later ones work as they should."""
        self._deaf_connections = {far for _, far in self._pairs}

    def cut(self) -> None:
        """Break every connection; the next ones work as they should."""
        self._deaf = False
        for one in [one for pair in self._pairs for one in pair]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._server)
            except OSError:
                near.close()
                continue
            self._pairs.append((near, far))
            self._start(self._pass, near, far, lambda _source: False)
            self._start(self._pass, far, near, self._is_lost)

    def _is_lost(self, source: socket.socket) -> bool:
        return self._deaf or source in self._deaf_connections

    def _pass(self, source: socket.socket, sink: socket.socket, is_lost: Callable[[socket.socket], bool]) -> None:
        with contextlib.suppress(OSError), source:
            while data := source.recv(_CHUNK):
                if not is_lost(source):
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
