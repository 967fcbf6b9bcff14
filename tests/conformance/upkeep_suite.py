"""The promises about time, sweeping, threads and the end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures

import pytest
from msgspec.structs import replace

from sessiond.clock import ManualClock
from sessiond.errors import StoreUnavailableError
from sessiond.store.contract import Change, Swept, View
from tests.conformance.probes import GRACE, TickingStore, writing_calls
from tests.conformance.samples import (
    FIRST_REVISION,
    NOW,
    SUBJECT,
    SUBJECT_HASH,
    TENANT,
    TENANT_HASH,
    add,
    answer,
    cut_scope,
    end,
    ended,
    event,
    keep,
    key,
    look,
    put_keys,
    refuse,
    request,
    session,
    tell,
)


class UpkeepSuite:
    """The serving clock, what is swept, what threads see, health and close."""

    # The serving clock.

    def test_the_serving_clock_counts_from_tick_to_tick(self, store: TickingStore, clock: ManualClock) -> None:
        """A tick adds the time since the last one, up to 3 s; a longer gap was not served through and adds nothing."""
        store.tick()
        readings = []
        for seconds in (1, 3, 3.001, 1, 3600, 0.5):
            clock.advance(seconds)
            store.tick()
            readings.append(store.serving_ms())

        assert [1_000, 4_000, 4_000, 5_000, 5_000, 5_500] == readings

    def test_the_serving_clock_ignores_the_wall_clock(self, store: TickingStore, clock: ManualClock) -> None:
        """A step of the wall clock is no serving time."""
        store.tick()
        clock.step_wall(2)
        store.tick()
        assert 0 == store.serving_ms()

    def test_the_serving_clock_stands_while_nothing_ticks(self, store: TickingStore, clock: ManualClock) -> None:
        """Writes alone move no serving clock."""
        store.tick()
        clock.advance(0.25)
        add(store, session())
        assert 0 == store.get(session().id).serving_ms

    # Sweeping.

    def test_rows_go_when_their_deadline_has_come(self, store: TickingStore) -> None:
        """Nothing is deleted a second early, and everything at its deadline; a session has its grace."""
        add(store, session(1, expires_at=NOW - GRACE))
        add(store, session(2, expires_at=NOW - GRACE + 1))
        end(store, session(1).id, keep_until=NOW)
        end(store, session(2).id, keep_until=NOW + 1)
        cut_scope(store, SUBJECT, keep_until=NOW)
        cut_scope(store, TENANT, keep_until=NOW + 1)
        tell(store, event(at=NOW - 100), event(at=NOW - 99))
        keep(store, request(1), answer(keep_until=NOW))
        keep(store, request(2), answer(keep_until=NOW + 1))

        # The two cuts have a log entry and an event each.
        swept = store.sweep(NOW, NOW - 99, 100)
        assert Swept(sessions=1, requests=1, events=1, revocations=2, cuts=1) == swept
        assert [False, True] == [store.get(session(number).id).session is not None for number in (1, 2)]
        assert (None, answer(keep_until=NOW + 1)) == (look(store, request(1)), look(store, request(2)))
        assert [TENANT] == list(store.cuts()[0])
        revisions = [entry.revision - FIRST_REVISION for entry in store.revocations_after(0, 10)[0]]
        assert [2, 4] == revisions
        assert [1, 2, 4] == [one.sequence for one in store.events_after(0, 10)[0]]
        assert Swept() == store.sweep(NOW, NOW - 99, 100)

    def test_a_sweep_leaves_the_counters(self, store: TickingStore) -> None:
        """Numbers go on where they were, keys and secret stay, when everything that expires is gone."""
        store.installation(lambda: b"secret")
        put_keys(store, key())
        add(store, session())
        cut_scope(store, SUBJECT)

        swept = store.sweep(2**32, 2**32, 100)
        assert Swept(sessions=1, events=1, revocations=2, cuts=1) == swept
        assert FIRST_REVISION + 2 == store.revision()
        assert FIRST_REVISION + 3 == cut_scope(store, SUBJECT)
        assert [2] == [one.sequence for one in store.events_after(0, 10)[0]]
        assert [key()] == list(store.keys().keys)
        assert b"secret" == store.installation(lambda: b"other")
        assert FIRST_REVISION + 1 == store.get(session().id).keys_revision

    def test_a_sweep_stops_at_its_limit(self, store: TickingStore) -> None:
        """A sweep deletes the earliest rows up to its limit and says that there may be more."""
        for number in range(6):
            add(store, session(number + 1, expires_at=NOW - 100 - number))
        keep(store, request(), answer(keep_until=NOW))

        assert Swept(sessions=4, more=True) == store.sweep(NOW, 0, 4)
        assert [1, 2] == [one.id[-1] for one in store.list_by_subject(SUBJECT_HASH, b"", 10)[0]]
        assert Swept(sessions=2, requests=1) == store.sweep(NOW, 0, 4)
        assert Swept() == store.sweep(NOW, 0, 4)

    def test_a_sweep_follows_a_changed_deadline(self, store: TickingStore) -> None:
        """A row whose deadline was moved goes at the later one."""
        moved = replace(add(store, session(expires_at=NOW)), expires_at=NOW + 50)
        store.update(moved.id, None, lambda _: Change(None, session=moved))
        cut_scope(store, SUBJECT, keep_until=NOW)
        cut_scope(store, SUBJECT, keep_until=NOW + 50)

        # What goes first is the log entry of the first cut.
        assert Swept(revocations=1) == store.sweep(NOW + 49, 0, 10)
        assert Swept(revocations=1, cuts=1) == store.sweep(NOW + 50, 0, 10)
        assert Swept(sessions=1) == store.sweep(NOW + 50 + GRACE, 0, 10)

    def test_a_swept_id_can_be_given_again(self, store: TickingStore) -> None:
        """Nothing of a swept session is left."""
        add(store, session())
        store.sweep(NOW + 5_000, 0, 10)

        assert None is store.get(session().id).session
        again = add(store, session(subject="bob"))
        assert [again] == store.list_by_subject(SUBJECT_HASH, b"", 10)[0]

    # Threads.

    def test_threads_share_one_order(self, store: TickingStore) -> None:
        """Of calls at once each gets a revision and an event number of its own, without a gap."""
        count = 8 * 10

        def work(number: int) -> int:
            add(store, session(number + 1))
            return store.update(
                session(number + 1).id,
                None,
                lambda view: Change(
                    view.revision + 1,
                    ended=(ended(view.session),),
                    events=(event(),),
                ),
            )

        with futures.ThreadPoolExecutor(8) as threads:
            revisions = list(threads.map(work, range(count)))
        assert list(range(FIRST_REVISION + 1, FIRST_REVISION + count + 1)) == sorted(revisions)
        entries, revision = store.revocations_after(0, 1_000)
        assert FIRST_REVISION + count == revision
        assert sorted(revisions) == [entry.revision for entry in entries]
        assert list(range(1, count + 1)) == [one.sequence for one in store.events_after(0, 1_000)[0]]
        assert [] == store.list_by_subject(SUBJECT_HASH, b"", 1_000)[0]

    def test_a_decision_that_raises_spoils_no_other(self, store: TickingStore) -> None:
        """Among calls at once, those whose decisions raise write nothing and the others all do."""

        def work(number: int) -> bool:
            new = session(number + 1)
            wrong = number % 3 == 0
            try:
                store.create(
                    TENANT_HASH,
                    SUBJECT_HASH,
                    request(number + 1),
                    refuse("wrong") if wrong else lambda _: Change(None, session=new, answer=answer(session_id=new.id)),
                )
            except LookupError:
                return False
            return True

        with futures.ThreadPoolExecutor(8) as threads:
            done = list(threads.map(work, range(60)))
        assert [number % 3 != 0 for number in range(60)] == done
        kept = [store.get(session(number + 1).id).session is not None for number in range(60)]
        assert done == kept
        assert done == [look(store, request(number + 1)) is not None for number in range(60)]

    def test_of_racing_changes_each_sees_the_one_before(self, store: TickingStore) -> None:
        """No change of a session is lost: each is decided on what the one before wrote."""
        add(store, session())

        def work(_: int) -> None:
            def decide(view: View) -> Change[None]:
                assert view.session is not None
                return Change(None, session=replace(view.session, shared=view.session.shared + 1))

            store.rotate(session().id, decide)

        with futures.ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(80)))
        last = store.get(session().id).session
        assert last is not None
        assert 80 == last.shared

    # Health and the end.

    def test_health(self, store: TickingStore) -> None:
        """A store that works says so, and that it is not full."""
        health = store.health()
        assert (True, True, "") == (health.readable, health.writable, health.detail)
        assert 0 <= health.fill < 0.5

    def test_a_closed_store_refuses_every_verb(self, store: TickingStore) -> None:
        """A verb after close raises StoreUnavailableError; to close again is no error."""
        store.close()
        store.close()

        reads: list[Callable[[], object]] = [
            lambda: store.get(session().id),
            lambda: store.list_by_subject(SUBJECT_HASH, b"", 1),
            store.keys,
            store.revision,
            store.cuts,
            lambda: store.revocations_after(0, 1),
            lambda: store.events_after(0, 1),
            lambda: store.events_of_session(session().id, 1),
            lambda: store.installation(lambda: b""),
            store.serving_ms,
            lambda: store.sweep(NOW, NOW, 1),
            store.tick,
        ]
        for verb in (*reads, *writing_calls(store, lambda *_: Change(None)).values()):
            with pytest.raises(StoreUnavailableError, match="closed"):
                verb()
        health = store.health()
        assert (False, False) == (health.readable, health.writable)
