"""
The open streams of a server: who has gone, who does not read, and how all of them end.

Rule 1: a stream waits in a thread of its own, for something to tell and for its reader. A message is taken
    from the handler only once the transport has taken the one before it, so what a reader that does not read
    costs is bounded by gRPC's own windows, and it holds up itself alone.
Rule 2: whoever ends a stream loses nothing: its caller goes on from the cursor of the last message it applied.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import grpc
import structlog

from sessiond.server.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sessiond.clock import Clock

STUCK_MS = 10_000
"""A reader that has not taken one message for so long is cut off."""

STOPPING = Status(
    grpc.StatusCode.UNAVAILABLE, "the server is stopping: go on from the cursor at another one, or here shortly", ()
)
"""What ends the streams of a server that stops."""

_log = structlog.get_logger("sessiond.server")


class Stream:
    """
    One open stream, as the handler that serves it sees it.

    ``ended`` becomes True when the caller has gone or the server stops: then
    the handler returns, and what it gives no longer matters. Safe to read from
    any thread.
    """

    def __init__(self, method: str, context: grpc.ServicerContext) -> None:
        """Watch over the call of *context*."""
        self.method = method
        self.ended = False
        self.sending_since_ms: int | None = None
        self._context = context
        self._lock = threading.Lock()
        self._wakes: list[Callable[[], None]] = []
        if not context.add_callback(self.end):
            self.ended = True

    def on_end(self, wake: Callable[[], None]) -> None:
        """Have *wake* called once ``ended`` is True, by whichever thread, at once where it is already."""
        with self._lock:
            if not self.ended:
                self._wakes.append(wake)
                return
        wake()

    def end(self) -> None:
        """Let the handler return."""
        with self._lock:
            self.ended = True
            wakes, self._wakes = self._wakes, []
        for wake in wakes:
            wake()

    def cancel(self) -> None:
        """End the call at once, whatever of it is under way. The caller sees CANCELLED."""
        self._context.cancel()


class Streams:
    """Every open stream of a server. Safe to use from any thread."""

    def __init__(self, clock: Clock) -> None:
        """Measure by *clock*."""
        self._clock = clock
        self._lock = threading.Lock()
        self._open: set[Stream] = set()
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether the server stops."""
        return self._stopping

    @contextlib.contextmanager
    def opened(self, method: str, context: grpc.ServicerContext) -> Iterator[Stream]:
        """Keep watch over a stream inside a block."""
        stream = Stream(method, context)
        with self._lock:
            self._open.add(stream)
            stopping = self._stopping
        if stopping:
            stream.end()
        try:
            yield stream
        finally:
            with self._lock:
                self._open.discard(stream)

    def sent(self, stream: Stream, messages: Generator[bytes, None, None]) -> Iterator[bytes]:
        """Give *messages* to the transport, one after another, until the stream has ended; then close them."""
        with contextlib.closing(messages):
            for message in messages:
                if stream.ended:
                    return
                stream.sending_since_ms = self._clock.monotonic_ms()
                yield message
                stream.sending_since_ms = None

    def cut_off_stuck(self) -> None:
        """Cancel every stream whose reader has not taken a message for too long. Call it each second or so."""
        latest_ms = self._clock.monotonic_ms() - STUCK_MS
        with self._lock:
            sending = [(stream, stream.sending_since_ms) for stream in self._open]
        stuck = [stream for stream, since_ms in sending if since_ms is not None and since_ms <= latest_ms]
        for stream in stuck:
            _log.warning("reader cut off", method=stream.method, stuck_ms=STUCK_MS)
            stream.cancel()

    def end(self) -> None:
        """Let every stream end, those too that are still to come: the server stops."""
        with self._lock:
            self._stopping = True
            streams = list(self._open)
        for stream in streams:
            stream.end()

    def cancel(self) -> None:
        """End every stream that could not end by itself, since its reader does not read."""
        with self._lock:
            streams = list(self._open)
        for stream in streams:
            stream.cancel()
