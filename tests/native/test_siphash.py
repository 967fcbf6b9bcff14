"""SipHash: the vector of its paper, and what Python itself hashes bytes with."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys

import pytest

from tests.native.probe import Probe

DATA = [bytes(range(length)) for length in (*range(1, 40), 86, 255)] + [b"\xff" * length for length in (7, 8, 9, 256)]
PROGRAM = "import json, sys; print(json.dumps([hash(bytes.fromhex(one)) for one in json.load(sys.stdin)]))"


def test_vector_of_the_paper(probe: Probe) -> None:
    """SipHash-2-4 of 15 bytes is the value that appendix A of the paper works out."""
    probe.library.probe_siphash.restype = ctypes.c_uint64
    assert 0xA129CA6149BE45E5 == probe.library.probe_siphash(
        bytes(range(16)), bytes(range(15)), ctypes.c_size_t(15), 2, 4
    )


def python_secret(seed: int) -> bytes:
    """Give the secret that Python makes from PYTHONHASHSEED: a linear congruential generator, or zeros for 0."""
    made = bytearray()
    state = seed
    while seed and len(made) < 16:
        state = (state * 214013 + 2531011) % 2**32
        made.append(state >> 16 & 0xFF)
    return bytes(made) or bytes(16)


@pytest.mark.skipif(sys.hash_info.algorithm != "siphash13", reason="this Python hashes with something else")
@pytest.mark.parametrize("seed", [0, 1, 4294967295])
def test_python_hashes_bytes_alike(probe: Probe, seed: int) -> None:
    """SipHash-1-3 of many lengths under several keys is what Python says of the same bytes under the same secret."""
    probe.library.probe_siphash13.restype = ctypes.c_int64
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([one.hex() for one in DATA]),
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    key = python_secret(seed)

    assert json.loads(done.stdout) == [
        probe.library.probe_siphash13(key, one, ctypes.c_size_t(len(one))) for one in DATA
    ]
