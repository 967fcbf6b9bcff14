"""Wide tables in memory of the caller's: built, checked, held, used and given back."""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from sessiond._fastverify import (
    SMALL_TABLE_WINDOWS,
    WIDEST_TABLE_WINDOWS,
    KeyTable,
    base_windows,
    build_table,
    table_size,
    widen_base,
)
from tests.native.test_table import windows

KEY = SigningKey(b"a signing key for tests only ...")
PUBLIC_KEY = bytes(KEY.verify_key)
MESSAGE = b"a message"
GOOD = KEY.sign(MESSAGE).signature
BAD = GOOD[:32] + bytes([GOOD[32] ^ 1]) + GOOD[33:]
WIDER = 28


class Memory(mmap.mmap):
    """Memory that can be watched."""


def made(n_windows: int = WIDER, public_key: bytes | None = PUBLIC_KEY) -> Memory:
    """Build a table."""
    memory = Memory(-1, table_size(n_windows))
    build_table(memory, n_windows, public_key)
    return memory


@pytest.mark.parametrize("n_windows", range(WIDEST_TABLE_WINDOWS, SMALL_TABLE_WINDOWS + 1))
def test_sizes(n_windows: int) -> None:
    """A table takes its header of 576 bytes and 96 an entry, in whole cache lines."""
    entries = sum(window.n_entries for window in windows(n_windows))

    assert (576 + 96 * entries + 63) // 64 * 64 == table_size(n_windows)


@pytest.mark.parametrize("n_windows", [WIDEST_TABLE_WINDOWS - 1, SMALL_TABLE_WINDOWS + 1, 0, -1, 2**31, 2**64])
def test_sizes_that_there_are_not(n_windows: int) -> None:
    """The message names the limits."""
    with pytest.raises(ValueError, match=f"a table has 16 to 32 windows, not {n_windows}"):
        table_size(n_windows)
    with pytest.raises(ValueError, match="16 to 32"):
        build_table(bytearray(64), n_windows, PUBLIC_KEY)


def test_a_number_of_windows_is_a_whole_number() -> None:
    """Anything else is a TypeError."""
    not_an_int: Any = 21.0
    with pytest.raises(TypeError, match="windows must be an int, not float"):
        table_size(not_an_int)


def test_a_key_starts_with_its_small_table() -> None:
    """A key is usable at once, with a small table."""
    assert SMALL_TABLE_WINDOWS == KeyTable(PUBLIC_KEY).windows
    assert WIDEST_TABLE_WINDOWS <= base_windows() <= SMALL_TABLE_WINDOWS


@pytest.mark.parametrize("n_windows", [31, 25, 21, 18])
def test_a_widened_key_gives_the_same_answers(n_windows: int) -> None:
    """Good and bad signatures stay so, one by one and in batches, and the memory is told."""
    key = KeyTable(PUBLIC_KEY)
    small = key.memory_bytes
    key.widen(made(n_windows))

    assert n_windows == key.windows
    assert small + table_size(n_windows) == key.memory_bytes
    assert key.verify(MESSAGE, GOOD)
    assert not key.verify(MESSAGE, BAD)
    assert b"\1\0" * 20 == key.verify_batch([(MESSAGE, GOOD), (MESSAGE, BAD)] * 20)


def test_any_memory_that_lies_right_will_do() -> None:
    """Writable and read-only memory, of an mmap, a ctypes array or a part of another object."""
    table = made()
    room = bytearray(table_size(WIDER) + 64)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(room)) % 64
    part = memoryview(room)[start : start + table_size(WIDER)]
    part[:] = table
    for memory in (table, memoryview(table).toreadonly(), part, part.toreadonly(), part.cast("Q")):
        key = KeyTable(PUBLIC_KEY)
        key.widen(memory)
        assert WIDER == key.windows


def test_memory_that_lies_askew_is_refused() -> None:
    """A table begins at a multiple of 64; the message says what does."""
    room = memoryview(mmap.mmap(-1, table_size(WIDER) + 32))[32:]
    calls: list[Callable[[], None]] = [
        lambda: build_table(room, WIDER, PUBLIC_KEY),
        lambda: KeyTable(PUBLIC_KEY).widen(room),
        lambda: widen_base(room),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="must begin at a multiple of 64 bytes in memory, as an mmap does"):
            call()


def test_a_table_is_built_in_memory_that_can_be_written_and_has_its_size() -> None:
    """Read-only memory is a BufferError; another size names the right one."""
    with pytest.raises(BufferError):
        build_table(memoryview(mmap.mmap(-1, table_size(WIDER))).toreadonly(), WIDER, PUBLIC_KEY)
    for more in (-64, 64):
        with pytest.raises(ValueError, match=f"takes {table_size(WIDER)} bytes, not {table_size(WIDER) + more}"):
            build_table(mmap.mmap(-1, table_size(WIDER) + more), WIDER, PUBLIC_KEY)


def test_no_memory_is_a_type_error() -> None:
    """What has no bytes cannot be a table."""
    for nothing in (None, 5, "text"):
        no_table: Any = nothing
        with pytest.raises(TypeError):
            KeyTable(PUBLIC_KEY).widen(no_table)


