"""Tokens of unknown keys: a key that is really there is found by one fetch, and a flood of others costs no more."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from sessiond.client import Client, KeyPurpose
from sessiond.client.connection import DEFAULT_TIMEOUT_SECONDS
from sessiond.errors import Cause
from tests.client.local_verifiers import Fetches, cause, foreign, verifying
from tests.client.waiting import until
from tests.client.wire import Wire
from tests.rpc.world import World

THREADS = 8


def test_flood_of_unknown_keys_is_one_fetch_per_cooldown(there: World, fetches: Fetches) -> None:
    """Scenario 90: 200 tokens of as many unknown keys are refused for one fetch, and for one more per cooldown."""
    tokens = [foreign(number) for number in range(200)]
    with verifying(there, keyset_cooldown_seconds=10) as verifier, ThreadPoolExecutor(THREADS) as pool:
        counts = []
        for seconds in (0.0, 9.999, 0.001):
            there.clock.advance(seconds)
            causes = set(pool.map(lambda token: cause(verifier, token), tokens))
            batch = verifier.verify_batch(tokens)
            counts.append(fetches.count)

            assert {Cause.UNKNOWN_KEY} == causes == set(batch.verdicts)

    assert [1, 1, 2] == counts


def test_known_keys_are_not_fetched(there: World, fetches: Fetches) -> None:
    """Scenario 68: while its keys are known, no token of any kind makes the verifier ask for keys."""
    good = there.login().access_token
    changed = good[:-3] + ("AAA" if good[-3:] != "AAA" else "BBB")
    with verifying(there) as verifier:
        causes = [cause(verifier, token) for token in (good, changed, "no token", "")]

    assert [None, Cause.TAMPERED, Cause.MALFORMED, Cause.MALFORMED] == causes
    assert 0 == fetches.count


def test_key_that_the_stream_has_not_told_of_is_found(there: World, fetches: Fetches) -> None:
    """Scenario 68: a token of a key that signs at once is good although the stream is late: its key is fetched."""
    with (
        Wire(there.app.address) as wire,
        verifying(there, wire.address) as verifier,
        Client(there.app.address, clock=there.clock) as client,
    ):
        wire.lose_answers_of_connected()
        change = client.rotate_key(KeyPurpose.ACCESS, activate_immediately=True)
        tokens = [client.create_session("acme", name).access_token for name in ("alice", "bob")]
        batch = verifier.verify_batch([tokens[0]])
        causes = [cause(verifier, token) for token in tokens]
        status = verifier.status()

    assert [0] == list(batch.verdicts)
    assert [None, None] == causes
    assert change.revision > status.revision
    assert 1 == fetches.count


def test_fetch_that_fails_leaves_the_key_unknown(there: World, fetches: Fetches) -> None:
    """Where the keys cannot be asked for, the token stays UNKNOWN_KEY, and the status says why."""
    with verifying(there) as verifier:
        there.app.stop()
        found = cause(verifier, foreign(0))
        fault = verifier.status().fault

    assert Cause.UNKNOWN_KEY is found
    assert fault is not None
    assert 0 == fetches.count


def test_authority_that_does_not_answer_holds_nobody_up(there: World, fetches: Fetches) -> None:
    """While the keys' answer is away, each token of an unknown key is refused in less time than a call may take."""
    fetches.may_answer.clear()
    with verifying(there) as verifier:
        began = time.monotonic()
        causes = [cause(verifier, foreign(number)) for number in range(3)]
        took = time.monotonic() - began
        fetches.may_answer.set()

    assert [Cause.UNKNOWN_KEY] * 3 == causes
    assert took < DEFAULT_TIMEOUT_SECONDS
    assert 1 == fetches.count


def test_closed_verifier_still_says_what_it_knows(there: World, fetches: Fetches) -> None:
    """After close a token of an unknown key is UNKNOWN_KEY, without a call that cannot be made any more."""
    with verifying(there) as verifier:
        pass

    assert Cause.UNKNOWN_KEY is cause(verifier, foreign(0))
    assert 0 == fetches.count


def test_many_threads_share_one_fetch(there: World, fetches: Fetches) -> None:
    """Scenario 69: of many threads that meet an unknown key at once one asks, the others wait and get the same."""
    fetches.may_answer.clear()
    with verifying(there) as verifier, ThreadPoolExecutor(THREADS) as pool:
        pending = [pool.submit(cause, verifier, foreign(number)) for number in range(THREADS)]
        until(lambda: fetches.count == 1)
        good = cause(verifier, there.login().access_token)
        fetches.may_answer.set()
        causes = [one.result() for one in pending]

    assert good is None
    assert [Cause.UNKNOWN_KEY] * THREADS == causes
    assert 1 == fetches.count
