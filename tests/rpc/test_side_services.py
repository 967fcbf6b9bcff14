"""Health and reflection: what their streams may hold up, which is nothing."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sessiond.authority.caller import LOCAL
from sessiond.clock import ManualClock
from sessiond.server.adapter import Adapter
from sessiond.server.config import Config
from sessiond.server.health import MAX_CHECKS, MAX_REFLECTIONS, MAX_WATCHES
from sessiond.server.streams import Streams
from sessiond.server.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = "sessiond.v1.KeyService"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = (
    health_pb2.HealthCheckResponse.ServingStatus.Value(name) for name in ("SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
)
LONG_SECONDS = 60
SOON_SECONDS = 10


class Sides(NamedTuple):
    """A server that serves nothing but health and reflection."""

    transport: Transport
    channel: grpc.Channel
    health: Any
    reflection: Any

    def check(self, service: str = "") -> int:
        """Ask for the health of a service."""
        return int(self.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=SOON_SECONDS).status)

    def watch(self, service: str = "") -> Any:
        """Watch the health of a service."""
        return self.health.Watch(health_pb2.HealthCheckRequest(service=service))

    def reflect(self, release: threading.Event) -> Any:
        """Open a stream of reflection that asks once and then stays open."""

        def requests() -> Iterator[Any]:
            yield reflection_pb2.ServerReflectionRequest(list_services="")
            release.wait(LONG_SECONDS)

        return self.reflection.ServerReflectionInfo(requests())


@pytest.fixture
def sides() -> Iterator[Sides]:
    """Give a server with health and reflection alone."""
    with serving() as made:
        yield made


@contextmanager
def serving() -> Iterator[Sides]:
    adapter = Adapter([], {}, {}, clock=ManualClock(), caller=LOCAL, streams=Streams(ManualClock()))
    transport = Transport(adapter, [SERVICE], "127.0.0.1:0", calls=1, reuse_port=False)
    transport.start()
    with grpc.insecure_channel(transport.address) as channel:
        health, reflection = health_pb2_grpc.HealthStub(channel), reflection_pb2_grpc.ServerReflectionStub(channel)
        yield Sides(transport, channel, health, reflection)
    transport.stop(0)


def code_of(stream: Any) -> grpc.StatusCode:
    """Read a stream that must fail, and give its status."""
    with pytest.raises(grpc.RpcError) as caught:
        next(stream)
    code: grpc.StatusCode = caught.value.code()
    return code


def test_check_of_an_unknown_service(sides: Sides) -> None:
    """The health of a service that is not served is NOT_FOUND."""
    with pytest.raises(grpc.RpcError) as caught:
        sides.check("nobody")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_watch_tells_the_status_and_each_change(sides: Sides) -> None:
    """A watch has the status at once and then each change of its own service; the same said again is not told."""
    watch, other = sides.watch(SERVICE), sides.watch("nobody")
    assert [NOT_SERVING, SERVICE_UNKNOWN] == [next(watch).status, next(other).status]
    for _ in range(3):
        sides.transport.say_serving({"": True, SERVICE: False})
    sides.transport.say_serving({SERVICE: True})
    assert next(watch).status == SERVING
    assert (SERVING, SERVING) == (sides.check(), sides.check(SERVICE))
    watch.cancel()
    other.cancel()


@pytest.mark.parametrize("requests", [(), (b"\xff",)], ids=["none", "no message"])
@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_bad_request_for_health(sides: Sides, method: str, requests: tuple[bytes, ...]) -> None:
    """A call of health without a request, or with bytes that are none, is INVALID_ARGUMENT."""
    call: Any = sides.channel.stream_stream(f"/grpc.health.v1.Health/{method}")
    assert code_of(call(iter(requests))) is grpc.StatusCode.INVALID_ARGUMENT


@contextmanager
def calls_without_request(sides: Sides, method: str, count: int) -> Iterator[None]:
    """Keep calls of health open whose headers have arrived and whose request never comes."""
    release = threading.Event()

    def never() -> Iterator[bytes]:
        release.wait(10 * LONG_SECONDS)
        yield from ()

    open_call: Any = sides.channel.stream_stream(f"/grpc.health.v1.Health/{method}")
    calls = [open_call(never()) for _ in range(count)]
    # They are there once this later call on the same connection has been answered.
    later: Any = sides.channel.unary_unary("/nobody/Nothing")
    with pytest.raises(grpc.RpcError):
        later(b"")
    try:
        yield
    finally:
        release.set()
        for call in calls:
            call.cancel()


def test_checks_without_a_request_keep_no_check_waiting(sides: Sides) -> None:
    """Checks whose request does not come hold up no other check."""
    with calls_without_request(sides, "Check", 20):
        for _ in range(10):
            assert sides.check() == NOT_SERVING


def test_check_whose_request_is_overdue_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many checks as there may be, one more is refused at once, and served where a request is overdue."""
    monkeypatch.setattr("sessiond.server.health.MAX_CHECKS", 2)
    monkeypatch.setattr("sessiond.server.pools.OVERDUE_SECONDS", LONG_SECONDS)
    with serving() as sides, calls_without_request(sides, "Check", 2):
        with pytest.raises(grpc.RpcError) as caught:
            sides.check()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        monkeypatch.setattr("sessiond.server.pools.OVERDUE_SECONDS", 0)
        assert sides.check() == NOT_SERVING


