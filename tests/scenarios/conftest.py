"""An authority in this process, and a client of it that shares its clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sessiond.client import Client
from tests.rpc.world import World, world


@pytest.fixture
def here() -> Iterator[World]:
    """Give an authority of its own to each test."""
    with world() as made:
        yield made


@pytest.fixture
def client(here: World) -> Iterator[Client]:
    """Give a client of that authority."""
    with Client(here.app.address, clock=here.clock) as made:
        yield made
