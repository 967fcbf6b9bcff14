"""The rows of a store, as one LMDB transaction sees them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import structlog

from sessiond.store.lmdb.schema import (
    COUNTERS_KEY,
    INSTALLATION_KEY,
    SWEPT,
    Db,
    Installation,
    RecordFaultError,
    damaged,
    deadline_key,
    deadline_prefix,
    decode,
    encode,
    number_key,
    scope_key,
    scope_of,
    split_deadline_key,
)
from sessiond.store.records import Cut, Event, KeyRecord, Record, RequestRecord, Revocation, Scope, Session
from sessiond.store.rows import DEADLINES, Counters, Table

if TYPE_CHECKING:
    import lmdb

R = TypeVar("R", bound=Record)

_log = structlog.get_logger("sessiond.store")

_ID_SIZE = 16
_SUBJECT_HASH_SIZE = 8
PASSED_ROWS = 4_096
"""
How many rows that it must leave a sweep looks at in a table: each sweep meets them again, in a write transaction, and
callers wait behind that.
"""

_AFTER_ALL = b"\xff" * (_ID_SIZE + 1)
"""What stands after every key of an index that begins with the same hash or id: none goes on for so long."""


class LmdbRows:
    """
    The rows of one transaction, for any number of verbs, one after another. Used by one thread at a time.

    What a verb writes is kept back until :meth:`accept`: a verb that raises
    leaves nothing behind, and the verbs of one transaction cannot spoil each
    other. What was accepted is seen by the next verb, and goes to LMDB at
    :meth:`apply`, in the order of keys: so the new rows of a group, whose calls
    come in any order, lie at the end of a table one after another and fill its pages.
    """

    def __init__(self, txn: lmdb.Transaction[bytes], dbs: Mapping[Db, lmdb._Database]) -> None:
        """See and write through *txn*; *dbs* are the handles of its tables."""
        self._txn = txn
        self._dbs = dbs
        self._staged: list[tuple[Db, bytes, bytes | None]] = []
        self._accepted: dict[Db, dict[bytes, bytes | None]] = {db: {} for db in Db}

    def accept(self) -> bool:
        """Keep what a verb wrote, and say whether there was anything."""
        staged, self._staged = self._staged, []
        for db, key, value in staged:
            self._accepted[db][key] = value
        return bool(staged)

    def discard(self) -> None:
        """Forget what a verb wrote."""
        self._staged = []

    def apply(self) -> None:
        """Give to LMDB what was accepted."""
        for db in self._accepted:
            self._apply(db)

    def counters(self) -> Counters:
        """Read the counters."""
        counters = self._row(Db.META, COUNTERS_KEY, Counters)
        if counters is None:
            raise damaged(Db.META, COUNTERS_KEY)
        return counters

    def write_counters(self, counters: Counters) -> None:
        """Write the counters."""
        self._stage(Db.META, COUNTERS_KEY, counters)

    def session(self, session_id: bytes) -> Session | None:
        """Read a session."""
        if len(session_id) != _ID_SIZE:
            return None
        return self._row(Db.SESSIONS, session_id, Session)

    def sessions_of(self, subject_hash: bytes, after: bytes, limit: int) -> list[Session]:
        """Read up to *limit* of a subject's hash's sessions that have no end, with ids above *after*, in order."""
        index_keys = self._keys_from(Db.SUBJECTS, subject_hash, after)
        return list(itertools.islice(self._living(index_keys, after), limit))

    def newest_sessions_of(self, subject_hash: bytes, limit: int) -> list[Session]:
        """Read up to *limit* of a subject's hash's sessions that have no end, the greatest id first."""
        return list(itertools.islice(self._sound_and_living(self._keys_back(Db.SUBJECTS, subject_hash)), limit))

    def write_session(self, session: Session, before: Session | None) -> None:
        """Write a session in place of *before*, None where its id is new."""
        if len(session.id) != _ID_SIZE or len(session.subject_hash) != _SUBJECT_HASH_SIZE:
            message = "a session's id has 16 bytes and its subject's hash 8"
            raise ValueError(message)
        self._stage(Db.SESSIONS, session.id, session)
        was_listed = before.subject_hash + session.id if before is not None and before.end is None else b""
        is_listed = session.subject_hash + session.id if session.end is None else b""
        if was_listed and was_listed != is_listed:
            self._staged.append((Db.SUBJECTS, was_listed, None))
        if is_listed and is_listed != was_listed:
            self._staged.append((Db.SUBJECTS, is_listed, b""))
        self._index(Table.SESSIONS, session.id, session.expires_at, before.expires_at if before is not None else None)

    def request(self, key: bytes) -> RequestRecord | None:
        """Read the row of an earlier call."""
        return self._row(Db.REQUESTS, key, RequestRecord)

    def write_request(self, key: bytes, record: RequestRecord) -> None:
        """Write the row of a call."""
        before = self.request(key)
        self._stage(Db.REQUESTS, key, record)
        self._index(Table.REQUESTS, key, record.keep_until, before.keep_until if before is not None else None)

    def cut(self, scope: Scope) -> Cut | None:
        """Read the cut of a scope."""
        return self._row(Db.CUTS, scope_key(scope), Cut)

    def cuts(self) -> dict[Scope, Cut]:
        """Read every cut."""
        return {scope_of(key): cut for key, cut in self._rows(Db.CUTS, b"", Cut)}

    def write_cut(self, scope: Scope, cut: Cut) -> None:
        """Write the cut of a scope."""
        before, key = self.cut(scope), scope_key(scope)
        self._stage(Db.CUTS, key, cut)
        self._index(Table.CUTS, key, cut.keep_until, before.keep_until if before is not None else None)

    def keys(self) -> list[KeyRecord]:
        """Read every key, in the order of key ids."""
        return [key for _, key in self._rows(Db.KEYS, b"", KeyRecord)]

    def write_key(self, key: KeyRecord) -> None:
        """Write a key."""
        self._stage(Db.KEYS, key.key_id, key)

    def delete_key(self, key_id: bytes) -> None:
        """Delete a key, if there is one of the id."""
        self._staged.append((Db.KEYS, key_id, None))

    def revocations_after(self, revision: int, limit: int) -> list[Revocation]:
        """Read up to *limit* entries of the revocation log above *revision*, in order."""
        rows = self._rows(Db.REVOCATIONS, number_key(revision + 1), Revocation)
        return [revocation for _, revocation in itertools.islice(rows, limit)]

    def write_revocation(self, revocation: Revocation) -> None:
        """Write an entry of the revocation log."""
        key = number_key(revocation.revision)
        self._stage(Db.REVOCATIONS, key, revocation)
        self._index(Table.REVOCATIONS, key, revocation.keep_until, None)

    def events_after(self, sequence: int, limit: int) -> list[Event]:
        """Read up to *limit* events above *sequence*, in order."""
        start = number_key(sequence + 1)
        rows = heapq.merge(self._rows(Db.EVENTS, start, Event), self._rows(Db.REFUSALS, start, Event), key=_key_of)
        return [event for _, event in itertools.islice(rows, limit)]

    def events_of_session(self, session_id: bytes, limit: int) -> list[Event]:
        """Read the newest *limit* events of a session, in order."""
        if len(session_id) != _ID_SIZE:
            return []
        told = (self._event(index_key) for index_key in self._keys_back(Db.TIMELINES, session_id))
        # An older release that has the store open at the same time sweeps events and leaves what leads to them.
        newest = itertools.islice((event for event in told if event is not None), limit)
        return list(newest)[::-1]

    def write_event(self, event: Event) -> None:
        """Write an event, a refusal among the refusals."""
        if event.session_id and len(event.session_id) != _ID_SIZE:
            message = "the session's id of an event has 16 bytes, or none"
            raise ValueError(message)
        table, key = Table.REFUSALS if event.refusal else Table.EVENTS, number_key(event.sequence)
        self._stage(SWEPT[table][0], key, event)
        self._index(table, key, event.at, None)
        if event.session_id:
            self._staged.append((Db.TIMELINES, event.session_id + key, b""))

    def index_events(self) -> None:
        """Lead from sessions to the events of an older store; a damaged one stays where it lies."""
        for _, key, event in self._by_deadline(Table.EVENTS):
            if isinstance(event, Event) and event.session_id:
                # At once: kept back, those of a large store would take gigabytes.
                self._txn.put(event.session_id + key, b"", db=self._dbs[Db.TIMELINES])

    def installation(self) -> bytes | None:
        """Read the sealed secrets of the installation."""
        installation = self._row(Db.META, INSTALLATION_KEY, Installation)
        return None if installation is None else installation.sealed

    def write_installation(self, sealed: bytes) -> None:
        """Write the sealed secrets of the installation."""
        self._stage(Db.META, INSTALLATION_KEY, Installation(sealed))

    def delete_expired(self, table: Table, until: int, limit: int, most: int | None) -> int:
        """
        Delete up to *limit* rows, and give their number.

        Those go whose deadline is <= *until*, the earliest first, then those with the least keys until the table has
        *most*; None is no bound. A row that is damaged, or that has another deadline than the index says, stays.
        Behind :data:`PASSED_ROWS` of these nothing is looked at.
        """
        going: dict[bytes, Record] = {}
        passed = 0
        for deadline, key, row in self._by_deadline(table):
            if deadline > until or len(going) == limit or passed == PASSED_ROWS:
                break
            if row is None:
                passed += 1
            else:
                going[key] = row
        if most is not None:
            n_beyond = min(limit, self._count(SWEPT[table][0]) - most)
            for key in self._keys_from(SWEPT[table][0], b""):
                if len(going) >= n_beyond or passed == PASSED_ROWS:
                    break
                if (row := self._sound(table, key)) is None:
                    passed += 1
                else:
                    going[key] = row
        for key, row in going.items():
            self._delete(table, key, row)
        return len(going)

    def _delete(self, table: Table, key: bytes, row: Record) -> None:
        """Delete a row of a table that is swept, and all that leads to it."""
        if isinstance(row, Session):
            self._staged.append((Db.SUBJECTS, row.subject_hash + key, None))
        if isinstance(row, Event) and row.session_id:
            self._staged.append((Db.TIMELINES, row.session_id + key, None))
        index_key = deadline_key(table, DEADLINES[table](row), key)
        self._staged += [(SWEPT[table][0], key, None), (Db.DEADLINES, index_key, None)]

    def _by_deadline(self, table: Table) -> Iterator[tuple[int, bytes, Record | None]]:
        """Read a table in the order of deadlines: deadline, key, row, which is None where the index leads astray."""
        for index_key in self._keys_from(Db.DEADLINES, deadline_prefix(table)):
            deadline, key = split_deadline_key(index_key)
            row = self._sound(table, key)
            is_due = row is not None and index_key == deadline_key(table, DEADLINES[table](row), key)
            yield deadline, key, row if is_due else None

    def _sound(self, table: Table, key: bytes) -> Record | None:
        """Read a row, None where it is missing or damaged."""
        db, kind = SWEPT[table]
        try:
            return self._row(db, key, kind)
        except RecordFaultError:
            return None

    def used_bytes(self) -> int:
        """Measure the pages that hold rows; those that were freed, or that other readers hold back, are apart."""
        stats = [self._txn.stat(), *(self._txn.stat(db) for db in self._dbs.values())]
        pages = sum(stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"] for stat in stats)
        return pages * stats[0]["psize"]

    def _apply(self, db: Db) -> None:
        """Give to LMDB what was accepted for one table."""
        rows, handle = self._accepted[db], self._dbs[db]
        if not rows:
            return
        with self._txn.cursor(handle) as cursor:
            last = cursor.key() if cursor.last() else b""
        for key, value in sorted(rows.items()):
            if value is None:
                self._txn.delete(key, db=handle)
            else:
                # Told that a row is the last, LMDB leaves the page before it full.
                self._txn.put(key, value, append=key > last, db=handle)
        rows.clear()

    def _count(self, db: Db) -> int:
        self._apply(db)
        return int(self._txn.stat(self._dbs[db])["entries"])

    def _row(self, db: Db, key: bytes, kind: type[R]) -> R | None:
        if key in self._accepted[db]:
            value = self._accepted[db][key]
        else:
            value = self._txn.get(key, db=self._dbs[db]) if key else None
        return None if value is None else decode(db, key, value, kind)

    def _rows(self, db: Db, start: bytes, kind: type[R]) -> Iterator[tuple[bytes, R]]:
        """Read the rows from the key *start* on."""
        self._apply(db)
        with self._txn.cursor(self._dbs[db]) as cursor:
            found = cursor.set_range(start) if start else cursor.first()
            while found:
                key, value = cursor.item()
                yield key, decode(db, key, value, kind)
                found = cursor.next()

    def _keys_from(self, db: Db, prefix: bytes, after: bytes = b"") -> Iterator[bytes]:
        """Read the keys of an index that begin with *prefix*, from that on which goes on with *after*."""
        self._apply(db)
        with self._txn.cursor(self._dbs[db]) as cursor:
            found = cursor.set_range(prefix + after)
            while found and cursor.key().startswith(prefix):
                yield cursor.key()
                found = cursor.next()

    def _keys_back(self, db: Db, prefix: bytes) -> Iterator[bytes]:
        """Read the keys of an index that begin with *prefix*, the last first."""
        self._apply(db)
        with self._txn.cursor(self._dbs[db]) as cursor:
            found = cursor.prev() if cursor.set_range(prefix + _AFTER_ALL) else cursor.last()
            while found and cursor.key().startswith(prefix):
                yield cursor.key()
                found = cursor.prev()

    def _living(self, index_keys: Iterator[bytes], after: bytes) -> Iterator[Session]:
        """
        Read the sessions that keys of ``SUBJECTS`` lead to, those with ids above *after*.

        An ended one is passed over: in an older store it is listed until it is swept.
        """
        for index_key in index_keys:
            if index_key[_SUBJECT_HASH_SIZE:] > after and (session := self._listed(index_key)).end is None:
                yield session

    def _sound_and_living(self, index_keys: Iterator[bytes]) -> Iterator[Session]:
        """Read them without those that are damaged: one flipped bit must not keep a subject from logging in."""
        for index_key in index_keys:
            try:
                session = self._listed(index_key)
            except RecordFaultError as fault:
                _log.error("a session does not count among those of its subject", fault=str(fault))
                continue
            if session.end is None:
                yield session

    def _listed(self, index_key: bytes) -> Session:
        """Read the session that a key of ``SUBJECTS`` leads to."""
        session = self.session(index_key[_SUBJECT_HASH_SIZE:])
        if session is None or session.subject_hash != index_key[:_SUBJECT_HASH_SIZE]:
            raise damaged(Db.SUBJECTS, index_key)
        return session

    def _event(self, index_key: bytes) -> Event | None:
        """Read the event that a key of ``TIMELINES`` leads to, None where it is gone."""
        session_id, key = index_key[:_ID_SIZE], index_key[_ID_SIZE:]
        event = self._row(Db.EVENTS, key, Event) or self._row(Db.REFUSALS, key, Event)
        if event is not None and event.session_id != session_id:
            raise damaged(Db.TIMELINES, index_key)
        return event

    def _stage(self, db: Db, key: bytes, record: Record) -> None:
        self._staged.append((db, key, encode(db, key, record)))

    def _index(self, table: Table, key: bytes, deadline: int, before: int | None) -> None:
        """Note a row's deadline in place of the one that it had *before*."""
        if deadline != before:
            if before is not None:
                self._staged.append((Db.DEADLINES, deadline_key(table, before, key), None))
            self._staged.append((Db.DEADLINES, deadline_key(table, deadline, key), b""))


def _key_of(row: tuple[bytes, Record]) -> bytes:
    return row[0]
