"""Tables of every size: their windows, each of their entries, and the digits that choose them."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tests.native import curve
from tests.native.c_machine import Machine, Unset
from tests.native.c_value import INT, UINT64, Type, Value
from tests.native.curve import D, L, P
from tests.native.probe import Probe, affine, extended, joined, split

N_BITS = 253
SMALLEST, WIDE, WIDEST = 32, 18, 16  # in windows
SIZES = range(WIDEST, SMALLEST + 1)

# What table.h says of the memory.
N_WINDOWS_PLACE = 4
HEADER_WORDS = 8 + 4 * SMALLEST // 2
ENTRY_WORDS = 12
PARTS = ("bit", "mask", "half", "first")

KEY = curve.add(curve.multiply(0x9E3779B97F4A7C15F39CC0605CEDC834, curve.B), curve.TORSION[1])
Z = P // 3  # any, to write points with


class Window(NamedTuple):
    """Where a window begins, and how many bits it has."""

    bit: int
    width: int

    @property
    def n_entries(self) -> int:
        """0, 1, ... up to the largest digit."""
        return (1 << (self.width - 1)) + 1


def windows(n_windows: int) -> list[Window]:
    """Cut the bits of a scalar as evenly as can be, the wider windows first."""
    widths = [N_BITS // n_windows + (place < N_BITS % n_windows) for place in range(n_windows)]
    return [Window(sum(widths[:place]), width) for place, width in enumerate(widths)]


class Table:
    """A table in memory, read word by word."""

    def __init__(self, address: int, n_windows: int) -> None:
        self.address = address
        self.windows = windows(n_windows)
        n_words = HEADER_WORDS + sum(window.n_entries for window in self.windows) * ENTRY_WORDS
        self.words = (ctypes.c_uint64 * n_words).from_address(address)

    def header(self, part: str) -> list[int]:
        """Read one of the four rows that describe the windows."""
        start = self.address + 64 + 4 * SMALLEST * PARTS.index(part)
        return list((ctypes.c_uint32 * SMALLEST).from_address(start))

    def entry(self, window: int, place: int) -> list[int]:
        """Read y + x, y - x and 2 d x y."""
        before = sum(one.n_entries for one in self.windows[:window])
        start = HEADER_WORDS + (before + place) * ENTRY_WORDS
        return [joined(self.words[at : at + 4]) for at in range(start, start + ENTRY_WORDS, 4)]


@contextmanager
def built(probe: Probe, n_windows: int, p: curve.Point) -> Iterator[Table]:
    """Build a table of a point, given with any Z."""
    address = probe.library.probe_table(n_windows, extended(p, Z))
    assert address, "no memory, or the table did not pass its check"
    try:
        yield Table(address, n_windows)
    finally:
        probe.library.probe_table_free(address)


def as_entry(p: curve.Point) -> list[int]:
    """Give what an entry holds."""
    x, y = p
    return [(y + x) % P, (y - x) % P, 2 * D * x * y % P]


@pytest.mark.parametrize("p", [curve.B, KEY], ids=["base", "key with torsion"])
def test_every_entry_of_a_small_table(probe: Probe, p: curve.Point) -> None:
    """Each entry holds its multiple, in canonical words."""
    with built(probe, SMALLEST, p) as table:
        base = p
        for place, window in enumerate(table.windows):
            multiple = curve.NEUTRAL
            for digit in range(window.n_entries):
                assert as_entry(multiple) == table.entry(place, digit)
                multiple, last = curve.add(multiple, base), multiple
            base = curve.add(last, last)
        assert curve.multiply(2**N_BITS, p) == base


@pytest.mark.parametrize("n_windows", [WIDEST, WIDE, 21, 25])
def test_entries_of_wider_tables(probe: Probe, n_windows: int, chance: random.Random) -> None:
    """The first and the last entries of each window, those at which runs end, and any others hold their multiples."""
    with built(probe, n_windows, KEY) as table:
        base = KEY
        for place, window in enumerate(table.windows):
            edges = {0, 1, 2, 127, 128, 129, 255, 256, window.n_entries - 2, window.n_entries - 1}
            for digit in sorted(edges | {chance.randrange(window.n_entries) for _ in range(3)}):
                assert as_entry(curve.multiply(digit, base)) == table.entry(place, digit)
            base = curve.multiply(2**window.width, base)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_every_entry_of_a_wide_table(probe: Probe) -> None:
    """Each of the 155,666 entries holds its multiple."""
    with built(probe, WIDE, KEY) as table:
        base = KEY
        for place, window in enumerate(table.windows):
            multiple = curve.NEUTRAL
            for digit in range(window.n_entries):
                assert as_entry(multiple) == table.entry(place, digit)
                multiple = curve.add(multiple, base)
            base = curve.multiply(2**window.width, base)


@pytest.mark.parametrize("n_windows", SIZES)
def test_a_table_tells_its_windows(probe: Probe, n_windows: int) -> None:
    """The header says where each window begins and what its digits are; beyond the last one it says nothing."""
    with built(probe, n_windows, curve.B) as table:
        rest = [0] * (SMALLEST - n_windows)
        halves = [2 ** (window.width - 1) for window in table.windows[:-1]] + [0]
        firsts = [sum(one.n_entries for one in table.windows[:place]) for place in range(n_windows)]

        assert n_windows == table.words[N_WINDOWS_PLACE]
        assert [window.bit for window in table.windows] + rest == table.header("bit")
        assert [2**window.width - 1 for window in table.windows] + rest == table.header("mask")
        assert halves + rest == table.header("half")
        assert firsts + rest == table.header("first")
        assert joined(table.words[:4]) == sum(
            half << window.bit for half, window in zip(halves, table.windows, strict=True)
        )


def scalars_at_edges(n_windows: int) -> list[int]:
    """List scalars below L at which the digits carry, and the largest ones."""
    bits = [window.bit for window in windows(n_windows)]
    near = [0, 2**252, L, *(2**bit for bit in bits), *(2**bit >> 1 for bit in bits)]
    near += [sum(2**bit >> 1 for bit in bits[1:]), sum(2**bit for bit in bits)]
    found = {at + step for at in near for step in (-2, -1, 0, 1, 2)}
    chance = random.Random(n_windows)  # noqa: S311 - the same cases each time
    return sorted(scalar for scalar in found if 0 <= scalar < L) + [chance.randrange(L) for _ in range(300)]


@pytest.mark.parametrize("n_windows", SIZES)
def test_digits_add_up_to_the_scalar(probe: Probe, n_windows: int) -> None:
    """Each digit has an entry, and all of them make the scalar."""
    with built(probe, n_windows, curve.B) as table:
        for scalar in scalars_at_edges(n_windows):
            digits = (ctypes.c_int32 * SMALLEST)()
            probe.library.probe_table_recode(digits, ctypes.c_void_p(table.address), split(scalar, 4))
            used = list(digits)[:n_windows]

            assert scalar == sum(digit << window.bit for digit, window in zip(used, table.windows, strict=True))
            assert all(abs(digit) < window.n_entries for digit, window in zip(used, table.windows, strict=True))
            assert used[-1] >= 0


@pytest.mark.parametrize("n_windows", [WIDE, SMALLEST])
def test_every_digit_of_a_window_is_added(probe: Probe, n_windows: int) -> None:
    """table_add adds the digit's multiple, whatever its sign, to any point."""
    with built(probe, n_windows, curve.B) as table:
        for place in (0, n_windows - 1):
            window = table.windows[place]
            base = curve.multiply(2**window.bit, curve.B)
            largest = window.n_entries - 1
            for digit in {*range(-130, 131), -largest, 1 - largest, largest - 1, largest}:
                if abs(digit) <= largest:
                    total = extended(KEY, Z)
                    probe.library.probe_table_add(
                        total, ctypes.c_void_p(table.address), ctypes.c_uint64(place), ctypes.c_int32(digit)
                    )

                    assert curve.add(KEY, curve.multiply(digit % L, base)) == affine(total)


