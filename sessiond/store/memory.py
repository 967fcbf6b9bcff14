"""The store that lives in memory, for the tests. Nothing ticks it: whoever serves it calls ``tick`` every second."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sessiond.errors import StoreUnavailableError
from sessiond.store.contract import Health
from sessiond.store.records import Cut, Event, KeyRecord, RequestRecord, Revocation, Scope, Session
from sessiond.store.rows import DEADLINES, Counters, Rows, Table
from sessiond.store.transactional import TransactionalStore

T = TypeVar("T")


class MemoryStore(TransactionalStore):
    """
    A store without a disk, with every promise of the contract that needs none.

    One lock: a verb runs alone, its ``decide`` function included. Nothing in
    it can fail between the first write and the last, so no verb is done by half.
    """

    def __init__(self, *, monotonic_ms: Callable[[], int], session_grace_seconds: int) -> None:
        """Start empty; the serving clock starts at 0, at this reading of *monotonic_ms*."""
        super().__init__(monotonic_ms=monotonic_ms, session_grace_seconds=session_grace_seconds)
        self._lock = threading.Lock()
        self._rows: _Rows | None = _Rows()
        self.tick()

    def health(self) -> Health:
        """Say that everything works, until the store is closed."""
        is_open = self._rows is not None
        return Health(readable=is_open, writable=is_open, fill=0.0, detail="" if is_open else "the store is closed")

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._rows = None

    def _read(self, work: Callable[[Rows], T]) -> T:
        return self._write(work)

    def _write(self, work: Callable[[Rows], T]) -> T:
        with self._lock:
            if self._rows is None:
                message = "the store is closed"
                raise StoreUnavailableError(message)
            return work(self._rows)


class _Rows:
    """The tables, as dictionaries. Rows are values, so giving one out shares nothing that can change."""

    def __init__(self) -> None:
        self._counters = Counters()
        self._sessions: dict[bytes, Session] = {}
        self._requests: dict[bytes, RequestRecord] = {}
        self._cuts: dict[Scope, Cut] = {}
        self._keys: dict[bytes, KeyRecord] = {}
        self._revocations: dict[int, Revocation] = {}
        self._events: dict[int, Event] = {}
        self._refusals: dict[int, Event] = {}
        self._installation: bytes | None = None
        self._swept: dict[Table, dict[Any, Any]] = {
            Table.SESSIONS: self._sessions,
            Table.REQUESTS: self._requests,
            Table.CUTS: self._cuts,
            Table.REVOCATIONS: self._revocations,
            Table.EVENTS: self._events,
            Table.REFUSALS: self._refusals,
        }

    def counters(self) -> Counters:
        return self._counters

    def write_counters(self, counters: Counters) -> None:
        self._counters = counters

    def session(self, session_id: bytes) -> Session | None:
        return self._sessions.get(session_id)

    def sessions_of(self, subject_hash: bytes, after: bytes, limit: int) -> list[Session]:
        living = (row for row in self._living(subject_hash) if row.id > after)
        return heapq.nsmallest(limit, living, key=lambda session: session.id)

    def newest_sessions_of(self, subject_hash: bytes, limit: int) -> list[Session]:
        return heapq.nlargest(limit, self._living(subject_hash), key=lambda session: session.id)

    def write_session(self, session: Session, before: Session | None) -> None:  # noqa: ARG002 - no index to move
        self._sessions[session.id] = session

    def request(self, key: bytes) -> RequestRecord | None:
        return self._requests.get(key)

    def write_request(self, key: bytes, record: RequestRecord) -> None:
        self._requests[key] = record

    def cut(self, scope: Scope) -> Cut | None:
        return self._cuts.get(scope)

    def cuts(self) -> dict[Scope, Cut]:
        return dict(self._cuts)

    def write_cut(self, scope: Scope, cut: Cut) -> None:
        self._cuts[scope] = cut

    def keys(self) -> list[KeyRecord]:
        return [key for _, key in sorted(self._keys.items())]

    def write_key(self, key: KeyRecord) -> None:
        self._keys[key.key_id] = key

    def delete_key(self, key_id: bytes) -> None:
        self._keys.pop(key_id, None)

    def revocations_after(self, revision: int, limit: int) -> list[Revocation]:
        return _above(self._revocations.items(), revision, limit)

    def write_revocation(self, revocation: Revocation) -> None:
        self._revocations[revocation.revision] = revocation

    def events_after(self, sequence: int, limit: int) -> list[Event]:
        return _above(self._all_events(), sequence, limit)

    def events_of_session(self, session_id: bytes, limit: int) -> list[Event]:
        told = [event for _, event in self._all_events() if session_id and event.session_id == session_id]
        return told[max(0, len(told) - limit) :]

    def write_event(self, event: Event) -> None:
        (self._refusals if event.refusal else self._events)[event.sequence] = event

    def installation(self) -> bytes | None:
        return self._installation

    def write_installation(self, sealed: bytes) -> None:
        self._installation = sealed

    def delete_expired(self, table: Table, until: int, limit: int, most: int | None) -> int:
        rows, deadline = self._swept[table], DEADLINES[table]
        due = (key for key, row in rows.items() if deadline(row) <= until)
        going = set(heapq.nsmallest(limit, due, key=lambda key: deadline(rows[key])))
        if most is not None:
            n_beyond = min(limit, len(rows) - most) - len(going)
            going.update(heapq.nsmallest(n_beyond, rows.keys() - going))
        for key in going:
            del rows[key]
        return len(going)

    def _living(self, subject_hash: bytes) -> Iterator[Session]:
        return (row for row in self._sessions.values() if row.subject_hash == subject_hash and row.end is None)

    def _all_events(self) -> Iterator[tuple[int, Event]]:
        """Give the events with their numbers, the refusals among them, in order."""
        return heapq.merge(self._events.items(), self._refusals.items(), key=lambda pair: pair[0])


def _above(rows: Iterable[tuple[int, T]], number: int, limit: int) -> list[T]:
    """Take the rows above a number; their numbers only ever rise, so they lie in order."""
    return list(itertools.islice((row for key, row in rows if key > number), limit))
