"""A map that is full: what fits goes on, the rest is refused as surely undone, and there are two ways out."""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from sessiond.clock import ManualClock
from sessiond.errors import StoreUnavailableError
from sessiond.store.contract import Swept
from sessiond.store.lmdb import LmdbStore
from sessiond.store.lmdb.writer import StoreFullError
from sessiond.store.rows import Rows
from tests.conformance.samples import NOW, SUBJECT_HASH, add, session
from tests.durability.groups import grouped

SMALL, LARGE = 1 << 20, 1 << 22


CLOCK = ManualClock()


@pytest.fixture(autouse=True)
def _to_the_last_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no second measure the map by itself: from its limit on, no session would be added."""
    monkeypatch.setattr("sessiond.store.lmdb.store.TICK_SECONDS", 3_600)


def opened(path: Path, map_size: int) -> LmdbStore:
    """Open a store with a map of a size."""
    return LmdbStore(path, monotonic_ms=CLOCK.monotonic_ms, session_grace_seconds=0, map_size=map_size)


def fill(store: LmdbStore) -> int:
    """Add sessions until the map is full, and give their number."""
    message = "the store is full: nothing was changed. Expired rows .* start the authority with a larger map"
    numbers = iter(range(1, SMALL // 4_000))

    def add_all() -> None:
        for number in numbers:
            add(store, session(number, data_json="x" * 4_000))

    with pytest.raises(StoreUnavailableError, match=message):
        add_all()
    return next(numbers) - 2


def test_a_full_map_refuses_what_does_not_fit_and_recovers(tmp_path: Path) -> None:
    """In a full map reads go on, a sweep finds room to work and makes more, and then writes go on too."""
    store = opened(tmp_path / "data", SMALL)
    kept = fill(store)
    sessions, _ = store.list_by_subject(SUBJECT_HASH, b"", 10_000)
    assert kept == len(sessions)

    store.tick()
    health = store.health()
    assert health.fill > 0.7
    assert (True, True) == (health.readable, health.writable)
    assert f"the map is {health.fill:.0%} full, and no session is added: start the authority with" in health.detail

    swept = 0
    while swept < kept:
        swept += store.sweep(NOW + 2_000, 0, 256).sessions
    # What a transaction frees can be used by the next one but one.
    CLOCK.advance(1)
    store.tick()
    assert "" == store.health().detail
    add(store, session(1_000, data_json="x" * 4_000))
    store.close()


def test_a_larger_map_has_room(tmp_path: Path) -> None:
    """A store whose map is full is opened again with a larger one, has all its rows, and room."""
    store = opened(tmp_path / "data", SMALL)
    kept = fill(store)
    store.close()

    larger = opened(tmp_path / "data", LARGE)
    assert kept == len(larger.list_by_subject(SUBJECT_HASH, b"", 10_000)[0])
    assert larger.health().fill < 0.3
    for number in range(kept + 1, 2 * kept):
        add(larger, session(number, data_json="x" * 4_000))
    larger.close()


def test_in_a_full_map_a_call_is_refused_alone(tmp_path: Path) -> None:
    """Of a group that does not fit, the calls that fit by themselves are done."""
    store = opened(tmp_path / "data", SMALL)
    kept = fill(store)
    large = session(1_000, data_json="x" * 8_000, claims_json="x" * 50_000)

    calls: list[Callable[[], object]] = [
        lambda: add(store, large),
        lambda: store.sweep(NOW + 2_000, 0, 1),
        lambda: add(store, large),
    ]
    outcomes = grouped(store._writer, calls)  # noqa: SLF001 - in one group
    assert [StoreFullError, Swept, StoreFullError] == [type(one) for one in outcomes]
    assert kept - 1 == len(store.list_by_subject(SUBJECT_HASH, b"", 10_000)[0])
    store.close()


def test_a_sweep_of_a_full_map_takes_smaller_steps(tmp_path: Path) -> None:
    """Where there is no room to delete as many rows at once as asked for, fewer go, and there is more to do."""
    store = opened(tmp_path / "data", SMALL)
    dice = random.Random(7)  # noqa: S311 - a sample
    # Rows whose index rows lie on pages of their own, each of which a delete writes anew.
    numbers = itertools.count(1)

    def write(rows: Rows, size: int) -> None:
        for _ in range(size):
            rows.write_session(session(next(numbers), subject_hash=dice.randbytes(8)), None)

    for size in (64, 8, 1):
        with contextlib.suppress(StoreUnavailableError):
            while True:
                store._write(functools.partial(write, size=size))  # noqa: SLF001 - many in one transaction

    swept = store.sweep(NOW + 2_000, 0, 256)
    assert 0 < swept.sessions < 256
    assert swept.more
    store.close()


def test_a_sweep_that_finds_no_room_at_all_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even one row can be deleted, the sweep is refused like any other write."""
    store = opened(tmp_path / "data", SMALL)
    add(store, session())
    monkeypatch.setattr("sessiond.store.lmdb.rows.LmdbRows.apply", _no_room)
    with pytest.raises(StoreUnavailableError, match="the store is full"):
        store.sweep(NOW + 2_000, 0, 256)
    monkeypatch.undo()
    store.close()


def _no_room(_: object) -> None:
    what = "no room"
    raise lmdb.MapFullError(what)
