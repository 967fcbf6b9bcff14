"""Each "never" of Refresh, under the three profiles: what no presentation can bring about."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from sessiond.authority.events import EventKind
from sessiond.authority.policy import Policy
from sessiond.authority.rotation import LAST_GENERATION, Call, Outcome
from sessiond.errors import Cause
from sessiond.store.records import (
    Cut,
    End,
    Refusal,
    Reuse,
    Revocation,
    RevocationKind,
    Scope,
    ScopeKind,
    Session,
    Trace,
)
from tests.unit.authority.rotation_cases import (
    FRESH,
    HELD,
    MAKER,
    NOW,
    PROFILES,
    SERVING,
    SIGNING,
    STRANGER,
    STRICT,
    aged,
    present,
    token_of,
    written,
)

every_profile = pytest.mark.parametrize("policy", PROFILES, ids=lambda policy: policy.profile.value)
SOON = aged(HELD, ms=9_999)


@every_profile
@pytest.mark.parametrize("call", [MAKER, STRANGER], ids=["maker", "stranger"])
@pytest.mark.parametrize("ms", [0, 10_000], ids=["inside", "after"])
@pytest.mark.parametrize("revoked", [frozenset(), frozenset({SIGNING})], ids=["living key", "revoked key"])
def test_never_two_living_successors_of_one_generation(
    policy: Policy, call: Call, ms: int, revoked: frozenset[bytes]
) -> None:
    """However confirmed comes again, at most one of all its successors is taken afterwards."""
    decision = present(aged(HELD, ms=ms), 3, call, policy=policy, signing_key_id=b"newest..", revoked=revoked)
    session = written(decision)
    taken = [successor for successor in (4, 5, 6) if present(session, successor, policy=policy).outcome]
    assert ([] if decision.cause else [session.pending]) == taken


@every_profile
def test_same_successor_is_the_same_token(policy: Policy) -> None:
    """Rotation, retry and share of one generation hand out one token: number, iat, exp and key are equal."""
    rotated = written(present(HELD, 4, MAKER, policy=policy))
    retried = written(present(rotated, 4, MAKER, policy=policy, now=NOW + 500, serving_ms=SERVING + 500_000))
    assert token_of(rotated) == token_of(retried)
    shared = present(rotated, 4, policy=policy, now=NOW + 5, serving_ms=SERVING + 5_000)
    assert policy is STRICT or token_of(rotated) == token_of(written(shared))


@every_profile
def test_racing_refreshes_make_exactly_one_generation(policy: Policy) -> None:
    """Of two calls that race with one token and one installation, one rotates and the other gets its successor."""
    first = present(HELD, 4, MAKER, policy=policy)
    second = present(written(first), 4, MAKER, policy=policy)
    assert (Outcome.ROTATED, Outcome.RETRIED) == (first.outcome, second.outcome)
    assert token_of(written(first)) == token_of(written(second))


@every_profile
@pytest.mark.parametrize(
    ("session", "generation", "call", "now"),
    [
        (SOON, 2, STRANGER, NOW),
        (HELD, 1, STRANGER, NOW),
        (HELD, 9, STRANGER, NOW),
        (HELD, 4, STRANGER, NOW + 10_000),
        (HELD, 4, Call(tenant="other"), NOW),
        (replace(HELD, end=End(Cause.REVOKED, NOW)), 4, STRANGER, NOW),
        (replace(HELD, pending=LAST_GENERATION), LAST_GENERATION, STRANGER, NOW),
    ],
    ids=["straggler", "reuse", "lost state", "idle", "wrong tenant", "ended", "last generation"],
)
def test_never_a_refusal_without_evidence(
    policy: Policy, session: Session, generation: int, call: Call, now: int
) -> None:
    """Whatever is refused is counted in the record and told, with the decision that refuses it."""
    decision = present(session, generation, call, policy=policy, now=now)
    assert decision.cause is not None
    assert (Refusal(decision.cause, now, now, 1, now),) == written(decision).refusals
    assert [(decision.cause, generation)] == [(event.cause, event.generation) for event in decision.events]


@every_profile
def test_reuse_ends_the_session_with_its_evidence(policy: Policy) -> None:
    """Reuse writes end, evidence, count, log entry and event in one decision, and touches nothing else."""
    decision = present(HELD, 1, policy=policy)
    by = Trace(
        at=NOW,
        serving_ms=SERVING,
        key_id=b"",
        ip=STRANGER.ip,
        user_agent=STRANGER.user_agent,
        caller=STRANGER.caller,
    )
    ended = replace(
        HELD,
        end=End(cause=Cause.REUSED, at=NOW, reuse=Reuse(presented=1, by=by)),
        refusals=(Refusal(cause=Cause.REUSED, first_at=NOW, last_at=NOW, count=1, event_at=NOW),),
    )
    entry = Revocation(
        revision=0,
        kind=RevocationKind.SESSION,
        at=NOW,
        keep_until=NOW + 300 + 60,
        session_id=HELD.id,
        cause=Cause.REUSED,
    )
    assert (None, Cause.REUSED, ended, entry) == (
        decision.outcome,
        decision.cause,
        decision.session,
        decision.revocation,
    )
    (event,) = decision.events
    assert (EventKind.REFRESH_REUSED, Cause.REUSED, 1) == (event.kind, event.cause, event.generation)


@every_profile
def test_reuse_never_touches_other_sessions(policy: Policy) -> None:
    """By default reuse cuts no scope."""
    assert present(HELD, 1, policy=policy).cut is None


def test_reuse_cuts_the_subject_where_the_policy_says_so() -> None:
    """With revoke_subject_on_reuse the subject is cut in the same decision, and both events tell of it."""
    decision = present(HELD, 1, policy=Policy(revoke_subject_on_reuse=True))
    cut = Cut(revision=0, at=NOW, keep_until=NOW + 400 * 86_400 + 60, reason="REUSED")
    assert (Scope(ScopeKind.SUBJECT, HELD.subject_hash), cut) == decision.cut
    assert [EventKind.REFRESH_REUSED, EventKind.SCOPE_CUT] == [event.kind for event in decision.events]


def test_reuse_of_a_dead_session_cuts_nothing() -> None:
    """revoke_subject_on_reuse fires only when reuse ends a living session."""
    policy = Policy(revoke_subject_on_reuse=True)
    dead = written(present(HELD, 1, policy=policy))
    assert present(dead, 1, policy=policy).cut is None


def test_lost_state_cuts_nothing() -> None:
    """revoke_subject_on_reuse does not fire for STATE_LOST."""
    assert present(HELD, 9, policy=Policy(revoke_subject_on_reuse=True)).cut is None


def test_dead_session_changes_only_its_refusal_counters() -> None:
    """However often a dead session's tokens come, all but the counters stays, the evidence above all."""
    dead = written(present(HELD, 1))
    session = dead
    for generation in (4, 3, 2, 1, 0, 9):
        session = written(present(session, generation, MAKER, now=NOW + generation))
    assert dead == replace(session, refusals=dead.refusals)
    assert 7 == session.refusals[0].count


