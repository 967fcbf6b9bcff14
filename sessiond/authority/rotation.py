"""
The rules of Refresh: what a presented refresh token does to its session.

Rule 1: every change that Refresh makes to a session is decided in this file.
Rule 2: nothing here reads a clock, a key, a socket or the store; the same arguments give the same decision.
Rule 3: windows are spans of serving time, so they stand still while the authority is down. The wall clock judges
    expiries alone. A wall clock that steps back moves no deadline: it neither extends a session nor ends one.
Rule 4: whatever is handed out can be made again from the record alone. The successor is generation ``pending``,
    issued at ``pending_by.at``, signed by the key ``pending_by.key_id``, and expires at ``expires_at``.

Before the generation is looked at, :func:`judge_session` names the cause that refuses a token of a dead session.
Then the first row that fits decides:

=============  =================================================  ====================================================
presented      when                                               answer
=============  =================================================  ====================================================
= pending      always                                             ROTATED: parent := confirmed, confirmed := pending,
                                                                  a new pending is made
= confirmed    the retry key is that of the call that made        RETRIED: the same successor, however late
               pending; where neither has one, the request id is
= confirmed    within the retry window after pending was made;    SHARED: the same successor
               where either side sent a retry key, for at most
               two generations in a row
= confirmed    otherwise, profile FORGIVING                       REPLACED: a sibling with a new number replaces
                                                                  pending
= confirmed    otherwise                                          reuse
= parent       within the straggler window after the              SUPERSEDED: nothing is handed out, nothing revoked
               confirmation
> pending      always                                             STATE_LOST: the session ends, never called reuse
anything else  always                                             reuse: exactly this session ends, the evidence is
                                                                  kept
=============  =================================================  ====================================================

The retry and shared rows hand out REPLACED where pending was made under a key that has been revoked: its token is dead,
so a new pending under the signing key takes its place. No row can make a generation after the last number; it answers
EXPIRED, since the line of tokens is at its end and the user must log in again.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from msgspec.structs import replace

from sessiond.authority import events
from sessiond.authority.cuts import SCOPE_CAUSES, covering
from sessiond.authority.events import EventKind
from sessiond.authority.policy import Policy, Profile
from sessiond.errors import Cause
from sessiond.store.contract import Cuts, View
from sessiond.store.records import (
    Cut,
    End,
    Event,
    Refusal,
    Reuse,
    Revocation,
    RevocationKind,
    Scope,
    ScopeKind,
    Session,
    Trace,
)

LAST_GENERATION = 2**32 - 1

# A session that is refused again and again has one event a minute for each cause.
REFUSAL_EVENT_SECONDS = 60


class Outcome(enum.Enum):
    """How a refresh succeeded."""

    ROTATED = "rotated"
    RETRIED = "retried"
    SHARED = "shared"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Call:
    """
    Who presents a refresh token, and how.

    ``tenant`` is empty where the caller named none, a hash empty where the
    call had no retry key or no request id.
    """

    tenant: str = ""
    retry_hash: bytes = b""
    request_hash: bytes = b""
    ip: bytes = b""
    user_agent: str = ""
    caller: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What a presentation does: exactly one of ``outcome`` and ``cause`` is set.

    With an outcome, the tokens of ``session`` are handed out after it is
    written. With a cause, none are; ``session`` is the record to write, None
    where there is none.
    """

    outcome: Outcome | None = None
    cause: Cause | None = None
    session: Session | None = None
    revocation: Revocation | None = None
    cut: tuple[Scope, Cut] | None = None
    events: tuple[Event, ...] = ()


def judge_session(view: View, *, tenant: str, now: int | None) -> Cause | None:
    """
    Name the first cause that refuses every token of the session, None if it lives.

    Args:
        view: The session and the cuts that cover it.
        tenant: The tenant that the caller acts for; empty if it named none.
        now: Seconds since the epoch; None leaves idleness out, which ends
            refresh tokens alone.

    """
    if view.session is None:
        return Cause.UNKNOWN_SESSION
    return _judge(view.session, view.cuts, tenant, now)


def is_idle(session: Session, now: int) -> bool:
    """Tell whether the session went without a new generation for its idle limit."""
    return now >= session.pending_by.at + session.idle_seconds


