"""Calls that surely make one group of the writer, and a file that cannot grow."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from typing import TypeVar

from sessiond.store.lmdb.rows import LmdbRows
from sessiond.store.lmdb.writer import Writer

T = TypeVar("T")

PATIENCE_SECONDS = 60


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Let no write of this process reach beyond *size* bytes of a file, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that another thread makes true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


@contextmanager
def busy(writer: Writer) -> Iterator[None]:
    """Keep a writer at work on one call for a block, so that what comes meanwhile waits; that call writes nothing."""
    begun, go_on = threading.Event(), threading.Event()

    def work(_: LmdbRows) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)

    with futures.ThreadPoolExecutor(1) as thread:
        holding = thread.submit(writer.run, work)
        assert begun.wait(PATIENCE_SECONDS)
        try:
            yield
        finally:
            go_on.set()
        holding.result(PATIENCE_SECONDS)


def grouped(writer: Writer, calls: Sequence[Callable[[], T]]) -> list[T | BaseException]:
    """Make calls from threads so that they wait together, in their order, and give what came of each."""
    with futures.ThreadPoolExecutor(len(calls)) as threads:
        with busy(writer):
            running = []
            for number, call in enumerate(calls):
                running.append(threads.submit(call))
                until(lambda number=number: len(writer._queue) > number)  # type: ignore[misc]  # noqa: SLF001
        outcomes: list[T | BaseException] = []
        for one in running:
            error = one.exception(PATIENCE_SECONDS)
            outcomes.append(one.result() if error is None else error)
    return outcomes
