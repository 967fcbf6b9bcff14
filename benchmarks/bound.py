"""
The bound of the algorithm on this processor: what a signature takes if nothing but its instructions takes time.

The implementation for AVX-512 IFMA does nearly all of its work on eight lanes of 64 bits. Its own C is compiled once
more, with each instruction on lanes replaced by one that does the same and is counted, and verifies signatures. So the
counts are those of the code, whatever becomes of it; no processor of the kind is needed for them.

From the counts follows a time. A processor does a certain number of 52-bit multiplications in a cycle, and a certain
number of instructions on lanes of any kind. Both rates are measured in rounds with everything else
(``instruction_rate.c``). A signature cannot take less than its multiplications at the one rate, nor less than all its
instructions at the other. What does not count: loads and stores, which have ports of their own, and what is not done
on lanes, such as the inversion that a batch shares, since it can be done meanwhile.
"""

from __future__ import annotations

import ctypes
import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.native import NATIVE, Item, compile_library, new_key, start
from sessiond._fastverify import SMALL_TABLE_WINDOWS

EMULATED = ROOT / "tests" / "native" / "emulated_avx512.h"
RATES = Path(__file__).with_name("instruction_rate.c")

IMPLEMENTATION = "avx512ifma"
BLOCK_LEN = 128  # of SHA-512

# Intrinsics that are no instruction on lanes: memory, names for parts of registers, constants made once.
_NOT_COUNTED = re.compile(r"(loadu|storeu|cast|setzero|set1|set4|setr)")

_COUNTING = """
#include <stdint.h>
extern uint64_t counted[2];
#include "{emulated}"
{macros}
"""
_MACRO = "#define {name}(...) (counted[{kind}]++, {name}(__VA_ARGS__))"


@dataclass(frozen=True)
class Counts:
    """Instructions on lanes: multiplications of 52 bits, and all others."""

    ifma: float
    other: float

    @property
    def all(self) -> float:
        """The sum of both."""
        return self.ifma + self.other

    def __sub__(self, less: Counts) -> Counts:
        return Counts(self.ifma - less.ifma, self.other - less.other)

    def __add__(self, more: Counts) -> Counts:
        return Counts(self.ifma + more.ifma, self.other + more.other)

    def __mul__(self, factor: float) -> Counts:
        return Counts(self.ifma * factor, self.other * factor)


@dataclass(frozen=True)
class Derivation:
    """What a signature of a batch is made of, under tables of *n_windows*."""

    n_windows: int
    n_blocks: int
    addition: Counts
    block: Counts
    rest: Counts

    @property
    def n_additions(self) -> int:
        """One less than the entries of both tables that are summed."""
        return 2 * self.n_windows - 1

    @property
    def total(self) -> Counts:
        """What a signature takes."""
        return self.addition * self.n_additions + self.block * self.n_blocks + self.rest