def rotate(
    view: View,
    presented: int,
    call: Call,
    *,
    now: int,
    policy: Policy,
    signing_key_id: bytes,
    revoked_key_ids: frozenset[bytes],
) -> Decision:
    """
    Decide what presenting generation *presented* does to the session of *view*.

    A client that lost our answer presents the same token again, and only it
    can show the retry key of the call that made the successor. Everyone else
    who holds a spent token holds a copy: inside the window probably a second
    tab, after it a thief or the owner, and since nobody can tell which, both
    must log in again.

    A refusal is counted in the session's record, for each cause apart, and
    has an event at most once a minute; of a dead session, and of one whose
    tenant the caller got wrong, nothing else changes. A session that is not
    in the store has no record to count in and leaves no trace here.

    Args:
        view: What the write transaction sees; ``serving_ms`` is its serving clock.
        presented: The generation of a token with a good signature, not
            expired, 0 to 2**32 - 1.
        call: Who presents it.
        now: Seconds since the epoch.
        policy: The windows, the profile, and what reuse revokes.
        signing_key_id: The key of new generations, not among the revoked.
        revoked_key_ids: Keys whose tokens are refused.

    """
    session = view.session
    if session is None:
        return Decision(cause=Cause.UNKNOWN_SESSION)
    presentation = _Presentation(
        session=session,
        generation=presented,
        call=call,
        by=Trace(
            at=now,
            serving_ms=view.serving_ms,
            key_id=b"",
            retry_hash=call.retry_hash,
            request_hash=call.request_hash,
            ip=call.ip,
            user_agent=call.user_agent,
            caller=call.caller,
        ),
        policy=policy,
        signing_key_id=signing_key_id,
        pending_is_dead=session.pending_by.key_id in revoked_key_ids,
    )
    cause = _judge(session, view.cuts, call.tenant, now)
    return _judge_generation(presentation) if cause is None else _refused(presentation, cause)


@dataclass(frozen=True, slots=True)
class _Presentation:
    """A token of a session in someone's hands, and the conditions of the table."""

    session: Session
    generation: int
    call: Call
    by: Trace
    policy: Policy
    signing_key_id: bytes
    pending_is_dead: bool

    def is_retry(self) -> bool:
        """
        Tell whether the call proves to be the one that made pending: by retry key, or by request id where none is sent.

        A call that is repeated has the retry key that it had before, so the
        request id of a keyed one proves nothing that its key does not.
        """
        made, call = self.session.pending_by, self.call
        if call.retry_hash or made.retry_hash:
            return call.retry_hash == made.retry_hash
        return call.request_hash != b"" and call.request_hash == made.request_hash

    def is_shared(self) -> bool:
        """Tell whether the call may share the successor: inside the window, and within the limit in a row."""
        inside = self.by.serving_ms - self.session.pending_by.serving_ms < self.policy.retry_window_ms
        return inside and (not self.counts_in_row() or self.session.shared_in_row < self.policy.shared_in_row_limit)

    def counts_in_row(self) -> bool:
        """
        Tell whether sharing this successor lengthens the row: once for each generation.

        Holders of whom none has a retry key cannot be told from one client
        that sends none, so they are not counted.
        """
        has_key = self.call.retry_hash != b"" or self.session.pending_by.retry_hash != b""
        return has_key and not self.session.pending_shared

    def is_straggler(self) -> bool:
        """Tell whether the call is inside the straggler window, which opens when confirmed was proved."""
        return self.by.serving_ms - self.session.confirmed_ms < self.policy.straggler_window_ms


def _judge(session: Session, cuts: Cuts, tenant: str, now: int | None) -> Cause | None:
    if tenant not in ("", session.tenant):
        return Cause.WRONG_TENANT
    if session.end is not None:
        return session.end.cause
    for kind, _ in covering(cuts, session.born):
        return SCOPE_CAUSES[kind]
    if now is not None and is_idle(session, now):
        return Cause.IDLE_TIMEOUT
    return None


def _judge_generation(token: _Presentation) -> Decision:  # noqa: PLR0911 - one return for each row of the table
    """Find the row of the table; its lines stand in the order of the rows."""
    session = token.session
    if token.generation == session.pending:
        return _rotated(token)
    if token.generation == session.confirmed:
        if token.is_retry():
            return _retried(token)
        if token.is_shared():
            return _shared(token)
        if token.policy.profile is Profile.FORGIVING:
            return _new_pending(token, Outcome.REPLACED, EventKind.REFRESH_REPLACED)
        return _reused(token)
    if token.generation == session.parent and token.is_straggler():
        return _refused(token, Cause.SUPERSEDED, superseded=session.superseded + 1)
    if token.generation > session.pending:
        return _state_lost(token)
    return _reused(token)


def _rotated(token: _Presentation) -> Decision:
    session = token.session
    return _new_pending(
        token,
        Outcome.ROTATED,
        EventKind.REFRESH_ROTATED,
        parent=session.confirmed,
        confirmed=session.pending,
        confirmed_by=session.pending_by,
        confirmed_ms=token.by.serving_ms,
        shared_in_row=session.shared_in_row if session.pending_shared else 0,
        pending_shared=False,
    )


def _retried(token: _Presentation) -> Decision:
    return _same_successor(token, Outcome.RETRIED, EventKind.REFRESH_RETRIED, retried=token.session.retried + 1)


def _shared(token: _Presentation) -> Decision:
    session = token.session
    counts = token.counts_in_row()
    return _same_successor(
        token,
        Outcome.SHARED,
        EventKind.REFRESH_SHARED,
        shared=session.shared + 1,
        shared_in_row=session.shared_in_row + counts,
        pending_shared=session.pending_shared or counts,
    )


