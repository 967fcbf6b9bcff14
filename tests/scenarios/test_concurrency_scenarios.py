"""Concurrency: a thousand refreshes of one token, and refreshes that run beside a revocation."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from sessiond.client import Client, RefreshOutcome, Tokens
from sessiond.errors import Cause, InvalidRefreshToken
from sessiond.v1 import session_service_pb2 as pb
from tests.client.waiting import until
from tests.rpc.world import World, world
from tests.scenarios.refusals import cause

AT_ONCE = 1_000
THREADS = 8
MANY = 200
"""More refreshes than a caller can make before the session is ended."""


def test_a_thousand_refreshes_of_one_token_are_one_generation() -> None:
    """Scenario 85: of 1,000 calls that are under way at once one rotates, and all get its successor."""
    with world(write_limit=AT_ONCE) as here:
        token = here.login()
        request = pb.RefreshRequest(refresh_token=token.refresh_token)
        under_way = [here.sessions.Refresh.future(request) for _ in range(AT_ONCE)]
        replies = [one.result() for one in under_way]
        record = here.record(token.session_id)

    assert {(1, replies[0].tokens.refresh_token)} == {
        (one.tokens.generation, one.tokens.refresh_token) for one in replies
    }
    assert Counter({RefreshOutcome.ROTATED: 1, RefreshOutcome.SHARED: AT_ONCE - 1}) == Counter(
        one.outcome for one in replies
    )
    assert (1, AT_ONCE - 1, None) == (record.pending, record.shared, record.end)


def refresh_beside_a_revocation(client: Client, first: Tokens, n_before: int) -> tuple[list[Tokens], set[Cause], bool]:
    """
    Refresh by several callers, each with what it got, and end the session once so many have succeeded.

    Gives all that was handed out, the causes that ended the callers, and whether the revocation ended the session.
    """
    start, handed_out = threading.Barrier(THREADS + 1), list[Tokens]()

    def keep_refreshing() -> Cause:
        tokens = first
        start.wait(20)
        for _ in range(MANY):
            try:
                tokens = client.refresh(tokens.refresh_token)
            except InvalidRefreshToken as refusal:
                return refusal.cause
            handed_out.append(tokens)
        pytest.fail("nothing ended the refreshes")

    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(keep_refreshing) for _ in range(THREADS)]
        start.wait(20)
        until(lambda: len(handed_out) >= n_before or all(one.done() for one in running))
        revoked = client.revoke_session(first.session_id)
        return handed_out, {one.result() for one in running}, revoked.ended_by_this_call


def test_refreshes_beside_a_revocation_bring_nothing_back(client: Client, here: World) -> None:
    """Scenario 21 and trap T1: once a revocation is acknowledged no token of the session is good, whenever it came."""
    n_handed_out = n_revoked = 0
    for n_before in (0, 1, 2, 3, 4) * 4:
        first = client.create_session("acme", "alice")
        handed_out, causes, by_this_call = refresh_beside_a_revocation(client, first, n_before)
        end = here.record(first.session_id).end

        assert end is not None
        assert causes - {Cause.SUPERSEDED} <= {end.cause}
        for tokens in [first, *handed_out[-20:]]:
            assert end.cause is cause(client.refresh, tokens.refresh_token)
            assert end.cause is cause(client.verify, tokens.access_token)
        assert [] == list(client.list_sessions("acme", "alice"))
        n_handed_out += len(handed_out)
        n_revoked += by_this_call

    assert n_handed_out > 0
    assert n_revoked > 0
