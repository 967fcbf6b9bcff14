"""
The audit trail: what an event is called and what it carries.

Rule 1: an event is written in the same transaction as the change it tells of.
Rule 2: no event holds a token, a key or a retry key; a request is named by its hash.

The store gives each event its ``sequence``; it is 0 until then.
"""

from __future__ import annotations

import enum

from sessiond.errors import Cause
from sessiond.store.records import Cut, Event, KeyRecord, Scope, ScopeKind, Session, Trace


class Kind(enum.StrEnum):
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
    SCOPE_CUT = "SCOPE_CUT"
    KEY_CREATED = "KEY_CREATED"
    KEY_ACTIVATED = "KEY_ACTIVATED"
    KEY_RETIRED = "KEY_RETIRED"
    KEY_REVOKED = "KEY_REVOKED"
    KEY_REMOVED = "KEY_REMOVED"


# The cause that a cut refuses tokens with.
SCOPE_CAUSES = {
    ScopeKind.ALL: Cause.ALL_REVOKED,
    ScopeKind.TENANT: Cause.TENANT_REVOKED,
    ScopeKind.SUBJECT: Cause.SUBJECT_REVOKED,
}


def session_created(session: Session) -> Event:
    """Tell of the session's first generation."""
    return presented(Kind.SESSION_CREATED, session, session.pending_by, generation=session.pending)


def presented(
    kind: Kind,
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
    )


def session_updated(session: Session, fields: str, *, at: int, caller: str, request_hash: bytes = b"") -> Event:
    """Tell that *caller* changed *fields* of the session, named as in the update mask."""
    return Event(
        sequence=0,
        kind=Kind.SESSION_UPDATED,
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
    end = session.end
    if end is None:
        message = "the session has no end to tell of"
        raise ValueError(message)
    return Event(
        sequence=0,
        kind=Kind.SESSION_REVOKED,
        at=at,
        session_id=session.id,
        tenant=session.tenant,
        subject=session.subject,
        cause=end.cause,
        caller=caller,
        actor=end.actor,
        request_hash=request_hash,
        details={"reason": end.reason},
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
    """Tell that every session of *scope* was revoked; *tenant* and *subject* are the names its hash stands for."""
    return Event(
        sequence=0,
        kind=Kind.SCOPE_CUT,
        at=cut.at,
        tenant=tenant,
        subject=subject,
        cause=SCOPE_CAUSES[scope.kind],
        caller=caller,
        actor=cut.actor,
        request_hash=request_hash,
        details={"scope": scope.kind.name, "reason": cut.reason},
    )


def key_changed(kind: Kind, key: KeyRecord, *, at: int, caller: str = "", request_hash: bytes = b"") -> Event:
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
