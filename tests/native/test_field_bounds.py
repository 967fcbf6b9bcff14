"""
Proofs: no operation on limbs overflows, and each leaves the bounds that its comment names.

They hold for every input within the bounds, since the text of ``native/*.h`` itself is run on intervals. For the field
operations they also show what is computed: an identity of polynomials modulo p.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.native import c_value
from tests.native.c_machine import Machine, Object, Unset
from tests.native.c_value import INT, UINT64, Polynomial, Type, Value
from tests.native.curve import P


def leave_carried(arguments: list[Object]) -> None:
    """Do what field_invert does, as test_inverse.py shows."""
    arguments[0].update(element(CARRIED_MAX))


# The bounds are those of field.h.
BOUNDS = ["CANONICAL_MAX", "CARRIED_MAX", "SUBTRAHEND_MAX", "FACTOR_MAX"]
MACHINE = Machine(
    "signature.h",
    "table.c",
    more="".join(f"static const uint64_t {name} = FIELD_{name};" for name in BOUNDS),
    trusted={"field_invert": leave_carried},
)
CANONICAL_MAX, CARRIED_MAX, SUBTRAHEND_MAX, FACTOR_MAX = map(MACHINE.constant, BOUNDS)
NEGATED_MAX = 2**52 - 2

BYTE = Type(8, signed=False)


def element(high: int, symbol: str | None = None) -> Object:
    """Make a field element with limbs up to *high*, named after *symbol*."""
    return MACHINE.new("field", lambda path: Value.within(UINT64, high, symbol and f"{symbol}{path[5:]}"))


def point() -> Object:
    """Make a point as every function of group.h leaves it."""
    return MACHINE.new("point", lambda _: Value.within(UINT64, CARRIED_MAX))


def addend() -> Object:
    """Make an addend as table_add makes it ready: canonical, 2dxy perhaps negated."""
    return MACHINE.new(
        "point_addend", lambda path: Value.within(UINT64, NEGATED_MAX if path.startswith("xy2d") else CANONICAL_MAX)
    )


def any_entry() -> Object:
    """Make an entry of any words."""
    return MACHINE.new("table_entry", lambda _: Value.within(UINT64, 2**64 - 1))


def read_entry() -> Object:
    """Make an entry as entry_read leaves it."""
    return MACHINE.new("point_addend", lambda _: Value.within(UINT64, CANONICAL_MAX))


def unset(struct: str = "field") -> Object:
    """Make room for a result."""
    return MACHINE.new(struct)


def unset_word() -> Object:
    """Make room for a word."""
    return Unset(UINT64)


def bytes_of(length: int) -> Object:
    """Make bytes that may be any."""
    return [Value.within(BYTE, 255) for _ in range(length)]


def high(made: Object) -> int:
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


def is_zero(poly: Polynomial) -> bool:
    """Say whether a polynomial is zero modulo p, whatever its symbols are."""
    return all(coefficient % P == 0 for coefficient in poly.values())


def results(name: str, make_arguments: Callable[[], list[Object]]) -> list[tuple[Object, list[Object]]]:
    """Run a function every way through it."""
    return list(MACHINE.run(name, make_arguments))


def test_multiplication() -> None:
    """field_mul: from factors within bounds it leaves the product modulo p, carried."""
    [(_, (product, a, b))] = results("field_mul", lambda: [unset(), element(FACTOR_MAX, "a"), element(FACTOR_MAX, "b")])

    assert high(product) <= CARRIED_MAX
    assert is_zero(c_value.poly_add(total(product), c_value.poly_multiply(total(a), total(b)), factor=-1))


def test_square() -> None:
    """field_sqr: from a factor within bounds it leaves the square modulo p, carried."""
    [(_, (square, a))] = results("field_sqr", lambda: [unset(), element(FACTOR_MAX, "a")])

    assert high(square) <= CARRIED_MAX
    assert is_zero(c_value.poly_add(total(square), c_value.poly_multiply(total(a), total(a)), factor=-1))


def test_product_over_one_of_its_factors() -> None:
    """field_mul and field_sqr read both factors whole before they write."""
    a, b = element(FACTOR_MAX, "a"), element(FACTOR_MAX, "b")
    expected = c_value.poly_multiply(total(a), total(b))

    for arguments in ([a, a, b], [b, element(FACTOR_MAX, "a"), b]):
        [(_, (product, *_))] = results("field_mul", arguments.copy)
        assert is_zero(c_value.poly_add(total(product), expected, factor=-1))


def test_addition() -> None:
    """field_add: the sum, whose limbs are at most the sums of the limbs."""
    [(_, (added, a, b))] = results("field_add", lambda: [unset(), element(CARRIED_MAX, "a"), element(CARRIED_MAX, "b")])

    assert 2 * CARRIED_MAX == high(added)
    assert is_zero(c_value.poly_add(total(added), c_value.poly_add(total(a), total(b)), factor=-1))


def test_subtraction() -> None:
    """field_sub: the difference modulo p; no limb goes below zero for any subtrahend within bounds."""
    [(_, (difference, a, b))] = results(
        "field_sub", lambda: [unset(), element(CARRIED_MAX, "a"), element(SUBTRAHEND_MAX, "b")]
    )

    assert CARRIED_MAX + 2**52 - 2 == high(difference)
    assert is_zero(c_value.poly_add(total(difference), c_value.poly_add(total(a), total(b), factor=-1), factor=-1))


def test_subtraction_of_one_more_than_allowed() -> None:
    """field_sub: the bound of the subtrahend is the largest there is."""
    with pytest.raises(OverflowError, match=r"field_sub: -"):
        results("field_sub", lambda: [unset(), element(CARRIED_MAX), element(SUBTRAHEND_MAX + 1)])


@pytest.mark.parametrize("negative", [0, 1])
def test_negation(negative: int) -> None:
    """field_negate_if: the number itself, or minus the number modulo p, without a branch."""
    [(_, (negated, _))] = results(
        "field_negate_if", lambda: [element(SUBTRAHEND_MAX, "a"), Value.exactly(UINT64, negative)]
    )

    assert [SUBTRAHEND_MAX, NEGATED_MAX][negative] == high(negated)
    expected = total(element(SUBTRAHEND_MAX, "a"))
    assert is_zero(c_value.poly_add(total(negated), expected, factor=[-1, 1][negative]))


def test_factors_beyond_their_bound_overflow() -> None:
    """field_mul and field_sqr: limbs of 55 bits overflow, so a run within bounds shows something."""
    with pytest.raises(OverflowError, match="field_carry"):
        results("field_mul", lambda: [unset(), element(2**55 - 1), element(2**55 - 1)])
    with pytest.raises(OverflowError, match="field_carry"):
        results("field_sqr", lambda: [unset(), element(2**55 - 1)])


def test_words_to_limbs() -> None:
    """field_from_words: canonical limbs from any words."""
    [(_, (made, _))] = results("field_from_words", lambda: [unset(), [Value.within(UINT64, 2**64 - 1)] * 4])

    assert high(made) <= CANONICAL_MAX


def test_limbs_to_words() -> None:
    """field_to_words: nothing overflows for any factor within bounds."""
    assert 1 == len(results("field_to_words", lambda: [[unset_word() for _ in range(4)], element(FACTOR_MAX)]))


def test_power() -> None:
    """field_pow_p58: the bounds of multiplication hold all the way."""
    [(_, (power, _))] = results("field_pow_p58", lambda: [unset(), element(FACTOR_MAX)])

    assert high(power) <= CARRIED_MAX


@pytest.mark.parametrize(
    ("name", "make_arguments"),
    [
        ("point_from_affine", lambda: [unset("point"), element(CARRIED_MAX), element(CARRIED_MAX)]),
        ("point_negate", lambda: [unset("point"), point()]),
        ("point_add", lambda: [unset("point"), point(), point()]),
        ("point_add_addend", lambda: [unset("point"), point(), addend()]),
        ("point_double", lambda: [unset("point"), point()]),
        (
            "build_run",
            lambda: [[unset("table_entry") for _ in range(3)], Value.exactly(INT, 3), point(), point()],
        ),
    ],
)
def test_points_stay_carried(name: str, make_arguments: Callable[[], list[Object]]) -> None:
    """From carried coordinates every function of points leaves carried ones, and nothing on the way overflows."""
    [(_, arguments)] = results(name, make_arguments)
    points = [one for one in arguments if isinstance(one, dict) and "T" in one]

    assert all(high(one) <= CARRIED_MAX for one in points)


@pytest.mark.parametrize(
    ("name", "make_rest"),
    [
        ("entry_is_sum", lambda: [read_entry(), read_entry(), element(CARRIED_MAX)]),
        ("entry_is_point", lambda: [point()]),
    ],
)
def test_checks_of_entries_stay_in_bounds(name: str, make_rest: Callable[[], list[Object]]) -> None:
    """Whatever 96 bytes stand in a table, nothing overflows while they are checked, and what is read is canonical."""
    ways = results(name, lambda: [unset("point_addend"), any_entry(), *make_rest()])

    assert ways
    assert all(high(read) <= CANONICAL_MAX for _, (read, *_) in ways)


def test_sum_over_one_of_its_terms() -> None:
    """Sums may be written over a term: the functions read it whole before they write."""
    for name, other in (("point_add", point), ("point_add_addend", addend)):
        target = point()
        [(_, (total_point, *_))] = results(name, [target, target, other()].copy)
        assert high(total_point) <= CARRIED_MAX


def test_decoding() -> None:
    """point_decode: whatever the bytes are and whichever way it goes, a point that it leaves is carried."""
    ways = results("point_decode", lambda: [unset("point"), bytes_of(32)])
    accepted = [arguments[0] for result, arguments in ways if result.known == 1]

    assert 4 == len(accepted)  # with the root or its product with that of -1, with or without a turned sign
    assert all(high(one) <= CARRIED_MAX for one in accepted)
    assert {0, 1} == {result.known for result, _ in ways}


def test_comparison_with_R() -> None:  # noqa: N802 - the RFC's name
    """signature_matches: nothing overflows on the way from a carried point to the bytes of R."""
    assert results("signature_matches", lambda: [bytes_of(64), point(), element(CARRIED_MAX)])


def test_scalar_reduction_stays_in_its_words() -> None:
    """scalar_reduce: no product or carry overflows 128 bits and no word lies outside its array, for any 512 bits."""
    words = [Value.within(UINT64, 2**64 - 1) for _ in range(8)]

    assert results("scalar_reduce", lambda: [unset("scalar"), list(words)])


@pytest.mark.parametrize("width", [2, 4, 8])
def test_recoding_stays_in_its_digits(width: int) -> None:
    """scalar_recode: below L each digit is in [-2^(width - 1), 2^(width - 1)), and the top one not negative."""
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = {"word": [Value.within(UINT64, min(order >> 64 * place, 2**64 - 1)) for place in range(4)]}
    digits = [Unset(Type(16, signed=True)) for _ in range(256 // width)]
    [(_, (digits, *_))] = results("scalar_recode", lambda: [digits, scalar, Value.exactly(INT, width)])

    assert all(-(1 << (width - 1)) <= digit.low and digit.high < 1 << (width - 1) for digit in digits)
    assert digits[-1].low >= 0
