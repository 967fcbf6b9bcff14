"""
The promises of the Store contract, each in a test that every engine passes.

An engine's test class gives the fixture ``store``, of an empty store that measures on the fixture ``clock`` and keeps
sessions GRACE seconds beyond their expiry. No engine skips a test. What a machine or a disk that fails does to a store
is in ``tests/durability``.
"""

from __future__ import annotations

from tests.conformance.decisions_suite import DecisionsSuite
from tests.conformance.events_suite import EventsSuite
from tests.conformance.revocation_suite import RevocationSuite
from tests.conformance.rows_suite import RowsSuite
from tests.conformance.upkeep_suite import UpkeepSuite


class StoreSuite(RowsSuite, DecisionsSuite, RevocationSuite, EventsSuite, UpkeepSuite):
    """Every promise that a store makes while its machine and its disk work."""
