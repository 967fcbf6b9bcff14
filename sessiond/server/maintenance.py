"""What a server does by itself: sweep what has expired, follow the key schedule, watch the store."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from sessiond.clock import DeletionClock, wall_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiond.authority.feed import Feed
    from sessiond.authority.keys import Keys
    from sessiond.authority.policy import Policy
    from sessiond.clock import Clock
    from sessiond.store.contract import Store

SWEEP_ROWS = 256
"""Rows in one transaction of a sweep: few enough that no caller waits long behind it."""

SWEEP_ROUNDS = 64
"""Transactions of one sweep at most; what is left goes a second later, so that no rate of writes outruns the sweep."""

_WATCH_SECONDS = 1.0

_log = structlog.get_logger("sessiond.server")


class Maintenance:
    """
    Does the upkeep from a thread of its own.

    A step that fails is logged, the others are taken all the same, and the
    next round tries it again: the reasons (a full disk, a store that is being
    reopened) pass, and calls meet and report them for themselves.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        feed: Feed,
        policy: Policy,
        clock: Clock,
        *,
        every_seconds: int,
        watch_store: Callable[[], None],
    ) -> None:
        """Keep up *store* and *keys* each *every_seconds*; *watch_store* is called each second."""
        self._store = store
        self._keys = keys
        self._feed = feed
        self._policy = policy
        self._clock = clock
        self._deletion = DeletionClock(clock, policy.leeway_seconds)
        self._every_seconds = every_seconds
        self._watch_store = watch_store
        self._is_behind = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sessiond-maintenance", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the round that runs, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def once(self) -> None:
        """Do one round: apply what others changed, move keys that are due, forget and sweep what has expired."""
        now = wall_seconds(self._clock)
        deletable = self._deletion.now()
        _take("catch up", self._feed.catch_up)
        _take("keys", lambda: self._keys.advance(now, removable=deletable))
        if deletable:
            _take("forget", lambda: self._feed.expire(deletable))
            _take("sweep", self._sweep)

    def _sweep(self) -> None:
        deletable = self._deletion.now()
        for _ in range(SWEEP_ROUNDS):
            if self._stopping.is_set():
                return
            swept = self._store.sweep(
                deletable,
                deletable - self._policy.event_retention_seconds,
                SWEEP_ROWS,
                max_events=self._policy.max_events,
                max_refusal_events=self._policy.max_refusal_events,
            )
            self._is_behind = swept.more
            if not swept.more:
                return

    def _run(self) -> None:
        due_ms = self._clock.monotonic_ms()
        while not self._stopping.wait(_WATCH_SECONDS):
            _take("watch the store", self._watch_store)
            if self._clock.monotonic_ms() >= due_ms:
                due_ms = self._clock.monotonic_ms() + self._every_seconds * 1000
                _take("round", self.once)
            elif self._is_behind:
                _take("sweep", self._sweep)


def _take(step: str, work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:  # noqa: BLE001 - one step must stop neither the others nor the thread; the log has the traceback
        _log.exception("maintenance failed", step=step)
