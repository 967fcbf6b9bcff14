"""The rules of Refresh hold, whatever happens in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from sessiond.authority.policy import Profile
from tests.property.rotation_machine import Scene, machine

by_profile = pytest.mark.parametrize("profile", Profile, ids=lambda profile: profile.value)
by_scene = pytest.mark.parametrize("scene", Scene, ids=lambda scene: scene.value)


@by_profile
@by_scene
def test_rules_hold(profile: Profile, scene: Scene) -> None:
    """Every decision is what the model says, and what the rules are there for holds after every step."""
    run_state_machine_as_test(machine(profile, scene), settings=settings(max_examples=30, stateful_step_count=50))


@pytest.mark.long
@by_profile
@by_scene
def test_rules_hold_at_length(profile: Profile, scene: Scene) -> None:
    """The same, for many more and longer lives."""
    run_state_machine_as_test(machine(profile, scene), settings=settings(max_examples=2000, stateful_step_count=80))