def test_watches_without_a_request_count(sides: Sides) -> None:
    """Watches whose request does not come count as open: one more is refused at once, and checks are answered."""
    with calls_without_request(sides, "Watch", MAX_WATCHES):
        assert code_of(sides.watch()) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert sides.check() == NOT_SERVING


@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_stop_waits_for_no_request_for_health(method: str) -> None:
    """A stopping server ends the calls of health whose request has not come, long before its grace is over."""
    with serving() as sides, calls_without_request(sides, method, 2):
        start = time.monotonic()
        sides.transport.stop(LONG_SECONDS)
        assert time.monotonic() - start < SOON_SECONDS


def test_no_connection_alone_fills_a_pool(sides: Sides) -> None:
    """One connection may have fewer calls open than any pool takes (RFC 9113, SETTINGS_MAX_CONCURRENT_STREAMS)."""
    host, _, port = sides.transport.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=SOON_SECONDS) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
        received = connection.makefile("rb")
        length = int.from_bytes(received.read(9)[:3])
        settings = dict(struct.iter_unpack(">HI", received.read(length)))
    limits = [Config.model_fields[name].default for name in ("read_limit", "write_limit")]
    assert settings[3] < min(*limits, MAX_CHECKS)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Make a frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def watch_without_reading(address: str) -> socket.socket:
    """Open a watch whose flow control lets the server send nothing: SETTINGS_INITIAL_WINDOW_SIZE is 0."""
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=SOON_SECONDS)
    settings, headers, data, acknowledged, end_headers, end_stream = 4, 1, 0, 1, 4, 1
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings, 0, 0, struct.pack(">HI", 4, 0)))
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/grpc.health.v1.Health/Watch"),
        (b":authority", b"test"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    )
    block = b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields)
    connection.sendall(frame(settings, acknowledged, 0, b"") + frame(headers, end_headers, 1, block))
    connection.sendall(frame(data, end_stream, 1, bytes(5)))
    received = b""
    while b"application/grpc" not in received:
        received += connection.recv(4096)
    return connection


def test_watch_that_is_not_read_holds_up_nobody() -> None:
    """A watcher that takes no byte keeps no check, no change of health and no stop waiting."""
    with serving() as sides, watch_without_reading(sides.transport.address):
        sides.transport.say_serving({"": True})
        assert sides.check() == SERVING
        watch = sides.watch()
        assert next(watch).status == SERVING
        watch.cancel()
        start = time.monotonic()
        sides.transport.stop(0.2)
        assert time.monotonic() - start < SOON_SECONDS


def test_open_streams_keep_no_check_waiting(sides: Sides) -> None:
    """With every stream open that may be, checks are answered; one more stream of each kind is refused at once."""
    release = threading.Event()
    watches = [sides.watch() for _ in range(MAX_WATCHES)]
    reflections = [sides.reflect(release) for _ in range(MAX_REFLECTIONS)]
    for stream in (*watches, *reflections):
        next(stream)
    for _ in range(20):
        assert sides.check() == NOT_SERVING
    assert code_of(sides.watch()) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert code_of(sides.reflect(release)) is grpc.StatusCode.RESOURCE_EXHAUSTED
    release.set()
    for stream in (*watches, *reflections):
        stream.cancel()


def test_ended_stream_makes_room(sides: Sides) -> None:
    """A watcher that goes leaves its place to another."""
    for _ in range(3 * MAX_WATCHES):
        opened_watch(sides).cancel()


def opened_watch(sides: Sides) -> Any:
    """Open a watch, again where the server has not yet seen an earlier watcher go."""
    until = time.monotonic() + SOON_SECONDS
    while True:
        watch = sides.watch()
        try:
            assert next(watch).status == NOT_SERVING
        except grpc.RpcError:
            assert time.monotonic() < until
        else:
            return watch


def test_stop_waits_for_no_stream() -> None:
    """A stopping server tells each watcher NOT_SERVING and ends every stream, long before its grace is over."""
    release = threading.Event()
    with serving() as sides:
        sides.transport.say_serving({"": True, SERVICE: True})
        watch, reflection = sides.watch(), sides.reflect(release)
        assert next(watch).status == SERVING
        next(reflection)
        start = time.monotonic()
        sides.transport.stop(LONG_SECONDS)
        assert time.monotonic() - start < SOON_SECONDS
        assert [NOT_SERVING] == [told.status for told in watch]
        assert code_of(reflection) is grpc.StatusCode.CANCELLED
    release.set()


def test_nothing_serves_again_after_the_stop() -> None:
    """Once a server stops, whoever says that it serves is not heard."""
    with serving() as sides:
        watch = sides.watch()
        next(watch)
        sides.transport.stop(LONG_SECONDS)
        sides.transport.say_serving({"": True})
        assert list(watch) == []
