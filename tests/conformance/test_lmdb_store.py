"""LmdbStore keeps every promise of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sessiond.clock import ManualClock
from sessiond.store.lmdb import LmdbStore
from tests.conformance.probes import GRACE
from tests.conformance.store_suite import StoreSuite


class TestLmdbStore(StoreSuite):
    """The whole suite."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Give the clock that the store measures on."""
        return ManualClock()

    @pytest.fixture
    def store(self, clock: ManualClock, tmp_path: Path) -> Iterator[LmdbStore]:
        """Give an empty store."""
        store = LmdbStore(tmp_path / "data", monotonic_ms=clock.monotonic_ms, session_grace_seconds=GRACE)
        yield store
        store.close()
