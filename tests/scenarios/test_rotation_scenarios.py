"""Rotation: what a refresh changes, what it leaves, and what a verification never does."""

from __future__ import annotations

import pytest

from sessiond.client import Client
from sessiond.errors import Cause
from tests.client.local_verifiers import verifying
from tests.rpc.world import World
from tests.scenarios.refusals import cause

DAY = 86_400


def test_refresh_replaces_both_tokens_and_keeps_one_session(client: Client, here: World) -> None:
    """Scenario 1: both tokens are others, the record knows the generation before and when, and one session is there."""
    first = client.create_session("acme", "alice")
    here.clock.advance(60)
    second = client.refresh(first.refresh_token)
    record = here.record(first.session_id)

    assert first.refresh_token != second.refresh_token
    assert first.access_token != second.access_token
    assert (0, 1, here.clock.wall_ms() // 1000) == (record.confirmed, record.pending, record.pending_by.at)
    assert [first.session_id] == [one.session_id for one in client.list_sessions("acme", "alice")]


def test_access_tokens_of_older_generations_are_good(client: Client, here: World) -> None:
    """Scenarios 12 to 14: rotation kills no access token, near or far; what ends the session kills all of them."""
    tokens = [client.create_session("acme", "alice")]
    for _ in range(3):
        tokens.append(client.refresh(tokens[-1].refresh_token))
    with verifying(here) as verifier:
        generations = [client.verify(one.access_token).generation for one in tokens]
        local = [verifier.verify(one.access_token).generation for one in tokens]
    client.revoke_session(tokens[0].session_id)

    assert [0, 1, 2, 3] == generations == local
    assert {Cause.REVOKED} == {cause(client.verify, one.access_token) for one in tokens}


def test_verification_writes_nothing(client: Client, here: World) -> None:
    """Scenario 15: neither a good nor a refused token leaves a trace in the store when it is verified."""
    tokens = client.create_session("acme", "alice")
    before = here.contents(tokens.session_id)
    for _ in range(3):
        client.verify(tokens.access_token)
        client.verify_batch([tokens.access_token, tokens.refresh_token])
        cause(client.verify, tokens.access_token[:-4] + "AAAA")

    assert before == here.contents(tokens.session_id)


def test_refresh_keeps_claims_and_data(client: Client) -> None:
    """Scenario 16: claims and data of a session are after a refresh what they were before, and the token has them."""
    first = client.create_session("acme", "alice", claims={"plan": "team"}, data={"cart": [1, 2]})
    before = client.get_session(first.session_id)
    second = client.refresh(first.refresh_token)
    after = client.get_session(first.session_id)

    assert (before.claims_json, before.data_json, before.etag) == (after.claims_json, after.data_json, after.etag)
    assert {"plan": "team"} == client.verify(second.access_token).claims


@pytest.mark.parametrize("days", [30, 400])
def test_rotation_never_moves_the_absolute_expiry(client: Client, here: World, days: int) -> None:
    """Scenarios 17 and T5: however diligently it is refreshed, a session ends in the second that its login fixed."""
    tokens = client.create_session("acme", "alice", absolute_seconds=days * DAY, idle_seconds=days * DAY // 2)
    end = here.clock.wall_ms() // 1000 + days * DAY
    expiries = {tokens.refresh_token_expires_at, client.get_session(tokens.session_id).expires_at}
    for _ in range(8):
        here.clock.advance(days * DAY // 8 - 1)
        tokens = client.refresh(tokens.refresh_token)
        expiries |= {tokens.refresh_token_expires_at, client.get_session(tokens.session_id).expires_at}
    here.clock.advance(7)
    last = client.refresh(tokens.refresh_token)
    here.clock.advance(1)

    assert {end} == expiries
    assert end == last.access_token_expires_at
    assert Cause.EXPIRED is cause(client.refresh, last.refresh_token)
    assert Cause.EXPIRED is cause(client.verify, last.access_token)
