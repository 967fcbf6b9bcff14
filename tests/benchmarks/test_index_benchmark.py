"""The benchmark of the revocation index runs, says what it measured, and finds an index that answers wrongly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.revocation_index import BATCH, Effort, bytes_an_entry, check, set_up
from benchmarks.tokens import ACCESS_KEY, ISSUER
from sessiond.errors import Cause
from sessiond.token.keyset import VerificationKey
from sessiond.token.verify import AccessVerifier, RevocationIndex

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000
SMALL = Effort(sessions=40, cuts=20, tokens=300)


def verifier(index: RevocationIndex) -> AccessVerifier:
    """Ask an index."""
    return AccessVerifier([VerificationKey(ACCESS_KEY.public_key)], ISSUER, revocations=index)


def test_index_is_measured() -> None:
    """A small run names the machine and has the times, their ratio and the memory."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.revocation", "index", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    for what in ("processor", f"Batches of {BATCH:,}", "empty index", "full index", "full / empty", "at any number"):
        assert what in done.stdout


def test_setting_is_as_large_as_it_says() -> None:
    """The full index holds the sessions and the cuts that are asked for, and refuses by both."""
    setting = set_up(SMALL, NOW)
    assert SMALL.sessions + SMALL.cuts == len(setting.full)
    assert {0, Cause.REVOKED, Cause.SUBJECT_REVOKED} == set(setting.expected)
    check(setting, verifier(setting.full), verifier(setting.empty), NOW)


def test_wrong_answers_are_found() -> None:
    """Where one session more or less is refused nothing is measured."""
    setting = set_up(SMALL, NOW)
    setting.full.cut_all(2**63, NOW + 1000)
    with pytest.raises(ValueError, match="with the full index 294 answers are wrong"):
        check(setting, verifier(setting.full), verifier(setting.empty), NOW)


def test_memory_is_below_the_bound() -> None:
    """A revoked session takes less than 64 bytes, also just after a growth."""
    at_end, at_most = bytes_an_entry(Effort(sessions=3000))
    assert 0 < at_end <= at_most < 64
