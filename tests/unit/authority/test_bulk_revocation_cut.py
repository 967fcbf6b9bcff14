"""RevokeSubject, RevokeTenant and RevokeAll: what a cut ends, what it leaves, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sessiond.authority.caller import Caller
from sessiond.authority.events import EventKind
from sessiond.authority.sessions import Issued, Login
from sessiond.errors import (
    Cause,
    IndeterminateError,
    InvalidAccessToken,
    InvalidRefreshToken,
    InvalidRequestError,
    LoginOvertakenError,
    PermissionDeniedError,
    RequestIdReusedError,
    SessionEndedError,
    SessionNotFoundError,
)
from sessiond.ids import session_id_text
from sessiond.store.records import Cut, End, Revocation, RevocationKind, Scope, ScopeKind
from tests.unit.authority.installation import DAY, Installation, Process

SHOP = Caller("shop", frozenset({"revoker"}), frozenset({"acme"}))
OTHERS = Caller("others", frozenset({"revoker"}), frozenset({"other"}))
UNKNOWN_ID = bytes.fromhex("01890a5dac96774bbcceb302099a8057")

BOB = Login("acme", "bob")
CAROL = Login("other", "alice")

SCOPES: tuple[tuple[str, Cause, tuple[str, ...]], ...] = (
    ("revoke_subject", Cause.SUBJECT_REVOKED, ("alice",)),
    ("revoke_tenant", Cause.TENANT_REVOKED, ("alice", "bob")),
    ("revoke_all", Cause.ALL_REVOKED, ("alice", "bob", "carol")),
)
every_scope = pytest.mark.parametrize("verb", [verb for verb, _, _ in SCOPES])


def assert_refused(process: Process, issued: Issued, cause: Cause) -> None:
    """Both tokens of a session are refused with one cause."""
    with pytest.raises(InvalidAccessToken) as access:
        process.verify(issued.access_token)
    with pytest.raises(InvalidRefreshToken) as refresh:
        process.refresh(issued.refresh_token)
    assert cause is access.value.cause is refresh.value.cause


def assert_good(process: Process, issued: Issued) -> Issued:
    """Both tokens of a session are good; the refresh token is traded for the next pair."""
    assert issued.session_id == process.verify(issued.access_token).session_id
    return process.refresh(issued.refresh_token)[0]


@pytest.mark.parametrize(("verb", "cause", "dead"), SCOPES)
def test_cut_ends_its_scope_and_nothing_else(
    installation: Installation, here: Process, verb: str, cause: Cause, dead: tuple[str, ...]
) -> None:
    """Every session of the scope is refused with its cause in every process at once; the others go on."""
    there = installation.process("there")
    opened = {"alice": here.login(), "bob": here.login(login=BOB), "carol": here.login(login=CAROL)}
    getattr(here, verb)()
    for name, issued in opened.items():
        if name in dead:
            assert_refused(here, issued, cause)
            assert_refused(there, issued, cause)
        else:
            assert_good(there, issued)


@pytest.mark.parametrize(
    ("verb", "kind", "tenant", "subject"),
    [
        ("revoke_subject", ScopeKind.SUBJECT, "acme", "alice"),
        ("revoke_tenant", ScopeKind.TENANT, "acme", ""),
        ("revoke_all", ScopeKind.ALL, "", ""),
    ],
)
def test_cut_has_its_event_and_its_entry(  # noqa: PLR0917 - the row of a scope
    installation: Installation, here: Process, verb: str, kind: ScopeKind, tenant: str, subject: str
) -> None:
    """A cut raises the revision by one, is logged for verifiers, kept with who and why, and is one event."""
    here.login()
    before, now = installation.store.revision(), installation.now
    revoked = getattr(here, verb)(reason="breach", actor="security", request_id="v1")
    (entry,), tail = installation.store.revocations_after(before, 10)
    hashes = {
        ScopeKind.SUBJECT: installation.hasher.subject("acme", "alice"),
        ScopeKind.TENANT: installation.hasher.tenant("acme"),
        ScopeKind.ALL: b"",
    }
    scope, keep_until = Scope(kind, hashes[kind]), now + 400 * DAY + 60
    assert (before + 1, before + 1, now) == (tail, revoked.revision, revoked.at)
    assert Revocation(tail, RevocationKind.CUT, now, keep_until, scope=scope) == entry
    assert {scope: Cut(tail, now, keep_until, "breach", "security")} == installation.store.cuts()[0]
    event = installation.store.events_after(0, 100)[0][-1]
    assert (EventKind.SCOPE_CUT, tenant, subject, "local", "security", {"scope": kind.name, "reason": "breach"}) == (
        event.kind,
        event.tenant,
        event.subject,
        event.caller,
        event.actor,
        event.details,
    )
    assert 16 == len(event.request_hash)


@every_scope
def test_session_shows_why_it_was_cut(installation: Installation, here: Process, verb: str) -> None:
    """A session of the scope has ended with reason, time and actor, who is the caller where none is named."""
    issued = here.login()
    getattr(here, verb)(reason="breach")
    end = here.get(issued.session_id).end
    assert end is not None
    assert End(end.cause, installation.now, "breach", "local") == end


@every_scope
def test_sessions_opened_after_a_cut_live(here: Process, verb: str) -> None:
    """A session that is opened after the cut is not touched, be it within the same second."""
    getattr(here, verb)()
    assert_good(here, here.login())


@every_scope
def test_no_session_slips_through_a_cut(installation: Installation, here: Process, verb: str) -> None:
    """
    A session that is created while its scope is cut dies where it was written first.

    Where the cut was, a login that says at which revision the user was authenticated is refused.
    """
    there = installation.process("there")
    revision = installation.store.revision()
    installation.store.meanwhile = [getattr(there, verb)]
    with pytest.raises(LoginOvertakenError):
        here.login(login=Login("acme", "alice", authenticated_revision=revision))
    opened: list[Issued] = []
    installation.store.meanwhile = [lambda: opened.append(here.login())]
    revoked = getattr(there, verb)()
    assert installation.record(opened[0].session_id).born < revoked.revision
    with pytest.raises(InvalidAccessToken):
        here.verify(opened[0].access_token)


@every_scope
def test_refresh_that_races_with_a_cut(installation: Installation, here: Process, verb: str) -> None:
    """A refresh that is under way while its session is cut brings nothing back to life, whichever is written first."""
    there = installation.process("there")
    first, second = here.login(), here.login()
    installation.store.meanwhile = [getattr(there, verb)]
    with pytest.raises(InvalidRefreshToken):
        here.refresh(first.refresh_token)
    second = here.login()
    refreshed: list[Issued] = []
    installation.store.meanwhile = [lambda: refreshed.append(here.refresh(second.refresh_token)[0])]
    getattr(there, verb)()
    with pytest.raises(InvalidAccessToken):
        there.verify(refreshed[0].access_token)
    with pytest.raises(InvalidRefreshToken):
        there.refresh(refreshed[0].refresh_token)


def test_session_that_ended_before_keeps_its_end(here: Process) -> None:
    """A session that was revoked before its subject stays REVOKED, with its own reason."""
    issued = here.login()
    here.revoke(issued.session_id, reason="logout")
    here.revoke_subject(reason="breach")
    end = here.get(issued.session_id).end
    assert end is not None
    assert (Cause.REVOKED, "logout") == (end.cause, end.reason)


@every_scope
def test_repetition_of_a_cut_gets_its_first_answer(installation: Installation, here: Process, verb: str) -> None:
    """The same request again cuts nothing: what was opened since lives, and the answer is that of then."""
    call: Callable[..., Any] = getattr(here, verb)
    first = call(request_id="v1")
    installation.clock.advance(5)
    since = here.login()
    assert first == call(request_id="v1")
    assert_good(here, since)
    assert 1 == installation.events().count(EventKind.SCOPE_CUT)
    with pytest.raises(RequestIdReusedError):
        call(request_id="v1", reason="other")


def test_other_tenants_are_out_of_reach(installation: Installation, here: Process) -> None:
    """A caller cuts its own tenants and their subjects, never those of another, and never everything."""
    issued = here.login()
    before = installation.store.revision()
    for call in (here.revoke_subject, here.revoke_tenant, here.revoke_all):
        with pytest.raises(PermissionDeniedError):
            call(OTHERS)
    with pytest.raises(PermissionDeniedError):
        here.revoke_all(SHOP)
    assert before == installation.store.revision()
    assert_good(here, issued)
    assert before + 1 == here.revoke_tenant(SHOP).revision


@every_scope
@pytest.mark.parametrize(
    ("fields", "field"),
    [({"reason": "r" * 256}, "reason"), ({"actor": "a\0"}, "actor"), ({"request_id": "r" * 65}, "request_id")],
)
def test_bad_field_of_a_cut(
    installation: Installation, here: Process, verb: str, fields: dict[str, str], field: str
) -> None:
    """A field out of its limits is refused under its name, and nothing is cut."""
    with pytest.raises(InvalidRequestError) as caught:
        getattr(here, verb)(**fields)
    assert [field] == [name for name, _ in caught.value.violations]
    assert {} == installation.store.cuts()[0]


def test_scope_must_be_named(here: Process) -> None:
    """Tenant and subject of what is cut are required, an id that is spared is one."""
    empty = {"reason": "", "actor": "", "request_id": "", "now": 0}
    with pytest.raises(InvalidRequestError) as subject:
        here.bulk.revoke_subject(SHOP, "", "", except_session_id="x", **empty)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError) as tenant:
        here.bulk.revoke_tenant(SHOP, "", **empty)  # type: ignore[arg-type]
    assert ["tenant", "subject", "except_session_id"] == [name for name, _ in subject.value.violations]
    assert ["tenant"] == [name for name, _ in tenant.value.violations]


def test_cut_whose_process_cannot_read_afterwards(installation: Installation, here: Process) -> None:
    """Where this process cannot make sure that it knows, the outcome is unknown; the same call again finds out."""
    issued = here.login()
    installation.store.meanwhile = [lambda: setattr(installation.store, "down", True)]
    with pytest.raises(IndeterminateError):
        here.revoke_subject(request_id="v1")
    installation.store.down = False
    assert installation.store.revision() == here.revoke_subject(request_id="v1").revision
    assert_refused(here, issued, Cause.SUBJECT_REVOKED)


def test_spared_session_is_born_at_the_cut(installation: Installation, here: Process) -> None:
    """The spared session moves to the cut's revision; cut, log and event name it for as long as its tokens can live."""
    issued, other = here.login(), here.login()
    installation.clock.advance(7)
    revoked = here.revoke_subject(spared=issued.session_id)
    until = installation.now + 300 + 2 * 30
    (cut,) = installation.store.cuts()[0].values()
    (entry,), _ = installation.store.revocations_after(revoked.revision - 1, 10)
    event = installation.store.events_after(0, 100)[0][-1]
    assert revoked.revision == installation.record(issued.session_id).born
    assert (issued.session_id, until) == (cut.except_session_id, cut.except_until)
    assert (issued.session_id, until) == (entry.except_session_id, entry.except_until)
    assert session_id_text(issued.session_id) == event.details["except_session_id"]
    assert other.session_id != issued.session_id
    assert here.get(issued.session_id).end is None