# --- For any scalar ---

MACHINE = Machine("table.h")


@pytest.mark.parametrize("n_windows", SIZES)
def test_digits_of_any_scalar_have_entries(n_windows: int) -> None:
    """table_recode: below L every digit is within its window's entries, for every number of windows."""
    cut = windows(n_windows)
    halves = [2 ** (window.width - 1) for window in cut[:-1]] + [0]
    sum_of_halves = sum(half << window.bit for half, window in zip(halves, cut, strict=True))
    word32 = Type(32, signed=False)
    multiples = {
        "halves": [Value.exactly(UINT64, word) for word in split(sum_of_halves, 4)],
        "n_windows": Value.exactly(UINT64, n_windows),
        "bit": [Value.exactly(word32, window.bit) for window in cut],
        "mask": [Value.exactly(word32, 2**window.width - 1) for window in cut],
        "half": [Value.exactly(word32, half) for half in halves],
    }
    scalar = {"word": [Value.within(UINT64, min(L >> 64 * place, 2**64 - 1)) for place in range(4)]}
    digits = [Unset(INT) for _ in range(SMALLEST)]
    [(_, (digits, *_))] = MACHINE.run("table_recode", lambda: [digits, multiples, scalar])

    for digit, window in zip(digits, cut, strict=False):
        assert 1 - window.n_entries <= digit.low <= digit.high <= window.n_entries - 1
    assert digits[n_windows - 1].low >= 0
