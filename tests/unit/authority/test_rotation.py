"""Each row of the table of Refresh, under the three profiles."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sessiond.authority.events import EventKind
from sessiond.authority.policy import Policy
from sessiond.authority.rotation import LAST_GENERATION, Call, Outcome
from sessiond.errors import Cause
from sessiond.store.records import (
    End,
    Refusal,
    Session,
    Trace,
)
from tests.unit.authority.rotation_cases import (
    BALANCED,
    FORGIVING,
    FRESH,
    HELD,
    MAKER,
    NOW,
    OLDER,
    PROFILES,
    SERVING,
    SIGNING,
    STRANGER,
    STRICT,
    aged,
    present,
    written,
)

every_profile = pytest.mark.parametrize("policy", PROFILES, ids=lambda policy: policy.profile.value)
SOON = aged(HELD, ms=9_999)


def made_by(call: Call, *, ms: int) -> Session:
    """Let *call* have made pending, *ms* of serving time ago."""
    by = replace(HELD.pending_by, retry_hash=call.retry_hash, request_hash=call.request_hash)
    return aged(replace(HELD, pending_by=by), ms=ms)


@every_profile
def test_pending_rotates(policy: Policy) -> None:
    """Presenting pending confirms it, makes the confirmed one the parent, and makes a new pending."""
    call = Call(
        retry_hash=b"key",
        request_hash=b"request",
        ip=b"\x0a\0\0\1",
        user_agent="browser",
        caller="gateway",
        label="phone",
    )
    decision = present(HELD, 4, call, policy=policy)
    expected = replace(
        HELD,
        pending=5,
        pending_by=Trace(
            at=NOW,
            serving_ms=SERVING,
            key_id=SIGNING,
            retry_hash=b"key",
            request_hash=b"request",
            ip=b"\x0a\0\0\1",
            user_agent="browser",
            caller="gateway",
        ),
        label="phone",
        confirmed=4,
        confirmed_by=HELD.pending_by,
        confirmed_ms=SERVING,
        parent=3,
        access_issued_at=NOW,
    )
    assert (Outcome.ROTATED, expected) == (decision.outcome, decision.session)
    assert [EventKind.REFRESH_ROTATED] == [event.kind for event in decision.events]


@every_profile
def test_first_pending_rotates(policy: Policy) -> None:
    """The generation of creation rotates into the first confirmed one, which has no parent."""
    session = written(present(FRESH, 0, policy=policy))
    assert (1, 0, None) == (session.pending, session.confirmed, session.parent)


@every_profile
def test_pending_rotates_whatever_its_ids(policy: Policy) -> None:
    """Presenting pending with the very ids that made it rotates: the client has it."""
    assert Outcome.ROTATED is present(SOON, 4, MAKER, policy=policy).outcome


@every_profile
@pytest.mark.parametrize(
    ("made", "call"),
    [
        (MAKER, MAKER),
        (MAKER, Call(retry_hash=MAKER.retry_hash)),
        (MAKER, Call(retry_hash=MAKER.retry_hash, request_hash=b"another")),
        (Call(request_hash=b"request"), Call(request_hash=b"request")),
    ],
    ids=["both", "retry key", "retry key, other request", "request id, no retry keys"],
)
def test_confirmed_with_the_makers_proof_is_a_retry(policy: Policy, made: Call, call: Call) -> None:
    """The retry key that made pending, or its request id where neither has a retry key, gets the same successor."""
    late = made_by(made, ms=10**9)
    decision = present(late, 3, call, policy=policy)
    expected = replace(late, retried=1, access_issued_at=NOW)
    assert (Outcome.RETRIED, expected) == (decision.outcome, decision.session)
    assert [EventKind.REFRESH_RETRIED] == [event.kind for event in decision.events]


def test_retry_comes_before_sharing() -> None:
    """Inside the window too, the maker's key makes a retry and not a share."""
    session = written(present(SOON, 3, MAKER))
    assert (1, 0, 0) == (session.retried, session.shared, session.shared_in_row)


@every_profile
@pytest.mark.parametrize(
    ("made", "call"),
    [
        (MAKER, Call(request_hash=MAKER.request_hash)),
        (MAKER, Call(retry_hash=b"another", request_hash=MAKER.request_hash)),
        (Call(request_hash=b"request"), Call(retry_hash=b"another", request_hash=b"request")),
    ],
    ids=["no retry key", "other retry key", "retry key of the presenter alone"],
)
def test_request_id_proves_nothing_where_the_retry_keys_differ(policy: Policy, made: Call, call: Call) -> None:
    """Whoever guessed or saw the request id of a call is not its maker: a repetition has the same retry key."""
    assert Outcome.RETRIED is not present(made_by(made, ms=0), 3, call, policy=policy).outcome


