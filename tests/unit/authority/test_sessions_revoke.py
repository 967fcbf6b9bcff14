"""RevokeSession: which session ends, what is kept of it, and what verifiers learn."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sessiond.authority.caller import Caller
from sessiond.authority.events import EventKind
from sessiond.authority.sessions import Login
from sessiond.errors import (
    Cause,
    IndeterminateError,
    InvalidAccessToken,
    InvalidRefreshToken,
    InvalidRequestError,
    RequestIdReusedError,
    SessionNotFoundError,
    StoreUnavailableError,
    TokenRefusedError,
)
from sessiond.ids import session_id_text
from sessiond.store.records import End, Purpose, Revocation, RevocationKind, ScopeKind
from tests.unit.authority.installation import Installation, Process

SHOP = Caller("shop", frozenset({"revoker"}), frozenset({"acme"}))
OTHERS = Caller("others", frozenset({"revoker"}), frozenset({"other"}))
UNKNOWN_ID = bytes.fromhex("01890a5dac96774bbcceb302099a8057")
NAMED = Login("acme", "alice", request_id="first")
RETRY_KEY = b"retry key of a test" * 2
SHORT = Login("acme", "alice", absolute_seconds=60, idle_seconds=60)


def test_revoked_session_keeps_why_and_by_whom(installation: Installation, here: Process) -> None:
    """The end has cause, reason, actor and time; nothing else in the record changes."""
    issued = here.login()
    before = installation.record(issued.session_id)
    installation.clock.advance(5)
    revoked = here.revoke(issued.session_id, SHOP, reason="logout", actor="alice")
    expected = replace(before, end=End(Cause.REVOKED, installation.now, "logout", "alice"))
    assert (expected, True) == (revoked.session, revoked.ended_by_this_call)
    assert expected == installation.record(issued.session_id)


def test_caller_is_the_actor_where_it_names_none(here: Process) -> None:
    """Whoever revokes on nobody's behalf is the actor itself."""
    end = here.revoke(here.login().session_id, SHOP).session.end
    assert end is not None
    assert ("", "shop") == (end.reason, end.actor)


def test_revocation_has_its_event_and_its_entry(installation: Installation, here: Process) -> None:
    """A revocation raises the revision by one, is logged for verifiers until they may forget it, and is an event."""
    issued = here.login()
    before = installation.store.revision()
    revoked = here.revoke(issued.session_id, SHOP, reason="logout", actor="alice", request_id="v1")
    (entry,), tail = installation.store.revocations_after(before, 10)
    assert before + 1 == tail == revoked.revision
    assert (
        Revocation(
            revision=before + 1,
            kind=RevocationKind.SESSION,
            at=installation.now,
            keep_until=installation.now + 300 + 2 * 30,
            session_id=issued.session_id,
            cause=Cause.REVOKED,
        )
        == entry
    )
    event = installation.store.events_after(0, 100)[0][-1]
    assert (EventKind.SESSION_REVOKED, "shop", "alice", {"reason": "logout"}, 16) == (
        event.kind,
        event.caller,
        event.actor,
        event.details,
        len(event.request_hash),
    )


def test_tokens_are_refused_at_once(installation: Installation, here: Process) -> None:
    """Once the answer is given every process refuses both tokens, the one that answered without another look."""
    there = installation.process("there")
    issued = here.login()
    revoked = here.revoke(issued.session_id)
    assert revoked.revision == here.feed.revocations.applied_revision
    for process in (here, there):
        with pytest.raises(InvalidAccessToken) as access:
            process.verify(issued.access_token)
        with pytest.raises(InvalidRefreshToken) as refresh:
            process.refresh(issued.refresh_token)
        assert Cause.REVOKED is access.value.cause is refresh.value.cause


@pytest.mark.parametrize("again", ["retry", "share", "login"])
def test_revocation_outlives_every_access_token(installation: Installation, here: Process, again: str) -> None:
    """An access token that came with tokens handed out again is refused to its end, though its clock was ahead."""
    first = here.login(login=NAMED)
    here.refresh(first.refresh_token, retry_key=RETRY_KEY)
    installation.clock.step_wall(3600)
    if again == "login":
        issued = here.login(login=NAMED)
    else:
        issued, _ = here.refresh(first.refresh_token, retry_key=RETRY_KEY if again == "retry" else b"")
    installation.clock.step_wall(-3600)
    here.revoke(first.session_id)
    installation.clock.step_wall(issued.access_expires_at - 1 - installation.now)
    here.feed.expire(installation.now)
    with pytest.raises(InvalidAccessToken, match="REVOKED"):
        here.verify(issued.access_token)


