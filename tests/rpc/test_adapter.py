"""The adapter over a real channel, with planted handlers."""

from __future__ import annotations

import queue
import threading
import time
from concurrent import futures
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
from structlog.testing import capture_logs

from sessiond.authority.caller import LOCAL, Caller
from sessiond.clock import ManualClock
from sessiond.errors import SessiondError
from sessiond.server.adapter import Adapter
from sessiond.server.pools import WorkerPool, check_pools_are_honoured
from sessiond.server.rules import Pool, Rule
from sessiond.server.streams import Streams
from sessiond.server.transport import Transport
from sessiond.v1 import verification_service_pb2 as pb
from sessiond.v1 import verification_service_pb2_grpc as pb_grpc
from tests.rpc.answers import Answer, answer, invalid, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICE = pb.DESCRIPTOR.services_by_name["VerificationService"]
VERIFY = "sessiond.v1.VerificationService.Verify"
RULES = {VERIFY: Rule("verifier", Pool.READS)}
WAIT_SECONDS = 20
STOPPING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
"""What a call meets that arrives while the server stops; grpcio says CANCELLED to the one that comes at that moment."""


class WatchedPool(WorkerPool):
    """A pool that tells of each call that has entered it: nothing on the wire does before the request is there."""

    def __init__(self, name: str, workers: int, limit: int, entered: queue.SimpleQueue[bool]) -> None:
        """Put into *entered* whether there was room."""
        super().__init__(name, workers, limit)
        self._entered = entered

    def _enter(self, context: grpc.ServicerContext) -> bool:
        has_room = super()._enter(context)
        self._entered.put(has_room)
        return has_room


class Server(NamedTuple):
    """
    A server under test: its stub, a call of Verify that sends raw bytes, and one of a method that is not there.

    ``entered`` tells of each call that has come into a pool.
    """

    transport: Transport
    channel: grpc.Channel
    stub: Any
    entered: queue.SimpleQueue[bool]
    raw: Any
    unknown: Any


@contextmanager
def serving(
    verify: Callable[..., Any],
    *,
    rules: dict[str, Rule] = RULES,
    workers: int = 2,
    limit: int = 4,
    caller: Caller = LOCAL,
) -> Iterator[Server]:
    handlers = type("Planted", (), dict.fromkeys(("verify", "batch_verify"), staticmethod(verify)))()
    entered: queue.SimpleQueue[bool] = queue.SimpleQueue()
    pools = {pool: WatchedPool(pool.value, workers, limit, entered) for pool in Pool}
    adapter = Adapter(
        [(SERVICE, handlers)], rules, pools, clock=ManualClock(), caller=caller, streams=Streams(ManualClock())
    )
    transport = Transport(adapter, [SERVICE.full_name], "127.0.0.1:0", calls=64, reuse_port=False)
    transport.start()
    try:
        with grpc.insecure_channel(transport.address) as channel:
            methods: Iterator[Any] = (
                channel.unary_unary(f"/{SERVICE.full_name}/{name}") for name in ("Verify", "Forge")
            )
            yield Server(transport, channel, pb_grpc.VerificationServiceStub(channel), entered, *methods)
    finally:
        transport.stop(0)
        for pool in pools.values():
            pool.shutdown()


def good(_call: Any, _request: Any) -> pb.VerifyResponse:
    return pb.VerifyResponse(subject="alice")


def test_reply_of_the_handler_reaches_the_caller() -> None:
    """What a handler returns is the reply."""
    with serving(good) as server:
        assert server.stub.Verify(pb.VerifyRequest()).subject == "alice"


def test_text_of_a_foreign_exception_stays_inside() -> None:
    """An exception that is none of ours is INTERNAL_FAULT with a call id; its text is in the log and nowhere else."""

    def fault(_call: Any, _request: Any) -> pb.VerifyResponse:
        message = "planted-secret"
        raise ValueError(message)

    with capture_logs() as logged, serving(fault) as server:
        refused = refusal(server.stub.Verify, pb.VerifyRequest())
    assert Answer("INTERNAL", "INTERNAL_FAULT", "", "RETRY_WITH_BACKOFF") == refused.answer
    assert b"planted" not in refused.everything
    assert b"ValueError" not in refused.everything
    line = next(line for line in logged if line["event"] == "fault")
    assert (refused.call_id, VERIFY, True) == (line["call_id"], line["method"], line["exc_info"])
    assert refused.call_id in refused.message


