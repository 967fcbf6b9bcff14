"""
Proofs about eight lanes: as test_field_bounds.py, for ``native/field_avx512ifma.h`` and ``native/group_avx512ifma.h``.

The text of the headers is run on the intervals of one lane. No operation leaves 64 bits, no factor of a multiplication
passes the 52 bits that the processor reads, and the field operations compute what they should modulo p.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.native import c_value
from tests.native.c_machine import Machine, Object, Unset
from tests.native.c_source import NATIVE
from tests.native.c_value import UINT64, Polynomial, Type, Value
from tests.native.curve import P
from tests.native.lane_model import FACTOR_MAX, INSTRUCTIONS

BOUNDS = ["FIELD8_FACTOR_MAX", "FIELD8_PRODUCT_MAX", "FIELD8_CARRIED_MAX", "FIELD8_BIAS", "FIELD_SUBTRAHEND_MAX"]
# The bounds that field.h proves for its own functions, which test_field_bounds.py and test_inverse.py hold.
CANONICAL_MAX = 2**51 - 1
SCALAR_CARRIED_MAX = 2**51 + 2**13


def leave_carried(arguments: list[Object]) -> None:
    """Do what field_invert does, as test_inverse.py shows."""
    assert all(limb.high < 2**54 for limb in arguments[1]["limb"])
    arguments[0]["limb"][:] = [Value.within(UINT64, SCALAR_CARRIED_MAX)] * 5


def machine(**trusted: Callable[[list[Object]], None]) -> Machine:
    """Read the headers; the functions that are *trusted* are not run."""
    return Machine(
        "group_avx512ifma.h",
        "signature.h",
        macros=["SESSIOND_EMULATED_AVX512=<stdint.h>", "__m512i=uint64_t", "__mmask8=uint8_t"],
        more="".join(f"static const uint64_t OF_{name} = {name};" for name in BOUNDS),
        trusted={**INSTRUCTIONS, "field_invert": leave_carried, **trusted},
    )


MACHINE = machine()
PRODUCT_MAX, CARRIED_MAX, BIAS, SUBTRAHEND_MAX = (MACHINE.constant(f"OF_{name}") for name in BOUNDS[1:])

LARGEST = 2**64 - 1
IN_NO_LANE, IN_THE_LANE = (Value.exactly(Type(8, signed=False), bit) for bit in (0, 1))


def element(high: int, symbol: str | None = None) -> Object:
    """Make a field element with limbs up to *high*, named after *symbol*."""
    return MACHINE.new("field8", lambda path: Value.within(UINT64, high, symbol and f"{symbol}{path[5:]}"))


def unset(struct: str = "field8") -> Object:
    """Make room for a result."""
    return MACHINE.new(struct)


def point() -> Object:
    """Make a point as every function of group_avx512ifma.h leaves it."""
    return MACHINE.new(
        "point8", lambda path: Value.within(UINT64, CARRIED_MAX if path.startswith("T") else PRODUCT_MAX)
    )


def addend() -> Object:
    """Make an addend with the largest limbs that one may have."""
    return MACHINE.new("addend8", lambda _: Value.within(UINT64, FACTOR_MAX))


def run(name: str, *arguments: Object) -> None:
    """Run a function, which has one way through it; results are left in the arguments."""
    assert 1 == len(list(MACHINE.run(name, lambda: list(arguments))))


def high(made: Any) -> int:
    """Find the largest value that any integer of an object may have."""
    if isinstance(made, Value):
        return made.high
    return max(high(one) for one in (made.values() if isinstance(made, dict) else made))


def total(made: Object) -> Polynomial:
    """Give the number that limbs stand for."""
    value: Polynomial = {}
    for place, limb in enumerate(made["limb"]):
        value = c_value.poly_add(value, limb.poly, factor=1 << 51 * place)
    return value


def is_congruent(made: Object, expected: Polynomial) -> bool:
    """Say whether limbs stand for a polynomial modulo p, whatever its symbols are."""
    difference = c_value.poly_add(total(made), expected, factor=-1)
    return all(coefficient % P == 0 for coefficient in difference.values())


def test_the_largest_factor_is_what_the_processor_reads() -> None:
    """The bounds of the header are those of the instruction: 52 bits."""
    assert MACHINE.constant("OF_FIELD8_FACTOR_MAX") == FACTOR_MAX == 2**52 - 1
    assert CARRIED_MAX <= FACTOR_MAX


def test_multiplication() -> None:
    """field8_mul: from factors within bounds it leaves the product modulo p, within bounds."""
    product, a, b = unset(), element(FACTOR_MAX, "a"), element(FACTOR_MAX, "b")
    run("field8_mul", product, a, b)

    assert high(product) <= PRODUCT_MAX
    assert is_congruent(product, c_value.poly_multiply(total(a), total(b)))


def test_product_over_one_of_its_factors() -> None:
    """field8_mul reads both factors whole before it writes."""
    for place in range(2):
        factors = [element(FACTOR_MAX, "a"), element(FACTOR_MAX, "b")]
        expected = c_value.poly_multiply(total(factors[0]), total(factors[1]))
        run("field8_mul", factors[place], *factors)

        assert is_congruent(factors[place], expected)


def test_a_factor_beyond_its_bound_is_refused() -> None:
    """field8_mul: one bit more in any limb of either factor ends the run, so a run within bounds shows something."""
    for place in range(5):
        for first in (True, False):
            large = element(FACTOR_MAX)
            large["limb"][place] = Value.within(UINT64, FACTOR_MAX + 1)
            factors = [large, element(FACTOR_MAX)] if first else [element(FACTOR_MAX), large]
            with pytest.raises(OverflowError, match="only 52 bits"):
                run("field8_mul", unset(), *factors)


def test_carry() -> None:
    """field8_carry: any limbs at all become carried ones, of the same number modulo p, in place too."""
    carried, a = unset(), element(LARGEST, "a")
    run("field8_carry", carried, a)
    in_place = element(LARGEST, "a")
    run("field8_carry", in_place, in_place)

    assert high(carried) <= CARRIED_MAX
    assert is_congruent(carried, total(a))
    assert carried == in_place


def test_addition() -> None:
    """field8_add: the sum, whose limbs are at most the sums of the limbs."""
    added, a, b = unset(), element(PRODUCT_MAX, "a"), element(PRODUCT_MAX, "b")
    run("field8_add", added, a, b)

    assert 2 * PRODUCT_MAX == high(added)
    assert is_congruent(added, c_value.poly_add(total(a), total(b)))


def test_subtraction() -> None:
    """field8_sub: the difference modulo p; no limb goes below zero for any subtrahend within bounds."""
    difference, a, b = unset(), element(2 * PRODUCT_MAX, "a"), element(PRODUCT_MAX, "b")
    run("field8_sub", difference, a, b)

    assert 2 * PRODUCT_MAX + BIAS == high(difference)
    assert is_congruent(difference, c_value.poly_add(total(a), total(b), factor=-1))


def test_subtraction_of_more_than_the_bias() -> None:
    """field8_sub: a subtrahend above the bias would go below zero."""
    with pytest.raises(OverflowError, match="sub gives -"):
        run("field8_sub", unset(), element(PRODUCT_MAX), element(BIAS + 1))


@pytest.mark.parametrize(("mask", "sign"), [(IN_NO_LANE, 1), (IN_THE_LANE, -1)], ids=["kept", "negated"])
def test_negation(mask: Value, sign: int) -> None:
    """field8_negate_if: the number itself, or minus the number modulo p, fit to be a factor."""
    negated = element(SUBTRAHEND_MAX, "a")
    before = total(negated)
    run("field8_negate_if", negated, mask)

    assert high(negated) <= FACTOR_MAX
    assert is_congruent(negated, c_value.poly_add({}, before, factor=sign))


def test_subtrahends_are_within_the_bias() -> None:
    """field8_negate_if: one more than FIELD_SUBTRAHEND_MAX would go below zero."""
    with pytest.raises(OverflowError, match="mask_sub gives -"):
        run("field8_negate_if", element(SUBTRAHEND_MAX + 1), IN_THE_LANE)


@pytest.mark.parametrize("name", ["field8_mul_carry", "field8_sub_carry", "field8_add_carry"])
def test_carried_results_are_factors(name: str) -> None:
    """What is carried at once is fit to be a factor, from the largest operands that the formulas have."""
    operand = FACTOR_MAX if name == "field8_mul_carry" else PRODUCT_MAX
    made = unset()
    run(name, made, element(2 * operand if name == "field8_sub_carry" else operand), element(operand))

    assert high(made) <= CARRIED_MAX


def test_inversion() -> None:
    """field8_invert keeps the bounds of multiplication all the way."""
    inverse = unset()
    run("field8_invert", inverse, element(CARRIED_MAX))

    assert high(inverse) <= CARRIED_MAX


def test_words_to_limbs() -> None:
    """field8_from_words: canonical limbs from any words."""
    made = unset()
    run("field8_from_words", made, [Value(UINT64, *UINT64.range)] * 4)

    assert high(made) <= CANONICAL_MAX


def test_limbs_to_words() -> None:
    """field8_to_words: nothing overflows but the shifts that cut limbs into words."""
    run("field8_to_words", [Value.exactly(UINT64, 0)] * 4, element(FACTOR_MAX))


def test_a_carried_factor_is_below_2p() -> None:
    """field8_to_words: one subtraction of p is enough after its carry, as the comment there says."""
    carried = unset()
    run("field8_carry", carried, element(FACTOR_MAX))
    largest = sum(limb.high << 51 * place for place, limb in enumerate(carried["limb"]))

    assert largest < 2 * P
    assert high(carried) <= 2**51 + 18


def bounds_of(made: Object) -> tuple[int, int]:
    """Give the largest limb of X, Y and Z, and that of T."""
    return max(high(made[name]) for name in "XYZ"), high(made["T"])


def entries() -> list[Object]:
    """Make eight pointers to table entries."""
    entry = {name: [Value.exactly(UINT64, 0)] * 4 for name in ("y_plus_x", "y_minus_x", "xy2d")}
    return [[entry]] * 8


def assert_loaded(loaded: Object, mask: Value) -> None:
    """Hold that the limbs of an addend are those of canonical words, negated if the mask says so."""
    assert high(loaded["y_plus_x"]) <= CANONICAL_MAX
    assert high(loaded["y_minus_x"]) <= CANONICAL_MAX
    assert high(loaded["xy2d"]) <= (2**52 - 2 if mask.known else CANONICAL_MAX)


@pytest.mark.parametrize("mask", [IN_NO_LANE, IN_THE_LANE], ids=["kept", "negated"])
def test_entries_become_factors(mask: Value) -> None:
    """addend8_load: whatever the memory holds, the limbs are fit to be factors."""
    loaded = unset("addend8")
    run("addend8_load", loaded, entries(), mask)

    assert_loaded(loaded, mask)


@pytest.mark.parametrize("mask", [IN_NO_LANE, IN_THE_LANE], ids=["kept", "negated"])
def test_additions_keep_their_bounds(mask: Value) -> None:
    """point8_add_addend: from a point and an addend within bounds it leaves both within bounds."""
    p, q = point(), addend()
    run("point8_add_addend", p, q, entries(), mask)
    largest, largest_of_t = bounds_of(p)

    assert largest <= PRODUCT_MAX
    assert largest_of_t <= CARRIED_MAX
    assert_loaded(q, mask)


@pytest.mark.parametrize(
    ("name", "make_arguments"),
    [
        ("point8_from_addend", lambda: [unset("point8"), addend()]),
        ("point8_add_exchanged", lambda: [point(), Value.exactly(Type(32, signed=True), 4)]),
        (
            "point8_finish_addition",
            lambda: [unset("point8"), *(element(PRODUCT_MAX) for _ in range(3)), element(2 * PRODUCT_MAX)],
        ),
    ],
)
def test_points_keep_their_bounds(name: str, make_arguments: Callable[[], list[Object]]) -> None:
    """From points within bounds every function of points leaves points within bounds; nothing on the way overflows."""
    arguments = make_arguments()
    run(name, *arguments)
    largest, largest_of_t = bounds_of(arguments[0])

    assert largest <= PRODUCT_MAX
    assert largest_of_t <= CARRIED_MAX


def named_point() -> Object:
    """Make a point as ``point()`` does, its limbs named after their places."""
    return MACHINE.new(
        "point8", lambda path: Value.within(UINT64, CARRIED_MAX if path.startswith("T") else PRODUCT_MAX, path)
    )


def test_comparison_of_a_point_out_of_the_lanes() -> None:
    """From any point of the lanes point8_first leaves the same one, fit for an inversion and for signature_matches."""
    p, first, z_inverse = named_point(), unset("point"), unset("field")
    run("point8_first", first, p)
    run("field_invert", z_inverse, first["Z"])
    signature = [Value.within(Type(8, signed=False), 255) for _ in range(64)]

    assert all(high(first[name]) <= CARRIED_MAX for name in "XYZT")
    assert all(is_congruent(first[name], total(p[name])) for name in "XYZT")
    assert list(MACHINE.run("signature_matches", lambda: [signature, first, z_inverse]))


def test_points_share_an_inversion() -> None:
    """point8_share: it keeps any point of the lanes and the product before it, and multiplies that by its Z."""
    p, product, shared = named_point(), element(CARRIED_MAX, "product"), unset("point8_shared")
    before, z = total(product), total(p["Z"])
    run("point8_share", shared, p, product)

    assert all(high(shared[name]) <= CARRIED_MAX for name in shared)
    assert all(is_congruent(shared[name], total(p[name])) for name in "XYZ")
    assert before == total(shared["before"])
    assert high(product) <= CARRIED_MAX
    # What multiplies is the carried Z, which is no polynomial of the limbs of P.
    assert is_congruent(product, c_value.poly_multiply(before, total(shared["Z"])))
    assert is_congruent(shared["Z"], z)


def leave_words(arguments: list[Object]) -> None:
    """Do what field8_to_words does; one subtraction of p is enough for what it takes, see above."""
    assert high(arguments[1]) <= FACTOR_MAX
    arguments[0][:] = [Value(UINT64, *UINT64.range)] * 4


def test_points_leave_an_inversion() -> None:
    """point8_unshare: what point8_share and field8_invert leave is fit for it, and it leaves such an inverse."""
    shared = MACHINE.new("point8_shared", lambda path: Value.within(UINT64, CARRIED_MAX, path))
    (x, y), inverse = ([Unset(UINT64)] * 4 for _ in range(2)), element(CARRIED_MAX, "inverse")
    expected = c_value.poly_multiply(total(inverse), total(shared["Z"]))
    list(machine(field8_to_words=leave_words).run("point8_unshare", lambda: [x, y, shared, inverse]))

    assert high(inverse) <= CARRIED_MAX
    assert is_congruent(inverse, expected)
    assert high(x) == high(y) == LARGEST  # both are set


def test_a_pass_calls_only_what_is_proven_here() -> None:
    """ed25519_avx512ifma.c has no arithmetic of its own: what it does to elements and points is run in this file."""
    proven = {"addend8_load", "field8_all", "field8_invert", "field_invert", "signature_matches"}
    proven |= {"point8_add_addend", "point8_add_exchanged", "point8_from_addend"}
    proven |= {"point8_first", "point8_share", "point8_unshare"}
    text = (NATIVE / "ed25519_avx512ifma.c").read_text()
    called = re.findall(r"\b((?:field8?|point8?|addend8|signature)_(?!tables)\w+)\(", text)

    assert proven == set(called)


def test_a_point_beyond_its_bounds_is_refused() -> None:
    """point8_add_addend: coordinates of twice the bound go below zero, so a run within bounds shows something."""
    large = point()
    large["X"] = element(2 * PRODUCT_MAX)
    with pytest.raises(OverflowError, match="sub gives -"):
        run("point8_add_addend", large, addend(), entries(), IN_NO_LANE)
