"""kill -9 of processes that write: the store opens again with all that was acknowledged, and nothing by half."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessiond.store.lmdb.environment import MAP_BYTES, Environment
from tests.conformance.samples import add, session
from tests.durability.crashes import faults, opened, worker

KILLS = 3
LINES = 60


def test_kill_loses_nothing(tmp_path: Path) -> None:
    """Two processes of four threads each are killed in the middle of writing, three times, on one store."""
    data = tmp_path / "data"
    said: list[str] = []
    for kill in range(KILLS):
        writers = [worker("write", data, 2 * kill + number, 4, 0) for number in range(2)]
        for writer in writers:
            assert writer.stdout is not None
            said += [writer.stdout.readline() for _ in range(LINES)]
        for writer in writers:
            writer.kill()
        for writer in writers:
            # Of the last line only a part may have been written.
            said += writer.stdout.readlines() if writer.stdout is not None else []
            writer.communicate()
    acknowledged = [line for line in said if line.endswith("\n")]
    assert len(acknowledged) >= KILLS * 2 * LINES
    assert [] == faults(data, acknowledged)


def test_a_dead_process_holds_no_lock(tmp_path: Path) -> None:
    """A process that is killed inside a write transaction leaves the lock to the next writer."""
    store = opened(tmp_path / "data")
    holder = worker("hold", tmp_path / "data")
    assert holder.stdout is not None
    assert "held\n" == holder.stdout.readline()
    holder.kill()
    holder.communicate()
    add(store, session())
    assert session() == store.get(session().id).session
    store.close()


@pytest.mark.parametrize("by_opening", [False, True], ids=["asked to", "when a store is opened"])
def test_dead_readers_are_forgotten(tmp_path: Path, *, by_opening: bool) -> None:
    """A process that is killed while it reads holds back no page once the readers have been checked."""
    environment = Environment(tmp_path / "data", MAP_BYTES)
    reader = worker("read", tmp_path / "data")
    assert reader.stdout is not None
    assert "reading\n" == reader.stdout.readline()
    engine, _ = environment._require()  # noqa: SLF001 - nobody else's to see
    pid = str(reader.pid)
    assert pid in engine.readers()
    reader.kill()
    reader.communicate()
    assert pid in engine.readers()
    if by_opening:
        worker("tick", tmp_path / "data", 0).communicate(timeout=60)
    else:
        environment.check_readers()
    assert pid not in engine.readers()
    environment.close()
