"""A process that finds a spent token and is killed on the way: ``python -m tests.scenarios.dying_worker DATA WHEN``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sessiond.clock import ManualClock
from sessiond.store.contract import Change, View
from sessiond.store.lmdb import LmdbStore
from tests.rpc.world import world

T = TypeVar("T")


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


class Dying(LmdbStore):
    """A store that dies in its next rotation once *when* is set: ``decided``, or ``committed`` and not answered."""

    when = ""

    def rotate(self, session_id: bytes, decide: Callable[[View], Change[T]]) -> T:
        """Rotate as far as it goes."""

        def decide_and_die(view: View) -> Change[T]:
            change = decide(view)
            if self.when == "decided":
                die()
            return change

        result = super().rotate(session_id, decide_and_die)
        if self.when == "committed":
            die()
        return result


if __name__ == "__main__":
    clock = ManualClock()
    store = Dying(Path(sys.argv[1]), monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)
    with world(store=store, clock=clock) as here:
        first = newest = here.login()
        for _ in range(3):
            newest = here.refresh(newest.refresh_token).tokens
        sys.stdout.write(f"{first.session_id} {first.refresh_token} {newest.refresh_token}\n")
        sys.stdout.flush()
        store.when = sys.argv[2]
        here.refresh(first.refresh_token)
