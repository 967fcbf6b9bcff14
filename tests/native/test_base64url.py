"""
Base64url is read in its one spelling (RFC 4648, section 5, without padding), by every implementation.

Texts end, or begin, where memory does: a byte read or written beside them ends the process.
"""

from __future__ import annotations

import base64
import ctypes
import mmap
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sessiond import _fastverify
from tests.native.c_source import CC, NATIVE
from tests.native.lane_probe import EMULATED, REAL

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
PAGE = mmap.PAGESIZE
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-fPIC", "-shared"]
FILES = ["base64url.c", "base64url_avx512vbmi.c"]

Decoder = Callable[[bytes], bytes | None]


class Room:
    """A page of memory between two that must not be touched."""

    def __init__(self) -> None:
        """Map the pages."""
        self._pages = mmap.mmap(-1, 3 * PAGE)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self._pages)) + PAGE
        for guard in (self.start - PAGE, self.start + PAGE):
            none = 0  # PROT_NONE
            assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(PAGE), none) == 0


@pytest.fixture(scope="module", params=["portable", "emulated", "real"])
def decode(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    """Compile an implementation; what it decodes is None when the text is refused."""
    if request.param == "real" and "avx512ifma" not in _fastverify.implementations():
        pytest.skip("this processor lacks the instructions")
    target = tmp_path_factory.mktemp("base64url") / f"{request.param}.so"
    flags = [*FLAGS, *(EMULATED if request.param == "emulated" else REAL), *os.environ.get("CFLAGS", "").split()]
    subprocess.run([CC, *flags, f"-I{NATIVE}", *(NATIVE / name for name in FILES), "-o", target], check=True)
    return _decoder(target, "portable" if request.param == "portable" else "avx512vbmi")


def _decoder(library: Path, name: str) -> Decoder:
    function = getattr(ctypes.CDLL(str(library)), f"base64url_decode_{name}")
    function.restype = ctypes.c_bool
    source, target = Room(), Room()

    def call(text: bytes, text_at: int, out_at: int, length: int) -> bytes | None:
        ctypes.memmove(text_at, text, len(text))
        ctypes.memset(target.start, 0xA5, PAGE)
        accepted = function(ctypes.c_void_p(out_at), ctypes.c_void_p(text_at), ctypes.c_size_t(len(text)))
        page = ctypes.string_at(target.start, PAGE)
        place = out_at - target.start
        assert page[:place].strip(b"\xa5") == page[place + length :].strip(b"\xa5") == b""
        return page[place : place + length] if accepted else None

    def decoded(text: bytes) -> bytes | None:
        length = len(text) // 4 * 3 + len(text) % 4 * 3 // 4
        at_the_end = call(text, source.start + PAGE - len(text), target.start + PAGE - length, length)
        at_the_start = call(text, source.start, target.start, length)
        assert at_the_end == at_the_start
        return at_the_end

    return decoded


def spelled(data: bytes) -> bytes:
    """Spell bytes with Python's own library."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def test_every_length(decode: Decoder) -> None:
    """What Python spells is read back, at every length; no text has a length of 4n + 1."""
    chance = random.Random(64)  # noqa: S311 - the same cases each time
    for length in [*range(300), 2900, 2901, 2902]:
        data = chance.randbytes(length)
        text = spelled(data)

        assert data == decode(text)
        if len(text) % 4 == 0:
            assert decode(text + b"A") is None


def test_every_value_at_every_place(decode: Decoder) -> None:
    """Each character has its value, whichever place of a step it stands at."""
    for length in (64, 128):
        for place in range(length):
            for character in ALPHABET:
                text = bytearray(b"A" * length)
                text[place] = character

                assert base64.urlsafe_b64decode(bytes(text)) == decode(bytes(text))


@pytest.mark.parametrize("length", [4, 7, 8, 10, 11, 32, 63, 64, 66, 86])
def test_every_byte_at_every_place(decode: Decoder, length: int) -> None:
    """A character is taken exactly when it is of the alphabet, whichever place of a step or of a rest it stands at."""
    for place in range(length - 1):  # the last character may have spare bits
        for byte in range(256):
            text = bytearray(b"A" * length)
            text[place] = byte

            assert (byte in ALPHABET) is (decode(bytes(text)) is not None)


@pytest.mark.parametrize("n_before", [0, 28, 60, 64, 124])
def test_spare_bits_are_zero(decode: Decoder, n_before: int) -> None:
    """The last character of a broken group is one of those whose spare bits are zero."""
    for head, spare_bits in ((b"A", 4), (b"AA", 2)):
        for byte in range(256):
            text = b"_" * n_before + head + bytes([byte])
            expected = byte in ALPHABET and ALPHABET.index(byte) % (1 << spare_bits) == 0

            assert expected is (decode(text) is not None)


def test_one_fault_among_many_characters(decode: Decoder) -> None:
    """A fault is seen wherever it stands in a long text, and forgotten by the next one."""
    chance = random.Random(65)  # noqa: S311 - the same cases each time
    for length in (640, 641, 700):
        text = spelled(chance.randbytes(length))
        for place in range(len(text)):
            changed = bytearray(text)
            changed[place] = chance.choice(b"+/=. \x00\x80\xc1\xff")

            assert decode(bytes(changed)) is None
        assert decode(text) is not None
