"""The benchmark of BatchVerify runs, and says what it measured."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_short_run_measures_batches_and_single_calls() -> None:
    """Each kind of call has its rate by the clock and by the server's processor time."""
    short = ("--tokens", "8", "--rounds", "1", "--seconds", "0.1", "--small-tables")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.batch_verify", *short], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    rows = re.findall(r"^(\w[\w, ]*?)  +[\d,]+  +[\d,]+ to [\d,]+  +[\d,]+  +[\d.]+$", done.stdout, re.MULTILINE)
    assert [
        "BatchVerify",
        "BatchVerify, tenant named",
        "BatchVerify, with texts",
        "BatchVerify, a claim required",
        "Verify",
    ] == rows
