"""A local verifier whose real authority is killed and stays away."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sessiond.client import Client, LocalVerifier
from sessiond.errors import Cause, InvalidAccessToken
from tests.process.servers import Server, serving

MAX_SECONDS = 30
PATIENCE_SECONDS = 60


def cause(verifier: LocalVerifier, access_token: str) -> Cause | None:
    """Say why a token is refused; None where it is good."""
    try:
        verifier.verify(access_token)
    except InvalidAccessToken as refusal:
        return refusal.cause
    return None


@pytest.mark.long
def test_authority_that_stays_away_ends_acceptance_at_max_staleness(tmp_path: Path) -> None:
    """
    Killed for more than 30 s: every token judged before max_staleness is accepted, none from then on.

    Staleness is read before and after each judgement, so the bound is seen to
    be exact on real clocks. The authority starts again, and the verifier
    accepts again, but not the session that is revoked then.
    """
    server = Server(tmp_path, listen=f"unix:{tmp_path}/s")
    with (
        serving(server),
        Client(server.grpc) as client,
        LocalVerifier(server.grpc, audience="test", max_staleness_seconds=MAX_SECONDS) as verifier,
    ):
        verifier.wait_ready()
        alice, bob = (client.create_session("acme", name) for name in ("alice", "bob"))
        server.kill()
        killed_at = time.monotonic()
        n_accepted, latest = 0, 0.0
        while True:
            before = verifier.staleness_seconds
            found = cause(verifier, alice.access_token)
            after = verifier.staleness_seconds
            if found is not None:
                break
            assert before < MAX_SECONDS
            n_accepted, latest = n_accepted + 1, before
            time.sleep(0.001)
        away_seconds = time.monotonic() - killed_at
        refused = {cause(verifier, one.access_token) for one in (alice, bob) for _ in range(1000)}
        server.start()
        client.revoke_session(bob.session_id)
        until = time.monotonic() + PATIENCE_SECONDS
        while cause(verifier, bob.access_token) is not Cause.REVOKED:
            assert time.monotonic() < until
            time.sleep(0.01)

        assert Cause.VERIFIER_STALE is found
        assert after >= MAX_SECONDS
        assert latest > MAX_SECONDS - 1
        assert n_accepted > 1000
        # The last heartbeat was at most some seconds old when the authority was killed.
        assert MAX_SECONDS - 5 < away_seconds < MAX_SECONDS + 5
        assert {Cause.VERIFIER_STALE} == refused
        assert cause(verifier, alice.access_token) is None
