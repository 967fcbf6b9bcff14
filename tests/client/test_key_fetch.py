"""Keys that nobody has told of are asked for rarely, and once for all who wait."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from sessiond.client.key_fetch import KeyFetch
from sessiond.clock import ManualClock
from sessiond.errors import IndeterminateError, InternalFaultError


class Source:
    """Something to fetch from, which answers when it is let."""

    def __init__(self, *faults: Exception) -> None:
        """Fail with *faults*, then no more."""
        self.n_fetches = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._faults = list(faults)

    def fetch(self) -> None:
        """Fetch once."""
        self.n_fetches += 1
        self.may_answer.wait(20)
        if self._faults:
            raise self._faults.pop(0)


def run(keys: KeyFetch) -> bool:
    """Wait for the fetch that is due, and say whether one was."""
    running = keys.begin()
    if running is not None:
        running.result()
    return running is not None


def test_one_fetch_in_a_cooldown() -> None:
    """A second fetch is run once the whole cooldown has passed since the first one began, and none before."""
    clock, source = ManualClock(), Source()
    keys = KeyFetch(source.fetch, clock, 10_000)
    counts = []
    for seconds in (0.0, 0.0, 9.999, 0.001, 0.0):
        clock.advance(seconds)
        counts.append((run(keys), source.n_fetches))

    assert [(True, 1), (False, 1), (False, 1), (True, 2), (False, 2)] == counts


def test_suspended_time_counts() -> None:
    """The cooldown goes on while the machine is suspended."""
    clock, source = ManualClock(), Source()
    keys = KeyFetch(source.fetch, clock, 10_000)
    run(keys)
    clock.suspend(10)
    run(keys)

    assert 2 == source.n_fetches


def test_many_at_once_are_given_one_fetch() -> None:
    """While a fetch runs, whoever else comes is given the same one, at once; nobody can cancel it for the others."""
    source = Source()
    keys = KeyFetch(source.fetch, ManualClock(), 10_000)
    source.may_answer.clear()
    with ThreadPoolExecutor(8) as pool:
        given = set(pool.map(lambda _: keys.begin(), range(8)))
    (running,) = given
    assert running is not None
    cancelled = running.cancel()
    done = running.done()
    source.may_answer.set()
    running.result()

    assert (False, False, 1) == (cancelled, done, source.n_fetches)


def test_fetch_that_takes_long_is_waited_for_no_more() -> None:
    """Half a second after it began, a fetch that still runs is given to nobody, and no other is begun beside it."""
    clock, source = ManualClock(), Source()
    keys = KeyFetch(source.fetch, clock, 10_000)
    source.may_answer.clear()
    given = [keys.begin()]
    for seconds in (0.499, 0.001, 60):
        clock.advance(seconds)
        given.append(keys.begin())
    running = given[0]
    source.may_answer.set()
    assert running is not None
    running.result()

    assert [running, running, None, None] == given
    assert 1 == source.n_fetches


def test_closed_fetch_is_never_due() -> None:
    """After close nothing is fetched, however long the last fetch is past."""
    clock, source = ManualClock(), Source()
    keys = KeyFetch(source.fetch, clock, 10_000)
    keys.close()
    clock.advance(3600)

    assert (False, 0) == (run(keys), source.n_fetches)


def test_fetch_that_fails_counts_and_is_told() -> None:
    """A failed fetch is not repeated before the cooldown is over; what it failed with stands until one succeeds."""
    clock, source = ManualClock(), Source(IndeterminateError("no answer"))
    keys = KeyFetch(source.fetch, clock, 10_000)
    run(keys)
    run(keys)
    failed = keys.fault
    clock.advance(10)
    run(keys)

    assert isinstance(failed, IndeterminateError)
    assert keys.fault is None
    assert 2 == source.n_fetches


def test_fault_in_the_client_ends_the_fetch() -> None:
    """Whatever goes wrong in a fetch is told, typed, and ends the wait; the next one is run as ever."""
    clock, source = ManualClock(), Source(MemoryError("none left"))
    keys = KeyFetch(source.fetch, clock, 10_000)
    run(keys)
    failed = keys.fault
    clock.advance(10)
    run(keys)

    assert isinstance(failed, InternalFaultError)
    assert "none left" in str(failed)
    assert keys.fault is None
