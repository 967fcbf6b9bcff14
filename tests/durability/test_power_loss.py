"""A power cut at any moment loses nothing that was acknowledged and leaves nothing by half."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.durability.crashes import ACKNOWLEDGED, Disk, faults_of_states, worker

STATES = 60


def found_after_power_cuts(tmp_path: Path, disk: dict[str, str], *flags: str) -> list[str]:
    """Let a process write on a recording disk, cut the power at many moments, and name what is wrong in the states."""
    notes = tmp_path / "notes"
    writer = worker(
        "write", tmp_path / "data", 1, 4, 25, *flags, environment={**os.environ, **disk, "DISK_LOG": str(notes)}
    )
    acknowledged, _ = writer.communicate(timeout=60)
    assert (0, 4 * (25 + 8)) == (writer.returncode, len(acknowledged.splitlines()))

    for number, (image, before) in enumerate(Disk(notes).states(STATES, random.Random(7))):  # noqa: S311 - moments
        state = tmp_path / "states" / str(number)
        state.mkdir(parents=True)
        (state / "data.mdb").write_bytes(image)
        (state / ACKNOWLEDGED).write_text("\n".join(before))
    return faults_of_states(tmp_path / "states")


def test_power_loss(tmp_path: Path, disk: dict[str, str]) -> None:
    """In each of 60 states that a power cut could leave, everything acknowledged is there, and nothing by half."""
    assert [] == found_after_power_cuts(tmp_path, disk)


@pytest.mark.parametrize("flag", ["sync", "metasync"])
def test_a_store_that_does_not_sync_is_found(tmp_path: Path, disk: dict[str, str], flag: str) -> None:
    """The test above has teeth: a store that is opened without syncing loses what it acknowledged."""
    found = found_after_power_cuts(tmp_path, disk, flag)
    assert any("acknowledged and lost" in fault for fault in found)
