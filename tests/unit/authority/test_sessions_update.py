"""UpdateSession: what is replaced, under which conditions, and what its repetition does."""

from __future__ import annotations

import json
from dataclasses import replace as with_fields
from typing import Any

import pytest
from msgspec.structs import replace

from sessiond.authority.caller import Caller
from sessiond.authority.events import EventKind
from sessiond.authority.requests import request_key
from sessiond.authority.sessions import Login, etag
from sessiond.errors import (
    Cause,
    EtagMismatchError,
    InternalFaultError,
    InvalidRequestError,
    RequestIdReusedError,
    SessionEndedError,
    SessionNotFoundError,
)
from sessiond.store.records import ScopeKind
from sessiond.token.format import ACCESS_INSTANTS, ACCESS_MAX_LENGTH
from tests.unit.authority.installation import Installation, Process

FULL = Login("acme", "alice", claims_json='{"a":1}', data_json='{"b":2}')
SHOP = Caller("shop", frozenset({"issuer"}), frozenset({"acme"}))
OTHERS = Caller("others", frozenset({"issuer"}), frozenset({"other"}))
UNKNOWN_ID = bytes.fromhex("01890a5dac96774bbcceb302099a8057")


@pytest.mark.parametrize(
    ("mask", "claims", "data"),
    [
        ({"claims_json": '{"a":9}'}, '{"a":9}', '{"b":2}'),
        ({"data_json": '{"b":9}'}, '{"a":1}', '{"b":9}'),
        ({"claims_json": '{"a":9}', "data_json": '{"b":9}'}, '{"a":9}', '{"b":9}'),
        ({"claims_json": ""}, "", '{"b":2}'),
        ({"data_json": ""}, '{"a":1}', ""),
        ({"claims_json": ' { "a" : 5.0 } '}, ' { "a" : 5.0 } ', '{"b":2}'),
    ],
)
def test_only_what_is_named_is_replaced(
    installation: Installation, here: Process, mask: dict[str, Any], claims: str, data: str
) -> None:
    """A text that is named is replaced verbatim, an empty one removes it, one that is not named stays."""
    issued = here.login(login=FULL)
    before = installation.record(issued.session_id)
    after = here.update(issued.session_id, SHOP, **mask)
    assert replace(before, claims_json=claims, data_json=data) == after == installation.record(issued.session_id)


def test_change_has_its_event(installation: Installation, here: Process) -> None:
    """A change is one event that names the fields and the caller, and raises no revision."""
    issued = here.login(login=FULL)
    before = installation.store.revision()
    here.update(issued.session_id, SHOP, claims_json="{}", data_json="{}", request_id="u1")
    event = installation.store.events_after(0, 100)[0][-1]
    assert (EventKind.SESSION_UPDATED, installation.now, issued.session_id, "shop") == (
        event.kind,
        event.at,
        event.session_id,
        event.caller,
    )
    assert ({"fields": "claims_json,data_json"}, request_key("shop", "UpdateSession", "u1")) == (
        event.details,
        event.request_hash,
    )
    assert before == installation.store.revision()


def test_event_of_a_call_without_a_name(installation: Installation, here: Process) -> None:
    """The event of a call without a request id names no request."""
    here.update(here.login().session_id, data_json="{}")
    event = installation.store.events_after(0, 100)[0][-1]
    assert (EventKind.SESSION_UPDATED, b"", {"fields": "data_json"}) == (event.kind, event.request_hash, event.details)


def test_issued_access_tokens_keep_their_claims(here: Process) -> None:
    """An access token that was issued before verifies on, with the claims that it was issued with."""
    issued = here.login(login=FULL)
    here.update(issued.session_id, claims_json="{}")
    assert '{"a":1}' == here.verify(issued.access_token).claims_json


def test_etag_guards_against_a_change_in_between(installation: Installation, here: Process) -> None:
    """With an etag only what was read is changed; an old one changes nothing."""
    issued = here.login(login=FULL)
    read = etag(here.get(issued.session_id))
    changed = here.update(issued.session_id, data_json='{"b":3}', etag=read)
    with pytest.raises(EtagMismatchError):
        here.update(issued.session_id, data_json='{"b":4}', etag=read)
    assert changed == installation.record(issued.session_id)
    assert '{"b":4}' == here.update(issued.session_id, data_json='{"b":4}', etag=etag(changed)).data_json


def test_etag_covers_claims_and_data_alone(installation: Installation, here: Process) -> None:
    """The etag changes with the claims and the data, and with nothing else."""
    issued = here.login(login=FULL)
    before = installation.record(issued.session_id)
    here.refresh(issued.refresh_token)
    after = installation.record(issued.session_id)
    assert before != after
    assert etag(before) == etag(after)
    others = [
        replace(before, claims_json='{"a":2}'),
        replace(before, data_json='{"b":3}'),
        replace(before, claims_json=before.data_json, data_json=before.claims_json),
        replace(before, claims_json='{"a":1}{"b":2}', data_json=""),
        replace(before, claims_json="", data_json=""),
    ]
    assert 1 + len(others) == len({etag(before), *map(etag, others)})


