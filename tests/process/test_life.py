"""The life of a real server process: start, several on one store, stop."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import lmdb
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sessiond.v1 import key_service_pb2 as keys_pb
from sessiond.v1 import revocation_service_pb2 as revocation_pb
from sessiond.v1 import session_service_pb2 as pb
from sessiond.v1 import verification_service_pb2 as verification_pb
from tests.process.servers import (
    START_SECONDS,
    STOP_SECONDS,
    TEST_MASTER_KEY,
    Server,
    Stubs,
    command,
    environment,
    serving,
)
from tests.rpc.answers import answer

WRITERS = 8


def test_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    """SIGTERM under load: running calls finish, the exit code is 0, and what was acknowledged is there afterwards."""
    enough = threading.Semaphore(0)
    acknowledged: list[str] = []
    refused: set[grpc.StatusCode] = set()

    def write(stubs: Stubs, number: int) -> None:
        while True:
            try:
                request = pb.CreateSessionRequest(tenant="acme", subject=f"user {number}")
                acknowledged.append(stubs.sessions.CreateSession(request, timeout=10).tokens.session_id)
                enough.release()
            except grpc.RpcError as error:
                refused.add(error.code())
                return

    server = Server(tmp_path)
    with serving(server), Stubs(server.grpc) as stubs, futures.ThreadPoolExecutor(WRITERS) as writers:
        running = [writers.submit(write, stubs, number) for number in range(WRITERS)]
        for _ in range(100):
            assert enough.acquire(timeout=START_SECONDS)
        assert server.stop() == 0
        for one in running:
            one.result(STOP_SECONDS)
    assert {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED} >= refused
    with serving(server), Stubs(server.grpc) as stubs:
        for session_id in acknowledged:
            stubs.sessions.GetSession(pb.GetSessionRequest(session_id=session_id))


def test_health_says_not_serving_before_the_end(tmp_path: Path) -> None:
    """A stopping server tells health watchers NOT_SERVING before it goes."""
    seen: list[int] = []
    with serving(Server(tmp_path)) as server, Stubs(server.grpc) as stubs:
        watch = health_pb2_grpc.HealthStub(stubs.channel).Watch(health_pb2.HealthCheckRequest())
        seen.append(next(watch).status)
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        seen.append(next(watch).status)
        watch.cancel()
        assert server.process.wait(STOP_SECONDS) == 0
    assert [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING] == seen


def test_call_that_runs_when_the_stop_begins_gets_its_answer(tmp_path: Path) -> None:
    """A call that waits for the store when SIGTERM comes is answered, and what it was told holds afterwards."""
    server = Server(tmp_path)
    with serving(server), Stubs(server.grpc) as stubs:
        with stopping_while_a_call_runs(server, stubs) as call:
            pass
        session_id = call.result(STOP_SECONDS).tokens.session_id
        assert server.process is not None
        assert server.process.wait(STOP_SECONDS) == 0
    with serving(server), Stubs(server.grpc) as stubs:
        stubs.sessions.GetSession(pb.GetSessionRequest(session_id=session_id))


def test_watchers_hold_up_no_stop(tmp_path: Path) -> None:
    """SIGTERM ends a server with many watchers long before its time for running calls is over; each is told why."""
    server = Server(tmp_path, SESSIOND_DRAIN_SECONDS=str(10 * STOP_SECONDS))
    with serving(server), Stubs(server.grpc) as stubs:
        watches = [stubs.revocations.WatchRevocations(revocation_pb.WatchRevocationsRequest()) for _ in range(50)]
        for watch in watches:
            assert next(watch).caught_up
        assert server.stop() == 0
        for watch in watches:
            with pytest.raises(grpc.RpcError, match="the server is stopping"):
                list(watch)


def test_second_signal_ends_a_stop_that_waits(tmp_path: Path) -> None:
    """While a call that cannot end holds up the stop, a second SIGTERM ends the process at once."""
    server = Server(tmp_path)
    with serving(server), Stubs(server.grpc) as stubs, stopping_while_a_call_runs(server, stubs):
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(STOP_SECONDS) == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_a_start_that_waits(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end a server that cannot make its store yet, since another process holds the lock."""
    server = Server(tmp_path)
    server.data.mkdir()
    with (
        lmdb.open(str(server.data), lib_version=0) as environment,
        environment.begin(write=True),
        futures.ThreadPoolExecutor(1) as starter,
    ):
        starting = starter.submit(server.start)
        try:
            until_store_is_open(server)
            assert server.process is not None
            server.process.send_signal(number)
            assert server.process.wait(STOP_SECONDS) == -number
        finally:
            server.kill()
        assert "did not start" in str(starting.exception(STOP_SECONDS))


