"""Death and full disks: what was seen is written, what was acknowledged is there."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sessiond.client import Client, EventFilter, EventKind, RefreshOutcome
from sessiond.clock import ManualClock
from sessiond.errors import Advice, Cause, IndeterminateError, StoreUnavailableError
from sessiond.store.lmdb import LmdbStore
from tests.durability.groups import no_file_longer_than
from tests.rpc.world import world
from tests.scenarios.refusals import cause

ROOT = Path(__file__).parents[2]


def opened(data: Path, clock: ManualClock) -> LmdbStore:
    """Open a store by the clock of the test."""
    return LmdbStore(data, monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)


@pytest.mark.parametrize(("when", "is_seen"), [("decided", False), ("committed", True)])
def test_reuse_that_was_seen_has_ended_the_session(tmp_path: Path, when: str, *, is_seen: bool) -> None:
    """Scenario 81: killed before or after its commit, a process leaves reuse, end and evidence together, or none."""
    worker = [sys.executable, "-m", "tests.scenarios.dying_worker", str(tmp_path / "data"), when]
    died = subprocess.run(worker, capture_output=True, text=True, check=False, cwd=ROOT)
    assert -signal.SIGKILL == died.returncode, died.stderr
    session_id, first, newest = died.stdout.splitlines()[-1].split()
    clock = ManualClock()
    store = opened(tmp_path / "data", clock)
    with world(store=store, clock=clock) as here, Client(here.app.address, clock=clock) as client:
        events = client.list_events(EventFilter(session_id=session_id, kinds=[EventKind.REFRESH_REUSED])).events
        end = here.record(session_id).end
        logged = [one.cause for one in store.revocations_after(0, 1_000)[0] if one.session_id]
        found = cause(client.refresh, newest if is_seen else first)
        still = cause(client.refresh, newest)
    store.close()

    assert is_seen == (end is not None) == bool(events)
    assert ([Cause.REUSED] if is_seen else []) == logged
    assert end is None or (end.cause is Cause.REUSED and end.reuse is not None)
    assert (Cause.REUSED, Cause.REUSED) == (found, still)


def test_full_disk_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    """Scenario 87: while nothing can be written tokens are kept and verified; then the same calls go through."""
    clock = ManualClock()
    store = opened(tmp_path / "data", clock)
    with (
        world(store=store, clock=clock) as here,
        Client(here.app.address, clock=clock, timeout_seconds=1) as client,
        capture_logs(),
    ):
        sessions = [client.create_session("acme", "alice") for _ in range(5)]
        held = [client.refresh(one.refresh_token) for one in sessions]
        with no_file_longer_than(1):
            errors = []
            for one in held:
                with pytest.raises((StoreUnavailableError, IndeterminateError)) as caught:
                    client.refresh(one.refresh_token, request_id=f"of {one.session_id}")
                errors.append(caught.value.advice)
            verified = [client.verify(one.access_token).session_id for one in held]
        store.tick()
        after = [client.refresh(one.refresh_token, request_id=f"of {one.session_id}") for one in held]
        records = [here.record(one.session_id) for one in held]
    store.close()

    assert [Advice.KEEP_CURRENT_TOKENS] * 5 == errors
    assert [one.session_id for one in sessions] == verified
    assert {2} == {one.generation for one in after}
    assert {RefreshOutcome.ROTATED} == {one.outcome for one in after}
    assert [(2, None)] * 5 == [(record.pending, record.end) for record in records]
