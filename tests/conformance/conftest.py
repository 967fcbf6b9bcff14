"""What the conformance suites run under."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "tests.conformance.decisions_suite",
    "tests.conformance.events_suite",
    "tests.conformance.revocation_suite",
    "tests.conformance.rows_suite",
    "tests.conformance.upkeep_suite",
)