def test_refusals_are_told_once_a_minute_with_their_count() -> None:
    """A cause that refuses again within a minute is counted; the event after the minute has the whole count."""
    session = written(present(HELD, 1))
    told = []
    for second in (0, 1, 59, 60, 61, 119, 120):
        decision = present(session, 1, now=NOW + second)
        session = written(decision)
        told.append([(event.kind, event.details) for event in decision.events])
    fourth = [(EventKind.REFRESH_REFUSED, {"count": "5"})]
    last = [(EventKind.REFRESH_REFUSED, {"count": "8"})]
    assert [[], [], [], fourth, [], [], last] == told
    assert (Refusal(Cause.REUSED, NOW, NOW + 120, 8, NOW + 120),) == session.refusals


def test_each_cause_counts_apart() -> None:
    """Two causes have a counter and a minute each."""
    session = written(present(SOON, 2))
    session = written(present(session, 2, Call(tenant="other")))
    session = written(present(session, 2, now=NOW + 1))
    assert (
        Refusal(Cause.SUPERSEDED, NOW, NOW + 1, 2, NOW),
        Refusal(Cause.WRONG_TENANT, NOW, NOW, 1, NOW),
    ) == session.refusals


def test_wrong_tenant_changes_only_its_counter() -> None:
    """A caller with the wrong tenant can do nothing to a session, not even by presenting a spent token."""
    decision = present(HELD, 1, Call(tenant="other"))
    refusal = Refusal(Cause.WRONG_TENANT, NOW, NOW, 1, NOW)
    assert (Cause.WRONG_TENANT, replace(HELD, refusals=(refusal,))) == (decision.cause, decision.session)
    assert [EventKind.REFRESH_REFUSED] == [event.kind for event in decision.events]


def test_unknown_session_leaves_no_trace() -> None:
    """Without a record there is nothing to write and nothing to count."""
    decision = present(None, 4)
    assert (Cause.UNKNOWN_SESSION, None, ()) == (decision.cause, decision.session, decision.events)


@every_profile
def test_record_does_not_grow(policy: Policy) -> None:
    """A thousand refreshes, retries and superseded leave a record of the size it had after a few."""
    session, sizes = FRESH, []
    for generation in range(1000):
        for presented in (generation, generation, generation - 1):
            if presented >= 0:
                session = written(present(session, presented, Call(retry_hash=b"%04d" % presented), policy=policy))
        sizes.append(len(msgspec.msgpack.encode(session)))
    assert sizes[-1] - sizes[2] <= 16
    assert session.end is None


@every_profile
def test_decision_is_pure(policy: Policy) -> None:
    """The store may run the rules again: the same arguments give an equal decision."""
    for generation in range(6):
        assert present(SOON, generation, policy=policy) == present(SOON, generation, policy=policy)
