"""Theft: which presentations of a spent token end the session, which do not, and what is told of it."""

from __future__ import annotations

import pytest

from sessiond.client import Client, RefreshOutcome, SessionState
from sessiond.errors import Advice, Cause, InvalidRefreshToken
from tests.rpc.world import World, world
from tests.scenarios.refusals import cause

PROFILES = ["balanced", "strict", "forgiving"]


@pytest.mark.parametrize("profile", ["balanced", "strict"])
def test_spent_token_after_the_window_is_theft_unless_the_request_is_the_same(profile: str) -> None:
    """Scenario 4: long after the window the first request gets its successor again, another one is theft."""
    with world(policy={"profile": profile}) as here, Client(here.app.address, clock=here.clock) as client:
        first = client.create_session("acme", "alice")
        second = client.refresh(first.refresh_token, request_id="attempt 1")
        here.serve_for(60)
        again = client.refresh(first.refresh_token, request_id="attempt 1")
        found = cause(client.refresh, first.refresh_token, request_id="attempt 2")

        assert (RefreshOutcome.RETRIED, second.refresh_token) == (again.outcome, again.refresh_token)
        assert Cause.REUSED is found
        assert SessionState.ENDED is client.get_session(first.session_id).state


def test_both_holders_of_a_shared_successor_are_served(client: Client, here: World) -> None:
    """Scenario 5: two refreshes of one token get equal children, so no child is displaced, and both go on."""
    first = client.create_session("acme", "alice")
    children = [client.refresh(first.refresh_token) for _ in range(2)]
    here.serve_for(300)
    grandchildren = [client.refresh(child.refresh_token) for child in children]

    assert 1 == len({child.refresh_token for child in children})
    assert 1 == len({child.refresh_token for child in grandchildren})
    assert SessionState.ACTIVE is client.get_session(first.session_id).state


@pytest.mark.parametrize("profile", PROFILES)
def test_token_of_two_or_more_generations_ago_is_always_theft(profile: str) -> None:
    """Scenario 7: under every profile a token older than the last two ends the session, in the same second even."""
    with world(policy={"profile": profile}) as here, Client(here.app.address, clock=here.clock) as client:
        first = client.create_session("acme", "alice")
        newest = first
        for _ in range(3):
            newest = client.refresh(newest.refresh_token)

        assert Cause.REUSED is cause(client.refresh, first.refresh_token)
        assert Cause.REUSED is cause(client.refresh, newest.refresh_token)
        assert Cause.REUSED is cause(client.verify, newest.access_token)


def test_theft_names_session_and_user(client: Client, here: World) -> None:
    """Scenarios 8 and 10: the replay of the first token after its successor was put to use is told with its session."""
    first = client.create_session("acme", "alice")
    second = client.refresh(first.refresh_token)
    client.verify(second.access_token)
    here.serve_for(10)
    with pytest.raises(InvalidRefreshToken) as caught:
        client.refresh(first.refresh_token)
    shown = client.get_session(caught.value.session_id or "")

    assert (Cause.REUSED, Advice.LOG_IN_AGAIN, first.session_id) == (
        caught.value.cause,
        caught.value.advice,
        caught.value.session_id,
    )
    assert ("acme", "alice", SessionState.ENDED) == (shown.tenant, shown.subject, shown.state)
    assert shown.end is not None
    assert Cause.REUSED is shown.end.cause


def test_use_of_an_access_token_confirms_no_refresh_token(client: Client) -> None:
    """Scenario 8: a successor whose access token was used can still be fetched again within the window."""
    first = client.create_session("acme", "alice")
    second = client.refresh(first.refresh_token)
    client.verify(second.access_token)
    again = client.refresh(first.refresh_token)

    assert (RefreshOutcome.SHARED, second.refresh_token) == (again.outcome, again.refresh_token)


def test_theft_leaves_the_other_sessions_of_the_user(client: Client) -> None:
    """Trap T3: reuse ends the session whose token was stolen, and no other one of the same user."""
    phone, laptop = client.create_session("acme", "alice"), client.create_session("acme", "alice")
    newest = phone
    for _ in range(3):
        newest = client.refresh(newest.refresh_token)
    found = cause(client.refresh, phone.refresh_token)

    assert Cause.REUSED is found
    assert laptop.session_id == client.verify(laptop.access_token).session_id
    assert laptop.session_id == client.refresh(laptop.refresh_token).session_id
    assert [laptop.session_id] == [one.session_id for one in client.list_sessions("acme", "alice")]


def test_evidence_of_a_theft_stays(client: Client, here: World) -> None:
    """Trap T11: however often the tokens come again, each is REUSED, and both uses are told as they were found."""
    first = client.create_session("acme", "alice")
    newest = first
    for _ in range(3):
        newest = client.refresh(newest.refresh_token)
    here.serve_for(60)
    found_at = here.clock.wall_ms() // 1000
    cause(client.refresh, first.refresh_token)
    causes = set()
    for _ in range(5):
        here.serve_for(60)
        causes |= {cause(client.refresh, one.refresh_token) for one in (first, newest)}
    told = client.explain_token(first.refresh_token)

    assert {Cause.REUSED} == causes
    assert told.reuse is not None
    assert told.reuse.rotation is not None
    assert (0, found_at, 60) == (
        told.reuse.reuse.generation,
        told.reuse.reuse.used_at,
        told.reuse.seconds_since_rotation,
    )
