"""kill -9 between a commit and the moment at which the other processes are told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sessiond.store.contract import Change, Store, View
from sessiond.store.lmdb import LmdbStore
from tests.conformance.samples import add, session
from tests.durability.crashes import opened, worker

FIRST = 1 << 48


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give the directory of a closed store that holds a session."""
    store = opened(tmp_path / "data")
    add(store, session(1))
    store.close()
    return tmp_path / "data"


@pytest.fixture
def beside(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LmdbStore]:
    """Give a store that was opened before, and writes nothing by itself."""
    monkeypatch.setattr("sessiond.store.lmdb.store.TICK_SECONDS", 3_600)
    store = opened(data)
    yield store
    store.close()


def end_and_die(data: Path) -> None:
    """Let a process end the session, and kill it when that is durable and nobody was told."""
    process = worker("untold", data)
    assert process.stdout is not None
    assert "written\n" == process.stdout.readline()
    process.kill()
    process.communicate()


def end_again(store: Store) -> int:
    """End the session that has ended: nothing is written, and the answer is an acknowledgement like the first."""

    def decide(views: Sequence[View]) -> Change[int]:
        (view,) = views
        assert view.session is not None
        assert view.session.end is not None
        return Change(view.revision)

    return store.revoke([session(1).id], None, decide)


def test_an_untold_revocation_is_told_by_whoever_acknowledges_it(data: Path, beside: LmdbStore) -> None:
    """A process that is asked to repeat what a dead one wrote, and writes nothing, tells the others first."""
    end_and_die(data)
    assert FIRST == beside.revision()
    assert FIRST + 1 == end_again(beside) == beside.revision()


def test_an_untold_revocation_is_told_by_whoever_opens_the_store(data: Path, beside: LmdbStore) -> None:
    """A process that opens the store beside others tells them what a dead one wrote."""
    end_and_die(data)
    assert FIRST == beside.revision()
    other = worker("tick", data, 0)
    assert other.communicate(timeout=60)[0]
    assert FIRST + 1 == beside.revision()


def test_an_untold_revocation_is_known_after_a_start(data: Path) -> None:
    """A process that opens a store that a dead one has left knows what that wrote."""
    end_and_die(data)
    store = opened(data)
    assert FIRST + 1 == store.revision() == store.cuts()[1]
    store.close()


def test_a_tick_tells_what_nobody_told(data: Path, beside: LmdbStore) -> None:
    """What a dead process wrote is told with the next write of any process, which is its tick at the latest."""
    end_and_die(data)
    beside.tick()
    assert FIRST + 1 == beside.revision()
