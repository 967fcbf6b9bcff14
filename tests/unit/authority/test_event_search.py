"""The audit trail as callers read it."""

from __future__ import annotations

import pytest

from sessiond.authority.caller import LOCAL, ROLES, Caller
from sessiond.authority.event_search import EVENTS_LOOKED_AT, EventFilter, EventSearch
from sessiond.authority.events import EventKind
from sessiond.clock import ManualClock
from sessiond.errors import Cause, InvalidRequestError, PermissionDeniedError
from sessiond.ids import session_id_text
from sessiond.store.contract import Change
from sessiond.store.memory import MemoryStore
from sessiond.store.records import Event, Scope, ScopeKind

OF_ACME = Caller("support", ROLES, frozenset({"acme"}))
ALICE, BOB, CAROL = (bytes.fromhex(f"0199f3a27c1e7abc8def01234567890{n}") for n in range(3))


def event(session_id: bytes, tenant: str, subject: str, kind: EventKind, cause: Cause | None = None) -> Event:
    """Make an event."""
    return Event(0, kind, 1_800_000_000, session_id, tenant, subject, cause)


MIXED = [
    Event(0, EventKind.KEY_CREATED, 1_800_000_000),
    event(ALICE, "acme", "alice", EventKind.SESSION_CREATED),
    event(BOB, "acme", "bob", EventKind.SESSION_CREATED),
    event(CAROL, "umbrella", "alice", EventKind.SESSION_CREATED),
    event(ALICE, "acme", "alice", EventKind.REFRESH_REUSED, Cause.REUSED),
    event(BOB, "acme", "bob", EventKind.SESSION_REVOKED, Cause.REVOKED),
]


def store_of(events: list[Event]) -> MemoryStore:
    """Keep events in a store, numbered from 1 on."""
    store = MemoryStore(monotonic_ms=ManualClock().monotonic_ms, session_grace_seconds=30)
    store.cut(Scope(ScopeKind.ALL), b"", None, lambda _: Change(None, events=events))
    return store


@pytest.mark.parametrize(
    ("wanted", "caller", "numbers"),
    [
        (EventFilter(), LOCAL, [1, 2, 3, 4, 5, 6]),
        (EventFilter(tenant="acme"), LOCAL, [2, 3, 5, 6]),
        (EventFilter(tenant="acme", subject="alice"), LOCAL, [2, 5]),
        (EventFilter(session_id=session_id_text(ALICE)), LOCAL, [2, 5]),
        (EventFilter(kinds={EventKind.SESSION_CREATED}), LOCAL, [2, 3, 4]),
        (EventFilter(causes={Cause.REUSED, Cause.REVOKED}), LOCAL, [5, 6]),
        (EventFilter(tenant="acme", kinds={EventKind.SESSION_CREATED, EventKind.KEY_CREATED}), LOCAL, [2, 3]),
        (EventFilter(session_id=session_id_text(ALICE), tenant="umbrella"), LOCAL, []),
        (EventFilter(tenant="acme"), OF_ACME, [2, 3, 5, 6]),
        (EventFilter(session_id=session_id_text(ALICE)), OF_ACME, [2, 5]),
        (EventFilter(session_id=session_id_text(CAROL)), OF_ACME, []),
    ],
)
def test_events_that_are_wanted_and_may_be_seen(wanted: EventFilter, caller: Caller, numbers: list[int]) -> None:
    """An event comes where it matches everything that is asked and is of a tenant of the caller's."""
    page = EventSearch(store_of(MIXED), caller, wanted).page(0, 0)
    assert (numbers, 6, False) == ([found.sequence for found in page.events], page.cursor, page.more)


@pytest.mark.parametrize("session_id", ["", session_id_text(ALICE)])
def test_pages_follow_each_other_without_gap_or_repetition(session_id: str) -> None:
    """The cursor of a page leads to the next one, until nothing is left to look at; what comes later is found there."""
    store = store_of([event(ALICE, "acme", "alice", EventKind.REFRESH_ROTATED)] * 7)
    search = EventSearch(store, LOCAL, EventFilter(session_id=session_id))
    first = search.page(0, 4)
    second = search.page(first.cursor, 4)
    nothing = search.page(second.cursor, 4)
    store.cut(Scope(ScopeKind.ALL), b"", None, lambda _: Change(None, events=[MIXED[1]]))
    later = search.page(nothing.cursor, 4)

    assert [([1, 2, 3, 4], 4, True), ([5, 6, 7], 7, False), ([], 7, False), ([8], 8, False)] == [
        ([found.sequence for found in page.events], page.cursor, page.more) for page in (first, second, nothing, later)
    ]


def test_page_that_ends_exactly_at_the_end_knows_it() -> None:
    """There is no more to look at where the last event is on the page."""
    page = EventSearch(store_of(MIXED), LOCAL, EventFilter()).page(0, 6)
    assert (6, False) == (page.cursor, page.more)


def test_one_call_looks_at_a_bounded_number_of_events() -> None:
    """Where nothing matches for 10,000 events, the page is empty and says that there is more."""
    store = store_of([*[MIXED[0]] * EVENTS_LOOKED_AT, MIXED[1], MIXED[1]])
    search = EventSearch(store, LOCAL, EventFilter(tenant="acme"))
    first = search.page(0, 10)
    second = search.page(first.cursor, 10)

    assert ((), EVENTS_LOOKED_AT, True) == (first.events, first.cursor, first.more)
    assert [EVENTS_LOOKED_AT + 1, EVENTS_LOOKED_AT + 2] == [found.sequence for found in second.events]


def test_every_event_of_a_session_with_very_many_is_found() -> None:
    """A session with more events than one look holds is read through like everything else, oldest first."""
    store = store_of([MIXED[1]] * (EVENTS_LOOKED_AT + 5))
    page = EventSearch(store, LOCAL, EventFilter(session_id=session_id_text(ALICE))).page(0, 3)
    assert [1, 2, 3] == [found.sequence for found in page.events]


@pytest.mark.parametrize("session_id", ["", session_id_text(ALICE)])
def test_cursor_beyond_the_end_leads_back(session_id: str) -> None:
    """A cursor of a store that an older copy has replaced finds what happens from here on."""
    page = EventSearch(store_of(MIXED), LOCAL, EventFilter(session_id=session_id)).page(99, 10)
    assert ((), 6, False) == (page.events, page.cursor, page.more)


def test_filter_out_of_its_limits_is_refused() -> None:
    """Every field at fault is named; a subject needs its tenant, and a limited caller a tenant or a session."""
    store = store_of([])
    for wanted, caller, fields in (
        (EventFilter(session_id="x", tenant="t" * 64, subject="s" * 256), LOCAL, ["tenant", "subject", "session_id"]),
        (EventFilter(subject="alice"), LOCAL, ["tenant"]),
        (EventFilter(), OF_ACME, ["tenant"]),
    ):
        with pytest.raises(InvalidRequestError) as refused:
            EventSearch(store, caller, wanted)
        assert [f"filter.{field}" for field in fields] == [field for field, _ in refused.value.violations]
    with pytest.raises(InvalidRequestError):
        EventSearch(store, LOCAL, EventFilter()).page(0, 1001)
    with pytest.raises(PermissionDeniedError):
        EventSearch(store, OF_ACME, EventFilter(tenant="umbrella"))
