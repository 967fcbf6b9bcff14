"""``native/`` with one implementation chosen, called without the extension: every one of them in one process."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.native import Item, Table, new_key, start
from tests.native.answers import Case
from tests.native.c_source import CC, NATIVE
from tests.native.lane_probe import EMULATED, REAL

FLAGS = ["-std=c11", "-fno-tree-slp-vectorize", "-Wall", "-Wextra", "-fPIC", "-shared"]
FILES = [
    "base64url.c",
    "base64url_avx512vbmi.c",
    "dispatch.c",
    "ed25519_avx512ifma.c",
    "ed25519_key.c",
    "ed25519_portable.c",
    "ed25519_tables.c",
    "table.c",
]

PUBLIC_KEY_LENGTH = 32
SMALL, WIDE, WIDEST = 32, 18, 16  # tables, in windows


class Choice(NamedTuple):
    """An implementation, whether its instructions are emulated, and the size of the tables."""

    name: str
    emulated: bool
    n_windows: int

    def __str__(self) -> str:
        return f"{self.name}{'-emulated' if self.emulated else ''}-{self.n_windows}"


CHOICES = [
    Choice("portable", emulated=False, n_windows=SMALL),
    Choice("portable", emulated=False, n_windows=WIDE),
    Choice("avx512ifma", emulated=False, n_windows=SMALL),
    Choice("avx512ifma", emulated=False, n_windows=WIDE),
    Choice("avx512ifma", emulated=True, n_windows=SMALL),
    Choice("avx512ifma", emulated=True, n_windows=WIDE),
]


def compiled(folder: Path, *, emulated: bool) -> ctypes.CDLL:
    """Compile ``native/``, without the parsers, into *folder*; what is there already is taken."""
    target = folder / ("emulated.so" if emulated else "real.so")
    if not target.exists():
        flags = [*FLAGS, *(EMULATED if emulated else REAL), *os.environ.get("CFLAGS", "").split()]
        sources = [NATIVE / name for name in FILES]
        subprocess.run([CC, *flags, f"-I{NATIVE}", *sources, "-o", target], check=True)
    library = ctypes.CDLL(str(target))
    library.ed25519_verify.restype = library.ed25519_verify_once.restype = ctypes.c_bool
    library.implementation_name.restype = ctypes.c_char_p
    return library


class Implementation:
    """Signatures judged by one implementation."""

    def __init__(self, library: ctypes.CDLL, choice: Choice) -> None:
        """Choose the implementation; ValueError when it does not run here."""
        self.library = library
        self.choice = choice
        self._keys: dict[tuple[bytes, int], tuple[int, Table | None] | None] = {}
        self.start()

    def start(self, n_windows: int | None = None) -> None:
        """Choose the implementation, which the library keeps for all who use it, and the table of B."""
        start(self.library, self.choice.name, n_windows or self.choice.n_windows)
        assert self.library.implementation_name() == self.choice.name.encode()

    def key(self, public_key: bytes, n_windows: int | None = None) -> int | None:
        """Make a key, once; None when it is refused."""
        size = self.choice.n_windows if n_windows is None else n_windows
        if (public_key, size) not in self._keys:
            made = new_key(self.library, public_key, size) if len(public_key) == PUBLIC_KEY_LENGTH else None
            self._keys[public_key, size] = made
        found = self._keys[public_key, size]
        return None if found is None else found[0]

    def free(self) -> None:
        """Free all keys."""
        for made in self._keys.values():
            if made is not None:
                self.library.ed25519_key_free(ctypes.c_void_p(made[0]))
        self._keys.clear()

    def one(self, case: Case, n_windows: int | None = None) -> bool:
        """Judge a signature by itself."""
        key = self.key(case.public_key, n_windows)
        if key is None or len(case.signature) != 64:
            return False
        length = ctypes.c_size_t(len(case.message))
        return bool(self.library.ed25519_verify(ctypes.c_void_p(key), case.message, length, case.signature))

    def batch(self, cases: Sequence[Case], sizes: Sequence[int] = ()) -> list[bool]:
        """Judge all in one batch, under whatever keys they are; *sizes* are those of their tables, in turn."""
        sizes = sizes or (self.choice.n_windows,)
        keys = [self.key(case.public_key, sizes[place % len(sizes)]) for place, case in enumerate(cases)]
        places = [
            place
            for place, (case, key) in enumerate(zip(cases, keys, strict=True))
            if key and len(case.signature) == 64
        ]
        items = (Item * len(places))(
            *(
                Item(keys[place], cases[place].message, len(cases[place].message), cases[place].signature)
                for place in places
            )
        )
        good = (ctypes.c_uint8 * (len(places) + 1))(*[0x5A] * (len(places) + 1))
        self.library.ed25519_verify_batch(items, ctypes.c_size_t(len(places)), good)
        assert good[len(places)] == 0x5A  # nothing is written beyond the end
        answers = [False] * len(cases)
        for place, answer in zip(places, good, strict=False):
            assert answer in {0, 1}
            answers[place] = bool(answer)
        return answers
