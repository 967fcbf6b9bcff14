"""A disk that fails: what a caller is told, what is on the disk, and how the store comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog.testing

from sessiond.errors import IndeterminateError, StoreUnavailableError
from sessiond.store.contract import Change
from tests.conformance.samples import SUBJECT, add, cut_scope, refuse, session
from tests.durability.crashes import opened, worker
from tests.durability.groups import grouped, no_file_longer_than

PAGES, SYNC, META, META_AFTER, META_BACK = 1, 2, 3, 4, 5
ONCE, ALWAYS = 1, -1

# Beside the outcome of the call: may the store write at once afterwards, and is the call's write there in the end.
CASES = {
    "a page is not written, once": ((f"{PAGES}:{ONCE}",), "StoreUnavailableError", True, "missing"),
    "a page is not written, always": ((f"{PAGES}:{ALWAYS}",), "IndeterminateError", False, "missing"),
    "a sync fails, once": ((f"{SYNC}:{ONCE}",), "StoreUnavailableError", True, "missing"),
    "a sync fails, always": ((f"{SYNC}:{ALWAYS}",), "IndeterminateError", False, "missing"),
    "a meta page is not written, once": ((f"{META}:{ONCE}",), "StoreUnavailableError", True, "missing"),
    "a meta page is not written, always": ((f"{META}:{ALWAYS}",), "IndeterminateError", False, "missing"),
    "a meta page is written with an error": ((f"{META_AFTER}:{ONCE}",), "StoreUnavailableError", True, "missing"),
    "the same, and it is not taken back": (
        (f"{META_AFTER}:{ONCE}", f"{META_BACK}:{ONCE}"),
        "IndeterminateError",
        True,
        "there",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_failed_commit(tmp_path: Path, disk: dict[str, str], case: str) -> None:
    """
    After a failed commit the caller hears the truth, reads go on, and writing goes on once the disk works.

    Where the store could be opened again and proved writable, surely nothing
    was written, and nothing is there. Else the outcome is unknown, and no call
    is let in until the disk works.
    """
    faults, outcome, writable, there = CASES[case]
    process = worker("fail", tmp_path / "data", *faults, environment={**os.environ, **disk})
    said = [line for line in process.communicate(timeout=60)[0].splitlines() if not line.startswith("20")]
    assert 0 == process.returncode
    expected = [
        outcome,
        "there",
        f"writable {writable}",
        "done" if writable else "StoreUnavailableError",
        "writable True",
        "done",
        f"there {there} {'there' if writable else 'missing'} there",
    ]
    assert expected == said


def test_a_full_disk(tmp_path: Path) -> None:
    """On a full disk a large write is refused as surely undone; reads and small writes go on."""
    store = opened(tmp_path / "data")
    for number in range(1, 30):
        add(store, session(number, data_json="x" * 3_000))
    store.sweep(2**31, 0, 20)  # leaves free pages in the file
    kept = session(30)
    with structlog.testing.capture_logs() as log:
        with no_file_longer_than((tmp_path / "data" / "data.mdb").stat().st_size):
            with pytest.raises(StoreUnavailableError, match="the disk refused the write: nothing was changed"):
                add(store, session(31, data_json="x" * 60_000, claims_json="x" * 4_000))
            add(store, kept)
            assert (True, True) == (store.health().readable, store.health().writable)
        assert "writing stopped" in [line["event"] for line in log]
    assert (kept, None) == (store.get(kept.id).session, store.get(session(31).id).session)
    store.close()


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """
    Where nothing at all can be written, the outcome of the first call is unknown and later ones are not begun.

    Health says so, reads go on, and a tick finds out when the disk works again.
    """
    store = opened(tmp_path / "data")
    add(store, session(1))
    with structlog.testing.capture_logs():
        with no_file_longer_than(1):
            with pytest.raises(IndeterminateError, match="repeat the call to find out"):
                add(store, session(2))
            for call in (lambda: add(store, session(3)), store.tick):
                with pytest.raises(StoreUnavailableError, match="writing has stopped, a commit failed"):
                    call()
            health = store.health()
            assert (True, False) == (health.readable, health.writable)
            assert "writing has stopped, a commit failed" in health.detail
            assert session(1) == store.get(session(1).id).session
        store.tick()
    assert (True, True, "") == (store.health().readable, store.health().writable, store.health().detail)
    for number in (2, 3):
        add(store, session(number))
    assert session(3) == store.get(session(3).id).session
    store.close()


def test_a_refusal_that_rests_on_a_lost_write_is_not_given(tmp_path: Path) -> None:
    """
    In a group whose commit fails, a call that wrote nothing is refused as unavailable, whatever it decided.

    Its answer rested on what others in the group wrote.
    """
    store = opened(tmp_path / "data")
    add(store, session(1))
    calls: list[Callable[[], object]] = [
        lambda: add(store, session(2)),
        lambda: store.rotate(session(2).id, refuse("no such thing")),
        lambda: store.rotate(session(2).id, Change),
    ]
    with structlog.testing.capture_logs(), no_file_longer_than(1):
        outcomes = grouped(store._writer, calls)  # noqa: SLF001 - in one group
    assert [IndeterminateError, StoreUnavailableError, StoreUnavailableError] == [type(one) for one in outcomes]
    store.tick()
    assert None is store.get(session(2).id).session
    store.close()


def test_a_store_that_lost_acknowledged_writes_stops(tmp_path: Path) -> None:
    """A file that is found older than what was acknowledged is not written any more."""
    store = opened(tmp_path / "data")
    file = tmp_path / "data" / "data.mdb"
    for number in range(1, 30):
        add(store, session(number))
    older = file.read_bytes()
    cut_scope(store, SUBJECT)
    with structlog.testing.capture_logs():
        with no_file_longer_than(1), pytest.raises(IndeterminateError):
            add(store, session(30))
        with file.open("r+b") as stream:
            stream.write(older)
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="lost writes that were acknowledged: restore it from"):
                store.tick()
    assert (False, True) == (store.health().writable, store.health().readable)
    store.close()


def test_a_directory_that_went_away(tmp_path: Path) -> None:
    """A store whose file is gone when it is opened again makes no other in its place, and goes on when it is back."""
    store = opened(tmp_path / "data")
    add(store, session(1))
    with structlog.testing.capture_logs():
        with no_file_longer_than(1), pytest.raises(IndeterminateError):
            add(store, session(2))
        (tmp_path / "data").rename(tmp_path / "elsewhere")
        with pytest.raises(StoreUnavailableError, match="writing has stopped"):
            store.tick()
        with pytest.raises(StoreUnavailableError, match="closed"):
            store.get(session(1).id)
        assert (False, False) == (store.health().readable, store.health().writable)
        assert not (tmp_path / "data").exists()
        (tmp_path / "elsewhere").rename(tmp_path / "data")
        store.tick()
    assert session(1) == store.get(session(1).id).session
    add(store, session(2))
    store.close()