class CountedCode:
    """The implementation, compiled so that its instructions are counted."""

    def __init__(self, folder: Path) -> None:
        """
        Compile into *folder*.

        Raises:
            NoCompilerError: There is none.

        """
        names = {name for path in NATIVE.glob("*.[ch]") for name in re.findall(r"\b_mm\d*_\w+", path.read_text())}
        macros = [
            _MACRO.format(name=name, kind=0 if "_madd52" in name else 1)
            for name in sorted(names)
            if not _NOT_COUNTED.search(name)
        ]
        header = folder / "counting.h"
        header.write_text(_COUNTING.format(emulated=EMULATED, macros="\n".join(macros)))
        counters = folder / "counters.c"
        counters.write_text("#include <stdint.h>\nuint64_t counted[2];\n")
        flags = ["-O0", f"-I{NATIVE}", f'-DSESSIOND_EMULATED_AVX512="{header}"']
        self._library = compile_library(folder / "counted.so", flags, [counters, *sorted(NATIVE.glob("*.c"))])
        self._counted = (ctypes.c_uint64 * 2).in_dll(self._library, "counted")
        text = (NATIVE / f"ed25519_{IMPLEMENTATION}.c").read_text()
        [pass_len] = re.findall(r"^#define PASS_LEN (\d+)$", text, re.MULTILINE)
        self._n_items = int(pass_len)

    def signature(self, public_key: bytes, message: bytes, signature: bytes, n_windows: int) -> Counts:
        """
        Count the instructions of a signature of a full pass, tables of both points of *n_windows*.

        Raises:
            ValueError: The signature is not good, so it does not count; or the implementation is not there.

        """
        start(self._library, IMPLEMENTATION, n_windows)
        made = new_key(self._library, public_key, n_windows)
        if made is None:
            message_of_fault = "the public key is refused"
            raise ValueError(message_of_fault)
        key, _table = made
        n_items = self._n_items
        items = (Item * n_items)(*[Item(key, message, len(message), signature)] * n_items)
        good = ctypes.create_string_buffer(n_items)
        self._counted[:] = [0, 0]
        self._library.ed25519_verify_batch(items, ctypes.c_size_t(n_items), good)
        ifma, other = self._counted
        self._library.ed25519_key_free(ctypes.c_void_p(key))
        if good.raw != b"\1" * n_items:
            message_of_fault = "a signature that is counted must be good"
            raise ValueError(message_of_fault)
        return Counts(ifma / n_items, other / n_items)


def derive_counts(
    code: CountedCode, public_key: bytes, signed: Sequence[tuple[bytes, bytes]], n_windows: int
) -> Derivation:
    """
    Take apart what a signature is made of: one more addition, or one more block, costs what it adds to the count.

    *signed* has two messages with their signatures: the first is what is asked about, the second is a block longer.
    The counts are taken with the smallest tables, which are made in no time; the rest is the same for all.
    """
    (message, signature), (longer, of_longer) = signed
    smallest = code.signature(public_key, message, signature, SMALL_TABLE_WINDOWS)
    block = code.signature(public_key, longer, of_longer, SMALL_TABLE_WINDOWS) - smallest
    addition = (smallest - code.signature(public_key, message, signature, SMALL_TABLE_WINDOWS - 1)) * 0.5
    n_blocks = (2 * 32 + len(message) + 1 + 16 + BLOCK_LEN - 1) // BLOCK_LEN  # R, A, M, a mark, the length
    rest = smallest - (addition * (2 * SMALL_TABLE_WINDOWS - 1) + block * n_blocks)
    return Derivation(n_windows, n_blocks, addition, block, rest)


def summarize_bound(derivation: Derivation, rounds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """
    Put the counts and the measured rates together.

    *rounds* has, for ``clock``, ``ifma`` and ``vector``, the nanoseconds that a token's number of instructions of the
    kind took in each round; those of the clock are as many as all instructions. The fastest round counts, as what
    slows a processor down belongs to no bound.
    """
    counts = derivation.total
    fastest = {kind: min(figures) for kind, figures in rounds.items()}
    cycle = fastest["clock"] / counts.all
    return {
        "derivation": dataclasses.asdict(derivation),
        "n_additions": derivation.n_additions,
        "total": dataclasses.asdict(counts),
        "gigahertz": 1 / cycle,
        "per_cycle": {"ifma": counts.ifma * cycle / fastest["ifma"], "all": counts.all * cycle / fastest["vector"]},
        "nanoseconds_of_multiplications": fastest["ifma"],
        "nanoseconds_of_all": fastest["vector"],
        "nanoseconds": max(fastest["ifma"], fastest["vector"]),
    }


class Rates:
    """The measured rates of this processor: each function carries out as many instructions as it is told to."""

    def __init__(self, folder: Path) -> None:
        """
        Compile into *folder*. Only a processor with AVX-512 IFMA may run it.

        Raises:
            NoCompilerError: There is none.

        """
        self._library = compile_library(folder / "rate.so", ["-O2"], [RATES])

    def run(self, kind: str, n_instructions: int) -> None:
        """Carry out instructions of a *kind*: ``clock`` (additions one after another), ``ifma`` or ``vector``."""
        getattr(self._library, f"rate_{kind}")(ctypes.c_uint64(n_instructions))
