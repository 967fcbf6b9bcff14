"""
The revision of a store as one word of memory that its processes share, so that to look at it costs one memory read.

Rule 1: it is never above what is durable, and never below what a write of any process has returned with. A process
raises it to what it reads when it opens the store or shows a session, and after each commit to what it wrote, before
anybody gets an answer.
Rule 2: processes that have the store open at once share one file. Each holds a lock on the directory. One that finds
nobody else there makes the file anew, whatever there was; one that does not, and misses the file, is refused.
Rule 3: the file holds nothing that must be kept: the store has it too.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import stat
import time
from pathlib import Path

from sessiond._fastverify import SharedRevision
from sessiond.errors import StoreUnavailableError

FILE = "revision"

_UNFINISHED = "revision.unfinished"
_SIZE = 8
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.01
_IN_USE = "while another process has the store open: stop every process that has, then start again"


class RevisionFileError(Exception):
    """The revision cannot be shared; the message is for the operator and says what to do."""


class RevisionFile:
    """
    The word of one data directory. Safe to use from any thread.

    Who cuts the file short kills with SIGBUS whoever has it mapped, as with the files of LMDB.
    """

    def __init__(self, directory: Path) -> None:
        """
        Map the word of *directory*, in which the store lies; the word may be behind until the caller raises it.

        Waits for a process that makes the file just then.

        Raises:
            RevisionFileError: It cannot be made or mapped.

        """
        path = directory / FILE
        self._closed = False
        with contextlib.ExitStack() as undo:
            try:
                self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                undo.callback(os.close, self._directory)
                self._word = SharedRevision(_join(path, self._directory))
            except OSError as error:
                message = f"{path}: cannot be used: {error.strerror}: make room on the disk, and the directory writable"
                raise RevisionFileError(message) from None
            undo.pop_all()

    def load(self) -> int:
        """
        Read the revision.

        Raises:
            StoreUnavailableError: It is closed.

        """
        revision = self._word.load()
        # Read first: while this is not closed, nobody can have begun another file.
        if self._closed:
            message = "the store is closed"
            raise StoreUnavailableError(message)
        return revision

    def raise_to(self, revision: int) -> None:
        """Let every process know of *revision*, which is durable."""
        self._word.raise_to(revision)

    def close(self) -> None:
        """Give up the lock; whoever reads afterwards is refused."""
        if not self._closed:
            self._closed = True
            os.close(self._directory)


def _join(path: Path, directory: int) -> mmap.mmap:
    """Take part in the file of those who have the store open; alone, make it."""
    attempts = 0
    while True:
        _make_if_alone(directory)
        # From here on nobody makes another file; what another has made since is found below.
        fcntl.flock(directory, fcntl.LOCK_SH)
        try:
            return _mapped(path, directory)
        except RevisionFileError:
            attempts += 1
            if attempts == _ATTEMPTS:
                raise
        # Whoever held the lock may have died while it made the file, and others may have waited as this one did: only
        # where the lock is held on and on has somebody the store open.
        fcntl.flock(directory, fcntl.LOCK_UN)
        time.sleep(_PAUSE_SECONDS)


def _make_if_alone(directory: int) -> None:
    """Make the file anew where nobody else has the store open, and keep others out meanwhile."""
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    for name in (FILE, _UNFINISHED):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
    file = os.open(_UNFINISHED, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory)
    with os.fdopen(file, "wb") as stream:
        stream.write(bytes(_SIZE))
        stream.flush()
        # Else a disk that is full by then would be found at the first write to the memory, by SIGBUS.
        os.fsync(file)
    # Last: whoever finds the file under its name may use it, whatever became of its maker.
    os.rename(_UNFINISHED, FILE, src_dir_fd=directory, dst_dir_fd=directory)


def _mapped(path: Path, directory: int) -> mmap.mmap:
    try:
        # A link is not followed, and a pipe not waited for.
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(FILE, flags, dir_fd=directory)
    except FileNotFoundError:
        message = f"{path}: was removed {_IN_USE}"
        raise RevisionFileError(message) from None
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size != _SIZE:
            message = f"{path}: was damaged {_IN_USE}"
            raise RevisionFileError(message)
        return mmap.mmap(file, _SIZE)
    finally:
        os.close(file)