class UnspeakableError(SessiondError):
    """An error of ours that has no reason, by a mistake of ours."""


def test_error_that_cannot_be_told_is_a_fault() -> None:
    """A mistake in telling an error is a fault like any other, and its text stays inside as well."""

    def fault(_call: Any, _request: Any) -> pb.VerifyResponse:
        raise UnspeakableError("planted-secret")  # noqa: EM101 - the text is what is looked for

    with serving(fault) as server:
        refused = refusal(server.stub.Verify, pb.VerifyRequest())
    assert Answer("INTERNAL", "INTERNAL_FAULT", "", "RETRY_WITH_BACKOFF") == refused.answer
    assert b"planted" not in refused.everything
    assert b"Unspeakable" not in refused.everything


def test_reply_that_cannot_be_sent_is_a_fault() -> None:
    """A handler that returns no message is a fault of ours and leaks nothing."""
    with serving(lambda _call, _request: None) as server:
        assert Answer("INTERNAL", "INTERNAL_FAULT", "", "RETRY_WITH_BACKOFF") == answer(
            server.stub.Verify, pb.VerifyRequest()
        )


def test_bytes_that_are_no_message_are_the_callers_fault() -> None:
    """An unparsable request is INVALID_ARGUMENT, where grpcio by itself says INTERNAL."""
    with serving(good) as server:
        assert invalid("request") == answer(server.raw, b"\xff\xff")
        assert invalid("access_token") == answer(server.raw, b"\x0a\x02\xff\xfe")


def test_rpc_without_a_row_is_refused() -> None:
    """Default deny: an RPC without a row is refused to the caller who has every role."""
    with serving(good, rules={}) as server:
        assert Answer("PERMISSION_DENIED", "PERMISSION_DENIED", "", "FIX_THE_CALLER") == answer(
            server.stub.Verify, pb.VerifyRequest()
        )


def test_caller_without_the_role_is_refused() -> None:
    """A caller that lacks the row's role is refused, and learns which role it takes."""
    with serving(good, caller=Caller("shop", LOCAL.roles - {"verifier"}, None)) as server:
        refused = refusal(server.stub.Verify, pb.VerifyRequest())
    assert Answer("PERMISSION_DENIED", "PERMISSION_DENIED", "", "FIX_THE_CALLER") == refused.answer
    assert "'verifier'" in refused.message


def test_rpc_for_everyone_takes_no_role() -> None:
    """A row without a role lets every caller in."""
    with serving(good, rules={VERIFY: Rule(None, Pool.READS)}, caller=Caller("shop", frozenset(), None)) as server:
        assert server.stub.Verify(pb.VerifyRequest()).subject == "alice"


