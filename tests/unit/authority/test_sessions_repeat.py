"""CreateSession again: what the repetition of a login gets, whatever has become of its session."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from sessiond.authority.caller import LOCAL, Caller
from sessiond.authority.events import EventKind
from sessiond.authority.limits import MAX_PAGE_SIZE
from sessiond.authority.sessions import Device, Login
from sessiond.errors import Cause, RequestIdReusedError, SessionEndedError
from sessiond.store.records import Purpose, ScopeKind
from tests.unit.authority.installation import Installation, Process

FULL = Login(
    tenant="acme",
    subject="alice",
    client_id="shop-app",
    audience="billing",
    claims_json='{"role":"admin"}',
    data_json='{"cart":5}',
    device=Device("laptop", "2001:db8::1", "browser"),
    absolute_seconds=3600,
    idle_seconds=600,
    access_seconds=100,
    request_id="first",
)
SHOP = Caller("shop", frozenset({"issuer"}), frozenset({"acme"}))


def test_repetition_gets_the_same_session(installation: Installation, here: Process) -> None:
    """The same request again gives the same session, the very same refresh token and a fresh access token."""
    first = here.login(SHOP, FULL)
    installation.clock.advance(30)
    again = here.login(SHOP, FULL)
    assert (first.refresh_token, first.session_id, 0) == (again.refresh_token, again.session_id, again.generation)
    assert installation.now == again.issued_at == installation.record(first.session_id).access_issued_at
    assert [EventKind.SESSION_CREATED] == installation.events()


def test_repetition_changes_nothing_but_the_last_issue(installation: Installation, here: Process) -> None:
    """The record of a session that was opened again says when its last access token was issued, which never falls."""
    first = here.login(login=FULL)
    before = installation.record(first.session_id)
    for step, later in ((30, 30), (-100, 30)):
        installation.clock.step_wall(step)
        here.login(login=FULL)
        expected = msgspec.structs.replace(before, access_issued_at=before.access_issued_at + later)
        assert expected == installation.record(first.session_id)


def test_repetition_in_another_process(installation: Installation, here: Process) -> None:
    """The repetition may reach another process: it makes the very same token."""
    assert here.login(login=FULL).refresh_token == installation.process("there").login(login=FULL).refresh_token


def test_repetition_after_a_key_change(here: Process) -> None:
    """A token whose key is RETIRING is made again under that key."""
    first = here.login(login=FULL)
    here.rotate_key(Purpose.REFRESH, immediately=True)
    assert first.refresh_token == here.login(login=FULL).refresh_token


@pytest.mark.parametrize("refreshes", [1, 2, 3])
def test_repetition_after_refreshes(here: Process, refreshes: int) -> None:
    """However often the session was refreshed since, its repetition gets the first token, byte for byte."""
    first = here.login(login=FULL)
    newest = first.refresh_token
    for _ in range(refreshes):
        newest = here.refresh(newest)[0].refresh_token
    again = here.login(login=FULL)
    assert (first.refresh_token, first.session_id, 0) == (again.refresh_token, again.session_id, again.generation)
    # The line of the tokens that are in someone's hands is as it was.
    assert refreshes + 1 == here.refresh(newest)[0].generation


def test_other_request_with_the_same_id(here: Process) -> None:
    """The id of a request belongs to everything in it: another field is another request."""
    here.login(login=FULL)
    for other in (
        replace(FULL, subject="bob"),
        replace(FULL, client_id="other"),
        replace(FULL, audience="other"),
        replace(FULL, claims_json="{}"),
        replace(FULL, data_json="{}"),
        replace(FULL, device=replace(FULL.device, label="phone")),
        replace(FULL, device=replace(FULL.device, ip="192.0.2.1")),
        replace(FULL, device=replace(FULL.device, user_agent="other")),
        replace(FULL, absolute_seconds=None),
        replace(FULL, idle_seconds=601),
        replace(FULL, access_seconds=101),
        replace(FULL, authenticated_revision=0),
    ):
        with pytest.raises(RequestIdReusedError):
            here.login(login=other)


def test_ids_of_two_callers_do_not_meet(here: Process) -> None:
    """Two callers may use the same request id."""
    assert here.login(SHOP, FULL).session_id != here.login(LOCAL, FULL).session_id


def test_login_without_a_request_id_is_not_repeated(here: Process) -> None:
    """Without a request id each call opens a session of its own."""
    assert here.login().session_id != here.login().session_id


def test_repetition_of_a_revoked_session(installation: Installation, here: Process) -> None:
    """No token is made of a session that was revoked meanwhile: verifiers may have forgotten it."""
    here.revoke(here.login(login=FULL).session_id)
    with pytest.raises(SessionEndedError) as caught:
        here.login(login=FULL)
    assert Cause.REVOKED is caught.value.cause
    assert [EventKind.SESSION_CREATED, EventKind.SESSION_REVOKED] == installation.events()


def test_repetition_of_a_cut_session(installation: Installation, here: Process) -> None:
    """Nor of one that a cut covers."""
    here.login(login=FULL)
    installation.cut(ScopeKind.TENANT)
    with pytest.raises(SessionEndedError) as caught:
        here.login(login=FULL)
    assert Cause.TENANT_REVOKED is caught.value.cause


@pytest.mark.parametrize(
    ("login", "seconds", "cause"),
    [
        (replace(FULL, absolute_seconds=3600, idle_seconds=600), 600, Cause.IDLE_TIMEOUT),
        (replace(FULL, absolute_seconds=600, idle_seconds=None), 600, Cause.EXPIRED),
    ],
)
def test_repetition_of_a_session_that_is_over(
    installation: Installation, here: Process, login: Login, seconds: int, cause: Cause
) -> None:
    """Nor of one that went idle or expired."""
    here.login(login=login)
    installation.clock.advance(seconds)
    with pytest.raises(SessionEndedError) as caught:
        here.login(login=login)
    assert cause is caught.value.cause


def test_repetition_of_a_swept_session(installation: Installation, here: Process) -> None:
    """Nor of one that has left the store before its request has."""
    login = replace(FULL, absolute_seconds=60, idle_seconds=60)
    here.login(login=login)
    installation.clock.advance(100)
    installation.store.sweep(installation.now, 0, MAX_PAGE_SIZE)
    with pytest.raises(SessionEndedError) as caught:
        here.login(login=login)
    assert Cause.UNKNOWN_SESSION is caught.value.cause


def test_repetition_after_the_key_was_revoked(here: Process) -> None:
    """A first token whose key was revoked is dead, and the repetition says so."""
    here.login(login=FULL)
    here.revoke_active_key(Purpose.REFRESH)
    with pytest.raises(SessionEndedError) as caught:
        here.login(login=FULL)
    assert Cause.KEY_REVOKED is caught.value.cause


def test_repetition_of_a_login_before_a_revocation_of_another_subject(
    installation: Installation, here: Process
) -> None:
    """A repetition is judged by its session, not by the revision that it was authenticated at."""
    login = replace(FULL, authenticated_revision=installation.store.revision())
    first = here.login(login=login)
    installation.cut(ScopeKind.SUBJECT, subject="bob")
    assert first.refresh_token == here.login(login=login).refresh_token
