"""
The instructions of AVX-512, emulated and those of the processor, do what Intel's guide to the intrinsics says.

Each is written here once more, after the operation that the guide gives for it, on plain integers.
"""

from __future__ import annotations

import ctypes
import random
import re
from collections.abc import Callable, Sequence

import pytest

from tests.native.c_source import NATIVE
from tests.native.lane_probe import N_LANES, LaneProbe, aligned

N_ROUNDS = 200

WORD = 2**64 - 1
EDGES = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**51, 2**52 - 1, 2**63 - 1, 2**63, WORD - 1, WORD]

Lanes = list[int]
Instruction = Callable[..., Lanes]


def any_lanes(chance: random.Random, limit: int = WORD) -> Lanes:
    """Make eight numbers, at edges or any."""
    edges = [edge for edge in EDGES if edge <= limit]
    return [chance.choice(edges) if chance.random() < 0.4 else chance.randint(0, limit) for _ in range(N_LANES)]


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


def permuted_of_two(bits: int) -> Instruction:
    """Choose each number by the lower bits of the index, out of two vectors."""

    def instruction(a: Lanes, index: Lanes, b: Lanes) -> Lanes:
        source = parts(a, bits) + parts(b, bits)
        return lanes_of([source[place % len(source)] for place in parts(index, bits)], bits)

    return instruction


def signed(part: int, bits: int) -> int:
    """Read a number in two's complement."""
    return part - (part >> bits - 1 << bits)


def summed_products(bits: int, *, is_signed: bool) -> Instruction:
    """Multiply, and add the products of each pair; bytes of *a* have no sign, and their sums stop at 16 bits."""

    def instruction(a: Lanes, b: Lanes) -> Lanes:
        x = [signed(part, bits) if is_signed else part for part in parts(a, bits)]
        y = [signed(part, bits) for part in parts(b, bits)]
        sums = [x[at] * y[at] + x[at + 1] * y[at + 1] for at in range(0, len(x), 2)]
        return lanes_of(sums if is_signed else [max(-(2**15), min(one, 2**15 - 1)) for one in sums], 2 * bits)

    return instruction


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
    "_mm512_permutexvar_epi8": permuted(8),
    "_mm512_permutexvar_epi16": permuted(16),
    "_mm512_permutexvar_epi64": permuted(64),
    "_mm512_shuffle_epi8": shuffled_bytes,
    "_mm512_maddubs_epi16": summed_products(8, is_signed=False),
    "_mm512_madd_epi16": summed_products(16, is_signed=True),
    "_mm512_unpacklo_epi64": unpacked(0),
    "_mm512_unpackhi_epi64": unpacked(1),
    "_mm512_permutex2var_epi8": permuted_of_two(8),
    "_mm512_permutex2var_epi64": permuted_of_two(64),
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
    "_mm512_ternarylogic_epi64_0xfe": ternary(0xFE),
}
N_OPERANDS = {"_mm512_abs_epi32": 1, "_mm512_permutex2var_epi8": 3, "_mm512_permutex2var_epi64": 3}


def n_operands(name: str) -> int:
    """Say how many vectors an instruction takes."""
    if "ternary" in name:
        return 3
    return N_OPERANDS.get(name, 1 if re.search(r"(slli|srli|ror)_epi", name) else 2)


@pytest.mark.parametrize("name", PLAIN)
def test_what_each_lane_becomes(lane_probe: LaneProbe, name: str, chance: random.Random) -> None:
    """The instruction gives what the guide says, for numbers at edges and any."""
    for _ in range(N_ROUNDS):
        operands = [any_lanes(chance) for _ in range(n_operands(name))]
        assert PLAIN[name](*operands) == lane_probe.lanes(name, *operands)


