"""CreateSession: what is stored, what is handed out, what its repetition gets."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import replace

import pytest

from sessiond.authority.caller import LOCAL, Caller
from sessiond.authority.events import EventKind
from sessiond.authority.policy import MAX_ABSOLUTE_SECONDS, Policy
from sessiond.authority.requests import request_key
from sessiond.authority.sessions import Device, Login
from sessiond.errors import (
    InternalFaultError,
    InvalidRequestError,
    LoginOvertakenError,
    PermissionDeniedError,
)
from sessiond.ids import session_id_text
from sessiond.store.records import KeyState, Purpose, ScopeKind, Trace
from sessiond.token.format import ACCESS_INSTANTS, ACCESS_MAX_LENGTH, REFRESH_INSTANTS
from tests.unit.authority.installation import AUDIENCE, DAY, ISSUER, Installation, Process

ALICE = Login("acme", "alice")
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


def test_record_holds_what_the_login_says(installation: Installation, here: Process) -> None:
    """Every field of a login, and who made the call, stands in the record."""
    issued = here.login(SHOP, FULL)
    session = installation.record(issued.session_id)
    key_id = here.key_in(Purpose.REFRESH, KeyState.ACTIVE).key_id
    assert (
        Trace(
            at=installation.now,
            serving_ms=installation.store.serving_ms(),
            key_id=key_id,
            request_hash=request_key("shop", "CreateSession", "first"),
            ip=ipaddress.ip_address("2001:db8::1").packed,
            user_agent="browser",
            caller="shop",
        )
        == session.pending_by
    )
    assert (
        ("acme", "alice", "shop-app", "billing", '{"role":"admin"}', '{"cart":5}', "laptop"),
        (installation.hasher.tenant("acme"), installation.hasher.subject("acme", "alice")),
        (installation.now, installation.now + 3600, 600, 100),
        (installation.store.revision(), 0, None, None, None),
    ) == (
        (
            session.tenant,
            session.subject,
            session.client_id,
            session.audience,
            session.claims_json,
            session.data_json,
            session.label,
        ),
        (session.tenant_hash, session.subject_hash),
        (session.created_at, session.expires_at, session.idle_seconds, session.access_seconds),
        (session.born, session.pending, session.confirmed, session.parent, session.end),
    )


def test_login_that_asks_for_nothing_gets_what_is_configured(installation: Installation, here: Process) -> None:
    """Lifetimes and audience that a login does not name are those of the configuration."""
    session = installation.record(here.login().session_id)
    assert (AUDIENCE, 30 * DAY, 7 * DAY, 300) == (
        session.audience,
        session.expires_at - session.created_at,
        session.idle_seconds,
        session.access_seconds,
    )


def test_tokens_say_what_the_record_says(installation: Installation, here: Process) -> None:
    """Both tokens verify, name the session and its first generation, and die when the answer says."""
    issued = here.login(login=FULL)
    session = installation.record(issued.session_id)
    refresh = here.keys.snapshot().refresh_verifier.verify(issued.refresh_token, now=installation.now)
    access, revision = here.verification.verify(
        LOCAL, issued.access_token, audience="billing", tenant="", min_revision=0, now=installation.now
    )
    assert (session.id, 0, installation.now, session.expires_at) == (
        refresh.session_id,
        refresh.generation,
        refresh.issued_at,
        refresh.expires_at,
    )
    assert (
        (session.id, 0, installation.now, issued.access_expires_at, session.born),
        (ISSUER, "billing", "alice", "shop-app", "acme", '{"role":"admin"}'),
        (session.tenant_hash, session.subject_hash),
    ) == (
        (access.session_id, access.generation, access.issued_at, access.expires_at, access.born),
        (access.issuer, access.audience, access.subject, access.client_id, access.tenant, access.claims_json),
        (access.tenant_hash, access.subject_hash),
    )
    assert (session.id, 0, installation.now, session.expires_at, revision) == (
        issued.session_id,
        issued.generation,
        issued.issued_at,
        issued.refresh_expires_at,
        issued.revision,
    )


def test_access_token_lives_as_long_as_asked_less_the_jitter(installation: Installation, here: Process) -> None:
    """An access token lives its configured time less 5 % at most, and is to be refreshed after 80 % of that."""
    lives = {here.login().access_expires_at - installation.now for _ in range(30)}
    issued = here.login()
    life = issued.access_expires_at - issued.issued_at
    assert lives <= set(range(285, 301))
    assert len(lives) > 1
    assert issued.refresh_after - issued.issued_at == life * 80 // 100


def test_access_token_does_not_outlive_its_session(installation: Installation, here: Process) -> None:
    """The access token of a session shorter than it dies with the session."""
    issued = here.login(login=replace(ALICE, absolute_seconds=60))
    assert installation.now + 60 == issued.access_expires_at == issued.refresh_expires_at


def test_tokens_are_not_shown(here: Process) -> None:
    """The text form of an answer holds no token."""
    issued = here.login()
    assert issued.refresh_token not in repr(issued)
    assert issued.access_token not in repr(issued)


def test_creation_has_its_event(installation: Installation, here: Process) -> None:
    """A session's creation is one event, written with it, and raises no revision."""
    before = installation.store.revision()
    issued = here.login(SHOP, FULL)
    (event,) = [one for one in installation.store.events_after(0, 100)[0] if one.session_id]
    assert (EventKind.SESSION_CREATED, issued.session_id, "acme", "alice", 0, "shop") == (
        event.kind,
        event.session_id,
        event.tenant,
        event.subject,
        event.generation,
        event.caller,
    )
    assert before == installation.store.revision()


