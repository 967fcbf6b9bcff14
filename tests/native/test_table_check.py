"""The check of a table accepts the table of its point, and nothing that differs from it in any bit."""

from __future__ import annotations

import ctypes
import mmap
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from tests.native import curve
from tests.native.c_source import CC, NATIVE
from tests.native.curve import P
from tests.native.implementation import FILES
from tests.native.probe import Probe, Words, extended, joined, split
from tests.native.test_table import HEADER_WORDS, KEY, SMALLEST, WIDEST, Table, Z, as_entry, built, windows

GOOD, WRONG_LEN, WRONG_LAYOUT, WRONG_ENTRY = range(4)
START_MISCALCULATED, KEY_MISCALCULATED = 3, 4
N_WINDOWS = 31  # windows of 8 and of 9 bits, and bytes to spare behind the last entry


class Given(Table):
    """The table of KEY, to be spoiled."""

    def __init__(self, probe: Probe, address: int, n_windows: int) -> None:
        super().__init__(address, n_windows)
        self._probe = probe
        self.length = int(probe.library.probe_table_len(n_windows))
        self.bytes = (ctypes.c_uint8 * self.length).from_address(address)
        self.entries_end = 8 * len(self.words)

    def checked(self, length: int | None = None, p: Words | None = None) -> int:
        """Check it, as the table of KEY unless it is said otherwise."""
        point = extended(KEY, Z) if p is None else p
        result: int = self._probe.library.probe_table_check(
            self.address, self.length if length is None else length, ctypes.addressof(point)
        )
        return result

    def write(self, window: int, digit: int, parts: list[int]) -> None:
        """Write an entry."""
        before = sum(one.n_entries for one in self.windows[:window]) + digit
        for place, part in enumerate(parts):
            start = HEADER_WORDS + 12 * before + 4 * place
            self.words[start : start + 4] = list(split(part, 4))


@pytest.fixture(scope="module")
def shared(probe: Probe) -> Iterator[Given]:
    """Build a table, once."""
    with built(probe, N_WINDOWS, KEY) as table:
        yield Given(probe, table.address, N_WINDOWS)


@pytest.fixture
def given(shared: Given) -> Iterator[Given]:
    """Give the table, and mend it at the end."""
    before = bytes(shared.bytes)
    yield shared
    ctypes.memmove(shared.address, before, len(before))


@pytest.mark.parametrize("n_windows", [WIDEST, 18, 21, 30, SMALLEST])
def test_tables_of_every_size_are_good(probe: Probe, n_windows: int) -> None:
    """What the builder makes passes the check."""
    with built(probe, n_windows, KEY) as table:
        assert GOOD == Given(probe, table.address, n_windows).checked()


@pytest.mark.parametrize("p", [curve.B, curve.TORSION[1], curve.NEUTRAL], ids=["base", "torsion", "neutral"])
@pytest.mark.parametrize("n_windows", [21, SMALLEST])
def test_tables_of_any_point_are_good(probe: Probe, n_windows: int, p: curve.Point) -> None:
    """The check has no exceptions: points whose multiples repeat, and the neutral one, pass too."""
    with built(probe, n_windows, p) as table:
        made = Given(probe, table.address, n_windows)

        assert GOOD == made.checked(p=extended(p, Z))


def test_any_flipped_bit_is_found(given: Given, chance: random.Random) -> None:
    """One bit, in the header, in any window, in the first, the last or any entry, in the bytes behind them."""
    places = {*range(8 * HEADER_WORDS), *range(given.entries_end - 96, given.length)}
    places |= {chance.randrange(given.length) for _ in range(2000)}
    for place in sorted(places):
        bit = 1 << chance.randrange(8)
        given.bytes[place] ^= bit
        assert GOOD != given.checked(), place
        given.bytes[place] ^= bit

    assert GOOD == given.checked()
    assert given.length > given.entries_end


