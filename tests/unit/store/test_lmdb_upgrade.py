"""A store of an older release: what opening it adds, and that what it lists wrongly does no harm."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from sessiond.clock import ManualClock
from sessiond.store.contract import Change, Swept
from sessiond.store.lmdb import LmdbStore, StoreOpenError
from sessiond.store.lmdb.environment import ENGINE
from sessiond.store.lmdb.rows import LmdbRows
from sessiond.store.lmdb.schema import ADDED, COUNTERS_KEY, Db, number_key
from tests.conformance.samples import (
    NOW,
    SUBJECT_HASH,
    TENANT_HASH,
    add,
    end,
    ended,
    event,
    session,
    tell,
)

LIVING, ENDED = session(1), session(2)


def opened(path: Path) -> LmdbStore:
    """Open a store that keeps no session beyond its expiry."""
    return LmdbStore(path, monotonic_ms=ManualClock().monotonic_ms, session_grace_seconds=0)


@contextlib.contextmanager
def raw(path: Path) -> Iterator[tuple[lmdb.Environment, lmdb.Transaction[bytes]]]:
    """Change the LMDB environment of a closed store."""
    environment = lmdb.open(str(path), max_dbs=16, lib_version=ENGINE)
    with environment.begin(write=True) as txn:
        yield environment, txn
    environment.close()


def names(path: Path) -> set[bytes]:
    """Give the names of the tables in a file."""
    with raw(path) as (_, txn), txn.cursor() as cursor:
        return set(cursor.iternext(keys=True, values=False))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a closed store as an older release leaves it: fewer tables, and an ended session in the list."""
    path = tmp_path / "data"
    store = opened(path)
    add(store, LIVING)
    add(store, ENDED)
    end(store, ENDED.id)
    tell(store, event(session_id=ENDED.id), event(), event(session_id=ENDED.id))
    store.close()
    with raw(path) as (environment, txn):
        for db in ADDED:
            txn.drop(environment.open_db(db.value, txn=txn, create=False))
        txn.put(SUBJECT_HASH + ENDED.id, b"", db=environment.open_db(Db.SUBJECTS.value, txn=txn, create=False))
    assert names(path) == {db.value for db in Db} - {db.value for db in ADDED}
    return path


def test_an_old_store_gets_the_tables_that_it_lacks(data: Path) -> None:
    """An old store is opened with what it holds, finds its events by session, and takes refusals."""
    store = opened(data)
    told = [event(sequence=number, session_id=ENDED.id) for number in (1, 3)]
    assert (told[:1], 3) == store.events_after(0, 1)
    assert told == store.events_of_session(ENDED.id, 10)
    tell(store, event(session_id=ENDED.id, refusal=True))
    store.close()

    again = opened(data)
    assert [1, 2, 3, 4] == [one.sequence for one in again.events_after(0, 10)[0]]
    assert [1, 3, 4] == [one.sequence for one in again.events_of_session(ENDED.id, 10)]
    again.close()
    assert {db.value for db in Db} == names(data)


def test_an_ended_session_in_an_old_list_is_passed_over(data: Path) -> None:
    """A session that ended before the upgrade is in no list and no sibling, does not stop a page, and is swept."""
    store = opened(data)
    assert [LIVING] == store.list_by_subject(SUBJECT_HASH, b"", 10)[0]
    add(store, session(3))
    assert [LIVING] == store.list_by_subject(SUBJECT_HASH, b"", 1)[0]
    assert [session(3)] == store.list_by_subject(SUBJECT_HASH, LIVING.id, 1)[0]
    seen = store.create(TENANT_HASH, SUBJECT_HASH, None, lambda view: Change(view.siblings), siblings=2)
    assert [session(3), LIVING] == list(seen)

    assert ended(ENDED).session == store.get(ENDED.id).session
    assert Swept(sessions=3) == store.sweep(NOW + 1_000, 0, 10)
    store.close()
    with raw(data) as (environment, txn):
        assert 0 == txn.stat(environment.open_db(Db.SUBJECTS.value, txn=txn, create=False))["entries"]


def test_a_damaged_event_stops_no_upgrade(data: Path) -> None:
    """An old store with a damaged event is opened; the other events are found by session."""
    with raw(data) as (environment, txn):
        txn.put(number_key(1), b"\1damage", db=environment.open_db(Db.EVENTS.value, txn=txn, create=False))
    store = opened(data)
    assert [3] == [one.sequence for one in store.events_of_session(ENDED.id, 10)]
    store.close()


def test_an_old_store_without_room(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old store that is too full for what is added is refused with what to do, left as it is, and opened later."""
    before = names(data)

    def find_no_room(_: LmdbRows) -> None:
        message = "made up"
        raise lmdb.MapFullError(message)

    with monkeypatch.context() as patch:
        patch.setattr(LmdbRows, "index_events", find_no_room)
        with pytest.raises(
            StoreOpenError, match=r"no room for the tables that .* start the authority with a larger map_"
        ):
            opened(data)
    assert before == names(data)
    opened(data).close()


def test_an_old_store_that_is_refused_is_left(data: Path) -> None:
    """An old store whose counters are damaged gets no tables."""
    before = names(data)
    with raw(data) as (environment, txn):
        txn.put(COUNTERS_KEY, b"\1garbage", db=environment.open_db(Db.META.value, txn=txn, create=False))
    with pytest.raises(StoreOpenError, match="the record meta/counters of the store is damaged"):
        opened(data)
    assert before == names(data)


def test_a_file_that_lacks_another_table_is_refused(data: Path) -> None:
    """Only the tables that an older store lacks are made: without another one a file is no store."""
    with raw(data) as (environment, txn):
        txn.drop(environment.open_db(Db.CUTS.value, txn=txn, create=False))
    before = names(data)
    with pytest.raises(StoreOpenError, match="belongs to another program"):
        opened(data)
    assert before == names(data)
