"""
Wide tables for the keys of a verifier, made in the background and shared by the processes of a machine.

A key verifies at once with its small table, and faster once its wide one is there; its answers are the same. So
whatever goes wrong here is reported and costs speed or memory, never an answer. One thing cannot be reported: a file
of a table that its owner or root cuts short in place, instead of removing it, kills with SIGBUS every process that has
it mapped, as with the files of LMDB.
"""

from __future__ import annotations

import contextlib
import mmap
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from sessiond._fastverify import (
    SMALL_TABLE_WINDOWS,
    WIDEST_TABLE_WINDOWS,
    KeyTable,
    base_windows,
    build_table,
    table_size,
    widen_base,
)
from sessiond.table_files import TableFileError, TableFiles

__all__ = [
    "DEFAULT_KEY_TABLE_BYTES",
    "MAX_KEY_TABLE_BYTES",
    "KeyTable",
    "WideTables",
    "base_memory_bytes",
    "base_windows",
    "windows_for",
]

DEFAULT_KEY_TABLE_BYTES = 5_000_000
"""21 windows. The base point and the two keys of an authority then fit the cache that the cores of a server share."""

MAX_KEY_TABLE_BYTES = 46_000_000
"""16 windows, the fewest that there are: more bytes make nothing faster."""

_STALE_SECONDS = 3600
_CLOSE_SECONDS = 1.0
_BASE = "base"


def windows_for(key_table_bytes: int) -> int:
    """
    Give the fewest windows whose table takes at most so many bytes together with the small one that a key keeps.

    SMALL_TABLE_WINDOWS where there is none: then a key has its small table and no other, which may be more bytes.
    """
    left = key_table_bytes - table_size(SMALL_TABLE_WINDOWS)
    sizes = range(WIDEST_TABLE_WINDOWS, SMALL_TABLE_WINDOWS)
    return next((windows for windows in sizes if table_size(windows) <= left), SMALL_TABLE_WINDOWS)


def base_memory_bytes() -> int:
    """Say what the tables of the base point take, which all keys share."""
    windows = base_windows()
    wide = table_size(windows) if windows < SMALL_TABLE_WINDOWS else 0
    return table_size(SMALL_TABLE_WINDOWS) + wide


