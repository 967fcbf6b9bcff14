"""
The verbs of the Store contract over transactions: what each reads, decides and writes, for every engine.

Rule 1: an engine gives transactions and rows; the meaning of a verb is said here alone.
Rule 2: a verb reads, then decides, then checks the decision, and only then writes. Whatever raises before
the first write has written nothing.
Rule 3: revisions and event sequences are given here, from the counters of the transaction.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec.structs import replace

from sessiond.store.contract import (
    Change,
    Cuts,
    Health,
    KeysChange,
    KeysView,
    Request,
    Swept,
    View,
)
from sessiond.store.records import (
    Cut,
    Event,
    RequestRecord,
    Revocation,
    RevocationKind,
    Scope,
    ScopeKind,
    Session,
)
from sessiond.store.rows import Counters, Rows, Table

T = TypeVar("T")

EVERYTHING = Scope(ScopeKind.ALL)

MAX_TICK_MS = 3_000
"""More time than this between two ticks was not served through: no process was up, or writes failed."""


class TransactionalStore(ABC):
    """
    A store whose engine has transactions. Every verb may be called from any thread.

    An engine gives :meth:`_read` and :meth:`_write`, ``health`` and ``close``.
    """

    def __init__(self, *, monotonic_ms: Callable[[], int], session_grace_seconds: int) -> None:
        """
        Measure serving time on *monotonic_ms*; keep sessions *session_grace_seconds* beyond their expiry.

        ``monotonic_ms`` must be on one scale for every process that opens the store.
        """
        self._monotonic_ms = monotonic_ms
        self._session_grace_seconds = session_grace_seconds

    @abstractmethod
    def _read(self, work: Callable[[Rows], T]) -> T:
        """Run *work* on a snapshot of what is durable."""

    @abstractmethod
    def _write(self, work: Callable[[Rows], T]) -> T:
        """Run *work* in a write transaction and return once that is durable. It writes nothing where *work* raises."""

    @abstractmethod
    def health(self) -> Health:
        """Say whether reads and writes work, without waiting for either."""

    @abstractmethod
    def close(self) -> None:
        """Finish the writes that were accepted, release everything."""

    def create(
        self,
        tenant_hash: bytes,
        subject_hash: bytes,
        request: Request | None,
        decide: Callable[[View], Change[T]],
        *,
        siblings: int = 0,
    ) -> T:
        """Add the session of the decision's change, or change the one that an earlier call with the request made."""

        def work(rows: Rows) -> T:
            prior = _prior(rows, request)
            made = rows.session(prior.session_id) if prior is not None else None
            view = _view(rows, made, _cuts(rows, tenant_hash, subject_hash), prior)
            newest = rows.newest_sessions_of(subject_hash, siblings) if siblings else []
            change = decide(dataclasses.replace(view, siblings=newest))
            before = rows.session(change.session.id) if change.session is not None else None
            if before is not None and before != made:
                message = "create: the id of the session is not new"
                raise ValueError(message)
            return _apply(rows, before, request, change, endable=newest)

        return self._write(work)

    def rotate(self, session_id: bytes, decide: Callable[[View], Change[T]]) -> T:
        """Change a session by the rules of Refresh, or end it."""
        return self.update(session_id, None, decide)

    def update(self, session_id: bytes, request: Request | None, decide: Callable[[View], Change[T]]) -> T:
        """Change a session's claims or data."""

        def work(rows: Rows) -> T:
            view = _session_view(rows, session_id, _prior(rows, request))
            change = decide(view)
            session = change.session
            if session is not None and (view.session is None or session.id != session_id):
                message = "the session of a change must be the one that the call names, and be in the store"
                raise ValueError(message)
            endable = [view.session] if view.session is not None else []
            return _apply(rows, view.session, request, change, endable=endable)

        return self._write(work)

    def revoke(
        self, session_ids: Sequence[bytes], request: Request | None, decide: Callable[[Sequence[View]], Change[T]]
    ) -> T:
        """End sessions, all in one transaction."""

        def work(rows: Rows) -> T:
            if len(set(session_ids)) != len(session_ids):
                message = "revoke: a session stands twice in the list"
                raise ValueError(message)
            prior = _prior(rows, request)
            views = [_session_view(rows, session_id, prior) for session_id in session_ids]
            change = decide(views)
            if change.session is not None:
                message = "revoke: what ends stands in `ended`"
                raise ValueError(message)
            endable = [view.session for view in views if view.session is not None]
            return _apply(rows, None, request, change, endable=endable)

        return self._write(work)

    def cut(
        self, scope: Scope, except_session_id: bytes, request: Request | None, decide: Callable[[View], Change[T]]
    ) -> T:
        """Revoke a whole scope at once, however many sessions it has."""

        def work(rows: Rows) -> T:
            view = _session_view(rows, except_session_id, _prior(rows, request))
            change = decide(view)
            names_spared = change.session is None or (view.session is not None and change.session.id == view.session.id)
            names_cut = change.cut is None or (scope, except_session_id) == (
                change.cut[0],
                change.cut[1].except_session_id,
            )
            if not names_spared or not names_cut:
                message = "cut: the change must be of the scope and the spared session that the call names"
                raise ValueError(message)
            return _apply(rows, view.session, request, change)

        return self._write(work)

    def get(self, session_id: bytes) -> View:
        """Read one session with the cuts that cover it."""
        return self._read(lambda rows: _session_view(rows, session_id, None))

    def list_by_subject(self, subject_hash: bytes, after: bytes, limit: int) -> tuple[list[Session], int]:
        """Read up to *limit* sessions under a subject's hash with ids above *after*, and the revision."""
        return self._read(lambda rows: (rows.sessions_of(subject_hash, after, limit), rows.counters().revision))

    def keys(self) -> KeysView:
        """Read every key."""
        return self._read(lambda rows: _keys_view(rows, None))

    def change_keys(self, request: Request | None, decide: Callable[[KeysView], KeysChange[T]]) -> T:
        """Change the keyset."""

        def work(rows: Rows) -> T:
            counters = rows.counters()
            change = decide(_keys_view(rows, _prior(rows, request)))
            if change.put or change.remove:
                if change.revocation is None:
                    message = "a change of keys needs an entry of the revocation log"
                    raise ValueError(message)
                counters = _log(rows, counters, change.revocation)
                counters = replace(counters, keys_revision=counters.revision)
            for key in change.put:
                rows.write_key(key)
            for key_id in change.remove:
                rows.delete_key(key_id)
            _finish(rows, counters, change.events, request, change.answer)
            return change.result

        return self._write(work)

    def revision(self) -> int:
        """Read the revision: the number of changes that verifiers must know, under the incarnation."""
        return self._read(lambda rows: rows.counters().revision)

    def cuts(self) -> tuple[dict[Scope, Cut], int]:
        """Read every cut, and the revision."""
        return self._read(lambda rows: (rows.cuts(), rows.counters().revision))

    def revocations_after(self, revision: int, limit: int) -> tuple[list[Revocation], int]:
        """Read up to *limit* entries of the revocation log above *revision*, in order, and the store's revision."""
        return self._read(lambda rows: (rows.revocations_after(revision, limit), rows.counters().revision))

    def events_after(self, sequence: int, limit: int) -> tuple[list[Event], int]:
        """Read up to *limit* events above *sequence*, in order, and the sequence of the last one that was written."""
        return self._read(lambda rows: (rows.events_after(sequence, limit), rows.counters().sequence))

    def events_of_session(self, session_id: bytes, limit: int) -> list[Event]:
        """Read the newest *limit* events of a session, in order."""
        return self._read(lambda rows: rows.events_of_session(session_id, limit))

    def installation(self, make: Callable[[], bytes]) -> bytes:
        """Read the secrets of this installation, sealed by the caller; the first call keeps what *make* gives."""
        kept = self._read(lambda rows: rows.installation())
        if kept is not None:
            return kept
        made = make()

        def work(rows: Rows) -> bytes:
            first = rows.installation()
            if first is None:
                rows.write_installation(made)
                return made
            return first

        return self._write(work)

    def serving_ms(self) -> int:
        """Read the serving clock."""
        return self._read(lambda rows: rows.counters().serving_ms)

    def tick(self) -> None:
        """
        Count serving time: the span since the last tick that was written, by any process, if it is at most 3 s.

        Raises:
            StoreUnavailableError: The tick was not written, so the clock stands still.
            IndeterminateError: Perhaps it was.

        """

        def work(rows: Rows) -> None:
            # Read inside the transaction, so that readings are written in their order.
            now_ms, counters = self._monotonic_ms(), rows.counters()
            since_ms = now_ms - counters.ticked_ms if counters.ticked_ms is not None else 0
            served_ms = since_ms if 0 <= since_ms <= MAX_TICK_MS else 0
            if now_ms != counters.ticked_ms:
                rows.write_counters(replace(counters, serving_ms=counters.serving_ms + served_ms, ticked_ms=now_ms))

        self._write(work)

    def sweep(
        self,
        now: int,
        events_before: int,
        limit: int,
        *,
        max_events: int | None = None,
        max_refusal_events: int | None = None,
    ) -> Swept:
        """Delete up to *limit* rows that cannot matter any more, or that are beyond what may be kept."""

        def work(rows: Rows) -> Swept:
            bounds: dict[Table, tuple[int, int | None]] = {
                Table.SESSIONS: (now - self._session_grace_seconds, None),
                Table.REQUESTS: (now, None),
                Table.CUTS: (now, None),
                Table.REVOCATIONS: (now, None),
                Table.EVENTS: (events_before - 1, max_events),
                Table.REFUSALS: (events_before - 1, max_refusal_events),
            }
            left, deleted = limit, {}
            for table, (until, most) in bounds.items():
                deleted[table] = rows.delete_expired(table, until, left, most) if left else 0
                left -= deleted[table]
            return Swept(
                sessions=deleted[Table.SESSIONS],
                requests=deleted[Table.REQUESTS],
                events=deleted[Table.EVENTS],
                revocations=deleted[Table.REVOCATIONS],
                cuts=deleted[Table.CUTS],
                refusal_events=deleted[Table.REFUSALS],
                more=left == 0,
            )

        return self._write(work)


