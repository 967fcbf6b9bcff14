"""What is shown of a session's past: its timeline, and both uses of a token that was used twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessiond.authority import events
from sessiond.authority.cuts import covering
from sessiond.authority.events import EventKind
from sessiond.store.records import Event, Scope, ScopeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiond.store.contract import Cuts
    from sessiond.store.records import Session, Trace

TIMELINE_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Use:
    """One call that presented a refresh token: when (seconds since the epoch), from where, and who passed it on."""

    at: int
    ip: bytes
    user_agent: str
    caller: str


@dataclass(frozen=True, slots=True)
class ReuseEvidence:
    """
    Both uses of the refresh token that ended its session.

    ``rotation`` is None where nothing tells of the first use any more, or
    where the token was replaced before it was used. ``generation_distance``
    is how much older the token was than the newest one.
    """

    generation: int
    rotation: Use | None
    reuse: Use
    generation_distance: int


def timeline(session: Session, cuts: Cuts, told: Sequence[Event]) -> tuple[Event, ...]:
    """
    Tell what happened to *session*, oldest first: its newest events, its creation, and the cuts that ended it.

    Creation and cuts are taken from the records where no event of the session
    tells of them; those have the sequence 0.

    Args:
        session: The session.
        cuts: The cuts of its scopes.
        told: Its events, in order.

    """
    line = list(told[-TIMELINE_EVENTS:])
    if not any(event.kind == EventKind.SESSION_CREATED for event in line):
        line.insert(0, _creation(session))
    for event in _covering(session, cuts):
        later = (place for place, other in enumerate(line) if other.at > event.at)
        line.insert(next(later, len(line)), event)
    return tuple(line)


def reuse_evidence(session: Session, told: Sequence[Event]) -> ReuseEvidence | None:
    """
    Give both uses of the token that ended *session*, None where it has not ended by reuse.

    Args:
        session: The session with its own end.
        told: Its events.

    """
    reuse = session.end.reuse if session.end is not None else None
    if reuse is None:
        return None
    return ReuseEvidence(
        generation=reuse.presented,
        rotation=_rotation(session, reuse.presented, told),
        reuse=_use(reuse.by),
        generation_distance=session.pending - reuse.presented,
    )


def _rotation(session: Session, generation: int, told: Sequence[Event]) -> Use | None:
    """Find the call that traded *generation*: its event, else the record, which knows the last two trades."""
    for event in told:
        if event.kind == EventKind.REFRESH_ROTATED and event.generation == generation:
            return _use(event)
    if generation == session.confirmed:
        return _use(session.pending_by)
    if generation == session.parent and session.confirmed_by is not None:
        return _use(session.confirmed_by)
    return None


def _use(call: Trace | Event) -> Use:
    return Use(call.at, call.ip, call.user_agent, call.caller)


def _creation(session: Session) -> Event:
    """Tell of the creation, with its device where the record still has the call."""
    made = {session.pending: session.pending_by}
    if session.confirmed is not None and session.confirmed_by is not None:
        made[session.confirmed] = session.confirmed_by
    by = made.get(0)
    return Event(
        sequence=0,
        kind=EventKind.SESSION_CREATED,
        at=session.created_at,
        session_id=session.id,
        tenant=session.tenant,
        subject=session.subject,
        generation=0,
        ip=by.ip if by is not None else b"",
        user_agent=by.user_agent if by is not None else "",
        caller=by.caller if by is not None else "",
    )


def _covering(session: Session, cuts: Cuts) -> list[Event]:
    """Tell of each cut that ends the session, from the widest scope to its own."""
    scopes = {
        ScopeKind.ALL: (b"", "", ""),
        ScopeKind.TENANT: (session.tenant_hash, session.tenant, ""),
        ScopeKind.SUBJECT: (session.subject_hash, session.tenant, session.subject),
    }
    told = []
    for kind, cut in covering(cuts, session.born):
        scope_hash, tenant, subject = scopes[kind]
        told.append(events.scope_cut(Scope(kind, scope_hash), cut, tenant=tenant, subject=subject, caller=""))
    return told[::-1]
