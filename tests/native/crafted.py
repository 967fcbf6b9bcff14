"""Crafted signatures by the million: what ``crafted.c`` makes, and how its judges and libsodium answer."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import random
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from nacl import _sodium
from nacl.bindings import crypto_core_ed25519_add, crypto_scalarmult_ed25519_base_noclamp

from tests.native import curve
from tests.native.c_source import CC, NATIVE
from tests.native.implementation import Choice, Implementation, compiled
from tests.native.test_differential import NOT_CANONICAL, SMALL_ORDER

HERE = Path(__file__).parent
N_SIGNERS, N_NONCES, N_TORSION = 4, 32, 8
N_WRONG_MAX = 16

Mix = Mapping[str, int]

# Shares of a thousand. A case that libsodium works through takes it 50 microseconds; one whose S is not below L or
# whose key is bad is refused at once by all, one whose R is of small order at once by libsodium only: ours see it last.
# Of EVEN, libsodium works 600 through and refuses 160 for R; of FAST, 125 and 200.
EVEN: Mix = {
    "good": 40,
    "flipped_R": 60,
    "flipped_S": 60,
    "flipped_message": 30,
    "other_length": 30,
    "other_key": 20,
    "moved_S": 60,
    "S_plus_L": 100,
    "S_at_an_edge": 100,
    "torsion_in_R": 50,
    "torsion_in_key": 60,
    "torsion_in_both": 80,
    "small_order_R": 160,
    "R_not_canonical": 40,
    "refused_key": 40,
    "made_up": 30,
    "edited": 40,
}
FAST: Mix = {
    "good": 10,
    "flipped_R": 12,
    "flipped_S": 12,
    "flipped_message": 6,
    "other_length": 6,
    "other_key": 4,
    "moved_S": 12,
    "S_plus_L": 500,
    "S_at_an_edge": 40,
    "torsion_in_R": 6,
    "torsion_in_key": 10,
    "torsion_in_both": 12,
    "small_order_R": 200,
    "R_not_canonical": 4,
    "refused_key": 154,
    "made_up": 6,
    "edited": 6,
}
ROUND = 1_000_000


class _Encodings(ctypes.Structure):
    _fields_ = (("encoding", ctypes.c_char_p), ("n", ctypes.c_size_t))


class _Sodium(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("verify", "sha512", "reduce", "mul", "add"))


class _Workshop(ctypes.Structure):
    _fields_ = (
        ("by_sodium", ctypes.POINTER(_Sodium)),
        ("signers", ctypes.c_char_p),
        ("small_order", _Encodings),
        ("not_canonical", _Encodings),
    )


class _Judge(ctypes.Structure):
    _fields_ = (
        ("verify", ctypes.c_void_p),
        ("verify_batch", ctypes.c_void_p),
        ("verify_once", ctypes.c_void_p),
        ("keys", ctypes.c_void_p * (N_SIGNERS * N_TORSION)),
        ("singly_every", ctypes.c_uint64),
        ("once_every", ctypes.c_uint64),
    )


class _Tally(ctypes.Structure):
    _fields_ = (
        ("n_good", ctypes.c_uint64),
        ("n_cases", ctypes.c_uint64),
        ("n_differences", ctypes.c_uint64),
        ("wrong", ctypes.c_uint64 * N_WRONG_MAX),
    )


class Count(NamedTuple):
    """What was found in a class: cases, good ones by libsodium, answers of judges that differ, the first such cases."""

    n_cases: int
    n_good: int
    n_differences: int
    wrong: tuple[int, ...]


def address(function: object) -> int | None:
    """Give the address of a function of a library."""
    return ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[arg-type] # a function of a library


@functools.cache
def libsodium() -> ctypes.CDLL:
    """Open the libsodium that PyNaCl works with."""
    return ctypes.CDLL(_sodium.__file__)


def signers(seed: int) -> tuple[bytes, list[bytes]]:
    """Make the signers of a seed, laid out as in crafted.c, and their keys."""
    chance = random.Random(f"signers {seed}")  # noqa: S311 - test keys
    torsion = [curve.encode(point) for point in curve.TORSION]
    laid_out, keys = [], []

    def multiples(scalar: int) -> list[bytes]:
        base = crypto_scalarmult_ed25519_base_noclamp(scalar.to_bytes(32, "little"))
        return [base, *(crypto_core_ed25519_add(base, point) for point in torsion[1:])]

    for _ in range(N_SIGNERS):
        secret = chance.randrange(1, curve.L)
        nonces = [chance.randrange(1, curve.L) for _ in range(N_NONCES)]
        of_signer = multiples(secret)
        keys += of_signer
        laid_out += [secret.to_bytes(32, "little"), *of_signer]
        laid_out += [nonce.to_bytes(32, "little") for nonce in nonces]
        laid_out += [R for nonce in nonces for R in multiples(nonce)]
    return b"".join(laid_out), keys


class Workshop:
    """The compiled maker of cases, and the implementations that are asked about them."""

    def __init__(self, folder: Path, choices: Sequence[Choice], *, singly_every: int = 4, once_every: int = 32) -> None:
        """Compile into *folder*; ask one by one about every so many cases. What does not run here is left out."""
        flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", *os.environ.get("CFLAGS", "").split()]
        target = folder / "crafted.so"
        if not target.exists():
            subprocess.run([CC, *flags, f"-I{NATIVE}", HERE / "crafted.c", "-o", target], check=True)
        self.library = ctypes.CDLL(str(target))
        self.library.crafted_class_name.restype = ctypes.c_char_p
        self.names: list[str] = []
        while name := self.library.crafted_class_name(ctypes.c_size_t(len(self.names))):
            self.names.append(name.decode())
        self.judges: list[Implementation] = []
        for choice in choices:
            # A library has one implementation: each gets a copy of its own.
            compiled(folder, emulated=choice.emulated)
            own = folder / str(choice)
            own.mkdir(exist_ok=True)
            name = "emulated.so" if choice.emulated else "real.so"
            if not (own / name).exists():
                shutil.copy(folder / name, own / name)
            with contextlib.suppress(ValueError):  # it does not run on this machine
                self.judges.append(Implementation(compiled(own, emulated=choice.emulated), choice))
        self.singly_every, self.once_every = singly_every, once_every
        of_sodium = libsodium()
        self._sodium = _Sodium(
            address(of_sodium.crypto_sign_ed25519_verify_detached),
            address(of_sodium.crypto_hash_sha512),
            address(of_sodium.crypto_core_ed25519_scalar_reduce),
            address(of_sodium.crypto_core_ed25519_scalar_mul),
            address(of_sodium.crypto_core_ed25519_scalar_add),
        )
        self._refused = [b"".join(SMALL_ORDER), b"".join(NOT_CANONICAL)]

    def run(self, mix: Mix, seed: int, n_cases: int, n_threads: int = 1) -> dict[str, Count]:
        """Ask about the cases of a seed, in threads without the GIL; what was found, for each class."""
        laid_out, keys = signers(seed)
        workshop = _Workshop(
            ctypes.pointer(self._sodium),
            laid_out,
            *(_Encodings(some, len(some) // 32) for some in self._refused),
        )
        judges = (_Judge * len(self.judges))()
        for judge, implementation in zip(judges, self.judges, strict=True):
            implementation.free()
            library = implementation.library
            judge.verify, judge.verify_batch = address(library.ed25519_verify), address(library.ed25519_verify_batch)
            judge.verify_once = address(library.ed25519_verify_once)
            judge.keys[:] = [implementation.key(key) for key in keys]
            judge.singly_every, judge.once_every = self.singly_every, self.once_every
        shares = (ctypes.c_uint32 * len(self.names))(*(mix[name] for name in self.names))

        def part(first: int, n_part: int) -> ctypes.Array[_Tally]:
            found = (_Tally * len(self.names))()
            self.library.crafted_run(
                ctypes.byref(workshop),
                judges,
                ctypes.c_size_t(len(judges)),
                shares,
                ctypes.c_uint64(seed),
                ctypes.c_uint64(first),
                ctypes.c_uint64(n_part),
                found,
            )
            return found

        edges = [n_cases * place // n_threads for place in range(n_threads + 1)]
        with ThreadPoolExecutor(n_threads) as threads:
            parts = list(threads.map(part, edges[:-1], (end - start for start, end in itertools.pairwise(edges))))
        return {name: total([found[place] for found in parts]) for place, name in enumerate(self.names)}


def total(tallies: Sequence[_Tally]) -> Count:
    """Add up what threads found in a class."""
    wrong = [number for one in tallies for number in one.wrong[: min(one.n_differences, N_WRONG_MAX)]]
    return Count(
        sum(one.n_cases for one in tallies),
        sum(one.n_good for one in tallies),
        sum(one.n_differences for one in tallies),
        tuple(wrong),
    )
