"""What every RPC answers when all is well, field by field."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from sessiond.v1 import key_service_pb2 as keys_pb
from sessiond.v1 import session_pb2
from sessiond.v1 import session_service_pb2 as pb
from tests.rpc.world import World

NOW = 1_800_000_000
START = "2027-01-15T08:00:00Z"
"""The time of a manual clock at first, as MessageToDict spells it."""
FIRST_REVISION = 1 << 48
DEVICE = {"label": "work laptop", "ip": "2001:db8::7", "user_agent": "Mozilla/5.0"}
LOGIN: dict[str, Any] = {
    "client_id": "shop",
    "audience": "https://api.example",
    "claims_json": '{"plan": "gold"}',
    "data_json": '{"mfa":true}',
    "device": DEVICE,
    "absolute_lifetime": {"seconds": 3600},
    "idle_lifetime": {"seconds": 600},
    "access_token_lifetime": {"seconds": 100},
}


def get(here: World, session_id: str) -> session_pb2.Session:
    """Read a session."""
    reply: pb.GetSessionResponse = here.sessions.GetSession(pb.GetSessionRequest(session_id=session_id))
    return reply.session


def test_issued_tokens(here: World) -> None:
    """A login gets both tokens, when each dies, when to refresh, and the time of the authority."""
    here.clock.advance(0.25)
    issued = here.login(**LOGIN)
    dies = issued.access_token_expires_at.seconds - NOW
    assert 95 <= dies <= 100
    assert (164, "sdr_", 3) == (
        len(issued.refresh_token),
        issued.refresh_token[:4],
        len(issued.access_token.split(".")),
    )
    assert (NOW + 3600, NOW + dies * 80 // 100) == (
        issued.refresh_token_expires_at.seconds,
        issued.refresh_after.seconds,
    )
    assert (NOW * 1000 + 250, 0) == (issued.server_time.ToMilliseconds(), issued.generation)
    assert FIRST_REVISION <= issued.revision
    payload = json.loads(base64.urlsafe_b64decode(issued.access_token.split(".")[1] + "=="))
    assert ("https://api.example", "alice", "shop", "acme", "gold", issued.session_id) == tuple(
        payload[name] for name in ("aud", "sub", "client_id", "tenant", "plan", "sid")
    )


def test_session(here: World) -> None:
    """A session is shown with all that was given for it, its instants and its counters."""
    issued = here.login(**LOGIN)
    shown = MessageToDict(get(here, issued.session_id), always_print_fields_with_no_presence=True)
    assert shown.pop("etag")
    assert {
        "sessionId": issued.session_id,
        "tenant": "acme",
        "subject": "alice",
        "clientId": "shop",
        "audience": "https://api.example",
        "claimsJson": '{"plan": "gold"}',
        "dataJson": '{"mfa":true}',
        "device": {"label": "work laptop", "ip": "2001:db8::7", "userAgent": "Mozilla/5.0"},
        "state": "SESSION_STATE_ACTIVE",
        "createdAt": START,
        "refreshedAt": START,
        "expiresAt": "2027-01-15T09:00:00Z",
        "idleExpiresAt": "2027-01-15T08:10:00Z",
        "generation": 0,
        "counters": {"shared": 0, "retried": 0, "superseded": 0, "refusals": 0},
    } == shown


def test_session_of_a_bare_login(here: World) -> None:
    """What a login leaves out is the configured value, or empty."""
    shown = get(here, here.login().session_id)
    assert ("", "sessiond", "", "", session_pb2.DeviceContext()) == (
        shown.client_id,
        shown.audience,
        shown.claims_json,
        shown.data_json,
        shown.device,
    )
    assert (NOW + 30 * 86_400, NOW + 7 * 86_400) == (shown.expires_at.seconds, shown.idle_expires_at.seconds)


def test_refresh(here: World) -> None:
    """A refresh gets the next generation, moves the idle expiry and not the absolute one, and keeps the device."""
    issued = here.login(**LOGIN)
    here.clock.advance(100)
    reply = here.refresh(issued.refresh_token, device={"ip": "192.0.2.9", "user_agent": "curl"}, tenant="acme")
    shown = get(here, issued.session_id)
    assert (pb.REFRESH_OUTCOME_ROTATED, 1, issued.session_id, NOW + 3600) == (
        reply.outcome,
        reply.tokens.generation,
        reply.tokens.session_id,
        reply.tokens.refresh_token_expires_at.seconds,
    )
    assert reply.tokens.access_token_expires_at.seconds > NOW + 100
    assert (NOW + 100, NOW + 700, NOW + 3600, 1) == (
        shown.refreshed_at.seconds,
        shown.idle_expires_at.seconds,
        shown.expires_at.seconds,
        shown.generation,
    )
    assert ("192.0.2.9", "curl") == (shown.device.ip, shown.device.user_agent)


def test_idle_expiry_is_never_after_the_absolute_one(here: World) -> None:
    """Close to its end a session is shown to end when it does, however it is refreshed."""
    issued = here.login(**LOGIN)
    for _ in range(7):
        here.clock.advance(500)
        issued = here.refresh(issued.refresh_token).tokens
    assert get(here, issued.session_id).idle_expires_at.seconds == NOW + 3600


@pytest.mark.parametrize(
    ("proof", "outcome", "counter"),
    [
        ({"retry_key": b"k" * 32}, pb.REFRESH_OUTCOME_RETRIED, None),
        ({"request_id": "attempt 1"}, pb.REFRESH_OUTCOME_RETRIED, None),
        ({}, pb.REFRESH_OUTCOME_SHARED, "shared"),
    ],
    ids=["retry key", "request id", "nothing"],
)
def test_repeated_refresh(here: World, proof: dict[str, Any], outcome: int, counter: str | None) -> None:
    """The same token again gets the same successor, byte for byte; the outcome says by which right."""
    issued = here.login()
    first = here.refresh(issued.refresh_token, **proof).tokens
    here.serve_for(5)
    again = here.refresh(issued.refresh_token, **proof)
    assert (outcome, first.refresh_token, 1) == (
        again.outcome,
        again.tokens.refresh_token,
        again.tokens.generation,
    )
    shown = get(here, issued.session_id)
    assert (1, 1 if counter == "shared" else 0) == (shown.generation, shown.counters.shared)


def test_late_retry_is_counted(here: World) -> None:
    """A retry long after the window gets the same successor too, and is counted."""
    issued = here.login()
    first = here.refresh(issued.refresh_token, retry_key=b"k" * 32).tokens
    here.serve_for(60)
    again = here.refresh(issued.refresh_token, retry_key=b"k" * 32)
    assert (pb.REFRESH_OUTCOME_RETRIED, first.refresh_token) == (again.outcome, again.tokens.refresh_token)
    assert get(here, issued.session_id).counters.retried == 1


def test_verify(here: World) -> None:
    """Verify tells who an access token speaks for, until when, and the claims verbatim."""
    issued = here.login(**LOGIN)
    reply = here.verify(issued.access_token, audience="https://api.example", min_revision=issued.revision)
    assert (issued.session_id, "acme", "alice", "shop", "https://api.example", 0) == (
        reply.session_id,
        reply.tenant,
        reply.subject,
        reply.client_id,
        reply.audience,
        reply.generation,
    )
    assert (NOW, issued.access_token_expires_at) == (reply.issued_at.seconds, reply.expires_at)
    assert json.loads(reply.claims_json) == {"plan": "gold"}
    assert reply.revision >= issued.revision


def test_list(here: World) -> None:
    """The living sessions of a subject come oldest first, page by page, without those of others and ended ones."""
    mine = []
    for number in range(5):
        mine.append(here.login(data_json=f'{{"n":{number}}}').session_id)
        here.login(subject="bob")
        here.login(tenant="other")
        here.clock.advance(1)
    here.revoke(mine.pop(2))
    request, listed, pages = pb.ListSessionsRequest(tenant="acme", subject="alice", page_size=2), [], 0
    while pages == 0 or request.page_token:
        page = here.sessions.ListSessions(request)
        listed += [session.session_id for session in page.sessions]
        request.page_token = page.next_page_token
        pages += 1
        assert len(page.sessions) <= 2
        assert page.revision > FIRST_REVISION
    assert mine == listed


def test_update(here: World) -> None:
    """An update replaces what its mask names, the next refresh carries it, and an etag guards it."""
    issued = here.login(**LOGIN)
    before = get(here, issued.session_id)
    session = {"session_id": issued.session_id, "claims_json": '{"plan":"blue"}', "data_json": "", "etag": before.etag}
    request = pb.UpdateSessionRequest(session=session, update_mask={"paths": ["claims_json"]})
    after = here.sessions.UpdateSession(request).session
    assert ('{"plan":"blue"}', '{"mfa":true}') == (after.claims_json, after.data_json)
    assert after.etag not in {"", before.etag}
    assert after == get(here, issued.session_id)
    audience = {"audience": "https://api.example"}
    assert json.loads(here.verify(issued.access_token, **audience).claims_json) == {"plan": "gold"}
    refreshed = here.refresh(issued.refresh_token).tokens
    assert json.loads(here.verify(refreshed.access_token, **audience).claims_json) == {"plan": "blue"}


def test_update_that_removes(here: World) -> None:
    """A named field that is empty is removed."""
    issued = here.login(**LOGIN)
    request = pb.UpdateSessionRequest(
        session={"session_id": issued.session_id}, update_mask={"paths": ["claims_json", "data_json"]}
    )
    after = here.sessions.UpdateSession(request).session
    assert ("", "") == (after.claims_json, after.data_json)


def test_revoke(here: World) -> None:
    """Ending a session tells how it ended; ending it again tells of the first end."""
    issued = here.login()
    here.clock.advance(7)
    first = here.revoke(issued.session_id, reason="laptop lost", actor="carol")
    again = here.revoke(issued.session_id, reason="other", actor="other")
    end = session_pb2.SessionEnd(cause="CAUSE_REVOKED", reason="laptop lost", actor="carol")
    end.ended_at.seconds = NOW + 7
    assert (issued.session_id, end, True) == (first.session_id, first.end, first.ended_by_this_call)
    assert (end, False, first.revision) == (again.end, again.ended_by_this_call, again.revision)
    assert first.revision == issued.revision + 1
    shown = get(here, issued.session_id)
    assert (session_pb2.SESSION_STATE_ENDED, end) == (shown.state, shown.end)


def test_revoke_on_ones_own_behalf(here: World) -> None:
    """Where no actor is named it is the caller."""
    assert here.revoke(here.login().session_id).end.actor == "local"


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_revoke_by_a_token_that_has_expired(here: World, kind: str) -> None:
    """Any well-signed token of a session names it, expired or not."""
    issued = here.login()
    here.clock.advance(3_000)
    request = pb.RevokeSessionRequest(token=getattr(issued, kind))
    assert (issued.session_id, True) == (
        (reply := here.sessions.RevokeSession(request)).session_id,
        reply.ended_by_this_call,
    )


def test_repeated_mutations_get_their_first_answer(here: World) -> None:
    """With a request id, a login gives the same session and refresh token, and an end is still this call's doing."""
    first, again = (here.login(request_id="login 1") for _ in range(2))
    assert (first.session_id, first.refresh_token) == (again.session_id, again.refresh_token)
    ends = [here.revoke(first.session_id, reason="r", request_id="end 1") for _ in range(2)]
    assert [(True, ends[0].revision)] * 2 == [(end.ended_by_this_call, end.revision) for end in ends]
    rotate = keys_pb.RotateKeyRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS, activate_immediately=True, request_id="key 1")
    keys = [here.keys.RotateKey(rotate) for _ in range(2)]
    assert (keys[0].key.key_id, keys[0].revision) == (keys[1].key.key_id, keys[1].revision)


