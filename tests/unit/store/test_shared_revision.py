"""The revision that the processes of a store share: true whoever opens the store, and whatever lay in its place."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import lmdb
import pytest
import structlog.testing

from sessiond.clock import ManualClock
from sessiond.errors import IndeterminateError, StoreUnavailableError
from sessiond.store.contract import Change
from sessiond.store.lmdb import LmdbStore, StoreOpenError, writer
from sessiond.store.lmdb.revision import FILE, RevisionFile, RevisionFileError
from sessiond.store.lmdb.rows import LmdbRows
from sessiond.store.lmdb.writer import Writer
from tests.conformance.samples import SUBJECT_HASH, add, end, refuse, session
from tests.durability.groups import no_file_longer_than

FIRST = 1 << 48


def opened(path: Path) -> LmdbStore:
    """Open a store."""
    return LmdbStore(path, monotonic_ms=ManualClock().monotonic_ms, session_grace_seconds=0, map_size=1 << 26)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give the directory of a closed store of two sessions, of which one was ended."""
    store = opened(tmp_path / "data")
    for number in (1, 2):
        add(store, session(number))
    end(store, session(1).id)
    store.close()
    return tmp_path / "data"


@pytest.fixture
def one(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LmdbStore]:
    """Give an open store that ticks only when it is told to."""
    monkeypatch.setattr("sessiond.store.lmdb.store.TICK_SECONDS", 3_600)
    store = opened(data)
    yield store
    store.close()


def put(place: Path, content: bytes | None) -> None:
    """Put another file in the place of a revision, or none."""
    place.unlink()
    if content is not None:
        place.write_bytes(content)


# Opening.


@pytest.mark.parametrize(
    "content",
    [None, b"", bytes(7), bytes(8), bytes(9), (FIRST + 77).to_bytes(8, "little"), b"\xff" * 8],
    ids=["missing", "empty", "short", "behind", "long", "ahead", "garbage"],
)
def test_whoever_opens_a_store_alone_makes_the_file_anew(data: Path, content: bytes | None) -> None:
    """Whatever lies in the place of the file, a store that nobody else has open tells its own revision."""
    put(data / FILE, content)
    store = opened(data)
    assert FIRST + 1 == store.revision() == store.cuts()[1]
    assert FIRST + 2 == end(store, session(2).id) == store.revision()
    assert 8 == (data / FILE).stat().st_size
    store.close()


def test_a_link_in_its_place_is_not_followed(data: Path, tmp_path: Path) -> None:
    """A link in the place of the file is replaced, and what it leads to stays as it is."""
    (tmp_path / "other").write_bytes(b"precious")
    put(data / FILE, None)
    (data / FILE).symlink_to(tmp_path / "other")
    store = opened(data)
    end(store, session(2).id)
    assert b"precious" == (tmp_path / "other").read_bytes()
    assert not (data / FILE).is_symlink()
    store.close()


def test_a_place_that_cannot_be_used(data: Path) -> None:
    """A store whose file cannot be made is not opened, with words on what to do, and is once it can."""
    put(data / FILE, None)
    (data / FILE).mkdir()
    with pytest.raises(StoreOpenError, match=f"{data / FILE}: cannot be used: Is a directory: make room"):
        opened(data)
    (data / FILE).rmdir()
    opened(data).close()


def test_a_full_disk(tmp_path: Path) -> None:
    """A file that finds no room is refused where it is made, and not by a signal where it is written."""
    with no_file_longer_than(4), pytest.raises(RevisionFileError, match=r"cannot be used: File too large: make room"):
        RevisionFile(tmp_path)
    RevisionFile(tmp_path).close()


def test_a_file_that_may_not_be_on_the_disk_is_left_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk fails while the file is made, no file lies there that another process would take for one."""
    RevisionFile(tmp_path).close()

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "made up")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(RevisionFileError, match="cannot be used: made up: make room"):
            RevisionFile(tmp_path)
    assert not (tmp_path / FILE).exists()
    RevisionFile(tmp_path).close()
    assert [tmp_path / FILE] == list(tmp_path.iterdir())


# Several processes: each has a file object of its own, whose locks know nothing of the others'.


def test_processes_share_one_file(tmp_path: Path) -> None:
    """Whoever opens the directory while others have it open shares their word, also when the first has gone."""
    first, second = RevisionFile(tmp_path), RevisionFile(tmp_path)
    first.raise_to(5)
    assert 5 == second.load()
    first.close()
    third = RevisionFile(tmp_path)
    assert 5 == third.load()
    third.raise_to(6)
    assert 6 == second.load()
    second.close()
    third.close()
    last = RevisionFile(tmp_path)
    assert 0 == last.load()
    last.close()


@pytest.mark.parametrize(("content", "what"), [(None, "removed"), (bytes(9), "damaged"), (b"", "damaged")])
def test_no_second_file_beside_one_in_use(tmp_path: Path, content: bytes | None, what: str) -> None:
    """
    Where the file of processes that run was removed or replaced, nobody joins them, so no two words are in use.

    Those that run go on with theirs, and once they have ended the next one makes the file anew.
    """
    first, second = RevisionFile(tmp_path), RevisionFile(tmp_path)
    put(tmp_path / FILE, content)
    for _ in range(2):
        with pytest.raises(RevisionFileError, match=f"{tmp_path / FILE}: was {what} while another process has .* stop"):
            RevisionFile(tmp_path)
    first.raise_to(5)
    assert 5 == second.load()
    first.close()
    second.close()
    third = RevisionFile(tmp_path)
    third.raise_to(3)
    assert 3 == third.load()
    third.close()


def test_first_opens_at_once_share_one_file(tmp_path: Path) -> None:
    """However many open an empty directory at once, all have the same word."""
    together = threading.Barrier(8)

    def join(_: int) -> RevisionFile:
        together.wait(60)
        return RevisionFile(tmp_path)

    with futures.ThreadPoolExecutor(8) as threads:
        for turn in range(1, 21):
            files = list(threads.map(join, range(8)))
            files[0].raise_to(turn)
            assert [turn] * 8 == [file.load() for file in files]
            for file in files:
                file.close()


def test_whoever_waited_for_one_that_died_makes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a process dies while it makes the file, those that waited for it make it, and all have the same word."""
    waiting = threading.Semaphore(0)
    real = fcntl.flock

    def flock(file: int, operation: int) -> None:
        if operation == fcntl.LOCK_SH:
            waiting.release()
        real(file, operation)

    maker = os.open(tmp_path, os.O_RDONLY)
    real(maker, fcntl.LOCK_EX)
    monkeypatch.setattr(fcntl, "flock", flock)
    with futures.ThreadPoolExecutor(4) as threads:
        opening = [threads.submit(RevisionFile, tmp_path) for _ in range(4)]
        for _ in opening:
            assert waiting.acquire(timeout=60)
        os.close(maker)
        files = [one.result(60) for one in opening]
    files[0].raise_to(7)
    assert [7] * 4 == [file.load() for file in files]
    for file in files:
        file.close()


