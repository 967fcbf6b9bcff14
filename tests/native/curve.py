"""
edwards25519 in plain Python integers (RFC 8032, section 5.1): what the C is compared with.

Slow and clear. Points are affine pairs; encodings are bytes.
"""

from __future__ import annotations

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]

NEUTRAL: Point = (0, 1)


def add(p: Point, q: Point) -> Point:
    """Add two points; the formula has no exception."""
    (x1, y1), (x2, y2) = p, q
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def negate(p: Point) -> Point:
    """Give the point that sums with *p* to the neutral one."""
    return -p[0] % P, p[1]


def multiply(scalar: int, p: Point) -> Point:
    """Add *p* to itself *scalar* times, by doubling."""
    total = NEUTRAL
    while scalar:
        if scalar & 1:
            total = add(total, p)
        p = add(p, p)
        scalar >>= 1
    return total


def is_on_curve(p: Point) -> bool:
    """Say whether a pair of coordinates is a point."""
    x, y = p
    return (y * y - x * x - 1 - D * x * x * y * y) % P == 0


def encode(p: Point) -> bytes:
    """Encode a point: y, with the lowest bit of x on top."""
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def decode(encoding: bytes) -> Point | None:
    """Decode a point; None when its y is not below p or no x fits. A sign at x = 0 means nothing, as in libsodium."""
    value = int.from_bytes(encoding, "little")
    y, sign = value & (2**255 - 1), value >> 255
    if y >= P:
        return None
    u, v = y * y - 1, D * y * y + 1
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * SQRT_M1 % P
    if (v * x * x - u) % P:
        return None
    return (-x % P if x & 1 != sign else x), y


def _base_point() -> Point:
    found = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert found is not None
    return found


B = _base_point()


def _torsion() -> list[Point]:
    """List the multiples of a point of order 8."""
    y = 2
    while True:
        point = decode(y.to_bytes(32, "little"))
        y += 1
        if point is not None:
            generator = multiply(L, point)
            if multiply(4, generator) != NEUTRAL:
                return [multiply(n, generator) for n in range(8)]


TORSION = _torsion()
