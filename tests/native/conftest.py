"""What the tests of the native code share."""

from __future__ import annotations

import platform
import random
from pathlib import Path

import pytest

from tests.native.lane_probe import LaneProbe
from tests.native.probe import Probe


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Choose the same cases for a test whatever ran before it."""
    return random.Random(request.node.name)  # noqa: S311 - no secrets


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


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make room for what is compiled of native/, once for all who choose an implementation."""
    return tmp_path_factory.mktemp("libraries")
