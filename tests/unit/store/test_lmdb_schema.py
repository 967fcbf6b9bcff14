"""What lies in LMDB: how a record becomes a value, and that nothing else passes for one."""

from __future__ import annotations

import os
import random
import uuid
import zlib
from pathlib import Path

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sessiond.clock import ManualClock
from sessiond.ids import new_session_id
from sessiond.store.contract import Change
from sessiond.store.lmdb import LmdbStore, schema
from sessiond.store.lmdb.schema import SESSION_ROOM, Db, RecordFaultError, decode, encode
from sessiond.store.records import RequestRecord, Session, Trace
from sessiond.store.rows import Counters, Rows, Table
from tests.conformance.samples import NOW, SUBJECT_HASH, TENANT_HASH, answer, event, full_session, session, tell

KEY = session().id
BYTES_OF_A_SESSION = 400


@pytest.mark.parametrize("new", [session(), full_session()], ids=["plain", "full"])
def test_every_flipped_bit_of_a_value_is_seen(new: Session) -> None:
    """No single flipped bit of a value gives a record, not even another one."""
    value = encode(Db.SESSIONS, new.id, new)
    assert new == decode(Db.SESSIONS, new.id, value, Session)

    for bit in range(len(value) * 8):
        flipped = bytearray(value)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RecordFaultError, match="is damaged"):
            decode(Db.SESSIONS, new.id, bytes(flipped), Session)


@given(st.binary(max_size=40))
def test_no_other_bytes_are_a_value(value: bytes) -> None:
    """Bytes that the store did not write are refused as damaged, however short."""
    with pytest.raises(RecordFaultError, match="is damaged"):
        decode(Db.REQUESTS, KEY, value, RequestRecord)


def test_a_value_belongs_to_its_place() -> None:
    """A value that lies under another key or in another table is refused."""
    value = encode(Db.REQUESTS, KEY, answer())

    for db, key in ((Db.REQUESTS, session(2).id), (Db.CUTS, KEY)):
        with pytest.raises(RecordFaultError, match=f"{db.value.decode()}/{key.hex()} of the store is damaged"):
            decode(db, key, value, RequestRecord)


def written(version: int, body: bytes) -> bytes:
    """Give a value as a release whose format is *version* writes it under KEY."""
    rest = len(body).to_bytes(2, "little") + body
    place = zlib.crc32(KEY, zlib.crc32(b"requests\0"))
    checksum = zlib.crc32(rest, zlib.crc32(bytes([version]), place))
    return bytes([version]) + checksum.to_bytes(4, "little") + rest


def test_a_newer_format_is_named() -> None:
    """A value of a newer format is refused, with what to do."""
    message = "has format 2, and this release knows 1: a newer release of sessiond wrote it, .* Run that release"
    with pytest.raises(RecordFaultError, match=message):
        decode(Db.REQUESTS, KEY, written(2, b"whatever"), RequestRecord)


def test_a_value_without_a_record_is_damaged() -> None:
    """A sound value of this format that holds no record of the kind is refused as damaged."""
    assert answer() == decode(Db.REQUESTS, KEY, encode(Db.REQUESTS, KEY, answer()), RequestRecord)
    for body in (b"", b"\xc1", b"\x01", b"\x90"):
        with pytest.raises(RecordFaultError, match="is damaged"):
            decode(Db.REQUESTS, KEY, written(1, body), RequestRecord)


def test_what_does_not_fit_is_not_written() -> None:
    """A record that is too long, or whose key is too long or empty, is refused before anything is written."""
    with pytest.raises(ValueError, match=r"a record of 700\d\d bytes .* does not fit"):
        encode(Db.REQUESTS, KEY, answer(session_id=b"x" * 70_000))
    for key in (b"", b"x" * 501):
        with pytest.raises(ValueError, match=f"a key of {len(key)} does not fit"):
            encode(Db.REQUESTS, key, answer())


@pytest.mark.parametrize(
    ("deadline", "in_key"), [(-5, 0), (0, 0), (NOW, NOW), (2**32 - 1, 2**32 - 1), (2**40, 2**32 - 1)]
)
def test_deadlines_lie_in_order(deadline: int, in_key: int) -> None:
    """A deadline takes four bytes of a key in the order of time; one out of range lies at the end of it."""
    key = schema.deadline_key(Table.EVENTS, deadline, b"row")
    assert (in_key, b"row") == schema.split_deadline_key(key)
    assert key.startswith(schema.deadline_prefix(Table.EVENTS))


