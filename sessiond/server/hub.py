"""
What many streams watch is read and spelled once, by one thread, and each of them takes it from there.

Rule 1: no watcher has a queue. Each has a cursor; what happened lately lies in one ring for all of them, bounded
    in pieces and in bytes, and whoever is further behind reads the store in pages, in its own thread.
Rule 2: a heartbeat vouches for something. The wall clock is read before the end of the log is, so nothing that
    was acknowledged by that time is missing from what stands before the cursor.
Rule 3: where the store cannot be read, nothing is vouched for and no heartbeat is sent. A store that is reopened
    in a moment costs no stream; after :data:`PATIENCE_MS` every stream ends with the error, so that its caller
    learns the reason and can try another server.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import structlog

from sessiond.errors import InternalFaultError, SessiondError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiond.clock import Clock
    from sessiond.server.streams import Stream

T = TypeVar("T")

HEARTBEAT_MS = 1_000
PATIENCE_MS = 3_000
"""How long the store may be out of reach until streams end: three heartbeats that did not come."""

SENDING_SECONDS = 0.000_2
"""
How much longer the hub waits, for each watcher, after it had something to tell: about what it takes to send one
message. So many watchers get fewer and larger messages in a steady flow, instead of ever later ones.
"""

RING_PIECES = 1_024
RING_BYTES = 1 << 20

_log = structlog.get_logger("sessiond.server")


@dataclass(frozen=True, slots=True)
class Look:
    """The end of the log, and a wall clock that was read before it: all that was acknowledged by then is there."""

    end: int
    wall_ms: int


@dataclass(frozen=True, slots=True)
class Piece(Generic[T]):
    """What stands in the log after the cursor ``after``, up to ``upto``; it takes about ``size`` bytes."""

    after: int
    upto: int
    content: T
    size: int


class Source(Protocol[T]):
    """A log that only grows at its end. Every verb raises StoreUnavailableError where it cannot be read."""

    def end(self) -> int:
        """Read the cursor of its end."""
        ...

    def read(self, after: int, look: Look) -> Piece[T]:
        """Read a piece of at most 1,000 entries after *after*. It ends at ``look.end`` unless there are more."""
        ...


class Ring(Generic[T]):
    """The newest pieces, found by the cursor that they begin at. The oldest leave, beyond either bound."""

    def __init__(self, pieces: int = RING_PIECES, size: int = RING_BYTES) -> None:
        """Keep at most *pieces*, and at most *size* bytes."""
        self._most = pieces
        self._room = size
        self._size = 0
        self._pieces: dict[int, Piece[T]] = {}

    @property
    def size(self) -> int:
        """The bytes of all that is in it."""
        return self._size

    def __len__(self) -> int:
        return len(self._pieces)

    def add(self, piece: Piece[T]) -> None:
        """Append *piece*; one that is larger than the ring pushes out everything, itself too."""
        self._pieces[piece.after] = piece
        self._size += piece.size
        while len(self._pieces) > self._most or self._size > self._room:
            self._size -= self._pieces.pop(next(iter(self._pieces))).size

    def after(self, cursor: int) -> Piece[T] | None:
        """Give the piece that begins at *cursor*."""
        return self._pieces.get(cursor)

    def clear(self) -> None:
        """Forget everything."""
        self._pieces.clear()
        self._size = 0


class Hub(Generic[T]):
    """
    Tells the watchers of one log what is appended to it. Safe to use from any thread.

    Its thread looks at the log while there are watchers, and rests while there are none.
    """

    def __init__(
        self,
        name: str,
        source: Source[T],
        clock: Clock,
        *,
        look_seconds: float,
        on_beat: Callable[[], None],
    ) -> None:
        """Look at *source* each *look_seconds* while it is watched, and call *on_beat* at each heartbeat."""
        self._name = name
        self._source = source
        self._clock = clock
        self._look_seconds = look_seconds
        self._on_beat = on_beat
        self._looking = threading.Lock()
        self._changed = threading.Condition()
        """Guards what follows; notified at whatever a watcher waits for."""
        self._ring: Ring[T] = Ring()
        self._look: Look | None = None
        self._watchers = 0
        self._sending_seconds = 0.0
        self._beats = 0
        self._failing_since_ms: int | None = None
        self._failure: SessiondError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sessiond-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Streams are ended by whoever opened them."""
        self._stopping.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join()

    @contextlib.contextmanager
    def watched(self, stream: Stream) -> Iterator[Look]:
        """
        Have the log watched inside a block, for *stream*; begin with a look that is fresh.

        Raises:
            StoreUnavailableError: The log cannot be read.

        """
        with self._changed:
            if self._watchers == 0:
                # What failed while others watched, perhaps long ago, says nothing about this watch.
                self._failing_since_ms = None
            self._watchers += 1
            self._changed.notify_all()
        stream.on_end(self._wake)
        try:
            yield self._take_look()
        finally:
            with self._changed:
                self._watchers -= 1
                if self._watchers == 0:
                    self._ring.clear()
                    self._look = None

    def follow(self, stream: Stream, cursor: int) -> Iterator[Piece[T] | Look]:
        """
        Give what comes after *cursor*, in order and without a gap, until *stream* ends; inside :meth:`watched`.

        A piece is the next one. A look is a heartbeat: the cursor is at its end. One comes each second, however many
        pieces come between: who passes over what they hold hears all the same.

        Raises:
            StoreUnavailableError: The log could not be read for :data:`PATIENCE_MS`, or not where it was needed.
            InternalFaultError: A fault of our own keeps it from being read.

        """
        beat, beaten = self._beats, False
        while True:
            with self._changed:
                while not (stream.ended or self._failure or self._beats != beat or self._end() != cursor):
                    self._changed.wait()
                failure, look, piece = self._failure, self._look, self._ring.after(cursor)
                beaten, beat = beaten or self._beats != beat, self._beats
            if stream.ended:
                return
            if failure is not None:
                raise type(failure)(failure.message)
            if look is not None and look.end != cursor:
                piece = piece or self._source.read(cursor, look)
                cursor = piece.upto
                yield piece
            if look is not None and look.end == cursor and beaten:
                beaten = False
                yield look

    def _end(self) -> int | None:
        return self._look.end if self._look is not None else None

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _take_look(self) -> Look:
        """Read the end of the log and what is new before it. Whichever thread does it, the others know it then."""
        with self._looking:
            wall_ms = self._clock.wall_ms()
            look = Look(self._source.end(), wall_ms)
            with self._changed:
                known = self._end()
            pieces = [] if known is None else self._pieces(known, look)
            with self._changed:
                for piece in pieces:
                    self._ring.add(piece)
                self._look = look
                self._failing_since_ms = None
                self._failure = None
                self._sending_seconds = 0.0
                if known != look.end:
                    self._sending_seconds = self._watchers * SENDING_SECONDS
                    self._changed.notify_all()
            return look

    def _pieces(self, after: int, look: Look) -> list[Piece[T]]:
        """Read up to the end, or nothing where that is more than the ring holds: then each reads for itself."""
        pieces: list[Piece[T]] = []
        size = 0
        while after != look.end:
            piece = self._source.read(after, look)
            pieces.append(piece)
            after, size = piece.upto, size + piece.size
            if size > RING_BYTES:
                return []
        return pieces

    def _run(self) -> None:
        beat_due_ms = self._clock.monotonic_ms() + HEARTBEAT_MS
        while not self._rest():
            steps: list[Callable[[], object]] = [self._take_look]
            if self._clock.monotonic_ms() >= beat_due_ms:
                beat_due_ms = self._clock.monotonic_ms() + HEARTBEAT_MS
                steps += [self._beat, self._on_beat]
            for step in steps:
                try:
                    step()
                except Exception as error:  # noqa: BLE001 - watchers must learn of it, whatever it is; the log has it
                    self._fail(error)

    def _rest(self) -> bool:
        """Wait until it is time for the next look; say whether there will be none."""
        with self._changed:
            while self._watchers == 0 and not self._stopping.is_set():
                self._changed.wait()
            pause = self._look_seconds + self._sending_seconds
        return self._stopping.wait(pause)

    def _beat(self) -> None:
        with self._changed:
            if self._failing_since_ms is None:
                self._beats += 1
                self._changed.notify_all()

    def _fail(self, error: Exception) -> None:
        """Take note that a look failed; beyond patience, end the streams."""
        now_ms = self._clock.monotonic_ms()
        with self._changed:
            begins = self._failing_since_ms is None
            since_ms = self._failing_since_ms = now_ms if self._failing_since_ms is None else self._failing_since_ms
            if now_ms - since_ms >= PATIENCE_MS:
                message = "a fault of the authority keeps it from reading what is watched; its log tells more"
                self._failure = error if isinstance(error, StoreUnavailableError) else InternalFaultError(message)
                self._changed.notify_all()
        if begins:
            # A log that cannot be written, as on a full disk, must not end the thread: nothing would be told any more.
            with contextlib.suppress(Exception):
                _log.error("what is watched cannot be read", watched=self._name, exc_info=error)
