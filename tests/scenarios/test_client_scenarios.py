"""The client and the verifier ask for nothing that they need not ask for."""

from __future__ import annotations

from typing import Any

import pytest

from sessiond.client import Client, ClientSession, LoggedOutError, MemoryTokenStore
from sessiond.errors import Cause, InvalidRefreshToken
from sessiond.server.services.verification import VerificationHandlers
from tests.client.local_verifiers import verifying
from tests.client.strangers import troubled
from tests.rpc.world import World, world


def test_no_refresh_follows_the_end_of_a_session(client: Client, here: World) -> None:
    """Scenario 25: after a refusal that removed the tokens nothing more is sent."""
    store = MemoryTokenStore()
    refusal = InvalidRefreshToken(Cause.REVOKED, "its session was revoked")
    with troubled(refusal, here) as (asked, stranger):
        session = ClientSession(asked, store, clock=here.clock)
        session.begin(client.create_session("acme", "alice"))
        here.clock.advance(301)
        with pytest.raises(InvalidRefreshToken):
            session.access_token()
        for _ in range(3):
            with pytest.raises(LoggedOutError):
                session.access_token()

    assert 1 == len(stranger.requests)
    assert store.read() is None


def test_no_refresh_is_sent_without_a_session(here: World) -> None:
    """Scenario 27: who never logged in is told so, and no call is made."""
    refusal = InvalidRefreshToken(Cause.REVOKED, "its session was revoked")
    with troubled(refusal, here) as (asked, stranger):
        session = ClientSession(asked, MemoryTokenStore(), clock=here.clock)
        with pytest.raises(LoggedOutError):
            session.access_token()

    assert [] == stranger.requests


def test_local_verification_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenario 50: the authority is not called for a token that a verifier judges, be it good or not."""
    asked: list[str] = []
    for name in ("verify", "batch_verify"):
        serve = getattr(VerificationHandlers, name)

        def counting(handlers: VerificationHandlers, *call: Any, serve: Any = serve, name: str = name) -> Any:
            asked.append(name)
            return serve(handlers, *call)

        monkeypatch.setattr(VerificationHandlers, name, counting)
    with world() as here, verifying(here) as verifier, Client(here.app.address, clock=here.clock) as client:
        tokens = client.create_session("acme", "alice")
        for _ in range(10):
            assert tokens.session_id == verifier.verify(tokens.access_token).session_id
            assert [0, Cause.MALFORMED] == list(verifier.verify_batch([tokens.access_token, "x"]).verdicts)
        before = list(asked)
        client.verify(tokens.access_token)

    assert [] == before
    assert ["verify"] == asked
