"""What the tests of the native code share."""

from __future__ import annotations

import platform

import pytest

from tests.native.lane_probe import LaneProbe
from tests.native.probe import Probe


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    """Compile the probe, once."""
    return Probe(tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="session", params=["emulated", "real"])
def lane_probe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LaneProbe:
    """Compile the probe of eight lanes, once with emulated instructions and once with those of the processor."""
    if request.param == "real" and platform.machine() not in {"x86_64", "AMD64"}:
        pytest.skip("the instructions are those of x86")
    made = LaneProbe(tmp_path_factory.mktemp("lane_probe"), request.param)
    if not made.runs_here:
        pytest.skip("this processor lacks the instructions")
    return made
