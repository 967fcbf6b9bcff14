"""The revocation index under its callers: without memory, and with readers and a writer at once."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessiond.errors import Cause
from tests.native.c_source import CC, NATIVE

PROBE = Path(__file__).parent / "revocations_probe.c"
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-pthread", f"-I{NATIVE}"]
SCOPE = b"a scope."
SUBJECT = 0  # of revocations_scope


def compiled(target: Path, *flags: str) -> Path:
    """Compile the probe."""
    subprocess.run([CC, *FLAGS, *flags, PROBE, "-o", target], check=True)
    return target


class Spared(ctypes.Structure):
    """The session that a cut spares."""

    _fields_ = (("session_id", ctypes.c_char_p), ("keep_until", ctypes.c_int64))


class Index:
    """An index whose memory can run out."""

    def __init__(self, folder: Path) -> None:
        flags = os.environ.get("CFLAGS", "").split()  # test_sanitizers.py adds its own
        self.library = ctypes.CDLL(str(compiled(folder / "probe.so", "-O1", "-fPIC", "-shared", *flags)))
        for name in ("revocations_end_session", "revocations_cut"):
            getattr(self.library, name).restype = ctypes.c_bool
        self.library.revocations_new.restype = ctypes.c_void_p
        for name in ("revocations_count", "revocations_memory_len"):
            getattr(self.library, name).restype = ctypes.c_size_t
        self.index = ctypes.c_void_p(self.library.revocations_new())

    def out_of_memory(self, *, out: bool) -> None:
        self.library.probe_set_memory_is_out(ctypes.c_bool(out))

    def end_session(self, number: int, keep_until: int = 1000) -> bool:
        session_id = number.to_bytes(16, "big")
        return bool(self.library.revocations_end_session(self.index, session_id, 8, ctypes.c_int64(keep_until)))

    def cut_subject(self, revision: int, spared: int | None = None) -> bool:
        keep_until = ctypes.c_int64(1000)
        named = None if spared is None else ctypes.byref(Spared(spared.to_bytes(16, "big"), 1000))
        cut = self.library.revocations_cut
        return bool(cut(self.index, SUBJECT, SCOPE, ctypes.c_uint64(revision), keep_until, named))

    def expire(self, now: int) -> None:
        self.library.revocations_expire(self.index, ctypes.c_int64(now))

    def cause_of(self, number: int, born: int = 9) -> int:
        return int(self.library.probe_judge(self.index, number.to_bytes(16, "big"), SCOPE, ctypes.c_uint64(born)))

    @property
    def count(self) -> int:
        return int(self.library.revocations_count(self.index))

    @property
    def memory_len(self) -> int:
        return int(self.library.revocations_memory_len(self.index))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Make an index, and free it."""
    made = Index(tmp_path)
    yield made
    made.library.revocations_free(made.index)


def test_entry_without_memory_is_refused_and_nothing_is_lost(index: Index) -> None:
    """Where a table cannot grow, the entry is refused, what is known stays, and what is known can still change."""
    for n_ended in range(100):
        index.out_of_memory(out=True)
        before = index.count, index.memory_len
        has_room = index.end_session(n_ended)
        assert [Cause.REVOKED] * n_ended == [index.cause_of(number) for number in range(n_ended)]
        assert (Cause.REVOKED if has_room else 0) == index.cause_of(n_ended)
        assert before == (index.count - has_room, index.memory_len)
        assert all(index.end_session(number, 2000) for number in range(n_ended))
        index.out_of_memory(out=False)
        assert index.end_session(n_ended)
    index.expire(1000)
    assert 99 == index.count  # all but the last were told again, and a refused growth forgot none of it


def test_cut_without_memory_is_refused(index: Index) -> None:
    """A cut that has no room is refused, and a larger one of a scope that is known needs none."""
    index.out_of_memory(out=True)
    assert not index.cut_subject(10)
    assert (0, 0) == (index.count, index.cause_of(1))
    index.out_of_memory(out=False)
    assert index.cut_subject(9)
    index.out_of_memory(out=True)
    assert 0 == index.cause_of(1)
    assert index.cut_subject(10)
    assert Cause.SUBJECT_REVOKED == index.cause_of(1)


def test_cut_and_what_it_spares_are_known_together_or_not_at_all(index: Index) -> None:
    """Where there is room for a cut alone neither is known; with room for both, for the next one too, both are."""
    assert index.cut_subject(5)
    index.out_of_memory(out=True)
    assert not index.cut_subject(9, spared=1)
    assert (1, [0, 0]) == (index.count, [index.cause_of(number, born=5) for number in (1, 2)])
    index.out_of_memory(out=False)
    assert index.cut_subject(9, spared=1)
    assert (2, [0, Cause.SUBJECT_REVOKED]) == (index.count, [index.cause_of(number, born=5) for number in (1, 2)])
    index.out_of_memory(out=True)
    assert index.cut_subject(10, spared=1)
    assert (2, [0, Cause.SUBJECT_REVOKED]) == (index.count, [index.cause_of(number, born=9) for number in (1, 2)])


def test_expiry_needs_no_memory(index: Index) -> None:
    """Without memory to move to, what is over is forgotten all the same; the memory comes back the next time."""
    for number in range(100):
        index.end_session(number, 10 if number % 10 else 20)
    large = index.memory_len
    index.out_of_memory(out=True)
    index.expire(10)
    assert (10, large) == (index.count, index.memory_len)
    assert [0 if number % 10 else Cause.REVOKED for number in range(100)] == [index.cause_of(n) for n in range(100)]
    index.out_of_memory(out=False)
    index.expire(10)
    assert 10 == index.count
    assert index.memory_len < large / 4


def test_index_without_memory_is_not_made(index: Index) -> None:
    """Where there is no memory for an index, there is none."""
    index.out_of_memory(out=True)
    assert index.library.revocations_new() is None


def test_no_reader_misses_what_was_written_and_no_access_races(tmp_path: Path) -> None:
    """While the index grows, shrinks and changes, readers miss nothing, and ThreadSanitizer sees no race."""
    found = subprocess.run([CC, "-print-file-name=libtsan.so"], capture_output=True, text=True, check=True).stdout
    if not Path(found.strip()).is_absolute():
        pytest.skip("the compiler has no ThreadSanitizer")
    probe = compiled(tmp_path / "race", "-O1", "-g", "-fsanitize=thread")
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run([probe], capture_output=True, text=True, check=False, env=environment)

    assert (0, "0 wrong, 300 known\n") == (done.returncode, done.stdout), done.stderr
