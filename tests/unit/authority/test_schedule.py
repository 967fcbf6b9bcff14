"""The life of keys: what is due when, and what each change writes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sessiond.authority.events import EventKind
from sessiond.authority.policy import MAX_ABSOLUTE_SECONDS, MAX_ACCESS_SECONDS, Policy
from sessiond.authority.schedule import Draft, Spare
from sessiond.store.records import KeyRecord, KeyState, Purpose, RequestRecord, RevocationKind
from sessiond.token.format import FORMAT

NOW = 1_800_000_000
DAY = 86_400
POLICY = Policy()
ROTATION, PUBLICATION, LEEWAY = POLICY.key_rotation_seconds, POLICY.key_publication_seconds, POLICY.leeway_seconds
LIFE = {Purpose.REFRESH: MAX_ABSOLUTE_SECONDS + 2 * LEEWAY, Purpose.ACCESS: MAX_ACCESS_SECONDS + 2 * LEEWAY}
SPARES = {purpose: Spare(f"spare {purpose}".encode(), b"public", b"sealed") for purpose in Purpose}


def key(
    name: bytes, state: KeyState, purpose: Purpose = Purpose.REFRESH, *, since: int = NOW, expires_at: int = 0
) -> KeyRecord:
    """Give a key that has been in its state, or is due, since *since*."""
    return KeyRecord(name, purpose, state, FORMAT, b"public", b"sealed", since, since, expires_at=expires_at)


def draft(*keys: KeyRecord, now: int = NOW) -> Draft:
    """Start from *keys*, and an access key that is not due for anything."""
    return Draft([*keys, key(b"access", KeyState.ACTIVE, Purpose.ACCESS, since=now)], now=now, policy=POLICY)


def followed(*keys: KeyRecord, now: int = NOW, removable: int = 0) -> list[tuple[bytes, KeyState]]:
    """Follow the schedule, and give the changed keys; a removed one is not in the list."""
    followed = draft(*keys, now=now)
    followed.follow_schedule(SPARES, removable)
    return [(one.key_id, one.state) for one in followed.change(None).put]


def test_nothing_is_due() -> None:
    """A keyset in the middle of its life stays as it is, and nothing is written."""
    middle = draft(key(b"old", KeyState.ACTIVE), now=NOW + ROTATION - PUBLICATION - 1)
    middle.follow_schedule(SPARES, NOW)
    assert not middle.changes_something
    change = middle.change("result", RequestRecord(b"h", 1))
    assert ("result", (), (), None, (), RequestRecord(b"h", 1)) == (
        change.result,
        change.put,
        change.remove,
        change.revocation,
        change.events,
        change.answer,
    )


def test_empty_store_gets_a_key_of_each_purpose() -> None:
    """Where there is no key, one of each purpose is made and signs at once."""
    first = Draft([], now=NOW, policy=POLICY)
    first.follow_schedule(SPARES, 0)
    change = first.change(None)
    assert [
        (SPARES[purpose].key_id, purpose, KeyState.ACTIVE, FORMAT, b"public", b"sealed", NOW, NOW, 0, 0)
        for purpose in Purpose
    ] == [
        (
            one.key_id,
            one.purpose,
            one.state,
            one.format,
            one.public_key,
            one.sealed_seed,
            one.created_at,
            one.activates_at,
            one.retired_at,
            one.expires_at,
        )
        for one in change.put
    ]
    assert [EventKind.KEY_CREATED, EventKind.KEY_ACTIVATED] * 2 == [event.kind for event in change.events]


def test_next_key_is_published_before_it_is_due() -> None:
    """The next key is made the publication time before it signs, once."""
    due = NOW + ROTATION - PUBLICATION
    old = key(b"old", KeyState.ACTIVE)
    assert [] == followed(old, now=due - 1)
    assert [(b"spare 1", KeyState.PENDING)] == followed(old, now=due)
    made = draft(old, now=due)
    made.follow_schedule(SPARES, 0)
    (pending,) = made.change(None).put
    assert NOW + ROTATION == pending.activates_at
    assert [] == followed(old, pending, now=due)


def test_late_publication_is_as_long_as_any() -> None:
    """A key that is made late is published for the whole time before it signs."""
    made = draft(key(b"old", KeyState.ACTIVE), now=NOW + 2 * ROTATION)
    made.follow_schedule(SPARES, 0)
    (pending,) = made.change(None).put
    assert (KeyState.PENDING, NOW + 2 * ROTATION + PUBLICATION) == (pending.state, pending.activates_at)


def test_pending_key_signs_when_it_is_due() -> None:
    """A PENDING key becomes ACTIVE at its time, and the one before it RETIRING for as long as its tokens may live."""
    old, new = key(b"old", KeyState.ACTIVE, since=NOW - 9), key(b"new", KeyState.PENDING, since=NOW + 60)
    assert [] == followed(old, new, now=NOW + 59)
    moved = draft(old, new, now=NOW + 61)
    moved.follow_schedule(SPARES, 0)
    change = moved.change(None)
    retired = replace(old, state=KeyState.RETIRING, retired_at=NOW + 61, expires_at=NOW + 61 + LIFE[Purpose.REFRESH])
    assert (retired, replace(new, state=KeyState.ACTIVE, activates_at=NOW + 61)) == change.put
    assert [EventKind.KEY_RETIRED, EventKind.KEY_ACTIVATED] == [event.kind for event in change.events]


@pytest.mark.parametrize("purpose", list(Purpose))
def test_retired_key_stays_as_long_as_any_policy_lets_its_tokens_live(purpose: Purpose) -> None:
    """A retired key verifies until the longest life that any policy allows is over, on clocks off by the leeway."""
    moved = Draft([key(b"old", KeyState.ACTIVE, purpose)], now=NOW, policy=POLICY)
    moved.activate(moved.make(purpose, SPARES[purpose], NOW))
    old = moved.find(b"old")
    assert old is not None
    assert NOW + LIFE[purpose] == old.expires_at


def test_missing_active_key_is_mended() -> None:
    """Where no key of a purpose signs, the PENDING one does at once."""
    assert [(b"new", KeyState.ACTIVE)] == followed(key(b"new", KeyState.PENDING, since=NOW + 600))


def test_schedules_of_the_purposes_are_apart() -> None:
    """What is due for one purpose does not touch the other."""
    late = NOW + ROTATION
    keys = [key(b"a", KeyState.ACTIVE, Purpose.ACCESS, since=late), key(b"r", KeyState.ACTIVE)]
    moved = Draft(keys, now=late, policy=POLICY)
    moved.follow_schedule(SPARES, 0)
    assert [(b"spare 1", Purpose.REFRESH)] == [(one.key_id, one.purpose) for one in moved.change(None).put]


@pytest.mark.parametrize("state", [KeyState.RETIRING, KeyState.REVOKED])
def test_key_is_removed_when_nothing_of_it_can_be_alive(state: KeyState) -> None:
    """A RETIRING or REVOKED key leaves once it has surely expired, by the clock that cannot be hurried."""
    old = key(b"old", state, expires_at=NOW + 100)
    active = key(b"new", KeyState.ACTIVE)
    kept = draft(old, active, now=NOW + DAY)
    kept.follow_schedule(SPARES, NOW + 99)
    assert not kept.changes_something
    removed = draft(old, active, now=NOW + DAY)
    removed.follow_schedule(SPARES, NOW + 100)
    change = removed.change(None)
    assert ((), (b"old",), [EventKind.KEY_REMOVED]) == (
        change.put,
        change.remove,
        [event.kind for event in change.events],
    )
    assert removed.find(b"old") is None


def test_change_is_logged_for_as_long_as_a_refresh_token_may_live() -> None:
    """A change of the keyset is one entry of the revocation log, kept for a process that was stopped for long."""
    made = draft(key(b"old", KeyState.ACTIVE))
    made.make(Purpose.REFRESH, SPARES[Purpose.REFRESH], NOW + 600)
    entry = made.change(None).revocation
    assert entry is not None
    assert (RevocationKind.KEYS, NOW, NOW + LIFE[Purpose.REFRESH]) == (entry.kind, entry.at, entry.keep_until)


@pytest.mark.parametrize("state", [KeyState.PENDING, KeyState.ACTIVE, KeyState.RETIRING])
def test_revoked_key_gives_up_its_private_half(state: KeyState) -> None:
    """A REVOKED key has no seed any more, keeps who revoked it and why, and stays until its tokens are dead."""
    before = key(b"old", state, expires_at=NOW + 5 if state is KeyState.RETIRING else 0)
    before = replace(before, retired_at=NOW - 5 if state is KeyState.RETIRING else 0)
    revoked = draft(before).revoke(before, "leaked", "operator")
    assert (
        replace(
            before,
            state=KeyState.REVOKED,
            sealed_seed=b"",
            revoked_at=NOW,
            retired_at=before.retired_at or NOW,
            expires_at=before.expires_at or NOW + LIFE[Purpose.REFRESH],
            reason="leaked",
            actor="operator",
        )
        == revoked
    )


def test_events_name_the_caller_and_its_request() -> None:
    """The events of a call name its caller and request; those of the schedule name nobody."""
    called = Draft([], now=NOW, policy=POLICY, caller="shop", request_hash=b"request")
    called.make(Purpose.ACCESS, SPARES[Purpose.ACCESS], NOW)
    scheduled = Draft([], now=NOW, policy=POLICY)
    scheduled.make(Purpose.ACCESS, SPARES[Purpose.ACCESS], NOW)
    assert [("shop", b"request"), ("", b"")] == [
        (event.caller, event.request_hash) for one in (called, scheduled) for event in one.change(None).events
    ]


def test_one_key_stands_in_each_state() -> None:
    """The key of a purpose and a state is found, after the changes so far; None where there is none."""
    keys = draft(key(b"old", KeyState.ACTIVE))
    made = keys.make(Purpose.REFRESH, SPARES[Purpose.REFRESH], NOW + 1)
    assert (b"old", made, b"access", None) == (
        keys.standing(Purpose.REFRESH, KeyState.ACTIVE).key_id,  # type: ignore[union-attr]
        keys.standing(Purpose.REFRESH, KeyState.PENDING),
        keys.standing(Purpose.ACCESS, KeyState.ACTIVE).key_id,  # type: ignore[union-attr]
        keys.standing(Purpose.ACCESS, KeyState.PENDING),
    )