def test_unknown_method_is_unimplemented() -> None:
    """A method that no service has is UNIMPLEMENTED."""
    with serving(good) as server, pytest.raises(grpc.RpcError) as caught:
        server.unknown(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_overload_is_answered_at_once() -> None:
    """Beyond the pool's limit a call is RESOURCE_EXHAUSTED at once, keeps the tokens, and says when to come back."""
    release, running = threading.Event(), threading.Semaphore(0)

    def slow(_call: Any, _request: Any) -> pb.VerifyResponse:
        running.release()
        release.wait(WAIT_SECONDS)
        return pb.VerifyResponse()

    with serving(slow, workers=1, limit=2) as server, futures.ThreadPoolExecutor(2) as callers:
        first = callers.submit(server.stub.Verify, pb.VerifyRequest())
        assert running.acquire(timeout=WAIT_SECONDS)
        waiting = callers.submit(server.stub.Verify, pb.VerifyRequest())
        refused = first_refusal(server)
        release.set()
        assert [first.result(WAIT_SECONDS), waiting.result(WAIT_SECONDS)] == [pb.VerifyResponse()] * 2
        assert server.stub.Verify(pb.VerifyRequest()) == pb.VerifyResponse()
    assert Answer("RESOURCE_EXHAUSTED", "OVERLOADED", "", "KEEP_CURRENT_TOKENS") == refused.answer
    assert refused.retry_seconds == pytest.approx(0.2)


def first_refusal(server: Server) -> Any:
    """Call with a short deadline until the limit is reached: the call that waits needs a moment to arrive."""
    for _ in range(200):
        try:
            server.stub.Verify(pb.VerifyRequest(), timeout=0.05)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                return refusal(server.stub.Verify, pb.VerifyRequest())
    pytest.fail("the limit never applied")


@contextmanager
def calls_without_request(server: Server, count: int) -> Iterator[list[Any]]:
    """Keep calls of Verify open whose headers have arrived and whose request never comes."""
    release = threading.Event()

    def never() -> Iterator[bytes]:
        release.wait(10 * WAIT_SECONDS)
        yield from ()

    open_call: Any = server.channel.stream_unary(f"/{SERVICE.full_name}/Verify").future
    calls = [open_call(never()) for _ in range(count)]
    try:
        assert [True] * count == [server.entered.get(timeout=WAIT_SECONDS) for _ in range(count)]
        yield calls
    finally:
        release.set()
        for call in calls:
            call.cancel()


def test_calls_without_a_request_hold_no_worker() -> None:
    """Calls whose request does not come keep no other call waiting."""
    with serving(good, workers=1, limit=4) as server, calls_without_request(server, 3):
        for _ in range(10):
            assert server.stub.Verify(pb.VerifyRequest(), timeout=WAIT_SECONDS).subject == "alice"


def test_call_whose_request_is_overdue_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a full pool each call takes the place of the one that has waited longest for its request, if too long."""
    monkeypatch.setattr("sessiond.server.pools.OVERDUE_SECONDS", WAIT_SECONDS)
    with serving(good, workers=1, limit=2) as server, calls_without_request(server, 2) as waiting:
        assert Answer("RESOURCE_EXHAUSTED", "OVERLOADED", "", "KEEP_CURRENT_TOKENS") == answer(
            server.stub.Verify, pb.VerifyRequest(), timeout=WAIT_SECONDS
        )
        assert [False, False] == [call.done() for call in waiting]
        ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for call in waiting:
            call.add_done_callback(ended.put)
        monkeypatch.setattr("sessiond.server.pools.OVERDUE_SECONDS", 0)
        assert server.stub.Verify(pb.VerifyRequest(), timeout=WAIT_SECONDS).subject == "alice"
        assert ended.get(timeout=WAIT_SECONDS).code() is grpc.StatusCode.CANCELLED
        assert sorted(call.done() for call in waiting) == [False, True]


def test_stop_waits_for_no_request() -> None:
    """A stopping server ends the calls whose request has not come, long before its grace is over."""
    with serving(good) as server, calls_without_request(server, 2) as waiting:
        start = time.monotonic()
        server.transport.stop(2 * WAIT_SECONDS)
        assert time.monotonic() - start < WAIT_SECONDS / 2
        assert {call.code() for call in waiting} <= STOPPING


def test_call_that_ends_without_a_request() -> None:
    """A call that its caller ends without a request is refused as one without a request."""
    with serving(good) as server:
        assert invalid("request") == answer(server.channel.stream_unary(f"/{SERVICE.full_name}/Verify"), iter(()))


def test_work_whose_caller_has_gone_is_not_started() -> None:
    """A call whose deadline passes while it waits for a thread never reaches its handler."""
    release, running, served = threading.Event(), threading.Semaphore(0), []

    def slow(_call: Any, request: Any) -> pb.VerifyResponse:
        served.append(request.tenant)
        running.release()
        release.wait(WAIT_SECONDS)
        return pb.VerifyResponse()

    with serving(slow, workers=1, limit=8) as server, futures.ThreadPoolExecutor(1) as callers:
        first = callers.submit(server.stub.Verify, pb.VerifyRequest(tenant="first"))
        assert running.acquire(timeout=WAIT_SECONDS)
        with pytest.raises(grpc.RpcError) as caught:
            server.stub.Verify(pb.VerifyRequest(tenant="late"), timeout=0.1)
        release.set()
        first.result(WAIT_SECONDS)
        server.stub.Verify(pb.VerifyRequest(tenant="last"))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert served == ["first", "last"]


def test_work_that_was_cancelled_is_not_started() -> None:
    """A call that its caller cancels while it waits for a thread never reaches its handler."""
    release, running, served = threading.Event(), threading.Semaphore(0), []

    def slow(_call: Any, request: Any) -> pb.VerifyResponse:
        served.append(request.tenant)
        running.release()
        release.wait(WAIT_SECONDS)
        return pb.VerifyResponse()

    with serving(slow, workers=1, limit=8) as server:
        first = server.stub.Verify.future(pb.VerifyRequest(tenant="first"))
        assert running.acquire(timeout=WAIT_SECONDS)
        gone = server.stub.Verify.future(pb.VerifyRequest(tenant="gone"))
        last = server.stub.Verify.future(pb.VerifyRequest(tenant="last"))
        gone.cancel()
        # The cancellation has arrived once this later call on the same connection has been answered.
        with pytest.raises(grpc.RpcError):
            server.unknown(b"")
        release.set()
        first.result(WAIT_SECONDS)
        last.result(WAIT_SECONDS)
    assert served == ["first", "last"]


def test_stop_lets_running_calls_finish() -> None:
    """A stopping server answers the calls that run, refuses those that come, and is done once the last has ended."""
    release, running = threading.Event(), threading.Semaphore(0)

    def slow(_call: Any, _request: Any) -> pb.VerifyResponse:
        running.release()
        release.wait(WAIT_SECONDS)
        return pb.VerifyResponse(subject="alice")

    with serving(slow) as server, futures.ThreadPoolExecutor(1) as stopper:
        first = server.stub.Verify.future(pb.VerifyRequest())
        assert running.acquire(timeout=WAIT_SECONDS)
        stopping = stopper.submit(server.transport.stop, WAIT_SECONDS)
        for _ in range(20):
            assert refused_while_stopping(server) in STOPPING
        assert (False, False) == (first.done(), stopping.done())
        release.set()
        assert first.result(WAIT_SECONDS).subject == "alice"
        stopping.result(WAIT_SECONDS)


def refused_while_stopping(server: Server) -> grpc.StatusCode:
    """Make calls of a method that is not there until they are refused for another reason: the server stops."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        with pytest.raises(grpc.RpcError) as caught:
            server.unknown(b"")
        code: grpc.StatusCode = caught.value.code()
        if code is not grpc.StatusCode.UNIMPLEMENTED:
            return code
    pytest.fail("the server serves on")


def test_stop_waits_no_longer_than_its_grace() -> None:
    """A call that runs on beyond the grace loses its answer; the stop does not wait for it."""
    release, running = threading.Event(), threading.Semaphore(0)

    def slow(_call: Any, _request: Any) -> pb.VerifyResponse:
        running.release()
        release.wait(WAIT_SECONDS)
        return pb.VerifyResponse()

    with serving(slow) as server:
        first = server.stub.Verify.future(pb.VerifyRequest())
        assert running.acquire(timeout=WAIT_SECONDS)
        server.transport.stop(0.05)
        assert first.code() in STOPPING
        release.set()


def test_deadline_reaches_the_handler() -> None:
    """A handler is told until when its caller waits, on the monotonic clock; None where it waits for ever."""
    seen = []

    def look(call: Any, _request: Any) -> pb.VerifyResponse:
        seen.append(call.deadline_ms)
        return pb.VerifyResponse()

    with serving(look) as server:
        server.stub.Verify(pb.VerifyRequest(), timeout=50)
        server.stub.Verify(pb.VerifyRequest())
    start = ManualClock().monotonic_ms()
    assert start + 30_000 < seen[0] <= start + 50_100
    assert seen[1] is None


@pytest.mark.parametrize("pool", list(Pool))
def test_method_runs_in_the_pool_of_its_row(pool: Pool) -> None:
    """A handler runs in a thread of the pool that its row names."""
    seen = []

    def look(_call: Any, _request: Any) -> pb.VerifyResponse:
        seen.append(threading.current_thread().name)
        return pb.VerifyResponse()

    with serving(look, rules={VERIFY: Rule(None, pool)}) as server:
        server.stub.Verify(pb.VerifyRequest())
    assert seen[0].startswith(f"sessiond-{pool.value}")


def test_installed_grpcio_honours_pools() -> None:
    """The check at start passes with the installed grpcio."""
    check_pools_are_honoured()


def test_ignored_pools_are_found_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grpcio that ignores the pools keeps the server from starting."""
    monkeypatch.setattr("grpc._server._select_thread_pool_for_behavior", lambda _behaviour, default: default)
    with pytest.raises(RuntimeError, match="ignores the thread pool"):
        check_pools_are_honoured()