@pytest.mark.parametrize("bits", [16, 32])
def test_small_counts_and_indices(lane_probe: LaneProbe, bits: int, chance: random.Random) -> None:
    """Shifts by counts around 32 and permutations by indices around the ends, which random numbers seldom are."""
    for _ in range(N_ROUNDS):
        a, counts = any_lanes(chance), lanes_of([chance.randrange(40) for _ in range(512 // bits)], bits)
        name = {16: "_mm512_permutexvar_epi16", 32: "_mm512_srlv_epi32"}[bits]
        operands = [counts, a] if bits == 16 else [a, counts]
        assert PLAIN[name](*operands) == lane_probe.lanes(name, *operands)


@pytest.mark.parametrize("part", ["lo", "hi"])
def test_products_of_52_bits(lane_probe: LaneProbe, part: str, chance: random.Random) -> None:
    """A half of the product of two numbers of 52 bits is added, without a carry out of 64 bits."""
    for _ in range(N_ROUNDS):
        start, a, b = any_lanes(chance), any_lanes(chance, 2**52 - 1), any_lanes(chance, 2**52 - 1)
        halves = [x * y % 2**52 if part == "lo" else x * y >> 52 for x, y in zip(a, b, strict=True)]
        expected = [(one + half) & WORD for one, half in zip(start, halves, strict=True)]

        assert expected == lane_probe.lanes(f"_mm512_madd52{part}_epu64", start, a, b)


def test_masked_operations(lane_probe: LaneProbe, chance: random.Random) -> None:
    """A lane whose bit is not set keeps what was there; a blend takes it from the second."""
    for _ in range(N_ROUNDS):
        source, a, b, mask = any_lanes(chance), any_lanes(chance), any_lanes(chance), chance.randrange(256)
        chosen = [mask >> lane & 1 for lane in range(N_LANES)]
        for name, changed in (("add", PLAIN["_mm512_add_epi64"](a, b)), ("sub", PLAIN["_mm512_sub_epi64"](a, b))):
            expected = [x if bit else y for bit, x, y in zip(chosen, changed, source, strict=True)]
            assert expected == lane_probe.lanes(f"_mm512_mask_{name}_epi64", source, mask, a, b)
        expected = [y if bit else x for bit, x, y in zip(chosen, a, b, strict=True)]
        assert expected == lane_probe.lanes("_mm512_mask_blend_epi64", mask, a, b)


def test_masks_of_lanes(lane_probe: LaneProbe, chance: random.Random) -> None:
    """A test asks which lanes have a bit in common, its contrary which have none; a sign mask has a bit for 32 bits."""
    for _ in range(N_ROUNDS):
        a, b = (
            [chance.choice([0, 1, one]) for one in any_lanes(chance)],
            [chance.choice([0, 2, one]) for one in any_lanes(chance)],
        )
        common = sum((x & y != 0) << lane for lane, (x, y) in enumerate(zip(a, b, strict=True)))

        assert common == lane_probe.mask("_mm512_test_epi64_mask", a, b)
        assert common ^ 255 == lane_probe.mask("_mm512_testn_epi64_mask", a, b)
        signs = sum((part >> 31) << at for at, part in enumerate(parts(a, 32)))
        assert signs == lane_probe.mask("_mm512_movepi32_mask", a)


def test_masks_of_bytes(lane_probe: LaneProbe, chance: random.Random) -> None:
    """A test asks which bytes have a bit in common, a sign mask which have the upper one."""
    for _ in range(N_ROUNDS):
        a, b = any_lanes(chance), lanes_of([1 << chance.randrange(8) for _ in range(64)], 8)
        common = sum((x & y != 0) << at for at, (x, y) in enumerate(zip(parts(a, 8), parts(b, 8), strict=True)))

        assert common == lane_probe.mask("_mm512_test_epi8_mask", a, b)
        assert sum((part >> 7) << at for at, part in enumerate(parts(a, 8))) == lane_probe.mask(
            "_mm512_movepi8_mask", a
        )


def test_bytes_of_memory_behind_a_mask(lane_probe: LaneProbe, chance: random.Random) -> None:
    """A byte whose bit is set is read or written, any other stays what it was."""
    for _ in range(N_ROUNDS):
        a, b, mask = (
            any_lanes(chance),
            any_lanes(chance),
            chance.choice([0, 1, WORD >> chance.randrange(64), any_lanes(chance)[0]]),
        )
        pairs = zip(parts(a, 8), parts(b, 8), strict=True)
        expected = lanes_of([y if mask >> at & 1 else x for at, (x, y) in enumerate(pairs)], 8)
        out, memory, as_mask = aligned([0] * 8), aligned(a), ctypes.c_uint64(mask)
        lane_probe.library.probe_mm512_mask_loadu_epi8(out, memory, as_mask, aligned(b))
        assert expected == list(out)

        lane_probe.library.probe_mm512_mask_storeu_epi8(memory, as_mask, aligned(b))
        assert expected == list(memory)


def test_the_same_in_every_lane(lane_probe: LaneProbe) -> None:
    """Constants come out in the order of memory."""
    assert [0] * 8 == lane_probe.lanes("_mm512_setzero_si512")
    assert lanes_of([65] * 64, 8) == lane_probe.lanes("_mm512_set1_epi8", 65)
    assert lanes_of([7] * 16, 32) == lane_probe.lanes("_mm512_set1_epi32", 7)
    assert lanes_of([1, 2, 3, 4] * 4, 32) == lane_probe.lanes("_mm512_set4_epi32", 4, 3, 2, 1)
    assert [9] * 8 == lane_probe.lanes("_mm512_set1_epi64", 9)
    assert list(range(8)) == lane_probe.lanes("_mm512_setr_epi64", list(range(8)))


def test_halves(lane_probe: LaneProbe, chance: random.Random) -> None:
    """Halves of 256 bits are put together, made longer and cut to the first lane."""
    for _ in range(N_ROUNDS):
        a = any_lanes(chance)
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
    "_mm512_mask_loadu_epi8",
    "_mm512_mask_storeu_epi8",
    "_mm512_mask_sub_epi64",
    "_mm512_movepi8_mask",
    "_mm512_movepi32_mask",
    "_mm512_set1_epi8",
    "_mm512_set1_epi32",
    "_mm512_set1_epi64",
    "_mm512_set4_epi32",
    "_mm512_setr_epi64",
    "_mm512_setzero_si512",
    "_mm512_storeu_si512",
    "_mm512_test_epi8_mask",
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


def test_what_code_may_be_made_of_is_what_is_asked_for() -> None:
    """The instruction sets that instructions.h lets the compiler use are those that it asks the processor for."""
    text = (NATIVE / "instructions.h").read_text()
    [used] = re.findall(r'#define INSTRUCTIONS "(.*)"', text)
    others = [path.name for path in NATIVE.glob("*.[ch]") if re.search(r"\btarget\b *\(", path.read_text())]

    assert used.split(",") == re.findall(r'__builtin_cpu_supports\("(.*?)"\)', text)
    assert ["instructions.h"] == others
