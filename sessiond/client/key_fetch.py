"""When a verifier asks for keys that it does not know: rarely, once for all who wait, and none of them for long."""

from __future__ import annotations

import math
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from sessiond.errors import InternalFaultError, SessiondError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiond.clock import Clock

WAIT_SECONDS = 0.5
"""How long a token waits for its key at most: an authority that does not answer must not hold up whoever serves."""


class KeyFetch:
    """
    Runs a fetch at most once per cooldown, in a thread of its own; whoever comes meanwhile is given the same one.

    So tokens with key ids that nobody knows cost nothing but their own
    refusal, however many there are. Safe to use from any thread.
    """

    def __init__(self, fetch: Callable[[], None], clock: Clock, cooldown_ms: int) -> None:
        """Run *fetch*, which raises SessiondError where it fails; the cooldown goes on from its beginning."""
        self._fetch = fetch
        self._clock = clock
        self._cooldown_ms = cooldown_ms
        self._lock = threading.Lock()
        self._running: Future[None] | None = None
        self._began_ms = 0
        self._next_ms: float = 0
        self._fault: SessiondError | None = None

    @property
    def fault(self) -> SessiondError | None:
        """What the last fetch failed with, None if it did not."""
        return self._fault

    def begin(self) -> Future[None] | None:
        """
        Give the fetch that runs, begun here where it is due; None where the last one began less than a cooldown ago.

        It ends without a value, also where it fails; nobody can cancel it. Wait for it WAIT_SECONDS at most; one that
        has run as long already is given to nobody else.
        """
        with self._lock:
            now_ms = self._clock.boot_ms()
            if self._running is not None:
                return self._running if now_ms - self._began_ms < WAIT_SECONDS * 1000 else None
            if now_ms < self._next_ms:
                return None
            self._began_ms, self._next_ms = now_ms, now_ms + self._cooldown_ms
            running = self._running = Future()
            running.set_running_or_notify_cancel()
        try:
            threading.Thread(target=self._run, args=(running,), name="sessiond-keys", daemon=True).start()
        except RuntimeError as error:  # the process has as many threads as it may have
            self._end(running, _fault_here(error))
        return running

    def close(self) -> None:
        """Begin no other fetch."""
        with self._lock:
            self._next_ms = math.inf

    def _run(self, running: Future[None]) -> None:
        try:
            self._fetch()
        except SessiondError as error:
            self._end(running, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must not wait for ever
            self._end(running, _fault_here(error))
        else:
            self._end(running, None)

    def _end(self, running: Future[None], fault: SessiondError | None) -> None:
        with self._lock:
            self._running, self._fault = None, fault
        running.set_result(None)


def _fault_here(error: Exception) -> InternalFaultError:
    fault = InternalFaultError(f"keys could not be asked for, by a fault here: {error!r}")
    fault.__cause__ = error
    return fault