def test_memory_with_gaps_is_refused() -> None:
    """Every second byte of something is no table, and is not taken for one."""
    gaps: Any = memoryview(mmap.mmap(-1, 2 * table_size(WIDER)))[::2]
    with pytest.raises(BufferError):
        KeyTable(PUBLIC_KEY).widen(gaps)


def test_bad_keys_have_no_table() -> None:
    """The faults of a key are those of KeyTable."""
    memory = mmap.mmap(-1, table_size(WIDER))
    with pytest.raises(ValueError, match="has 32 bytes, not 31"):
        build_table(memory, WIDER, PUBLIC_KEY[:31])
    with pytest.raises(ValueError, match="small order"):
        build_table(memory, WIDER, bytes([1]) + bytes(31))
    with pytest.raises(ValueError, match="not the canonical encoding"):
        build_table(memory, WIDER, b"\xff" * 32)
    with pytest.raises(TypeError, match="public_key must be bytes-like"):
        build_table(memory, WIDER, 5)  # type: ignore[arg-type] # not a key


def test_a_damaged_table_is_refused_and_not_held() -> None:
    """A flipped bit in an entry or in the header, a cut, and another key's table: the small table stays in use."""
    key = KeyTable(PUBLIC_KEY)
    before = key.memory_bytes
    size = table_size(WIDER)
    entry, header = made(), made()
    entry[size // 2] ^= 4
    header[64] ^= 1
    other = made(WIDER, bytes(SigningKey(b"another key for tests only .....").verify_key))
    cut = mmap.mmap(-1, size - 64)
    cut[:] = made()[: size - 64]
    empty = mmap.mmap(-1, size)
    cases: dict[str, list[mmap.mmap]] = {
        "damaged, or of another key": [entry, other, made(WIDER, None)],
        "its header": [header],
        f"no table has {size - 64} bytes": [cut],
        f"no table has {size} bytes": [empty],
    }
    for message, tables in cases.items():
        for table in tables:
            with pytest.raises(ValueError, match=message):
                key.widen(table)
            table.close()  # not held

    assert (SMALL_TABLE_WINDOWS, before) == (key.windows, key.memory_bytes)
    assert key.verify(MESSAGE, GOOD)


def test_a_table_that_is_no_wider_is_refused() -> None:
    """A table of as many windows, or of more, gains nothing."""
    key = KeyTable(PUBLIC_KEY)
    key.widen(made(28))
    for n_windows in (SMALL_TABLE_WINDOWS, 29, 28):
        with pytest.raises(ValueError, match="no wider than the one in use"):
            key.widen(made(n_windows))
    key.widen(made(27))

    assert 27 == key.windows


def test_a_table_in_use_cannot_be_closed() -> None:
    """The memory is held for as long as the key lives, also after a wider table took its place."""
    key = KeyTable(PUBLIC_KEY)
    first, second = made(28), made(27)
    key.widen(first)
    key.widen(second)
    for table in (first, second):
        with pytest.raises(BufferError):
            table.close()
    del key
    gc.collect()
    first.close()
    second.close()


def test_a_key_that_goes_gives_its_memory_back() -> None:
    """With the last key that uses it the table's memory is gone, from the process too."""
    table = made(21)
    watch = weakref.ref(table)
    key = KeyTable(PUBLIC_KEY)
    key.widen(table)
    del table
    gc.collect()
    assert watch() is not None
    del key
    gc.collect()

    assert watch() is None


def test_wide_tables_are_freed() -> None:
    """Keys come and go with wide tables without leaving their memory behind."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(3):
        KeyTable(PUBLIC_KEY).widen(made(25))
    before = resident()
    for _ in range(40):
        KeyTable(PUBLIC_KEY).widen(made(25))
    gc.collect()

    assert resident() - before < 10 * table_size(25)


BASE = """
import mmap
from sessiond._fastverify import KeyTable, base_windows, build_table, implementation, table_size, widen_base
public_key, message, good, bad = [bytes.fromhex(one) for one in {hexes!r}]
key = KeyTable(public_key)
wrong = mmap.mmap(-1, table_size(21)); build_table(wrong, 21, public_key)
try:
    widen_base(wrong)
except ValueError as error:
    assert "another key" in str(error)
for windows in (25, 21):
    memory = mmap.mmap(-1, table_size(windows)); build_table(memory, windows, None); widen_base(memory)
    assert base_windows() == windows
    assert key.verify(message, good) and not key.verify(message, bad)
    assert key.verify_batch([(message, good), (message, bad)] * 20) == bytes([1, 0]) * 20
try:
    memory.close()
except BufferError:
    print(implementation(), "held")
"""


@pytest.mark.parametrize("name", ["portable", None])
def test_the_base_point_can_be_widened(name: str | None) -> None:
    """In a process of its own, with each implementation: the answers stay, and the table stays for good."""
    script = BASE.format(hexes=[one.hex() for one in (PUBLIC_KEY, MESSAGE, GOOD, BAD)])
    environment = {**os.environ, **({"SESSIOND_FORCE_IMPL": name} if name else {})}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=100
    )

    assert ("", 0) == (done.stderr, done.returncode)
    assert done.stdout.endswith("held\n")
    assert name is None or done.stdout.startswith(name)
