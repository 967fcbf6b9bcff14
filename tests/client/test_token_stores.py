"""Token stores: what is written survives, one holder changes it at a time, and nobody else can read it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sessiond.client import (
    FileTokenStore,
    MemoryTokenStore,
    Refreshed,
    RefreshOutcome,
    Tokens,
    TokenStore,
    TokenStoreError,
)

TOKENS = Tokens(
    refresh_token="sdr_first",
    access_token="eyJfirst",
    session_id="0199f3a2-7c1e-7abc-8def-0123456789ab",
    generation=1,
    refresh_token_expires_at=1_900_000_000,
    access_token_expires_at=1_800_000_300,
    refresh_after=1_800_000_240,
    server_ms=1_800_000_000_000,
    received_ms=1_800_000_000_500,
    revision=1 << 48,
)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    """Give an empty store of each kind."""
    return MemoryTokenStore(lock_seconds=0.2) if request.param == "memory" else FileTokenStore(tmp_path / "tokens")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a place for a file."""
    return tmp_path / "tokens"


def test_store_gives_what_was_written(store: TokenStore) -> None:
    """A store starts empty, gives the tokens that were written last, and forgets them when told to."""
    newer = Refreshed(**{**asdict(TOKENS), "generation": 2}, outcome=RefreshOutcome.ROTATED)
    before = store.read()
    with store.locked():
        store.write(TOKENS)
        first = store.read()
        store.write(newer)
        second = store.read()
        store.clear()
        after = store.read()

    assert before is None
    assert TOKENS == first
    assert second is not None
    assert replace(TOKENS, generation=2) == Tokens(**{name: getattr(second, name) for name in asdict(TOKENS)})
    assert after is None


def test_secret_is_made_once_and_outlives_the_tokens(store: TokenStore) -> None:
    """The secret has 32 bytes, and stays what it is whatever happens to the tokens."""
    with store.locked():
        secret = store.secret()
        store.write(TOKENS)
        store.clear()
        again = store.secret()

    assert 32 == len(secret)
    assert secret == again


def test_stores_do_not_share_a_secret(tmp_path: Path) -> None:
    """Each installation has a secret of its own."""
    stores: list[TokenStore] = [FileTokenStore(tmp_path / "a"), FileTokenStore(tmp_path / "b"), MemoryTokenStore()]

    assert 3 == len({store.secret() for store in stores})


def test_lock_is_held_by_one_thread_at_a_time(store: TokenStore) -> None:
    """Of many threads that count up under the lock, none loses a step."""
    with store.locked():
        store.write(replace(TOKENS, generation=0))

    def count_up() -> None:
        for _ in range(20):
            with store.locked():
                tokens = store.read()
                assert tokens is not None
                store.write(replace(tokens, generation=tokens.generation + 1))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = store.read()

    assert counted is not None
    assert 80 == counted.generation


def test_lock_that_is_not_let_go_is_an_error(tmp_path: Path) -> None:
    """Whoever waits for a holder that hangs is told so after a time, and the tokens are as they were."""
    memory, file = MemoryTokenStore(lock_seconds=0.1), FileTokenStore(tmp_path / "tokens", lock_seconds=0.1)
    for held, waiting in (
        (memory, memory),
        (file, file),
        (FileTokenStore(tmp_path / "tokens"), FileTokenStore(tmp_path / "tokens", lock_seconds=0.1)),
    ):
        with held.locked(), pytest.raises(TokenStoreError, match="does not let go"), waiting.locked():
            pass
        with waiting.locked():
            assert waiting.read() is None


@contextmanager
def holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lock of a file store, until its standard input ends or it is killed."""
    program = (
        "import sys; from sessiond.client import FileTokenStore\n"
        f"with FileTokenStore({str(path)!r}).locked(): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "held\n" == process.stdout.readline()
        yield process


def test_lock_is_let_go_though_a_child_was_forked(path: Path) -> None:
    """Whoever has a copy of the lock's descriptor, as a child that was forked meanwhile has, does not keep the lock."""
    with FileTokenStore(path).locked():
        lock = (path.parent / f"{path.name}.lock").stat()
        copies = [os.dup(number) for number in descriptors() if os.path.samestat(os.fstat(number), lock)]
    try:
        assert 1 == len(copies)
        with FileTokenStore(path, lock_seconds=0.1).locked():
            pass
    finally:
        for copy in copies:
            os.close(copy)


def descriptors() -> list[int]:
    """Name the open files of this process."""
    with os.scandir("/proc/self/fd") as entries:
        found = [int(entry.name) for entry in entries]
    return [number for number in found if Path(f"/proc/self/fd/{number}").exists()]


def test_lock_holds_between_processes(path: Path) -> None:
    """A process that holds the lock keeps others out, also while it is killed without a word; then it is free."""
    with holding(path) as process:
        with pytest.raises(TokenStoreError), FileTokenStore(path, lock_seconds=0.1).locked():
            pass
        process.kill()
        process.wait()
        with FileTokenStore(path).locked():
            pass


def test_file_is_for_its_owner_alone(path: Path) -> None:
    """Whatever the umask, the file and its lock can be read by nobody else."""
    before = os.umask(0)
    try:
        store = FileTokenStore(path)
        with store.locked():
            store.write(TOKENS)
    finally:
        os.umask(before)

    assert {0o600} == {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert {"tokens", "tokens.lock"} == {one.name for one in path.parent.iterdir()}


def test_file_lives_on_in_another_store(path: Path) -> None:
    """A program that starts again finds tokens and secret."""
    first = FileTokenStore(path)
    with first.locked():
        secret = first.secret()
        first.write(TOKENS)
    second = FileTokenStore(str(path))

    assert (secret, TOKENS) == (second.secret(), second.read())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        '{"format": 2, "secret": null, "tokens": null}',
        '{"format": 1, "tokens": null}',
        '{"format": 1, "secret": "xyz", "tokens": null}',
        '{"format": 1, "secret": null, "tokens": {"refresh_token": "sdr_"}}',
        '{"format": 1, "secret": null, "tokens": {"another": 1}}',
    ],
)
def test_damaged_file_is_named_and_left_alone(path: Path, text: str) -> None:
    """What is no token store of this release is an error that names the file, and is never overwritten."""
    path.write_text(text)
    store = FileTokenStore(path)
    with store.locked():
        for use in (store.read, store.secret, store.clear, lambda: store.write(TOKENS)):
            with pytest.raises(TokenStoreError, match=str(path)):
                use()

    assert text == path.read_text()


def test_failed_write_leaves_the_tokens_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails while the tokens are written leaves the ones before, and no litter."""
    store = FileTokenStore(path)
    with store.locked():
        store.write(TOKENS)

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with store.locked(), pytest.raises(OSError, match="No space"):
            store.write(replace(TOKENS, generation=2))

    assert TOKENS == store.read()
    assert {"tokens", "tokens.lock"} == {one.name for one in path.parent.iterdir()}


def test_file_and_directory_are_on_the_disk_before_write_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is flushed before it takes the place of the old one, the directory after."""
    store = FileTokenStore(path)
    seen: list[tuple[bool, int | None]] = []
    flush = os.fsync

    def watch(descriptor: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        content = json.loads(path.read_text()) if path.exists() else {"tokens": None}
        seen.append((is_directory, (content["tokens"] or {}).get("generation")))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    with store.locked():
        store.write(TOKENS)

    assert [(False, None), (True, 1)] == seen
