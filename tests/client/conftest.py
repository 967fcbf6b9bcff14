"""An authority in this process, and a client of it that shares its clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sessiond.client import Client
from sessiond.server.services.keys import KeyHandlers
from tests.client.local_verifiers import Fetches
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


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> Fetches:
    """Count the keysets that an authority serves from here on; each is served when it may be."""
    counted = Fetches()
    counted.may_answer.set()
    serve = KeyHandlers.get_keyset

    def counting(handlers: KeyHandlers, *call: Any) -> Any:
        counted.count += 1
        counted.may_answer.wait(20)
        return serve(handlers, *call)

    monkeypatch.setattr(KeyHandlers, "get_keyset", counting)
    return counted


@pytest.fixture
def there(fetches: Fetches) -> Iterator[World]:
    """Give an authority whose served keysets are counted."""
    assert fetches.count == 0
    with world() as made:
        yield made