def test_rotated_key(here: World) -> None:
    """A key is published first and signs after the publication time; the same one is given while it is PENDING."""
    request = keys_pb.RotateKeyRequest(purpose=keys_pb.KEY_PURPOSE_REFRESH)
    first, again = here.keys.RotateKey(request), here.keys.RotateKey(request)
    key = first.key
    assert (keys_pb.KEY_PURPOSE_REFRESH, keys_pb.KEY_STATE_PENDING, 1, 32, NOW, NOW + 600) == (
        key.purpose,
        key.state,
        key.format,
        len(key.public_key),
        key.created_at.seconds,
        key.activates_at.seconds,
    )
    assert (16, False, False) == (len(key.key_id), key.HasField("retired_at"), key.HasField("revoked_at"))
    assert (key, first.revision) == (again.key, again.revision)


def test_key_that_signs_at_once(here: World) -> None:
    """Told so, a new key signs at once, and the one before goes on verifying until it can be removed."""
    token = here.login().refresh_token
    request = keys_pb.RotateKeyRequest(purpose=keys_pb.KEY_PURPOSE_REFRESH, activate_immediately=True)
    new = here.keys.RotateKey(request).key
    assert new.state == keys_pb.KEY_STATE_ACTIVE
    keyset = here.keys.GetKeyset(keys_pb.GetKeysetRequest(purpose=keys_pb.KEY_PURPOSE_REFRESH)).keys
    assert [new.key_id] == [key.key_id for key in keyset if key.state == keys_pb.KEY_STATE_ACTIVE]
    (before,) = (key for key in keyset if key.key_id != new.key_id)
    assert (keys_pb.KEY_STATE_RETIRING, NOW) == (before.state, before.retired_at.seconds)
    assert before.expires_at.seconds > NOW + 30 * 86_400
    refreshed = here.refresh(token).tokens.refresh_token
    assert base64.urlsafe_b64decode(refreshed[4:])[8:16].hex() == new.key_id


