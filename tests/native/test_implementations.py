"""
Every implementation, with tables of every size, gives PyNaCl's answers: one by one and in batches of any size.

What test_vectors.py, test_batches.py and test_differential.py ask of the extension, which has one implementation, is
asked here of all of them, and of the one for AVX-512 also with its instructions emulated.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.answers import Case, by_pynacl, published
from tests.native.implementation import CHOICES, SMALL, WIDE, WIDEST, Choice, Implementation, compiled
from tests.native.test_batches import KEY, SIZES, good, spoiled
from tests.native.test_differential import CLASSES, SIGNERS, Maker, cases

PUBLIC_KEY = bytes(KEY.verify_key)
PUBLISHED = published()


@pytest.fixture(params=CHOICES, ids=str)
def implementation(request: pytest.FixtureRequest, libraries: Path) -> Iterator[Implementation]:
    """Choose each implementation that runs here in turn."""
    choice: Choice = request.param
    try:
        chosen = Implementation(compiled(libraries, emulated=choice.emulated), choice)
    except ValueError as error:
        pytest.skip(str(error))
    yield chosen
    chosen.free()


def as_cases(items: list[tuple[bytes, bytes]]) -> list[Case]:
    """Name the key of a batch."""
    return [Case("", PUBLIC_KEY, message, signature) for message, signature in items]


def test_published_answers(implementation: Implementation) -> None:
    """The published cases get the answers of the libsodium releases: alone, and all in one batch under mixed keys."""
    # Nearly every case has a key of its own, and wide tables are large: a few at a time, and not all of them.
    step, at_a_time = (1, len(PUBLISHED)) if implementation.choice.n_windows == SMALL else (5, 20)
    some = PUBLISHED[::step]
    for at in range(0, len(some), at_a_time):
        expected = [accept for _, accept in some[at : at + at_a_time]]
        asked = [case for case, _ in some[at : at + at_a_time]]

        assert expected == [implementation.one(case) for case in asked]
        assert expected == implementation.batch(asked)
        implementation.free()


@pytest.mark.parametrize("n_items", SIZES)
def test_batches_of_good_and_of_bad_items(implementation: Implementation, n_items: int) -> None:
    """All good, all bad, and every third good: in batches around the sizes at which they are cut up."""
    items = good(n_items)
    bad = [spoiled(item, place) for place, item in enumerate(items)]
    mixed = [items[place] if place % 3 == 0 else bad[place] for place in range(n_items)]

    assert [True] * n_items == implementation.batch(as_cases(items))
    assert [False] * n_items == implementation.batch(as_cases(bad))
    assert [place % 3 == 0 for place in range(n_items)] == implementation.batch(as_cases(mixed))


def test_batches_of_every_size_around_the_lanes(implementation: Implementation) -> None:
    """Groups that are filled by any number of items, with the bad ones anywhere in them, and S beyond the order."""
    items = good(300)
    sizes = [*range(3, 26), *range(254, 268)] if not implementation.choice.emulated else [*range(3, 18), 257, 259]
    for n_items in sizes:
        bad = {n_items - 1, n_items // 2, 2}
        some = [spoiled(items[place], place) if place in bad else items[place] for place in range(n_items)]

        assert [place not in bad for place in range(n_items)] == implementation.batch(as_cases(some))


def places_of(n_items: int) -> list[int]:
    """Give all places of a small batch, those at the ends of lanes, groups and passes of a large one."""
    if n_items < 1000:
        return list(range(n_items))
    return sorted({*range(0, n_items, 64), *range(63, n_items, 64), 7, 8, 255, 256, 511, 512, 991, 992, 998, 999})


@pytest.mark.parametrize("n_items", SIZES)
def test_one_bad_item_is_found_at_every_place(implementation: Implementation, n_items: int) -> None:
    """One bad item gets the only no, wherever it stands; what is wrong with it changes from place to place."""
    items = good(n_items)
    for place in places_of(n_items):
        asked = as_cases([*items[:place], spoiled(items[place], place // 2), *items[place + 1 :]])

        assert [other != place for other in range(n_items)] == implementation.batch(asked)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_one_bad_item_is_found_at_every_place_of_a_thousand(implementation: Implementation) -> None:
    """The same at each of a thousand places."""
    items = good(1000)
    for place in range(1000):
        asked = as_cases([*items[:place], spoiled(items[place], place), *items[place + 1 :]])

        assert [other != place for other in range(1000)] == implementation.batch(asked)


def test_an_empty_batch(implementation: Implementation) -> None:
    """No items, no answers, and nothing is written."""
    assert [] == implementation.batch([])


def test_messages_of_every_length(implementation: Implementation) -> None:
    """Messages from none to several blocks, side by side and alone, verify; with one byte more they do not."""
    lengths = [*range(0, 400, 1 if implementation.choice.emulated is False else 7), 1000, 70_000]
    items = [(bytes(length), KEY.sign(bytes(length)).signature) for length in lengths]
    random.Random(3).shuffle(items)  # noqa: S311 - long beside short
    longer = [(message + b"\0", signature) for message, signature in items]

    for asked, expected in ((as_cases(items), True), (as_cases(longer), False)):
        assert [expected] * len(lengths) == implementation.batch(asked)
        assert [expected] * len(lengths) == [implementation.one(case) for case in asked]


@pytest.mark.parametrize("of_base", [SMALL, WIDE, WIDEST])
def test_tables_of_different_sizes(implementation: Implementation, of_base: int) -> None:
    """Tables of different sizes, and different keys, may be mixed in the lanes of a group, and beside one of B."""
    chance = random.Random(4)  # noqa: S311 - the same cases each time
    # One or two items are left over by the groups.
    asked = [chance.choice(SIGNERS).sign(chance, bytes([place])) for place in range(74)]
    asked[5::17] = [case._replace(message=b"another") for case in asked[5::17]]
    expected = [case.message != b"another" for case in asked]
    assert not expected[-1]

    implementation.start(of_base)
    for sizes in ((SMALL, WIDE), (WIDE, SMALL, 25)):
        in_turn = [sizes[place % len(sizes)] for place in range(len(asked))]

        assert expected == implementation.batch(asked, sizes)
        assert expected[:-1] == implementation.batch(asked[:-1], sizes)
        assert expected == [implementation.one(*one) for one in zip(asked, in_turn, strict=True)]


@functools.cache
def judged(make: Maker, n_cases: int, seed: int) -> list[tuple[Case, bool]]:
    """Make cases of a class, with PyNaCl's answers."""
    return [(case, by_pynacl(case)) for case in cases(make, n_cases, seed)]


@pytest.mark.parametrize(("make", "n_cases", "answers"), CLASSES, ids=[make.__name__ for make, _, _ in CLASSES])
def test_no_difference_to_pynacl(
    implementation: Implementation,
    make: Maker,
    n_cases: int,
    answers: set[bool],
) -> None:
    """The cases of each class get PyNaCl's answers: alone, and in a batch of their keys in any order."""
    asked = judged(make, n_cases if implementation.choice.n_windows == SMALL else n_cases // 10, 0)
    expected = [answer for _, answer in asked]

    assert expected == [implementation.one(case) for case, _ in asked]
    assert expected == implementation.batch([case for case, _ in asked])
    assert answers >= set(expected)
