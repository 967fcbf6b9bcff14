"""What ``lane_probe.c`` gives to the tests: eight lanes, with the processor's instructions or with emulated ones."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.native.c_source import CC, NATIVE
from tests.native.probe import N_LIMBS, Words

HERE = Path(__file__).parent
FLAGS = ["-std=c11", "-fno-tree-slp-vectorize", "-fvisibility=hidden", "-Wall", "-Wextra", "-fPIC", "-shared"]
# Unrolled and inlined as for the processor, the emulation would be more than a compiler can bear.
EMULATED = ["-O1", f"-I{HERE}", '-DSESSIOND_EMULATED_AVX512="emulated_avx512.h"']
REAL = ["-O3"]
FILES = ["table.c", "base64url.c", "base64url_avx512vbmi.c"]

N_LANES = 8

Rows = Sequence[Sequence[int]]


class LaneProbe:
    """The compiled functions, each with numbers in and numbers out: a number for every lane."""

    def __init__(self, folder: Path, name: str) -> None:
        """Compile into *folder*; *name* is ``emulated`` or ``real``."""
        self.name = name
        self.path = target = folder / f"{name}.so"
        flags = [*FLAGS, *(EMULATED if name == "emulated" else REAL), *os.environ.get("CFLAGS", "").split()]
        sources = [HERE / "lane_probe.c", *(NATIVE / name for name in FILES)]
        subprocess.run([CC, *flags, f"-I{NATIVE}", *sources, "-o", target], check=True)
        self.library = ctypes.CDLL(str(target))
        self.library.probe_runs_here.restype = ctypes.c_bool
        self.library.probe_mm512_test_epi8_mask.restype = ctypes.c_uint64
        self.library.probe_mm512_movepi8_mask.restype = ctypes.c_uint64
        self.library.probe_first.restype = ctypes.c_int64

    @property
    def runs_here(self) -> bool:
        """Whether the machine has the instructions."""
        return bool(self.library.probe_runs_here())

    def lanes(self, name: str, *operands: Sequence[int] | int) -> list[int]:
        """Call a function that leaves one number in each lane."""
        out = aligned([0] * N_LANES)
        arguments = [one if isinstance(one, int) else aligned(one) for one in operands]
        getattr(self.library, f"probe{name}")(out, *arguments)
        return list(out)

    def mask(self, name: str, *operands: Sequence[int]) -> int:
        """Call a function that returns a mask."""
        return int(getattr(self.library, f"probe{name}")(*(aligned(one) for one in operands)))

    def field(self, name: str, *operands: Rows) -> list[list[int]]:
        """Call an operation on field elements, given and returned as the limbs of each lane."""
        out = aligned([0] * N_LANES * N_LIMBS)
        getattr(self.library, f"probe_field8_{name}")(out, *(across(one) for one in operands))
        return along(out)


def aligned(values: Sequence[int]) -> Words:
    """Lay 64-bit integers out as C does lanes: from a multiple of 64 bytes on."""
    room = bytearray(8 * len(values) + 64)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(room)) % 64
    made = (ctypes.c_uint64 * len(values)).from_buffer(room, start)
    made[:] = list(values)
    return made


def across(rows: Rows) -> Words:
    """Lay eight rows out as lanes: the first number of every row, then the second ..."""
    return aligned([row[place] for place in range(len(rows[0])) for row in rows])


def along(laid_out: Words) -> list[list[int]]:
    """Read lanes back into eight rows."""
    return [laid_out[lane::N_LANES] for lane in range(N_LANES)]