def test_spared_session_goes_on_and_all_others_die(installation: Installation, here: Process) -> None:
    """Its living access tokens stay good in every process, its refresh works; every other session is refused."""
    there = installation.process("there")
    others, issued = [here.login() for _ in range(3)], here.login()
    here.revoke_subject(spared=issued.session_id)
    for other in others:
        assert_refused(there, other, Cause.SUBJECT_REVOKED)
    assert_good(here, assert_good(there, issued))


@pytest.mark.parametrize(("verb", "cause", "dead"), SCOPES)
def test_later_cut_ends_the_spared_session_too(here: Process, verb: str, cause: Cause, dead: tuple[str, ...]) -> None:
    """A cut of subject, tenant or all after the one that spared a session ends it, access tokens from before it too."""
    issued = here.login()
    here.revoke_subject(spared=issued.session_id)
    getattr(here, verb)()
    assert "alice" in dead
    assert_refused(here, issued, cause)


def test_revoke_ends_the_spared_session(here: Process) -> None:
    """A session that was spared is revoked as any other."""
    issued = here.login()
    here.revoke_subject(spared=issued.session_id)
    assert here.revoke(issued.session_id).ended_by_this_call
    assert_refused(here, issued, Cause.REVOKED)


def test_revoke_of_the_spared_session_that_overtakes_the_cut(installation: Installation, here: Process) -> None:
    """Where the session to be spared is revoked first, nothing is cut and the session stays dead."""
    issued, other = here.login(), here.login()
    installation.store.meanwhile = [lambda: here.revoke(issued.session_id)]
    with pytest.raises(SessionEndedError) as caught:
        here.revoke_subject(spared=issued.session_id)
    assert Cause.REVOKED is caught.value.cause
    assert {} == installation.store.cuts()[0]
    assert_refused(here, issued, Cause.REVOKED)
    assert_good(here, other)


