"""
Every torsion component on the key with every one on R: the rule has no cofactor, so only those that cancel are good.

With the key A + i T and R + j T, T of order 8, [S]B - [k](A + i T) is R - k i T: R + j T if 8 divides k i + j.
"""

from __future__ import annotations

import functools
import random
from pathlib import Path

import pytest

from tests.native import curve
from tests.native.answers import Case, by_batches, by_once, by_pynacl, by_table
from tests.native.implementation import CHOICES, Choice, Implementation, compiled
from tests.native.test_differential import SIGNERS

SIGNER = SIGNERS[0]


@functools.cache
def cases() -> list[tuple[Case, bool]]:
    """Sign for the eight components of the key, the eight of R and the eight values of k modulo 8, with the answer."""
    chance = random.Random(8)  # noqa: S311 - the same cases each time
    made = []
    for of_key in range(8):
        for of_R in range(8):  # noqa: N806 - the RFC's name
            left = set(range(8))
            while left:
                case = SIGNER.sign(chance, chance.randbytes(40), torsion_of_key=of_key, torsion_of_R=of_R)
                k = SIGNER.challenge(case.signature[:32], case.public_key, case.message) % 8
                if k in left:
                    left.remove(k)
                    origin = f"key + {of_key} T, R + {of_R} T, k = {k}"
                    made.append((case._replace(origin=origin), (k * of_key + of_R) % 8 == 0))
    return made


def wrong(answers: list[bool]) -> list[str]:
    """Name the cases that got another answer."""
    return [case.origin for (case, good), answer in zip(cases(), answers, strict=True) if good is not answer]


def test_there_are_eight_cases_of_each_pair() -> None:
    """All are there; one in eight is good, and of the keys and R without a component all or none."""
    assert 8 * 8 * 8 == len(cases())
    assert 64 == sum(good for _, good in cases())
    assert 8 * 8 == len({(case.public_key, origin.split(",")[1]) for case, _ in cases() for origin in [case.origin]})
    assert curve.multiply(8, curve.TORSION[1]) == curve.NEUTRAL != curve.multiply(4, curve.TORSION[1])


def test_pynacl_has_no_cofactor() -> None:
    """PyNaCl gives the answers of the rule."""
    assert [] == wrong([by_pynacl(case) for case, _ in cases()])


def test_the_extension_has_no_cofactor() -> None:
    """With a table, in a batch and without a table, the extension does."""
    assert [] == wrong([by_table(case) for case, _ in cases()])
    assert [] == wrong([by_once(case) for case, _ in cases()])
    assert [] == wrong(by_batches([case for case, _ in cases()]))


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_no_implementation_has_a_cofactor(libraries: Path, choice: Choice) -> None:
    """Alone and in a batch in which all stand together, each implementation does."""
    try:
        implementation = Implementation(compiled(libraries, emulated=choice.emulated), choice)
    except ValueError as error:
        pytest.skip(str(error))

    assert [] == wrong([implementation.one(case) for case, _ in cases()])
    assert [] == wrong(implementation.batch([case for case, _ in cases()]))
    implementation.free()
