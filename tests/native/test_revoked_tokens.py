"""Access tokens and the revocation index: judged last, in both calls, with whatever was put in before the call."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from sessiond._fastverify import GOOD, KeyTable
from sessiond.errors import Cause
from sessiond.token.verify import RevocationIndex
from tests.native.tokens import (
    ACCESS_KEY,
    AUDIENCE,
    ISSUER,
    NOW,
    SESSION_ID,
    AccessVerifier,
    access_claims,
    access_token,
    judge,
)

CLAIMS = access_claims()
TENANT_HASH, SUBJECT_HASH, BORN = CLAIMS.tenant_hash, CLAIMS.subject_hash, CLAIMS.born
TOKEN = access_token()
ROW = (ACCESS_KEY.key_id, KeyTable(ACCESS_KEY.public_key), False)
LATER = NOW + 1000


def other_token(number: int) -> str:
    """Sign the token of a session of its own."""
    return access_token(claims=replace(CLAIMS, session_id=number.to_bytes(16, "big")))


def judged(index: RevocationIndex | None, token: str = TOKEN, audience: str = AUDIENCE, now: int = NOW) -> int:
    """Judge a well-signed token, which may be named whatever the verdict."""
    found, fields = judge(AccessVerifier([ROW], ISSUER, index), token, audience=audience, now=now, leeway=0)

    assert 64 == len(fields)
    return found


def test_token_lives_without_a_revocation() -> None:
    """Without an index, with an empty one, and with one that knows of others, a token is good."""
    index = RevocationIndex()
    assert [GOOD, GOOD] == [judged(None), judged(index)]
    index.end_session(bytes(16), Cause.REVOKED, LATER)
    index.cut_subject(TENANT_HASH, BORN + 1, LATER)
    index.cut_tenant(SUBJECT_HASH, BORN + 1, LATER)
    index.cut_subject(SUBJECT_HASH, BORN, LATER)
    index.cut_tenant(TENANT_HASH, BORN, LATER)
    index.cut_all(BORN, LATER)
    assert GOOD == judged(index)


@pytest.mark.parametrize("cause", [Cause.REVOKED, Cause.EVICTED, Cause.REUSED, Cause.STATE_LOST])
def test_ended_session_gives_its_cause(cause: Cause) -> None:
    """The token of a session that ended has the verdict of its end, until that is forgotten."""
    index = RevocationIndex()
    index.end_session(SESSION_ID, cause, LATER)
    assert cause == judged(index)
    index.expire(LATER)
    assert GOOD == judged(index)


@pytest.mark.parametrize(
    ("cut", "cause"),
    [
        (lambda index: index.cut_subject(SUBJECT_HASH, BORN + 1, LATER), Cause.SUBJECT_REVOKED),
        (lambda index: index.cut_tenant(TENANT_HASH, BORN + 1, LATER), Cause.TENANT_REVOKED),
        (lambda index: index.cut_all(BORN + 1, LATER), Cause.ALL_REVOKED),
    ],
    ids=["subject", "tenant", "all"],
)
def test_cut_covers_what_was_born_before_it(cut: Callable[[RevocationIndex], None], cause: Cause) -> None:
    """A cut one revision above the birth of a session covers its token; its own end comes before the cut."""
    index = RevocationIndex()
    cut(index)
    assert cause == judged(index)
    index.end_session(SESSION_ID, Cause.REUSED, LATER)
    assert Cause.REUSED == judged(index)


def test_index_is_asked_last() -> None:
    """What the token says by itself comes first: its end, and whom it is for."""
    index = RevocationIndex()
    index.end_session(SESSION_ID, Cause.REVOKED, LATER)
    assert Cause.EXPIRED == judged(index, now=CLAIMS.expires_at)
    assert Cause.NOT_YET_VALID == judged(index, now=CLAIMS.issued_at - 1)
    assert Cause.WRONG_AUDIENCE == judged(index, audience="other")


@pytest.mark.parametrize("revoked", [set(), {0}, {8}, {255}, {256}, {1039}, {0, 7, 8, 9, 263, 264, 1031}])
def test_each_token_of_a_batch_is_judged_by_itself(revoked: set[int]) -> None:
    """Wherever in a batch of more than one group the revoked tokens stand, they are refused and no other is."""
    tokens = [other_token(number) for number in range(40)]
    index = RevocationIndex()
    session_id = bytes(16)
    index.end_session(session_id, Cause.REVOKED, LATER)
    batch = [tokens[0] if place in revoked else tokens[1 + place % 39] for place in range(1040)]
    answers = AccessVerifier([ROW], ISSUER, index).verify_batch(batch, audience=AUDIENCE, now=NOW, leeway=0)

    assert [Cause.REVOKED if place in revoked else GOOD for place in range(1040)] == list(answers.verdicts)
    assert [place in revoked for place in range(1040)] == [
        answers.fields[64 * place : 64 * place + 64] == bytes(64) for place in range(1040)
    ]


def test_index_of_another_type_is_refused() -> None:
    """Only an index of the extension can be asked."""
    with pytest.raises(TypeError, match="revocations"):
        AccessVerifier([ROW], ISSUER, {})  # type: ignore[arg-type]


def test_batch_sees_what_was_revoked_before_it_began() -> None:
    """While one thread ends sessions, cuts and forgets, every batch sees what was known when it was called."""
    n_sessions, n_readers = 2000, 2
    tokens = [other_token(number) for number in range(0, n_sessions, 20)]
    index = RevocationIndex()
    verifier = AccessVerifier([ROW], ISSUER, index)
    n_ended, done = 0, threading.Event()

    def read() -> int:
        n_batches = 0
        while not done.is_set() or n_batches == 0:
            before = n_ended
            verdicts = verifier.verify_batch(tokens, audience=AUDIENCE, now=NOW, leeway=0).verdicts
            after = n_ended
            n_batches += 1
            for number, verdict in zip(range(0, n_sessions, 20), verdicts, strict=True):
                assert verdict in {GOOD, Cause.REVOKED}
                assert verdict == Cause.REVOKED or number >= before
                assert verdict == GOOD or number <= after
        return n_batches

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(n_readers) as pool:
            reading = [pool.submit(read) for _ in range(n_readers)]
            for number in range(n_sessions):
                index.end_session(number.to_bytes(16, "big"), Cause.REVOKED, LATER)
                n_ended = number + 1
                # Growth and its opposite, of the table that the readers read.
                for extra in range(20):
                    index.end_session(b"passing.%8d" % extra, Cause.REVOKED, 1 + number % 2)
                index.cut_subject(number.to_bytes(8, "big"), BORN, 1)
                index.expire(2)
            done.set()
            assert 0 < sum(future.result() for future in reading)
    finally:
        done.set()
        sys.setswitchinterval(interval)
    assert n_sessions == len(index)
