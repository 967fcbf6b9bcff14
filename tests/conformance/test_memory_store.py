"""MemoryStore keeps every promise of the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sessiond.clock import ManualClock
from sessiond.store.memory import MemoryStore
from tests.conformance.probes import GRACE
from tests.conformance.store_suite import StoreSuite


class TestMemoryStore(StoreSuite):
    """The whole suite."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Give the clock that the store measures on."""
        return ManualClock()

    @pytest.fixture
    def store(self, clock: ManualClock) -> Iterator[MemoryStore]:
        """Give an empty store."""
        store = MemoryStore(monotonic_ms=clock.monotonic_ms, session_grace_seconds=GRACE)
        yield store
        store.close()