@every_profile
def test_absent_ids_never_match(policy: Policy) -> None:
    """A call without ids is no retry of a call without ids."""
    unnamed = replace(HELD, pending_by=replace(HELD.pending_by, retry_hash=b"", request_hash=b""))
    assert Outcome.RETRIED is not present(unnamed, 3, Call(), policy=policy).outcome


@every_profile
def test_key_and_request_do_not_match_crosswise(policy: Policy) -> None:
    """A request id equal to the maker's retry key is no retry."""
    crossed = Call(retry_hash=MAKER.request_hash, request_hash=MAKER.retry_hash)
    assert Outcome.RETRIED is not present(HELD, 3, crossed, policy=policy).outcome


@pytest.mark.parametrize("policy", [BALANCED, FORGIVING], ids=["balanced", "forgiving"])
def test_confirmed_inside_the_window_is_shared(policy: Policy) -> None:
    """Another holder of confirmed gets the same successor inside the window; it is counted and told."""
    decision = present(SOON, 3, policy=policy)
    expected = replace(SOON, shared=1, shared_in_row=1, pending_shared=True, access_issued_at=NOW)
    assert (Outcome.SHARED, expected) == (decision.outcome, decision.session)
    assert [EventKind.REFRESH_SHARED] == [event.kind for event in decision.events]


def test_confirmed_is_never_shared_under_strict() -> None:
    """STRICT has no window: a share in the very millisecond is reuse."""
    assert Cause.REUSED is present(aged(HELD, ms=0), 3, policy=STRICT).cause


def test_confirmed_after_the_window_is_reuse_under_balanced() -> None:
    """The window is half-open: at its end the share is reuse."""
    assert Cause.REUSED is present(aged(HELD, ms=10_000), 3, policy=BALANCED).cause


def test_confirmed_after_the_window_gets_a_sibling_under_forgiving() -> None:
    """FORGIVING makes a sibling with a new number in the place of pending; confirmed and its proof stay."""
    late = aged(HELD, ms=10_000)
    decision = present(late, 3, policy=FORGIVING)
    made = Trace(
        at=NOW,
        serving_ms=SERVING,
        key_id=SIGNING,
        ip=STRANGER.ip,
        user_agent=STRANGER.user_agent,
        caller=STRANGER.caller,
    )
    expected = replace(late, pending=5, pending_by=made, access_issued_at=NOW)
    assert (Outcome.REPLACED, expected) == (decision.outcome, decision.session)
    assert [EventKind.REFRESH_REPLACED] == [event.kind for event in decision.events]


def test_replaced_sibling_is_caught_at_its_first_use() -> None:
    """Whoever holds the generation that a sibling replaced ends the session."""
    session = written(present(aged(HELD, ms=10_000), 3, policy=FORGIVING))
    assert Cause.REUSED is present(session, 4, policy=FORGIVING).cause


def test_window_opens_again_with_a_sibling() -> None:
    """The retry window is measured from the making of the present pending, a sibling included."""
    session = written(present(aged(HELD, ms=10_000), 3, policy=FORGIVING))
    decision = present(session, 3, Call(), policy=FORGIVING, serving_ms=SERVING + 9_999)
    assert (Outcome.SHARED, 5) == (decision.outcome, written(decision).pending)


@every_profile
@pytest.mark.parametrize("call", [STRANGER, MAKER], ids=["stranger", "maker"])
def test_parent_inside_the_window_is_a_straggler(policy: Policy, call: Call) -> None:
    """A late copy of an answered request is SUPERSEDED: nothing is handed out, nothing revoked."""
    decision = present(SOON, 2, call, policy=policy)
    refusal = Refusal(cause=Cause.SUPERSEDED, first_at=NOW, last_at=NOW, count=1, event_at=NOW)
    expected = replace(SOON, superseded=1, refusals=(refusal,))
    assert (Cause.SUPERSEDED, expected, None) == (decision.cause, decision.session, decision.revocation)
    assert [EventKind.REFRESH_SUPERSEDED] == [event.kind for event in decision.events]


