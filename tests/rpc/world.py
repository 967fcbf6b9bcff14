"""An authority that serves in this process, and short ways to talk to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from sessiond.clock import ManualClock
from sessiond.ids import parse_session_id
from sessiond.server.app import App, running
from sessiond.server.config import DEV_DEFAULTS, load
from sessiond.store.contract import Store
from sessiond.store.memory import MemoryStore
from sessiond.store.records import Session
from sessiond.v1 import (
    key_service_pb2_grpc,
    revocation_service_pb2,
    revocation_service_pb2_grpc,
    session_pb2,
    session_service_pb2,
    session_service_pb2_grpc,
    verification_service_pb2,
    verification_service_pb2_grpc,
)

TEST_MASTER_KEY = "7e57" * 16
"""Known to everyone: for tests only."""


@dataclass
class World:
    """One authority: what it stands on, and the stubs of its services."""

    app: App
    clock: ManualClock
    store: Store
    channel: grpc.Channel
    seeded: session_pb2.IssuedTokens | None = None

    @property
    def sessions(self) -> Any:
        """Talk to SessionService."""
        return session_service_pb2_grpc.SessionServiceStub(self.channel)

    @property
    def verification(self) -> Any:
        """Talk to VerificationService."""
        return verification_service_pb2_grpc.VerificationServiceStub(self.channel)

    @property
    def keys(self) -> Any:
        """Talk to KeyService."""
        return key_service_pb2_grpc.KeyServiceStub(self.channel)

    def watch(self, cursor: int = 0) -> Any:
        """Open a stream of WatchRevocations."""
        stub = revocation_service_pb2_grpc.RevocationServiceStub(self.channel)
        return stub.WatchRevocations(revocation_service_pb2.WatchRevocationsRequest(cursor=cursor))

    def raw(self, method: str) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
        """Give a method that takes the bytes of a request, named as in ``SessionService/Refresh``."""
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(f"/sessiond.v1.{method}")
        return call

    def login(self, **fields: Any) -> session_pb2.IssuedTokens:
        """Open a session for alice of acme."""
        request = session_service_pb2.CreateSessionRequest(**{"tenant": "acme", "subject": "alice", **fields})
        tokens: session_pb2.IssuedTokens = self.sessions.CreateSession(request).tokens
        return tokens

    def refresh(self, refresh_token: str, **fields: Any) -> session_service_pb2.RefreshResponse:
        """Trade a refresh token."""
        request = session_service_pb2.RefreshRequest(refresh_token=refresh_token, **fields)
        reply: session_service_pb2.RefreshResponse = self.sessions.Refresh(request)
        return reply

    def verify(self, access_token: str, **fields: Any) -> verification_service_pb2.VerifyResponse:
        """Judge an access token."""
        request = verification_service_pb2.VerifyRequest(access_token=access_token, **fields)
        reply: verification_service_pb2.VerifyResponse = self.verification.Verify(request)
        return reply

    def revoke(self, session_id: str, **fields: Any) -> session_service_pb2.RevokeSessionResponse:
        """End a session."""
        request = session_service_pb2.RevokeSessionRequest(session_id=session_id, **fields)
        reply: session_service_pb2.RevokeSessionResponse = self.sessions.RevokeSession(request)
        return reply

    def record(self, session_id: str) -> Session:
        """Read a session's record."""
        session = self.store.get(parse_session_id(session_id)).session
        assert session is not None
        return session

    def contents(self, session_id: str) -> Any:
        """Give all that the contract lets one read of the store, with the sessions of one session's subject."""
        return (
            self.store.events_after(0, 100_000)[0],
            self.store.revision(),
            self.store.revocations_after(0, 100_000),
            list(self.store.keys().keys),
            self.store.cuts(),
            self.store.list_by_subject(self.record(session_id).subject_hash, b"", 1000),
        )

    def serve_for(self, seconds: int) -> None:
        """Let time pass while the store can write: the serving clock goes on, second by second."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.store.tick()  # type: ignore[attr-defined]


@contextmanager
def world(
    *,
    store: Store | None = None,
    clock: ManualClock | None = None,
    entropy: Callable[[int], bytes] = os.urandom,
    **settings: Any,
) -> Iterator[World]:
    """Serve on free ports over *store*, else a memory store of its own."""
    time = ManualClock() if clock is None else clock
    kept = MemoryStore(monotonic_ms=time.monotonic_ms, session_grace_seconds=30) if store is None else store
    places = {"listen": "127.0.0.1:0", "http": "127.0.0.1:0"}
    told = {**places, "master_key": TEST_MASTER_KEY, "drain_seconds": 1, "key_table_bytes": 0}
    config = load({**told, **settings}, defaults=DEV_DEFAULTS)
    with running(config, clock=time, store=kept, entropy=entropy) as app, grpc.insecure_channel(app.address) as channel:
        yield World(app, time, kept, channel)
    if store is None:
        kept.close()