def test_a_closed_revision_tells_nothing(data: Path) -> None:
    """Once the store is closed its revision is refused, for another process may have begun another file."""
    store = opened(data)
    store.close()
    with pytest.raises(StoreUnavailableError, match="the store is closed"):
        store.revision()
    closed = RevisionFile(data)
    closed.close()
    closed.close()
    with pytest.raises(StoreUnavailableError, match="the store is closed"):
        closed.load()


# Writing.


def read_again(store: LmdbStore) -> int:
    """Acknowledge what is there, and write nothing."""
    return store.revoke([session(2).id], None, lambda views: Change(views[0].revision))


def refused(store: LmdbStore) -> None:
    """Refuse, and write nothing."""
    with pytest.raises(LookupError):
        store.revoke([session(2).id], None, refuse("made up"))


@pytest.mark.parametrize("call", [lambda store: end(store, session(2).id), read_again, refused])
def test_nobody_gets_an_answer_before_every_process_can_know(
    one: LmdbStore, monkeypatch: pytest.MonkeyPatch, call: Callable[[LmdbStore], object]
) -> None:
    """
    When an answer goes out the revision that it rests on is known, whoever wrote it.

    Another process may have died before it told; so what writes nothing tells too, and a refusal.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RevisionFile, "raise_to", lambda *_: None)
        untold = end(one, session(1).id)
    assert untold - 1 == one.revision()
    known: list[int] = []
    real = writer._Call.deliver  # noqa: SLF001 - the moment of the answer

    def deliver(answered: Any, error: BaseException | None = None) -> None:
        known.append(one.revision())
        real(answered, error)

    monkeypatch.setattr(writer._Call, "deliver", deliver)  # noqa: SLF001 - likewise
    call(one)
    assert [one.cuts()[1]] == known
    assert untold <= one.cuts()[1] == one.revision()


@pytest.mark.parametrize(
    "read", [lambda store: store.get(session(2).id), lambda store: store.list_by_subject(SUBJECT_HASH, b"", 10)]
)
def test_whoever_is_shown_an_end_is_not_contradicted(one: LmdbStore, read: Callable[[LmdbStore], object]) -> None:
    """A read that shows a revocation which its writer did not tell of, tells of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RevisionFile, "raise_to", lambda *_: None)
        untold = end(one, session(2).id)
    assert untold - 1 == one.revision()
    read(one)
    assert untold == one.revision()


def test_a_commit_that_failed_tells_nothing(one: LmdbStore) -> None:
    """What was not written is not told, neither when the commit fails nor when the store is opened again."""
    with structlog.testing.capture_logs(), no_file_longer_than(1), pytest.raises(IndeterminateError):
        end(one, session(2).id)
    assert FIRST + 1 == one.revision()
    with structlog.testing.capture_logs():
        one.tick()
    assert FIRST + 1 == one.revision() == one.cuts()[1]
    assert FIRST + 2 == end(one, session(2).id) == one.revision()


def test_a_commit_that_failed_after_it_was_written(one: LmdbStore) -> None:
    """Where a failed commit turns out to be in the file it is told as soon as it is durable."""
    real = Writer._commit  # noqa: SLF001 - what fails

    def commit(self: Writer, txn: Any, rows: LmdbRows, counters: Any) -> None:
        number = txn.id()
        real(self, txn, rows, counters)
        raise writer._CommitError(number, lmdb.DiskError("made up"))  # noqa: SLF001 - how it fails

    with structlog.testing.capture_logs(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, "_commit", commit)
        with pytest.raises(IndeterminateError):
            end(one, session(2).id)
    assert FIRST + 2 == one.revision() == one.cuts()[1]


def test_the_revision_is_told_while_the_store_cannot_be_read(one: LmdbStore) -> None:
    """The word needs no LMDB: while the environment is closed it tells what it told before."""
    engine, _ = one._environment._require()  # noqa: SLF001 - nobody else's to see
    with structlog.testing.capture_logs():
        engine.close()
        with pytest.raises(StoreUnavailableError):
            one.get(session(1).id)
        assert FIRST + 1 == one.revision()
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                add(one, session(3))
        one.tick()
    assert FIRST + 1 == one.revision()
