"""kill -9 of a real server in the middle of its work: what it acknowledged holds."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc

from sessiond.v1 import session_pb2
from sessiond.v1 import session_service_pb2 as pb
from tests.process.servers import Server, Stubs, serving

THREADS = 8
SESSIONS_EACH = 4
REFRESHES = 1_000
KILLS = 4
PATIENCE_SECONDS = 60
PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


class Holder:
    """One session's client: it presents a token until it has an answer, always with the retry key of that token."""

    def __init__(self, stubs: Stubs, tokens: session_pb2.IssuedTokens) -> None:
        """Hold *tokens*."""
        self.stubs = stubs
        self.spent = tokens
        self.tokens = tokens
        self.refreshed = 0
        self.lost = 0

    def refresh(self) -> None:
        """Trade the token, however often the answer gets lost."""
        reply = self.present(self.tokens)
        assert self.tokens.generation + 1 == reply.tokens.generation
        self.spent, self.tokens = self.tokens, reply.tokens
        self.refreshed += 1

    def present(self, tokens: session_pb2.IssuedTokens) -> pb.RefreshResponse:
        """Present one token until there is an answer."""
        retry_key = hashlib.sha256(b"installation" + tokens.refresh_token.encode()).digest()
        request = pb.RefreshRequest(refresh_token=tokens.refresh_token, retry_key=retry_key)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                reply: pb.RefreshResponse = self.stubs.sessions.Refresh(request, timeout=5)
            except grpc.RpcError as error:
                if error.code() not in PASSING or time.monotonic() > until:
                    raise
                self.lost += 1
                time.sleep(0.02)
            else:
                return reply


def test_acknowledged_refreshes_survive_kills(tmp_path: Path) -> None:
    """
    Nothing that was acknowledged is lost when the server is killed during 1,000 refreshes of 8 threads.

    Under the strict profile nothing but its retry key helps whoever lost an answer.
    After the last start each session presents its last spent token once more:
    it gets the very successor that it was given before. Then it goes on. No
    session is lost, refused or called theft.
    """
    done = threading.Semaphore(0)
    server = Server(tmp_path, listen=f"unix:{tmp_path}/s", SESSIOND_POLICY__PROFILE="strict")
    with serving(server), Stubs(server.grpc) as stubs:

        def login(number: int) -> Holder:
            request = pb.CreateSessionRequest(tenant="acme", subject=f"user {number}")
            return Holder(stubs, stubs.sessions.CreateSession(request).tokens)

        holders = [login(number) for number in range(THREADS * SESSIONS_EACH)]

        def work(thread: int) -> None:
            for turn in range(REFRESHES // THREADS):
                holders[thread * SESSIONS_EACH + turn % SESSIONS_EACH].refresh()
                done.release()

        with futures.ThreadPoolExecutor(THREADS) as threads:
            running = [threads.submit(work, thread) for thread in range(THREADS)]
            for _ in range(KILLS):
                for _ in range(REFRESHES // (KILLS + 1)):
                    assert done.acquire(timeout=PATIENCE_SECONDS)
                server.kill()
                server.start()
            for one in running:
                one.result()
        assert sum(holder.refreshed for holder in holders) == REFRESHES
        assert sum(holder.lost for holder in holders) > 0, "no kill met a refresh"
        server.kill()
        server.start()
        for holder in holders:
            assert holder.tokens.refresh_token == holder.present(holder.spent).tokens.refresh_token
            holder.refresh()
            shown = stubs.sessions.GetSession(pb.GetSessionRequest(session_id=holder.tokens.session_id)).session
            assert (session_pb2.SESSION_STATE_ACTIVE, holder.tokens.generation, 0) == (
                shown.state,
                shown.generation,
                shown.counters.refusals,
            )
