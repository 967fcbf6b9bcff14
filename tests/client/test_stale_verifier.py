"""A local verifier that has lost its authority, or the time: it refuses at the exact bound, or asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sessiond.client import Client, LocalVerifier, RequiredClaim
from sessiond.clock import ManualClock
from sessiond.errors import Advice, Cause, ClaimsNotMetError, IndeterminateError, InvalidAccessToken
from tests.client.local_verifiers import MAX_SECONDS, cause, until_fresh, verifying
from tests.client.wire import Wire
from tests.rpc.world import World

LEEWAY = 30
STALE = (Cause.VERIFIER_STALE, Advice.RETRY_WITH_BACKOFF)
WRONG_CLOCK = (Cause.VERIFIER_STALE, Advice.CHECK_CLOCK)


@contextmanager
def lost(here: World, **settings: Any) -> Iterator[tuple[LocalVerifier, Wire]]:
    """Give a verifier that hears nothing more of its authority over the connection that it has."""
    with Wire(here.app.address) as wire, verifying(here, wire.address, **settings) as verifier:
        wire.lose_answers_of_connected()
        yield verifier, wire


def refusal(verifier: LocalVerifier, access_token: str) -> tuple[Cause, Advice] | None:
    """Say why a token is refused, and what to do; None where it is good."""
    try:
        verifier.verify(access_token)
    except InvalidAccessToken as error:
        return error.cause, error.advice
    return None


def test_lost_authority_ends_acceptance_exactly_at_the_bound(here: World) -> None:
    """A good token is accepted one millisecond before max_staleness and refused from then on, alone and in batches."""
    token = here.login().access_token
    with lost(here) as (verifier, _):
        here.clock.advance(MAX_SECONDS - 0.001)
        before = refusal(verifier, token), list(verifier.verify_batch([token]).verdicts)
        here.clock.advance(0.001)
        at_bound = refusal(verifier, token)
        staleness = verifier.staleness_seconds
        with pytest.raises(InvalidAccessToken) as caught:
            verifier.verify_batch([token])

    assert (None, [0]) == before
    assert STALE == at_bound == (caught.value.cause, caught.value.advice)
    assert MAX_SECONDS == staleness


def test_suspended_machine_is_stale_when_it_wakes(here: World) -> None:
    """Time in which the machine was suspended counts, also where the wall clock did not see it pass."""
    token = here.login().access_token
    with lost(here) as (verifier, _):
        here.clock.suspend(MAX_SECONDS)
        here.clock.step_wall(-MAX_SECONDS)

        assert STALE == refusal(verifier, token)


def test_verifier_is_good_again_once_it_hears_again(here: World) -> None:
    """After an outage beyond the bound the first word of the authority makes the verifier accept again."""
    token = here.login().access_token
    with lost(here) as (verifier, wire):
        here.clock.advance(MAX_SECONDS)
        stale = refusal(verifier, token)
        wire.cut()
        until_fresh(here, verifier)

        assert STALE == stale
        assert refusal(verifier, token) is None


def test_heartbeats_keep_it_fresh(here: World) -> None:
    """Where nothing is revoked for longer than max_staleness, heartbeats alone keep the verifier good."""
    with verifying(here) as verifier:
        for _ in range(MAX_SECONDS + 5):
            until_fresh(here, verifier)

        assert refusal(verifier, here.login().access_token) is None


@pytest.mark.parametrize("seconds", [-31, 31])
def test_clock_that_is_wrong_is_named(here: World, seconds: int) -> None:
    """A machine whose clock is off by more than the leeway refuses with CHECK_CLOCK, and says so."""
    token = here.login().access_token
    clock = ManualClock(here.clock.wall_ms() + seconds * 1000)
    with verifying(here, clock=clock, max_staleness_seconds=300) as verifier:
        found = refusal(verifier, token)
        difference = verifier.status().clock_difference_seconds
        with pytest.raises(InvalidAccessToken, match=r"clock is 31\.0 s"):
            verifier.verify(token)

    assert WRONG_CLOCK == found
    assert seconds == difference


def test_clock_that_steps_back_revives_nothing(here: World) -> None:
    """An expired token stays so where the clock steps back before the next message; a step of an hour is named."""
    token = here.login().access_token
    with lost(here, max_staleness_seconds=3600) as (verifier, _):
        here.clock.advance(verifier.verify(token).expires_at + LEEWAY - here.clock.wall_ms() // 1000)
        expired = cause(verifier, token)
        here.clock.step_wall(-LEEWAY)
        stepped = cause(verifier, token), list(verifier.verify_batch([token]).verdicts)
        here.clock.step_wall(-3600)

        assert Cause.EXPIRED is expired
        assert (Cause.EXPIRED, [Cause.EXPIRED]) == stepped
        assert WRONG_CLOCK == refusal(verifier, token)


def test_clock_within_the_leeway_is_good(here: World) -> None:
    """A clock that is off by no more than the leeway is no reason to refuse."""
    token = here.login().access_token
    with verifying(here, clock=ManualClock(here.clock.wall_ms() - 30_000), max_staleness_seconds=300) as verifier:
        assert refusal(verifier, token) is None


def test_stale_verifier_asks_where_it_is_told_to(here: World, client: Client) -> None:
    """With when_stale="ask" the authority judges what the verifier cannot: it knows of what the verifier missed."""
    gone, good = (client.create_session("acme", "alice", claims={"plan": "team"}) for _ in range(2))
    other = client.create_session("umbrella", "bob")
    team, solo = (RequiredClaim("plan", equals_json=f'"{plan}"') for plan in ("team", "solo"))
    with lost(here, when_stale="ask", tenant="acme") as (verifier, _):
        client.revoke_session(gone.session_id)
        late = cause(verifier, gone.access_token)
        here.clock.advance(MAX_SECONDS)
        tokens = [good.access_token, gone.access_token, other.access_token, "no token"]
        asked = [cause(verifier, token) for token in tokens]
        batch = verifier.verify_batch(tokens, required_claims=[team])
        whole = verifier.verify(good.access_token, required_claims=[team])
        with pytest.raises(ClaimsNotMetError):
            verifier.verify(good.access_token, required_claims=[solo])
        long = verifier.verify_batch([good.access_token] * 1025)

    expected = [None, Cause.REVOKED, Cause.WRONG_TENANT, Cause.MALFORMED]
    assert late is None
    assert expected == asked
    assert [one or 0 for one in expected] == list(batch.verdicts)
    assert client.verify(good.access_token) == whole == batch[0] == long[1024]
    assert bytes(1025) == long.verdicts


def test_strange_texts_spoil_nothing_where_it_asks(here: World) -> None:
    """A text that no message can hold, or a long one, is MALFORMED while the authority judges the others."""
    token = here.login().access_token
    strange = ["eyJ\ud800", "A" * 5_000_000]
    with lost(here, when_stale="ask") as (verifier, _):
        here.clock.advance(MAX_SECONDS)

        assert [Cause.MALFORMED] * 2 == [cause(verifier, text) for text in strange]
        assert [0, Cause.MALFORMED, Cause.MALFORMED] == list(verifier.verify_batch([token, *strange]).verdicts)


def test_closed_verifier_that_asks_is_told_so(here: World) -> None:
    """Once it is closed and stale, a verifier that asks has a typed error, and accepts nothing."""
    token = here.login().access_token
    with verifying(here, when_stale="ask") as verifier:
        pass
    here.clock.advance(MAX_SECONDS)
    with pytest.raises(IndeterminateError, match="is closed"):
        verifier.verify(token)


def test_wrong_clock_asks_likewise(here: World, client: Client) -> None:
    """Where the clock is wrong, the authority with its right one is asked too."""
    token = client.create_session("acme", "alice").access_token
    clock = ManualClock(here.clock.wall_ms() + 3_600_000)
    with verifying(here, clock=clock, when_stale="ask") as verifier:
        assert refusal(verifier, token) is None


def test_verifier_that_never_heard_asks_likewise(here: World) -> None:
    """Before its first snapshot a verifier that asks is as good as Verify; without an authority nothing is accepted."""
    token = here.login().access_token
    with LocalVerifier(here.app.address, audience="sessiond", when_stale="ask", clock=here.clock) as verifier:
        asked = refusal(verifier, token)
    with (
        LocalVerifier("127.0.0.1:1", audience="sessiond", when_stale="ask", clock=here.clock) as verifier,
        pytest.raises(IndeterminateError),
    ):
        verifier.verify(token)

    assert asked is None


def test_revision_that_is_not_reached_is_asked_for(here: World, client: Client) -> None:
    """With min_revision beyond what is applied, a verifier that asks has the authority's word at once."""
    gone = client.create_session("acme", "alice")
    with lost(here, when_stale="ask") as (verifier, _):
        revision = client.revoke_session(gone.session_id).revision
        local = cause(verifier, gone.access_token)
        asked = cause(verifier, gone.access_token, min_revision=revision)

    assert (None, Cause.REVOKED) == (local, asked)
