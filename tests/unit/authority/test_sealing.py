"""Secrets at rest: sealed under the master key, opened in their own place only."""

from __future__ import annotations

import pytest

from sessiond.authority.sealing import MASTER_KEY_SIZE, Sealer, SealError, WrongMasterKeyError

SEALER = Sealer(b"\x7e" * MASTER_KEY_SIZE)
SECRET = b"the secret of a test"


@pytest.mark.parametrize("secret", [b"", b"s", SECRET, b"\0" * 1000])
@pytest.mark.parametrize("label", ["", "refresh key", "é" * 127, "l" * 255])
def test_what_is_sealed_opens(label: str, secret: bytes) -> None:
    """A sealed secret opens under the same master key and label, also in another process."""
    sealed = SEALER.seal(label, secret)
    assert secret == Sealer(b"\x7e" * MASTER_KEY_SIZE).open(label, sealed)


def test_seal_hides_the_secret() -> None:
    """A sealed secret shows neither the secret nor its label."""
    sealed = SEALER.seal("refresh key", SECRET)
    assert SECRET not in sealed
    assert b"refresh key" not in sealed


def test_sealing_twice_gives_two_texts() -> None:
    """Each seal has a nonce of its own."""
    assert SEALER.seal("label", SECRET) != SEALER.seal("label", SECRET)


def test_other_master_key() -> None:
    """Under another master key nothing opens, and the message says what to do."""
    sealed = SEALER.seal("refresh key", SECRET)
    with pytest.raises(WrongMasterKeyError, match="the master key does not open the refresh key of this store"):
        Sealer(b"\x7f" * MASTER_KEY_SIZE).open("refresh key", sealed)


def test_changed_seal() -> None:
    """A sealed secret with any byte changed, cut or gone does not open."""
    sealed = SEALER.seal("label", SECRET)
    for index in range(len(sealed)):
        changed = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        with pytest.raises(WrongMasterKeyError):
            SEALER.open("label", changed)
        with pytest.raises(WrongMasterKeyError):
            SEALER.open("label", sealed[:index])


@pytest.mark.parametrize(
    ("label", "other"), [("access key", "refresh key"), ("key", "key2"), ("key2", "key"), ("", "k")]
)
def test_secret_in_the_place_of_another(label: str, other: str) -> None:
    """A secret that was sealed for one place does not open in another."""
    with pytest.raises(SealError, match="holds another secret") as caught:
        SEALER.open(other, SEALER.seal(label, SECRET))
    assert not isinstance(caught.value, WrongMasterKeyError)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_master_key_of_another_length(size: int) -> None:
    """A master key has 32 bytes."""
    with pytest.raises(ValueError, match=f"32 bytes, not {size}"):
        Sealer(b"k" * size)


@pytest.mark.parametrize("label", ["l" * 256, "é" * 128])
def test_label_that_is_too_long(label: str) -> None:
    """A label has 255 bytes at most."""
    with pytest.raises(ValueError, match="255 bytes"):
        SEALER.seal(label, SECRET)


def test_sealer_shows_nothing() -> None:
    """The text form of a sealer holds nothing of the master key."""
    assert "7e7e" not in repr(SEALER)
    assert "~~" not in repr(SEALER)
