"""
The audit trail: what an event is called and what it carries.

Rule 1: an event is written in the same transaction as the change it tells of.
Rule 2: no event holds a token, a key or a retry key; a request is named by its hash.

The store gives each event its ``sequence``; it is 0 until then.
"""

from __future__ import annotations

import enum

from sessiond.authority.cuts import SCOPE_CAUSES
from sessiond.errors import Cause
from sessiond.ids import session_id_text
from sessiond.store.records import Cut, Event, KeyRecord, Scope, Session, Trace


class EventKind(enum.StrEnum):
    """What happened; the values are kept in the store and are never renamed."""

    SESSION_CREATED = "SESSION_CREATED"
    REFRESH_ROTATED = "REFRESH_ROTATED"
    REFRESH_RETRIED = "REFRESH_RETRIED"
    REFRESH_SHARED = "REFRESH_SHARED"
    REFRESH_REPLACED = "REFRESH_REPLACED"
    REFRESH_SUPERSEDED = "REFRESH_SUPERSEDED"
    REFRESH_REFUSED = "REFRESH_REFUSED"
    REFRESH_REUSED = "REFRESH_REUSED"
    REFRESH_STATE_LOST = "REFRESH_STATE_LOST"
    SESSION_UPDATED = "SESSION_UPDATED"
    SESSION_REVOKED = "SESSION_REVOKED"
    SESSION_EVICTED = "SESSION_EVICTED"
    SCOPE_CUT = "SCOPE_CUT"
    KEY_CREATED = "KEY_CREATED"
    KEY_ACTIVATED = "KEY_ACTIVATED"
    KEY_RETIRED = "KEY_RETIRED"
    KEY_REVOKED = "KEY_REVOKED"
    KEY_REMOVED = "KEY_REMOVED"


REFUSALS = frozenset(
    {EventKind.REFRESH_REFUSED, EventKind.REFRESH_SUPERSEDED, EventKind.REFRESH_RETRIED, EventKind.REFRESH_SHARED}
)
"""What changed nothing but counters, answered or not: whoever holds a token can make any number of these."""


def session_created(session: Session) -> Event:
    """Tell of the session's first generation."""
    return presented(EventKind.SESSION_CREATED, session, session.pending_by, generation=session.pending)


def presented(
    kind: EventKind,
    session: Session,
    by: Trace,
    *,
    generation: int,
    cause: Cause | None = None,
    details: dict[str, str] | None = None,
) -> Event:
    """Tell what came of a refresh token of *generation*, presented by the call *by*, at ``by.at``."""
    return Event(
        sequence=0,
        kind=kind,
        at=by.at,
        session_id=session.id,
        tenant=session.tenant,
        subject=session.subject,
        cause=cause,
        generation=generation,
        ip=by.ip,
        user_agent=by.user_agent,
        caller=by.caller,
        request_hash=by.request_hash,
        details=details or {},
        refusal=kind in REFUSALS,
    )


def session_updated(session: Session, fields: str, *, at: int, caller: str, request_hash: bytes = b"") -> Event:
    """Tell that *caller* changed *fields* of the session, named as in the update mask."""
    return Event(
        sequence=0,
        kind=EventKind.SESSION_UPDATED,
        at=at,
        session_id=session.id,
        tenant=session.tenant,
        subject=session.subject,
        caller=caller,
        request_hash=request_hash,
        details={"fields": fields},
    )


def session_revoked(session: Session, *, at: int, caller: str, request_hash: bytes = b"") -> Event:
    """Tell that *caller* ended the session on purpose; cause, reason and actor are those of ``session.end``."""
    return _ended(EventKind.SESSION_REVOKED, session, {}, at=at, caller=caller, request_hash=request_hash)


def session_evicted(session: Session, by: Session) -> Event:
    """Tell that the session made room for the session *by*, which was opened in the same step."""
    opened = by.pending_by
    return _ended(
        EventKind.SESSION_EVICTED,
        session,
        {"by_session_id": session_id_text(by.id)},
        at=opened.at,
        caller=opened.caller,
        request_hash=opened.request_hash,
    )


def _ended(
    kind: EventKind, session: Session, details: dict[str, str], *, at: int, caller: str, request_hash: bytes
) -> Event:
    end = session.end
    if end is None:
        message = "the session has no end to tell of"
        raise ValueError(message)
    return Event(
        sequence=0,
        kind=kind,
        at=at,
        session_id=session.id,
        tenant=session.tenant,
        subject=session.subject,
        cause=end.cause,
        caller=caller,
        actor=end.actor,
        request_hash=request_hash,
        details={"reason": end.reason, **details},
    )


def scope_cut(
    scope: Scope,
    cut: Cut,
    *,
    tenant: str,
    subject: str,
    caller: str,
    request_hash: bytes = b"",
) -> Event:
    """
    Tell that every session of *scope* was revoked, all but the one that *cut* spares.

    *tenant* and *subject* are the names that the scope's hash stands for.
    """
    details = {"scope": scope.kind.name, "reason": cut.reason}
    if cut.except_session_id:
        details["except_session_id"] = session_id_text(cut.except_session_id)
    return Event(
        sequence=0,
        kind=EventKind.SCOPE_CUT,
        at=cut.at,
        tenant=tenant,
        subject=subject,
        cause=SCOPE_CAUSES[scope.kind],
        caller=caller,
        actor=cut.actor,
        request_hash=request_hash,
        details=details,
    )


def key_changed(kind: EventKind, key: KeyRecord, *, at: int, caller: str = "", request_hash: bytes = b"") -> Event:
    """Tell that *key* came, went or changed its state; *caller* is empty where the schedule did it."""
    details = {"key_id": key.key_id.hex(), "purpose": key.purpose.name, "state": key.state.name}
    if key.reason:
        details["reason"] = key.reason
    return Event(
        sequence=0,
        kind=kind,
        at=at,
        caller=caller,
        actor=key.actor,
        request_hash=request_hash,
        details=details,
    )
