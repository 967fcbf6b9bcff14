"""All courses of a small world: whom the rules never log out, and how long a thief can stay."""

from __future__ import annotations

import pytest

from sessiond.authority.policy import Policy, Profile
from tests.property.planted_rotations import (
    no_limit_in_a_row,
    retry_key_is_ignored,
    straggler_is_called_reuse,
)
from tests.property.rotation_authority import Rotate
from tests.property.rotation_machine import ROUNDS
from tests.property.rotation_search import NOBODY, OWNER, THIEF, World, rounds, states

TOKEN_ALONE = (NOBODY, THIEF)
WHOLE_REQUEST = (OWNER, NOBODY, THIEF)
FOR_EVER = 10

by_profile = pytest.mark.parametrize("profile", Profile, ids=lambda profile: profile.value)


@by_profile
@pytest.mark.parametrize("tabs", [1, 2])
def test_lone_client_is_never_logged_out(profile: Profile, tabs: int) -> None:
    """With retry keys no loss, crash, race or stray copy in the straggler window ends the session of a lone client."""
    found = states(World(Policy(profile=profile), tabs))
    assert [] == [state for state in found if state.line.ended]
    assert len(found) > 100


@pytest.mark.parametrize("rotate", [straggler_is_called_reuse, retry_key_is_ignored], ids=lambda fault: fault.__name__)
def test_search_finds_a_client_that_is_logged_out(rotate: Rotate) -> None:
    """Rules with a fault end the session of a lone client somewhere."""
    assert any(state.line.ended for state in states(World(Policy(), rotate=rotate)))


@by_profile
@pytest.mark.parametrize("proofs", [TOKEN_ALONE, WHOLE_REQUEST], ids=["token alone", "whole request"])
def test_thief_and_client_part_soon(profile: Profile, proofs: tuple[bytes, ...]) -> None:
    """Where the client has one request at a time, this is exactly how often both can be served after the theft."""
    world = World(Policy(profile=profile), proofs=proofs)
    assert ROUNDS[profile][proofs == WHOLE_REQUEST] == rounds(world, FOR_EVER)


def test_search_finds_a_thief_that_stays() -> None:
    """Without the limit in a row the thief of a token alone is served as long as the client is."""
    assert FOR_EVER == rounds(World(Policy(), proofs=TOKEN_ALONE, rotate=no_limit_in_a_row), FOR_EVER)


@pytest.mark.long
@pytest.mark.parametrize(
    ("profile", "proofs", "expected"),
    [
        (Profile.STRICT, TOKEN_ALONE, 1),
        (Profile.STRICT, WHOLE_REQUEST, 4),
        (Profile.BALANCED, TOKEN_ALONE, 6),
        (Profile.BALANCED, WHOLE_REQUEST, 8),
        (Profile.FORGIVING, TOKEN_ALONE, 7),
        (Profile.FORGIVING, WHOLE_REQUEST, 9),
    ],
)
def test_two_tabs_that_refresh_at_once_keep_a_thief_longer(
    profile: Profile, proofs: tuple[bytes, ...], expected: int
) -> None:
    """Where two tabs refresh at one time, their requests stand in for each other for a while, but not for ever."""
    assert expected == rounds(World(Policy(profile=profile), tabs=2, proofs=proofs), FOR_EVER)
