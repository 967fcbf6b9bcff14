"""How the store comes back after a fault: nothing that happens while it is mended ends the writer."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog.testing

from sessiond.clock import ManualClock
from sessiond.errors import IndeterminateError, StoreUnavailableError
from sessiond.store.lmdb import LmdbStore, StoreOpenError
from tests.conformance.samples import add, session
from tests.durability.groups import grouped, no_file_longer_than, until


def opened(path: Path) -> LmdbStore:
    """Open a store."""
    return LmdbStore(path, monotonic_ms=ManualClock().monotonic_ms, session_grace_seconds=0, map_size=1 << 26)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a place for a store."""
    return tmp_path / "data"


@pytest.fixture
def one(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LmdbStore]:
    """Give an open store that holds a session and ticks only when it is told to."""
    monkeypatch.setattr("sessiond.store.lmdb.store.TICK_SECONDS", 3_600)
    open_store = opened(data)
    add(open_store, session(1))
    yield open_store
    open_store.close()


def raising(error: Exception) -> Callable[..., object]:
    """Give a function that raises."""

    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


def no_status_of(file: Path, patch: pytest.MonkeyPatch) -> None:
    """Let the system refuse to tell the length of a file, as a failing disk does."""
    real = Path.stat

    def status(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == file:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, follow_symlinks=follow_symlinks)

    patch.setattr(Path, "stat", status)


def works(store: LmdbStore) -> bool:
    """Say whether health shows no fault, and a write is done and read."""
    add(store, session(9))
    health = store.health()
    return (True, True, "") == (health.readable, health.writable, health.detail) and (
        session(9) == store.get(session(9).id).session
    )


def test_a_store_that_cannot_be_checked_is_not_opened(data: Path) -> None:
    """Where the system fails while a store is checked, the message says what to do, and a later opening works."""
    opened(data).close()
    with pytest.MonkeyPatch.context() as patch:
        no_status_of(data / "data.mdb", patch)
        with pytest.raises(StoreOpenError, match=r"cannot be checked: Input/output error: check the disk"):
            opened(data)
    opened(data).close()


def test_a_disk_that_fails_while_the_store_is_mended(one: LmdbStore, data: Path) -> None:
    """An error of the system during mending keeps reads and writes refused, as health says, until a tick succeeds."""
    with structlog.testing.capture_logs() as log, pytest.MonkeyPatch.context() as patch:
        no_status_of(data / "data.mdb", patch)
        with no_file_longer_than(1), pytest.raises(IndeterminateError, match="repeat the call to find out"):
            add(one, session(2))
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="writing has stopped, a commit failed"):
                one.tick()
        assert (False, False) == (one.health().readable, one.health().writable)
    assert "Input/output error" in str([line.get("error") for line in log])
    one.tick()
    assert (session(1), None) == (one.get(session(1).id).session, one.get(session(2).id).session)
    assert works(one)


def test_an_unexpected_fault_does_not_end_the_writer(one: LmdbStore) -> None:
    """What nobody expected stops writing, with a traceback in the log and an unknown outcome, until the next tick."""
    calls = [lambda number=number: add(one, session(number)) for number in (2, 3)]
    with structlog.testing.capture_logs() as log:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sessiond.store.lmdb.rows.LmdbRows.apply", raising(RuntimeError("made up")))
            outcomes = grouped(one._writer, calls)  # noqa: SLF001 - in one group
            assert [IndeterminateError] * 2 == [type(outcome) for outcome in outcomes]
            with pytest.raises(StoreUnavailableError, match=r"unexpected fault \(RuntimeError\): see the log"):
                add(one, session(4))
            health = one.health()
            assert (True, False) == (health.readable, health.writable)
            assert "writing has stopped after an unexpected fault" in health.detail
            assert session(1) == one.get(session(1).id).session
        one.tick()
    assert [("writing stopped", "made up")] == [(line["event"], str(line["exc_info"])) for line in log]
    assert [None, None] == [one.get(session(number).id).session for number in (2, 3)]
    assert works(one)


def test_an_unexpected_fault_while_the_store_is_mended(one: LmdbStore) -> None:
    """A fault before a call's turn refuses that call as surely undone, and the writer goes on to the next one."""
    with structlog.testing.capture_logs():
        with no_file_longer_than(1), pytest.raises(IndeterminateError):
            add(one, session(2))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sessiond.store.lmdb.rows.LmdbRows.counters", raising(RuntimeError("made up")))
            for _ in range(2):
                with pytest.raises(StoreUnavailableError, match=r"after an unexpected fault \(RuntimeError\)"):
                    one.tick()
            assert (False, False) == (one.health().readable, one.health().writable)
        one.tick()
    assert works(one)


def test_a_store_that_could_not_be_mended_closes(one: LmdbStore, data: Path) -> None:
    """A store that stays broken is closed like any other, and its threads end."""
    with structlog.testing.capture_logs(), pytest.MonkeyPatch.context() as patch:
        no_status_of(data / "data.mdb", patch)
        with no_file_longer_than(1), pytest.raises(IndeterminateError):
            add(one, session(2))
        one.close()
    threads = (one._writer._thread, one._ticker)  # noqa: SLF001 - nobody else's to see
    until(lambda: not any(thread.is_alive() for thread in threads))
    again = opened(data)
    assert session(1) == again.get(session(1).id).session
    again.close()


def test_reads_that_wait_in_vain_show_in_health(one: LmdbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store is opened again for longer than a read waits, health says that it cannot be read."""
    gate = one._environment._gate  # noqa: SLF001 - nobody else's to see
    monkeypatch.setattr(gate, "_patience_seconds", 0.02)
    with gate.alone():
        assert one.health().readable
        with pytest.raises(StoreUnavailableError, match="busy being reopened"):
            one.get(session(1).id)
        assert not one.health().readable
    assert works(one)
