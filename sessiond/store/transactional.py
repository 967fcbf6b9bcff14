"""
The verbs of the Store contract over transactions: what each reads, decides and writes, for every engine.

Rule 1: an engine gives transactions and rows; the meaning of a verb is said here alone.
Rule 2: a verb reads, then decides, then checks the decision, and only then writes. Whatever raises before
the first write has written nothing.
Rule 3: revisions and event sequences are given here, from the counters of the transaction.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from sessiond.store.contract import (
    INCARNATION_BITS,
    REVISION_BITS,
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
    KeyRecord,
    Record,
    RequestRecord,
    Revocation,
    RevocationKind,
    Scope,
    ScopeKind,
    Session,
)

T = TypeVar("T")

FIRST_REVISION = 1 << (REVISION_BITS - INCARNATION_BITS)
EVERYTHING = Scope(ScopeKind.ALL)

MAX_TICK_MS = 3_000
"""More time than this between two ticks was not served through: no process was up, or writes failed."""


class Counters(Record, frozen=True):
    """
    The numbers that a store counts with.

    ``sequence`` is that of the last event. ``ticked_ms`` is what the machine's
    monotonic clock read at the last tick, by whichever process; None before the first.
    """

    revision: int = FIRST_REVISION
    keys_revision: int = 0
    sequence: int = 0
    serving_ms: int = 0
    ticked_ms: int | None = None


class Table(enum.Enum):
    """The tables whose rows are swept once their deadline has passed."""

    SESSIONS = 1
    REQUESTS = 2
    CUTS = 3
    REVOCATIONS = 4
    EVENTS = 5


DEADLINES: dict[Table, Callable[[Any], int]] = {
    Table.SESSIONS: lambda session: session.expires_at,
    Table.REQUESTS: lambda record: record.keep_until,
    Table.CUTS: lambda cut: cut.keep_until,
    Table.REVOCATIONS: lambda revocation: revocation.keep_until,
    Table.EVENTS: lambda event: event.at,
}
"""What gives the deadline of a table's rows."""


