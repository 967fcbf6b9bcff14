"""One damaged record: it is found, named, and left as it is, and all others stay in use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
import structlog.testing
from msgspec.structs import replace

from sessiond.authority.caller import LOCAL
from sessiond.authority.event_search import EventFilter, EventSearch
from sessiond.clock import ManualClock
from sessiond.errors import StoreUnavailableError
from sessiond.ids import new_session_id, session_id_text
from sessiond.server.services.diagnosis import EventSource
from sessiond.store.contract import Change, Swept, View
from sessiond.store.lmdb import LmdbStore, schema
from sessiond.store.lmdb.environment import ENGINE
from sessiond.store.lmdb.schema import COUNTERS_KEY, Db, deadline_key, encode, number_key, scope_key
from sessiond.store.records import Session
from sessiond.store.rows import Table
from tests.conformance.samples import (
    NOW,
    SUBJECT,
    SUBJECT_HASH,
    TENANT_HASH,
    add,
    answer,
    cut_scope,
    event,
    keep,
    key,
    look,
    put_keys,
    request,
    session,
    tell,
)

SICK, WELL = session(1), session(2)


def opened(path: Path) -> LmdbStore:
    """Open a store that keeps no session beyond its expiry."""
    return LmdbStore(path, monotonic_ms=ManualClock().monotonic_ms, session_grace_seconds=0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give the directory of a closed store with two sessions of a subject, a cut, a request, a key and three events."""
    store = opened(tmp_path / "data")
    add(store, SICK)
    add(store, WELL)
    cut_scope(store, SUBJECT)
    keep(store, request(), answer())
    put_keys(store, key())
    tell(store, event(session_id=WELL.id), event(session_id=WELL.id, refusal=True))
    store.close()
    return tmp_path / "data"


def change(path: Path, db: Db, row: bytes, new: Callable[[bytes], bytes | None], under: bytes | None = None) -> None:
    """Put another value in place of a row's, None to delete it; *under* moves it to another key."""
    environment = lmdb.open(str(path), max_dbs=16, lib_version=ENGINE)
    handle = environment.open_db(db.value, create=False)
    with environment.begin(write=True) as txn:
        value = txn.get(row, db=handle)
        assert value is not None
        changed = new(value)
        txn.delete(row, db=handle)
        if changed is not None:
            txn.put(under or row, changed, db=handle)
    environment.close()


def flip_on_disk(path: Path, db: Db, row: bytes) -> None:
    """Flip one bit in the middle of a row's record, in the file, as a bad disk does."""
    environment = lmdb.open(str(path), max_dbs=16, lib_version=ENGINE)
    handle = environment.open_db(db.value, create=False)
    with environment.begin() as txn:
        value = txn.get(row, db=handle)
    environment.close()
    assert value is not None
    length = int.from_bytes(value[5:7], "little")
    at = 7 + length // 2
    flipped = value[:at] + bytes([value[at] ^ 0x10]) + value[at + 1 :]
    overwrite(path / "data.mdb", value, flipped)


def overwrite(file: Path, old: bytes, new: bytes) -> None:
    """Write *new* over each place of *old* in a file, the pages that LMDB has freed included."""
    content = file.read_bytes()
    assert old in content
    at = content.find(old)
    with file.open("r+b") as stream:
        while at >= 0:
            stream.seek(at)
            stream.write(new)
            at = content.find(old, at + 1)


def stored(path: Path, db: Db, row: bytes) -> bytes | None:
    """Read a value as it lies in the file of a closed store."""
    environment = lmdb.open(str(path), max_dbs=16, lib_version=ENGINE)
    handle = environment.open_db(db.value, create=False)
    with environment.begin() as txn:
        value = txn.get(row, db=handle)
    environment.close()
    return value


def never(*_: object) -> Change[None]:
    """Refuse to decide."""
    raise AssertionError


