"""Whichever allocation of ``native/`` fails, and if a table is wrong, the caller is told and nothing is left behind."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

import pytest

from tests.native.c_source import CC, NATIVE

HERE = Path(__file__).parent
WRAPPED = ["malloc", "calloc", "realloc", "aligned_alloc", "free", "table_build"]
ENOUGH = 1000  # allocations, more than anything here makes


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Compile native/ with its allocations counted, and make the table of the base point."""
    target = tmp_path_factory.mktemp("scarce_memory") / "scarce_memory.so"
    flags = ["-std=c11", "-O0", "-fPIC", "-shared", *os.environ.get("CFLAGS", "").split()]
    wrap = ",".join(["-Wl", *(f"--wrap={name}" for name in WRAPPED)])
    sources = [HERE / "scarce_memory.c", *sorted(NATIVE.glob("*.c"))]
    subprocess.run([CC, *flags, f"-I{NATIVE}", *sources, wrap, "-o", target], check=True)
    loaded = ctypes.CDLL(str(target))
    loaded.scarce_held.restype = ctypes.c_long
    assert loaded.scarce_start(ctypes.c_long(ENOUGH))
    return loaded


@pytest.mark.parametrize("case", ["start", "key", "revocations"])
def test_every_allocation_may_fail(library: ctypes.CDLL, case: str) -> None:
    """With any number of allocations fewer than it takes, the work is refused and all that it took is given back."""
    run = getattr(library, f"scarce_{case}")
    held = library.scarce_held()
    n_allowed = 0
    while not run(ctypes.c_long(n_allowed)):
        assert held == library.scarce_held()
        n_allowed += 1

    assert held == library.scarce_held()
    assert 0 < n_allowed < ENOUGH


def test_a_miscalculation_is_told(library: ctypes.CDLL) -> None:
    """A table that its own check refuses is used for nothing and given back."""
    held = library.scarce_held()

    assert library.scarce_miscalculation()
    assert held == library.scarce_held()
