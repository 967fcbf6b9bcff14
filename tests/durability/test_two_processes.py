"""Several processes on one data directory."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sessiond.clock import ManualClock
from sessiond.errors import StoreUnavailableError
from sessiond.store.lmdb import LmdbStore
from sessiond.store.lmdb.environment import Environment
from sessiond.store.lmdb.rows import LmdbRows
from sessiond.store.lmdb.writer import Writer
from tests.conformance.samples import SUBJECT_HASH, add, session
from tests.durability.crashes import faults, opened, worker
from tests.durability.worker import create, end

TURNS = 30


def test_processes_share_one_order(tmp_path: Path) -> None:
    """Two processes write at once beside a third that has the store open: all is there, without a gap."""
    data = tmp_path / "data"
    store = opened(data)
    writers = [worker("write", data, number, 2, TURNS) for number in (1, 2)]
    said = []
    for turn in range(TURNS):
        mine = session((3 << 90) + turn)
        create(store, mine)
        end(store, mine.id)
        said += [f"CREATED {mine.id.hex()}", f"ENDED {mine.id.hex()}"]
    for writer in writers:
        lines = writer.communicate(timeout=60)[0].splitlines()
        assert (0, 2 * (TURNS + TURNS // 3)) == (writer.returncode, len(lines))
        said += lines
    assert store.revision() - (1 << 48) == TURNS + 2 * 2 * (TURNS // 3)
    assert len(store.list_by_subject(SUBJECT_HASH, b"", 1_000)[0]) == 2 * 2 * (TURNS - TURNS // 3)
    store.close()
    assert [] == faults(data, said)


def test_an_acknowledged_write_is_seen_at_once(tmp_path: Path) -> None:
    """What another process was given an acknowledgement for is seen by the very next read, and the next decision."""
    data = tmp_path / "data"
    store = opened(data)
    writer = worker("write", data, 1, 1, TURNS)
    assert writer.stdout is not None
    for line in writer.stdout:
        kind, session_id = line.split()
        seen = store.get(bytes.fromhex(session_id)).session
        assert seen is not None
        assert kind == "CREATED" or seen.end is not None
    assert 0 == writer.wait(60)
    writer.communicate()
    store.close()


def test_processes_have_one_secret_and_one_key(tmp_path: Path) -> None:
    """Of processes that open a new store at the same time, one makes the secret and one the key, for all of them."""
    data = tmp_path / "data"
    starting = [worker("first", data, number) for number in (1, 2, 3)]
    for one in starting:
        assert one.stdout is not None
        assert "ready\n" == one.stdout.readline()
    for one in starting:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    answers = [one.communicate(timeout=60)[0].splitlines() for one in starting]
    assert [0, 0, 0] == [one.returncode for one in starting]
    assert 2 == len(answers[0])
    assert [answers[0]] * 3 == answers

    store = opened(data)
    assert answers[0][0].encode() == store.installation(lambda: b"late")
    assert [answers[0][1]] == [key.key_id.hex() for key in store.keys().keys]
    assert 1 == store.revision() - (1 << 48)
    store.close()


def test_processes_count_time_once(tmp_path: Path) -> None:
    """The ticks of several processes count the same second once."""
    clock = ManualClock()
    start = clock.monotonic_ms()
    store = LmdbStore(tmp_path / "data", monotonic_ms=clock.monotonic_ms, session_grace_seconds=0)
    store.tick()
    other = worker("tick", tmp_path / "data", start + 1_000)
    assert "1000\n" == other.communicate(timeout=60)[0]
    clock.advance(1.5)
    store.tick()
    assert 1_500 == store.serving_ms()
    store.close()


def test_a_held_lock_is_waited_for_in_bounds(tmp_path: Path) -> None:
    """
    While another process holds the lock of the store, reads go on and a write gives up in time, surely undone.

    What was accepted before the lock comes free is done then.
    """
    environment = Environment(tmp_path / "data", 1 << 30)
    writer = Writer(environment, patience_seconds=0.2)
    holder = worker("hold", tmp_path / "data")
    assert holder.stdout is not None
    assert "held\n" == holder.stdout.readline()

    with pytest.raises(StoreUnavailableError, match="another process holds the lock of the store"):
        writer.run(lambda rows: rows.write_session(session(1), None))
    assert None is environment.read(lambda rows: rows.session(session(1).id))

    patient = Writer(environment, patience_seconds=60)
    waiting = threading.Thread(target=lambda: patient.run(lambda rows: rows.write_session(session(2), None)))
    waiting.start()
    holder.communicate("go on\n", timeout=60)
    waiting.join(60)
    assert session(2) == environment.read(lambda rows: rows.session(session(2).id))
    writer.run(lambda rows: rows.write_session(session(3), None))
    assert (None, session(3)) == environment.read(
        lambda rows: (rows.session(session(1).id), rows.session(session(3).id))
    )
    assert writer.close()
    assert patient.close()
    environment.close()


@pytest.mark.parametrize("reads", [True, False], ids=["read", "write"])
def test_a_map_that_another_process_grew_is_adopted(tmp_path: Path, *, reads: bool) -> None:
    """A process whose map is smaller than what another one has written by then adopts the larger size by itself."""
    clock = ManualClock()
    store = LmdbStore(tmp_path / "data", monotonic_ms=clock.monotonic_ms, session_grace_seconds=0, map_size=1 << 20)
    add(store, session())
    other = worker("fill", tmp_path / "data", 1 << 24, 160)
    assert "filled\n" == other.communicate(timeout=60)[0]

    if not reads:
        add(store, session(2))
    assert session() == store.get(session().id).session
    assert 1 << 24 == store._environment.read(LmdbRows.used_bytes) / store._environment.fill()  # noqa: SLF001 - its map
    store.close()