def test_a_damaged_session_is_refused_and_left(data: Path) -> None:
    """
    A session with one flipped bit on disk fails every call about it, with its name and what to do.

    No decision is asked, nothing is written, and the calls about another
    session go on, in the same group too.
    """
    flip_on_disk(data, Db.SESSIONS, SICK.id)
    damaged = stored(data, Db.SESSIONS, SICK.id)
    store = opened(data)

    calls: list[Callable[[], object]] = [
        lambda: store.get(SICK.id),
        lambda: store.rotate(SICK.id, never),
        lambda: store.update(SICK.id, None, never),
        lambda: store.revoke([SICK.id], None, never),
        lambda: store.list_by_subject(SUBJECT_HASH, b"", 10),
        lambda: store.create(TENANT_HASH, SUBJECT_HASH, None, lambda _: Change(None, session=SICK)),
    ]
    message = f"the record sessions/{SICK.id.hex()} of the store is damaged: .* restore the store from a backup; the"
    with structlog.testing.capture_logs() as log:
        for call in calls:
            with pytest.raises(StoreUnavailableError, match=message):
                call()
    assert len(calls) == len(log)
    assert SICK.id.hex() in store.health().detail
    assert (True, True) == (store.health().readable, store.health().writable)

    changed = replace(WELL, label="changed")
    store.rotate(WELL.id, lambda _: Change(None, session=changed))
    assert changed == store.get(WELL.id).session
    assert [changed] == store.list_by_subject(SUBJECT_HASH, SICK.id, 10)[0]
    store.close()
    assert damaged == stored(data, Db.SESSIONS, SICK.id)


def test_a_damaged_session_keeps_no_subject_out(data: Path) -> None:
    """A subject with a damaged session, or one that is gone, logs in: that is logged, and does not count."""
    change(data, Db.SUBJECTS, SUBJECT_HASH + SICK.id, lambda _: b"", under=SUBJECT_HASH + session(9).id)
    flip_on_disk(data, Db.SESSIONS, WELL.id)
    store = opened(data)
    add(store, session(3))

    def decide(view: View) -> Change[list[Session]]:
        return Change(list(view.siblings), session=session(4))

    with structlog.testing.capture_logs() as log:
        assert [session(3)] == store.create(TENANT_HASH, SUBJECT_HASH, None, decide, siblings=10)
    told = [f"subjects/{(SUBJECT_HASH + session(9).id).hex()}", f"sessions/{WELL.id.hex()}"]
    assert [True, True] == [name in line["fault"] for name, line in zip(told, log, strict=True)]
    store.close()


def test_a_damaged_event_does_not_hide_the_last_number(data: Path) -> None:
    """Whoever asks for no event learns the number of the last one, whatever became of the first."""
    flip_on_disk(data, Db.EVENTS, number_key(1))
    store = opened(data)
    assert 3 == EventSource(store).end()
    store.close()


def test_a_damaged_event_does_not_hide_those_of_a_session(data: Path) -> None:
    """Where the oldest event of all is damaged, the events of a session that has others are read all the same."""
    flip_on_disk(data, Db.EVENTS, number_key(1))
    store = opened(data)
    session_id = new_session_id(NOW * 1000, SUBJECT_HASH, bytes(8))
    tell(store, event(session_id=session_id))
    page = EventSearch(store, LOCAL, EventFilter(session_id=session_id_text(session_id))).page(0, 10)
    assert ([4], 4) == ([one.sequence for one in page.events], page.cursor)
    store.close()


def test_a_sweep_passes_a_damaged_session(data: Path) -> None:
    """A sweep deletes what has expired behind a damaged session, and leaves that."""
    flip_on_disk(data, Db.SESSIONS, SICK.id)
    store = opened(data)
    assert Swept(sessions=1, requests=1) == store.sweep(NOW + 1_000, 0, 10)
    assert None is store.get(WELL.id).session
    with pytest.raises(StoreUnavailableError, match="is damaged"):
        store.get(SICK.id)
    store.close()


