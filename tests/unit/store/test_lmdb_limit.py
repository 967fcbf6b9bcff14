"""A map that is nearly full: no session is added, and what is left is for all other writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from sessiond.clock import ManualClock
from sessiond.errors import StoreUnavailableError
from sessiond.store.contract import Change, View
from sessiond.store.lmdb import LmdbStore
from sessiond.store.lmdb.store import CREATE_SHARE
from sessiond.store.lmdb.writer import StoreFullError
from tests.conformance.samples import (
    NOW,
    SUBJECT,
    SUBJECT_HASH,
    TENANT_HASH,
    add,
    answer,
    cut_scope,
    end,
    event,
    key,
    put_keys,
    request,
    session,
)

FIRST = session(1)
LIMIT = "the store is 9.% full: no session was added, .* start the authority with a larger map"


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LmdbStore]:
    """Give an open store with a small map, which is measured only when the test ticks."""
    monkeypatch.setattr("sessiond.store.lmdb.store.TICK_SECONDS", 3_600)
    clock = ManualClock().monotonic_ms
    store = LmdbStore(tmp_path / "data", monotonic_ms=clock, session_grace_seconds=0, map_size=1 << 22)
    yield store
    store.close()


def create(store: LmdbStore) -> bytes:
    """Add the first session, or find out that an earlier call did, and give its id."""

    def decide(view: View) -> Change[bytes]:
        if view.prior is not None:
            return Change(view.prior.session_id)
        told = (event("CREATED"),)
        return Change(FIRST.id, session=FIRST, events=told, answer=answer(session_id=FIRST.id))

    return store.create(TENANT_HASH, SUBJECT_HASH, request(), decide)


def fill(store: LmdbStore) -> None:
    """Add large sessions, a second apart, until the store refuses one, which is raised."""
    for number in range(2, 200):
        add(store, session(number, data_json="x" * 60_000))
        store.tick()


def test_a_nearly_full_map_takes_no_session(one: LmdbStore) -> None:
    """
    From a share of the map on a session is not added, as the message and health say, and health stays writable.

    A repeated call still gets its answer, and every other verb is done: of each, as many as there are sessions.
    """
    assert FIRST.id == create(one)
    with pytest.raises(StoreUnavailableError, match=LIMIT) as refusal:
        fill(one)
    assert type(refusal.value) is StoreUnavailableError
    assert FIRST.id == create(one)

    kept, _ = one.list_by_subject(SUBJECT_HASH, b"", 1_000)
    for number, here in enumerate(kept):
        changed = replace(here, label=f"changed {number}")
        one.rotate(here.id, lambda _, changed=changed: Change(None, session=changed))  # type: ignore[misc]
        end(one, here.id)
        cut_scope(one, SUBJECT, reason=f"cut {number}")
        put_keys(one, key(number + 1))
        one.tick()
    health = one.health()
    assert (True, True) == (health.readable, health.writable)
    assert CREATE_SHARE <= health.fill < 1
    assert f"the map is {health.fill:.0%} full, and no session is added: start the authority with" in health.detail

    while one.sweep(NOW + 5_000, 0, 256).more:
        pass
    one.tick()
    assert "" == one.health().detail
    add(one, session(1_000))


def test_a_map_without_room_shows_in_health(one: LmdbStore) -> None:
    """A write that found no room shows in health, of whichever verb it is, until a write is done."""
    large = [replace(key(number), public_key=b"x" * 60_000) for number in range(1, 80)]
    with pytest.raises(StoreFullError):
        put_keys(one, *large)
    told = "the map has no room for a write: start the authority with a larger one"
    assert (True, told) == (one.health().writable, one.health().detail)
    cut_scope(one, SUBJECT)
    assert (True, "") == (one.health().writable, one.health().detail)