@every_profile
def test_parent_after_the_window_is_reuse(policy: Policy) -> None:
    """The straggler window is half-open: at its end the parent is reuse, the maker's ids or not."""
    assert Cause.REUSED is present(aged(HELD, ms=10_000), 2, MAKER, policy=policy).cause


def test_straggler_window_opens_at_the_confirmation() -> None:
    """A sibling made later does not open the straggler window again."""
    session = written(present(aged(HELD, ms=10_000), 3, policy=FORGIVING))
    assert Cause.REUSED is present(session, 2, policy=FORGIVING).cause


@every_profile
@pytest.mark.parametrize("ahead", [1, 1000])
def test_beyond_pending_is_lost_state(policy: Policy, ahead: int) -> None:
    """A generation that the record has not made yet ends the session as STATE_LOST, never as reuse."""
    decision = present(SOON, 4 + ahead, MAKER, policy=policy)
    expected = End(cause=Cause.STATE_LOST, at=NOW)
    assert (Cause.STATE_LOST, expected) == (decision.cause, written(decision).end)
    assert [EventKind.REFRESH_STATE_LOST] == [event.kind for event in decision.events]
    assert decision.revocation is not None
    assert Cause.STATE_LOST is decision.revocation.cause


@every_profile
@pytest.mark.parametrize("generation", [0, 1])
def test_anything_else_is_reuse(policy: Policy, generation: int) -> None:
    """A generation older than the parent is reuse inside every window, whatever its ids."""
    assert Cause.REUSED is present(aged(HELD, ms=0), generation, MAKER, policy=policy).cause


def test_in_a_row_at_most_two_generations_are_shared() -> None:
    """With a retry key on either side the third shared generation in a row is reuse under BALANCED."""
    session, outcomes = FRESH, []
    for generation in range(3):
        session = written(present(session, generation, Call(retry_hash=b"k%d" % generation)))
        decision = present(session, generation)
        session = written(decision)
        outcomes.append(decision.outcome or decision.cause)
    assert [Outcome.SHARED, Outcome.SHARED, Cause.REUSED] == outcomes


def test_beyond_the_row_forgiving_makes_a_sibling() -> None:
    """Under FORGIVING the row after sharing is the sibling, which is also what the limit leads to."""
    row = replace(SOON, shared_in_row=2)
    decision = present(row, 3, policy=FORGIVING)
    assert (Outcome.REPLACED, 5) == (decision.outcome, written(decision).pending)


def test_one_generation_is_shared_any_number_of_times() -> None:
    """Within the window one successor has any number of holders and counts once in the row."""
    session = SOON
    for _ in range(5):
        session = written(present(session, 3))
    assert (5, 1, True) == (session.shared, session.shared_in_row, session.pending_shared)


def test_generation_that_was_not_shared_breaks_the_row() -> None:
    """The row counts generations that follow each other; one without a share starts it anew."""
    row = replace(SOON, shared_in_row=2, pending_shared=True)
    shared = written(present(row, 4))
    alone = written(present(shared, 5))
    assert [(2, False), (0, False)] == [(s.shared_in_row, s.pending_shared) for s in (shared, alone)]


def test_sharing_without_retry_keys_has_no_limit() -> None:
    """Where nobody sends a retry key, two tabs share as many generations as they like."""
    session = FRESH
    for generation in range(5):
        session = written(present(session, generation, Call()))
        session = written(present(session, generation, Call()))
    assert (5, 0, False) == (session.shared, session.shared_in_row, session.pending_shared)


@pytest.mark.parametrize(
    ("made", "call"),
    [(b"", b"key"), (b"key", b""), (b"key", b"other")],
    ids=["presenter", "maker", "both"],
)
def test_retry_key_on_either_side_counts_in_the_row(made: bytes, call: bytes) -> None:
    """One side with a retry key is enough for a share to count."""
    session = replace(SOON, pending_by=replace(SOON.pending_by, retry_hash=made))
    assert 1 == written(present(session, 3, Call(retry_hash=call))).shared_in_row


def test_request_id_alone_does_not_count_in_the_row() -> None:
    """A request id is no retry key."""
    session = replace(SOON, pending_by=replace(SOON.pending_by, retry_hash=b""))
    assert 0 == written(present(session, 3, Call(request_hash=b"another"))).shared_in_row


