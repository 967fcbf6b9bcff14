"""The hub: one reader for many watchers, within its bounds, vouching for no more than it has seen."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import structlog.testing

from sessiond.clock import ManualClock
from sessiond.errors import InternalFaultError, StoreUnavailableError
from sessiond.server.hub import HEARTBEAT_MS, PATIENCE_MS, RING_BYTES, RING_PIECES, Hub, Look, Piece, Ring
from sessiond.server.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_SECONDS = 20
PAGE = 10
ENTRY_BYTES = RING_BYTES // 100


class Log:
    """A log of numbers, each the cursor of itself, that any thread may append to; it can fail."""

    def __init__(self) -> None:
        self.length = 0
        self.fails: Exception | None = None
        self.at_end: Callable[[], None] = lambda: None
        self.reads: list[str] = []
        self.looked = threading.Semaphore(0)

    def end(self) -> int:
        """Read the end."""
        self.looked.release()
        if self.fails is not None:
            raise self.fails
        length = self.length
        self.at_end()
        return length

    def read(self, after: int, look: Look) -> Piece[list[int]]:
        """Read a page."""
        self.reads.append(threading.current_thread().name)
        upto = min(after + PAGE, look.end)
        return Piece(after, upto, list(range(after + 1, upto + 1)), (upto - after) * ENTRY_BYTES)

    def await_looks(self, count: int) -> None:
        """Wait until *count* more looks were begun."""
        while self.looked.acquire(blocking=False):
            pass
        for _ in range(count):
            assert self.looked.acquire(timeout=WAIT_SECONDS)


class Call:
    """The part of a call of gRPC that a stream needs."""

    def add_callback(self, _callback: Callable[[], None]) -> bool:
        """Take what is to be called when the call has ended, which it never does by itself."""
        return True


def stream() -> Stream:
    """Give an open stream."""
    call: Any = Call()
    return Stream("Watch", call)


class Place:
    """A hub on a log, by a clock that the test moves."""

    def __init__(self) -> None:
        self.log = Log()
        self.clock = ManualClock()
        self.seconds = 0
        self.hub: Hub[list[int]] = Hub("test", self.log, self.clock, look_seconds=0.001, on_beat=self._count_second)

    def _count_second(self) -> None:
        self.seconds += 1


@contextmanager
def running() -> Iterator[Place]:
    place = Place()
    place.hub.start()
    try:
        yield place
    finally:
        place.hub.stop()


@contextmanager
def watching(place: Place, cursor: int | None = None) -> Iterator[Iterator[Piece[list[int]] | Look]]:
    """Watch from *cursor*, else from the end."""
    one = stream()
    with place.hub.watched(one) as look:
        yield place.hub.follow(one, look.end if cursor is None else cursor)


def numbers(told: Iterator[Piece[list[int]] | Look], upto: int) -> list[int]:
    """Read a watch up to a number, and give all that it told."""
    seen: list[int] = []
    while not seen or seen[-1] < upto:
        piece = next(told)
        seen += piece.content if isinstance(piece, Piece) else []
    return seen


def test_ring_forgets_the_oldest_beyond_so_many_bytes() -> None:
    """However many pieces go through a ring, what it holds never exceeds its bytes, and the newest are there."""
    ring: Ring[None] = Ring()
    for number in range(1_000):
        ring.add(Piece(number, number + 1, None, RING_BYTES // 10))
        assert ring.size <= RING_BYTES
    assert (10, 10 * (RING_BYTES // 10)) == (len(ring), ring.size)
    assert [False, True, True] == [ring.after(cursor) is not None for cursor in (989, 990, 999)]


def test_ring_forgets_the_oldest_beyond_so_many_pieces() -> None:
    """Pieces without size are bounded by their number."""
    ring: Ring[None] = Ring()
    for number in range(3 * RING_PIECES):
        ring.add(Piece(number, number + 1, None, 0))
    assert RING_PIECES == len(ring)


def test_piece_beyond_the_ring_is_not_kept() -> None:
    """A piece that is larger than the whole ring leaves it empty, not over its bound."""
    ring: Ring[None] = Ring()
    ring.add(Piece(0, 1, None, 10))
    ring.add(Piece(1, 2, None, RING_BYTES + 1))
    assert (0, 0) == (len(ring), ring.size)


def test_look_vouches_for_the_time_before_it() -> None:
    """The wall clock of a look was read before the end: what is acknowledged after it is not vouched for."""
    place = Place()

    def meanwhile() -> None:
        place.clock.advance(5)
        place.log.length += 1

    place.log.at_end = meanwhile
    before_ms = place.clock.wall_ms()
    with place.hub.watched(stream()) as look:
        assert Look(0, before_ms) == look


def test_every_watcher_gets_everything_once_and_in_order() -> None:
    """Wherever watchers join, while the log grows in leaps of any size, each misses nothing and repeats nothing."""
    leaps = random.Random(1)  # noqa: S311 - a sample, no secret
    with running() as place, ThreadPoolExecutor(8) as threads:
        place.log.length = 500

        def read(cursor: int) -> list[int]:
            with watching(place, cursor) as told:
                return numbers(told, 6_000)

        cursors = [0, 0, 7, 123, 250, 490, 499, 500]
        reading = [threads.submit(read, cursor) for cursor in cursors]
        while place.log.length < 6_000:
            place.log.length = min(place.log.length + leaps.choice([1, 2, 9, 10, 11, 35, 400]), 6_000)
            place.log.await_looks(1)
        assert [list(range(cursor + 1, 6_001)) for cursor in cursors] == [one.result(WAIT_SECONDS) for one in reading]


def test_what_is_new_is_read_once_for_all() -> None:
    """Watchers that keep up cost one read of the store for all of them, by the hub's own thread."""
    with running() as place, ExitStack() as stack:
        watches = [stack.enter_context(watching(place)) for _ in range(5)]
        for count in range(1, 6):
            place.log.length = count * PAGE
            for told in watches:
                assert list(range((count - 1) * PAGE + 1, count * PAGE + 1)) == numbers(told, count * PAGE)
        assert ["sessiond-test"] * 5 == place.log.reads