def until_store_is_open(server: Server) -> None:
    """Wait until the process that starts has mapped the file of its store."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        process = server.process
        if process is not None and str(server.data / "data.mdb") in Path(f"/proc/{process.pid}/maps").read_text():
            return
        time.sleep(0.01)
    pytest.fail("the server did not open its store")


@contextmanager
def stopping_while_a_call_runs(server: Server, stubs: Stubs) -> Iterator[Any]:
    """Send SIGTERM while a login waits for the lock of the store, which is held until the end of the block."""
    assert server.process is not None
    watch = health_pb2_grpc.HealthStub(stubs.channel).Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    with lmdb.open(str(server.data), lib_version=0) as environment, environment.begin(write=True):
        call = stubs.sessions.CreateSession.future(pb.CreateSessionRequest(tenant="acme", subject="alice"))
        # Calls of one connection are taken up in their order.
        stubs.keys.GetKeyset(keys_pb.GetKeysetRequest())
        server.process.send_signal(signal.SIGTERM)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not call.done()
        yield call


def run_dev(folder: Path, check: Callable[[str, str], None]) -> str:
    """Run ``serve --dev`` in *folder* on free ports until *check* is done with it, and give what it printed."""
    ready, flags = folder / "ready", ("--dev", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
    ready.unlink(missing_ok=True)
    process = subprocess.Popen(
        command(*flags, "--ready-file", str(ready)),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        addresses = httpx.Response(200, text=ready.read_text()).json()
        check(addresses["grpc"], addresses["http"])
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=STOP_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0
    return out


def test_dev_server_makes_its_own_key_and_says_how_to_call_it(tmp_path: Path) -> None:
    """``serve --dev`` keeps its data and a private master key in ./.sessiond, and prints how to call it."""
    tokens: list[str] = []

    def login(address: str, _http: str) -> None:
        with Stubs(address) as stubs:
            request = pb.CreateSessionRequest(tenant="acme", subject="alice")
            tokens.append(stubs.sessions.CreateSession(request).tokens.refresh_token)

    def refresh(address: str, http: str) -> None:
        with Stubs(address) as stubs:
            stubs.sessions.Refresh(pb.RefreshRequest(refresh_token=tokens[0]))
        assert httpx.get(f"http://{http}/.well-known/jwks.json").json()["keys"]

    printed = run_dev(tmp_path, login)
    key = tmp_path / ".sessiond" / "master.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert re.search(r"sessiond --target 127\.0\.0\.1:\d+ session create", printed)
    assert re.search(r"http://127\.0\.0\.1:\d+/\.well-known/jwks\.json", printed)
    assert "Ctrl+C" in printed
    before = key.read_bytes()
    run_dev(tmp_path, refresh)
    assert before == key.read_bytes()


def test_server_logs_no_token(tmp_path: Path) -> None:
    """No token and no master key stands in the log; a refused token is named by session and fingerprint."""
    with serving(Server(tmp_path)) as server, Stubs(server.grpc) as stubs:
        tokens = stubs.sessions.CreateSession(pb.CreateSessionRequest(tenant="acme", subject="alice")).tokens
        stubs.sessions.RevokeSession(pb.RevokeSessionRequest(session_id=tokens.session_id))
        answer(stubs.sessions.Refresh, pb.RefreshRequest(refresh_token=tokens.refresh_token))
        answer(stubs.verification.Verify, verification_pb.VerifyRequest(access_token=tokens.access_token))
        assert server.stop() == 0
        log = server.log.read_text()
    secrets = (tokens.refresh_token[4:40], tokens.access_token[20:60], TEST_MASTER_KEY)
    assert [False] * 3 == [secret in log for secret in secrets]
    assert len(re.findall(rf'"session_id": "{tokens.session_id}", "token": "[0-9a-f]{{8}}"', log)) == 2
