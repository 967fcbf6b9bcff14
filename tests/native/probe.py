"""What ``probe.c`` gives to the tests: the arithmetic of ``native/`` on numbers in limbs and words."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.native.c_source import CC, NATIVE
from tests.native.curve import P, Point

HERE = Path(__file__).parent
# As in setup.py: the code under test is the code that is shipped.
FLAGS = ["-std=c11", "-O3", "-fno-tree-slp-vectorize", "-fvisibility=hidden", "-Wall", "-Wextra", "-fPIC", "-shared"]

WORD = 2**64
N_LIMBS = 5

Words = ctypes.Array[ctypes.c_uint64]


def words(values: Sequence[int]) -> Words:
    """Lay 64-bit integers out as C does."""
    return (ctypes.c_uint64 * len(values))(*values)


def split(value: int, n_words: int) -> Words:
    """Cut a number into words, the least significant first."""
    return words([value >> 64 * place & WORD - 1 for place in range(n_words)])


def joined(parts: Sequence[int], bits: int = 64) -> int:
    """Put words, or limbs, or signed digits, together."""
    return sum(part << bits * place for place, part in enumerate(parts))


def value(limbs: Sequence[int]) -> int:
    """Read a field element."""
    return joined(limbs, 51) % P


def element(number: int) -> list[int]:
    """Write a field element in canonical limbs."""
    return [number % P >> 51 * place & 2**51 - 1 for place in range(N_LIMBS)]


class Probe:
    """The compiled functions, each with numbers in and numbers out."""

    def __init__(self, folder: Path) -> None:
        """Compile into *folder*."""
        target = folder / "probe.so"
        sources = [HERE / "probe.c", NATIVE / "table.c", NATIVE / "base64url.c", NATIVE / "payload.c"]
        flags = [*FLAGS, *os.environ.get("CFLAGS", "").split()]  # test_sanitizers.py adds its own
        subprocess.run([CC, *flags, f"-I{NATIVE}", *sources, "-o", target], check=True)
        self.library = ctypes.CDLL(str(target))
        for name in ("point_decode", "scalar_from_bytes", "payload_read"):
            getattr(self.library, f"probe_{name}").restype = ctypes.c_bool
        self.library.probe_table.restype = ctypes.c_void_p
        self.library.probe_table_len.restype = ctypes.c_size_t
        self.library.probe_table_check.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
        self.library.probe_table_free.argtypes = [ctypes.c_void_p]

    def field(self, name: str, *operands: Sequence[int]) -> list[int]:
        """Call an operation on field elements in limbs; the result is in limbs."""
        out = (ctypes.c_uint64 * N_LIMBS)()
        getattr(self.library, f"probe_field_{name}")(out, *(words(one) for one in operands))
        return list(out)

    def negated_if(self, limbs: Sequence[int], *, negative: bool) -> list[int]:
        """Call field_negate_if."""
        out = words(limbs)
        self.library.probe_field_negate_if(out, ctypes.c_uint64(negative))
        return list(out)

    def to_words(self, limbs: Sequence[int]) -> int:
        """Call field_to_words; the result is the number of the words."""
        out = (ctypes.c_uint64 * 4)()
        self.library.probe_field_to_words(out, words(limbs))
        return joined(list(out))

    def point(self, name: str, *points: Words) -> Words:
        """Call an operation on points."""
        out = (ctypes.c_uint64 * (4 * N_LIMBS))()
        getattr(self.library, f"probe_point_{name}")(out, *points)
        return out

    def decoded(self, encoding: bytes) -> Words | None:
        """Call point_decode; None when it refuses."""
        out = (ctypes.c_uint64 * (4 * N_LIMBS))()
        return out if self.library.probe_point_decode(out, encoding) else None


def extended(p: Point, z: int = 1) -> Words:
    """Write a point as X, Y, Z, T with the Z given."""
    x, y = p
    return words([*element(x * z), *element(y * z), *element(z), *element(x * y * z)])


def affine(p: Words) -> Point:
    """Read a point; X Y must be Z T."""
    x, y, z, t = (value(p[place : place + N_LIMBS]) for place in range(0, 4 * N_LIMBS, N_LIMBS))
    assert x * y % P == z * t % P
    inverse = pow(z, -1, P)
    return x * inverse % P, y * inverse % P
