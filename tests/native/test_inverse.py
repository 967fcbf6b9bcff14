"""Inversion by division steps: the bounds of its numbers, its steps, and what comes out."""

from __future__ import annotations

import ctypes
import itertools
import random

import pytest

from tests.native import c_value
from tests.native.c_machine import Machine, Object
from tests.native.c_value import Polynomial, Type, Value
from tests.native.curve import P
from tests.native.probe import Probe, element, value

INT64 = Type(64, signed=True)
# inverse_correction returns k - m for a k made of x, y or both, so |k| <= |x| + |y| <= 2^62, and an m in [0, 2^62).
CORRECTION = Value(INT64, -(2**63) + 1, 2**62)
MACHINE = Machine("inverse.h", trusted={"inverse_correction": lambda _: CORRECTION})
CARRIED_MAX = 2**51 + 2**13

N_STEPS = 62
# Bernstein and Yang, theorem 11.2: (49 * 255 + 57) / 17 steps reach g = 0.
MAX_ROUNDS = -(-738 // N_STEPS)

# |u| + |v| <= 2^62 is no box; so many boxes cover it, each a little beyond it.
N_BOXES = 8


def number(low: int, high: int, symbol: str | None = None) -> Object:
    """Make a number with its top limb in [low, high]."""
    limbs = [Value.within(INT64, 2**62 - 1, symbol and f"{symbol}{place}") for place in range(4)]
    return {"limb": [*limbs, Value(INT64, low, high, {(f"{symbol}4",): 1} if symbol else None)]}


def matrix(box: int) -> Object:
    """Make a matrix whose rows lie in a box each."""
    first, second = 2**62 * (box + 1) // N_BOXES, 2**62 * (N_BOXES - box) // N_BOXES
    row = [Value(INT64, -first, first), Value(INT64, -second, second)]
    return dict(zip("uvqr", [*row, *row], strict=True))


def top(made: Object) -> tuple[int, int]:
    """Find the interval of the top limb; those below it are 62 bits without a sign."""
    assert all((limb.low, limb.high) == (0, 2**62 - 1) for limb in made["limb"][:4])
    return made["limb"][4].low, made["limb"][4].high


@pytest.mark.parametrize(
    ("name", "first"), [("inverse_apply", (-128, 127)), ("inverse_apply_modulo_p", (-256, 128))], ids=["f, g", "d, e"]
)
def test_nothing_overflows_in_as_many_rounds_as_there_can_be(name: str, first: tuple[int, int]) -> None:
    """Though intervals grow where numbers do not: no sum leaves 128 bits and no limb 64 while any inversion runs."""
    low, high = first
    for _ in range(MAX_ROUNDS):
        tops = []
        for box in range(N_BOXES):
            arguments = [number(low, high), number(low, high), matrix(box)]
            [(_, (x, y, _))] = MACHINE.run(name, arguments.copy)
            tops += [top(x), top(y)]
        low, high = min(one for one, _ in tops), max(one for _, one in tops)
    assert -(2**62) < low < high < 2**62


def total(made: Object) -> Polynomial:
    """Give the number that limbs stand for."""
    result: Polynomial = {}
    for place, limb in enumerate(made["limb"]):
        result = c_value.poly_add(result, limb.poly, factor=1 << 62 * place)
    return result


def test_a_matrix_is_applied_to_whole_numbers() -> None:
    """inverse_apply: 2^62 times what comes out is u f + v g and q f + r g, but for a rest below 2^62."""
    f, g = number(-128, 127, "f"), number(-128, 127, "g")
    rows = {name: Value(INT64, -(2**61), 2**61, {(name,): 1}) for name in "uvqr"}
    [(_, (first, second, _))] = MACHINE.run(
        "inverse_apply", lambda: [{"limb": [*f["limb"]]}, {"limb": [*g["limb"]]}, rows]
    )

    for out, x, y in ((first, "u", "v"), (second, "q", "r")):
        low = {("f0", x): 1, tuple(sorted(("g0", y))): 1}
        rest = c_value.poly_add(low, c_value.quotient(low, 62), factor=-(2**62))
        expected = c_value.poly_add(
            c_value.poly_multiply({(x,): 1}, total(f)), c_value.poly_multiply({(y,): 1}, total(g))
        )
        assert expected == c_value.poly_add(rest, total(out), factor=2**62)


@pytest.mark.parametrize("negated", [0, 1])
def test_the_end_is_carried(negated: int) -> None:
    """inverse_to_field: whatever the number is, the limbs are those of a product."""
    [(_, (out, *_))] = MACHINE.run(
        "inverse_to_field",
        lambda: [MACHINE.new("field"), number(-256, 128), Value.exactly(Type(8, signed=False), negated)],
    )

    assert all(limb.high <= CARRIED_MAX for limb in out["limb"])


def test_words_become_limbs() -> None:
    """inverse_from_words: any words below 2^255 give a number of its limbs."""
    words = [Value.within(c_value.UINT64, 2**64 - 1)] * 3 + [Value.within(c_value.UINT64, 2**63 - 1)]
    [(_, (made, _))] = MACHINE.run("inverse_from_words", lambda: [MACHINE.new("inverse_number"), list(words)])

    assert (0, 127) == top(made)


def steps(delta: int, f: int, g: int) -> tuple[int, list[int]]:
    """Take the steps one by one, as the paper defines them; give delta and 2^62 times their matrix."""
    u, v, q, r = 1, 0, 0, 1
    for _ in range(N_STEPS):
        if delta > 0 and g & 1:
            delta, f, g, u, v, q, r = 1 - delta, g, (g - f) // 2, 2 * q, 2 * r, q - u, r - v
        else:
            odd = g & 1
            delta, g, u, v, q, r = 1 + delta, (g + odd * f) // 2, 2 * u, 2 * v, q + odd * u, r + odd * v
    return delta, [u, v, q, r]


WORDS = [0, 1, 2, 3, 2**62 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1, 0x5555555555555555, 0xAAAAAAAAAAAAAAAA]


def test_many_steps_are_as_many_single_ones(probe: Probe, chance: random.Random) -> None:
    """inverse_steps: 62 steps at once end at the delta and the matrix that 62 single ones end at."""
    words = WORDS + [chance.getrandbits(64) for _ in range(30)]
    library = probe.library
    library.probe_inverse_steps.restype = ctypes.c_int64
    for delta, f, g in itertools.product([1, 0, -1, 2, -61, -62, 61, 62, 63, -300, 300], words, words):
        out = (ctypes.c_int64 * 4)()
        found = library.probe_inverse_steps(out, ctypes.c_int64(delta), ctypes.c_uint64(f | 1), ctypes.c_uint64(g))
        u, v, q, r = out

        assert steps(delta, f | 1, g) == (found, [u, v, q, r])
        assert max(abs(u) + abs(v), abs(q) + abs(r)) <= 2**62


def test_inverses_are_those_of_python(probe: Probe, chance: random.Random) -> None:
    """An inverse times its number is 1; the inverse of 0 is 0; limbs are carried, whatever the limbs of the number."""
    numbers = [*range(200), *range(P - 200, P), *(2**bits + step for bits in range(1, 255) for step in (-1, 0, 1))]
    numbers += [P // divisor + step for divisor in range(2, 40) for step in (-1, 0, 1)]
    numbers += [chance.randrange(P) for _ in range(10_000)]
    for one in numbers:
        inverse = probe.field("invert", element(one))

        assert (1 if one % P else 0) == value(inverse) * one % P
        assert max(inverse) <= CARRIED_MAX
    assert [0] * 5 == probe.field("invert", element(0))


def test_inverses_of_other_spellings(probe: Probe) -> None:
    """The limbs of a number may be any within the bounds of a factor."""
    for limbs in itertools.product([0, 1, 2**51 - 19, 2**51 - 1, 2**54 - 1], repeat=5):
        expected = pow(value(limbs), P - 2, P)

        assert expected == value(probe.field("invert", limbs))
    for zero in ([2**51 - 19, *[2**51 - 1] * 4], [2**52 - 38, *[2**52 - 2] * 4]):
        assert 0 == value(zero)
        assert 0 == value(probe.field("invert", zero))