@every_profile
def test_only_a_new_pending_stores_the_ids(policy: Policy) -> None:
    """Retries and superseded leave retry key, request id, device and label of pending as they are."""
    call = Call(retry_hash=MAKER.retry_hash, request_hash=b"x", ip=b"x", user_agent="x", caller="x", label="x")
    for generation in (3, 2):
        session = written(present(SOON, generation, call, policy=policy))
        assert (SOON.pending_by, "laptop") == (session.pending_by, session.label)


def test_label_stays_where_a_call_gives_none() -> None:
    """A rotation without a label keeps the device's."""
    assert "laptop" == written(present(HELD, 4)).label


@pytest.mark.parametrize(
    ("session", "generation", "call", "outcome"),
    [
        (HELD, 4, STRANGER, Outcome.ROTATED),
        (HELD, 3, MAKER, Outcome.RETRIED),
        (SOON, 3, STRANGER, Outcome.SHARED),
        (HELD, 3, STRANGER, Outcome.REPLACED),
    ],
    ids=lambda value: value.value if isinstance(value, Outcome) else "",
)
def test_every_answer_keeps_the_latest_issue(session: Session, generation: int, call: Call, outcome: Outcome) -> None:
    """Whatever hands out an access token keeps its time of issue, unless one that lies later is kept already."""
    for issued_at, kept in ((NOW - 1, NOW), (NOW + 1, NOW + 1)):
        decision = present(replace(session, access_issued_at=issued_at), generation, call, policy=FORGIVING)
        assert (outcome, kept) == (decision.outcome, written(decision).access_issued_at)


@every_profile
def test_last_generation_cannot_be_refreshed(policy: Policy) -> None:
    """No number follows the last one: EXPIRED, counted and told, and nothing else changes."""
    last = replace(HELD, pending=LAST_GENERATION)
    decision = present(last, LAST_GENERATION, policy=policy)
    expected = replace(last, refusals=(Refusal(Cause.EXPIRED, NOW, NOW, 1, NOW),))
    assert (Cause.EXPIRED, expected) == (decision.cause, decision.session)


def test_generation_before_the_last_rotates() -> None:
    """The last generation can be made."""
    session = written(present(replace(HELD, pending=LAST_GENERATION - 1), LAST_GENERATION - 1))
    assert LAST_GENERATION == session.pending


def test_last_generation_has_no_sibling() -> None:
    """Where a sibling would need a number after the last, FORGIVING answers EXPIRED."""
    last = replace(HELD, pending=LAST_GENERATION)
    assert Cause.EXPIRED is present(last, 3, policy=FORGIVING).cause


def test_retry_of_the_last_generation_gets_it() -> None:
    """The last generation is handed out again like any other."""
    last = replace(HELD, pending=LAST_GENERATION)
    assert Outcome.RETRIED is present(last, 3, MAKER).outcome


def test_retiring_key_signs_its_pending_again() -> None:
    """A retry keeps the key that pending was made under, though another signs now."""
    under_older = replace(HELD, pending_by=replace(HELD.pending_by, key_id=OLDER))
    assert OLDER == written(present(under_older, 3, MAKER)).pending_by.key_id


def test_new_generation_is_under_the_signing_key() -> None:
    """A rotation leaves the older key behind."""
    under_older = replace(HELD, pending_by=replace(HELD.pending_by, key_id=OLDER))
    assert SIGNING == written(present(under_older, 4)).pending_by.key_id


@pytest.mark.parametrize("call", [MAKER, STRANGER], ids=["retry", "share"])
def test_pending_under_a_revoked_key_is_replaced(call: Call) -> None:
    """A retry or a share whose successor died with its key gets a new one under the signing key."""
    dead = replace(SOON, pending_by=replace(SOON.pending_by, key_id=OLDER))
    decision = present(dead, 3, call, revoked=frozenset({OLDER}))
    session = written(decision)
    assert (Outcome.REPLACED, 5, SIGNING, call.retry_hash) == (
        decision.outcome,
        session.pending,
        session.pending_by.key_id,
        session.pending_by.retry_hash,
    )
    assert (3, 2, SOON.confirmed_ms) == (session.confirmed, session.parent, session.confirmed_ms)
    assert 1 == session.retried + session.shared
    assert [EventKind.REFRESH_REPLACED] == [event.kind for event in decision.events]


def test_revoked_key_excuses_no_reuse() -> None:
    """A share after the window is reuse, though its successor died with its key."""
    dead = replace(HELD, pending_by=replace(HELD.pending_by, key_id=OLDER))
    assert Cause.REUSED is present(dead, 3, revoked=frozenset({OLDER})).cause
