"""max_sessions: how many living sessions a subject has at most, and what a login beyond that gets."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sessiond.authority.events import EventKind
from sessiond.authority.policy import AtMaxSessions, Policy
from sessiond.authority.sessions import Issued, Login
from sessiond.errors import (
    Advice,
    Cause,
    InvalidAccessToken,
    InvalidRefreshToken,
    SessionEndedError,
    TooManySessionsError,
)
from sessiond.ids import ScopeHasher, session_id_text
from sessiond.store.contract import Change, View
from sessiond.store.records import End, Revocation, RevocationKind, ScopeKind, Session
from tests.unit.authority.installation import Installation, Process

EVICTING = [AtMaxSessions.EVICT_OLDEST, AtMaxSessions.EVICT_LONGEST_IDLE]


def limited(max_sessions: int, at_max_sessions: AtMaxSessions = AtMaxSessions.REJECT) -> Installation:
    """Start an installation whose subjects have so many sessions at most."""
    return Installation(Policy(max_sessions=max_sessions, at_max_sessions=at_max_sessions))


def opened_one_by_one(installation: Installation, n_sessions: int) -> list[Issued]:
    """Open sessions of alice, a second apart."""
    opened = []
    for _ in range(n_sessions):
        opened.append(installation.here.login())
        installation.clock.advance(1)
    return opened


def living(installation: Installation, opened: list[Issued]) -> list[int]:
    """Give the places of those that live."""
    return [place for place, one in enumerate(opened) if installation.here.get(one.session_id).end is None]


def test_no_limit_unless_it_is_set() -> None:
    """Without a limit a subject has as many sessions as it likes, and nobody counts them."""
    installation = Installation()
    assert 30 == len(living(installation, opened_one_by_one(installation, 30)))


def test_login_beyond_the_limit_is_rejected() -> None:
    """The refusal names the limit and what to do, keeps the tokens there are, and writes nothing."""
    installation = limited(2)
    opened = opened_one_by_one(installation, 2)
    events, revision = installation.events(), installation.store.revision()
    with pytest.raises(TooManySessionsError) as caught:
        installation.here.login()
    assert (
        "the subject may have 2 living sessions (policy.max_sessions) and has 2: end one of them, "
        "or have policy.at_max_sessions evict one"
    ) == caught.value.message
    assert Advice.KEEP_CURRENT_TOKENS is caught.value.advice
    assert (events, revision) == (installation.events(), installation.store.revision())
    installation.here.revoke(opened[0].session_id)
    installation.here.login()


def test_oldest_is_evicted() -> None:
    """The session that was opened first makes room, however freshly it was refreshed."""
    installation = limited(2, AtMaxSessions.EVICT_OLDEST)
    opened = opened_one_by_one(installation, 2)
    installation.here.refresh(opened[0].refresh_token)
    opened += opened_one_by_one(installation, 1)
    assert [1, 2] == living(installation, opened)


def test_longest_idle_is_evicted() -> None:
    """The session whose last refresh lies furthest back makes room, however young it is."""
    installation = limited(2, AtMaxSessions.EVICT_LONGEST_IDLE)
    opened = opened_one_by_one(installation, 2)
    installation.here.refresh(opened[0].refresh_token)
    opened += opened_one_by_one(installation, 1)
    assert [0, 2] == living(installation, opened)


@pytest.mark.parametrize("policy", EVICTING)
def test_sessions_of_one_second_go_by_their_ids(policy: AtMaxSessions) -> None:
    """Of sessions that nothing else tells apart, the one with the least id makes room."""
    installation = limited(3, policy)
    opened = [installation.here.login() for _ in range(3)]
    least = min(one.session_id for one in opened)
    installation.here.login()
    assert [least] == [one.session_id for one in opened if installation.here.get(one.session_id).end is not None]


@pytest.mark.parametrize("policy", EVICTING)
def test_several_make_room_where_the_limit_was_lowered(policy: AtMaxSessions) -> None:
    """As many are evicted as the lowered limit takes, in the order of their turn and in one write."""
    installation = limited(5, policy)
    opened = opened_one_by_one(installation, 5)
    installation.policy = Policy(max_sessions=2, at_max_sessions=policy)
    there = installation.process("there")
    before, n_writes = installation.store.revision(), installation.store.n_writes
    issued = there.login()
    entries, tail = installation.store.revocations_after(before, 10)
    assert [4] == living(installation, opened)
    assert [one.session_id for one in opened[:4]] == [entry.session_id for entry in entries]
    assert (before + 4, before + 4, n_writes + 1) == (tail, issued.revision, installation.store.n_writes)
    assert issued.session_id == there.verify(issued.access_token).session_id


def test_evicted_session_is_told_so() -> None:
    """Both tokens are refused as EVICTED in every process at once, with a sentence; the record says why and by whom."""
    installation = limited(1, AtMaxSessions.EVICT_OLDEST)
    there = installation.process("there")
    evicted, issued = opened_one_by_one(installation, 2)
    reason = "the subject may have 1 living session, and another was opened"
    with pytest.raises(InvalidAccessToken) as access:
        there.verify(evicted.access_token)
    with pytest.raises(InvalidRefreshToken) as refresh:
        there.refresh(evicted.refresh_token)
    assert Cause.EVICTED is access.value.cause is refresh.value.cause
    assert Advice.LOG_IN_AGAIN is access.value.advice is refresh.value.advice
    assert "there may be only so many at once" in str(access.value)
    at = installation.record(issued.session_id).created_at
    assert End(Cause.EVICTED, at, reason, "local") == installation.record(evicted.session_id).end
    assert issued.session_id == there.verify(issued.access_token).session_id


def test_eviction_has_its_event_and_its_entry() -> None:
    """An eviction is logged for verifiers, and is an event that names the reason and the session that came."""
    installation = limited(1, AtMaxSessions.EVICT_OLDEST)
    evicted, issued = opened_one_by_one(installation, 2)
    (entry,), tail = installation.store.revocations_after(installation.record(issued.session_id).born, 10)
    at = installation.record(issued.session_id).created_at
    keep_until = at + 300 + 2 * 30
    assert Revocation(tail, RevocationKind.SESSION, at, keep_until, evicted.session_id, Cause.EVICTED) == entry
    assert [EventKind.SESSION_CREATED, EventKind.SESSION_EVICTED, EventKind.SESSION_CREATED] == installation.events()
    event = next(one for one in installation.store.events_after(0, 100)[0] if one.kind == EventKind.SESSION_EVICTED)
    assert (evicted.session_id, Cause.EVICTED, "local", at) == (event.session_id, event.cause, event.caller, event.at)
    assert {
        "reason": "the subject may have 1 living session, and another was opened",
        "by_session_id": session_id_text(issued.session_id),
    } == event.details


def test_only_living_sessions_count() -> None:
    """Sessions that were revoked, cut, went idle or expired take no place, though their records are there."""
    installation = limited(1)
    here = installation.here
    here.revoke(here.login().session_id)
    here.login()
    installation.cut(ScopeKind.SUBJECT)
    here.login(login=Login("acme", "alice", idle_seconds=60))
    installation.clock.advance(60)
    expired = here.login(login=Login("acme", "alice", absolute_seconds=60, idle_seconds=60))
    installation.clock.advance(30)
    here.refresh(expired.refresh_token)
    installation.clock.advance(30)
    here.login()
    with pytest.raises(TooManySessionsError):
        here.login()


def test_other_subjects_have_their_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subject of the same tenant, of the same name elsewhere, or with the same hash takes no place."""
    monkeypatch.setattr(ScopeHasher, "subject", lambda *_: b"\1" * 8)
    installation = limited(1, AtMaxSessions.EVICT_OLDEST)
    logins = [Login("acme", "alice"), Login("acme", "bob"), Login("other", "alice")]
    opened = [installation.here.login(login=login) for login in logins]
    assert [0, 1, 2] == living(installation, opened)