def test_leap_beyond_the_ring_is_read_by_those_who_need_it() -> None:
    """Where more is new than the ring holds, the hub reads no more of it than that; a watcher reads it in pages."""
    with running() as place, watching(place) as told:
        place.log.length = 100 * PAGE
        assert list(range(1, 100 * PAGE + 1)) == numbers(told, 100 * PAGE)
        by_the_hub = place.log.reads.count("sessiond-test")
        assert by_the_hub <= RING_BYTES // (PAGE * ENTRY_BYTES) + 1
        assert len(place.log.reads) - by_the_hub == 100


def test_hub_rests_without_watchers() -> None:
    """While nobody watches nothing is read, and whoever comes then finds what happened meanwhile."""
    with running() as place:
        with watching(place):
            place.log.await_looks(2)
        # The look that was under way when the last watcher left.
        while place.log.looked.acquire(timeout=0.05):
            pass
        place.log.length = 3
        with watching(place, 0) as told:
            assert [1, 2, 3] == numbers(told, 3)


def test_heartbeat_each_second() -> None:
    """A watcher that is at the end hears from a fresh look each second, and what each second brings is done then."""
    with running() as place, watching(place) as told:
        for _ in range(3):
            place.clock.advance(HEARTBEAT_MS / 1000)
            assert Look(0, place.clock.wall_ms()) == next(told)
    assert place.seconds >= 3


def test_heartbeat_while_the_log_grows() -> None:
    """A heartbeat comes each second also where every look finds something: who passes over the pieces hears it."""
    with running() as place, watching(place, 0) as told:
        place.log.length = 1
        assert [1] == numbers(told, 1)

        def grow() -> None:
            place.log.length += 1
            place.clock.advance(HEARTBEAT_MS / 1000)

        place.log.at_end = grow
        seen = [next(told) for _ in range(200)]
        looks = [one for one in seen if isinstance(one, Look)]
        assert len(looks) >= 20
        for before, one in itertools.pairwise(seen):
            if isinstance(one, Look):
                assert one.end == (before.upto if isinstance(before, Piece) else before.end)


