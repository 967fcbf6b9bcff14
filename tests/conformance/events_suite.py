"""The promises about events: one order, two bounds, and the newest of a session."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sessiond.store.contract import Change, Swept
from sessiond.store.records import Event
from tests.conformance.probes import TickingStore
from tests.conformance.samples import NOW, add, event, session, tell

FIRST, SECOND = session(1).id, session(2).id


def refusal(at: int = NOW, **fields: object) -> Event:
    """Make the event of a refusal up."""
    return event("REFUSED", at, refusal=True, **fields)


def sequences(events: Sequence[Event]) -> list[int]:
    """Give the numbers of events."""
    return [one.sequence for one in events]


def swept(store: TickingStore, *, before: int = 0, limit: int = 100, most: int = 100, refusals: int = 100) -> Swept:
    """Sweep nothing but events."""
    return store.sweep(0, before, limit, max_events=most, max_refusal_events=refusals)


class EventsSuite:
    """How events are read, and which of them go first."""

    def test_refusals_have_their_place_among_the_events(self, store: TickingStore) -> None:
        """Events and refusals are numbered and read as one, in pages too, with the number of the last."""
        tell(store, event(), refusal(), refusal(), event(), refusal())

        told, last = store.events_after(0, 10)
        assert ([1, 2, 3, 4, 5], 5) == (sequences(told), last)
        assert [False, True, True, False, True] == [one.refusal for one in told]
        assert ([3, 4], 5) == (sequences(store.events_after(2, 2)[0]), store.events_after(2, 2)[1])
        assert ([], 5) == store.events_after(5, 2)
        assert ([], 5) == store.events_after(0, 0)

    def test_the_last_number_stays_when_its_event_is_swept(self, store: TickingStore) -> None:
        """A reader of an empty trail learns where the next event will be."""
        assert ([], 0) == store.events_after(0, 10)
        tell(store, event(), refusal())
        swept(store, before=NOW + 1)
        assert ([], 2) == store.events_after(0, 10)

    def test_the_newest_events_of_a_session_are_read_in_order(self, store: TickingStore) -> None:
        """The events of a session are those that name it, refusals too; of more than asked for the newest."""
        for session_id in (FIRST, SECOND, FIRST):
            tell(store, event(session_id=session_id), refusal(session_id=session_id), event())

        assert [1, 2, 7, 8] == sequences(store.events_of_session(FIRST, 10))
        assert [2, 7, 8] == sequences(store.events_of_session(FIRST, 3))
        assert [4, 5] == sequences(store.events_of_session(SECOND, 10))
        assert [True, False] == [one.refusal for one in store.events_of_session(FIRST, 3)[:2]]
        assert [] == store.events_of_session(FIRST, 0)
        assert [] == store.events_of_session(session(3).id, 10)

    def test_an_event_without_a_session_is_of_none(self, store: TickingStore) -> None:
        """Events that name no session are no session's, not even that of the empty id."""
        tell(store, event(), refusal())
        assert [] == store.events_of_session(b"", 10)

    def test_ids_at_the_ends_of_their_range(self, store: TickingStore) -> None:
        """The events of the least and the greatest id are their own."""
        least, greatest = b"\0" * 16, b"\xff" * 16
        tell(store, event(session_id=greatest), event(session_id=least), event(session_id=greatest))
        assert [1, 3] == sequences(store.events_of_session(greatest, 10))
        assert [2] == sequences(store.events_of_session(least, 10))

    def test_an_event_is_of_its_session_with_the_change(self, store: TickingStore) -> None:
        """The event that a change writes is found under its session at once."""
        add(store, session(1))
        store.rotate(FIRST, lambda _: Change(None, events=(event(session_id=FIRST),)))
        assert store.events_after(0, 1)[0] == store.events_of_session(FIRST, 1)

    # Bounds.

    def test_events_go_by_age(self, store: TickingStore) -> None:
        """Events and refusals that are too old go from every list."""
        tell(store, event(at=NOW, session_id=FIRST), refusal(at=NOW, session_id=FIRST))
        tell(store, event(at=NOW + 1, session_id=FIRST), refusal(at=NOW + 1, session_id=FIRST))

        assert Swept(events=1, refusal_events=1) == swept(store, before=NOW + 1)
        assert [3, 4] == sequences(store.events_after(0, 10)[0]) == sequences(store.events_of_session(FIRST, 10))

    def test_the_first_events_go_beyond_a_number(self, store: TickingStore) -> None:
        """Of more events than may be kept those that were written first go, however the wall clock stepped."""
        tell(store, *(event(at=NOW + at, session_id=FIRST) for at in (5, 1, 3, 1, 4)))

        assert Swept() == swept(store, most=5)
        assert Swept(events=3) == swept(store, most=2)
        assert [4, 5] == sequences(store.events_after(0, 10)[0]) == sequences(store.events_of_session(FIRST, 10))
        assert Swept(events=2) == swept(store, most=0)
        assert [] == store.events_of_session(FIRST, 10)

    @pytest.mark.parametrize("flood", [True, False], ids=["refusals", "others"])
    def test_a_flood_of_one_kind_drives_out_none_of_the_other(self, store: TickingStore, *, flood: bool) -> None:
        """Refusals and other events have a bound each: however many come of one, all of the other stay."""
        tell(store, event(), refusal())
        tell(store, *(event(at=NOW + 1, refusal=flood) for _ in range(40)))

        counted = swept(store, most=10, refusals=10)
        assert (Swept(refusal_events=31) if flood else Swept(events=31)) == counted
        left = store.events_after(0, 100)[0]
        assert 11 == len(left)
        assert (1 if flood else 2) == left[0].sequence

    def test_age_and_number_go_together(self, store: TickingStore) -> None:
        """What is too old and what is too many is deleted once, and counted once."""
        tell(store, *(event(at=NOW + at) for at in range(6)))
        assert Swept(events=4) == swept(store, before=NOW + 2, most=2)
        assert [5, 6] == sequences(store.events_after(0, 10)[0])
        assert Swept(events=1) == swept(store, before=NOW + 5, most=2)
        assert [6] == sequences(store.events_after(0, 10)[0])

    def test_age_takes_the_oldest_and_number_the_first(self, store: TickingStore) -> None:
        """What is too old goes by its time, and only what is too many beside that by its number."""
        tell(store, *(event(at=NOW + at, session_id=FIRST) for at in (5, 6, 0, 7, 8)))
        assert Swept(events=2) == swept(store, before=NOW + 1, most=3)
        assert [2, 4, 5] == sequences(store.events_after(0, 10)[0]) == sequences(store.events_of_session(FIRST, 10))

    def test_a_sweep_by_number_stops_at_its_limit(self, store: TickingStore) -> None:
        """What is beyond the number goes in pieces of the limit."""
        tell(store, *(event(at=NOW + at) for at in range(6)), refusal())
        assert Swept(events=2, more=True) == swept(store, limit=2, most=1, refusals=0)
        assert Swept(events=3, refusal_events=1) == swept(store, limit=5, most=1, refusals=0)
        assert [6] == sequences(store.events_after(0, 10)[0])

    def test_without_a_bound_only_age_counts(self, store: TickingStore) -> None:
        """A sweep that is told no number deletes by age alone."""
        tell(store, event(), refusal())
        assert Swept() == store.sweep(0, NOW, 10)
