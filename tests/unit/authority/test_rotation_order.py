"""The order of judgement, and what each clock may do to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import pytest
from msgspec.structs import replace

from sessiond.authority.events import EventKind
from sessiond.authority.rotation import Call, Outcome, is_idle, judge_session
from sessiond.errors import Cause
from sessiond.store.contract import Cuts, View
from sessiond.store.records import Cut, End, Session, Trace
from tests.unit.authority.rotation_cases import (
    BALANCED,
    FRESH,
    HELD,
    MAKER,
    NO_CUTS,
    NOW,
    SERVING,
    SIGNING,
    aged,
    present,
    token_of,
    written,
)

CUT = Cut(revision=8, at=NOW, keep_until=NOW + 1000)


@dataclass(frozen=True)
class Situation:
    """What a presentation meets."""

    session: Session | None = HELD
    cuts: Cuts = NO_CUTS
    tenant: str = ""
    now: int = NOW
    generation: int = 4


def _on(change: Callable[[Session], Session]) -> Callable[[Situation], Situation]:
    return lambda s: Situation(change(s.session) if s.session else None, s.cuts, s.tenant, s.now, s.generation)


def _cut(everything: Cut | None, tenant: Cut | None, subject: Cut | None) -> Callable[[Situation], Situation]:
    def apply(s: Situation) -> Situation:
        cuts = Cuts(everything or s.cuts.everything, tenant or s.cuts.tenant, subject or s.cuts.subject)
        return Situation(s.session, cuts, s.tenant, s.now, s.generation)

    return apply


# In the order of judgement: the cause, and what brings it about beside any of the others.
FAULTS: tuple[tuple[Cause, Callable[[Situation], Situation]], ...] = (
    (Cause.UNKNOWN_SESSION, lambda s: Situation(None, s.cuts, s.tenant, s.now, s.generation)),
    (Cause.WRONG_TENANT, lambda s: Situation(s.session, s.cuts, "other", s.now, s.generation)),
    (Cause.REVOKED, _on(lambda session: replace(session, end=End(Cause.REVOKED, NOW - 1)))),
    (Cause.SUBJECT_REVOKED, _cut(None, None, CUT)),
    (Cause.TENANT_REVOKED, _cut(None, CUT, None)),
    (Cause.ALL_REVOKED, _cut(CUT, None, None)),
    (Cause.IDLE_TIMEOUT, _on(lambda session: replace(session, idle_seconds=60))),
    (Cause.REUSED, lambda s: Situation(s.session, s.cuts, s.tenant, s.now, 0)),
)


def _judged(situation: Situation) -> Cause | None:
    return present(
        situation.session,
        situation.generation,
        Call(tenant=situation.tenant),
        now=situation.now,
        cuts=situation.cuts,
    ).cause


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0].name)
def test_each_fault_has_its_cause(fault: tuple[Cause, Callable[[Situation], Situation]]) -> None:
    """A single fault is refused with its own cause."""
    cause, bring_about = fault
    assert cause is _judged(bring_about(Situation()))


@pytest.mark.parametrize(
    ("earlier", "later"),
    list(combinations(FAULTS, 2)),
    ids=[f"{a[0].name}-{b[0].name}" for a, b in combinations(FAULTS, 2)],
)
def test_earlier_cause_wins(
    earlier: tuple[Cause, Callable[[Situation], Situation]],
    later: tuple[Cause, Callable[[Situation], Situation]],
) -> None:
    """Of two faults at once the one that is judged first names the cause."""
    assert earlier[0] is _judged(earlier[1](later[1](Situation())))


@pytest.mark.parametrize("cause", [Cause.REVOKED, Cause.EVICTED, Cause.REUSED, Cause.STATE_LOST, Cause.SUBJECT_REVOKED])
def test_ended_session_names_what_ended_it(cause: Cause) -> None:
    """The cause of an ended session is the one in its record."""
    decision = present(replace(HELD, end=End(cause, NOW - 1)), 4)
    assert (cause, [EventKind.REFRESH_REFUSED]) == (decision.cause, [event.kind for event in decision.events])


@pytest.mark.parametrize(("revision", "cause"), [(7, None), (8, Cause.SUBJECT_REVOKED)])
def test_cut_ends_sessions_born_before_it(revision: int, cause: Cause | None) -> None:
    """A session born at the revision of the cut lives, one born before it is dead."""
    cut = Cut(revision=revision, at=NOW, keep_until=NOW)
    assert cause is present(HELD, 4, cuts=Cuts(subject=cut)).cause


@pytest.mark.parametrize(
    ("tenant", "cause"),
    [("", None), ("acme", None), ("other", Cause.WRONG_TENANT)],
)
def test_tenant_is_judged_where_it_is_named(tenant: str, cause: Cause | None) -> None:
    """A caller who names no tenant is not held to one."""
    assert cause is present(HELD, 4, Call(tenant=tenant)).cause


def _view(session: Session | None) -> View:
    return View(session=session, cuts=Cuts(), prior=None, revision=9, serving_ms=SERVING)


def test_verification_judges_by_the_same_order() -> None:
    """judge_session gives Verify the causes before the generation, idleness left out without a time."""
    idle = replace(HELD, idle_seconds=60)
    assert [Cause.UNKNOWN_SESSION, Cause.WRONG_TENANT, None, Cause.IDLE_TIMEOUT, None] == [
        judge_session(_view(None), tenant="", now=NOW),
        judge_session(_view(idle), tenant="other", now=NOW),
        judge_session(_view(idle), tenant="acme", now=None),
        judge_session(_view(idle), tenant="acme", now=NOW),
        judge_session(_view(HELD), tenant="acme", now=NOW),
    ]


@pytest.mark.parametrize(("seconds", "idle"), [(3599, False), (3600, True)])
def test_idle_limit_is_half_open(seconds: int, *, idle: bool) -> None:
    """A session is dead in the second that its idle limit names."""
    assert idle is is_idle(HELD, HELD.pending_by.at + seconds)


def test_idle_session_is_not_ended() -> None:
    """IDLE_TIMEOUT changes the counters alone: a wall clock that was wrong for a while ends nobody's session."""
    decision = present(HELD, 4, now=NOW + 10_000)
    assert (Cause.IDLE_TIMEOUT, None) == (decision.cause, written(decision).end)
    assert Outcome.ROTATED is present(written(decision), 4, now=NOW).outcome


