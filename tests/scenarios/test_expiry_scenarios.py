"""Expiry and clocks: lifetimes are kept to the second, and a clock that steps back harms nobody."""

from __future__ import annotations

import pytest

from sessiond.client import Client, RefreshOutcome
from sessiond.errors import Advice, Cause, InvalidAccessToken, InvalidRequestError, TokenRefusedError
from tests.rpc.world import World, world
from tests.scenarios.refusals import cause

ACCESS_SECONDS = 300
"""What an access token lives by default."""
DAY = 86_400


@pytest.mark.parametrize("seconds", [10, 60, ACCESS_SECONDS])
def test_shorter_access_life_holds_for_the_whole_session(client: Client, here: World, seconds: int) -> None:
    """Scenario 45: a life up to the configured one is taken as asked, less the jitter, at login and at each refresh."""
    tokens = client.create_session("acme", "alice", access_seconds=seconds)
    lives = []
    for _ in range(5):
        lives.append(tokens.access_token_expires_at - tokens.server_ms // 1000)
        tokens = client.refresh(tokens.refresh_token)
    here.clock.advance(seconds)

    assert all(seconds * 0.95 <= life <= seconds for life in lives)
    assert Cause.EXPIRED is cause(client.verify, tokens.access_token)


@pytest.mark.parametrize("seconds", [ACCESS_SECONDS + 1, 0, -1, 9])
def test_other_access_lives_are_refused_and_not_clamped(client: Client, seconds: int) -> None:
    """Scenario 45: a longer life, none, a negative one and one below the least open no session."""
    with pytest.raises(InvalidRequestError) as caught:
        client.create_session("acme", "alice", access_seconds=seconds)

    assert ["access_token_lifetime"] == [field for field, _ in caught.value.violations]
    assert [] == list(client.list_sessions("acme", "alice"))


def test_access_token_works_until_its_expiry_and_then_asks_for_a_refresh(client: Client, here: World) -> None:
    """Scenario 39: good in its last second, EXPIRED with the advice to refresh in the next, and a refresh mends it."""
    tokens = client.create_session("acme", "alice")
    here.clock.advance(tokens.access_token_expires_at - here.clock.wall_ms() // 1000 - 1)
    good = client.verify(tokens.access_token).session_id
    here.clock.advance(1)
    with pytest.raises(InvalidAccessToken) as caught:
        client.verify(tokens.access_token)

    assert tokens.session_id == good
    assert (Cause.EXPIRED, Advice.REFRESH) == (caught.value.cause, caught.value.advice)
    assert tokens.session_id == client.verify(client.refresh(tokens.refresh_token).access_token).session_id


@pytest.mark.parametrize("configured", [False, True], ids=["by the login", "by the policy"])
def test_idle_limit_takes_effect_in_its_second(*, configured: bool) -> None:
    """Trap T10: the idle limit holds to the second, with no silent slack, whether a login or the policy sets it."""
    policy, asked = ({"idle_seconds": 600}, None) if configured else ({}, 600)
    with world(policy=policy) as here, Client(here.app.address, clock=here.clock) as client:
        tokens = client.create_session("acme", "alice", idle_seconds=asked)
        here.clock.advance(599)
        tokens = client.refresh(tokens.refresh_token)
        here.clock.advance(600)

        assert Cause.IDLE_TIMEOUT is cause(client.refresh, tokens.refresh_token)


@pytest.mark.parametrize("seconds", [1, 30, 3_600])
def test_clock_that_steps_back_logs_nobody_out(client: Client, here: World, seconds: int) -> None:
    """Scenario 86: refresh, retry and both expiries are after the step what they would have been without it."""
    first = client.create_session("acme", "alice")
    here.clock.advance(4_000)
    second = client.refresh(first.refresh_token, retry_key=b"k" * 32)
    before = client.get_session(first.session_id)
    here.clock.step_wall(-seconds)
    again = client.refresh(first.refresh_token, retry_key=b"k" * 32)
    third = client.refresh(second.refresh_token)
    after = client.get_session(first.session_id)

    assert (RefreshOutcome.RETRIED, second.refresh_token) == (again.outcome, again.refresh_token)
    assert RefreshOutcome.ROTATED is third.outcome
    assert (before.expires_at, before.idle_expires_at) == (after.expires_at, after.idle_expires_at)
    assert before.expires_at == third.refresh_token_expires_at


@pytest.mark.parametrize(
    ("seconds", "expected"), [(1, None), (30, None), (31, (Cause.NOT_YET_VALID, Advice.CHECK_CLOCK))]
)
def test_own_access_tokens_survive_a_small_step_back(
    client: Client, here: World, seconds: int, expected: tuple[Cause, Advice] | None
) -> None:
    """Trap T9: within the leeway a token from before the step is good; beyond it the clock is blamed, not the token."""
    tokens = client.create_session("acme", "alice")
    here.clock.step_wall(-seconds)
    found = None
    try:
        client.verify(tokens.access_token)
    except TokenRefusedError as refusal:
        found = refusal.cause, refusal.advice

    assert expected == found


def test_session_lives_as_long_as_its_refresh_token(client: Client, here: World) -> None:
    """Trap T13: no round of maintenance takes the record of a session before the last second of its tokens."""
    tokens = client.create_session("acme", "alice", absolute_seconds=400 * DAY, idle_seconds=400 * DAY)
    newest = client.refresh(tokens.refresh_token)
    for _ in range(40):
        here.clock.advance(10 * DAY - 1)
        here.app.maintenance.once()
    here.clock.advance(39)
    here.app.maintenance.once()

    assert newest.refresh_token_expires_at - 1 == here.clock.wall_ms() // 1000
    assert RefreshOutcome.ROTATED is client.refresh(newest.refresh_token).outcome
