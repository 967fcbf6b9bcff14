"""A real server in this process, on real channels, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rpc.world import World, world


@pytest.fixture
def here() -> Iterator[World]:
    """Give an authority of its own to each test."""
    with world() as made:
        yield made


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    """Give one authority to all tests of a file that leave no trace in it."""
    with world() as made:
        yield made