@pytest.mark.parametrize(("seconds", "answer"), [(3599, Outcome.RETRIED), (3600, Cause.IDLE_TIMEOUT)])
def test_idle_never_kills_the_retry_of_a_lost_answer(seconds: int, answer: Outcome | Cause) -> None:
    """The client has the whole idle limit from the making of the successor, however old the token is that it holds."""
    old = Trace(at=HELD.pending_by.at - 3599, serving_ms=0, key_id=SIGNING)
    decision = present(replace(HELD, confirmed_by=old), 3, MAKER, now=HELD.pending_by.at + seconds)
    assert answer is (decision.outcome or decision.cause)


def test_retry_does_not_move_the_idle_limit() -> None:
    """Only a new generation moves the idle limit: retries and shares do not."""
    near = NOW + 3000
    session = written(present(aged(HELD, ms=0), 3, MAKER, now=near))
    session = written(present(session, 3, now=near))
    assert Cause.IDLE_TIMEOUT is present(session, 4, now=HELD.pending_by.at + 3600).cause


def test_rotation_never_moves_the_absolute_expiry() -> None:
    """The absolute expiry is that of creation."""
    assert HELD.expires_at == written(present(HELD, 4, now=NOW + 3000)).expires_at


@pytest.mark.parametrize("generation", [4, 3, 2])
def test_clock_that_stepped_back_logs_nobody_out(generation: int) -> None:
    """A wall clock a week behind judges rotation, retry and straggler as it would have before."""
    now, back = (present(aged(HELD, ms=0), generation, MAKER, now=NOW - step) for step in (0, 7 * 86_400))
    assert (now.outcome, now.cause) == (back.outcome, back.cause)


def test_clock_that_stepped_back_moves_no_deadline() -> None:
    """A generation made while the clock is behind keeps the idle deadline of the one before, no later, no earlier."""
    session = written(present(HELD, 4, now=NOW - 86_400))
    assert HELD.pending_by.at == session.pending_by.at
    assert (False, True) == tuple(is_idle(session, HELD.pending_by.at + after) for after in (3599, 3600))


def test_retry_while_the_clock_is_behind_gets_the_same_token() -> None:
    """What the wall clock says at a retry does not reach the successor's bytes."""
    first = written(present(HELD, 4, MAKER))
    again = written(present(first, 4, MAKER, now=NOW - 86_400))
    assert token_of(first) == token_of(again)


@pytest.mark.parametrize("step", [-10_000, 3000])
def test_wall_clock_does_not_reach_the_windows(step: int) -> None:
    """The windows are spans of serving time: a step of the wall clock opens and closes none."""
    inside, outside = aged(HELD, ms=9_999), aged(HELD, ms=10_000)
    assert [Outcome.SHARED, Cause.REUSED, Cause.SUPERSEDED, Cause.REUSED] == [
        (decision.outcome or decision.cause)
        for decision in (present(s, g, now=NOW + step) for g in (3, 2) for s in (inside, outside))
    ]


def test_downtime_does_not_use_up_the_window() -> None:
    """A retry without ids after an hour of downtime is inside the window, since the serving clock stood still."""
    session = written(present(FRESH, 0, Call()))
    decision = present(session, 0, Call(), now=NOW + 3500, serving_ms=SERVING + 9_999)
    assert Outcome.SHARED is decision.outcome


def test_clock_that_stepped_back_does_not_silence_the_trail() -> None:
    """After a step back the next refusal is told at once, and then once a minute again."""
    session = written(present(HELD, 1))
    told = []
    for now in (NOW - 86_400, NOW - 86_399, NOW - 86_340):
        decision = present(session, 1, now=now)
        session = written(decision)
        told.append(len(decision.events))
    assert [1, 0, 1] == told


def test_log_entry_outlives_the_access_tokens() -> None:
    """The entry of an ended session stays for the life of its access tokens or its own, and twice the leeway."""
    session = replace(HELD, expires_at=NOW + 100)
    entries = [present(s, 1).revocation for s in (HELD, session)]
    assert [NOW + 300 + 60, NOW + 100 + 60] == [entry.keep_until for entry in entries if entry]


def test_log_entry_survives_a_clock_that_stepped_back() -> None:
    """A session ended while the clock is behind is remembered past the last access token that was issued for it."""
    session = replace(HELD, access_issued_at=HELD.pending_by.at + 30)
    entry = present(session, 1, now=NOW - 86_400).revocation
    assert entry is not None
    assert session.access_issued_at + 300 + 2 * BALANCED.leeway_seconds == entry.keep_until


def test_new_generation_is_signed_by_the_key_of_the_call() -> None:
    """The record alone tells which key signs its successor."""
    session = written(present(HELD, 4, signing_key_id=b"newest.."))
    assert (b"newest..", SIGNING) == (
        session.pending_by.key_id,
        session.confirmed_by.key_id if session.confirmed_by else None,
    )