def _same_successor(token: _Presentation, outcome: Outcome, kind: EventKind, **changes: object) -> Decision:
    """Hand out pending again, or a new one in its place where its key was revoked."""
    if token.pending_is_dead:
        return _new_pending(token, Outcome.REPLACED, EventKind.REFRESH_REPLACED, **changes)
    return _answered(token, outcome, kind, **changes)


def _new_pending(token: _Presentation, outcome: Outcome, kind: EventKind, **changes: object) -> Decision:
    """
    Make the next generation; only here are retry key and request id kept.

    Its time never lies before that of the generation before it, so a wall
    clock that stepped back does not bring the idle limit nearer.
    """
    old = token.session
    if old.pending == LAST_GENERATION:
        return _refused(token, Cause.EXPIRED)
    return _answered(
        token,
        outcome,
        kind,
        pending=old.pending + 1,
        pending_by=replace(token.by, at=max(token.by.at, old.pending_by.at), key_id=token.signing_key_id),
        label=token.call.label or old.label,
        **changes,
    )


def _answered(token: _Presentation, outcome: Outcome, kind: EventKind, **changes: object) -> Decision:
    """Hand out the tokens of the session as *changes* leave it; the time of issue of the access token is kept."""
    issued_at = max(token.by.at, token.session.access_issued_at)
    session = replace(token.session, access_issued_at=issued_at, **changes)
    return Decision(outcome=outcome, session=session, events=(_event(token, kind),))


def _reused(token: _Presentation) -> Decision:
    """End exactly this session, and its subject's others only where the policy says so."""
    now = token.by.at
    end = End(cause=Cause.REUSED, at=now, reuse=Reuse(presented=token.generation, by=token.by))
    if not token.policy.revoke_subject_on_reuse:
        return _ended(token, EventKind.REFRESH_REUSED, end)
    scope = Scope(ScopeKind.SUBJECT, token.session.subject_hash)
    cut = Cut(revision=0, at=now, keep_until=token.policy.cut_kept_until(now), reason=Cause.REUSED.name)
    return _ended(token, EventKind.REFRESH_REUSED, end, (scope, cut))


def _state_lost(token: _Presentation) -> Decision:
    """End the session because its record is older than its tokens; the event raises the alarm."""
    return _ended(token, EventKind.REFRESH_STATE_LOST, End(cause=Cause.STATE_LOST, at=token.by.at))


def _ended(token: _Presentation, kind: EventKind, end: End, cut: tuple[Scope, Cut] | None = None) -> Decision:
    """End the session; this first refusal is counted, and its event is that of the minute."""
    session = token.session
    refusals, _ = _count(session.refusals, end.cause, end.at)
    revocation = Revocation(
        revision=0,
        kind=RevocationKind.SESSION,
        at=end.at,
        keep_until=token.policy.session_entry_kept_until(session, end.at),
        session_id=session.id,
        cause=end.cause,
    )
    told = [_event(token, kind, end.cause)]
    if cut is not None:
        told.append(
            events.scope_cut(
                *cut,
                tenant=session.tenant,
                subject=session.subject,
                caller=token.by.caller,
                request_hash=token.by.request_hash,
            )
        )
    return Decision(
        cause=end.cause,
        session=replace(session, end=end, refusals=refusals),
        revocation=revocation,
        cut=cut,
        events=tuple(told),
    )


def _refused(token: _Presentation, cause: Cause, **changes: object) -> Decision:
    """Hand out nothing and revoke nothing; count, and tell of it once a minute."""
    refusals, due = _count(token.session.refusals, cause, token.by.at)
    kind = EventKind.REFRESH_SUPERSEDED if cause is Cause.SUPERSEDED else EventKind.REFRESH_REFUSED
    return Decision(
        cause=cause,
        session=replace(token.session, refusals=refusals, **changes),
        events=(_event(token, kind, cause, {"count": str(due.count)}),) if due else (),
    )


def _count(refusals: tuple[Refusal, ...], cause: Cause, now: int) -> tuple[tuple[Refusal, ...], Refusal | None]:
    """
    Count one refusal more with *cause*, and give its count apart where an event is due.

    A wall clock that stepped back makes an event due: a span that cannot be
    measured must not silence the trail.
    """
    for index, old in enumerate(refusals):
        if old.cause == cause:
            is_due = not 0 <= now - old.event_at < REFUSAL_EVENT_SECONDS
            new = replace(old, last_at=now, count=old.count + 1, event_at=now if is_due else old.event_at)
            return (*refusals[:index], new, *refusals[index + 1 :]), new if is_due else None
    first = Refusal(cause=cause, first_at=now, last_at=now, count=1, event_at=now)
    return (*refusals, first), first


def _event(
    token: _Presentation, kind: EventKind, cause: Cause | None = None, details: dict[str, str] | None = None
) -> Event:
    return events.presented(kind, token.session, token.by, generation=token.generation, cause=cause, details=details)
