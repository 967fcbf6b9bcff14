"""The RPCs that end many sessions, over the wire: their replies, their refusals, and logins that run beside them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from sessiond.v1 import session_pb2
from sessiond.v1 import session_service_pb2 as pb
from tests.rpc.answers import Answer, answer, invalid, refusal
from tests.rpc.world import World, world

START = "2027-01-15T08:00:00Z"
UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
ALICE = {"tenant": "acme", "subject": "alice"}

BAD: list[tuple[str, Any, str]] = [
    ("BatchRevokeSessions", pb.BatchRevokeSessionsRequest(), "session_ids"),
    ("BatchRevokeSessions", pb.BatchRevokeSessionsRequest(session_ids=["x"]), "session_ids[0]"),
    ("BatchRevokeSessions", pb.BatchRevokeSessionsRequest(session_ids=[UNKNOWN_ID] * 2), "session_ids[1]"),
    ("BatchRevokeSessions", pb.BatchRevokeSessionsRequest(session_ids=[UNKNOWN_ID], reason="\0"), "reason"),
    ("RevokeDevice", pb.RevokeDeviceRequest(**ALICE), "device_label"),
    ("RevokeDevice", pb.RevokeDeviceRequest(**ALICE, device_label="l" * 65), "device_label"),
    ("RevokeDevice", pb.RevokeDeviceRequest(tenant="acme", device_label="l"), "subject"),
    ("RevokeDevice", pb.RevokeDeviceRequest(subject="alice", device_label="l"), "tenant"),
    ("RevokeSubject", pb.RevokeSubjectRequest(tenant="acme"), "subject"),
    ("RevokeSubject", pb.RevokeSubjectRequest(subject="alice"), "tenant"),
    ("RevokeSubject", pb.RevokeSubjectRequest(**ALICE, except_session_id="x"), "except_session_id"),
    ("RevokeSubject", pb.RevokeSubjectRequest(**ALICE, actor="a" * 256), "actor"),
    ("RevokeTenant", pb.RevokeTenantRequest(), "tenant"),
    ("RevokeTenant", pb.RevokeTenantRequest(tenant="t" * 64), "tenant"),
    ("RevokeTenant", pb.RevokeTenantRequest(tenant="acme", request_id="r" * 65), "request_id"),
    ("RevokeAll", pb.RevokeAllRequest(reason="r" * 256), "reason"),
    ("RevokeAll", pb.RevokeAllRequest(request_id="é"), "request_id"),
]


@pytest.mark.parametrize(("method", "request_", "field"), BAD)
def test_bad_field_of_a_scope(shared: World, method: str, request_: Any, field: str) -> None:
    """A field out of its limits is refused under its path, and nothing is written."""
    before = shared.store.revision()
    assert invalid(field) == answer(getattr(shared.sessions, method), request_)
    assert before == shared.store.revision()


def test_reply_to_a_list(here: World) -> None:
    """One verdict for each id, in their order, and one revision."""
    first, second = here.login(), here.login()
    here.revoke(second.session_id)
    request = pb.BatchRevokeSessionsRequest(session_ids=[second.session_id, UNKNOWN_ID, first.session_id])
    assert {
        "verdicts": ["REVOCATION_VERDICT_ENDED_BEFORE", "REVOCATION_VERDICT_NOT_FOUND", "REVOCATION_VERDICT_ENDED"],
        "revision": str(here.store.revision() + 1),
    } == MessageToDict(here.sessions.BatchRevokeSessions(request), preserving_proto_field_name=True)


def test_greatest_list_fits_the_request(here: World) -> None:
    """A thousand ids are within what the server reads."""
    request = pb.BatchRevokeSessionsRequest(
        session_ids=[f"{UNKNOWN_ID[:-4]}{number:04x}" for number in range(1000)], reason="r" * 255, actor="a" * 255
    )
    assert [3] * 1000 == list(here.sessions.BatchRevokeSessions(request).verdicts)


def test_reply_to_a_device(here: World) -> None:
    """The ids of what ended, oldest first, and one revision."""
    ids = [here.login(device={"label": "phone"}).session_id for _ in range(2)]
    reply = here.sessions.RevokeDevice(pb.RevokeDeviceRequest(**ALICE, device_label="phone"))
    assert (sorted(ids), here.store.revision()) == (list(reply.session_ids), reply.revision)


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("RevokeSubject", pb.RevokeSubjectRequest(**ALICE)),
        ("RevokeTenant", pb.RevokeTenantRequest(tenant="acme")),
        ("RevokeAll", pb.RevokeAllRequest()),
    ],
)
def test_reply_to_a_cut(here: World, method: str, request_: Any) -> None:
    """When it was done, and one revision."""
    reply = getattr(here.sessions, method)(request_)
    assert {"ended_at": START, "revision": str(here.store.revision())} == MessageToDict(
        reply, preserving_proto_field_name=True
    )


def test_session_that_cannot_be_spared_over_the_wire(here: World) -> None:
    """An unknown one is NOT_FOUND, a dead one FAILED_PRECONDITION with the cause of its end."""
    dead = here.login()
    here.revoke(dead.session_id)
    unknown = pb.RevokeSubjectRequest(**ALICE, except_session_id=UNKNOWN_ID)
    ended = pb.RevokeSubjectRequest(**ALICE, except_session_id=dead.session_id)
    assert ("NOT_FOUND", "SESSION_NOT_FOUND") == answer(here.sessions.RevokeSubject, unknown)[:2]
    expected = ("FAILED_PRECONDITION", "SESSION_ENDED", "REVOKED")
    assert expected == answer(here.sessions.RevokeSubject, ended)[:3]


def test_login_beyond_the_limit_over_the_wire() -> None:
    """The status is FAILED_PRECONDITION, the message names limit and way out, the advice keeps what there is."""
    with world(policy={"max_sessions": 2}) as here:
        here.login()
        here.login()
        refused = refusal(here.login)
    assert Answer("FAILED_PRECONDITION", "TOO_MANY_SESSIONS", "", "KEEP_CURRENT_TOKENS") == refused.answer
    assert "the subject may have 2 living sessions (policy.max_sessions) and has 2: end one of them" in refused.message


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("RevokeSubject", pb.RevokeSubjectRequest(**ALICE)),
        ("RevokeTenant", pb.RevokeTenantRequest(tenant="acme")),
        ("RevokeAll", pb.RevokeAllRequest()),
    ],
)
def test_no_login_and_no_refresh_slips_through_a_cut(here: World, method: str, request_: Any) -> None:
    """
    Sessions are opened and refreshed by several callers while their scope is cut again and again.

    Whatever was handed out before a cut was asked for is refused once that is
    acknowledged; what was handed out after the last is good.
    """
    stop, handed_out = threading.Event(), list[session_pb2.IssuedTokens]()

    def keep_opening() -> None:
        while not stop.is_set():
            tokens = here.login()
            handed_out.append(tokens)
            try:
                handed_out.append(here.refresh(tokens.refresh_token).tokens)
            except grpc.RpcError as error:
                assert "REVOKED" in str(error.details())  # noqa: PT017 - any other end fails the thread

    with ThreadPoolExecutor(4) as callers:
        running = [callers.submit(keep_opening) for _ in range(4)]
        for _ in range(5):
            n_before = len(handed_out)
            while len(handed_out) < n_before + 8 and not any(one.done() for one in running):
                stop.wait(0.001)
            before = list(handed_out)
            getattr(here.sessions, method)(request_)
            for tokens in before[-40:]:
                assert "UNAUTHENTICATED" == answer(here.verify, tokens.access_token).code
        stop.set()
        for one in running:
            one.result()
    last = here.login()
    assert last.session_id == here.verify(last.access_token).session_id