def test_revoked_key(here: World) -> None:
    """A revoked key is replaced in the same step and no longer published; revoking it again changes nothing."""
    before = here.keys.GetKeyset(keys_pb.GetKeysetRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS)).keys[0]
    request = keys_pb.RevokeKeyRequest(key_id=before.key_id, reason="leaked", actor="carol")
    first, again = here.keys.RevokeKey(request), here.keys.RevokeKey(request)
    assert (before.key_id, keys_pb.KEY_STATE_REVOKED, NOW) == (
        first.key.key_id,
        first.key.state,
        first.key.revoked_at.seconds,
    )
    assert (keys_pb.KEY_STATE_ACTIVE, keys_pb.KEY_PURPOSE_ACCESS) == (
        first.replacement.state,
        first.replacement.purpose,
    )
    assert (first.key, False) == (again.key, again.HasField("replacement"))
    assert again.revision >= first.revision
    keyset = here.keys.GetKeyset(keys_pb.GetKeysetRequest())
    assert [first.replacement.key_id] == [key["kid"] for key in json.loads(keyset.jwks_json)["keys"]]
    assert here.verify(here.login().access_token).subject == "alice"


def test_cose_key_set_has_the_keys_that_are_not_revoked(here: World) -> None:
    """The COSE_KeySet holds the public keys of the purpose that was asked for, without revoked ones."""
    old = here.keys.GetKeyset(keys_pb.GetKeysetRequest(purpose=keys_pb.KEY_PURPOSE_REFRESH)).keys[0]
    new = here.keys.RevokeKey(keys_pb.RevokeKeyRequest(key_id=old.key_id)).replacement
    keyset = here.keys.GetKeyset(keys_pb.GetKeysetRequest(purpose=keys_pb.KEY_PURPOSE_REFRESH))
    assert (True, False) == (new.public_key in keyset.cose_key_set, old.public_key in keyset.cose_key_set)
    assert {old.key_id, new.key_id} == {key.key_id for key in keyset.keys}