@pytest.mark.parametrize("policy", [*EVICTING, AtMaxSessions.REJECT])
def test_repeated_login_evicts_nothing_again(policy: AtMaxSessions) -> None:
    """A repetition by its request id gets its session, where that fills the last place, and takes no other."""
    installation = limited(2, policy)
    here, named = installation.here, Login("acme", "alice", request_id="v1")
    first, second = here.login(login=named), here.login()
    again = here.login(login=named)
    assert first.refresh_token == again.refresh_token
    assert [0, 1] == living(installation, [first, second])


def test_repetition_of_a_login_that_was_evicted_since() -> None:
    """A repetition whose session has made room since is told so, and evicts nobody in turn."""
    installation = limited(1, AtMaxSessions.EVICT_OLDEST)
    here, named = installation.here, Login("acme", "alice", request_id="v1")
    here.login(login=named)
    issued = here.login()
    with pytest.raises(SessionEndedError) as caught:
        here.login(login=named)
    assert Cause.EVICTED is caught.value.cause
    assert issued.session_id == here.verify(issued.access_token).session_id


def test_logins_at_once_keep_the_limit() -> None:
    """Of two logins for the last place the one that is written second finds it taken."""
    installation = limited(1)
    installation.store.meanwhile = [installation.process("there").login]
    with pytest.raises(TooManySessionsError):
        installation.here.login()


def test_refresh_of_a_session_that_is_evicted_at_once() -> None:
    """A refresh under way while its session is evicted brings it back in neither order."""
    installation = limited(1, AtMaxSessions.EVICT_OLDEST)
    here, there = installation.here, installation.process("there")
    first = here.login()
    installation.store.meanwhile = [there.login]
    with pytest.raises(InvalidRefreshToken, match="EVICTED"):
        here.refresh(first.refresh_token)


@pytest.mark.parametrize("max_sessions", [-1, 501])
def test_limit_has_a_range(max_sessions: int) -> None:
    """A limit is 0 to 500."""
    with pytest.raises(ValueError, match=f"max_sessions is {max_sessions}, expected 0 to 500"):
        Policy(max_sessions=max_sessions)


def test_greatest_limit_is_kept(process_of_many: Process) -> None:
    """At the greatest limit every one of the sessions is looked at."""
    with pytest.raises(TooManySessionsError, match="500"):
        process_of_many.login()


@pytest.fixture
def process_of_many() -> Process:
    """Open as many sessions as any policy allows."""
    here = limited(500).here
    for _ in range(500):
        here.login()
    return here


def test_living_session_counts_behind_a_thousand_that_went_idle() -> None:
    """However many sessions a subject left behind since, one that lives takes its place in the limit."""
    installation = limited(1)
    living_one = installation.record(installation.here.login().session_id)
    for number in range(1, 1_500):
        left = replace(living_one, id=(int.from_bytes(living_one.id, "big") + number).to_bytes(16, "big"), expires_at=0)

        def decide(_view: View, new: Session = left) -> Change[None]:
            return Change(None, session=new)

        installation.store.create(left.tenant_hash, left.subject_hash, None, decide)
    with pytest.raises(TooManySessionsError):
        installation.here.login()
