"""What the tests of the native code share."""

from __future__ import annotations

import pytest

from tests.native.probe import Probe


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    """Compile the probe, once."""
    return Probe(tmp_path_factory.mktemp("probe"))