def test_ids_follow_the_time(installation: Installation, here: Process) -> None:
    """Session ids are UUIDs of version 7 that begin with the time, so later ones sort after earlier ones."""
    ids = []
    for _ in range(5):
        ids.append(here.login().session_id)
        installation.clock.advance(0.001)
    assert sorted(set(ids)) == ids
    assert [installation.clock.wall_ms() - 5 + n for n in range(5)] == [int.from_bytes(one[:6], "big") for one in ids]


def test_caller_of_another_tenant_is_refused(installation: Installation, here: Process) -> None:
    """A caller opens sessions of its own tenants only."""
    with pytest.raises(PermissionDeniedError, match="may not act for the tenant 'other'"):
        here.login(SHOP, replace(ALICE, tenant="other"))
    assert [] == installation.events()


@pytest.mark.parametrize(
    ("login", "field"),
    [
        (replace(ALICE, tenant=""), "tenant"),
        (replace(ALICE, subject=""), "subject"),
        (replace(ALICE, subject="s" * 256), "subject"),
        (replace(ALICE, client_id="c" * 256), "client_id"),
        (replace(ALICE, audience="a\n"), "audience"),
        (replace(ALICE, claims_json='{"sub":1}'), "claims_json"),
        (replace(ALICE, data_json="[]"), "data_json"),
        (replace(ALICE, device=Device(label="l" * 65)), "device.label"),
        (replace(ALICE, device=Device(ip="nowhere")), "device.ip"),
        (replace(ALICE, absolute_seconds=59), "absolute_lifetime"),
        (replace(ALICE, absolute_seconds=MAX_ABSOLUTE_SECONDS + 1), "absolute_lifetime"),
        (replace(ALICE, idle_seconds=59), "idle_lifetime"),
        (replace(ALICE, idle_seconds=30 * DAY + 1), "idle_lifetime"),
        (replace(ALICE, absolute_seconds=60, idle_seconds=61), "idle_lifetime"),
        (replace(ALICE, access_seconds=9), "access_token_lifetime"),
        (replace(ALICE, access_seconds=301), "access_token_lifetime"),
        (replace(ALICE, request_id="é"), "request_id"),
    ],
)
def test_bad_field(installation: Installation, here: Process, login: Login, field: str) -> None:
    """A login out of its limits is refused under the name of its field, and nothing is written."""
    with pytest.raises(InvalidRequestError) as caught:
        here.login(login=login)
    assert [field] == [name for name, _ in caught.value.violations]
    assert [] == installation.events()


@pytest.mark.parametrize(
    "login",
    [
        replace(ALICE, absolute_seconds=60, idle_seconds=60),
        replace(ALICE, absolute_seconds=MAX_ABSOLUTE_SECONDS, idle_seconds=MAX_ABSOLUTE_SECONDS),
        replace(ALICE, access_seconds=10),
        replace(ALICE, access_seconds=300),
    ],
)
def test_lifetimes_at_their_limits(here: Process, login: Login) -> None:
    """The least and the greatest lifetimes are allowed."""
    assert here.login(login=login).generation == 0


