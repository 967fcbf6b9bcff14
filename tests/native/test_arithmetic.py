"""The compiled arithmetic against Python's integers, with limbs and words at the edges of their bounds."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import random
from fractions import Fraction

import pytest

from tests.native import curve
from tests.native.curve import L, P
from tests.native.probe import N_LIMBS, Probe, affine, element, extended, joined, split, value

# The edges of limbs: of canonical and of carried ones, of subtrahends, of factors.
CARRIED_MAX = 2**51 + 2**13
EDGES = [0, 1, 18, 19, 2**51 - 20, 2**51 - 19, 2**51 - 1, 2**51, CARRIED_MAX, 2**52 - 38, 2**53, 2**54 - 1]
SUBTRAHENDS = [edge for edge in EDGES if edge <= 2**52 - 38]


def edge_elements(edges: list[int], n_mixed: int) -> list[list[int]]:
    """Make elements with every limb at one edge, with one limb at an edge and the rest at another, and mixed ones."""
    rows = [[edge] * N_LIMBS for edge in edges]
    rows += [
        [one if place == at else rest for place in range(N_LIMBS)]
        for at in range(N_LIMBS)
        for one, rest in itertools.permutations([edges[0], edges[1], edges[-2], edges[-1]], 2)
    ]
    chance = random.Random(n_mixed)  # noqa: S311 - the same cases each time
    return rows + [[chance.choice(edges) for _ in range(N_LIMBS)] for _ in range(n_mixed)]


FACTORS = edge_elements(EDGES, 100)
# Numbers at which a reduction turns: around multiples of p, in limbs that are canonical, and in ones that are not.
TURNS = [
    *(element(near) for near in (0, 1, 18, 19, P - 1, 2**254)),
    *(
        [P & 2**51 - 1, *[2**51 - 1] * 4],
        [(P & 2**51 - 1) + 1, *[2**51 - 1] * 4],
        [2**51 - 1] * 5,
        [2**52 - 38, *[2**52 - 2] * 4],
    ),
]


def test_products_of_edges(probe: Probe) -> None:
    """Products of all pairs of factors at the edges are right modulo p and carried."""
    for a, b in itertools.product(FACTORS + TURNS, repeat=2):
        product = probe.field("mul", a, b)

        assert value(a) * value(b) % P == value(product)
        assert max(product) <= CARRIED_MAX


def test_squares_of_edges(probe: Probe) -> None:
    """Squares of factors with any limbs at the edges are right modulo p and carried."""
    for a in itertools.product([EDGES[0], EDGES[1], 2**51 - 1, CARRIED_MAX, EDGES[-1]], repeat=N_LIMBS):
        square = probe.field("sqr", a)

        assert value(a) ** 2 % P == value(square)
        assert max(square) <= CARRIED_MAX


def test_sums_and_differences_of_edges(probe: Probe) -> None:
    """Sums, differences and negations of edges are right modulo p."""
    for a, b in itertools.product(FACTORS, edge_elements(SUBTRAHENDS, 30)):
        assert [x + y for x, y in zip(a, b, strict=True)] == probe.field("add", a, b)
        assert (value(a) - value(b)) % P == value(probe.field("sub", a, b))
    for b in edge_elements(SUBTRAHENDS, 200):
        assert -value(b) % P == value(probe.negated_if(b, negative=True))
        assert b == probe.negated_if(b, negative=False)


def test_powers_of_edges(probe: Probe) -> None:
    """The power of a square root is that of Python."""
    for a in FACTORS + TURNS:
        assert pow(value(a), (P - 5) // 8, P) == value(probe.field("pow_p58", a))


def test_words_of_edges(probe: Probe) -> None:
    """The words of an element are its one canonical value, however its limbs spell it."""
    for a in [*FACTORS, *TURNS, *edge_elements(EDGES, 3000)]:
        assert value(a) == probe.to_words(a)


def test_limbs_of_words(probe: Probe, chance: random.Random) -> None:
    """Limbs are cut from the low 255 bits of words."""
    for number in [0, 1, P - 1, P, 2**255 - 1, 2**255, 2**256 - 1, *(chance.getrandbits(256) for _ in range(500))]:
        assert number % 2**255 == joined(probe.field("from_words", list(split(number, 4))), 51)


def some_points() -> list[curve.Point]:
    """List the neutral point, B, points of small order, and any points with a torsion component and without."""
    chance = random.Random(51)  # noqa: S311 - the same cases each time
    any_points = [curve.multiply(chance.randrange(L), curve.B) for _ in range(6)]
    mixed = [curve.add(*pair) for pair in zip(any_points[3:], curve.TORSION[1:4], strict=True)]
    return [curve.NEUTRAL, curve.B, curve.negate(curve.B), *curve.TORSION[1:], *any_points[:3], *mixed]


POINTS = some_points()


def test_sums_of_points(probe: Probe, chance: random.Random) -> None:
    """The formulas have no exception: any pair, the same point twice, opposites, points of small order, any Z."""
    for p, q in itertools.product(POINTS, repeat=2):
        a, b = extended(p, chance.randrange(1, P)), extended(q, chance.randrange(1, P))

        assert curve.add(p, q) == affine(probe.point("add", a, b))


def test_doubles_and_negatives_of_points(probe: Probe, chance: random.Random) -> None:
    """Twice a point and minus a point, for any Z."""
    for p in POINTS:
        made = extended(p, chance.randrange(1, P))

        assert curve.add(p, p) == affine(probe.point("double", made))
        assert curve.negate(p) == affine(probe.point("negate", made))


def test_decoding_points(probe: Probe, chance: random.Random) -> None:
    """Bytes decode to the point that Python finds, or to none."""
    encodings = [curve.encode(point) for point in POINTS]
    encodings += [
        (y | sign << 255).to_bytes(32, "little") for y in [*range(30), *range(P - 30, 2**255)] for sign in (0, 1)
    ]
    encodings += [chance.randbytes(32) for _ in range(300)]
    for encoding in encodings:
        expected = curve.decode(encoding)
        found = probe.decoded(encoding)

        assert expected == (None if found is None else affine(found))


def scalars_at_edges() -> list[int]:
    """List scalars below L at which digits carry."""
    near = [
        0,
        2**252,
        L,
        *(2**bits for bits in range(8, 252, 8)),
        *(2**bits + 2 ** (bits - 1) for bits in range(8, 251, 8)),
    ]
    rows = {int.from_bytes(bytes([byte]) * 32, "little") for byte in (0x0F, 0x08, 0x80, 0x7F, 0x88, 0x77)}
    found = {at + step for at in near for step in (-2, -1, 0, 1, 2)} | {row % 2**252 for row in rows}
    chance = random.Random(500)  # noqa: S311 - the same cases each time
    return sorted(scalar for scalar in found if 0 <= scalar < L) + [chance.randrange(L) for _ in range(500)]


@pytest.mark.parametrize("width", [4, 8])
def test_digits_add_up_to_the_scalar(probe: Probe, width: int) -> None:
    """The signed digits of a scalar add up to it, each within its bounds."""
    for scalar in scalars_at_edges():
        digits = (ctypes.c_int16 * (256 // width))()
        getattr(probe.library, f"probe_scalar_recode_{width}")(digits, split(scalar, 4))

        assert scalar == joined(list(digits), width)
        assert -(1 << (width - 1)) <= min(digits)
        assert max(digits) < 1 << (width - 1)


def test_scalars_are_reduced(probe: Probe, chance: random.Random) -> None:
    """Any 512 bits are reduced modulo L: around its multiples, at the edges of words, and in between."""
    top = 2**512 // L
    multiples = [0, 1, 2, 3, top - 1, top, *(chance.randrange(top) for _ in range(1000))]
    numbers = {q * L + step for q in multiples for step in (-1, 0, 1, L - 1)} | {2**512 - 1}
    numbers |= {2**bits + step for bits in range(0, 513, 32) for step in (-1, 0, 1)}
    numbers |= {joined([chance.choice([0, 1, 2**63, 2**64 - 1]) for _ in range(8)]) for _ in range(2000)}
    for number in sorted(one for one in numbers if 0 <= one < 2**512):
        out = (ctypes.c_uint64 * 4)()
        probe.library.probe_scalar_reduce(out, split(number, 8))

        assert number % L == joined(list(out))


def test_one_subtraction_ends_a_reduction() -> None:
    """The quotient of any 512 bits is estimated at most 1 too small: what the estimate lacks is less than 1."""
    lost_in_reciprocal, lost_in_number = Fraction(2**512 % L, L), Fraction(2**192, L)

    assert lost_in_reciprocal + lost_in_number < Fraction(1, 4)


def test_S_is_read_below_the_order(probe: Probe) -> None:  # noqa: N802 - the RFC's name
    """S is taken below L and refused from L on."""
    for S in [0, 1, L - 1, L, L + 1, 2**252, 2**253, 2**255, 2**256 - 1, *(L + 2**bits for bits in range(0, 253, 12))]:  # noqa: N806
        out = (ctypes.c_uint64 * 4)()
        accepted = probe.library.probe_scalar_from_bytes(out, S.to_bytes(32, "little"))

        assert (S < L) is accepted
        assert not accepted or S == joined(list(out))


@pytest.mark.parametrize("piece_length", [1, 7, 32, 64, 127, 128, 129, 1000])
def test_digests_are_those_of_hashlib(probe: Probe, piece_length: int, chance: random.Random) -> None:
    """SHA-512 of messages of every length around its blocks, given in pieces of any length."""
    for length in [*range(260), 383, 384, 385, 1000, 4096]:
        message = chance.randbytes(length)
        state = (ctypes.c_uint64 * 8)()
        probe.library.probe_sha512(state, message, ctypes.c_size_t(length), ctypes.c_size_t(piece_length))

        assert hashlib.sha512(message).digest() == b"".join(word.to_bytes(8, "big") for word in state)
