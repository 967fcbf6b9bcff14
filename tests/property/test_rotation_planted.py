"""The machine finds the mistakes that it is there for."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.planted_rotations import FAULTS, Fault
from tests.property.rotation_machine import machine

# Enough to find each fault several times over; nothing is shrunk, for the fault is known.
SETTINGS = settings(
    max_examples=300,
    stateful_step_count=50,
    phases=[Phase.generate],
    database=None,
    derandomize=True,
    print_blob=False,
    report_multiple_bugs=False,
    verbosity=Verbosity.quiet,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_machine_finds_the_fault(fault: Fault) -> None:
    """Rules with a planted fault do not pass the machine."""
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine(fault.profile, fault.scene, fault.rotate), settings=SETTINGS)
