"""The benchmark of revocation runs, says what it measured, and finds a revocation that leaves a session alive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks.revocation import MANY, check, fill, revoke_subject
from sessiond.clock import ManualClock
from sessiond.store.contract import Change
from sessiond.store.memory import MemoryStore

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000


def test_a_subject_is_measured(tmp_path: Path) -> None:
    """A small run names the machine and has a figure for a bare write, one session and all of a subject."""
    arguments = ["subject", "--sessions", "40", "--rounds", "2", "--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.revocation", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    for what in ("processor", "write and fsync of 4 KiB", "a subject: 1 session", "a subject: 40 sessions"):
        assert what in done.stdout
    assert [] == list(tmp_path.iterdir())


def test_a_survivor_is_found() -> None:
    """Where one of the sessions outlives the revocation nothing is measured."""
    store = MemoryStore(monotonic_ms=ManualClock().monotonic_ms, session_grace_seconds=0)
    fill(store, 5, NOW)
    check(store, 5, NOW)
    survivor = store.list_by_subject(MANY, b"", 1)[0][0]
    store.rotate(survivor.id, lambda _: Change(None, session=replace(survivor, born=1 << 60)))
    assert revoke_subject(store, MANY, NOW) == store.revision()
    with pytest.raises(ValueError, match="of 5 sessions 4 were revoked"):
        check(store, 5, NOW)