class WideTables:
    """
    Widens the tables of keys, one after another, in a thread of its own.

    In a directory the tables are files, and the processes that use it share the
    memory; one directory is for processes with the same keys. Without one, or
    where it cannot be used, a table is in memory of this process alone. A key
    that is no longer used gives its table back by itself. Safe to use from any
    thread; made after a fork, not before, for the thread is none of the child's.

    Attributes:
        windows: How many windows a key's table will have.

    """

    def __init__(self, key_table_bytes: int, directory: Path | None, report: Callable[[str], None]) -> None:
        """
        Let each key have a table as wide as *key_table_bytes* allow.

        Args:
            key_table_bytes: The bound for the tables of a key, see :func:`windows_for`, and for those of the base
                point, which all keys share.
            directory: Where the files are; it is made when it is needed, its parent is there. None: no files.
            report: Is called with what went wrong, where, and what comes of it; in the thread of the work, or by
                :meth:`widen` where there is none. What it raises goes to :func:`threading.excepthook`.

        """
        self.windows = windows_for(key_table_bytes)
        self._files = None if directory is None else TableFiles(directory)
        self._report = report
        self._changed = threading.Condition()
        self._queue: deque[KeyTable | None] = deque()  # None is the base point; the first is being worked on
        self._names: frozenset[str] = frozenset()
        self._cleaning = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def widen(self, tables: Iterable[KeyTable]) -> None:
        """
        Widen the tables of all keys that are in use by now, and return at once.

        Keys that are wide or wait for it are left alone. Files of other keys
        that are older than an hour are removed first. Where no thread can be
        started that is reported, and the next call begins again.
        """
        wanted = list(tables)
        fault = None
        with self._changed:
            if self._closed:
                return
            self._names = frozenset(self._name(table) for table in [None, *wanted])
            self._cleaning = self._files is not None
            waiting = {id(table) for table in self._queue}
            for table in [None, *wanted]:
                if id(table) not in waiting and not self._is_wide(table):
                    self._queue.append(table)
                    waiting.add(id(table))
            if self._thread is None and (self._queue or self._cleaning):
                fault = self._start()
            self._changed.notify_all()
        if fault is not None:
            self._tell(f"tables stay small until the keys change: {fault}: raise the limit of threads")

    def wait(self) -> None:
        """Wait until there is nothing left to do, or :meth:`close` is called."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not (self._queue or self._cleaning))

    def close(self) -> None:
        """
        Finish the table that is being made, leave the others small, and end the thread. Wide ones stay in use.

        Waits a second at most, for a disk may be stuck: the thread keeps no process alive, and what it then leaves
        undone is a file that any process makes again.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _start(self) -> Exception | None:
        """Start the thread; where the system has none left, drop what there is to do and give its error."""
        thread = threading.Thread(target=self._run, name="sessiond-tables", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            self._queue.clear()
            self._cleaning = False
            return error
        self._thread = thread
        return None

    def _run(self) -> None:
        try:
            self._work()
        finally:
            with self._changed:
                self._closed = True  # whatever ended it: nobody waits for a thread that is gone
                self._queue.clear()
                self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._queue or self._cleaning)
                if self._closed:
                    return
                names, cleaning = self._names, self._cleaning  # first, for it makes room
            if cleaning:
                self._remove_stale(names)
            else:
                self._widen_first()
            with self._changed:
                if cleaning:
                    self._cleaning = self._names != names
                else:
                    self._queue.popleft()
                self._changed.notify_all()

    def _widen_first(self) -> None:
        """Widen the table that waits longest. Nothing of it is kept here: its key may go at any time."""
        table = self._queue[0]
        try:
            if self._files is None:
                self._use(table, self._built(table))
            else:
                self._widen_by_file(self._files, table)
        except (OSError, MemoryError, RuntimeError, ValueError) as error:
            if not self._is_wide(table):  # else somebody else was faster
                self._tell(
                    f"{self._name(table)} was not made: {str(error) or 'no memory'}: its small table stays in use"
                )

    def _widen_by_file(self, files: TableFiles, table: KeyTable | None) -> None:
        """Widen from the file of a table, which is made where there is none; where no file can be used, from memory."""
        memory = None
        try:
            if self._use_file(files, table):
                return
            memory = self._built(table)
            files.add(self._name(table), memoryview(memory))
            if self._use_file(files, table):
                return
        except OSError as error:
            self._tell(
                f"{files.path(self._name(table))} cannot be used: {error.strerror}: this process makes the table in "
                "memory of its own; make room, or the directory writable, and start again"
            )
        self._use(table, self._built(table) if memory is None else memory)

    def _use_file(self, files: TableFiles, table: KeyTable | None) -> bool:
        """Widen from a file; False where there is none, or a bad one, which is removed."""
        name = self._name(table)
        try:
            mapped = files.mapped(name, table_size(self.windows))
            if mapped is None:
                return False
            self._use(table, mapped)
        except (TableFileError, ValueError) as error:
            if self._is_wide(table):
                return True
            where = "" if isinstance(error, TableFileError) else f"{files.path(name)}: "
            self._tell(f"{where}{error}: it is removed; if that comes again, see who writes there, and test the disk")
            files.remove(name)
            return False
        return True

    def _remove_stale(self, names: frozenset[str]) -> None:
        if self._files is not None:
            try:
                self._files.remove_others(names, _STALE_SECONDS)
            except OSError as error:
                self._tell(f"{self._files.path('')}: old tables stay: {error}")

    def _tell(self, message: str) -> None:
        """Report; a report that fails is no reason to leave keys small."""
        try:
            self._report(message)
        except Exception:  # noqa: BLE001 - whatever the caller's function raises
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))

    def _built(self, table: KeyTable | None) -> mmap.mmap:
        """Make a table in memory; MemoryError where there is none, for an OSError is one of a file here."""
        try:
            memory = mmap.mmap(-1, table_size(self.windows), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise MemoryError(error.strerror) from error
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # refused, it is only slower
                memory.madvise(mmap.MADV_HUGEPAGE)
        build_table(memory, self.windows, None if table is None else table.public_key)
        return memory

    def _is_wide(self, table: KeyTable | None) -> bool:
        return (base_windows() if table is None else table.windows) <= self.windows

    def _name(self, table: KeyTable | None) -> str:
        return f"{_BASE if table is None else table.public_key.hex()}-{self.windows}.table"

    @staticmethod
    def _use(table: KeyTable | None, memory: mmap.mmap) -> None:
        if table is None:
            widen_base(memory)
        else:
            table.widen(memory)
