"""The stream of revocations: one thread that reads it into a replica, and begins again whenever it ends."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import grpc

from sessiond.client.connection import CHANNEL_OPTIONS
from sessiond.client.faults import UnexpectedAnswerError, error_of
from sessiond.errors import InternalFaultError
from sessiond.v1 import revocation_service_pb2, revocation_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiond.client.replica import Replica
    from sessiond.clock import Clock
    from sessiond.errors import SessiondError

_OPTIONS = (
    *CHANNEL_OPTIONS,
    # A heartbeat comes each second, so a connection that died without a word is given up soon after.
    ("grpc.keepalive_time_ms", 10_000),
)

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0
_CLOSE_SECONDS = 10.0


class RevocationStream:
    """
    Reads WatchRevocations into a replica until it is closed.

    A stream that ended, whatever the reason, is followed by another from the
    cursor on, after a random pause whose bound grows while none gets to the
    end of what was acknowledged. So an authority that starts again is not met
    by all its verifiers at once. Safe to use from any thread.
    """

    def __init__(self, target: str, replica: Replica, clock: Clock) -> None:
        """Read from *target*, from now on."""
        self._target = target
        self._replica = replica
        self._clock = clock
        self._closed = threading.Event()
        self._ready = threading.Event()  # or closed: nobody has to wait any more
        self._connected = False
        self._fault: SessiondError | None = None
        self._calling = threading.Lock()
        self._cancel: Callable[[], object] = lambda: None  # ends the stream that runs
        self._channel = grpc.insecure_channel(target, options=_OPTIONS)
        self._stub = revocation_service_pb2_grpc.RevocationServiceStub(self._channel)
        # A process that forgets to close its verifier still ends.
        self._thread = threading.Thread(target=self._run, name="sessiond-verifier", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether a stream runs that has brought something."""
        return self._connected

    @property
    def fault(self) -> SessiondError | None:
        """What the last stream that failed ended with; None once one has brought something after it."""
        return self._fault

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed.is_set()

    def wait_ready(self, timeout_seconds: float) -> bool:
        """Wait until the replica has a first complete snapshot, or this is closed, and say whether it has."""
        self._ready.wait(timeout_seconds)
        return self._replica.knowledge is not None

    def close(self) -> None:
        """End the thread and the connection."""
        self._closed.set()
        self._ready.set()
        with self._calling:
            self._cancel()
        self._thread.join(_CLOSE_SECONDS)
        self._channel.close()

    def _run(self) -> None:
        bound = _FIRST_PAUSE_SECONDS
        while not self._closed.is_set():
            try:
                if self._follow():
                    bound = _FIRST_PAUSE_SECONDS
            except Exception as error:  # noqa: BLE001 - whatever it is: without this thread nothing is heard again
                self._fault = InternalFaultError(f"the stream of revocations ended with a fault here: {error!r}")
                self._fault.__cause__ = error
            self._closed.wait(random.uniform(0, bound))  # noqa: S311 - spreads load, hides nothing
            bound = min(2 * bound, _LONGEST_PAUSE_SECONDS)

    def _follow(self) -> bool:
        """Follow one stream to its end, and say whether it ever got to the end of what was acknowledged."""
        caught_up = False
        with self._calling:
            call = self._stub.WatchRevocations(
                revocation_service_pb2.WatchRevocationsRequest(cursor=self._replica.cursor)
            )
            self._cancel = call.cancel
            if self._closed.is_set():
                call.cancel()
        try:
            for message in call:
                self._replica.apply(message, boot_ms=self._clock.boot_ms(), wall_ms=self._clock.wall_ms())
                self._connected, self._fault = True, None
                if message.caught_up:
                    caught_up = True
                    self._ready.set()
        except grpc.RpcError as error:
            self._fault = error_of(error, self._target)
        except UnexpectedAnswerError as error:
            self._fault = error
        finally:
            call.cancel()
            self._connected = False
        return caught_up
