"""
An integer of C as far as it can be known: the interval it lies in, and the polynomial that it is.

The interval proves that nothing overflows. The polynomial, in whatever symbols the inputs are, proves what is computed:
a shift by k bits names the quotient with a symbol, and the remainder is the rest, so carries stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

# A monomial, its symbols sorted, with its coefficient.
Polynomial = dict[tuple[str, ...], int]


def constant(value: int) -> Polynomial:
    """Give the polynomial without symbols."""
    return {(): value} if value else {}


def poly_add(a: Polynomial, b: Polynomial, factor: int = 1) -> Polynomial:
    """Compute a + factor b."""
    total = dict(a)
    for monomial, coefficient in b.items():
        total[monomial] = total.get(monomial, 0) + factor * coefficient
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def poly_multiply(a: Polynomial, b: Polynomial) -> Polynomial:
    """Compute a b."""
    product: Polynomial = {}
    for left, x in a.items():
        for right, y in b.items():
            monomial = tuple(sorted(left + right))
            product[monomial] = product.get(monomial, 0) + x * y
    return {monomial: coefficient for monomial, coefficient in product.items() if coefficient}


def quotient(poly: Polynomial, bits: int) -> Polynomial:
    """Name poly >> bits: the same symbol for the same quotient."""
    return {(f"({sorted(poly.items())} >> {bits})",): 1}


@dataclass(frozen=True)
class Type:
    """An integer type."""

    bits: int
    signed: bool

    @property
    def range(self) -> tuple[int, int]:
        """The least and the greatest value."""
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)


INT = Type(32, signed=True)
UINT64 = Type(64, signed=False)


def common(a: Type, b: Type) -> Type:
    """Find the type that C converts both operands to."""
    if max(a.bits, b.bits) < INT.bits:
        return INT
    if a.bits == b.bits:
        return Type(a.bits, signed=a.signed and b.signed)
    return max(a, b, INT, key=lambda one: one.bits)


@dataclass(frozen=True)
class Value:
    """An integer of type ``type`` in [low, high]; ``poly`` is None where it is not followed."""

    type: Type
    low: int
    high: int
    poly: Polynomial | None = None
    # What the value was before a cast cut its upper bits off: its lower bits are the same.
    uncut: Value | None = field(default=None, compare=False)

    @classmethod
    def exactly(cls, kind: Type, value: int) -> Value:
        """Give a known number."""
        return cls(kind, value, value, constant(value))

    @classmethod
    def within(cls, kind: Type, high: int, symbol: str | None = None) -> Value:
        """Give an input from 0 to *high*."""
        return cls(kind, 0, high, None if symbol is None else {(symbol,): 1})

    def __deepcopy__(self, _: object) -> Value:
        return self  # it never changes

    @property
    def known(self) -> int | None:
        """The number, where it is known."""
        return self.low if self.low == self.high else None

    def fits(self) -> bool:
        """Say whether every value of the interval is one of the type."""
        low, high = self.type.range
        return low <= self.low and self.high <= high

    def cast(self, kind: Type) -> Value:
        """Convert to a type; what does not fit an unsigned one loses its upper bits."""
        cast = replace(self, type=kind, uncut=None)
        if cast.fits():
            return cast
        if kind.signed:
            message = f"a value up to {self.high} does not fit {kind}"
            raise OverflowError(message)
        return Value(kind, *kind.range, uncut=self)

    def wrapped(self) -> Value:
        """Reduce modulo the size of an unsigned type: exact where the whole interval wraps the same number of times."""
        if self.type.signed:
            message = f"a signed number up to {self.high} overflows"
            raise OverflowError(message)
        size = 1 << self.type.bits
        times = self.low // size
        if self.high // size != times:
            return Value(self.type, *self.type.range)
        poly = None if self.poly is None else poly_add(self.poly, constant(-times * size))
        return replace(self, low=self.low - times * size, high=self.high - times * size, poly=poly)


def is_sign(a: Value) -> bool:
    """Say whether a value can only be 0 or -1, as a mask made from a sign is."""
    return -1 <= a.low <= a.high <= 0


def _polys(a: Value, b: Value) -> tuple[Polynomial, Polynomial] | None:
    return None if a.poly is None or b.poly is None else (a.poly, b.poly)


def _number(kind: Type, low: int, high: int, poly: Polynomial | None) -> Value:
    return Value.exactly(kind, low) if low == high else Value(kind, low, high, poly)


def add(a: Value, b: Value) -> Value:
    """Compute a + b, as if types had no end."""
    polys = _polys(a, b)
    poly = None if polys is None else poly_add(*polys)
    return _number(common(a.type, b.type), a.low + b.low, a.high + b.high, poly)


def subtract(a: Value, b: Value) -> Value:
    """Compute a - b, as if types had no end."""
    polys = _polys(a, b)
    poly = None if polys is None else poly_add(*polys, factor=-1)
    return _number(common(a.type, b.type), a.low - b.high, a.high - b.low, poly)


def multiply(a: Value, b: Value) -> Value:
    """Compute a b, as if types had no end."""
    polys = _polys(a, b)
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    poly = None if polys is None else poly_multiply(*polys)
    return _number(common(a.type, b.type), min(corners), max(corners), poly)


def divide(a: Value, b: Value) -> Value:
    """Compute a / b of known numbers that are not negative."""
    if a.known is None or not b.known or a.low < 0 or b.low < 0:
        message = "only known numbers are divided"
        raise NotImplementedError(message)
    return Value.exactly(common(a.type, b.type), a.low // b.low)


def shift_right(a: Value, b: Value) -> Value:
    """Compute a >> b, rounding down."""
    if b.known is None:
        message = "shifts go by known numbers"
        raise NotImplementedError(message)
    poly = None if a.poly is None else quotient(a.poly, b.known)
    return _number(a.type, a.low >> b.known, a.high >> b.known, poly)


def shift_left(a: Value, b: Value) -> Value:
    """Compute a << b, as if types had no end."""
    if b.known is None or a.low < 0:
        message = "shifts go by known numbers"
        raise NotImplementedError(message)
    return replace(multiply(a, Value.exactly(a.type, 1 << b.known)), type=a.type)


def bit_and(a: Value, b: Value) -> Value:
    """Compute a & b: one of them is known, or is 0 or -1."""
    if a.known is not None or is_sign(a):
        a, b = b, a
    kind = common(a.type, b.type)
    mask = b.known
    if is_sign(b) and mask != 0:
        return replace(a, type=kind) if mask == -1 else Value(kind, min(a.low, 0), max(a.high, 0))
    if mask is None or mask < 0:
        message = "masks are known numbers"
        raise NotImplementedError(message)
    if a.known is not None:
        return Value.exactly(kind, a.known & mask)
    if mask & (mask + 1):  # not a row of ones
        return Value(kind, 0, mask)
    if 0 <= a.low and a.high <= mask:
        return replace(a, type=kind, uncut=None)
    source = a if a.uncut is None else a.uncut
    if source.poly is None:
        return Value(kind, 0, mask)
    rest = poly_add(source.poly, quotient(source.poly, mask.bit_length()), factor=-(mask + 1))
    return Value(kind, 0, mask, rest)


def bit_xor(a: Value, b: Value) -> Value:
    """Compute a ^ b of values that are not negative; b may be 0 or -1 for any a."""
    kind = common(a.type, b.type)
    if kind.signed and is_sign(b) and b.known != 0:
        turned = replace(subtract(b, a), type=kind)  # -1 - a
        return turned if b.known == -1 else Value(kind, min(a.low, -1 - a.high), max(a.high, -1 - a.low))
    if b.known == kind.range[1] and not kind.signed:
        return replace(subtract(b, a), type=kind)
    if b.known == 0:
        return replace(a, type=kind)
    if a.known is not None and b.known is not None:
        return Value.exactly(kind, a.known ^ b.known)
    return Value(kind, 0, (1 << max(a.high, b.high).bit_length()) - 1)


def bit_or(a: Value, b: Value) -> Value:
    """Compute a | b of values that are not negative."""
    kind = common(a.type, b.type)
    if 0 in (a.known, b.known):
        return replace(b if a.known == 0 else a, type=kind)
    if a.known is not None and b.known is not None:
        return Value.exactly(kind, a.known | b.known)
    return Value(kind, max(a.low, b.low), (1 << max(a.high, b.high).bit_length()) - 1)


def compare(a: Value, operator: str, b: Value) -> bool | None:
    """Compare; None where the intervals do not say."""
    match operator:
        case "<":
            return True if a.high < b.low else False if a.low >= b.high else None
        case "<=":
            return True if a.high <= b.low else False if a.low > b.high else None
        case ">":
            return compare(b, "<", a)
        case ">=":
            return compare(b, "<=", a)
        case "==" | "!=":
            equal = (
                False
                if a.high < b.low or b.high < a.low
                else True
                if a.known is not None and a.known == b.known
                else None
            )
            return equal if operator == "==" or equal is None else not equal
        case _:
            raise NotImplementedError(operator)
