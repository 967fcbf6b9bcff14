"""The writer and the environment under it: groups, turns, faults of LMDB, forks, the end."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import lmdb
import pytest
import structlog.testing
from msgspec.structs import replace

from sessiond.clock import ManualClock
from sessiond.errors import IndeterminateError, StoreUnavailableError
from sessiond.store.contract import Change
from sessiond.store.lmdb import LmdbStore, environment, store, writer
from sessiond.store.lmdb.environment import Environment
from sessiond.store.lmdb.gate import Gate
from sessiond.store.lmdb.rows import LmdbRows
from sessiond.store.lmdb.writer import Writer
from tests.conformance.samples import (
    EVERYTHING,
    NOW,
    add,
    answer,
    cut_scope,
    end,
    event,
    keep,
    refuse,
    request,
    session,
    tell,
)
from tests.durability.groups import busy, grouped, no_file_longer_than, until

MAP = 1 << 26


def opened(path: Path) -> LmdbStore:
    """Open a store."""
    return LmdbStore(path, monotonic_ms=ManualClock().monotonic_ms, session_grace_seconds=0, map_size=MAP)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a place for a store."""
    return tmp_path / "data"


@pytest.fixture
def one(data: Path) -> Iterator[LmdbStore]:
    """Give an open store."""
    open_store = opened(data)
    yield open_store
    open_store.close()


def engine(target: LmdbStore) -> lmdb.Environment:
    """Give the LMDB environment of a store."""
    return target._environment._require()[0]  # noqa: SLF001 - nobody else's to see


def in_group(target: LmdbStore, *calls: Callable[[], object]) -> list[object]:
    """Make calls in one group, and give what came of each."""
    return grouped(target._writer, calls)  # noqa: SLF001 - the group is made there


def transactions(target: LmdbStore) -> int:
    """Count the transactions that were committed."""
    return engine(target).info()["last_txnid"]


# Groups.


def test_calls_that_wait_share_a_transaction(one: LmdbStore) -> None:
    """Whatever waits when a transaction begins is made durable by one commit, and each call sees the ones before."""
    before = transactions(one)
    outcomes = in_group(one, *(lambda number=number: add(one, session(number)) for number in range(1, 41)))
    assert [session(number) for number in range(1, 41)] == outcomes
    assert 1 == transactions(one) - before


