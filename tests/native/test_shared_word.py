"""The shared revision: one number in memory that processes share."""

from __future__ import annotations

import mmap
import multiprocessing
from pathlib import Path

import pytest

from sessiond._fastverify import SharedRevision

PROCESSES = 3
TURNS = 20_000
LARGEST = (1 << 64) - 1


def mapped(path: Path) -> mmap.mmap:
    """Map a file of 8 bytes, which is made where it is missing."""
    if not path.exists():
        path.write_bytes(bytes(8))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 8)


def test_the_greatest_number_stays() -> None:
    """A number rises to what it is raised to, up to 64 bits, and never falls."""
    shared = SharedRevision(mmap.mmap(-1, 8))
    seen = []
    for number in (0, 5, 4, 1 << 48, 6, LARGEST, 7):
        shared.raise_to(number)
        seen.append(shared.load())
    assert [0, 5, 5, 1 << 48, 1 << 48, LARGEST, LARGEST] == seen


def test_objects_over_one_file_share_it(tmp_path: Path) -> None:
    """What is raised through one mapping is read through another, and stays in the file."""
    first, second = (SharedRevision(mapped(tmp_path / "word")) for _ in range(2))
    first.raise_to(7)
    assert 7 == second.load()
    del first, second
    assert 7 == SharedRevision(mapped(tmp_path / "word")).load()


def raise_often(path: Path, first: int, start: object, found: multiprocessing.Queue[int]) -> None:
    """Raise the number TURNS times, always to one above what every process raises to before, and count what is lost."""
    shared = SharedRevision(mapped(path))
    start.wait(60)  # type: ignore[attr-defined]
    lost = 0
    for number in range(first, TURNS * PROCESSES + 1, PROCESSES):
        shared.raise_to(number)
        lost += shared.load() < number
    found.put(lost)


def test_processes_that_raise_at_once_lose_nothing(tmp_path: Path) -> None:
    """Of processes that raise one number at once each finds no less than what it raised to; the greatest is left."""
    mapped(tmp_path / "word").close()
    spawn = multiprocessing.get_context("spawn")
    start, found = spawn.Barrier(PROCESSES), spawn.Queue()
    running = [
        spawn.Process(target=raise_often, args=(tmp_path / "word", number, start, found))
        for number in range(1, PROCESSES + 1)
    ]
    for one in running:
        one.start()
    assert [0] * PROCESSES == [found.get(timeout=60) for _ in running]
    for one in running:
        one.join(60)
    assert TURNS * PROCESSES == SharedRevision(mapped(tmp_path / "word")).load()


@pytest.mark.parametrize(
    "memory",
    [bytearray(7), bytearray(9), memoryview(mmap.mmap(-1, 16))[4:12], bytearray()],
    ids=["short", "long", "not aligned", "empty"],
)
def test_memory_that_cannot_be_shared(memory: bytearray) -> None:
    """Memory of another size, or that no processor raises at once, is refused."""
    with pytest.raises(ValueError, match="8 bytes that begin at a multiple of 8 in memory"):
        SharedRevision(memory)


def test_memory_that_cannot_be_written() -> None:
    """Memory that can only be read is refused, and what is no memory."""
    with pytest.raises(BufferError):
        SharedRevision(bytes(8))
    with pytest.raises(TypeError):
        SharedRevision(8)  # type: ignore[arg-type]


@pytest.mark.parametrize(("number", "error"), [(-1, ValueError), (1 << 64, ValueError), (1.0, TypeError)])
def test_numbers_that_do_not_fit(number: int, error: type[Exception]) -> None:
    """A number that has no 64 bits without a sign is refused, and nothing changes."""
    shared = SharedRevision(mmap.mmap(-1, 8))
    with pytest.raises(error, match="revision must be"):
        shared.raise_to(number)
    assert 0 == shared.load()


def test_the_memory_is_held() -> None:
    """The memory cannot be unmapped for as long as the object lives, and can be afterwards."""
    memory = mmap.mmap(-1, 8)
    shared = SharedRevision(memory)
    with pytest.raises(BufferError):
        memory.close()
    del shared
    memory.close()
