"""Many callers with one refresh token at one time, against a real server process."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent import futures
from pathlib import Path

import pytest

from sessiond.v1 import session_service_pb2 as pb
from tests.process.servers import Server, Stubs, serving

THREADS = 64
ROTATED, RETRIED, SHARED = (
    pb.RefreshOutcome.Value(f"REFRESH_OUTCOME_{name}") for name in ("ROTATED", "RETRIED", "SHARED")
)


@pytest.mark.parametrize(
    ("rounds", "retry_key", "others"),
    [(200, b"r" * 32, RETRIED), (20, b"", SHARED)],
    ids=["one holder", "no retry keys"],
)
def test_one_new_generation_each_round(tmp_path: Path, rounds: int, retry_key: bytes, others: int) -> None:
    """64 threads that refresh one token at once make exactly one new generation, and all hold the same successor."""
    barrier = threading.Barrier(THREADS)
    with (
        serving(Server(tmp_path)) as server,
        Stubs(server.grpc) as stubs,
        futures.ThreadPoolExecutor(THREADS) as callers,
    ):
        token = stubs.sessions.CreateSession(pb.CreateSessionRequest(tenant="acme", subject="alice")).tokens

        def refresh(refresh_token: str) -> pb.RefreshResponse:
            request = pb.RefreshRequest(refresh_token=refresh_token, retry_key=retry_key)
            barrier.wait(30)
            reply: pb.RefreshResponse = stubs.sessions.Refresh(request)
            return reply

        for number in range(1, rounds + 1):
            replies = list(callers.map(refresh, [token.refresh_token] * THREADS))
            assert {(number, replies[0].tokens.refresh_token)} == {
                (reply.tokens.generation, reply.tokens.refresh_token) for reply in replies
            }
            assert Counter({ROTATED: 1, others: THREADS - 1}) == Counter(reply.outcome for reply in replies)
            token = replies[0].tokens
        shown = stubs.sessions.GetSession(pb.GetSessionRequest(session_id=token.session_id)).session
    assert (rounds, 0) == (shown.generation, shown.counters.refusals)