def _prior(rows: Rows, request: Request | None) -> RequestRecord | None:
    return rows.request(request.key) if request is not None else None


def _cuts(rows: Rows, tenant_hash: bytes, subject_hash: bytes) -> Cuts:
    return Cuts(
        everything=rows.cut(EVERYTHING),
        tenant=rows.cut(Scope(ScopeKind.TENANT, tenant_hash)),
        subject=rows.cut(Scope(ScopeKind.SUBJECT, subject_hash)),
    )


def _session_view(rows: Rows, session_id: bytes, prior: RequestRecord | None) -> View:
    session = rows.session(session_id)
    cuts = _cuts(rows, session.tenant_hash, session.subject_hash) if session is not None else Cuts()
    return _view(rows, session, cuts, prior)


def _view(rows: Rows, session: Session | None, cuts: Cuts, prior: RequestRecord | None) -> View:
    counters = rows.counters()
    return View(session, cuts, prior, counters.revision, counters.serving_ms, counters.keys_revision)


def _keys_view(rows: Rows, prior: RequestRecord | None) -> KeysView:
    counters = rows.counters()
    return KeysView(rows.keys(), prior, counters.revision, counters.keys_revision)


def _apply(
    rows: Rows, before: Session | None, request: Request | None, change: Change[T], endable: Sequence[Session] = ()
) -> T:
    """
    Write a change whose session was checked to be new, or to be *before*'s next state.

    Raises:
        ValueError: A session that ends is none of *endable*, which the decision saw, or is written twice.

    """
    counters, befores = rows.counters(), {session.id: session for session in endable}
    written = [ended.session.id for ended in change.ended]
    if not befores.keys() >= set(written):
        message = "a session that ends must be one that the decision saw"
        raise ValueError(message)
    if change.session is not None:
        written.append(change.session.id)
    if len(set(written)) != len(written):
        message = "a change writes each session once"
        raise ValueError(message)
    if change.session is not None and change.session != before:
        rows.write_session(change.session, before)
    for ended in change.ended:
        rows.write_session(ended.session, befores[ended.session.id])
        counters = _log(rows, counters, ended.revocation)
    if change.cut is not None:
        counters = _write_cut(rows, counters, *change.cut)
    _finish(rows, counters, change.events, request, change.answer)
    return change.result


def _log(rows: Rows, counters: Counters, revocation: Revocation) -> Counters:
    """Raise the revision and log what it stands for."""
    counters = replace(counters, revision=counters.revision + 1)
    rows.write_revocation(replace(revocation, revision=counters.revision))
    return counters


def _write_cut(rows: Rows, counters: Counters, scope: Scope, cut: Cut) -> Counters:
    entry = Revocation(
        revision=0,
        kind=RevocationKind.CUT,
        at=cut.at,
        keep_until=cut.keep_until,
        scope=scope,
        except_session_id=cut.except_session_id,
        except_until=cut.except_until,
    )
    counters = _log(rows, counters, entry)
    rows.write_cut(scope, replace(cut, revision=counters.revision))
    return counters


def _finish(
    rows: Rows, counters: Counters, events: Sequence[Event], request: Request | None, answer: RequestRecord | None
) -> None:
    """Write what every change ends with: its events, its answer, and the counters."""
    for event in events:
        counters = replace(counters, sequence=counters.sequence + 1)
        rows.write_event(replace(event, sequence=counters.sequence))
    if request is not None and answer is not None:
        rows.write_request(request.key, answer)
    if counters != rows.counters():
        rows.write_counters(counters)
