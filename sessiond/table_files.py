"""
Wide tables as files of a directory, mapped by every process that verifies under the same keys.

Rule 1: a file is whole when it has its name, and is never written after that: it is made without a name, then linked.
    Of processes that make the same one at once the first wins, and the others map what it made.
Rule 2: a file is what its owner says, so it must be ours, and nobody else may write it. What is in it is for whoever
    maps it to check.
Rule 3: to remove a file is always safe: whoever has mapped it keeps it.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
import secrets
import stat
import time
from collections.abc import Collection, Iterator
from pathlib import Path

# A table, or what is to become one where files need a name; the suffix stands for the layout of table.h.
_NAME = re.compile(r"[0-9a-z]+-[0-9]+\.table(\.[0-9a-f]{16})?")
# What a file system, or a system, says that does not know O_TMPFILE.
_NO_UNNAMED_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
_OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH


class TableFileError(Exception):
    """A file cannot be a table of ours; the message says which one and why."""


class TableFiles:
    """
    The files of one directory, which the first file makes. Holds nothing open between calls.

    Every method but :meth:`path` raises OSError when the directory cannot be used: it must be ours, and writable by
    nobody else.
    """

    def __init__(self, directory: Path) -> None:
        """Use *directory*; its parent is there."""
        self._directory = directory

    def path(self, name: str) -> Path:
        """Say where a file is."""
        return self._directory / name

    def mapped(self, name: str, size: int) -> mmap.mmap | None:
        """
        Map a file of *size* bytes for reading, or give None where there is none.

        Raises:
            TableFileError: It is not a file of that size, not ours, or others can write it.
            OSError: It cannot be read.

        """
        with contextlib.ExitStack() as stack:
            try:
                directory = stack.enter_context(self._opened())
                # A link is not followed, and a pipe not waited for.
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno == errno.ELOOP:
                    message = f"{self.path(name)} is a symbolic link"
                    raise TableFileError(message) from None
                raise
            try:
                self._check(name, os.fstat(file), size)
                return mmap.mmap(file, size, access=mmap.ACCESS_READ)
            finally:
                os.close(file)

    def add(self, name: str, table: memoryview) -> None:
        """
        Write a table to a file, unless another process has made it meanwhile.

        Where the file system has files without a name, a process that is killed here leaves nothing.

        Raises:
            OSError: The disk is full, or fails, or has no hard links. Nothing of it is left.

        """
        with contextlib.suppress(FileExistsError):
            self._directory.mkdir(mode=0o700)
        with self._opened() as directory, _begun(directory, name) as (file, link):
            written = 0
            while written < len(table):
                written += os.write(file, table[written:])
            os.fsync(file)
            with contextlib.suppress(FileExistsError):
                os.link(link, name, src_dir_fd=directory, dst_dir_fd=directory)

    def remove(self, name: str) -> None:
        """
        Remove a file; one that is gone already is no error.

        Raises:
            OSError: It cannot be removed.

        """
        with contextlib.suppress(FileNotFoundError), self._opened() as directory:
            os.unlink(name, dir_fd=directory)

    def remove_others(self, names: Collection[str], older_than_seconds: float) -> None:
        """
        Remove every table that is not one of *names*, and what a process that died left of one.

        Files younger than that stay: another process may know of a newer key, or be writing just then.

        Raises:
            OSError: A file cannot be removed.

        """
        with contextlib.suppress(FileNotFoundError), self._opened() as directory:
            for name in os.listdir(directory):  # noqa: PTH208 - of what is open, not of a path
                if name in names or _NAME.fullmatch(name) is None:
                    continue
                with contextlib.suppress(FileNotFoundError):  # by another process that cleans up
                    age = time.time() - os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime
                    if age > older_than_seconds:
                        os.unlink(name, dir_fd=directory)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the directory, so that nothing that is put in its place is ever used."""
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            status = os.fstat(directory)
            if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_CAN_WRITE:
                message = "must belong to the user of this process, with write permission for nobody else"
                raise PermissionError(errno.EPERM, message, str(self._directory))
            yield directory
        finally:
            os.close(directory)

    def _check(self, name: str, status: os.stat_result, size: int) -> None:
        if not stat.S_ISREG(status.st_mode):
            fault = "is not a file"
        elif status.st_uid != os.geteuid():
            fault = f"belongs to user {status.st_uid}"
        elif status.st_mode & _OTHERS_CAN_WRITE:
            fault = "can be written by other users"
        elif status.st_size != size:
            fault = f"has {status.st_size} bytes, not {size}"
        else:
            return
        message = f"{self.path(name)} {fault}"
        raise TableFileError(message)


@contextlib.contextmanager
def _begun(directory: int, name: str) -> Iterator[tuple[int, str]]:
    """Open a file to write, and give the path that links it; at the end that path is gone."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    try:
        file = os.open(".", flags | os.O_TMPFILE, 0o400, dir_fd=directory)
        link, temporary = f"/proc/self/fd/{file}", None
    except OSError as error:
        if error.errno not in _NO_UNNAMED_FILES:
            raise
        link = temporary = f"{name}.{secrets.token_hex(8)}"
        file = os.open(temporary, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400, dir_fd=directory)
    try:
        yield file, link
    finally:
        os.close(file)
        if temporary is not None:
            os.unlink(temporary, dir_fd=directory)
