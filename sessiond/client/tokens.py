"""
Where a client keeps the tokens of its session.

Rule 1: one session has one store, whatever the number of threads, tabs or processes that share it.
Rule 2: the store also keeps the secret of this installation, from which retry keys are derived.
Rule 3: ``write`` returns once the tokens would survive a power cut: a token that was used and then forgotten looks
    stolen when its predecessor is presented again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import tempfile
import threading
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sessiond.client.results import Tokens
from sessiond.client.retry import SECRET_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

LOCK_SECONDS = 30.0
"""How long a store waits for another holder of its lock: longer than a refresh with all its repetitions."""

_POLL_SECONDS = 0.01
_FORMAT = 1


class TokenStoreError(Exception):
    """The token store cannot be used; the message names the place and says what to do."""


class TokenStore(Protocol):
    """
    Keeps one pair of tokens and the secret of this installation.

    Implementations are safe to use from any thread.
    """

    def locked(self) -> AbstractContextManager[None]:
        """
        Hold the store, so that nobody else who shares it changes it meanwhile; not reentrant.

        Raises:
            TokenStoreError: Another holder did not let go in time.

        """
        ...

    def secret(self) -> bytes:
        """Give the secret of this installation, 32 bytes, made at the first call. Call it inside :meth:`locked`."""
        ...

    def read(self) -> Tokens | None:
        """Give the tokens, None where there are none."""
        ...

    def write(self, tokens: Tokens) -> None:
        """Put *tokens* in place of what is there, durably. Call it inside :meth:`locked`."""
        ...

    def clear(self) -> None:
        """Forget the tokens and keep the secret. Call it inside :meth:`locked`."""
        ...


class MemoryTokenStore:
    """Keeps tokens for the life of the process: for tests, and for sessions that may end with the process."""

    def __init__(self, *, lock_seconds: float = LOCK_SECONDS) -> None:
        """Start with no tokens; wait *lock_seconds* at most for another thread."""
        self._lock_seconds = lock_seconds
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(SECRET_SIZE)
        self._tokens: Tokens | None = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the store against other threads."""
        with _held(self._lock, "the token store in memory", time.monotonic() + self._lock_seconds):
            yield

    def secret(self) -> bytes:
        """Give the secret of this store."""
        return self._secret

    def read(self) -> Tokens | None:
        """Give the tokens."""
        return self._tokens

    def write(self, tokens: Tokens) -> None:
        """Replace the tokens."""
        self._tokens = tokens

    def clear(self) -> None:
        """Forget the tokens."""
        self._tokens = None


class FileTokenStore:
    """
    Keeps tokens in one file that only its owner can read.

    The file is replaced as a whole, so a reader sees the old tokens or the
    next ones. Threads and processes of one machine lock each other out
    through ``PATH.lock``; do not put the file where several machines write it.
    """

    def __init__(self, path: Path | str, *, lock_seconds: float = LOCK_SECONDS) -> None:
        """Keep tokens in *path*, in a directory that exists; wait *lock_seconds* at most for another holder."""
        self._path = Path(path)
        self._lock_path = self._path.with_name(f"{self._path.name}.lock")
        self._lock_seconds = lock_seconds
        self._threads = threading.Lock()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file against other threads and processes."""
        deadline = time.monotonic() + self._lock_seconds
        with _held(self._threads, str(self._path), deadline), self._lock_file(deadline):
            yield

    def secret(self) -> bytes:
        """Give the secret of this file."""
        content = self._read()
        if content.secret is None:
            content = _Content(secrets.token_bytes(SECRET_SIZE), content.tokens)
            self._replace(content)
        return content.secret or b""

    def read(self) -> Tokens | None:
        """
        Read the tokens.

        Raises:
            TokenStoreError: The file is damaged or of a later release.
            OSError: It cannot be read.

        """
        return self._read().tokens

    def write(self, tokens: Tokens) -> None:
        """Replace the tokens, on the disk and in the directory when this returns."""
        self._replace(_Content(self._read().secret, tokens))

    def clear(self) -> None:
        """Forget the tokens."""
        self._replace(_Content(self._read().secret, None))

    def _read(self) -> _Content:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return _Content(None, None)
        try:
            return _parse(text)
        except (ValueError, TypeError, KeyError):
            message = f"{self._path}: not a token store of this release: move it away and log in again"
            raise TokenStoreError(message) from None

    def _replace(self, content: _Content) -> None:
        """Write to a temporary file of mode 0600, and put it in place once it is on the disk."""
        descriptor, temporary = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(_text(content))
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(self._path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @contextlib.contextmanager
    def _lock_file(self, deadline: float) -> Iterator[None]:
        """Hold ``PATH.lock``, which is never removed: a removed one would be held by two."""
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _takes(descriptor):
                if time.monotonic() >= deadline:
                    raise _busy(str(self._lock_path), "another process")
                time.sleep(_POLL_SECONDS)
            yield
        finally:
            # A child that was forked meanwhile has the descriptor too, and closing this one would not let go.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


class _Content(NamedTuple):
    """What stands in the file."""

    secret: bytes | None
    tokens: Tokens | None


def _parse(text: str) -> _Content:
    kept = json.loads(text)
    if kept["format"] != _FORMAT:
        raise ValueError
    secret = None if kept["secret"] is None else bytes.fromhex(kept["secret"])
    return _Content(secret, None if kept["tokens"] is None else Tokens(**kept["tokens"]))


def _text(content: _Content) -> str:
    tokens = None if content.tokens is None else {one.name: getattr(content.tokens, one.name) for one in fields(Tokens)}
    secret = None if content.secret is None else content.secret.hex()
    return json.dumps({"format": _FORMAT, "secret": secret, "tokens": tokens}) + "\n"


@contextlib.contextmanager
def _held(lock: threading.Lock, name: str, deadline: float) -> Iterator[None]:
    if not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
        raise _busy(name, "another thread")
    try:
        yield
    finally:
        lock.release()


def _takes(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _busy(name: str, holder: str) -> TokenStoreError:
    return TokenStoreError(f"{name}: {holder} does not let go of it; the tokens are as they were")
