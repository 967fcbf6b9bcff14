"""The gRPC server itself: its limits, its address, health and reflection."""

from __future__ import annotations

import socket
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from sessiond.server.config import UNIX_PREFIX, split_address
from sessiond.server.health import MAX_CHECKS, MAX_REFLECTIONS, MAX_WATCHES, SideServices
from sessiond.server.http import ListenError
from sessiond.server.rules import BATCH_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessiond.server.adapter import Adapter

MAX_MESSAGE_BYTES = BATCH_BYTES + 1024 * 1024
"""
What the transport accepts, of any RPC: it has one limit for all. Each RPC's own limit is lower, for most far lower, and
names the field that is too long: so a megabyte too much has that answer, and what is larger has the transport's, which
names nothing.
"""

_REFUSED_CALLS = 64
"""Calls that are being refused at one time."""

_SETTLED_SECONDS = 1.0
"""After this time of a stop every request that was under way has come, and every watcher has been told."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    # So that no connection alone fills a pool. The protection counts calls that have ended as well, so it refuses
    # (UNAVAILABLE) those of a client that keeps to the limit; calls beyond it are refused without the protection too.
    ("grpc.max_concurrent_streams", 128),
    ("grpc.http.overload_protection", 0),
    ("grpc.server_handshake_timeout_ms", 3_000),
    ("grpc.max_connection_idle_ms", 120_000),
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)


class Transport:
    """
    A gRPC server that serves an adapter's RPCs, grpc.health.v1 and reflection.

    Health says NOT_SERVING until :meth:`say_serving`. The RPCs run in the
    adapter's pools; health and reflection have threads for themselves.
    """

    def __init__(
        self, adapter: Adapter, services: Sequence[str], address: str, *, calls: int, reuse_port: bool
    ) -> None:
        """
        Take *address* for *services*; at most *calls* of them at one time.

        Raises:
            ListenError: The address is taken or cannot be had.

        """
        self._sides = SideServices(services)
        self._adapter = adapter
        self._threads = futures.ThreadPoolExecutor(1)
        self._server = grpc.server(
            self._threads,  # grpcio wants it; every behaviour here names a pool.
            handlers=[adapter, *self._sides.handlers()],
            options=[*_OPTIONS, ("grpc.so_reuseport", int(reuse_port))],
            maximum_concurrent_rpcs=calls + MAX_CHECKS + MAX_WATCHES + MAX_REFLECTIONS + _REFUSED_CALLS,
        )
        self.address = self._take(address)

    def start(self) -> None:
        """Accept calls."""
        self._server.start()

    def say_serving(self, serving: Mapping[str, bool]) -> None:
        """Tell health watchers whether each named service serves; ``""`` stands for the whole server."""
        self._sides.health.say(serving)

    def stop(self, grace_seconds: float) -> None:
        """Say NOT_SERVING for good, end streams, refuse new calls, give running ones *grace_seconds* to finish."""
        self._sides.close()
        self._adapter.end_streams()
        stopped = self._server.stop(grace_seconds)
        if not stopped.wait(_SETTLED_SECONDS):
            self._adapter.end_overdue()
            self._sides.end_overdue()
            stopped.wait()
        self._sides.shutdown()
        self._threads.shutdown()

    def _take(self, address: str) -> str:
        if address.startswith(UNIX_PREFIX):
            _refuse_used_socket(address)
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError:
            message = f"cannot listen on {address} for gRPC: stop what listens there, or choose another with --listen"
            raise ListenError(message) from None
        if address.startswith(UNIX_PREFIX):
            return address
        host, _ = split_address(address)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _refuse_used_socket(address: str) -> None:
    """Refuse the path of a living server: gRPC would silently take it away from that."""
    path = Path(address.removeprefix(UNIX_PREFIX))
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return
    message = f"cannot listen on {address} for gRPC: another server does: stop it, or choose another with --listen"
    raise ListenError(message)