def test_repetition_changes_nothing(installation: Installation, here: Process) -> None:
    """The same request again changes nothing and gives the session as it is by then, whatever its etag is."""
    issued = here.login(login=FULL)
    read = etag(here.get(issued.session_id))
    here.update(issued.session_id, data_json='{"b":3}', etag=read, request_id="u1")
    later = here.update(issued.session_id, data_json='{"b":4}')
    again = here.update(issued.session_id, data_json='{"b":3}', etag=read, request_id="u1")
    assert later == again == installation.record(issued.session_id)
    assert 2 == installation.events().count(EventKind.SESSION_UPDATED)


def test_repetition_after_the_end(here: Process) -> None:
    """A repetition after the session has ended shows it with its end: the change was made before."""
    issued = here.login(login=FULL)
    here.update(issued.session_id, data_json="{}", request_id="u1")
    here.revoke(issued.session_id)
    again = here.update(issued.session_id, data_json="{}", request_id="u1")
    assert ("{}", Cause.REVOKED) == (again.data_json, again.end.cause if again.end else None)


@pytest.mark.parametrize(
    "other",
    [
        {"data_json": "{}", "claims_json": ""},
        {"data_json": ""},
        {"claims_json": "{}"},
        {"data_json": "{}", "etag": "e"},
    ],
)
def test_other_request_with_the_same_id(here: Process, other: dict[str, Any]) -> None:
    """The same id with another request is refused."""
    issued = here.login()
    here.update(issued.session_id, data_json="{}", request_id="u1")
    with pytest.raises(RequestIdReusedError):
        here.update(issued.session_id, request_id="u1", **other)


def test_request_id_belongs_to_the_session(here: Process) -> None:
    """The same id for another session is another request."""
    here.update(here.login().session_id, data_json="{}", request_id="u1")
    with pytest.raises(RequestIdReusedError):
        here.update(here.login().session_id, data_json="{}", request_id="u1")


def test_ended_session(installation: Installation, here: Process) -> None:
    """An ended session cannot be changed; the answer has the cause of its end."""
    issued = here.login()
    here.revoke(issued.session_id)
    before = installation.record(issued.session_id)
    with pytest.raises(SessionEndedError) as caught:
        here.update(issued.session_id, data_json="{}")
    assert (Cause.REVOKED, before) == (caught.value.cause, installation.record(issued.session_id))
    assert "SESSION_ENDED: REVOKED: the session was ended on purpose" == str(caught.value)


def test_cut_session(installation: Installation, here: Process) -> None:
    """Nor can one that a cut covers."""
    issued = here.login()
    installation.cut(ScopeKind.SUBJECT)
    with pytest.raises(SessionEndedError) as caught:
        here.update(issued.session_id, data_json="{}")
    assert Cause.SUBJECT_REVOKED is caught.value.cause


def test_session_that_is_not_there(installation: Installation, here: Process) -> None:
    """An unknown session, an idle one and one of another tenant are not found."""
    issued = here.login(login=Login("acme", "alice", idle_seconds=60))
    with pytest.raises(SessionNotFoundError):
        here.update(UNKNOWN_ID, data_json="{}")
    with pytest.raises(SessionNotFoundError):
        here.update(issued.session_id, OTHERS, data_json="{}")
    installation.clock.advance(60)
    with pytest.raises(SessionNotFoundError):
        here.update(issued.session_id, data_json="{}")
    assert [EventKind.SESSION_CREATED] == installation.events()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"claims_json": '{"sub":1}'}, "session.claims_json"),
        ({"claims_json": "x"}, "session.claims_json"),
        ({"data_json": "[]"}, "session.data_json"),
        ({"data_json": "{}", "etag": "e" * 65}, "session.etag"),
        ({"data_json": "{}", "request_id": "é"}, "request_id"),
    ],
)
def test_bad_field(installation: Installation, here: Process, fields: dict[str, Any], field: str) -> None:
    """A field out of its limits is refused under its name, and nothing changes."""
    issued = here.login(login=FULL)
    before = installation.record(issued.session_id)
    with pytest.raises(InvalidRequestError) as caught:
        here.update(issued.session_id, **fields)
    assert ([field], before) == (
        [name for name, _ in caught.value.violations],
        installation.record(issued.session_id),
    )


def test_no_id(here: Process) -> None:
    """A text that no session has for its id is refused under the field's path."""
    with pytest.raises(InvalidRequestError, match=r"^INVALID_REQUEST: session\.session_id: "):
        here.sessions.update(SHOP, "x", claims_json=None, data_json="{}", etag="", request_id="", now=1 << 31)


def test_claims_that_would_make_tokens_too_long(installation: Installation, here: Process) -> None:
    """Claims that make access tokens too long are refused, and the session can be refreshed as before."""
    issued = here.login(login=with_fields(FULL, subject='"' * 255, client_id='"' * 255))
    before = installation.record(issued.session_id)
    with pytest.raises(InvalidRequestError) as caught:
        here.update(issued.session_id, claims_json=json.dumps({"a": "x" * 2000}))
    ((field, text),) = caught.value.violations
    assert ("session.claims_json", before) == (field, installation.record(issued.session_id))
    assert str(ACCESS_MAX_LENGTH) in text
    assert 1 == here.refresh(issued.refresh_token)[0].generation


def test_clock_that_was_never_set(installation: Installation, here: Process) -> None:
    """By a wall clock that cannot be nothing is changed."""
    issued = here.login(login=FULL)
    installation.clock.step_wall(ACCESS_INSTANTS.start - 1 - installation.now)
    with pytest.raises(InternalFaultError):
        here.update(issued.session_id, data_json="{}")
    assert '{"b":2}' == installation.record(issued.session_id).data_json