def test_a_record_of_a_newer_release_is_left(data: Path) -> None:
    """A session of a newer format is neither read, changed nor swept, and the message says what to do."""
    change(data, Db.SESSIONS, SICK.id, lambda value: b"\2" + value[1:])
    newer = stored(data, Db.SESSIONS, SICK.id)
    store = opened(data)
    for call in (lambda: store.get(SICK.id), lambda: store.update(SICK.id, None, never)):
        with pytest.raises(StoreUnavailableError, match=r"has format 2, .* Run that release"):
            call()
    assert 1 == store.sweep(NOW + 5_000, 0, 10).sessions
    store.close()
    assert newer == stored(data, Db.SESSIONS, SICK.id)


@pytest.mark.parametrize(
    ("db", "row", "call"),
    [
        (Db.CUTS, scope_key(SUBJECT), lambda store: store.cuts()),
        (Db.CUTS, scope_key(SUBJECT), lambda store: store.get(WELL.id)),
        (Db.CUTS, scope_key(SUBJECT), lambda store: store.cut(SUBJECT, WELL.id, None, never)),
        (Db.KEYS, key().key_id, lambda store: store.keys()),
        (Db.KEYS, key().key_id, lambda store: store.change_keys(None, never)),
        (Db.REQUESTS, request().key, lambda store: store.update(WELL.id, request(), never)),
        (Db.EVENTS, number_key(1), lambda store: store.events_after(0, 10)),
        (Db.EVENTS, number_key(2), lambda store: store.events_of_session(WELL.id, 10)),
        (Db.REFUSALS, number_key(3), lambda store: store.events_after(0, 10)),
        (Db.REFUSALS, number_key(3), lambda store: store.events_of_session(WELL.id, 10)),
        (Db.REVOCATIONS, number_key((1 << 48) + 1), lambda store: store.revocations_after(0, 10)),
    ],
    ids=[
        "cuts",
        "cut of a session",
        "cut again",
        "keys",
        "change of keys",
        "request",
        "events",
        "timeline",
        "refusals",
        "refusal of a session",
        "log",
    ],
)
def test_other_damaged_records_are_refused(data: Path, db: Db, row: bytes, call: Callable[[LmdbStore], object]) -> None:
    """A damaged record of any table fails the calls that rest on it, and is named."""
    flip_on_disk(data, db, row)
    store = opened(data)
    with pytest.raises(StoreUnavailableError, match=f"{db.value.decode()}/{row.hex()} of the store is damaged"):
        call(store)
    store.close()


def test_damaged_counters_stop_writes(data: Path) -> None:
    """Counters that are damaged while the store is open fail whatever would be committed with them, a sweep too."""
    store = opened(data)
    counters = store._read(lambda rows: rows.counters())  # noqa: SLF001 - nobody else's to see
    overwrite(data / "data.mdb", encode(Db.META, COUNTERS_KEY, counters), b"\1 damage")
    for call in (lambda: store.sweep(NOW + 5_000, 0, 10), store.cuts):
        with pytest.raises(StoreUnavailableError, match="meta/counters of the store is damaged"):
            call()
    store.close()
    assert None is not stored(data, Db.SESSIONS, WELL.id)


def test_an_index_that_leads_astray_is_damage(data: Path) -> None:
    """A row of the list of a subject that leads to no session of the subject fails the list."""
    change(data, Db.SUBJECTS, SUBJECT_HASH + SICK.id, lambda _: b"", under=b"strange1" + SICK.id)
    store = opened(data)
    with pytest.raises(
        StoreUnavailableError, match=f"subjects/{(b'strange1' + SICK.id).hex()} of the store is damaged"
    ):
        store.list_by_subject(b"strange1", b"", 10)
    store.close()


def test_a_timeline_that_leads_astray_is_damage(data: Path) -> None:
    """A row of a session's timeline that leads to an event of another session fails the timeline."""
    row = SICK.id + number_key(2)
    change(data, Db.TIMELINES, WELL.id + number_key(2), lambda _: b"", under=row)
    store = opened(data)
    with pytest.raises(StoreUnavailableError, match=f"timelines/{row.hex()} of the store is damaged"):
        store.events_of_session(SICK.id, 10)
    store.close()


