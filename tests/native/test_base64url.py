"""Base64url is read in its one spelling (RFC 4648, section 5, without padding)."""

from __future__ import annotations

import base64
import ctypes
import random

from tests.native.probe import Probe

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def spelled(data: bytes) -> bytes:
    """Spell bytes with Python's own library."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def decoded(probe: Probe, text: bytes) -> bytes | None:
    """Decode; None when it is refused. A byte beyond what the text spells must stay as it is."""
    length = len(text) // 4 * 3 + len(text) % 4 * 3 // 4
    out = ctypes.create_string_buffer(b"\xa5" * (length + 1), length + 1)
    accepted = probe.library.probe_base64url_decode(out, text, ctypes.c_size_t(len(text)))
    assert out.raw[-1:] == b"\xa5"
    return out.raw[:-1] if accepted else None


def test_every_length(probe: Probe) -> None:
    """What Python spells is read back, at every length; no text has a length of 4n + 1."""
    chance = random.Random(64)  # noqa: S311 - the same cases each time
    for length in range(200):
        data = chance.randbytes(length)
        text = spelled(data)

        assert data == decoded(probe, text)
        if len(text) % 4 == 0:
            assert decoded(probe, text + b"A") is None


def test_every_byte_at_every_place(probe: Probe) -> None:
    """A character is taken exactly when it is of the alphabet, whichever place of a group it stands at."""
    for length in (4, 7, 8, 10, 11):
        for place in range(length - 1):  # the last character may have spare bits
            for byte in range(256):
                text = bytearray(b"A" * length)
                text[place] = byte

                assert (byte in ALPHABET) is (decoded(probe, bytes(text)) is not None)


def test_spare_bits_are_zero(probe: Probe) -> None:
    """The last character of a broken group is one of those whose spare bits are zero."""
    for head, spare_bits in ((b"A", 4), (b"AA", 2)):
        for value, character in enumerate(ALPHABET):
            text = head + bytes([character])

            assert (value % (1 << spare_bits) == 0) is (decoded(probe, text) is not None)
