"""What each event of the audit trail carries."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sessiond.authority import events
from sessiond.authority.events import EventKind
from sessiond.errors import Cause
from sessiond.store.records import (
    Cut,
    End,
    Event,
    KeyRecord,
    KeyState,
    Purpose,
    Scope,
    ScopeKind,
    Trace,
)
from tests.unit.authority.rotation_cases import HELD, NOW

KEY = KeyRecord(
    key_id=b"\x01\x02\x03\x04\x05\x06\x07\x08",
    purpose=Purpose.REFRESH,
    state=KeyState.ACTIVE,
    format=1,
    public_key=b"p" * 32,
    sealed_seed=b"sealed",
    created_at=NOW,
    activates_at=NOW,
)


def test_kinds_are_spelled_as_their_names() -> None:
    """The value that the store keeps is the name."""
    assert [kind.name for kind in EventKind] == [kind.value for kind in EventKind]


def test_presented_tells_session_and_call() -> None:
    """An event of a presentation has the session's names and everything that is known of the call."""
    by = Trace(
        at=NOW,
        serving_ms=1,
        key_id=b"",
        retry_hash=b"key",
        request_hash=b"request",
        ip=b"\x7f\0\0\1",
        user_agent="agent",
        caller="gateway",
    )
    expected = Event(
        sequence=0,
        kind="REFRESH_REFUSED",
        at=NOW,
        session_id=HELD.id,
        tenant="acme",
        subject="ada",
        cause=Cause.REVOKED,
        generation=4,
        ip=b"\x7f\0\0\1",
        user_agent="agent",
        caller="gateway",
        request_hash=b"request",
        details={"count": "1"},
        refusal=True,
    )
    assert expected == events.presented(
        EventKind.REFRESH_REFUSED, HELD, by, generation=4, cause=Cause.REVOKED, details={"count": "1"}
    )


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind.startswith("REFRESH_")])
def test_refusals_that_changed_nothing_are_marked(kind: EventKind) -> None:
    """What changes nothing but counters is one: refused or given again. What rotates or ends a session is none."""
    told = events.presented(kind, HELD, HELD.pending_by, generation=0)
    changed_nothing = {"REFRESH_REFUSED", "REFRESH_SUPERSEDED", "REFRESH_RETRIED", "REFRESH_SHARED"}
    assert (kind in changed_nothing) == told.refusal


def test_created_tells_the_first_generation() -> None:
    """The event of a creation is that of the call that made the first generation."""
    event = events.session_created(HELD)
    assert (EventKind.SESSION_CREATED, HELD.pending_by.at, HELD.pending, HELD.pending_by.request_hash, None) == (
        event.kind,
        event.at,
        event.generation,
        event.request_hash,
        event.cause,
    )


def test_updated_tells_the_fields() -> None:
    """The event of an update names the fields and not their values."""
    event = events.session_updated(HELD, "claims_json,data_json", at=NOW, caller="admin", request_hash=b"r")
    assert (EventKind.SESSION_UPDATED, NOW, HELD.id, "admin", b"r", {"fields": "claims_json,data_json"}) == (
        event.kind,
        event.at,
        event.session_id,
        event.caller,
        event.request_hash,
        event.details,
    )


def test_revoked_tells_who_and_why() -> None:
    """The event of a revocation has cause, reason and actor of the session's end."""
    ended = replace(HELD, end=End(Cause.REVOKED, NOW, reason="lost phone", actor="ops"))
    event = events.session_revoked(ended, at=NOW, caller="admin", request_hash=b"r")
    assert (EventKind.SESSION_REVOKED, Cause.REVOKED, "ops", "admin", b"r", {"reason": "lost phone"}) == (
        event.kind,
        event.cause,
        event.actor,
        event.caller,
        event.request_hash,
        event.details,
    )


def test_living_session_has_no_revocation_to_tell_of() -> None:
    """An event of a revocation needs a session that has ended."""
    with pytest.raises(ValueError, match="no end"):
        events.session_revoked(HELD, at=NOW, caller="admin")


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (ScopeKind.ALL, Cause.ALL_REVOKED),
        (ScopeKind.TENANT, Cause.TENANT_REVOKED),
        (ScopeKind.SUBJECT, Cause.SUBJECT_REVOKED),
    ],
)
def test_cut_tells_its_scope(kind: ScopeKind, cause: Cause) -> None:
    """The event of a cut names the scope in words and the cause that its sessions are refused with."""
    cut = Cut(revision=3, at=NOW, keep_until=NOW + 1, reason="breach", actor="ops")
    event = events.scope_cut(Scope(kind), cut, tenant="acme", subject="", caller="admin", request_hash=b"r")
    expected = Event(
        sequence=0,
        kind="SCOPE_CUT",
        at=NOW,
        tenant="acme",
        cause=cause,
        caller="admin",
        actor="ops",
        request_hash=b"r",
        details={"scope": kind.name, "reason": "breach"},
    )
    assert expected == event


@pytest.mark.parametrize(
    ("key", "details"),
    [
        (KEY, {"key_id": "0102030405060708", "purpose": "REFRESH", "state": "ACTIVE"}),
        (
            replace(KEY, state=KeyState.REVOKED, reason="leaked", actor="ops"),
            {"key_id": "0102030405060708", "purpose": "REFRESH", "state": "REVOKED", "reason": "leaked"},
        ),
    ],
)
def test_key_event_names_the_key_and_no_secret(key: KeyRecord, details: dict[str, str]) -> None:
    """The event of a key has its id, purpose and state, and who changed it why."""
    event = events.key_changed(EventKind.KEY_REVOKED, key, at=NOW, caller="admin", request_hash=b"r")
    assert (
        Event(
            sequence=0,
            kind="KEY_REVOKED",
            at=NOW,
            caller="admin",
            actor=key.actor,
            request_hash=b"r",
            details=details,
        )
        == event
    )