def test_fault_in_what_a_beat_brings_ends_nothing() -> None:
    """Where what each second brings fails, and the log of that too, watchers hear all they hear else."""

    def fail(*_: object, **__: object) -> None:
        message = "planted"
        raise OSError(message)

    place = Place()
    place.hub = Hub("test", place.log, place.clock, look_seconds=0.001, on_beat=fail)
    place.hub.start()
    with structlog.testing.capture_logs(), pytest.MonkeyPatch.context() as patch, watching(place) as told:
        patch.setattr("sessiond.server.hub._log.error", fail)
        for number in range(1, 4):
            place.clock.advance(HEARTBEAT_MS / 1000)
            place.log.await_looks(3)
            place.log.length = number
            assert [number] == numbers(told, number)
            place.clock.advance(HEARTBEAT_MS / 1000)
            while not isinstance(next(told), Look):
                pass
    place.hub.stop()


def test_failure_of_an_earlier_watch_is_forgotten() -> None:
    """The time of patience begins with the first failure that is watched, not with one of a watch that has ended."""
    place, failure = Place(), StoreUnavailableError("planted")
    with structlog.testing.capture_logs():
        with watching(place):
            place.hub._fail(failure)  # noqa: SLF001 - what its thread does, in an order that is certain
        place.clock.advance(PATIENCE_MS / 1000)
        place.log.fails = failure
        with pytest.raises(StoreUnavailableError), watching(place):
            pass
        place.hub._fail(failure)  # noqa: SLF001 - likewise
    assert place.hub._failure is None  # noqa: SLF001 - what ends the streams


def test_short_failure_ends_no_stream() -> None:
    """While the log cannot be read no heartbeat is sent; a watcher goes on once it can be read again."""
    with running() as place, watching(place) as told:
        place.log.fails = StoreUnavailableError("the store cannot be read")
        place.log.await_looks(2)
        place.clock.advance((PATIENCE_MS - 1) / 1000)
        place.log.await_looks(3)
        place.log.fails = None
        place.log.await_looks(2)
        place.clock.advance(HEARTBEAT_MS / 1000)
        assert Look(0, place.clock.wall_ms()) == next(told)


@pytest.mark.parametrize(
    ("failure", "told_as"),
    [(StoreUnavailableError("planted"), StoreUnavailableError), (ValueError("planted"), InternalFaultError)],
    ids=["the store", "a fault"],
)
def test_lasting_failure_ends_the_streams(failure: Exception, told_as: type[Exception]) -> None:
    """After the time of patience every watcher gets the error; a fault is told as one, without its text."""
    with running() as place, ExitStack() as stack:
        watches = [stack.enter_context(watching(place)) for _ in range(3)]
        place.log.fails = failure
        place.log.await_looks(2)
        place.clock.advance(PATIENCE_MS / 1000)
        for told in watches:
            with pytest.raises(told_as) as caught:
                next(told)
            assert ("planted" in str(caught.value)) is (told_as is StoreUnavailableError)
        place.log.fails = None
        with watching(place) as told:
            place.log.length = 1
            assert [1] == numbers(told, 1)


def test_patience_begins_with_each_failure() -> None:
    """A failure that comes after the log could be read again is given the whole time of patience again."""
    with running() as place, watching(place) as told:
        for _ in range(3):
            place.log.fails = StoreUnavailableError("the store cannot be read")
            place.log.await_looks(2)
            place.clock.advance(PATIENCE_MS * 0.6 / 1000)
            place.log.await_looks(2)
            place.log.fails = None
            place.log.await_looks(2)
        place.log.length = 1
        assert [1] == numbers(told, 1)


def test_watch_that_cannot_begin_leaves_nothing_behind() -> None:
    """Where the log cannot be read a watch begins with the error, and the hub rests again."""
    with running() as place:
        place.log.fails = StoreUnavailableError("the store cannot be read")
        with pytest.raises(StoreUnavailableError), watching(place):
            pass
        while place.log.looked.acquire(timeout=0.05):
            pass


def test_stream_that_has_ended_tells_nothing() -> None:
    """A watch of a stream that ends, or has ended before it began, returns."""
    one = stream()
    with running() as place, place.hub.watched(one) as look, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lambda: list(place.hub.follow(one, look.end)))
        place.log.await_looks(2)
        one.end()
        assert [] == waiting.result(WAIT_SECONDS)
        place.log.length = 1
        assert [] == list(place.hub.follow(one, 0))
