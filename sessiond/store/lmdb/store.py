"""The Store contract on LMDB."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import lmdb

from sessiond.errors import IndeterminateError, StoreUnavailableError
from sessiond.store.contract import Change, Health, Request, Swept, View
from sessiond.store.lmdb.environment import MAP_BYTES, Environment
from sessiond.store.lmdb.filesystem import magic_of
from sessiond.store.lmdb.writer import StoreFullError, Writer
from sessiond.store.records import Session
from sessiond.store.rows import Rows
from sessiond.store.transactional import TransactionalStore

T = TypeVar("T")

TICK_SECONDS = 1.0
CHECK_READERS_TICKS = 60
_FULL_SWEEP_DIVISOR = 8
FULL_SHARE = 0.7
"""The share of the map from which on health warns."""
CREATE_SHARE = 0.9
"""The share of the map from which on no session is added: what is left is for ending sessions, and for refreshes."""


class LmdbStore(TransactionalStore):
    """
    A store in one directory of one machine.

    Several processes may open it at once, each once, after any fork. A thread
    of the store counts serving time and looks after it each second.
    """

    def __init__(
        self,
        path: Path,
        *,
        monotonic_ms: Callable[[], int],
        session_grace_seconds: int,
        map_size: int = MAP_BYTES,
        file_system: Callable[[Path], int] = magic_of,
    ) -> None:
        """
        Open the store in the directory *path*; where there is none, make one.

        Args:
            path: A directory on a local file system.
            monotonic_ms: As for every store.
            session_grace_seconds: As for every store.
            map_size: The bytes that the store can grow to, of address space at first; the same in every process.
            file_system: Tells the magic number of the file system of a path.

        Raises:
            StoreOpenError: The directory cannot be used. Nothing in it was changed.

        """
        super().__init__(monotonic_ms=monotonic_ms, session_grace_seconds=session_grace_seconds)
        self._environment = Environment(Path(path), map_size, file_system)
        self._writer = Writer(self._environment)
        self._fill = self._environment.fill()
        self._trouble = ""
        self._closing = threading.Event()
        self._ticker = threading.Thread(target=self._keep_ticking, name="sessiond-store", daemon=True)
        self._ticker.start()

    def tick(self) -> None:
        """
        Count serving time, as every store does; where writing has stopped, try to begin again first.

        Raises:
            StoreUnavailableError: The tick was not written, so the clock stands still.
            IndeterminateError: Perhaps it was.

        """
        if self._writer.broken:
            self._writer.run(_nothing, mending=True)
        # First, since a map without room would refuse the tick.
        self._fill = self._environment.fill()
        super().tick()

    def create(
        self,
        tenant_hash: bytes,
        subject_hash: bytes,
        request: Request | None,
        decide: Callable[[View], Change[T]],
        *,
        siblings: int = 0,
    ) -> T:
        """Add a session, unless the map is as full as it may be by new sessions; a repeated call gets its answer."""

        def decide_within_limit(view: View) -> Change[T]:
            change = decide(view)
            if change.session is not None and self._fill >= CREATE_SHARE:
                message = (
                    f"the store is {self._fill:.0%} full: no session was added, so that sessions can still be ended. "
                    "Expired rows are deleted as time passes; if that is not enough, start the authority with a larger "
                    "map"
                )
                raise StoreUnavailableError(message)
            return change

        return super().create(tenant_hash, subject_hash, request, decide_within_limit, siblings=siblings)

    def get(self, session_id: bytes) -> View:
        """Read one session; whoever is shown its end is contradicted by no verification that begins afterwards."""
        view = super().get(session_id)
        # What is read is durable. Its writer may have died before it told.
        self._environment.revision.raise_to(view.revision)
        return view

    def list_by_subject(self, subject_hash: bytes, after: bytes, limit: int) -> tuple[list[Session], int]:
        """Read up to *limit* sessions under a subject's hash; the revision is known to every process then, as above."""
        sessions, revision = super().list_by_subject(subject_hash, after, limit)
        self._environment.revision.raise_to(revision)
        return sessions, revision

    def revision(self) -> int:
        """Read the revision: one word of memory, which every write that has returned has raised before."""
        return self._environment.revision.load()

    def sweep(
        self,
        now: int,
        events_before: int,
        limit: int,
        *,
        max_events: int | None = None,
        max_refusal_events: int | None = None,
    ) -> Swept:
        """
        Delete up to *limit* rows that cannot matter any more, as every store does; fewer where the store is full.

        To delete, too, LMDB writes pages anew before it frees the old ones.
        """
        while True:
            try:
                return super().sweep(
                    now, events_before, limit, max_events=max_events, max_refusal_events=max_refusal_events
                )
            except StoreFullError:
                if limit == 1:
                    raise
                limit = max(1, limit // _FULL_SWEEP_DIVISOR)

    def health(self) -> Health:
        """Say whether reads and writes work, by what the last second showed."""
        readable = self._environment.readable and not self._closing.is_set()
        return Health(
            readable=readable,
            writable=readable and not self._writer.broken and not self._trouble,
            fill=self._fill,
            detail=self._writer.broken
            or self._trouble
            or "; ".join(filter(None, (self._fullness(), self._environment.detail))),
        )

    def close(self) -> None:
        """Finish the writes that were accepted, and release everything."""
        self._environment.check_process()
        self._closing.set()
        if self._writer.close():
            self._ticker.join()
            self._environment.close()

    def _fullness(self) -> str:
        if self._writer.full:
            return "the map has no room for a write: start the authority with a larger one"
        if self._fill >= CREATE_SHARE:
            return f"the map is {self._fill:.0%} full, and no session is added: start the authority with a larger one"
        if self._fill >= FULL_SHARE:
            return f"the map is {self._fill:.0%} full: start the authority with a larger one before it is full"
        return ""

    def _read(self, work: Callable[[Rows], T]) -> T:
        return self._environment.read(work)

    def _write(self, work: Callable[[Rows], T]) -> T:
        return self._writer.run(work)

    def _keep_ticking(self) -> None:
        for number in itertools.count(1):
            if self._closing.wait(TICK_SECONDS):
                return
            try:
                self.tick()
                if number % CHECK_READERS_TICKS == 0:
                    self._environment.check_readers()
            except (IndeterminateError, StoreUnavailableError, lmdb.Error) as error:
                self._trouble = str(error)
            else:
                self._trouble = ""


def _nothing(rows: Rows) -> None:
    """Write nothing."""
