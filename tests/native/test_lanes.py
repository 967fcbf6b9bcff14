"""The arithmetic in eight lanes against Python's integers, with limbs and words at the edges of their bounds."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

import pytest

from tests.native import curve
from tests.native.curve import D, P
from tests.native.lane_probe import N_LANES, LaneProbe, across, aligned, along
from tests.native.probe import N_LIMBS, Probe, affine, element, extended, joined, split, value
from tests.native.test_arithmetic import POINTS, edge_elements
from tests.native.test_table import ENTRY_WORDS, SIZES, SMALLEST, Table, as_entry, built, scalars_at_edges

# The bounds that test_lane_bounds.py proves.
FACTOR_MAX = 2**52 - 1
PRODUCT_MAX = 267 * FACTOR_MAX
CARRIED_MAX = 2**51 + 2**18
BIAS = 2**10 * (2**51 - 1)
SUBTRAHEND_MAX = 2**52 - 38

FACTOR_EDGES = [0, 1, 18, 19, 2**51 - 20, 2**51 - 19, 2**51 - 1, 2**51, 2**51 + 2**13, CARRIED_MAX, FACTOR_MAX]
PRODUCT_EDGES = [*FACTOR_EDGES, 2**52, 2**59, BIAS - 18 * 2**10 - 1, PRODUCT_MAX - 1, PRODUCT_MAX]
# Numbers at which a reduction turns: around multiples of p, in limbs that are canonical and in others.
TURNS = [
    *(element(near) for near in (0, 1, 18, 19, P - 1, 2**254)),
    *([2**51 - 19 + step, *[2**51 - 1] * 4] for step in range(-1, 19)),
    *([2**52 - 38 + step, *[2**52 - 2] * 4] for step in range(-1, 2)),
    [2**51 - 1, *[2**51 - 1] * 3, 2**51],
    [FACTOR_MAX] * N_LIMBS,
]

T = TypeVar("T")


FACTORS = edge_elements(FACTOR_EDGES, 60) + TURNS


def eights(cases: Sequence[tuple[T, ...]]) -> Iterator[list[list[T]]]:
    """Deal cases out to lanes: for each eight of them the eight first operands, the eight second ones ..."""
    for at in range(0, len(cases), N_LANES):
        eight = (list(cases[at : at + N_LANES]) * N_LANES)[:N_LANES]
        yield [[case[operand] for case in eight] for operand in range(len(eight[0]))]


def test_products_of_edges(lane_probe: LaneProbe) -> None:
    """Products of all pairs of factors at the edges are right modulo p and within the bound, each in its lane."""
    for a, b in eights(list(itertools.product(FACTORS, repeat=2))):
        product = lane_probe.field("mul", a, b)

        assert [value(x) * value(y) % P for x, y in zip(a, b, strict=True)] == [value(one) for one in product]
        assert max(map(max, product)) <= PRODUCT_MAX


def test_the_largest_product(lane_probe: LaneProbe) -> None:
    """Factors of the largest limbs give the largest sums of columns; they are exact, not only congruent."""
    largest = [FACTOR_MAX] * N_LIMBS
    low, high = FACTOR_MAX**2 % 2**52, FACTOR_MAX**2 >> 52
    columns = [(k + 1) * low + 2 * k * high for k in range(N_LIMBS)]
    beyond = [(4 - k) * low + 2 * (5 - k) * high for k in range(N_LIMBS)]
    expected = [column + 19 * rest for column, rest in zip(columns, beyond, strict=True)]

    assert [expected] * 8 == lane_probe.field("mul", [largest] * 8, [largest] * 8)


def test_sums_and_differences_of_edges(lane_probe: LaneProbe) -> None:
    """Sums and differences of edges are right modulo p, limb by limb without a borrow."""
    minuends, subtrahends = edge_elements([*PRODUCT_EDGES, 2 * PRODUCT_MAX], 30), edge_elements(PRODUCT_EDGES, 30)
    for a, b in eights(list(itertools.product(minuends, subtrahends))):
        pairs = list(zip(a, b, strict=True))
        difference = lane_probe.field("sub", a, b)

        assert [[x + y for x, y in zip(*pair, strict=True)] for pair in pairs] == lane_probe.field("add", a, b)
        assert [(value(x) - value(y)) % P for x, y in pairs] == [value(one) for one in difference]
        assert max(map(max, difference)) <= 2 * PRODUCT_MAX + BIAS


def test_carries_of_edges(lane_probe: LaneProbe) -> None:
    """Any limbs of 64 bits become carried ones of the same number modulo p."""
    edges = [*PRODUCT_EDGES, 2**51 * 19, 2**63 - 1, 2**63, 2**64 - 2**51, 2**64 - 2**51 - 1, 2**64 - 1]
    for (a,) in eights([(one,) for one in edge_elements(edges, 2000)]):
        carried = lane_probe.field("carry", a)

        assert [value(x) for x in a] == [value(one) for one in carried]
        assert max(map(max, carried)) <= CARRIED_MAX


def test_negations_of_edges(lane_probe: LaneProbe, chance: random.Random) -> None:
    """The lanes of the mask are negated modulo p, fit to be factors; the others stay as they are."""
    edges = [edge for edge in FACTOR_EDGES if edge <= SUBTRAHEND_MAX] + [SUBTRAHEND_MAX]
    for (a,) in eights([(one,) for one in edge_elements(edges, 800)]):
        for mask in (0, 255, chance.randrange(256)):
            out = across(a)
            lane_probe.library.probe_field8_negate_if(out, mask)
            for lane, (before, after) in enumerate(zip(a, along(out), strict=True)):
                if mask >> lane & 1:
                    assert -value(before) % P == value(after)
                    assert max(after) <= FACTOR_MAX
                else:
                    assert before == after


def test_words_of_edges(lane_probe: LaneProbe) -> None:
    """The words of an element are its one canonical value, however its limbs spell it."""
    for (a,) in eights([(one,) for one in FACTORS + edge_elements(FACTOR_EDGES, 4000)]):
        out = aligned([0] * 4 * N_LANES)
        lane_probe.library.probe_field8_to_words(out, across(a))

        assert [value(x) for x in a] == [joined(words) for words in along(out)]


def test_limbs_of_words(lane_probe: LaneProbe, chance: random.Random) -> None:
    """Limbs are cut from the low 255 bits of words."""
    numbers = [0, 1, P - 1, P, 2**255 - 1, 2**255, 2**256 - 1, *(chance.getrandbits(256) for _ in range(505))]
    for at in range(0, len(numbers), N_LANES):
        eight = numbers[at : at + N_LANES]
        made = lane_probe.field("from_words", [list(split(number, 4)) for number in eight])

        assert [number % 2**255 for number in eight] == [joined(limbs, 51) for limbs in made]
        assert max(map(max, made)) < 2**51


def test_inverses(lane_probe: LaneProbe) -> None:
    """An inverse times its number is 1 in every lane; one lane of 0 makes all inverses 0."""
    numbers = [limbs for limbs in edge_elements([1, 19, 2**51 - 1, CARRIED_MAX], 200) if value(limbs)]
    for (a,) in eights([(one,) for one in numbers]):
        inverses = lane_probe.field("invert", a)

        assert [1] * 8 == [value(x) * value(y) % P for x, y in zip(a, inverses, strict=True)]
        assert max(map(max, inverses)) <= CARRIED_MAX
    zero = [[0] * N_LIMBS, *([[1, 0, 0, 0, 0]] * 7)]
    assert [0] * 8 == [value(one) for one in lane_probe.field("invert", zero)]


def test_lanes_are_exchanged(lane_probe: LaneProbe) -> None:
    """Lane l gets what stood in lane l xor distance."""
    for distance in (1, 2, 4):
        expected = [lane ^ distance for lane in range(N_LANES)]
        assert expected == lane_probe.lanes("_exchange", list(range(N_LANES)), distance)


def test_rows_are_turned_around(lane_probe: LaneProbe, chance: random.Random) -> None:
    """Word i of row l comes to lane l of the i-th lanes, from rows that lie anywhere."""
    memory = bytearray(chance.randbytes(500))
    room = (ctypes.c_char * len(memory)).from_buffer(memory)
    starts = [chance.randrange(len(memory) - 32) for _ in range(N_LANES)]
    rows = (ctypes.c_void_p * N_LANES)(*(ctypes.addressof(room) + start for start in starts))
    out = aligned([0] * 4 * N_LANES)
    lane_probe.library.probe_from_rows_4(out, rows)

    expected = [[int.from_bytes(memory[at + 8 * i : at + 8 * i + 8], "little") for i in range(4)] for at in starts]
    assert expected == along(out)


# --- Points ---

N_COORDINATES = 4 * N_LIMBS


def spelled(number: int) -> list[int]:
    """Write a field element with limbs that are not canonical: up to twice as large."""
    limbs = element(number)
    return [limb + extra for limb, extra in zip(limbs, [2**51 - 19, *[2**51 - 1] * 4], strict=True)]


def point_row(p: curve.Point, chance: random.Random) -> list[int]:
    """Write a point with any Z, X and Y and Z spelled with larger limbs at times."""
    x, y = p
    z = chance.randrange(1, P)
    spell = chance.choice([element, spelled])
    return [*spell(x * z), *spell(y * z), *spell(z), *element(x * y * z)]


def affine_row(row: list[int]) -> curve.Point:
    """Read a point; X Y must be Z T, and the bounds must hold."""
    x, y, z, t = (row[at : at + N_LIMBS] for at in range(0, N_COORDINATES, N_LIMBS))
    assert max(*x, *y, *z) <= PRODUCT_MAX
    assert max(t) <= CARRIED_MAX
    assert value(x) * value(y) % P == value(z) * value(t) % P
    inverse = pow(value(z), -1, P)
    return value(x) * inverse % P, value(y) * inverse % P


def addend_row(p: curve.Point) -> list[int]:
    """Write y + x, y - x and 2 d x y."""
    return [limb for part in as_entry(p) for limb in element(part)]


ENTRIES = [aligned([word for part in as_entry(p) for word in split(part, 4)]) for p in POINTS]


def entry_pointers(chosen: list[int]) -> ctypes.Array[ctypes.c_void_p]:
    """Point to the table entries of eight of POINTS."""
    return (ctypes.c_void_p * N_LANES)(*(ctypes.addressof(ENTRIES[one]) for one in chosen))


def assert_loaded(chosen: list[int], mask: int, rows: list[list[int]]) -> None:
    """Hold that each lane has the entry of its point, with the sign turned where the mask says, fit to be factors."""
    for lane, row in enumerate(rows):
        p = POINTS[chosen[lane]]
        expected = as_entry(curve.negate(p) if mask >> lane & 1 else p)

        assert expected == [value(row[at : at + N_LIMBS]) for at in range(0, 3 * N_LIMBS, N_LIMBS)]
        assert max(row) <= FACTOR_MAX


def test_sums_of_points(lane_probe: LaneProbe, chance: random.Random) -> None:
    """The formula has no exception: any pair, the same point twice, opposites, points of small order, any Z."""
    for p, q in eights(list(itertools.product(POINTS, repeat=2))):
        out, addends = across([point_row(one, chance) for one in p]), across([addend_row(one) for one in q])
        next_ones, mask = [chance.randrange(len(POINTS)) for _ in range(N_LANES)], chance.randrange(256)
        lane_probe.library.probe_point8_add_addend(out, addends, entry_pointers(next_ones), mask)

        assert [curve.add(*pair) for pair in zip(p, q, strict=True)] == [affine_row(row) for row in along(out)]
        assert_loaded(next_ones, mask, along(addends))


def test_points_of_addends(lane_probe: LaneProbe) -> None:
    """An addend alone becomes its point."""
    for (p,) in eights([(p,) for p in POINTS]):
        out = aligned([0] * N_COORDINATES * N_LANES)
        lane_probe.library.probe_point8_from_addend(out, across([addend_row(one) for one in p]))

        assert list(p) == [affine_row(row) for row in along(out)]


@pytest.mark.parametrize("distance", [1, 2, 4])
def test_sums_across_lanes(lane_probe: LaneProbe, distance: int, chance: random.Random) -> None:
    """Each lane gets the sum of its point and that of the lane exchanged with it, whatever the two are."""
    for p, q in itertools.product(POINTS, repeat=2):
        eight = [p if lane & distance else q for lane in range(N_LANES)]
        out = across([point_row(one, chance) for one in eight])
        lane_probe.library.probe_point8_add_exchanged(out, distance)

        assert [curve.add(p, q)] * 8 == [affine_row(row) for row in along(out)]


def test_entries_are_loaded(lane_probe: LaneProbe, chance: random.Random) -> None:
    """Each lane gets its entry, with the sign turned where the mask says."""
    for mask in (0, 255, 1, 128, 0x5A):
        chosen = [chance.randrange(len(POINTS)) for _ in range(N_LANES)]
        out = aligned([0] * 3 * N_LIMBS * N_LANES)
        lane_probe.library.probe_addend8_load(out, entry_pointers(chosen), mask)

        assert_loaded(chosen, mask, along(out))
    assert D == as_entry((1, 1))[2] * pow(2, -1, P) % P
    assert len(ENTRIES[0]) == ENTRY_WORDS


# --- Scalars ---


@pytest.mark.parametrize(("first", "second"), [*zip(SIZES, reversed(SIZES), strict=True), (SMALLEST, SMALLEST)])
def test_terms_are_those_of_the_digits(
    lane_probe: LaneProbe, probe: Probe, first: int, second: int, chance: random.Random
) -> None:
    """Two scalars choose the entries that table_recode chooses, in tables of any sizes, and neutral ones after them."""

    def digits_of(table: Table, scalar: int) -> list[int]:
        digits = (ctypes.c_int32 * SMALLEST)()
        probe.library.probe_table_recode(digits, ctypes.c_void_p(table.address), split(scalar, 4))
        return list(digits)[: len(table.windows)]

    def places_of(table: Table, digits: list[int]) -> list[int]:
        return [start + abs(digit) for start, digit in zip(table.header("first"), digits, strict=False)]

    lane_probe.library.probe_terms.restype = ctypes.c_size_t
    with built(probe, first, curve.B) as one, built(probe, second, curve.B) as other:
        scalars = scalars_at_edges(first) + scalars_at_edges(second)
        for s, t in zip(scalars, chance.sample(scalars, len(scalars)), strict=True):
            places, negative = (ctypes.c_uint64 * (2 * SMALLEST + N_LANES))(), ctypes.c_uint64()
            n_entries = lane_probe.library.probe_terms(
                places,
                ctypes.byref(negative),
                ctypes.c_void_p(one.address),
                split(s, 4),
                ctypes.c_void_p(other.address),
                split(t, 4),
            )
            of_s, of_t = digits_of(one, s), digits_of(other, t)

            assert first + second == n_entries
            assert places_of(one, of_s) + places_of(other, of_t) == list(places)[:n_entries]
            assert [0] * (SMALLEST - second + N_LANES) == list(places)[n_entries : first + SMALLEST + N_LANES]
            assert sum((digit < 0) << at for at, digit in enumerate(of_s + of_t)) == negative.value


# --- SHA-512 ---

LENGTHS = [*range(200), *range(300, 330), 447, 448, 463, 464, 831, 832, 847, 848, 959, 960, 975, 976, 1000, 4096]


def hashed(state: list[int]) -> bytes:
    """Write the words of a digest out."""
    return b"".join(word.to_bytes(8, "big") for word in state)


def test_digests_of_one_message(lane_probe: LaneProbe, chance: random.Random) -> None:
    """The digest of R, A and a message of any length around the blocks, and around eight of them."""
    for length in [*LENGTHS, 100_003]:
        R, A, message = chance.randbytes(32), chance.randbytes(32), chance.randbytes(length)  # noqa: N806
        state = (ctypes.c_uint64 * 8)()
        lane_probe.library.probe_sha512_of_text(state, R, A, message, ctypes.c_size_t(length))

        assert hashlib.sha512(R + A + message).digest() == hashed(list(state))


def test_digests_of_eight_messages(lane_probe: LaneProbe, chance: random.Random) -> None:
    """Eight messages of any lengths side by side have the digests that each has alone."""
    lengths = LENGTHS + chance.sample(LENGTHS, len(LENGTHS)) + [0] * 7 + [5000]
    for at in range(0, len(lengths) - 7, N_LANES):
        parts = [
            [chance.randbytes(32), chance.randbytes(32), chance.randbytes(length)] for length in lengths[at : at + 8]
        ]
        rows = [(ctypes.c_char_p * N_LANES)(*(part[place] for part in parts)) for place in range(3)]
        sizes = (ctypes.c_size_t * N_LANES)(*(len(part[2]) for part in parts))
        state = aligned([0] * 8 * N_LANES)
        lane_probe.library.probe_sha512_of_texts(state, *rows, sizes)

        assert [hashlib.sha512(b"".join(part)).digest() for part in parts] == [hashed(row) for row in along(state)]


def test_an_empty_message_may_be_nowhere(lane_probe: LaneProbe) -> None:
    """NULL is a message of no bytes."""
    state = (ctypes.c_uint64 * 8)()
    lane_probe.library.probe_sha512_of_text(state, bytes(32), bytes(32), None, ctypes.c_size_t(0))

    assert hashlib.sha512(bytes(64)).digest() == hashed(list(state))


def test_points_of_probes_are_those_of_the_scalar_code(chance: random.Random) -> None:
    """The rows that are written here are the points that probe.py writes."""
    row, written = point_row(curve.B, chance), list(extended(curve.B, 5))

    assert len(row) == len(written) == N_COORDINATES
    assert affine_row(row) == affine_row(written) == affine(extended(curve.B, 5)) == curve.B


CALL = """
import ctypes, sys
zero, one, large = ((ctypes.c_uint64 * 8)(*[number] * 8) for number in (0, 1, 2**52))
getattr(ctypes.CDLL(sys.argv[1]), sys.argv[2])(zero, zero, *((one, large) if sys.argv[3] == "second" else (large, one)))
"""


@pytest.mark.parametrize("place", ["first", "second"])
@pytest.mark.parametrize("part", ["lo", "hi"])
def test_the_emulation_stops_at_a_factor_that_is_too_large(lane_probe: LaneProbe, part: str, place: str) -> None:
    """A factor of 53 bits ends the program under emulation, so each emulated run shows that there was none."""
    if lane_probe.name != "emulated":
        pytest.skip("a processor drops the upper bits")
    command = [sys.executable, "-c", CALL, str(lane_probe.path), f"probe_mm512_madd52{part}_epu64", place]

    assert subprocess.run(command, check=False).returncode < 0
