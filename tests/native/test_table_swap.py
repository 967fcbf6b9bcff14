"""Threads that verify see good tables and nothing else while wider ones are swapped in."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from sessiond._fastverify import KeyTable, implementations
from tests.native.c_source import CC, NATIVE
from tests.native.implementation import FILES
from tests.native.test_sanitizers import compiler_file
from tests.native.test_table_buffers import BAD, GOOD, KEY, MESSAGE, PUBLIC_KEY, made

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the race for ThreadSanitizer."""
    if compiler_file("libtsan.so") is None:
        pytest.skip("the compiler has no ThreadSanitizer")
    target = tmp_path_factory.mktemp("race") / "swap_race"
    sources = [HERE / "swap_race.c", *(NATIVE / name for name in FILES)]
    flags = ["-std=gnu11", "-O1", "-g", "-fsanitize=thread", "-pthread", f"-I{NATIVE}"]
    subprocess.run([CC, *flags, *sources, "-o", target], check=True)
    return target


@pytest.mark.parametrize("name", implementations())
def test_swaps_are_no_race(race: Path, name: str) -> None:
    """ThreadSanitizer finds nothing while readers verify under a key and a base point that are widened six times."""
    told = (PUBLIC_KEY + SigningKey(bytes(KEY)).sign(b"").signature).hex()
    # test_sanitizers.py preloads another sanitizer.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run([race, name, told], env=environment, capture_output=True, text=True, check=False)

    assert ("0 wrong, windows 26 and 26\n", "", 0) == (done.stdout, done.stderr, done.returncode)


def test_readers_go_on_through_a_swap() -> None:
    """Threads that verify all along give every good and every bad signature its answer, before, during and after."""
    key = KeyTable(PUBLIC_KEY)
    tables = [made(n_windows) for n_windows in (31, 28, 25, 22)]
    items, expected = [(MESSAGE, GOOD), (MESSAGE, BAD)] * 10, b"\1\0" * 10
    seen: list[set[int]] = [set(), set()]
    wrong: list[bytes] = []
    done = threading.Event()
    moved = [threading.Event(), threading.Event()]

    def verify(place: int) -> None:
        while not done.is_set():
            seen[place].add(key.windows)
            answers = key.verify_batch(items) + bytes([key.verify(MESSAGE, GOOD), key.verify(MESSAGE, BAD)])
            if answers != expected + b"\1\0":
                wrong.append(answers)
            moved[place].set()

    readers = [threading.Thread(target=verify, args=(place,)) for place in range(2)]
    for reader in readers:
        reader.start()
    for table in tables:
        key.widen(table)
        for one in moved:
            one.clear()
        for one in moved:
            one.wait()
    done.set()
    for reader in readers:
        reader.join()

    assert [] == wrong
    assert all(len(windows) > 1 for windows in seen)


def test_of_many_that_widen_at_once_each_wins_or_is_told() -> None:
    """Threads that give the same key tables at once: the widest is in use at the end, and who came late is told."""
    key = KeyTable(PUBLIC_KEY)
    tables = {n_windows: made(n_windows) for n_windows in (31, 30, 29, 28, 27, 26)}
    refused: list[str] = []
    together = threading.Barrier(len(tables))

    def widen(n_windows: int) -> None:
        together.wait()
        try:
            key.widen(tables[n_windows])
        except ValueError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=widen, args=(n_windows,)) for n_windows in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 26 == key.windows
    assert {"the table is no wider than the one in use"} >= set(refused)
    assert key.verify(MESSAGE, GOOD)
