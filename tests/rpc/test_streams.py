"""Streams through the adapter over a real channel, with planted handlers."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
from structlog.testing import capture_logs

from sessiond.authority.caller import LOCAL, Caller
from sessiond.clock import ManualClock
from sessiond.errors import StoreUnavailableError
from sessiond.server.adapter import Adapter
from sessiond.server.pools import WorkerPool
from sessiond.server.rules import Pool, Rule
from sessiond.server.streams import STUCK_MS, Streams
from sessiond.server.transport import Transport
from sessiond.v1 import revocation_service_pb2 as pb
from tests.rpc.answers import Answer, answer, invalid, read, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiond.server.streams import Stream

SERVICE = pb.DESCRIPTOR.services_by_name["RevocationService"]
WATCH = "sessiond.v1.RevocationService.WatchRevocations"
RULES = {WATCH: Rule("verifier", Pool.WATCHES)}
DENIED = Answer("PERMISSION_DENIED", "PERMISSION_DENIED", "", "FIX_THE_CALLER")
WAIT_SECONDS = 20
BEYOND_ANY_WINDOW = bytes(3 << 20)
"""More than a transport takes from a server before its client has read anything."""


class Server(NamedTuple):
    """A server under test."""

    transport: Transport
    channel: grpc.Channel
    clock: ManualClock
    streams: Streams

    def watch(self, **keywords: Any) -> Any:
        """Open a stream whose messages stay bytes."""
        call: Callable[..., Any] = self.channel.unary_stream(f"/{SERVICE.full_name}/WatchRevocations")
        return call(b"", **keywords)


@contextmanager
def serving(
    watch: Callable[..., Any], *, rules: dict[str, Rule] = RULES, caller: Caller = LOCAL, limit: int = 4
) -> Iterator[Server]:
    handlers = type("Planted", (), {"watch_revocations": staticmethod(watch)})()
    pools = {pool: WorkerPool(pool.value, limit, limit) for pool in Pool}
    clock = ManualClock()
    streams = Streams(clock)
    adapter = Adapter([(SERVICE, handlers)], rules, pools, clock=clock, caller=caller, streams=streams)
    transport = Transport(adapter, [SERVICE.full_name], "127.0.0.1:0", calls=64, reuse_port=False)
    transport.start()
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]
    try:
        with grpc.insecure_channel(transport.address, options=options) as channel:
            yield Server(transport, channel, clock, streams)
    finally:
        transport.stop(0)
        for pool in pools.values():
            pool.shutdown()


def ending(stream: Any) -> Any:
    """Read a stream to its end, and give the error that ends it."""
    with pytest.raises(grpc.RpcError) as caught:
        for _ in stream:
            pass
    return caught.value


def two(_call: Any, _request: Any, _stream: Stream) -> Iterator[bytes]:
    yield b"one"
    yield b"two"


def test_messages_come_in_their_order() -> None:
    """What a handler gives reaches the caller message by message, and where it ends the stream ends well."""
    with serving(two) as server:
        assert [b"one", b"two"] == list(server.watch())


def test_error_of_ours_ends_a_stream() -> None:
    """An error of ours ends the stream as it ends a call, after the messages that came before it."""

    def failing(_call: Any, _request: Any, _stream: Stream) -> Iterator[bytes]:
        yield b"one"
        message = "the store cannot be read"
        raise StoreUnavailableError(message)

    with serving(failing) as server:
        stream = server.watch()
        assert next(stream) == b"one"
        told = read(ending(stream))
    assert Answer("UNAVAILABLE", "STORE_UNAVAILABLE", "", "KEEP_CURRENT_TOKENS") == told.answer


def test_text_of_a_foreign_exception_stays_inside() -> None:
    """An exception that is none of ours ends a stream as INTERNAL_FAULT; its text is in the log and nowhere else."""

    def fault(_call: Any, _request: Any, _stream: Stream) -> Iterator[bytes]:
        yield b"one"
        message = "planted-secret"
        raise ValueError(message)

    with capture_logs() as logged, serving(fault) as server:
        told = read(ending(server.watch()))
    assert Answer("INTERNAL", "INTERNAL_FAULT", "", "RETRY_WITH_BACKOFF") == told.answer
    assert b"planted" not in told.everything
    assert [(told.call_id, WATCH)] == [(line["call_id"], line["method"]) for line in logged if line["event"] == "fault"]


def test_stream_without_a_row_is_refused() -> None:
    """Default deny holds for streams: without a row, and for a caller without the role."""
    with serving(two, rules={}) as server:
        assert DENIED == answer(next, server.watch())
    with serving(two, caller=Caller("shop", LOCAL.roles - {"verifier"}, None)) as server:
        assert "'verifier'" in refusal(next, server.watch()).message


def test_stream_without_a_request() -> None:
    """A stream that its caller ends without a request is refused as one without a request."""
    with serving(two) as server:
        call: Callable[..., Any] = server.channel.stream_stream(f"/{SERVICE.full_name}/WatchRevocations")
        assert invalid("request") == answer(next, call(iter(())))


class Waiting:
    """A handler that gives one message and waits until it is told that its stream has ended; it tells of both."""

    def __init__(self) -> None:
        self.open: queue.SimpleQueue[Stream] = queue.SimpleQueue()
        self.closed: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def __call__(self, _call: Any, _request: Any, stream: Stream) -> Iterator[bytes]:
        """Serve one stream."""
        over = threading.Event()
        stream.on_end(over.set)
        self.open.put(stream)
        try:
            yield b"open"
        finally:
            self.closed.put(over.wait(WAIT_SECONDS) and stream.ended)


@pytest.mark.parametrize("going", ["cancelled", "deadline", "connection closed"])
def test_handler_learns_that_its_caller_has_gone(going: str) -> None:
    """However a caller goes, the handler that waits for something to tell is woken, and its thread is free."""
    handler = Waiting()
    with serving(handler) as server:
        stream = server.watch(timeout=1 if going == "deadline" else None)
        next(stream)
        if going == "cancelled":
            stream.cancel()
        elif going == "connection closed":
            server.channel.close()
        assert handler.closed.get(timeout=WAIT_SECONDS)


def test_stop_wakes_every_handler() -> None:
    """A stopping server ends its streams long before its grace is over, those that begin meanwhile too."""
    handler = Waiting()
    with serving(handler) as server:
        streams = [server.watch() for _ in range(3)]
        for stream in streams:
            next(stream)
        server.streams.end()
        assert ending(server.watch()).code() is grpc.StatusCode.UNAVAILABLE
        assert [True] * 3 == [handler.closed.get(timeout=WAIT_SECONDS) for _ in range(3)]
        server.transport.stop(100 * WAIT_SECONDS)
        assert {grpc.StatusCode.UNAVAILABLE} == {ending(stream).code() for stream in streams}


class Overflowing:
    """A handler whose one message is more than the transport takes unread."""

    def __init__(self) -> None:
        self.left = threading.Event()
        self._open: queue.SimpleQueue[Stream] = queue.SimpleQueue()

    def __call__(self, _call: Any, _request: Any, stream: Stream) -> Iterator[bytes]:
        """Serve one stream."""
        self._open.put(stream)
        try:
            yield BEYOND_ANY_WINDOW
        finally:
            self.left.set()

    def until_sending(self) -> None:
        """Wait until the message is being sent, which takes for ever."""
        stream = self._open.get(timeout=WAIT_SECONDS)
        while stream.sending_since_ms is None:
            pass


def test_reader_that_does_not_read_is_cut_off_after_ten_seconds() -> None:
    """A send that is stuck for ten seconds is cancelled, not a moment earlier, which frees its thread; it is logged."""
    handler = Overflowing()
    with capture_logs() as logged, serving(handler) as server:
        stream = server.watch()
        handler.until_sending()
        server.clock.advance((STUCK_MS - 1) / 1000)
        server.streams.cut_off_stuck()
        assert [] == [line for line in logged if line["event"] == "reader cut off"]
        server.clock.advance(0.001)
        server.streams.cut_off_stuck()
        assert handler.left.wait(WAIT_SECONDS)
        assert ending(stream).code() is grpc.StatusCode.CANCELLED
    assert [WATCH] == [line["method"] for line in logged if line["event"] == "reader cut off"]


def test_stream_that_waits_for_something_to_tell_is_not_cut_off() -> None:
    """A reader that has taken everything is never cut off, however long nothing happens."""
    handler = Waiting()
    with serving(handler) as server:
        stream = server.watch()
        next(stream)
        opened = handler.open.get(timeout=WAIT_SECONDS)
        while opened.sending_since_ms is not None:
            pass
        server.clock.advance(10 * STUCK_MS)
        server.streams.cut_off_stuck()
        other = server.watch()
        assert next(other) == b"open"
        assert not stream.done()


def test_stop_waits_for_no_reader() -> None:
    """A stopping server cancels the stream of a reader that does not read, long before its grace is over."""
    handler = Overflowing()
    with serving(handler) as server:
        stream = server.watch()
        handler.until_sending()
        server.transport.stop(100 * WAIT_SECONDS)
        assert ending(stream).code() in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}


def test_so_many_streams_and_no_more() -> None:
    """Beyond the limit of the pool a stream is OVERLOADED at once, and says when to come back."""
    handler = Waiting()
    with serving(handler, limit=1) as server:
        stream = server.watch()
        next(stream)
        told = refusal(next, server.watch())
        assert not stream.done()
    assert Answer("RESOURCE_EXHAUSTED", "OVERLOADED", "", "KEEP_CURRENT_TOKENS") == told.answer
    assert told.retry_seconds == pytest.approx(0.2)