def test_a_session_is_small_however_often_it_is_refreshed(tmp_path: Path) -> None:
    """
    A session takes at most 400 bytes on disk with its indexes, after 50 refreshes.

    With a UUID as its subject, a label of 16 bytes, an address, retry keys and
    request ids. All pages of the three tables count, the half-empty ones too.
    """
    clock = ManualClock()
    store = LmdbStore(tmp_path / "data", monotonic_ms=clock.monotonic_ms, session_grace_seconds=0)
    dice, count = random.Random(7), 600  # noqa: S311 - the same sizes in every run
    sessions = [opened(number, dice) for number in range(count)]

    def write(rows: Rows) -> None:
        for one in sessions:
            rows.write_session(one, rows.session(one.id))

    store._write(write)  # noqa: SLF001 - all sessions in one transaction
    for number in range(50):
        sessions = [refreshed(one, number, dice) for one in sessions]
        store._write(write)  # noqa: SLF001 - likewise
    assert sessions[7] == store.get(sessions[7].id).session
    store.close()

    environment = lmdb.open(str(tmp_path / "data"), max_dbs=16, lib_version=0)
    pages = 0
    for db in (Db.SESSIONS, Db.SUBJECTS, Db.DEADLINES):
        handle = environment.open_db(db.value, create=False)
        with environment.begin() as txn:
            stat = txn.stat(handle)
        pages += stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
        page_bytes = stat["psize"]
    environment.close()
    assert 300 < pages * page_bytes / count <= BYTES_OF_A_SESSION


def opened(number: int, dice: random.Random) -> Session:
    """Give a session as it is opened, *number* seconds into the run."""
    subject_hash = dice.randbytes(8)
    return session(
        id=new_session_id((NOW + number) * 1_000, subject_hash, dice.randbytes(8)),
        subject=str(uuid.UUID(bytes=dice.randbytes(16))),
        subject_hash=subject_hash,
        tenant_hash=TENANT_HASH,
        expires_at=NOW + number + 30 * 86_400,
        idle_seconds=7 * 86_400,
        label="sixteen bytes ok",
        pending_by=trace(dice, 0),
        access_issued_at=NOW + number,
    )


def refreshed(one: Session, number: int, dice: random.Random) -> Session:
    """Give a session after its next refresh."""
    return replace(
        one,
        parent=one.confirmed,
        confirmed=one.pending,
        confirmed_by=one.pending_by,
        confirmed_ms=10**10,
        pending=one.pending + 1,
        pending_by=trace(dice, number),
        access_issued_at=NOW + 300 * number,
    )


def trace(dice: random.Random, number: int) -> Trace:
    """Give the trace of a refresh by one client, after months of serving."""
    return Trace(
        at=NOW + 300 * number,
        serving_ms=10**10,
        key_id=b"signing1",
        retry_hash=dice.randbytes(16),
        request_hash=dice.randbytes(16),
        ip=b"\xc0\x00\x02\x01",
        caller="local",
    )


def test_a_session_stays_where_it_lies() -> None:
    """The value of a session that is opened has room for its first refreshes, so that no page splits over them."""
    dice = random.Random(7)  # noqa: S311 - a sample
    one = opened(1, dice)
    sizes = []
    for number in range(4):
        sizes.append(len(encode(Db.SESSIONS, one.id, one)))
        one = refreshed(one, number, dice)
    assert [SESSION_ROOM] * 4 == sizes


def test_new_rows_of_a_group_fill_the_pages(tmp_path: Path) -> None:
    """Rows that come in any order within a transaction, and in order between them, fill pages to the end."""
    clock = ManualClock()
    store = LmdbStore(tmp_path / "data", monotonic_ms=clock.monotonic_ms, session_grace_seconds=0)
    numbers = list(range(1, 601))
    for start in range(0, len(numbers), 50):
        group = numbers[start : start + 50]
        random.Random(start).shuffle(group)  # noqa: S311 - an order

        def write(rows: Rows, group: list[int] = group) -> None:
            for number in group:
                rows.write_session(session(number, subject_hash=os.urandom(8)), None)

        store._write(write)  # noqa: SLF001 - one transaction
    store.close()

    environment = lmdb.open(str(tmp_path / "data"), max_dbs=16, lib_version=0)
    handle = environment.open_db(Db.SESSIONS.value, create=False)
    with environment.begin() as txn:
        stat = txn.stat(handle)
    environment.close()
    a_node = 8 + 16 + SESSION_ROOM + 2
    fitting = (stat["psize"] - 16) // a_node
    assert stat["leaf_pages"] <= -(-len(numbers) // fitting)


@pytest.mark.parametrize("new", [session(id=b"short"), session(subject_hash=b"longer than that")])
def test_ids_have_their_size(tmp_path: Path, new: Session) -> None:
    """A session whose id or hash has another size is refused, and no such id is known."""
    store = LmdbStore(tmp_path / "data", monotonic_ms=ManualClock().monotonic_ms, session_grace_seconds=0)
    with pytest.raises(ValueError, match="16 bytes"):
        store.create(TENANT_HASH, SUBJECT_HASH, None, lambda _: Change(None, session=new))
    assert None is store.get(new.id).session
    assert Counters().revision == store.revision()
    store.close()


def test_the_session_of_an_event_has_the_size_of_an_id(tmp_path: Path) -> None:
    """An event that names a session by an id of another size is refused, and leaves nothing."""
    store = LmdbStore(tmp_path / "data", monotonic_ms=ManualClock().monotonic_ms, session_grace_seconds=0)
    with pytest.raises(ValueError, match="an event has 16 bytes"):
        tell(store, event(), event(session_id=b"short"))
    assert ([], 0) == store.events_after(0, 10)
    store.close()
