"""The settings of the rules: defaults, bounds and what is derived from them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from msgspec.structs import replace

from sessiond.authority.policy import MAX_ABSOLUTE_SECONDS, AtMaxSessions, Policy, Profile
from tests.unit.authority.rotation_cases import HELD, NOW


def test_defaults_are_those_of_the_design() -> None:
    """A policy without settings is BALANCED with the documented windows and lifetimes."""
    day = 86_400
    expected = {
        "profile": Profile.BALANCED,
        "retry_window_seconds": 10,
        "straggler_window_seconds": 10,
        "shared_in_row_limit": 2,
        "access_seconds": 300,
        "idle_seconds": 7 * day,
        "absolute_seconds": 30 * day,
        "leeway_seconds": 30,
        "revoke_subject_on_reuse": False,
        "key_publication_seconds": 600,
        "key_rotation_seconds": 90 * day,
        "event_retention_seconds": 30 * day,
        "max_events": 5_000_000,
        "max_refusal_events": 500_000,
        "request_retention_seconds": day,
        "max_sessions": 0,
        "at_max_sessions": AtMaxSessions.REJECT,
    }
    assert expected == asdict(Policy())


@pytest.mark.parametrize(
    ("name", "least", "greatest"),
    [
        ("retry_window_seconds", 0, 300),
        ("straggler_window_seconds", 0, 300),
        ("shared_in_row_limit", 0, 100),
        ("access_seconds", 1, 86_400),
        ("idle_seconds", 1, MAX_ABSOLUTE_SECONDS),
        ("absolute_seconds", 1, MAX_ABSOLUTE_SECONDS),
        ("leeway_seconds", 0, 600),
        ("key_publication_seconds", 0, 86_400),
        ("event_retention_seconds", 1, 3650 * 86_400),
        ("max_events", 1, 100_000_000),
        ("max_refusal_events", 1, 100_000_000),
        ("request_retention_seconds", 1, 365 * 86_400),
    ],
)
def test_each_setting_has_its_range(name: str, least: int, greatest: int) -> None:
    """The ends of a range are good; beyond them the message names the setting, the value and the range."""
    for value in (least, greatest):
        settings: dict[str, Any] = {name: value}
        assert value == getattr(Policy(**settings), name)
    for value in (least - 1, greatest + 1):
        settings = {name: value}
        with pytest.raises(ValueError, match=f"^{name} is {value}, expected {least} to {greatest}$"):
            Policy(**settings)


def test_rotation_of_keys_is_slower_than_their_publication() -> None:
    """Keys that rotate before they may sign are refused."""
    with pytest.raises(ValueError, match="key_rotation_seconds is 600, expected more than the 600"):
        Policy(key_rotation_seconds=600)


@pytest.mark.parametrize(
    ("profile", "retry_ms"),
    [(Profile.BALANCED, 7000), (Profile.STRICT, 0), (Profile.FORGIVING, 7000)],
)
def test_windows_are_spans_of_serving_time(profile: Profile, retry_ms: int) -> None:
    """STRICT has no retry window whatever its setting; superseded are excused under every profile."""
    policy = Policy(profile=profile, retry_window_seconds=7, straggler_window_seconds=8)
    assert (retry_ms, 8000) == (policy.retry_window_ms, policy.straggler_window_ms)


def test_cut_is_remembered_for_the_longest_life() -> None:
    """A cut stays until no session born before it can be alive, whatever policy it was made under."""
    assert NOW + MAX_ABSOLUTE_SECONDS + 60 == Policy(absolute_seconds=60).cut_kept_until(NOW)


def test_session_entry_follows_the_sessions_own_access_life() -> None:
    """The life of access tokens that counts is the session's, not the policy's of today."""
    assert NOW + HELD.access_seconds + 60 == Policy(access_seconds=5).session_entry_kept_until(HELD, NOW)


@pytest.mark.parametrize(("leeway_seconds", "margin"), [(0, 10), (5, 10), (6, 12), (600, 1200)])
def test_revocation_outlives_a_slow_call(leeway_seconds: int, margin: int) -> None:
    """A call that judges by an older time still finds the revocation: it stays 10 s longer, whatever the leeway."""
    policy = Policy(leeway_seconds=leeway_seconds)
    assert NOW + HELD.access_seconds + margin == policy.session_entry_kept_until(HELD, NOW)
    assert NOW + MAX_ABSOLUTE_SECONDS + margin == policy.cut_kept_until(NOW)


@pytest.mark.parametrize("issued_at", [NOW - 60, NOW, NOW + 3600])
def test_session_entry_outlives_every_access_token(issued_at: int) -> None:
    """The memory of a revocation counts from the last issue where that lies after it, and ends with the session."""
    session = replace(HELD, access_issued_at=issued_at)
    kept = Policy().session_entry_kept_until(session, NOW)
    assert max(NOW, issued_at) + HELD.access_seconds + 60 == kept
    ending = replace(session, expires_at=NOW + 5)
    assert NOW + 5 + 60 == Policy().session_entry_kept_until(ending, NOW)
