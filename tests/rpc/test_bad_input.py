"""Bad requests: each gets its exact status, reason and field, and nothing is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sessiond.token.claims import RESERVED_CLAIMS
from sessiond.v1 import key_service_pb2 as keys_pb
from sessiond.v1 import session_service_pb2 as pb
from sessiond.v1 import verification_service_pb2 as verification_pb
from tests.rpc.answers import Answer, answer, invalid, refusal
from tests.rpc.world import World

UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
DEEP = '{"a":' * 100 + "1" + "}" * 100
TOO_LONG = json.dumps({"a": "x" * 2048})
MEGABYTE = json.dumps({"a": "x" * 1_048_576})


CREATE: list[tuple[str, dict[str, Any], str]] = [
    ("no tenant", {"tenant": ""}, "tenant"),
    ("tenant too long", {"tenant": "t" * 64}, "tenant"),
    ("tenant too long in bytes", {"tenant": "é" * 32}, "tenant"),
    ("tenant with NUL", {"tenant": "a\0b"}, "tenant"),
    ("no subject", {"subject": ""}, "subject"),
    ("subject too long", {"subject": "s" * 256}, "subject"),
    ("subject with NUL", {"subject": "a\0"}, "subject"),
    ("client too long", {"client_id": "c" * 256}, "client_id"),
    ("client with NUL", {"client_id": "\0"}, "client_id"),
    ("audience too long", {"audience": "a" * 256}, "audience"),
    ("audience with NUL", {"audience": "a\0"}, "audience"),
    ("label too long", {"device": {"label": "l" * 65}}, "device.label"),
    ("label with NUL", {"device": {"label": "l\0"}}, "device.label"),
    ("no address", {"device": {"ip": "300.1.1.1"}}, "device.ip"),
    ("address with port", {"device": {"ip": "192.0.2.1:80"}}, "device.ip"),
    ("claims no JSON", {"claims_json": "{"}, "claims_json"),
    ("claims no object", {"claims_json": "[]"}, "claims_json"),
    ("claims twice the same name", {"claims_json": '{"a":1,"a":2}'}, "claims_json"),
    ("claims nested 100 deep", {"claims_json": DEEP}, "claims_json"),
    ("claims nested 9 deep", {"claims_json": '{"a":' * 9 + "1" + "}" * 9}, "claims_json"),
    ("claims too long", {"claims_json": TOO_LONG}, "claims_json"),
    ("claims of a megabyte", {"claims_json": MEGABYTE}, "claims_json"),
    ("claims with NaN", {"claims_json": '{"a":NaN}'}, "claims_json"),
    ("claims with NUL", {"claims_json": '{"a":"\0"}'}, "claims_json"),
    ("claims with escaped NUL", {"claims_json": '{"a":"\\u0000"}'}, "claims_json"),
    ("claims with half a surrogate pair", {"claims_json": '{"a":"\\ud800"}'}, "claims_json"),
    ("data no JSON", {"data_json": "x"}, "data_json"),
    ("data nested 100 deep", {"data_json": DEEP}, "data_json"),
    ("data too long", {"data_json": TOO_LONG}, "data_json"),
    ("data of a megabyte", {"data_json": MEGABYTE}, "data_json"),
    ("absolute lifetime negative", {"absolute_lifetime": {"seconds": -1}}, "absolute_lifetime"),
    ("absolute lifetime 0", {"absolute_lifetime": {}}, "absolute_lifetime"),
    ("absolute lifetime too short", {"absolute_lifetime": {"seconds": 59}}, "absolute_lifetime"),
    ("absolute lifetime huge", {"absolute_lifetime": {"seconds": 315_576_000_000}}, "absolute_lifetime"),
    ("absolute lifetime beyond int64 range", {"absolute_lifetime": {"seconds": 2**63 - 1}}, "absolute_lifetime"),
    ("absolute lifetime with a fraction", {"absolute_lifetime": {"seconds": 60, "nanos": 1}}, "absolute_lifetime"),
    ("idle lifetime negative", {"idle_lifetime": {"seconds": -(2**63)}}, "idle_lifetime"),
    ("idle lifetime too short", {"idle_lifetime": {"seconds": 59}}, "idle_lifetime"),
    (
        "idle lifetime above the absolute one",
        {"absolute_lifetime": {"seconds": 60}, "idle_lifetime": {"seconds": 61}},
        "idle_lifetime",
    ),
    ("access lifetime negative", {"access_token_lifetime": {"seconds": -300}}, "access_token_lifetime"),
    ("access lifetime too short", {"access_token_lifetime": {"seconds": 9}}, "access_token_lifetime"),
    ("access lifetime too long", {"access_token_lifetime": {"seconds": 301}}, "access_token_lifetime"),
    ("access lifetime huge", {"access_token_lifetime": {"seconds": 2**62}}, "access_token_lifetime"),
    (
        "access lifetime with a fraction",
        {"access_token_lifetime": {"seconds": 60, "nanos": 5}},
        "access_token_lifetime",
    ),
    ("request id too long", {"request_id": "r" * 65}, "request_id"),
    ("request id beyond ASCII", {"request_id": "é"}, "request_id"),
    ("request id with a control character", {"request_id": "a\n"}, "request_id"),
    *(
        (f"claim {name} is reserved", {"claims_json": json.dumps({name: 1})}, "claims_json")
        for name in sorted(RESERVED_CLAIMS)
    ),
]

REFRESH: list[tuple[str, dict[str, Any], str]] = [
    ("retry key too short", {"retry_key": b"k" * 15}, "retry_key"),
    ("retry key too long", {"retry_key": b"k" * 65}, "retry_key"),
    ("request id too long", {"request_id": "r" * 65}, "request_id"),
    ("tenant too long", {"tenant": "t" * 64}, "tenant"),
    ("label too long", {"device": {"label": "l" * 65}}, "device.label"),
    ("no address", {"device": {"ip": "nowhere"}}, "device.ip"),
    ("token of a megabyte", {"refresh_token": "s" * 1_048_576}, "refresh_token"),
]

IDS = [
    "",
    "x",
    UNKNOWN_ID.upper(),
    UNKNOWN_ID + "0",
    UNKNOWN_ID[:-1],
    "9f8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d",
    f"{{{UNKNOWN_ID}}}",
]

OTHERS: list[tuple[str, str, Any, str]] = [
    *(
        (f"GetSession of {text!r}", "sessions.GetSession", pb.GetSessionRequest(session_id=text), "session_id")
        for text in IDS
    ),
    *(
        (f"RevokeSession of {text!r}", "sessions.RevokeSession", pb.RevokeSessionRequest(session_id=text), "session_id")
        for text in IDS
    ),
    ("RevokeSession of nothing", "sessions.RevokeSession", pb.RevokeSessionRequest(reason="r"), "target"),
    (
        "reason too long",
        "sessions.RevokeSession",
        pb.RevokeSessionRequest(session_id=UNKNOWN_ID, reason="r" * 256),
        "reason",
    ),
    (
        "actor too long",
        "sessions.RevokeSession",
        pb.RevokeSessionRequest(session_id=UNKNOWN_ID, actor="a" * 256),
        "actor",
    ),
    (
        "reason with NUL",
        "sessions.RevokeSession",
        pb.RevokeSessionRequest(session_id=UNKNOWN_ID, reason="\0"),
        "reason",
    ),
    (
        "page size negative",
        "sessions.ListSessions",
        pb.ListSessionsRequest(tenant="acme", subject="alice", page_size=-1),
        "page_size",
    ),
    (
        "page size too large",
        "sessions.ListSessions",
        pb.ListSessionsRequest(tenant="acme", subject="alice", page_size=1001),
        "page_size",
    ),
    (
        "page token made up",
        "sessions.ListSessions",
        pb.ListSessionsRequest(tenant="acme", subject="alice", page_token="next"),
        "page_token",
    ),
    (
        "page token of the right length",
        "sessions.ListSessions",
        pb.ListSessionsRequest(tenant="acme", subject="alice", page_token="A" * 32),
        "page_token",
    ),
    ("ListSessions without tenant", "sessions.ListSessions", pb.ListSessionsRequest(subject="alice"), "tenant"),
    ("ListSessions without subject", "sessions.ListSessions", pb.ListSessionsRequest(tenant="acme"), "subject"),
    (
        "mask with an unknown path",
        "sessions.UpdateSession",
        pb.UpdateSessionRequest(session={"session_id": UNKNOWN_ID}, update_mask={"paths": ["claims_json", "subject"]}),
        "update_mask",
    ),
    (
        "mask with everything",
        "sessions.UpdateSession",
        pb.UpdateSessionRequest(session={"session_id": UNKNOWN_ID}, update_mask={"paths": ["*"]}),
        "update_mask",
    ),
    (
        "mask missing",
        "sessions.UpdateSession",
        pb.UpdateSessionRequest(session={"session_id": UNKNOWN_ID}),
        "update_mask",
    ),
    (
        "UpdateSession of no id",
        "sessions.UpdateSession",
        pb.UpdateSessionRequest(session={"session_id": "x"}, update_mask={"paths": ["data_json"]}),
        "session.session_id",
    ),
    (
        "UpdateSession with reserved claims",
        "sessions.UpdateSession",
        pb.UpdateSessionRequest(
            session={"session_id": UNKNOWN_ID, "claims_json": '{"sub":1}'}, update_mask={"paths": ["claims_json"]}
        ),
        "session.claims_json",
    ),
    *(
        (
            f"UpdateSession, {name}",
            "sessions.UpdateSession",
            pb.UpdateSessionRequest(session={"session_id": UNKNOWN_ID, field: text}, update_mask={"paths": [field]}),
            f"session.{field}",
        )
        for field in ("claims_json", "data_json")
        for name, text in ((f"{field} nested 100 deep", DEEP), (f"{field} too long", TOO_LONG), (f"{field} 5", "5"))
    ),
    (
        "UpdateSession with claims of a megabyte",
        "sessions.UpdateSession",
        pb.UpdateSessionRequest(
            session={"session_id": UNKNOWN_ID, "claims_json": MEGABYTE}, update_mask={"paths": ["claims_json"]}
        ),
        "session",
    ),
    (
        "etag made up",
        "sessions.UpdateSession",
        pb.UpdateSessionRequest(
            session={"session_id": UNKNOWN_ID, "etag": "e" * 100}, update_mask={"paths": ["data_json"]}
        ),
        "session.etag",
    ),
    *(
        (f"request id too long in {method}", method, request_, "request_id")
        for method, request_ in (
            (
                "sessions.UpdateSession",
                pb.UpdateSessionRequest(
                    session={"session_id": UNKNOWN_ID}, update_mask={"paths": ["data_json"]}, request_id="r" * 65
                ),
            ),
            ("sessions.RevokeSession", pb.RevokeSessionRequest(session_id=UNKNOWN_ID, request_id="r" * 65)),
            ("keys.RotateKey", keys_pb.RotateKeyRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS, request_id="r" * 65)),
            ("keys.RevokeKey", keys_pb.RevokeKeyRequest(key_id="0" * 16, request_id="r" * 65)),
        )
    ),
    (
        "ListSessions with a long tenant",
        "sessions.ListSessions",
        pb.ListSessionsRequest(tenant="t" * 64, subject="alice"),
        "tenant",
    ),
    (
        "tenant to verify for too long",
        "verification.Verify",
        verification_pb.VerifyRequest(access_token="x", tenant="t" * 64),
        "tenant",
    ),
    ("RotateKey of no purpose", "keys.RotateKey", keys_pb.RotateKeyRequest(), "purpose"),
    ("RotateKey of an unknown purpose", "keys.RotateKey", keys_pb.RotateKeyRequest(purpose=99), "purpose"),  # type: ignore[arg-type]
    ("GetKeyset of an unknown purpose", "keys.GetKeyset", keys_pb.GetKeysetRequest(purpose=-1), "purpose"),  # type: ignore[arg-type]
    ("RevokeKey of no id", "keys.RevokeKey", keys_pb.RevokeKeyRequest(), "key_id"),
    ("RevokeKey of text", "keys.RevokeKey", keys_pb.RevokeKeyRequest(key_id="0123456789abcdeg"), "key_id"),
    ("RevokeKey of capitals", "keys.RevokeKey", keys_pb.RevokeKeyRequest(key_id="0123456789ABCDEF"), "key_id"),
    (
        "RevokeKey with a long reason",
        "keys.RevokeKey",
        keys_pb.RevokeKeyRequest(key_id="0" * 16, reason="r" * 256),
        "reason",
    ),
    (
        "audience to verify too long",
        "verification.Verify",
        verification_pb.VerifyRequest(access_token="x", audience="a" * 256),
        "audience",
    ),
    (
        "access token of a megabyte",
        "verification.Verify",
        verification_pb.VerifyRequest(access_token="e" * 1_048_576),
        "access_token",
    ),
]

NOT_UTF8: list[tuple[str, bytes, str]] = [
    ("SessionService/CreateSession", b"\x0a\x02\xff\xfe", "tenant"),
    ("SessionService/CreateSession", b"\x0a\x01t\x12\x01\xc0", "subject"),
    ("SessionService/CreateSession", b"\x2a\x01\x80", "claims_json"),
    ("SessionService/CreateSession", b"\x32\x01\x80", "data_json"),
    ("SessionService/CreateSession", b"\x3a\x03\x0a\x01\xff", "device.label"),
    ("SessionService/Refresh", b"\x0a\x01\xff", "refresh_token"),
    ("SessionService/GetSession", b"\x0a\x01\xff", "session_id"),
    ("SessionService/UpdateSession", b"\x0a\x03\x32\x01\xff", "session.claims_json"),
    ("SessionService/UpdateSession", b"\x12\x03\x0a\x01\xff", "update_mask.paths[0]"),
    ("SessionService/RevokeSession", b"\x12\x01\xff", "token"),
    ("VerificationService/Verify", b"\x0a\x01\xff", "access_token"),
    ("KeyService/RevokeKey", b"\x0a\x01\xff", "key_id"),
    ("KeyService/RotateKey", b"\xff\xff", "request"),
]


def contents_of(seeded: World) -> Any:
    """Give all that the store holds."""
    assert seeded.seeded is not None
    return seeded.contents(seeded.seeded.session_id)


@pytest.fixture
def seeded(shared: World) -> World:
    """Give an authority with one session in it."""
    if shared.seeded is None:
        shared.seeded = shared.login(request_id="first")
    return shared


@pytest.mark.parametrize(("fields", "field"), [one[1:] for one in CREATE], ids=[one[0] for one in CREATE])
def test_bad_login(seeded: World, fields: dict[str, Any], field: str) -> None:
    """A login that breaks a limit is INVALID_ARGUMENT under the name of its field, and nothing is written."""
    before = contents_of(seeded)
    request = pb.CreateSessionRequest(**{"tenant": "acme", "subject": "alice", **fields})
    assert invalid(field) == answer(seeded.sessions.CreateSession, request)
    assert before == contents_of(seeded)


@pytest.mark.parametrize(("fields", "field"), [one[1:] for one in REFRESH], ids=[one[0] for one in REFRESH])
def test_bad_refresh(seeded: World, fields: dict[str, Any], field: str) -> None:
    """A refresh that breaks a limit is INVALID_ARGUMENT under the name of its field, and the token is not spent."""
    before = contents_of(seeded)
    assert seeded.seeded is not None
    request = pb.RefreshRequest(**{"refresh_token": seeded.seeded.refresh_token, **fields})
    assert invalid(field) == answer(seeded.sessions.Refresh, request)
    assert before == contents_of(seeded)


@pytest.mark.parametrize(("method", "request_", "field"), [one[1:] for one in OTHERS], ids=[one[0] for one in OTHERS])
def test_bad_request(seeded: World, method: str, request_: Any, field: str) -> None:
    """A request that breaks a limit is INVALID_ARGUMENT under the name of its field, and nothing is written."""
    before = contents_of(seeded)
    service, name = method.split(".")
    assert invalid(field) == answer(getattr(getattr(seeded, service), name), request_)
    assert before == contents_of(seeded)


@pytest.mark.parametrize(("method", "payload", "field"), NOT_UTF8)
def test_string_that_is_not_utf8(seeded: World, method: str, payload: bytes, field: str) -> None:
    """A string that is not UTF-8 is INVALID_ARGUMENT under the name of its field, and nothing is written."""
    before = contents_of(seeded)
    assert invalid(field) == answer(seeded.raw(method), payload)
    assert before == contents_of(seeded)


def test_every_violation_is_named(seeded: World) -> None:
    """A request with several bad fields learns of all of them at once."""
    request = pb.CreateSessionRequest(tenant="", subject="", claims_json="[]", request_id="é")
    refused = refusal(seeded.sessions.CreateSession, request)
    assert ["claims_json", "request_id", "subject", "tenant"] == sorted(refused.answer.fields)


def test_long_user_agent_is_cut(here: World) -> None:
    """A user agent above its limit is cut, not refused: no client can choose it."""
    tokens = here.login(device={"user_agent": "Mozilla/5.0 " * 20})
    shown = here.sessions.GetSession(pb.GetSessionRequest(session_id=tokens.session_id)).session
    assert ("Mozilla/5.0 " * 20)[:64] == shown.device.user_agent


@pytest.mark.parametrize(
    ("method", "request_", "expected"),
    [
        (
            "sessions.GetSession",
            pb.GetSessionRequest(session_id=UNKNOWN_ID),
            Answer("NOT_FOUND", "SESSION_NOT_FOUND", "", "FIX_THE_CALLER"),
        ),
        (
            "sessions.RevokeSession",
            pb.RevokeSessionRequest(session_id=UNKNOWN_ID),
            Answer("NOT_FOUND", "SESSION_NOT_FOUND", "", "FIX_THE_CALLER"),
        ),
        (
            "sessions.UpdateSession",
            pb.UpdateSessionRequest(session={"session_id": UNKNOWN_ID}, update_mask={"paths": ["data_json"]}),
            Answer("NOT_FOUND", "SESSION_NOT_FOUND", "", "FIX_THE_CALLER"),
        ),
        (
            "keys.RevokeKey",
            keys_pb.RevokeKeyRequest(key_id="00" * 8),
            Answer("NOT_FOUND", "KEY_NOT_FOUND", "", "FIX_THE_CALLER"),
        ),
        (
            "sessions.CreateSession",
            pb.CreateSessionRequest(tenant="acme", subject="bob", request_id="first"),
            Answer("INVALID_ARGUMENT", "REQUEST_ID_REUSED", "", "FIX_THE_CALLER"),
        ),
    ],
    ids=["GetSession", "RevokeSession", "UpdateSession", "RevokeKey", "request id reused"],
)
def test_unknown_things(seeded: World, method: str, request_: Any, expected: Answer) -> None:
    """What is not there is NOT_FOUND, and nothing is written."""
    before = contents_of(seeded)
    service, name = method.split(".")
    assert expected == answer(getattr(getattr(seeded, service), name), request_)
    assert before == contents_of(seeded)


def test_stale_etag(here: World) -> None:
    """An update with an etag that is not current is ABORTED, and changes nothing."""
    tokens = here.login()
    mask = {"paths": ["data_json"]}
    first = here.sessions.GetSession(pb.GetSessionRequest(session_id=tokens.session_id)).session
    session = {"session_id": tokens.session_id, "data_json": '{"a":1}', "etag": first.etag}
    here.sessions.UpdateSession(pb.UpdateSessionRequest(session=session, update_mask=mask))
    session["data_json"] = '{"a":2}'
    request = pb.UpdateSessionRequest(session=session, update_mask=mask)
    assert Answer("ABORTED", "ETAG_MISMATCH", "", "FIX_THE_CALLER") == answer(here.sessions.UpdateSession, request)
    assert here.record(tokens.session_id).data_json == '{"a":1}'


def test_update_of_an_ended_session(here: World) -> None:
    """An ended session cannot be changed; the answer has the cause of its end."""
    tokens = here.login()
    here.revoke(tokens.session_id)
    request = pb.UpdateSessionRequest(session={"session_id": tokens.session_id}, update_mask={"paths": ["data_json"]})
    expected = Answer("FAILED_PRECONDITION", "SESSION_ENDED", "REVOKED", "LOG_IN_AGAIN")
    assert expected == answer(here.sessions.UpdateSession, request)


def test_page_token_of_another_subject(here: World) -> None:
    """A page token serves only the subject it was made for."""
    for _ in range(2):
        here.login()
        here.login(subject="bob")
    page = here.sessions.ListSessions(pb.ListSessionsRequest(tenant="acme", subject="alice", page_size=1))
    request = pb.ListSessionsRequest(tenant="acme", subject="bob", page_size=1, page_token=page.next_page_token)
    assert page.next_page_token
    assert invalid("page_token") == answer(here.sessions.ListSessions, request)