def test_revoking_twice_is_no_error(installation: Installation, here: Process) -> None:
    """The second call finds the session ended, keeps the first end, and writes nothing."""
    issued = here.login()
    first = here.revoke(issued.session_id, reason="logout")
    second = here.revoke(issued.session_id, reason="again")
    assert (first.session, False) == (second.session, second.ended_by_this_call)
    assert first.revision == second.revision == installation.store.revision()
    assert [EventKind.SESSION_CREATED, EventKind.SESSION_REVOKED] == installation.events()


def test_session_that_ended_by_itself_keeps_its_cause(installation: Installation, here: Process) -> None:
    """A session that reuse has ended stays REUSED."""
    first = here.login()
    here.refresh(first.refresh_token)
    installation.serve_for(11)
    with pytest.raises(InvalidRefreshToken):
        here.refresh(first.refresh_token)
    revoked = here.revoke(first.session_id)
    assert (Cause.REUSED, False) == (revoked.session.end.cause, revoked.ended_by_this_call)  # type: ignore[union-attr]


def test_cut_session_has_ended_already(installation: Installation, here: Process) -> None:
    """A session that a cut covers has ended by the cut, at a revision that has it."""
    issued = here.login()
    cut = installation.cut(ScopeKind.TENANT, reason="breach")
    revoked = here.revoke(issued.session_id)
    assert (End(Cause.TENANT_REVOKED, installation.now, "breach", "operator"), False, cut) == (
        revoked.session.end,
        revoked.ended_by_this_call,
        revoked.revision,
    )


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_any_token_names_its_session(installation: Installation, here: Process, kind: str) -> None:
    """A refresh token, spent or not, and an access token name the session, expired or not."""
    issued = here.login(login=SHORT)
    here.refresh(issued.refresh_token)
    installation.clock.advance(80)
    revoked = here.revoke(token=getattr(issued, kind))
    assert (issued.session_id, True) == (revoked.session.id, revoked.ended_by_this_call)


def test_idle_session_is_ended(installation: Installation, here: Process) -> None:
    """A session that went idle is ended all the same: its access token may be alive."""
    issued = here.login(login=Login("acme", "alice", idle_seconds=60))
    installation.clock.advance(60)
    assert here.verify(issued.access_token).session_id == issued.session_id
    assert here.revoke(issued.session_id).ended_by_this_call
    with pytest.raises(InvalidAccessToken):
        here.verify(issued.access_token)


@pytest.mark.parametrize(
    ("text", "cause"),
    [("", Cause.MALFORMED), ("sdr_", Cause.MALFORMED), ("eyJ", Cause.MALFORMED), ("sdr_" + "A" * 160, Cause.MALFORMED)],
)
def test_text_that_is_no_token(here: Process, text: str, cause: Cause) -> None:
    """A text that is no token ends nothing; the refusal is that of the kind it looks like."""
    with pytest.raises(TokenRefusedError) as caught:
        here.revoke(token=text)
    kind = InvalidRefreshToken if text.startswith("sdr_") else InvalidAccessToken
    assert (kind, cause) == (type(caught.value), caught.value.cause)


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_token_that_was_changed(here: Process, kind: str) -> None:
    """A token with a bad signature ends nothing."""
    issued = here.login()
    token: str = getattr(issued, kind)
    changed = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
    with pytest.raises(TokenRefusedError) as caught:
        here.revoke(token=changed)
    assert Cause.TAMPERED is caught.value.cause
    assert here.get(issued.session_id).end is None


def test_token_of_a_revoked_key(here: Process) -> None:
    """A token whose key was revoked may be forged, and ends nothing."""
    issued = here.login()
    here.revoke_active_key(Purpose.REFRESH)
    with pytest.raises(InvalidRefreshToken) as caught:
        here.revoke(token=issued.refresh_token)
    assert Cause.KEY_REVOKED is caught.value.cause


def test_token_whose_key_is_revoked_before_the_write(installation: Installation, here: Process) -> None:
    """Nor does one whose key was revoked between its reading and the write."""
    there = installation.process("there")
    issued = here.login()
    installation.store.meanwhile = [lambda: there.revoke_active_key(Purpose.ACCESS)]
    with pytest.raises(InvalidAccessToken) as caught:
        here.revoke(token=issued.access_token)
    assert Cause.KEY_REVOKED is caught.value.cause
    assert here.get(issued.session_id).end is None


def test_token_of_a_key_that_another_process_made(installation: Installation, here: Process) -> None:
    """A token of a key that this process has not heard of names its session all the same."""
    there = installation.process("there")
    there.rotate_key(Purpose.ACCESS, immediately=True)
    assert here.revoke(token=there.login().access_token).ended_by_this_call


