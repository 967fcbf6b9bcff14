"""
What the instructions of AVX-512 do to one lane of bounded values, for the proofs about ``native/*_avx512ifma.h``.

Every instruction of the field arithmetic treats each lane by itself, so one lane stands for all. An operation that
could leave 64 bits ends the run, and so does a factor that could pass 52 bits: a processor would drop the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.native import c_value
from tests.native.c_machine import Object
from tests.native.c_value import UINT64, Value

FACTOR_MAX = 2**52 - 1


def checked(result: Value, operation: str) -> Value:
    """Hold that a result is one of 64 bits."""
    if not result.fits():
        message = f"{operation} gives {result.low} to {result.high}"
        raise OverflowError(message)
    return result


def product(a: Value, b: Value) -> Value:
    """Multiply two factors, without an end."""
    if max(a.high, b.high) > FACTOR_MAX:
        message = f"a factor up to {max(a.high, b.high)}: only 52 bits are multiplied"
        raise OverflowError(message)
    return c_value.multiply(a, b)


def multiply_add_low(arguments: list[Value]) -> Value:
    """Add the lower 52 bits of a product."""
    start, a, b = arguments
    low = c_value.bit_and(product(a, b), Value.exactly(UINT64, FACTOR_MAX))
    return checked(c_value.add(start, low), "madd52lo")


def multiply_add_high(arguments: list[Value]) -> Value:
    """Add what lies above the lower 52 bits of a product."""
    start, a, b = arguments
    high = c_value.shift_right(product(a, b), Value.exactly(UINT64, 52))
    return checked(c_value.add(start, high), "madd52hi")


def shift_left(arguments: list[Value]) -> Value:
    """Shift; a value that may lose bits may become any."""
    shifted = c_value.shift_left(*arguments)
    return shifted if shifted.fits() else Value(UINT64, *UINT64.range)


def masked_difference(arguments: list[Value]) -> Value:
    """Subtract if the lane's bit of the mask is set."""
    source, mask, a, b = arguments
    assert mask.known is not None
    return checked(c_value.subtract(a, b), "mask_sub") if mask.known else source


def any_words(arguments: list[Object]) -> None:
    """Read memory, which may hold anything."""
    arguments[0][:] = [Value(UINT64, *UINT64.range)] * 4


INSTRUCTIONS: dict[str, Callable[[list[Object]], Object]] = {
    "_mm512_add_epi64": lambda args: checked(c_value.add(*args), "add"),
    "_mm512_sub_epi64": lambda args: checked(c_value.subtract(*args), "sub"),
    "_mm512_mask_sub_epi64": masked_difference,
    "_mm512_mask_blend_epi64": lambda args: args[2] if args[0].known else args[1],
    "_mm512_and_si512": lambda args: c_value.bit_and(*args),
    "_mm512_or_si512": lambda args: c_value.bit_or(*args),
    "_mm512_slli_epi64": shift_left,
    "_mm512_srli_epi64": lambda args: c_value.shift_right(*args),
    "_mm512_shrdi_epi64": lambda _: Value(UINT64, *UINT64.range),
    "_mm512_setzero_si512": lambda _: Value.exactly(UINT64, 0),
    "_mm512_madd52lo_epu64": multiply_add_low,
    "_mm512_madd52hi_epu64": multiply_add_high,
    # What native/avx512.h makes of the rest: the same number in all lanes, one lane, another lane, memory.
    "lanes_all": lambda args: args[0].cast(UINT64),
    "_mm512_castsi512_si128": lambda args: args[0],
    "_mm_cvtsi128_si64": lambda args: args[0],
    "lanes_exchange": lambda args: Value(UINT64, args[0].low, args[0].high),
    "lanes_from_rows_4": any_words,
}
