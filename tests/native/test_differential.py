"""
The extension and PyNaCl give the same answer to signatures that somebody took pains over.

Each class of cases is made to hit one clause of the rule: S below the order, canonical encodings, points of small
order, keys and R with a torsion component (which whoever holds the secret can make), and the equation itself.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.native import curve
from tests.native.answers import Case, by_batches, by_once, by_pynacl, by_table, table
from tests.native.tokens import flipped

N_KEYS = 6
N_NONCES = 24
TORSION = curve.TORSION


class Signer:
    """
    A secret that signs by the book and beside it.

    Everything is computed once for each torsion component: keys and nonces are few, and messages tell signatures apart.
    """

    def __init__(self, chance: random.Random) -> None:
        self.secret = chance.randrange(1, curve.L)
        point = curve.multiply(self.secret, curve.B)
        self.keys = [curve.encode(curve.add(point, torsion)) for torsion in TORSION]
        self.nonces = []
        for _ in range(N_NONCES):
            nonce = chance.randrange(1, curve.L)
            commitment = curve.multiply(nonce, curve.B)
            self.nonces.append((nonce, [curve.encode(curve.add(commitment, torsion)) for torsion in TORSION]))

    def challenge(self, R: bytes, public_key: bytes, message: bytes) -> int:  # noqa: N803 - the RFC's name
        """Compute k of RFC 8032, section 5.1.7, step 2."""
        return int.from_bytes(hashlib.sha512(R + public_key + message).digest(), "little") % curve.L

    def sign(self, chance: random.Random, message: bytes, *, torsion_of_key: int = 0, torsion_of_R: int = 0) -> Case:  # noqa: N803
        """Sign with a key and an R that have the torsion components asked for."""
        public_key = self.keys[torsion_of_key]
        nonce, commitments = chance.choice(self.nonces)
        R = commitments[torsion_of_R]  # noqa: N806
        S = (nonce + self.challenge(R, public_key, message) * self.secret) % curve.L  # noqa: N806
        return Case("", public_key, message, R + S.to_bytes(32, "little"))

    def sign_for(self, R: bytes, message: bytes, *, torsion_of_key: int = 0) -> Case:  # noqa: N803
        """Sign as if *R* were the encoding of the neutral element: S = k a."""
        public_key = self.keys[torsion_of_key]
        S = self.challenge(R, public_key, message) * self.secret % curve.L  # noqa: N806
        return Case("", public_key, message, R + S.to_bytes(32, "little"))


SIGNERS = [Signer(random.Random(seed)) for seed in range(N_KEYS)]  # noqa: S311 - test keys

# Every y that has a second spelling, with both signs; and the points of small order in all spellings.
NOT_CANONICAL = [(y + curve.P | sign << 255).to_bytes(32, "little") for y in range(19) for sign in (0, 1)]
SMALL_ORDER = list(
    dict.fromkeys(
        [
            *map(curve.encode, TORSION),
            *(flipped(curve.encode(point), 255) for point in TORSION),
            *(encoding for encoding in NOT_CANONICAL if int.from_bytes(encoding, "little") % 2**255 - curve.P < 2),
        ]
    )
)


def with_S(case: Case, S: int) -> Case:  # noqa: N802, N803
    """Give the case another S, of 256 bits."""
    return case._replace(signature=case.signature[:32] + S.to_bytes(32, "little"))


def good(signer: Signer, chance: random.Random, message: bytes) -> Case:
    """Sign by the book."""
    return signer.sign(chance, message)


def flipped_R(signer: Signer, chance: random.Random, message: bytes) -> Case:  # noqa: N802
    """Turn a bit of R over."""
    case = signer.sign(chance, message)
    return case._replace(signature=flipped(case.signature, chance.randrange(256)))


def flipped_S(signer: Signer, chance: random.Random, message: bytes) -> Case:  # noqa: N802
    """Turn a bit of S over."""
    case = signer.sign(chance, message)
    return case._replace(signature=flipped(case.signature, chance.randrange(256, 512)))


def flipped_message(signer: Signer, chance: random.Random, message: bytes) -> Case:
    """Turn a bit of the message over."""
    return signer.sign(chance, message)._replace(message=flipped(message, chance.randrange(8 * len(message))))


def flipped_key(signer: Signer, chance: random.Random, message: bytes) -> Case:
    """Turn a bit of the key over; only some bits, so that tables are few."""
    case = signer.sign(chance, message)
    return case._replace(public_key=flipped(case.public_key, chance.randrange(0, 256, 13)))


def other_key(signer: Signer, chance: random.Random, message: bytes) -> Case:
    """Show the signature under another signer's key."""
    return signer.sign(chance, message)._replace(public_key=chance.choice(SIGNERS).keys[0])


