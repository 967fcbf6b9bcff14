"""Batches: each item is judged by itself, whatever stands beside it and however many there are."""

from __future__ import annotations

import functools

import pytest
from nacl.signing import SigningKey

from sessiond._fastverify import KeyTable

KEY = SigningKey(bytes(range(32)))  # a test key
TABLE = KeyTable(bytes(KEY.verify_key))

# Below, at and above the sizes at which implementations cut batches up: lanes of 8, groups of 64.
SIZES = [1, 2, 7, 8, 9, 63, 64, 65, 1000]


@functools.cache
def good(n_items: int) -> list[tuple[bytes, bytes]]:
    """Sign items, all different, of lengths around the block of SHA-512."""
    messages = [place.to_bytes(4, "big") + bytes(place % 200) for place in range(n_items)]
    return [(message, KEY.sign(message).signature) for message in messages]


def spoiled(item: tuple[bytes, bytes], place: int) -> tuple[bytes, bytes]:
    """Make an item bad, in one of four ways: R, S, S not below the order, the message."""
    message, signature = item
    match place % 4:
        case 0:
            return message, bytes([signature[0] ^ 1]) + signature[1:]
        case 1:
            return message, signature[:32] + bytes([signature[32] ^ 1]) + signature[33:]
        case 2:
            return message, signature[:63] + b"\xff"
        case _:
            return message + b"\0", signature


@pytest.mark.parametrize("n_items", SIZES)
def test_good_items_are_all_good(n_items: int) -> None:
    """A batch of good items has nothing but ones."""
    assert bytes([1]) * n_items == TABLE.verify_batch(good(n_items))


@pytest.mark.parametrize("n_items", SIZES)
def test_bad_items_are_all_bad(n_items: int) -> None:
    """A batch of bad items has nothing but zeros."""
    items = [spoiled(item, place) for place, item in enumerate(good(n_items))]

    assert bytes(n_items) == TABLE.verify_batch(items)


def check_one_bad_item(n_items: int, place: int, way: int) -> None:
    """Hold that the bad item at *place* gets the only zero."""
    items = good(n_items)
    expected = bytes(other != place for other in range(n_items))

    assert expected == TABLE.verify_batch([*items[:place], spoiled(items[place], way), *items[place + 1 :]])


@pytest.mark.parametrize("n_items", [size for size in SIZES if size < 1000])
def test_one_bad_item_is_found_at_every_place(n_items: int) -> None:
    """One bad item among good ones gets the only zero, wherever it stands and whatever is wrong with it."""
    for place in range(n_items):
        for way in range(4):
            check_one_bad_item(n_items, place, way)


def test_one_bad_item_is_found_at_the_edges_of_groups() -> None:
    """The same in a batch of many groups: at both ends of every group of 64, and between."""
    for place in sorted({*range(0, 1000, 64), *range(63, 1000, 64), *range(0, 1000, 23), 999}):
        check_one_bad_item(1000, place, place)


@pytest.mark.long
def test_one_bad_item_is_found_at_every_place_of_a_thousand() -> None:
    """The same at each of a thousand places."""
    for place in range(1000):
        check_one_bad_item(1000, place, place)


@pytest.mark.parametrize("n_items", SIZES)
def test_good_items_among_bad_ones_are_found(n_items: int) -> None:
    """Every third item is good, and its neighbours do not make it bad."""
    items = [item if place % 3 == 0 else spoiled(item, place) for place, item in enumerate(good(n_items))]

    assert bytes(place % 3 == 0 for place in range(n_items)) == TABLE.verify_batch(items)


def test_items_of_a_wrong_length_are_bad_and_move_nothing() -> None:
    """A signature of a wrong length gets a zero at its place, and the answers after it stay at theirs."""
    items = list(good(20))
    for place, signature in ((0, b""), (5, bytes(63)), (6, bytes(65)), (19, items[19][1] + b"\0")):
        items[place] = (items[place][0], signature)

    assert bytes(place not in {0, 5, 6, 19} for place in range(20)) == TABLE.verify_batch(items)


def test_empty_batch_has_no_answers() -> None:
    """No items, no answers."""
    assert b"" == TABLE.verify_batch([])


def test_messages_of_every_length_around_the_blocks() -> None:
    """Messages from none to three blocks of SHA-512, one by one and in a batch, verify like any other."""
    items = [(bytes(length), KEY.sign(bytes(length)).signature) for length in range(400)]

    assert bytes([1]) * 400 == TABLE.verify_batch(items)
    assert all(TABLE.verify(*item) for item in items)
    assert not any(TABLE.verify(message + b"\0", signature) for message, signature in items)


def test_message_of_many_megabytes() -> None:
    """A long message is hashed whole, one by one and in a batch: its last byte counts."""
    message = bytes(3_000_001)
    signature = KEY.sign(message).signature

    assert TABLE.verify(message, signature)
    assert b"\1\0" == TABLE.verify_batch([(message, signature), (message[:-1] + b"\1", signature)])
