"""Another process that hangs with the lock of the store: only writing waits, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import TypeVar

import pytest
import structlog.testing

from sessiond.errors import StoreUnavailableError
from sessiond.store.lmdb.environment import Environment
from sessiond.store.lmdb.rows import LmdbRows
from sessiond.store.lmdb.writer import Writer
from tests.conformance.samples import add, session
from tests.durability.crashes import opened, worker
from tests.durability.groups import until

T = TypeVar("T")

MAP = 1 << 30


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give the directory of a closed store that holds a session."""
    store = opened(tmp_path / "data")
    add(store, session(1))
    store.close()
    return tmp_path / "data"


@pytest.fixture
def holder(data: Path) -> Iterator[Callable[[], None]]:
    """Start a process that takes the lock of the store, and give what lets it end."""
    process = worker("hold", data)
    assert process.stdout is not None
    assert "held\n" == process.stdout.readline()

    def let_go() -> None:
        if process.returncode is None:
            process.communicate("go on\n", timeout=60)

    yield let_go
    let_go()


def in_time(call: Callable[[], T], let_go: Callable[[], None]) -> T:
    """Make a call that may not wait for the lock; where it does, let the lock go so that the test ends."""
    with futures.ThreadPoolExecutor(1) as thread:
        running = thread.submit(call)
        try:
            return running.result(20)
        finally:
            let_go() if not running.done() else None


def first(rows: LmdbRows) -> object:
    """Read the session."""
    return rows.session(session(1).id)


def write(number: int) -> Callable[[LmdbRows], None]:
    """Give the work of a write."""
    return lambda rows: rows.write_session(session(number), None)


def test_a_store_is_opened_beside_a_held_lock(data: Path, holder: Callable[[], None]) -> None:
    """A store that is there is opened and read without the lock, and written once the lock is free."""
    environment = in_time(lambda: Environment(data, MAP), holder)
    assert session(1) == in_time(lambda: environment.read(first), holder)
    holder()
    writer = Writer(environment)
    writer.run(write(2))
    assert session(2) == environment.read(lambda rows: rows.session(session(2).id))
    assert writer.close()
    environment.close()


def test_reads_go_on_while_a_store_is_mended_beside_a_held_lock(data: Path) -> None:
    """
    A store that must be opened again is read at once, however long another process holds its lock.

    Writing waits, within bounds, goes on when the lock is free, and closing waits for nobody.
    """
    environment = Environment(data, MAP)
    writer = Writer(environment, patience_seconds=0.2, commit_seconds=60)
    writer.run(write(2))
    process = worker("hold", data)
    assert process.stdout is not None
    assert "held\n" == process.stdout.readline()

    def let_go() -> None:
        process.communicate("go on\n", timeout=60)

    with structlog.testing.capture_logs():
        engine, _ = environment._require()  # noqa: SLF001 - nobody else's to see
        engine.close()
        with pytest.raises(StoreUnavailableError, match="the store failed"):
            environment.read(first)
        with pytest.raises(StoreUnavailableError, match="the store failed"):
            writer.run(write(3))
        with pytest.raises(StoreUnavailableError, match="another process holds the lock"):
            writer.run(lambda _: None, mending=True)
    until(lambda: environment.readable)
    assert session(1) == in_time(lambda: environment.read(first), let_go)
    assert writer.broken
    assert not in_time(writer.close, let_go)
    assert session(1) == environment.read(first)
    let_go()
    assert writer.close()
    assert "" == writer.broken
    environment.close()


def test_the_first_write_beside_reads(data: Path) -> None:
    """Reads through handles of their own and the write that opens the shared ones do not disturb each other."""
    for number in range(2, 22):
        environment = Environment(data, MAP)
        with futures.ThreadPoolExecutor(6) as threads:
            reads = [threads.submit(environment.read, first) for _ in range(20)]
            writer = Writer(environment)
            wrote = threads.submit(writer.run, write(number))
            reads += [threads.submit(environment.read, first) for _ in range(20)]
            assert [session(1)] * 40 == [one.result(60) for one in reads]
            wrote.result(60)
        assert session(number) == environment.read(lambda rows: rows.session(session(number).id))  # noqa: B023
        assert writer.close()
        environment.close()