@every_scope
def test_dead_session_is_never_raised(installation: Installation, here: Process, verb: str) -> None:
    """A session that a cut has ended cannot be spared by a later one."""
    issued = here.login()
    getattr(here, verb)()
    before = installation.store.revision()
    with pytest.raises(SessionEndedError):
        here.revoke_subject(spared=issued.session_id)
    assert before == installation.store.revision()
    with pytest.raises(InvalidAccessToken):
        here.verify(issued.access_token)


def test_session_that_cannot_be_spared(installation: Installation, here: Process) -> None:
    """An unknown session, one of another subject and one that is idle or expired are not found, and nothing is cut."""
    bob = here.login(login=BOB)
    idle = here.login(login=Login("acme", "alice", idle_seconds=60))
    installation.clock.advance(60)
    for spared in (UNKNOWN_ID, bob.session_id, idle.session_id):
        with pytest.raises(SessionNotFoundError):
            here.revoke_subject(spared=spared)
    assert {} == installation.store.cuts()[0]


def test_repetition_of_a_cut_that_spared_a_session(here: Process) -> None:
    """The same request again answers as it did, though the spared session has ended since."""
    issued = here.login()
    first = here.revoke_subject(spared=issued.session_id, request_id="v1")
    here.revoke(issued.session_id)
    assert first == here.revoke_subject(spared=issued.session_id, request_id="v1")
    with pytest.raises(RequestIdReusedError):
        here.revoke_subject(request_id="v1")
