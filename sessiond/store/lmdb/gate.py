"""A gate: many threads use a thing at once, or one changes it while nobody does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sessiond.errors import StoreUnavailableError


class Gate:
    """
    Guards the environment: nobody may be inside LMDB while it is closed, reopened or mapped anew.

    It also stays shut in a child of a fork, in which LMDB corrupts or crashes.
    ``stuck`` is True from the moment somebody gave up waiting for one who is alone until that one leaves.
    """

    def __init__(self, patience_seconds: float) -> None:
        """Let nobody wait longer than *patience_seconds*."""
        self.stuck = False
        self._patience_seconds = patience_seconds
        self._changed = threading.Condition()
        self._inside = 0
        self._alone = False
        self._pid = os.getpid()

    def check_process(self) -> None:
        """
        Refuse to go on in a child of a fork.

        Raises:
            StoreUnavailableError: This is one.

        """
        if os.getpid() != self._pid:
            message = "the store was opened before this process was forked: open it after the fork"
            raise StoreUnavailableError(message)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """
        Be inside with others.

        Raises:
            StoreUnavailableError: Somebody stayed alone inside for too long, or the process was forked.

        """
        self.check_process()
        with self._changed:
            self._wait(lambda: not self._alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """
        Be inside alone; whoever comes later waits.

        Raises:
            StoreUnavailableError: Somebody stayed inside for too long, or the process was forked.

        """
        self.check_process()
        with self._changed:
            self._wait(lambda: not self._alone)
            self._alone = True
        try:
            with self._changed:
                self._wait(lambda: self._inside == 0)
            yield
        finally:
            with self._changed:
                self._alone = self.stuck = False
                self._changed.notify_all()

    def _wait(self, free: Callable[[], bool]) -> None:
        if not self._changed.wait_for(free, self._patience_seconds):
            self.stuck = self._alone
            message = "the store is busy being reopened: try again"
            raise StoreUnavailableError(message)