def test_every_bit_of_an_entry_counts(given: Given) -> None:
    """All 768 bits of entries 0, 1 and 2, of the last entry, and of entry 1 of the next window."""
    last = given.windows[0].n_entries - 1
    for digit in (0, 1, 2, last, last + 2):
        start = 8 * HEADER_WORDS + 96 * digit
        for bit in range(768):
            given.bytes[start + bit // 8] ^= 1 << bit % 8
            assert WRONG_ENTRY == given.checked(), (digit, bit)
            given.bytes[start + bit // 8] ^= 1 << bit % 8


def test_points_that_are_other_points_are_found(given: Given) -> None:
    """Points of the curve that are wrong by a sign, by a torsion point, by one multiple, or swapped, are refused."""
    window, digit = 5, 77
    base = curve.multiply(2 ** given.windows[window].bit, KEY)
    right = curve.multiply(digit, base)
    wrong = [
        (-right[0] % P, right[1]),
        *(curve.add(right, torsion) for torsion in curve.TORSION[1:]),
        curve.add(right, base),
        curve.multiply(digit, curve.B),
        curve.NEUTRAL,
    ]
    for other in wrong:
        given.write(window, digit, as_entry(other))
        assert WRONG_ENTRY == given.checked()
    given.write(window, digit, as_entry(right))

    assert GOOD == given.checked()


def test_a_window_of_another_base_is_found(given: Given) -> None:
    """A window that is right in itself is refused where its base is not the double of the entry before."""
    for window in (0, 7, N_WINDOWS - 1):
        before = bytes(given.bytes)
        base = curve.add(curve.multiply(2 ** given.windows[window].bit, KEY), curve.TORSION[4])
        multiple = curve.NEUTRAL
        for digit in range(given.windows[window].n_entries):
            given.write(window, digit, as_entry(multiple))
            multiple = curve.add(multiple, base)
        assert WRONG_ENTRY == given.checked()
        ctypes.memmove(given.address, before, len(before))


def test_values_have_one_spelling(given: Given) -> None:
    """A value that is p or more is refused, though it means the same: whichever part of whichever entry it is."""
    for window, digit in ((0, 0), (0, 1), (3, 0), (3, 1)):
        entry = given.entry(window, digit)
        for place in range(3):
            for more in (P, 1 << 255):
                spelt = [part + more * (at == place) for at, part in enumerate(entry)]
                if spelt[place] < 1 << 256:
                    given.write(window, digit, spelt)
                    assert WRONG_ENTRY == given.checked(), (window, digit, place)
        given.write(window, digit, entry)

    small = next(
        (window, digit, place)
        for window, one in enumerate(given.windows)
        for digit in range(one.n_entries)
        for place, part in enumerate(given.entry(window, digit))
        if digit and part < 1 << 244
    )
    window, digit, place = small
    spelt = given.entry(window, digit)
    spelt[place] += P
    given.write(window, digit, spelt)

    assert WRONG_ENTRY == given.checked()


def test_the_table_of_another_point_is_found(given: Given) -> None:
    """The table of a point is not that of its double, of its negative, or of another key."""
    for other in (curve.add(KEY, KEY), (-KEY[0] % P, KEY[1]), curve.add(KEY, curve.TORSION[1]), curve.B):
        assert WRONG_ENTRY == given.checked(p=extended(other))


def test_lengths_that_no_table_has(given: Given) -> None:
    """The length is that of the windows which the header tells; too short for a header is no table at all."""
    for length in (0, 1, 32, 8 * HEADER_WORDS - 1, given.length - 1, given.length + 1):
        assert WRONG_LEN == given.checked(length)
    for n_windows in (0, 1, 15, 33, N_WINDOWS - 1, SMALLEST, 2**32 + N_WINDOWS, 2**64 - 1):
        given.words[4] = n_windows
        assert WRONG_LEN == given.checked(), n_windows


def test_windows_that_lie_elsewhere(given: Given) -> None:
    """Every word of the header that says where windows lie is compared, those of windows that are not there too."""
    for place in [place for place in range(HEADER_WORDS) if place != 4]:
        before = given.words[place]
        given.words[place] = before + 1
        assert WRONG_LAYOUT == given.checked(), place
        given.words[place] = before


@pytest.mark.parametrize("n_windows", [*range(WIDEST, SMALLEST + 1)])
def test_lengths_of_tables(probe: Probe, n_windows: int) -> None:
    """A table has its header, its entries, and less than a cache line more."""
    length = probe.library.probe_table_len(n_windows)
    end = 8 * HEADER_WORDS + 96 * sum(window.n_entries for window in windows(n_windows))

    assert 0 == length % 64
    assert end <= length < end + 64


def test_a_wrong_table_is_a_fault_and_is_never_served(tmp_path: Path) -> None:
    """Where a table is built wrongly, here by a planted fault, there is no start, no key and no table."""
    native = shutil.copytree(NATIVE, tmp_path / "native")
    source = native / "table.c"
    right, wrong = "field_mul(&t, &t, &GROUP_2D);", "field_mul(&t, &t, &GROUP_D);"
    assert 1 == source.read_text().count(right)
    source.write_text(source.read_text().replace(right, wrong))
    sources = [native / name for name in FILES]
    subprocess.run([CC, "-std=c11", "-O1", "-fPIC", "-shared", *sources, "-o", tmp_path / "wrong.so"], check=True)
    library = ctypes.CDLL(str(tmp_path / "wrong.so"))
    key, public_key = ctypes.c_void_p(), bytes(SigningKey(bytes(32)).verify_key)
    room = mmap.mmap(-1, library.table_len(SMALLEST))

    assert START_MISCALCULATED == library.implementation_start(None)
    assert KEY_MISCALCULATED == library.ed25519_key_new(ctypes.byref(key), public_key)
    assert KEY_MISCALCULATED == library.ed25519_table_build(
        ctypes.byref(ctypes.c_char.from_buffer(room)), SMALLEST, public_key
    )
    assert key.value is None


def test_the_law_that_is_checked_fits_the_sum_alone(chance: random.Random) -> None:
    """For points a1 + b1 and a2 + b2 the two equations of table.c have one solution, the sum: by exact integers."""
    for _ in range(20):
        first = curve.add(curve.multiply(chance.randrange(curve.L), curve.B), chance.choice(curve.TORSION))
        second = curve.add(curve.multiply(chance.randrange(curve.L), curve.B), chance.choice(curve.TORSION))
        (a1, b1, c1), (a2, b2, c2) = as_entry(first), as_entry(second)
        t = c1 * c2 * pow(4 * curve.D, -1, P) % P
        inverse = pow(1 - t * t, -1, P)
        a = (a1 * a2 + t * b1 * b2) * inverse % P
        b = (b1 * b2 + t * a1 * a2) * inverse % P

        assert as_entry(curve.add(first, second)) == [a, b, curve.D * pow(2, -1, P) * (a + b) * (a - b) % P]
        assert a == joined(list(split(a, 4)))
