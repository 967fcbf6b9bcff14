"""Lost answers: whoever asks again gets what was lost, whatever died in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessiond.client import Client, MemoryTokenStore, RefreshOutcome
from sessiond.clock import ManualClock
from sessiond.errors import Cause, IndeterminateError
from sessiond.store.lmdb import LmdbStore
from tests.client.wire import Wire
from tests.rpc.world import World, world
from tests.scenarios.refusals import cause


def test_repetitions_do_not_move_the_window(client: Client, here: World) -> None:
    """Scenarios 2 and 3: each repetition inside the window gets the same successor, none makes the window longer."""
    first = client.create_session("acme", "alice")
    second = client.refresh(first.refresh_token)
    found = set()
    for _ in range(9):
        here.serve_for(1)
        found.add(client.refresh(first.refresh_token).refresh_token)
    here.serve_for(1)

    assert {second.refresh_token} == found
    assert Cause.REUSED is cause(client.refresh, first.refresh_token)


def test_retry_reaches_the_successor_of_an_authority_that_died(tmp_path: Path) -> None:
    """Scenario 82: the answer is lost, the authority starts again, and the same request gets the very same token."""
    clock = ManualClock()

    def opened() -> LmdbStore:
        return LmdbStore(tmp_path / "data", monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)

    store = opened()
    with world(store=store, clock=clock) as here, Wire(here.app.address) as wire:
        with Client(wire.address, timeout_seconds=1, clock=clock) as client:
            first = client.create_session("acme", "alice")
            wire.lose_answers()
            with pytest.raises(IndeterminateError):
                client.refresh(first.refresh_token, request_id="attempt 1")
        written = here.record(first.session_id)
    store.close()
    clock.advance(3_600)
    store = opened()
    with world(store=store, clock=clock) as here, Client(here.app.address, clock=clock) as client:
        twice = [client.refresh(first.refresh_token, request_id="attempt 1") for _ in range(2)]
        third = client.refresh(twice[0].refresh_token)
        kept = here.record(first.session_id)
    store.close()

    assert 1 == written.pending
    assert [RefreshOutcome.RETRIED] * 2 == [one.outcome for one in twice]
    assert 1 == len({one.refresh_token for one in twice})
    assert (1, 2, 2) == (twice[0].generation, third.generation, kept.pending)
    assert kept.confirmed_by is not None
    assert written.pending_by.at == kept.confirmed_by.at


@pytest.mark.parametrize("last", [0, 1])
def test_answers_in_the_other_order_log_nobody_out(client: Client, here: World, last: int) -> None:
    """Scenario 83: of two answers for one token either may be stored last; the session goes on from it."""
    first = client.create_session("acme", "alice")
    answers = [client.refresh(first.refresh_token) for _ in range(2)]
    store = MemoryTokenStore()
    for answer in (answers[1 - last], answers[last]):
        store.write(answer)
    here.serve_for(60)
    kept = store.read()
    assert kept is not None
    second = client.refresh(kept.refresh_token)

    assert 1 == len({answer.refresh_token for answer in answers})
    assert (RefreshOutcome.ROTATED, 2) == (second.outcome, second.generation)


def test_window_stands_still_while_the_authority_is_away(client: Client, here: World) -> None:
    """Trap T4: an outage of an hour uses up no second of the window; the seconds of service before and after do."""
    first = client.create_session("acme", "alice")
    second = client.refresh(first.refresh_token)
    here.serve_for(5)
    here.clock.advance(3_600)
    here.store.tick()  # type: ignore[attr-defined]
    again = client.refresh(first.refresh_token)
    here.serve_for(5)

    assert (RefreshOutcome.SHARED, second.refresh_token) == (again.outcome, again.refresh_token)
    assert Cause.REUSED is cause(client.refresh, first.refresh_token)
