"""
The instructions of AVX-512, emulated and those of the processor, do what Intel's guide to the intrinsics says.

Each is written here once more, after the operation that the guide gives for it, on plain integers.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

import pytest

from tests.native.c_source import NATIVE
from tests.native.lane_probe import N_LANES, LaneProbe, aligned

CHANCE = random.Random(512)  # noqa: S311 - the same cases each time
N_ROUNDS = 200

WORD = 2**64 - 1
EDGES = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**51, 2**52 - 1, 2**63 - 1, 2**63, WORD - 1, WORD]

Lanes = list[int]
Instruction = Callable[..., Lanes]


def any_lanes(limit: int = WORD) -> Lanes:
    """Make eight numbers, at edges or any."""
    edges = [edge for edge in EDGES if edge <= limit]
    return [CHANCE.choice(edges) if CHANCE.random() < 0.4 else CHANCE.randint(0, limit) for _ in range(N_LANES)]


def parts(lanes: Sequence[int], bits: int) -> list[int]:
    """Cut lanes into numbers of fewer bits, in the order of memory."""
    whole = int.from_bytes(b"".join(lane.to_bytes(8, "little") for lane in lanes), "little")
    return [whole >> at & 2**bits - 1 for at in range(0, 512, bits)]


def lanes_of(cut: Sequence[int], bits: int) -> Lanes:
    """Put numbers of fewer bits together into lanes."""
    whole = sum((part & 2**bits - 1) << at * bits for at, part in enumerate(cut))
    return [whole >> at & WORD for at in range(0, 512, 64)]


def by_lane(operation: Callable[..., int]) -> Instruction:
    """Make an instruction of what it does to each lane."""
    return lambda *operands: [operation(*one) & WORD for one in zip(*operands, strict=True)]


def by_part(bits: int, operation: Callable[..., int]) -> Instruction:
    """Make an instruction of what it does to each number of fewer bits."""
    return lambda *operands: lanes_of(
        [operation(*one) for one in zip(*(parts(operand, bits) for operand in operands), strict=True)], bits
    )


def rotated(word: int, bits: int) -> int:
    """Rotate to the right."""
    return word >> bits | word << 64 - bits


def ternary(truth: int) -> Instruction:
    """For each bit: the bit of *truth* whose number has the bits of a, b and c as its digits."""

    def operation(a: int, b: int, c: int) -> int:
        return sum((truth >> ((a >> at & 1) * 4 + (b >> at & 1) * 2 + (c >> at & 1)) & 1) << at for at in range(64))

    return by_lane(operation)


def shuffled_bytes(a: Lanes, index: Lanes) -> Lanes:
    """Choose each byte out of the 16 bytes it stands in; an index of 128 or more gives 0."""
    source, places = parts(a, 8), parts(index, 8)
    chosen = [0 if place & 0x80 else source[at // 16 * 16 + place % 16] for at, place in enumerate(places)]
    return lanes_of(chosen, 8)


def permuted(bits: int) -> Instruction:
    """Choose each number by the lower bits of the index."""

    def instruction(index: Lanes, a: Lanes) -> Lanes:
        source = parts(a, bits)
        return lanes_of([source[place % len(source)] for place in parts(index, bits)], bits)

    return instruction


def permuted_of_two(a: Lanes, index: Lanes, b: Lanes) -> Lanes:
    """Choose each lane out of sixteen."""
    return [(a + b)[place % 16] for place in index]


def unpacked(upper: int) -> Instruction:
    """Take the lower or the upper lane of each pair, of a and of b in turn."""
    return lambda a, b: [one[at + upper] for at in range(0, N_LANES, 2) for one in (a, b)]


PLAIN: dict[str, Instruction] = {
    "_mm512_add_epi64": by_lane(lambda a, b: a + b),
    "_mm512_sub_epi64": by_lane(lambda a, b: a - b),
    "_mm512_and_si512": by_lane(lambda a, b: a & b),
    "_mm512_or_si512": by_lane(lambda a, b: a | b),
    "_mm512_xor_si512": by_lane(lambda a, b: a ^ b),
    "_mm512_mul_epu32": by_lane(lambda a, b: (a % 2**32) * (b % 2**32)),
    "_mm512_add_epi32": by_part(32, lambda a, b: a + b),
    "_mm512_sub_epi32": by_part(32, lambda a, b: a - b),
    "_mm512_srlv_epi32": by_part(32, lambda a, n: a >> n if n < 32 else 0),
    "_mm512_abs_epi32": by_part(32, lambda a: 2**32 - a if a >> 31 else a),
    "_mm512_permutexvar_epi16": permuted(16),
    "_mm512_permutexvar_epi64": permuted(64),
    "_mm512_shuffle_epi8": shuffled_bytes,
    "_mm512_unpacklo_epi64": unpacked(0),
    "_mm512_unpackhi_epi64": unpacked(1),
    "_mm512_permutex2var_epi64": permuted_of_two,
    "_mm512_slli_epi64_1": by_lane(lambda a: a << 1),
    "_mm512_slli_epi64_51": by_lane(lambda a: a << 51),
    "_mm512_slli_epi64_63": by_lane(lambda a: a << 63),
    "_mm512_srli_epi64_6": by_lane(lambda a: a >> 6),
    "_mm512_srli_epi64_51": by_lane(lambda a: a >> 51),
    "_mm512_slli_epi32_16": by_part(32, lambda a: a << 16),
    "_mm512_srli_epi32_4": by_part(32, lambda a: a >> 4),
    "_mm512_ror_epi64_1": by_lane(lambda a: rotated(a, 1)),
    "_mm512_ror_epi64_41": by_lane(lambda a: rotated(a, 41)),
    "_mm512_shrdi_epi64_25": by_lane(lambda low, high: (high << 64 | low) >> 25),
    "_mm512_shrdi_epi64_38": by_lane(lambda low, high: (high << 64 | low) >> 38),
    "_mm512_shrdi_epi64_51": by_lane(lambda low, high: (high << 64 | low) >> 51),
    "_mm512_ternarylogic_epi64_0x96": ternary(0x96),
    "_mm512_ternarylogic_epi64_0xca": ternary(0xCA),
    "_mm512_ternarylogic_epi64_0xe8": ternary(0xE8),
}
N_OPERANDS = {"_mm512_abs_epi32": 1, "_mm512_permutex2var_epi64": 3}


def n_operands(name: str) -> int:
    """Say how many vectors an instruction takes."""
    if "ternary" in name:
        return 3
    return N_OPERANDS.get(name, 1 if re.search(r"(slli|srli|ror)_epi", name) else 2)


@pytest.mark.parametrize("name", PLAIN)
def test_what_each_lane_becomes(lane_probe: LaneProbe, name: str) -> None:
    """The instruction gives what the guide says, for numbers at edges and any."""
    for _ in range(N_ROUNDS):
        operands = [any_lanes() for _ in range(n_operands(name))]
        assert PLAIN[name](*operands) == lane_probe.lanes(name, *operands)


@pytest.mark.parametrize("bits", [16, 32])
def test_small_counts_and_indices(lane_probe: LaneProbe, bits: int) -> None:
    """Shifts by counts around 32 and permutations by indices around the ends, which random numbers seldom are."""
    for _ in range(N_ROUNDS):
        a, counts = any_lanes(), lanes_of([CHANCE.randrange(40) for _ in range(512 // bits)], bits)
        name = {16: "_mm512_permutexvar_epi16", 32: "_mm512_srlv_epi32"}[bits]
        operands = [counts, a] if bits == 16 else [a, counts]
        assert PLAIN[name](*operands) == lane_probe.lanes(name, *operands)


@pytest.mark.parametrize("part", ["lo", "hi"])
def test_products_of_52_bits(lane_probe: LaneProbe, part: str) -> None:
    """A half of the product of two numbers of 52 bits is added, without a carry out of 64 bits."""
    for _ in range(N_ROUNDS):
        start, a, b = any_lanes(), any_lanes(2**52 - 1), any_lanes(2**52 - 1)
        halves = [x * y % 2**52 if part == "lo" else x * y >> 52 for x, y in zip(a, b, strict=True)]
        expected = [(one + half) & WORD for one, half in zip(start, halves, strict=True)]

        assert expected == lane_probe.lanes(f"_mm512_madd52{part}_epu64", start, a, b)


def test_masked_operations(lane_probe: LaneProbe) -> None:
    """A lane whose bit is not set keeps what was there; a blend takes it from the second."""
    for _ in range(N_ROUNDS):
        source, a, b, mask = any_lanes(), any_lanes(), any_lanes(), CHANCE.randrange(256)
        chosen = [mask >> lane & 1 for lane in range(N_LANES)]
        for name, changed in (("add", PLAIN["_mm512_add_epi64"](a, b)), ("sub", PLAIN["_mm512_sub_epi64"](a, b))):
            expected = [x if bit else y for bit, x, y in zip(chosen, changed, source, strict=True)]
            assert expected == lane_probe.lanes(f"_mm512_mask_{name}_epi64", source, mask, a, b)
        expected = [y if bit else x for bit, x, y in zip(chosen, a, b, strict=True)]
        assert expected == lane_probe.lanes("_mm512_mask_blend_epi64", mask, a, b)


def test_masks_of_lanes(lane_probe: LaneProbe) -> None:
    """A test asks which lanes have a bit in common, its contrary which have none; a sign mask has a bit for 32 bits."""
    for _ in range(N_ROUNDS):
        a, b = [CHANCE.choice([0, 1, one]) for one in any_lanes()], [CHANCE.choice([0, 2, one]) for one in any_lanes()]
        common = sum((x & y != 0) << lane for lane, (x, y) in enumerate(zip(a, b, strict=True)))

        assert common == lane_probe.mask("_mm512_test_epi64_mask", a, b)
        assert common ^ 255 == lane_probe.mask("_mm512_testn_epi64_mask", a, b)
        signs = sum((part >> 31) << at for at, part in enumerate(parts(a, 32)))
        assert signs == lane_probe.mask("_mm512_movepi32_mask", a)


def test_the_same_in_every_lane(lane_probe: LaneProbe) -> None:
    """Constants come out in the order of memory."""
    assert [0] * 8 == lane_probe.lanes("_mm512_setzero_si512")
    assert lanes_of([7] * 16, 32) == lane_probe.lanes("_mm512_set1_epi32", 7)
    assert lanes_of([1, 2, 3, 4] * 4, 32) == lane_probe.lanes("_mm512_set4_epi32", 4, 3, 2, 1)
    assert [9] * 8 == lane_probe.lanes("_mm512_set1_epi64", 9)
    assert list(range(8)) == lane_probe.lanes("_mm512_setr_epi64", list(range(8)))


def test_halves(lane_probe: LaneProbe) -> None:
    """Halves of 256 bits are put together, made longer and cut to the first lane."""
    for _ in range(N_ROUNDS):
        a = any_lanes()
        assert a == lane_probe.lanes("_halves", a[:4], a[4:])

        low, high = aligned([0] * 8), aligned([0] * 8)
        lane_probe.library.probe_longer_halves(low, high, aligned(a))
        assert parts(a, 32) == [*low, *high]
        assert a[0] == lane_probe.library.probe_first(aligned(a)) % 2**64


# Each of these is used by a probe that is tested above.
USED_BY_OTHER_PROBES = {
    "_mm256_loadu_si256",
    "_mm512_castsi256_si512",
    "_mm512_castsi512_si128",
    "_mm512_castsi512_si256",
    "_mm512_cvtepu32_epi64",
    "_mm512_extracti64x4_epi64",
    "_mm512_inserti64x4",
    "_mm512_loadu_si512",
    "_mm512_madd52hi_epu64",
    "_mm512_madd52lo_epu64",
    "_mm512_mask_add_epi64",
    "_mm512_mask_blend_epi64",
    "_mm512_mask_sub_epi64",
    "_mm512_movepi32_mask",
    "_mm512_set1_epi32",
    "_mm512_set1_epi64",
    "_mm512_set4_epi32",
    "_mm512_setr_epi64",
    "_mm512_setzero_si512",
    "_mm512_storeu_si512",
    "_mm512_test_epi64_mask",
    "_mm512_testn_epi64_mask",
    "_mm_cvtsi128_si64",
}


def test_every_instruction_is_tested() -> None:
    """What native/ uses is what is tested here, and what is emulated."""
    text = "".join(path.read_text() for path in NATIVE.glob("*.[ch]"))
    used = set(re.findall(r"\b_mm\d*_\w+", text))
    tested = {re.sub(r"_(0x)?[0-9a-f]{1,2}$", "", name) for name in PLAIN} | USED_BY_OTHER_PROBES

    assert used == tested
