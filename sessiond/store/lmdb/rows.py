"""The rows of a store, as one LMDB transaction sees them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

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
from sessiond.store.transactional import DEADLINES, Counters, Table

if TYPE_CHECKING:
    import lmdb

R = TypeVar("R", bound=Record)

_ID_SIZE = 16
_SUBJECT_HASH_SIZE = 8


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
        for db, rows in self._accepted.items():
            if rows:
                self._apply(self._dbs[db], sorted(rows.items()))
                rows.clear()

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
        """Read up to *limit* sessions of a subject's hash with ids above *after*, in the order of ids."""
        return list(itertools.islice(self._sessions_of(subject_hash, after), limit))

    def write_session(self, session: Session, before: Session | None) -> None:
        """Write a session in place of *before*, None where its id is new."""
        if len(session.id) != _ID_SIZE or len(session.subject_hash) != _SUBJECT_HASH_SIZE:
            message = "a session's id has 16 bytes and its subject's hash 8"
            raise ValueError(message)
        self._stage(Db.SESSIONS, session.id, session)
        if before is None or before.subject_hash != session.subject_hash:
            if before is not None:
                self._staged.append((Db.SUBJECTS, before.subject_hash + session.id, None))
            self._staged.append((Db.SUBJECTS, session.subject_hash + session.id, b""))
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
        rows = self._rows(Db.EVENTS, number_key(sequence + 1), Event)
        return [event for _, event in itertools.islice(rows, limit)]

    def write_event(self, event: Event) -> None:
        """Write an event."""
        key = number_key(event.sequence)
        self._stage(Db.EVENTS, key, event)
        self._index(Table.EVENTS, key, event.at, None)

    def installation(self) -> bytes | None:
        """Read the sealed secrets of the installation."""
        installation = self._row(Db.META, INSTALLATION_KEY, Installation)
        return None if installation is None else installation.sealed

    def write_installation(self, sealed: bytes) -> None:
        """Write the sealed secrets of the installation."""
        self._stage(Db.META, INSTALLATION_KEY, Installation(sealed))

    def delete_expired(self, table: Table, until: int, limit: int) -> int:
        """
        Delete up to *limit* rows whose deadline is <= *until*, the earliest first, and give their number.

        A row that is damaged, or that has another deadline than the index says, stays.
        """
        deleted = 0
        for index_key, key, row in self._expired(table, until):
            if deleted == limit:
                break
            if isinstance(row, Session):
                self._staged.append((Db.SUBJECTS, row.subject_hash + key, None))
            self._staged += [(SWEPT[table][0], key, None), (Db.DEADLINES, index_key, None)]
            deleted += 1
        return deleted

    def _expired(self, table: Table, until: int) -> Iterator[tuple[bytes, bytes, Record]]:
        db, kind = SWEPT[table]
        prefix = deadline_prefix(table)
        for index_key in self._keys_from(Db.DEADLINES, prefix):
            deadline, key = split_deadline_key(index_key)
            if deadline > until or not index_key.startswith(prefix):
                return
            try:
                row = self._row(db, key, kind)
            except RecordFaultError:
                continue
            if row is not None and index_key == deadline_key(table, DEADLINES[table](row), key):
                yield index_key, key, row

    def used_bytes(self) -> int:
        """Measure the pages that hold rows; those that were freed, or that other readers hold back, are apart."""
        stats = [self._txn.stat(), *(self._txn.stat(db) for db in self._dbs.values())]
        pages = sum(stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"] for stat in stats)
        return pages * stats[0]["psize"]

    def _apply(self, db: lmdb._Database, rows: list[tuple[bytes, bytes | None]]) -> None:
        with self._txn.cursor(db) as cursor:
            last = cursor.key() if cursor.last() else b""
        for key, value in rows:
            if value is None:
                self._txn.delete(key, db=db)
            else:
                # Told that a row is the last, LMDB leaves the page before it full.
                self._txn.put(key, value, append=key > last, db=db)

    def _row(self, db: Db, key: bytes, kind: type[R]) -> R | None:
        if key in self._accepted[db]:
            value = self._accepted[db][key]
        else:
            value = self._txn.get(key, db=self._dbs[db]) if key else None
        return None if value is None else decode(db, key, value, kind)

    def _rows(self, db: Db, start: bytes, kind: type[R]) -> Iterator[tuple[bytes, R]]:
        """Read the rows from the key *start* on."""
        self.apply()
        with self._txn.cursor(self._dbs[db]) as cursor:
            found = cursor.set_range(start) if start else cursor.first()
            while found:
                key, value = cursor.item()
                yield key, decode(db, key, value, kind)
                found = cursor.next()

    def _keys_from(self, db: Db, start: bytes) -> Iterator[bytes]:
        """Read the keys of an index from *start* on."""
        self.apply()
        with self._txn.cursor(self._dbs[db]) as cursor:
            found = cursor.set_range(start)
            while found:
                yield cursor.key()
                found = cursor.next()

    def _sessions_of(self, subject_hash: bytes, after: bytes) -> Iterator[Session]:
        for index_key in self._keys_from(Db.SUBJECTS, subject_hash + after):
            found_hash, session_id = index_key[:_SUBJECT_HASH_SIZE], index_key[_SUBJECT_HASH_SIZE:]
            if found_hash != subject_hash:
                return
            if session_id > after:
                session = self.session(session_id)
                if session is None or session.subject_hash != subject_hash:
                    raise damaged(Db.SUBJECTS, index_key)
                yield session

    def _stage(self, db: Db, key: bytes, record: Record) -> None:
        self._staged.append((db, key, encode(db, key, record)))

    def _index(self, table: Table, key: bytes, deadline: int, before: int | None) -> None:
        """Note a row's deadline in place of the one that it had *before*."""
        if deadline != before:
            if before is not None:
                self._staged.append((Db.DEADLINES, deadline_key(table, before, key), None))
            self._staged.append((Db.DEADLINES, deadline_key(table, deadline, key), b""))
