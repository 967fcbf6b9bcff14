"""
The clocks: what the edge reads and hands in as an argument.

Rule 1: only ``server``, ``client`` and ``cli`` hold a clock; everything else takes instants.
Rule 2: the wall clock judges expiries; spans are measured on the monotonic clock.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of time. Implementations are safe to read from any thread."""

    def wall_ms(self) -> int:
        """Read the wall clock: milliseconds since the Unix epoch."""
        ...

    def monotonic_ms(self) -> int:
        """Read milliseconds that never step back, on one scale for every process of the machine."""
        ...

    def boot_ms(self) -> int:
        """Read milliseconds that never step back and go on while the machine is suspended."""
        ...


class SystemClock:
    """The clocks of the machine."""

    def wall_ms(self) -> int:
        """Read CLOCK_REALTIME in milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Read CLOCK_MONOTONIC in milliseconds."""
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000_000

    def boot_ms(self) -> int:
        """Read CLOCK_BOOTTIME in milliseconds."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class ManualClock:
    """
    A clock that moves only when it is told to, for tests.

    The clocks are set apart so that a test can step the wall clock while the
    others go on, and suspend the machine while the monotonic clock stands still.
    """

    def __init__(self, wall_ms: int = 1_800_000_000_000, monotonic_ms: int = 1_000_000) -> None:
        """Start at the given readings."""
        self._wall_ms = wall_ms
        self._monotonic_ms = self._boot_ms = monotonic_ms

    def wall_ms(self) -> int:
        """Read the wall clock: milliseconds since the Unix epoch."""
        return self._wall_ms

    def monotonic_ms(self) -> int:
        """Read the monotonic clock in milliseconds."""
        return self._monotonic_ms

    def boot_ms(self) -> int:
        """Read the clock of elapsed time, suspended or not, in milliseconds."""
        return self._boot_ms

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass on every clock; *seconds* >= 0."""
        self._monotonic_ms += round(seconds * 1000)
        self.suspend(seconds)

    def suspend(self, seconds: float) -> None:
        """Let *seconds* pass while the machine is suspended; *seconds* >= 0."""
        self._wall_ms += round(seconds * 1000)
        self._boot_ms += round(seconds * 1000)

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back where *seconds* is negative; no time passes."""
        self._wall_ms += round(seconds * 1000)


def wall_seconds(clock: Clock) -> int:
    """Read the wall clock in whole seconds since the Unix epoch."""
    return clock.wall_ms() // 1000


class DeletionClock:
    """
    The time by which rows may be deleted.

    A wall clock that was set forward by mistake must not delete what still
    matters, so this clock never runs ahead of the wall clock at start plus
    the time that has passed since, and it answers 0 for the first *leeway*
    seconds after a start.
    """

    def __init__(self, clock: Clock, leeway_seconds: int) -> None:
        """Start now, on *clock*."""
        self._clock = clock
        self._leeway_ms = leeway_seconds * 1000
        self._wall_at_start_ms = clock.wall_ms()
        self._monotonic_at_start_ms = clock.monotonic_ms()

    def now(self) -> int:
        """Give the seconds since the epoch up to which rows have surely expired."""
        since_ms = self._clock.monotonic_ms() - self._monotonic_at_start_ms
        if since_ms < self._leeway_ms:
            return 0
        return min(self._clock.wall_ms(), self._wall_at_start_ms + since_ms) // 1000