def S_of_another_spelling(signer: Signer, chance: random.Random, message: bytes) -> Case:  # noqa: N802
    """Add a multiple of L to S, which changes nothing modulo L."""
    case = signer.sign(chance, message)
    S = int.from_bytes(case.signature[32:], "little")  # noqa: N806
    return with_S(case, S + curve.L * chance.randint(0, (2**256 - 1 - S) // curve.L))


def S_at_an_edge(signer: Signer, chance: random.Random, message: bytes) -> Case:  # noqa: N802
    """Set S near a power of two or a multiple of L."""
    near = chance.choice(
        [0, curve.L, 2 * curve.L, 8 * curve.L, 2**252, 2**253, 2**255, 2**256 - 1, 2**64, 2**128, 2**192]
    )
    return with_S(signer.sign(chance, message), min(max(near + chance.randint(-3, 3), 0), 2**256 - 1))


def torsion_in_R(signer: Signer, chance: random.Random, message: bytes) -> Case:  # noqa: N802
    """Let R have a torsion component: good only by a rule with a cofactor."""
    return signer.sign(chance, message, torsion_of_R=chance.randrange(8))


def torsion_in_key(signer: Signer, chance: random.Random, message: bytes) -> Case:
    """Let the key have a torsion component: good when 8 divides k."""
    return signer.sign(chance, message, torsion_of_key=chance.randrange(8))


def torsion_in_both(signer: Signer, chance: random.Random, message: bytes) -> Case:
    """Let key and R have torsion components, which may cancel."""
    return signer.sign(chance, message, torsion_of_key=chance.randrange(8), torsion_of_R=chance.randrange(8))


def small_order_R(signer: Signer, chance: random.Random, message: bytes) -> Case:  # noqa: N802
    """Let R be of small order, in any spelling, with an S that fits the equation."""
    return signer.sign_for(chance.choice(SMALL_ORDER), message, torsion_of_key=chance.randrange(8))


def R_of_another_spelling(signer: Signer, chance: random.Random, message: bytes) -> Case:  # noqa: N802
    """Let R have a y of p or more."""
    return signer.sign_for(chance.choice(NOT_CANONICAL), message, torsion_of_key=chance.randrange(2))


def key_of_another_spelling(signer: Signer, chance: random.Random, message: bytes) -> Case:
    """Let the key have a y of p or more, or be of small order, with R and S that fit the equation for A = 0."""
    nonce, commitments = chance.choice(signer.nonces)
    case = Case("", chance.choice(NOT_CANONICAL + SMALL_ORDER), message, commitments[0] + nonce.to_bytes(32, "little"))
    return case if chance.random() < 0.8 else case._replace(signature=signer.sign(chance, message).signature)


def made_up(signer: Signer, chance: random.Random, message: bytes) -> Case:
    """Fill the signature, and at times the key, with anything; keys out of a few, so that tables are few."""
    key = signer.keys[0] if chance.random() < 0.8 else hashlib.sha256(bytes([chance.randrange(40)])).digest()
    return Case("", key, message, chance.choice([chance.randbytes(64), bytes(64), b"\xff" * 64, key + key]))


def wrong_length(signer: Signer, chance: random.Random, message: bytes) -> Case:
    """Cut the key or the signature, or let them be too long."""
    case = signer.sign(chance, message)
    if chance.random() < 0.5:
        return case._replace(signature=(case.signature + bytes(8))[: chance.choice([0, 1, 32, 63, 65, 72])])
    return case._replace(public_key=(case.public_key + bytes(8))[: chance.choice([0, 1, 31, 33, 40])])


Maker = Callable[[Signer, random.Random, bytes], Case]

# How many cases of each class, and whether some must be good and some bad.
CLASSES: list[tuple[Maker, int, set[bool]]] = [
    (good, 500, {True}),
    (flipped_R, 1500, {False}),
    (flipped_S, 1500, {False}),
    (flipped_message, 1000, {False}),
    (flipped_key, 1000, {False}),
    (other_key, 500, {True, False}),
    (S_of_another_spelling, 1500, {True, False}),
    (S_at_an_edge, 1500, {False}),
    (torsion_in_R, 1500, {True, False}),
    (torsion_in_key, 1500, {True, False}),
    (torsion_in_both, 3000, {True, False}),
    (small_order_R, 1500, {False}),
    (R_of_another_spelling, 1000, {False}),
    (key_of_another_spelling, 1000, {False}),
    (made_up, 1000, {False}),
    (wrong_length, 500, {False}),
]


def cases(make: Maker, n_cases: int, seed: int) -> Iterator[Case]:
    """Make the same cases each time, with messages that cross the blocks of SHA-512."""
    chance = random.Random(f"{make.__name__} {seed}")  # noqa: S311 - the same cases each time
    for place in range(n_cases):
        message = chance.randbytes(chance.choice([1, 14, 47, 48, 64, 111, 112, 300]))
        yield make(chance.choice(SIGNERS), chance, message)._replace(origin=f"{make.__name__} {seed} {place}")


def differences(made: list[Case]) -> tuple[Counter[bool], list[str]]:
    """Count PyNaCl's answers, and name the cases that any entry point answers otherwise."""
    expected = [by_pynacl(case) for case in made]
    wrong = [
        case.origin
        for case, answer, in_batch in zip(made, expected, by_batches(made), strict=True)
        if {answer} != {by_once(case), by_table(case), in_batch}
    ]
    return Counter(expected), wrong


def test_there_are_twenty_thousand_cases() -> None:
    """The classes add up."""
    assert 20_000 == sum(n_cases for _, n_cases, _ in CLASSES)


@pytest.mark.parametrize(("make", "n_cases", "answers"), CLASSES, ids=[make.__name__ for make, _, _ in CLASSES])
def test_no_difference_to_pynacl(make: Maker, n_cases: int, answers: set[bool]) -> None:
    """One by one, in a batch and without a table: the answers to every case of the class are PyNaCl's."""
    found, wrong = differences(list(cases(make, n_cases, 0)))

    assert [] == wrong
    assert answers == set(found)


def test_an_eighth_of_keys_with_torsion_is_good() -> None:
    """The rule has no cofactor: under a key with a component of order 8, one signature in eight fits."""
    chance = random.Random(8)  # noqa: S311 - the same cases each time
    made = [SIGNERS[0].sign(chance, place.to_bytes(2, "big"), torsion_of_key=1) for place in range(2000)]

    assert 0.1 < sum(map(by_table, made)) / 2000 < 0.15
    assert curve.multiply(8, TORSION[1]) == curve.NEUTRAL != curve.multiply(4, TORSION[1])


@pytest.mark.parametrize("public_key", SMALL_ORDER, ids=bytes.hex)
def test_keys_of_small_order_get_no_table(public_key: bytes) -> None:
    """A key of small order is refused in every spelling."""
    assert table(public_key) is None


@pytest.mark.parametrize("public_key", NOT_CANONICAL, ids=bytes.hex)
def test_keys_of_another_spelling_get_no_table(public_key: bytes) -> None:
    """A key whose y is p or more is refused."""
    assert table(public_key) is None


@pytest.mark.parametrize("public_key", SMALL_ORDER + NOT_CANONICAL, ids=bytes.hex)
def test_refused_keys_verify_nothing_without_a_table(public_key: bytes) -> None:
    """Nor does such a key verify without a table what would fit if it were the neutral element."""
    nonce, commitments = SIGNERS[0].nonces[0]
    case = Case("", public_key, b"message", commitments[0] + nonce.to_bytes(32, "little"))

    assert not by_once(case)
    assert not by_pynacl(case)


def test_keys_that_decode_get_a_table() -> None:
    """Whether 32 bytes are a key is what the curve says, for encodings near its edges and for any."""
    chance = random.Random(32)  # noqa: S311 - the same cases each time
    edges = [*range(40), *range(curve.P - 40, curve.P), 2**255 - 1]
    encodings = [(y | sign << 255).to_bytes(32, "little") for y in edges for sign in (0, 1)]
    encodings += [chance.randbytes(32) for _ in range(200)]
    expected = [
        (point := curve.decode(encoding)) is not None and curve.multiply(8, point) != curve.NEUTRAL
        for encoding in encodings
    ]

    assert expected == [table(encoding) is not None for encoding in encodings]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 26))
def test_no_difference_in_half_a_million(seed: int) -> None:
    """The same classes with other cases, 25 times over."""
    for make, n_cases, answers in CLASSES:
        found, wrong = differences(list(cases(make, n_cases, seed)))

        assert [] == wrong
        assert answers == set(found)
