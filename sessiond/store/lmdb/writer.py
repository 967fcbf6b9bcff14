"""
The writer: one thread that runs every write of this process, many to a transaction.

Rule 1: a group is whatever waits when the transaction begins. No timer: while one group is being made durable the
next one gathers.
Rule 2: nobody gets an answer, a refusal included, before all that it rests on is durable and its revision is known to
every process, also where nothing was written: whoever wrote it may have died before it told.
Rule 3: one call cannot spoil another. What raises in its own work is refused alone; where LMDB itself refuses a group,
each of its calls runs again by itself.
Rule 4: after a failed commit nothing is written until the store has been opened again and checked. A call is refused as
unavailable only where surely nothing of it was written; else its outcome is unknown.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import lmdb
import structlog

from sessiond.errors import IndeterminateError, StoreUnavailableError
from sessiond.store.lmdb.environment import PATIENCE_SECONDS, Environment, StoreOpenError
from sessiond.store.lmdb.rows import LmdbRows
from sessiond.store.lmdb.schema import RecordFaultError
from sessiond.store.rows import Counters

T = TypeVar("T")

GROUP_CALLS = 256
"""The calls of one transaction at most: more would let the first of them wait for long."""

COMMIT_SECONDS = 30.0

_log = structlog.get_logger("sessiond.store")


class StoreFullError(StoreUnavailableError):
    """The map has no room for a call; surely nothing of it was written."""


class _Call(Generic[T]):
    """One write that waits for its outcome."""

    __slots__ = ("_outcome", "delivered", "error", "result", "work", "wrote")

    def __init__(self, work: Callable[[LmdbRows], T]) -> None:
        self.work = work
        self.wrote = False
        self.delivered = False
        self.result: T | None = None
        self.error: BaseException | None = None
        self._outcome = threading.Lock()
        self._outcome.acquire()

    def run(self, rows: LmdbRows) -> None:
        """Do the work and write it into the transaction."""
        self.wrote, self.error = False, None
        try:
            self.result = self.work(rows)
        except lmdb.Error:
            raise
        except BaseException as error:  # noqa: BLE001 - it is the caller's, who gets it
            rows.discard()
            self.error = error
        else:
            self.wrote = rows.accept()

    def deliver(self, error: BaseException | None = None) -> None:
        """Let the caller go on, with *error* in place of the outcome where it is given."""
        self.error = error or self.error
        self.delivered = True
        self._outcome.release()

    def wait(self, seconds: float) -> bool:
        """Say whether the outcome came in time."""
        return self._outcome.acquire(timeout=seconds)


class _CommitError(Exception):
    """A commit failed: whether it is in the file is not known."""

    def __init__(self, transaction: int, error: lmdb.Error) -> None:
        super().__init__(transaction, error)
        self.transaction = transaction
        self.error = error


class Writer:
    """
    Runs writes for the threads of one process.

    ``broken`` says why writes are refused, "" while they are not. ``full`` is
    True from a write that found no room until one that did.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        commit_seconds: float = COMMIT_SECONDS,
    ) -> None:
        """
        Write to *environment*.

        Args:
            environment: Open, and closed by the caller after :meth:`close`.
            patience_seconds: How long a call waits for its turn: another process can hold the lock of the store.
            commit_seconds: How long a call whose turn has come waits for the disk.

        """
        self.broken = ""
        self.full = False
        self._environment = environment
        self._patience_seconds = patience_seconds
        self._commit_seconds = commit_seconds
        self._changed = threading.Condition()
        self._queue: deque[_Call[Any]] = deque()
        self._turn: list[_Call[Any]] = []
        self._closing = False
        self._acknowledged = environment.read(LmdbRows.counters)
        self._thread = threading.Thread(target=self._run, name="sessiond-writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[LmdbRows], T], *, mending: bool = False) -> T:
        """
        Run *work* in a write transaction and return once that is durable.

        Args:
            work: May be run again, each time on what its transaction sees.
            mending: Try to open the store again first, where writes are refused.

        Raises:
            StoreUnavailableError: Surely nothing was written.
            IndeterminateError: Whether it was written is not known.

        """
        self._environment.check_process()
        call = _Call(work)
        with self._changed:
            if self._closing:
                message = "the store is closed"
                raise StoreUnavailableError(message)
            if self.broken and not mending:
                raise StoreUnavailableError(self.broken)
            self._queue.append(call)
            self._changed.notify_all()
        if not call.wait(self._patience_seconds):
            if self._withdraw(call):
                message = "another process holds the lock of the store, and has for too long: nothing was changed"
                raise StoreUnavailableError(message)
            if not call.wait(self._commit_seconds):
                message = "the disk has not answered in time: repeat the call to find out whether it was done"
                raise IndeterminateError(message)
        if call.error is not None:
            raise call.error
        return cast("T", call.result)

    def close(self) -> bool:
        """Finish the calls that wait, end the thread, and say whether it has ended: it can hang in LMDB."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(self._patience_seconds)
        if self._turn:
            self._thread.join(self._commit_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._wait_for_calls():
            try:
                self._transact(self._take)
            except Exception as fault:  # noqa: BLE001 - else nothing would be written until the process ends
                self._after_fault(fault)
            self._turn = []

    def _wait_for_calls(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            return bool(self._queue)

    def _take(self) -> list[_Call[Any]]:
        with self._changed:
            self._turn = [self._queue.popleft() for _ in range(min(GROUP_CALLS, len(self._queue)))]
            return self._turn

    def _withdraw(self, call: _Call[Any]) -> bool:
        """Take back a call whose turn has not come, and say whether that was so."""
        with self._changed:
            waits = call in self._queue
            if waits:
                self._queue.remove(call)
            return waits

    def _refuse(self, group: list[_Call[Any]], error: BaseException) -> None:
        for call in group:
            call.deliver(error)

    def _transact(self, take: Callable[[], list[_Call[Any]]]) -> None:
        """Run the calls that *take* gives once the transaction has begun, and tell each its outcome."""
        if self.broken and self._mend() is None:
            self._refuse(take(), StoreUnavailableError(self.broken))
            return
        group: list[_Call[Any]] = []
        try:
            with self._environment.write() as (txn, rows):
                group = take()
                for call in group:
                    self._do(call, rows)
                counters = self._counters(rows)
                if any(call.wrote for call in group):
                    self._commit(txn, rows, counters)
        except _CommitError as failed:
            self._after_failed_commit(group, failed)
        except lmdb.Error as error:
            if group:
                self._after_refused_group(group, error)
            else:
                self._after_failed_begin(take, error)
        except StoreUnavailableError as refusal:
            self._refuse(group or take(), refusal)
        else:
            self._environment.revision.raise_to(counters.revision)
            for call in group:
                call.deliver()

    def _after_fault(self, fault: Exception) -> None:
        """Stop writing after what nobody expected, so that the store is opened again before the next write."""
        _log.error("writing stopped", what="an unexpected fault", exc_info=fault)
        self.broken = (
            f"writing has stopped after an unexpected fault ({type(fault).__name__}): see the log of the authority; it "
            "is tried again each second"
        )
        begun = [call for call in self._turn if not call.delivered]
        message = "the authority failed during the write: repeat the call to find out what was done"
        self._refuse(begun, IndeterminateError(message))
        if not begun:
            self._refuse(self._take(), StoreUnavailableError(self.broken))

    def _after_refused_group(self, group: list[_Call[Any]], error: lmdb.Error) -> None:
        """Find the calls that LMDB refuses, and why. Nothing was written."""
        if len(group) == 1:
            group[0].deliver(self._explained(error))
            return
        for call in group:
            self._transact(lambda call=call: [call])  # type: ignore[misc]

    def _after_failed_begin(self, take: Callable[[], list[_Call[Any]]], error: lmdb.Error) -> None:
        """Try again where that helps. No call was begun."""
        try:
            self._environment.mend(error)
        except StoreUnavailableError as refusal:
            self._break("no write transaction can begin", error)
            self._refuse(take(), refusal)
        else:
            self._transact(take)

    def _do(self, call: _Call[Any], rows: LmdbRows) -> None:
        call.run(rows)
        if isinstance(call.error, RecordFaultError):
            call.error = self._environment.refused(call.error)

    def _counters(self, rows: LmdbRows) -> Counters:
        try:
            return rows.counters()
        except RecordFaultError as fault:
            raise self._environment.refused(fault) from None

    def _commit(self, txn: lmdb.Transaction[bytes], rows: LmdbRows, counters: Counters) -> None:
        transaction = txn.id()
        rows.apply()
        try:
            txn.commit()
        except lmdb.MapFullError:
            # Found before the first page is written.
            raise
        except lmdb.Error as error:
            raise _CommitError(transaction, error) from error
        self.full = False
        self._acknowledged = counters

    def _after_failed_commit(self, group: list[_Call[Any]], failed: _CommitError) -> None:
        """
        Stop writing, look at what the file holds, and tell each caller what is known.

        Numbers of transactions rise one by one, so where the last one in the
        file, made durable again, is older than the one that failed, nothing of
        that was written.
        """
        self._break("a commit failed", failed.error)
        last = self._mend()
        nothing_written = last is not None and last < failed.transaction
        for call in group:
            if nothing_written or not call.wrote:
                call.deliver(StoreUnavailableError("the disk refused the write: nothing was changed; try again"))
            else:
                call.deliver(
                    IndeterminateError("the disk failed during the write: repeat the call to find out what was done")
                )

    def _break(self, what: str, error: lmdb.Error) -> None:
        _log.error("writing stopped", what=what, error=str(error))
        self.broken = (
            f"writing has stopped, {what} ({type(error).__name__}): check the disk; it is tried again each second"
        )

    def _explained(self, error: lmdb.Error) -> StoreUnavailableError:
        """Say why LMDB refused one call by itself. Nothing of it was written."""
        if isinstance(error, lmdb.MapFullError):
            self.full = True
            message = (
                "the store is full: nothing was changed. Expired rows are deleted as time passes; if that is not "
                "enough, start the authority with a larger map"
            )
            return StoreFullError(message)
        try:
            self._environment.mend(error)
        except StoreUnavailableError as refusal:
            return refusal
        return StoreUnavailableError("the store changed under the call: nothing was changed; try again")

    def _mend(self) -> int | None:
        """
        Open the store again, check it, and prove that it can be written.

        Gives the number of the last transaction in the file, None where the store cannot be relied on.
        """
        try:
            self._environment.reopen()
            last = self._prove()
        except (lmdb.Error, RecordFaultError, StoreOpenError, StoreUnavailableError) as error:
            _log.error("the store cannot be written yet", error=str(error))
            self._reopen_for_reads()
            return None
        if last is not None:
            self.broken = ""
        return last

    def _prove(self) -> int | None:
        """Commit what is there already, and give the number of the transaction before; None where writes were lost."""
        with self._environment.write() as (txn, rows):
            counters, last = rows.counters(), txn.id() - 1
            if _is_behind(counters, self._acknowledged):
                self.broken = "the store has lost writes that were acknowledged: restore it from a backup"
                return None
            rows.write_counters(counters)
            rows.accept()
            rows.apply()
            txn.commit()
        self._environment.revision.raise_to(counters.revision)
        return last

    def _reopen_for_reads(self) -> None:
        """Open the store once more: after a commit that failed at the meta page LMDB would refuse reads too."""
        with contextlib.suppress(StoreOpenError, StoreUnavailableError):
            self._environment.reopen()


def _is_behind(counters: Counters, acknowledged: Counters) -> bool:
    """Say whether counters, which only ever rise, stand lower than they did."""
    return (
        counters.revision < acknowledged.revision
        or counters.keys_revision < acknowledged.keys_revision
        or counters.sequence < acknowledged.sequence
        or counters.serving_ms < acknowledged.serving_ms
    )
