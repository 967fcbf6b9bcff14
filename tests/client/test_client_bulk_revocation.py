"""The calls of the client that end many sessions, and the limit of sessions, against a real server."""

from __future__ import annotations

import pytest

from sessiond.client import Client, Device, RevocationVerdict, SessionState
from sessiond.errors import (
    Advice,
    Cause,
    InvalidAccessToken,
    InvalidRefreshToken,
    InvalidRequestError,
    RequestIdReusedError,
    SessionEndedError,
    SessionNotFoundError,
    TooManySessionsError,
)
from tests.rpc.world import World, world

UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_list_of_sessions_is_ended(client: Client) -> None:
    """Each session has its verdict, those that ended keep reason and actor, and a repetition gets it all again."""
    first, second = client.create_session("acme", "alice"), client.create_session("acme", "bob")
    client.revoke_session(second.session_id)
    ids = (first.session_id, second.session_id, UNKNOWN_ID)
    revoked = client.batch_revoke_sessions(ids, reason="breach", actor="security", request_id="v1")
    end = client.get_session(first.session_id).end

    assert (RevocationVerdict.ENDED, RevocationVerdict.ENDED_BEFORE, RevocationVerdict.NOT_FOUND) == revoked.verdicts
    assert end is not None
    assert (Cause.REVOKED, "breach", "security") == (end.cause, end.reason, end.actor)
    with pytest.raises(InvalidAccessToken, match="REVOKED"):
        client.verify(first.access_token, min_revision=revoked.revision)
    assert revoked == client.batch_revoke_sessions(ids, reason="breach", actor="security", request_id="v1")
    with pytest.raises(RequestIdReusedError):
        client.batch_revoke_sessions([UNKNOWN_ID], request_id="v1")
    with pytest.raises(InvalidRequestError, match="session_ids"):
        client.batch_revoke_sessions([])


def test_sessions_of_a_device_are_ended(client: Client) -> None:
    """The ids of what ended come back; sessions on other devices live."""
    phone = client.create_session("acme", "alice", device=Device("phone"))
    laptop = client.create_session("acme", "alice", device=Device("laptop"))
    revoked = client.revoke_device("acme", "alice", "phone", reason="stolen", actor="alice", request_id="v1")
    end = client.get_session(phone.session_id).end

    assert (phone.session_id,) == revoked.session_ids
    assert end is not None
    assert ("stolen", "alice") == (end.reason, end.actor)
    assert SessionState.ACTIVE is client.get_session(laptop.session_id).state
    with pytest.raises(InvalidAccessToken, match="REVOKED"):
        client.verify(phone.access_token, min_revision=revoked.revision)
    assert revoked == client.revoke_device("acme", "alice", "phone", reason="stolen", actor="alice", request_id="v1")


def test_subject_is_ended_but_for_one_session(client: Client, here: World) -> None:
    """The spared session's tokens stay good, every other one is refused, and the time and the revision come back."""
    spared, other = client.create_session("acme", "alice"), client.create_session("acme", "alice")
    revoked = client.revoke_subject(
        "acme", "alice", except_session_id=spared.session_id, reason="password", actor="alice", request_id="v1"
    )
    end = client.get_session(other.session_id).end

    assert here.clock.wall_ms() // 1000 == revoked.ended_at
    assert end is not None
    assert (Cause.SUBJECT_REVOKED, "password", "alice") == (end.cause, end.reason, end.actor)
    assert spared.session_id == client.verify(spared.access_token, min_revision=revoked.revision).session_id
    assert spared.session_id == client.verify(client.refresh(spared.refresh_token).access_token).session_id
    with pytest.raises(InvalidAccessToken, match="SUBJECT_REVOKED"):
        client.verify(other.access_token, min_revision=revoked.revision)
    with pytest.raises(InvalidRefreshToken, match="SUBJECT_REVOKED"):
        client.refresh(other.refresh_token)
    with pytest.raises(SessionEndedError):
        client.revoke_subject("acme", "alice", except_session_id=other.session_id)
    with pytest.raises(SessionNotFoundError):
        client.revoke_subject("acme", "alice", except_session_id=UNKNOWN_ID)


@pytest.mark.parametrize(("scope", "cause"), [("tenant", Cause.TENANT_REVOKED), ("all", Cause.ALL_REVOKED)])
def test_tenant_and_everything_are_ended(client: Client, here: World, scope: str, cause: Cause) -> None:
    """Every session of the scope is refused with its cause; what is opened after it lives, also after a repetition."""
    tokens = client.create_session("acme", "alice")
    notes = {"reason": "breach", "actor": "security", "request_id": "v1"}
    revoked = client.revoke_tenant("acme", **notes) if scope == "tenant" else client.revoke_all(**notes)
    since = client.create_session("acme", "alice")
    again = client.revoke_tenant("acme", **notes) if scope == "tenant" else client.revoke_all(**notes)
    end = client.get_session(tokens.session_id).end

    assert revoked == again
    assert here.clock.wall_ms() // 1000 == revoked.ended_at
    assert end is not None
    assert (cause, "breach", "security") == (end.cause, end.reason, end.actor)
    assert since.session_id == client.verify(since.access_token, min_revision=revoked.revision).session_id
    with pytest.raises(InvalidAccessToken, match=cause.name):
        client.verify(tokens.access_token, min_revision=revoked.revision)


def test_login_beyond_the_limit() -> None:
    """The refusal has its class, its message and its advice, and no cause of a token."""
    with world(policy={"max_sessions": 1}) as here, Client(here.app.address) as client:
        client.create_session("acme", "alice")
        with pytest.raises(TooManySessionsError) as caught:
            client.create_session("acme", "alice")

    assert "the subject may have 1 living session" in caught.value.message
    assert "end one of them" in caught.value.message
    assert Advice.KEEP_CURRENT_TOKENS is caught.value.advice


def test_evicted_session_is_told_so() -> None:
    """The session that made room is shown as EVICTED, with the limit as the reason, and its tokens are refused so."""
    limit = {"max_sessions": 1, "at_max_sessions": "evict_oldest"}
    with world(policy=limit) as here, Client(here.app.address) as client:
        evicted = client.create_session("acme", "alice", request_id="v1")
        tokens = client.create_session("acme", "alice", request_id="v2")
        again = client.create_session("acme", "alice", request_id="v2")
        end = client.get_session(evicted.session_id).end
        with pytest.raises(InvalidAccessToken, match="EVICTED: a newer session of the subject took its place"):
            client.verify(evicted.access_token, min_revision=tokens.revision)
        assert tokens.session_id == client.verify(tokens.access_token).session_id

    assert tokens.refresh_token == again.refresh_token
    assert end is not None
    assert (Cause.EVICTED, "the subject may have 1 living session, and another was opened") == (end.cause, end.reason)