def with_claims(length: int) -> Login:
    """Give a login with claims of *length* bytes, and names within their limits that fill the rest of a token."""
    # A quote takes two bytes in JSON.
    return replace(ALICE, subject='"' * 255, client_id='"' * 255, claims_json=json.dumps({"a": "x" * (length - 9)}))


def test_access_token_that_would_be_too_long(installation: Installation, here: Process) -> None:
    """Claims that make access tokens too long are refused before anything is stored; one byte fewer is allowed."""
    lengths = range(100, 2049)
    fits, refused = lengths.start, lengths.stop
    while refused - fits > 1:
        middle = (fits + refused) // 2
        try:
            issued = here.login(login=with_claims(middle))
        except InvalidRequestError as error:
            refused, violations = middle, error.violations
        else:
            fits, longest = middle, len(issued.access_token)
    assert fits + 1 == refused < lengths.stop
    assert ACCESS_MAX_LENGTH == longest
    (field, text) = violations[0]
    assert ("claims_json", 1) == (field, len(violations))
    assert str(ACCESS_MAX_LENGTH) in text
    events = len(installation.events())
    with pytest.raises(InvalidRequestError):
        here.login(login=with_claims(refused))
    assert events == len(installation.events())


@pytest.mark.parametrize("now", [ACCESS_INSTANTS.start - 1, ACCESS_INSTANTS.stop])
def test_clock_that_was_never_set(installation: Installation, here: Process, now: int) -> None:
    """By a wall clock at which no token can be issued nothing is stored."""
    installation.clock.step_wall(now - installation.now)
    with pytest.raises(InternalFaultError, match="wall clock"):
        here.login()
    assert [] == installation.events()


def test_session_at_the_end_of_time(installation: Installation, here: Process) -> None:
    """A session never lives beyond the last instant that a token can name."""
    installation.clock.step_wall(REFRESH_INSTANTS.stop - 10 - installation.now)
    issued = here.login()
    assert REFRESH_INSTANTS.stop - 1 == issued.refresh_expires_at == issued.access_expires_at
    assert here.verify(issued.access_token).session_id == issued.session_id


@pytest.mark.parametrize("kind", list(ScopeKind))
def test_login_that_a_revocation_overtook(installation: Installation, here: Process, kind: ScopeKind) -> None:
    """A login that was authenticated before its subject, tenant or everything was revoked is refused."""
    before = installation.store.revision()
    cut = installation.cut(kind)
    with pytest.raises(LoginOvertakenError, match=str(cut)):
        here.login(login=replace(ALICE, authenticated_revision=before))
    assert [] == [event for event in installation.events() if event == EventKind.SESSION_CREATED]


@pytest.mark.parametrize("kind", list(ScopeKind))
def test_login_that_was_authenticated_after_the_revocation(
    installation: Installation, here: Process, kind: ScopeKind
) -> None:
    """A login whose revision is that of the cut or a later one is accepted, and its tokens live."""
    cut = installation.cut(kind)
    issued = here.login(login=replace(ALICE, authenticated_revision=cut))
    assert here.verify(issued.access_token).session_id == issued.session_id


def test_revocations_of_others_overtake_nobody(installation: Installation, here: Process) -> None:
    """What happens to other subjects and tenants, and to other sessions of the subject, leaves a login alone."""
    before = installation.store.revision()
    installation.cut(ScopeKind.SUBJECT, subject="bob")
    installation.cut(ScopeKind.TENANT, tenant="other")
    here.revoke(here.login().session_id)
    assert here.login(login=replace(ALICE, authenticated_revision=before)).generation == 0


def test_session_is_found_under_its_id(here: Process) -> None:
    """The id in the answer is the session's, as GetSession takes it."""
    issued = here.login()
    assert session_id_text(issued.session_id) == session_id_text(here.get(issued.session_id).id)


def test_configured_life_below_the_least_that_may_be_asked_for() -> None:
    """An authority may be configured with lives that no login could ask for."""
    here = Installation(Policy(absolute_seconds=5, idle_seconds=5, access_seconds=2)).here
    issued = here.login()
    assert (5, 2) == (issued.refresh_expires_at - issued.issued_at, issued.access_expires_at - issued.issued_at)