def test_a_group_has_a_limit(one: LmdbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """More calls than a group may have make several."""
    monkeypatch.setattr(writer, "GROUP_CALLS", 4)
    before = transactions(one)
    in_group(one, *(lambda number=number: add(one, session(number)) for number in range(1, 11)))
    assert 3 == transactions(one) - before


def test_a_call_sees_what_the_group_wrote_before_it(one: LmdbStore) -> None:
    """Calls of one group are decided one after another, each on what the last one wrote."""
    outcomes = in_group(
        one,
        lambda: add(one, session()),
        lambda: one.rotate(session().id, lambda view: Change(view.session)),
        lambda: end(one, session().id),
        lambda: cut_scope(one, EVERYTHING),
        lambda: one.sweep(2**31, 0, 1).sessions,
        lambda: one.rotate(session().id, lambda view: Change((view.session, view.revision))),
    )
    first = 1 << 48
    assert [session(), session(), first + 1, first + 2, 1, (None, first + 2)] == outcomes


def test_lists_and_counts_follow_the_group(one: LmdbStore) -> None:
    """A list read backwards and the number of a table's rows hold what the calls before in the group wrote."""
    seen = lambda view: Change([sibling.id[-1] for sibling in view.siblings], session=session(2))  # noqa: E731 - one use
    outcomes = in_group(
        one,
        lambda: add(one, session(1)),
        lambda: one.create(session().tenant_hash, session().subject_hash, None, seen, siblings=5),
        lambda: tell(one, event(), event(), event()),
        lambda: one.sweep(0, 0, 10, max_events=1).events,
    )
    assert [session(1), [1], None, 2] == outcomes


def test_a_call_that_raises_leaves_its_group(one: LmdbStore) -> None:
    """A call that raises is refused alone; what it would have written is not there, and the others are done."""
    before = transactions(one)
    outcomes = in_group(
        one,
        lambda: add(one, session(1)),
        lambda: one.rotate(session(1).id, refuse("no such thing")),
        lambda: add(one, session(1)),
        lambda: add(one, session(2, subject_hash=b"of another size")),
        lambda: add(one, session(3)),
    )
    assert [session(1), LookupError, ValueError, ValueError, session(3)] == [
        type(outcome) if isinstance(outcome, Exception) else outcome for outcome in outcomes
    ]
    assert 1 == transactions(one) - before


def test_a_call_whose_last_record_does_not_fit_writes_none(one: LmdbStore) -> None:
    """A call that is refused for its event leaves nothing of its session, and nothing for the next in the group."""
    too_long = Change(None, session=session(1), events=(event(details={"why": "x" * 70_000}),))
    outcomes = in_group(
        one,
        lambda: one.create(b"tenant 1", b"subject1", None, lambda _: too_long),
        lambda: add(one, session(2)),
    )
    assert [ValueError, type(session())] == [type(outcome) for outcome in outcomes]
    assert (None, session(2)) == (one.get(session(1).id).session, one.get(session(2).id).session)


def test_an_index_has_a_row_for_each_row(one: LmdbStore) -> None:
    """Indexes hold nothing of what was changed, replaced or deleted."""

    def count() -> dict[str, int]:
        table = one._environment._require()[1]  # noqa: SLF001 - nobody else's to see
        assert table is not None
        with engine(one).begin() as txn:
            rows = {db.name: txn.stat(handle)["entries"] for db, handle in table.items()}
        deadlines = rows["DEADLINES"] - sum(rows[name] for name in ("REQUESTS", "CUTS", "REVOCATIONS", "EVENTS"))
        return {"sessions": rows["SESSIONS"], "subjects": rows["SUBJECTS"], "deadlines": deadlines}

    for number in (1, 2, 3):
        add(one, session(number))
        moved = session(number, expires_at=5 + number, subject_hash=b"another1")
        one.update(moved.id, None, lambda _, moved=moved: Change(None, session=moved))  # type: ignore[misc]
        keep(one, request(), answer(keep_until=NOW + number))
        cut_scope(one, EVERYTHING, keep_until=NOW + number)
    assert {"sessions": 3, "subjects": 3, "deadlines": 3} == count()
    one.sweep(6, 0, 10)
    assert {"sessions": 2, "subjects": 2, "deadlines": 2} == count()
    one.sweep(2**31, 2**31, 100)
    assert {"sessions": 0, "subjects": 0, "deadlines": 0} == count()


def test_a_group_that_writes_nothing_commits_nothing(one: LmdbStore) -> None:
    """Decisions for nothing cost no commit."""
    before = transactions(one)
    add_nothing = lambda: one.rotate(session().id, lambda _: Change("nothing"))  # noqa: E731 - three times
    assert ["nothing"] * 3 == in_group(one, add_nothing, add_nothing, add_nothing)
    assert 0 == transactions(one) - before


def test_a_change_to_the_same_writes_nothing(one: LmdbStore) -> None:
    """A session that is written as it is costs no commit."""
    add(one, session())
    before = transactions(one)
    one.rotate(session().id, lambda view: Change(None, session=view.session))
    assert 0 == transactions(one) - before


def test_what_lmdb_refuses_spoils_no_other(one: LmdbStore) -> None:
    """Where LMDB refuses a group, each call runs again by itself, and the one at fault is refused alone."""

    def wrong() -> None:
        one._write(fail)  # noqa: SLF001 - an error of LMDB cannot be had otherwise

    def fail(_: object) -> None:
        what = "made up"
        raise lmdb.CorruptedError(what)

    with structlog.testing.capture_logs() as log:
        outcomes = in_group(one, lambda: add(one, session(1)), wrong, lambda: add(one, session(2)))
    assert (session(1), session(2)) == (outcomes[0], outcomes[2])
    assert isinstance(outcomes[1], StoreUnavailableError)
    assert "the store failed; the log of the authority tells more" == outcomes[1].message
    assert [("the store failed", "made up")] == [(line["event"], line["error"]) for line in log]
    assert "LMDB failed with CorruptedError" in one.health().detail


def test_a_call_that_met_a_new_map_is_told_to_come_again(one: LmdbStore) -> None:
    """A call during which the map changed is refused as surely undone."""

    def fail(_: object) -> None:
        what = "made up"
        raise lmdb.MapResizedError(what)

    with pytest.raises(StoreUnavailableError, match="changed under the call: nothing was changed; try again"):
        one._write(fail)  # noqa: SLF001 - an error of LMDB cannot be had otherwise
    add(one, session())


# Turns.


def test_a_call_whose_turn_does_not_come_is_taken_back(data: Path) -> None:
    """A call that waits for its turn for too long is surely undone, and is not done later."""
    base = Environment(data, MAP)
    slow = Writer(base, patience_seconds=0.05)
    with busy(Writer(base)), pytest.raises(StoreUnavailableError, match="another process holds the lock"):
        slow.run(lambda rows: rows.write_session(session(), None))
    slow.run(lambda _: None)
    assert None is base.read(lambda rows: rows.session(session().id))
    assert slow.close()
    base.close()


def test_a_call_that_takes_too_long_has_an_unknown_outcome(data: Path) -> None:
    """A call that has begun and does not end is reported as unknown; it may be done later."""
    base = Environment(data, MAP)
    slow = Writer(base, patience_seconds=0.05, commit_seconds=0.05)
    go_on = threading.Event()

    def work(rows: LmdbRows) -> None:
        assert go_on.wait(60)
        rows.write_session(session(), None)

    with pytest.raises(IndeterminateError, match="repeat the call to find out"):
        slow.run(work)
    assert not slow.close()
    go_on.set()
    until(lambda: base.read(lambda rows: rows.session(session().id)) is not None)
    assert slow.close()
    base.close()


# The end.


def test_close_finishes_what_was_accepted(data: Path) -> None:
    """Calls that wait when the store is closed are done; later ones are refused."""
    one = opened(data)
    with futures.ThreadPoolExecutor(6) as threads:
        with busy(one._writer):  # noqa: SLF001 - so that calls wait
            waiting = [threads.submit(add, one, session(number)) for number in range(1, 6)]
            until(lambda: len(one._writer._queue) == 5)  # noqa: SLF001 - all of them
            closing = threads.submit(one.close)
            until(lambda: one._writer._closing)  # noqa: SLF001 - begun
            with pytest.raises(StoreUnavailableError, match="closed"):
                add(one, session(6))
        assert [session(number) for number in range(1, 6)] == [call.result(60) for call in waiting]
        closing.result(60)

    again = opened(data)
    assert 5 == len(again.list_by_subject(session().subject_hash, b"", 10)[0])
    again.close()


def test_a_forked_child_touches_nothing(one: LmdbStore) -> None:
    """In a child of a fork every verb that needs LMDB is refused, close too; the parent goes on."""
    add(one, session())
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads, which is the point.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        refused = 0
        for verb in (one.cuts, lambda: add(one, session(2)), one.tick, one.close):
            try:
                verb()
            except StoreUnavailableError as error:
                refused += "opened before this process was forked" in error.message
        os._exit(refused)
    assert 4 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert session() == one.get(session().id).session
    add(one, session(2))


# Faults of the environment.


def test_an_environment_that_fails_is_opened_again(one: LmdbStore) -> None:
    """Where LMDB refuses to begin, reads and writes are refused until a tick has opened the store again."""
    add(one, session())
    with structlog.testing.capture_logs() as log:
        engine(one).close()
        with pytest.raises(StoreUnavailableError, match="the store failed"):
            one.get(session().id)
        with pytest.raises(StoreUnavailableError, match="the store failed"):
            add(one, session(2))
        with pytest.raises(StoreUnavailableError, match="writing has stopped, no write transaction can begin"):
            add(one, session(2))
        assert not one.health().writable
        one.tick()
    assert {"the store failed", "writing stopped"} == {line["event"] for line in log}
    assert (True, "") == (one.health().writable, one.health().detail)
    assert session() == one.get(session().id).session
    add(one, session(2))


def test_a_store_closed_under_a_write_refuses_it(data: Path) -> None:
    """A write that finds the environment closed is refused as surely undone."""
    base = Environment(data, MAP)
    late = Writer(base)
    base.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        late.run(lambda _: None)
    assert late.close()


def test_readers_that_take_every_place(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all places of readers are taken by the living, a read is refused, and works once one is free."""
    monkeypatch.setattr(environment, "MAX_READERS", 2)
    one = opened(data)
    held = [engine(one).begin() for _ in range(2)]
    with pytest.raises(StoreUnavailableError, match="kept changing: try again"):
        one.serving_ms()
    held.pop().abort()
    assert 0 == one.serving_ms()
    held.pop().abort()
    one.close()


# The second of the store.


def test_the_store_ticks_by_itself(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store counts serving time and looks after dead readers without being asked."""
    monkeypatch.setattr(store, "TICK_SECONDS", 0.005)
    monkeypatch.setattr(store, "CHECK_READERS_TICKS", 1)
    clock = ManualClock()
    one = LmdbStore(data, monotonic_ms=clock.monotonic_ms, session_grace_seconds=0, map_size=MAP)
    before = transactions(one)
    until(lambda: transactions(one) > before)
    clock.advance(2)
    until(lambda: one.serving_ms() == 2_000)
    one.close()


def test_the_store_mends_itself(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second in which nothing can be written shows in health, and the next good one ends it."""
    monkeypatch.setattr(store, "TICK_SECONDS", 0.005)
    clock = ManualClock()
    one = LmdbStore(data, monotonic_ms=clock.monotonic_ms, session_grace_seconds=0, map_size=MAP)
    add(one, session())
    with structlog.testing.capture_logs():
        with no_file_longer_than(1):
            clock.advance(1)
            until(lambda: not one.health().writable)
            assert one.health().readable
            assert session() == one.get(session().id).session
        until(lambda: one.health().writable)
    assert "" == one.health().detail
    changed = replace(session(), label="changed")
    one.rotate(session().id, lambda _: Change(None, session=changed))
    one.close()


def test_a_tick_that_fails_stops_the_clock(one: LmdbStore) -> None:
    """Seconds in which nothing could be written are not counted."""
    clock = ManualClock()
    one._monotonic_ms = clock.monotonic_ms  # noqa: SLF001 - the clock of this test
    one.tick()
    with structlog.testing.capture_logs():
        with no_file_longer_than(1):
            for _ in range(4):
                clock.advance(1)
                with pytest.raises((StoreUnavailableError, IndeterminateError)):
                    one.tick()
        clock.advance(1)
        one.tick()
        clock.advance(1)
        one.tick()
    assert 1_000 == one.serving_ms()


# The gate.


def test_a_gate_lets_nobody_wait_for_ever() -> None:
    """Whoever wants to be alone gives up while others stay, and others while somebody is alone."""
    gate = Gate(patience_seconds=0.02)
    with gate.shared(), gate.shared(), pytest.raises(StoreUnavailableError, match="busy"), gate.alone():
        pass
    assert not gate.stuck
    with gate.alone():
        for enter in (gate.shared, gate.alone):
            with pytest.raises(StoreUnavailableError, match="busy"), enter():
                pass
            assert gate.stuck
    assert not gate.stuck
    with gate.shared():
        pass


def test_a_gate_lets_one_in_alone() -> None:
    """One who waits to be alone goes in when the last one has left, before those who come later."""
    gate, order = Gate(patience_seconds=60), list[str]()

    def alone() -> None:
        with gate.alone():
            order.append("alone")

    def late() -> None:
        with gate.shared():
            order.append("late")

    with futures.ThreadPoolExecutor(2) as threads:
        with gate.shared():
            first = threads.submit(alone)
            until(lambda: gate._alone)  # noqa: SLF001 - it waits
            second = threads.submit(late)
            order.append("early")
        first.result(60)
        second.result(60)
    assert ["early", "alone", "late"] == order