def test_session_of_another_tenant(installation: Installation, here: Process) -> None:
    """By id it is not found, by token the token is refused with WRONG_TENANT; nothing ends."""
    issued = here.login()
    with pytest.raises(SessionNotFoundError):
        here.revoke(issued.session_id, OTHERS)
    with pytest.raises(InvalidRefreshToken) as refresh:
        here.revoke(None, OTHERS, token=issued.refresh_token)
    with pytest.raises(InvalidAccessToken) as access:
        here.revoke(None, OTHERS, token=issued.access_token)
    assert Cause.WRONG_TENANT is refresh.value.cause is access.value.cause
    assert session_id_text(issued.session_id) == refresh.value.session_id
    assert installation.record(issued.session_id).end is None


def test_session_that_is_not_in_the_store(installation: Installation, here: Process) -> None:
    """By id it is not found, by token the token is refused with UNKNOWN_SESSION."""
    issued = here.login(login=SHORT)
    installation.clock.advance(90)
    installation.store.sweep(installation.now, 0, 100)
    with pytest.raises(SessionNotFoundError):
        here.revoke(issued.session_id)
    with pytest.raises(InvalidAccessToken) as caught:
        here.revoke(token=issued.access_token)
    assert (Cause.UNKNOWN_SESSION, session_id_text(issued.session_id)) == (caught.value.cause, caught.value.session_id)


def test_exactly_one_name(here: Process) -> None:
    """A call names the session once: neither not at all nor in both ways."""
    issued = here.login()
    with pytest.raises(InvalidRequestError, match="target"):
        here.revoke()
    with pytest.raises(InvalidRequestError, match="target"):
        here.revoke(issued.session_id, token=issued.access_token)
    assert here.get(issued.session_id).end is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"reason": "r" * 256}, "reason"), ({"actor": "a\0"}, "actor"), ({"request_id": "r" * 65}, "request_id")],
)
def test_bad_field(here: Process, fields: dict[str, Any], field: str) -> None:
    """A field out of its limits is refused under its name, and nothing ends."""
    issued = here.login()
    with pytest.raises(InvalidRequestError) as caught:
        here.revoke(issued.session_id, **fields)
    assert [field] == [name for name, _ in caught.value.violations]
    assert here.get(issued.session_id).end is None


def test_no_id(here: Process) -> None:
    """A text that no session has for its id is an invalid request."""
    with pytest.raises(InvalidRequestError, match="session_id"):
        here.sessions.revoke(SHOP, session_id="x", token=None, reason="", actor="", request_id="", now=0)


def test_repetition_gets_the_first_answer(installation: Installation, here: Process) -> None:
    """The same request again says that it ended the session, at the revision of then."""
    issued, other = here.login(), here.login()
    first = here.revoke(issued.session_id, request_id="v1")
    here.revoke(other.session_id)
    installation.clock.advance(3)
    assert first == here.revoke(issued.session_id, request_id="v1")
    assert 2 == installation.events().count(EventKind.SESSION_REVOKED)


def test_repetition_of_a_call_that_came_too_late(here: Process) -> None:
    """The same request again says that it did not end the session, where it did not."""
    issued = here.login()
    here.revoke(issued.session_id)
    first = here.revoke(issued.session_id, request_id="v1")
    here.revoke(here.login().session_id)
    assert not first.ended_by_this_call
    assert first == here.revoke(issued.session_id, request_id="v1")


@pytest.mark.parametrize("other", [{"reason": "other"}, {"actor": "other"}, {"session_id": UNKNOWN_ID}])
def test_other_request_with_the_same_id(here: Process, other: dict[str, Any]) -> None:
    """The same id with another request is refused, before anything is said of the session."""
    issued = here.login()
    here.revoke(issued.session_id, request_id="v1")
    with pytest.raises(RequestIdReusedError):
        here.revoke(**{"session_id": issued.session_id, "request_id": "v1", **other})


def test_store_that_fails_after_the_write(installation: Installation, here: Process) -> None:
    """Where this process cannot make sure that it knows, the outcome is unknown; the same call again finds out."""
    issued = here.login()
    read = installation.store.revision
    installation.store.meanwhile = [lambda: setattr(installation.store, "down", True)]
    with pytest.raises(IndeterminateError):
        here.revoke(issued.session_id, request_id="v1")
    with pytest.raises(StoreUnavailableError):
        read()
    installation.store.down = False
    assert here.revoke(issued.session_id, request_id="v1").ended_by_this_call