class Rows(Protocol):
    """
    The rows of a store as one transaction sees them, its own writes included once a verb has returned.

    ``write_…`` adds a row or replaces the one of its key.
    """

    def counters(self) -> Counters:
        """Read the counters."""
        ...

    def write_counters(self, counters: Counters) -> None:
        """Write the counters."""
        ...

    def session(self, session_id: bytes) -> Session | None:
        """Read a session."""
        ...

    def sessions_of(self, subject_hash: bytes, after: bytes, limit: int) -> list[Session]:
        """Read up to *limit* sessions of a subject's hash with ids above *after*, in the order of ids."""
        ...

    def write_session(self, session: Session, before: Session | None) -> None:
        """Write a session in place of *before*, None where its id is new."""
        ...

    def request(self, key: bytes) -> RequestRecord | None:
        """Read the row of an earlier call."""
        ...

    def write_request(self, key: bytes, record: RequestRecord) -> None:
        """Write the row of a call."""
        ...

    def cut(self, scope: Scope) -> Cut | None:
        """Read the cut of a scope."""
        ...

    def cuts(self) -> dict[Scope, Cut]:
        """Read every cut."""
        ...

    def write_cut(self, scope: Scope, cut: Cut) -> None:
        """Write the cut of a scope."""
        ...

    def keys(self) -> list[KeyRecord]:
        """Read every key, in the order of key ids."""
        ...

    def write_key(self, key: KeyRecord) -> None:
        """Write a key."""
        ...

    def delete_key(self, key_id: bytes) -> None:
        """Delete a key, if there is one of the id."""
        ...

    def revocations_after(self, revision: int, limit: int) -> list[Revocation]:
        """Read up to *limit* entries of the revocation log above *revision*, in order."""
        ...

    def write_revocation(self, revocation: Revocation) -> None:
        """Write an entry of the revocation log."""
        ...

    def events_after(self, sequence: int, limit: int) -> list[Event]:
        """Read up to *limit* events above *sequence*, in order."""
        ...

    def write_event(self, event: Event) -> None:
        """Write an event."""
        ...

    def installation(self) -> bytes | None:
        """Read the sealed secrets of the installation."""
        ...

    def write_installation(self, sealed: bytes) -> None:
        """Write the sealed secrets of the installation."""
        ...

    def delete_expired(self, table: Table, until: int, limit: int) -> int:
        """Delete up to *limit* rows whose deadline is <= *until*, the earliest first, and give their number."""
        ...


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
        self, tenant_hash: bytes, subject_hash: bytes, request: Request | None, decide: Callable[[View], Change[T]]
    ) -> T:
        """Add the session of the decision's change, or change the one that an earlier call with the request made."""

        def work(rows: Rows) -> T:
            prior = _prior(rows, request)
            made = rows.session(prior.session_id) if prior is not None else None
            change = decide(_view(rows, made, _cuts(rows, tenant_hash, subject_hash), prior))
            before = rows.session(change.session.id) if change.session is not None else None
            if before is not None and before != made:
                message = "create: the id of the session is not new"
                raise ValueError(message)
            return _apply(rows, before, request, change)

        return self._write(work)

    def rotate(self, session_id: bytes, decide: Callable[[View], Change[T]]) -> T:
        """Change a session by the rules of Refresh."""
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
            return _apply(rows, view.session, request, change)

        return self._write(work)

    def revoke(self, session_id: bytes, request: Request | None, decide: Callable[[View], Change[T]]) -> T:
        """End a session."""
        return self.update(session_id, request, decide)

    def cut(
        self,
        scope: Scope,
        request: Request | None,
        decide: Callable[[Cut | None, RequestRecord | None, int], tuple[Cut, Event, RequestRecord | None] | None],
    ) -> int:
        """Revoke a whole scope at once, however many sessions it has; gives the store's revision afterwards."""

        def work(rows: Rows) -> int:
            counters = rows.counters()
            decided = decide(rows.cut(scope), _prior(rows, request), counters.revision + 1)
            if decided is None:
                return counters.revision
            cut, event, answer = decided
            counters = _write_cut(rows, counters, scope, cut)
            _finish(rows, counters, (event,), request, answer)
            return counters.revision

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

    def events_after(self, sequence: int, limit: int) -> list[Event]:
        """Read up to *limit* events above *sequence*, in order."""
        return self._read(lambda rows: rows.events_after(sequence, limit))

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

    def sweep(self, now: int, events_before: int, limit: int) -> Swept:
        """Delete up to *limit* rows that cannot matter any more."""

        def work(rows: Rows) -> Swept:
            deadlines = {
                Table.SESSIONS: now - self._session_grace_seconds,
                Table.REQUESTS: now,
                Table.CUTS: now,
                Table.REVOCATIONS: now,
                Table.EVENTS: events_before - 1,
            }
            left, deleted = limit, {}
            for table, until in deadlines.items():
                deleted[table] = rows.delete_expired(table, until, left) if left else 0
                left -= deleted[table]
            return Swept(
                sessions=deleted[Table.SESSIONS],
                requests=deleted[Table.REQUESTS],
                events=deleted[Table.EVENTS],
                revocations=deleted[Table.REVOCATIONS],
                cuts=deleted[Table.CUTS],
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


def _apply(rows: Rows, before: Session | None, request: Request | None, change: Change[T]) -> T:
    """Write a change whose session was checked to be new, or to be *before*'s next state."""
    counters = rows.counters()
    if change.session is not None and change.session != before:
        rows.write_session(change.session, before)
    if change.revocation is not None:
        counters = _log(rows, counters, change.revocation)
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
    counters = _log(rows, counters, Revocation(0, RevocationKind.CUT, cut.at, cut.keep_until, scope=scope))
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