def test_a_timeline_passes_what_an_older_release_swept(data: Path) -> None:
    """A row of a timeline whose event is gone is passed over: an older release sweeps events and not the rows."""
    change(data, Db.REFUSALS, number_key(3), lambda _: None)
    store = opened(data)
    assert [2] == [one.sequence for one in store.events_of_session(WELL.id, 1)]
    store.close()


def test_a_sweep_looks_at_so_many_rows_that_it_must_leave(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind so many damaged rows of a table a sweep stops there, so that no caller waits long; other tables go on."""
    monkeypatch.setattr("sessiond.store.lmdb.rows.PASSED_ROWS", 2)
    store = opened(data)
    for number in (1, 2):
        keep(store, request(number), answer(keep_until=NOW - 9 + number))
    keep(store, request(3), answer(keep_until=NOW))
    tell(store, *(event() for _ in range(3)))
    store.close()
    for number in (1, 2):
        flip_on_disk(data, Db.REQUESTS, request(number).key)
        flip_on_disk(data, Db.EVENTS, number_key(number))
    store = opened(data)
    assert Swept(sessions=2, refusal_events=1) == store.sweep(NOW + 1_000, 0, 10, max_events=0, max_refusal_events=0)
    store.close()


def test_a_bound_of_events_passes_a_damaged_one(data: Path) -> None:
    """Where the oldest event is damaged, those behind it go, so that the bound holds but for what is damaged."""
    flip_on_disk(data, Db.EVENTS, number_key(1))
    store = opened(data)
    assert Swept(events=1, refusal_events=1) == store.sweep(NOW, 0, 10, max_events=0, max_refusal_events=0)
    assert [] == store.events_of_session(WELL.id, 10)
    store.close()


def test_a_lost_session_is_damage(data: Path) -> None:
    """A session that its subject's list names and that is gone fails the list."""
    change(data, Db.SESSIONS, SICK.id, lambda _: None)
    store = opened(data)
    with pytest.raises(StoreUnavailableError, match=r"subjects/.* of the store is damaged"):
        store.list_by_subject(SUBJECT_HASH, b"", 10)
    # Neither does its deadline delete anything.
    assert 1 == store.sweep(NOW + 5_000, 0, 10).sessions
    store.close()


def test_a_deadline_that_is_damaged_deletes_nothing(data: Path) -> None:
    """A row whose deadline in the index is another than its own stays."""
    right = deadline_key(Table.SESSIONS, SICK.expires_at, SICK.id)
    change(data, Db.DEADLINES, right, lambda _: b"", under=deadline_key(Table.SESSIONS, 5, SICK.id))
    store = opened(data)
    assert Swept() == store.sweep(NOW, 0, 10)
    assert SICK == store.get(SICK.id).session
    store.close()


def unseen_damage(path: Path) -> list[Session]:
    """Flip a bit in each session on disk, and give those that are read all the same: damage that goes unseen."""
    for one in (SICK, WELL):
        flip_on_disk(path, Db.SESSIONS, one.id)
    store = opened(path)
    read = []
    for one in (SICK, WELL):
        try:
            session_read = store.get(one.id).session
        except StoreUnavailableError:
            continue
        assert session_read is not None
        read.append(session_read)
    store.close()
    return read


def test_no_damage_goes_unseen(data: Path) -> None:
    """A flipped bit on disk never gives another session than the one that was written."""
    assert [] == unseen_damage(data)


def test_damage_would_go_unseen_without_the_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above has teeth: in a store without checksums it finds sessions that nobody wrote."""
    monkeypatch.setattr(schema, "_checksum", lambda *_: 0)
    store = opened(tmp_path / "data")
    for one in (SICK, WELL):
        add(store, replace(one, label="x" * 64, client_id="y" * 64))
    store.close()
    assert unseen_damage(tmp_path / "data")


def test_a_request_row_survives_other_damage(data: Path) -> None:
    """What does not touch the damaged record works: the rows of requests here."""
    flip_on_disk(data, Db.SESSIONS, SICK.id)
    store = opened(data)
    assert answer() == look(store, request())
    store.close()
