"""What a server does by itself, round by round."""

from __future__ import annotations

import threading

import pytest
from structlog.testing import capture_logs

from sessiond.clock import ManualClock
from sessiond.store.contract import Health, KeysView, Swept
from sessiond.store.memory import MemoryStore
from sessiond.v1 import key_service_pb2 as keys_pb
from sessiond.v1 import session_service_pb2 as pb
from tests.conformance.samples import event, tell
from tests.rpc.world import World, world


class Faulty(MemoryStore):
    """A store whose health cannot be asked for a while, by a fault of ours."""

    def __init__(self, clock: ManualClock) -> None:
        """Start empty and well."""
        super().__init__(monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)
        self.faulty = False
        self.asked = threading.Semaphore(0)

    def health(self) -> Health:
        """Raise what nobody expects."""
        self.asked.release()
        if self.faulty:
            message = "planted"
            raise ValueError(message)
        return super().health()


def test_maintenance_goes_on_after_a_round_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round of maintenance that fails is logged, and the next one comes all the same."""
    monkeypatch.setattr("sessiond.server.maintenance._WATCH_SECONDS", 0.01)
    clock = ManualClock()
    store = Faulty(clock)
    with capture_logs() as logged, world(store=store, clock=clock):
        store.faulty = True
        for _ in range(5):
            assert store.asked.acquire(timeout=30)
        store.faulty = False
    store.close()
    assert "maintenance failed" in {line["event"] for line in logged}


class Keyless(MemoryStore):
    """A store whose keys cannot be read for a while, by a fault of ours."""

    keyless = False

    def keys(self) -> KeysView:
        """Raise what nobody expects."""
        if self.keyless:
            message = "planted"
            raise ValueError(message)
        return super().keys()


def test_maintenance_sweeps_although_another_step_fails() -> None:
    """While the key schedule cannot be followed, what has expired is swept all the same, and the failure is logged."""
    clock = ManualClock()
    store = Keyless(monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)
    with world(store=store, clock=clock) as here:
        short = here.login(absolute_lifetime={"seconds": 60}, idle_lifetime={"seconds": 60})
        kept = here.record(short.session_id)
        clock.advance(90)
        store.keyless = True
        with capture_logs() as logged:
            here.app.maintenance.once()
        assert store.get(kept.id).session is None
        assert [("maintenance failed", "keys")] == [(line["event"], line.get("step")) for line in logged]
        store.keyless = False
    store.close()


def test_maintenance_sweeps_what_has_expired(here: World) -> None:
    """A round of maintenance deletes sessions that have been expired for longer than the leeway, and no other."""
    short = here.login(absolute_lifetime={"seconds": 60}, idle_lifetime={"seconds": 60})
    long = here.login()
    here.clock.advance(89)
    here.app.maintenance.once()
    here.sessions.GetSession(pb.GetSessionRequest(session_id=long.session_id))
    kept = here.record(short.session_id)
    here.clock.advance(1)
    here.app.maintenance.once()
    assert here.store.get(kept.id).session is None
    assert here.record(long.session_id).id


def test_maintenance_bounds_the_number_of_events() -> None:
    """A round of maintenance deletes the oldest events beyond the numbers of the policy: refusals beyond theirs."""
    clock = ManualClock()
    store = MemoryStore(monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)
    with world(store=store, clock=clock, policy={"max_events": 3, "max_refusal_events": 2}) as here:
        for _ in range(5):
            here.login()
        told = [one.sequence for one in store.events_after(0, 100)[0]]
        tell(store, *(event(refusal=True) for _ in range(4)))
        clock.advance(30)
        here.app.maintenance.once()
        refusals = [told[-1] + 3, told[-1] + 4]
        assert [*told[-3:], *refusals] == [one.sequence for one in store.events_after(0, 100)[0]]
    store.close()


class Counting(MemoryStore):
    """A store that counts its sweeps, once they are done."""

    def __init__(self, clock: ManualClock) -> None:
        """Start empty."""
        super().__init__(monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)
        self.sweeps = threading.Semaphore(0)

    def sweep(self, now: int, events_before: int, limit: int, **bounds: int | None) -> Swept:
        """Sweep and count it."""
        swept = super().sweep(now, events_before, limit, **bounds)
        self.sweeps.release()
        return swept


def test_what_a_sweep_leaves_goes_before_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that stopped at its limit goes on at the next look at the store, and not with the next round."""
    monkeypatch.setattr("sessiond.server.maintenance._WATCH_SECONDS", 0.01)
    monkeypatch.setattr("sessiond.server.maintenance.SWEEP_ROUNDS", 1)
    monkeypatch.setattr("sessiond.server.maintenance.SWEEP_ROWS", 2)
    clock = ManualClock()
    store = Counting(clock)
    with world(store=store, clock=clock, policy={"max_events": 1}) as here:
        tell(store, *(event() for _ in range(9)))
        too_many = len(store.events_after(0, 100)[0]) - 1
        here.clock.advance(60)
        for _ in range(0, too_many, 2):
            assert store.sweeps.acquire(timeout=30)
    assert 1 == len(store.events_after(0, 100)[0])
    store.close()


def test_wall_clock_set_forward_deletes_nothing(here: World) -> None:
    """A wall clock that jumps ahead by years sweeps no session away: set right again, it is refreshed as before."""
    issued = here.login()
    here.clock.advance(60)
    here.clock.step_wall(3 * 365 * 86_400)
    here.app.maintenance.once()
    here.clock.step_wall(-3 * 365 * 86_400)
    assert here.refresh(issued.refresh_token).tokens.generation == 1


def test_maintenance_follows_the_key_schedule(here: World) -> None:
    """A round of maintenance makes a PENDING key ACTIVE once its publication time is over."""
    new = here.keys.RotateKey(keys_pb.RotateKeyRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS)).key
    here.clock.advance(600)
    here.app.maintenance.once()
    keys = {key.key_id: key.state for key in here.keys.GetKeyset(keys_pb.GetKeysetRequest()).keys}
    assert keys[new.key_id] == keys_pb.KEY_STATE_ACTIVE
