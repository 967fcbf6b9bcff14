"""Two hundred thousand crafted signatures, and a hundred million, get PyNaCl's answers from each implementation."""

from __future__ import annotations

import ctypes
import os
import secrets
from pathlib import Path

import pytest

from tests.native.answers import published
from tests.native.crafted import EVEN, FAST, ROUND, Count, Workshop, libsodium
from tests.native.implementation import SMALL, WIDE, Choice

# Classes in which some are good: by the book; where torsion cancels or k forgives it; where nothing was changed.
SOME_GOOD = {"good", "other_key", "torsion_in_key", "torsion_in_both", "edited"}

N_IN_LONG = int(os.environ.get("CRAFTED_CASES", "100000000"))


def choices(n_windows: int) -> list[Choice]:
    """Choose the implementations of the processor, with tables of a size."""
    return [Choice(name, emulated=False, n_windows=n_windows) for name in ("portable", "avx512ifma")]


def check(found: dict[str, Count], seed: int) -> None:
    """Hold that no answer differs, and that each class has the answers that it is made for."""
    wrong = {name: (one.n_differences, one.wrong) for name, one in found.items() if one.n_differences}

    assert {} == wrong, f"seed {seed}"
    assert {name for name in SOME_GOOD if found[name].n_cases} == {name for name, one in found.items() if one.n_good}
    assert found["good"].n_cases == found["good"].n_good


@pytest.mark.parametrize(("seed", "n_windows"), [(0, SMALL), (1, SMALL), (2, SMALL), (3, 25)])
def test_no_difference_in_two_hundred_thousand(libraries: Path, seed: int, n_windows: int) -> None:
    """In batches of nine sizes, some alone, some without a table, cases get the answers of PyNaCl's libsodium."""
    found = Workshop(libraries, choices(n_windows)).run(EVEN, seed, 50_000)

    check(found, seed)
    assert 50_000 == sum(one.n_cases for one in found.values())


@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
def test_no_difference_in_a_hundred_million(libraries: Path) -> None:
    """Nor in CRAFTED_CASES others, an eighth of which libsodium works through; with tables of two sizes."""
    seed = secrets.randbelow(1 << 40)
    n_threads = len(os.sched_getaffinity(0))
    small, wide = (
        Workshop(libraries, choices(n_windows), singly_every=16, once_every=256) for n_windows in (SMALL, WIDE)
    )
    for done in range(0, N_IN_LONG, ROUND):
        workshop = wide if done // ROUND % 10 == 9 else small
        check(workshop.run(FAST, seed + done, min(ROUND, N_IN_LONG - done), n_threads), seed + done)


def test_cases_are_those_of_their_number(libraries: Path) -> None:
    """Which thread makes a case, and what stands beside it, changes nothing."""
    workshop = Workshop(libraries, choices(SMALL))

    assert workshop.run(EVEN, 5, 3000) == workshop.run(EVEN, 5, 3000, n_threads=3)


def test_a_difference_is_told(libraries: Path) -> None:
    """A judge that refuses all keys differs in every good case, and the first ones are named."""
    workshop = Workshop(libraries, choices(SMALL)[:1])
    workshop.judges[0].key = lambda *_: None  # type: ignore[method-assign]
    found = workshop.run(EVEN, 6, 2000)
    good = found["good"]

    assert good.n_good > 0
    assert (good.n_good, found["flipped_R"].n_differences) == (good.n_differences // 2, 0)
    assert len(good.wrong) == min(good.n_differences, 16)


def test_libsodium_gives_the_published_answers() -> None:
    """What is called by its address is what PyNaCl calls."""
    ask = libsodium().crypto_sign_ed25519_verify_detached
    asked = [(case, accept) for case, accept in published() if (len(case.public_key), len(case.signature)) == (32, 64)]
    expected = [accept for _, accept in asked]

    assert expected == [
        ask(case.signature, case.message, ctypes.c_ulonglong(len(case.message)), case.public_key) == 0
        for case, _ in asked
    ]


def test_shares_add_up() -> None:
    """Shares are of a thousand."""
    assert (1000, 1000) == (sum(EVEN.values()), sum(FAST.values()))
