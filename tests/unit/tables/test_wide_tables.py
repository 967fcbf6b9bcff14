"""Wide tables are made in the background, within their bound, and never change an answer."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sessiond._fastverify import SMALL_TABLE_WINDOWS, base_windows, table_size
from sessiond.wide_tables import DEFAULT_KEY_TABLE_BYTES, MAX_KEY_TABLE_BYTES, WideTables, windows_for
from tests.unit.tables.widening import (
    BAD,
    GOOD,
    KEYS,
    MEMORY,
    MESSAGE,
    NO_MEMORY,
    WINDOWS,
    Maker,
    file_name,
    key_table,
    mapped_inode,
    widened,
)

ROOT = Path(__file__).parents[3]

# --- The bound ---


def test_the_default_is_a_table_of_21_windows() -> None:
    """Within 5 MB for each key: 4.3 MB for the table, and the small one."""
    assert 21 == windows_for(DEFAULT_KEY_TABLE_BYTES)


@pytest.mark.parametrize("n_windows", range(16, SMALL_TABLE_WINDOWS))
def test_the_widest_table_within_the_bound(n_windows: int) -> None:
    """The bound is kept to the byte, by both tables of a key together."""
    enough = table_size(n_windows) + table_size(SMALL_TABLE_WINDOWS)

    assert n_windows == windows_for(enough)
    assert n_windows + 1 == windows_for(enough - 1)


def test_bounds_beyond_the_tables() -> None:
    """Nothing is wider than 16 windows; below two small tables a key has its small one alone."""
    assert 16 == windows_for(MAX_KEY_TABLE_BYTES) == windows_for(2**60)
    assert SMALL_TABLE_WINDOWS == windows_for(0) == windows_for(500_000) == windows_for(-1)


def test_a_key_keeps_to_the_bound(make: Maker) -> None:
    """What a widened key takes is the bound, and some hundred bytes for the key itself."""
    key = key_table()
    widened(make(), key)

    assert WINDOWS == key.windows
    assert MEMORY <= key.memory_bytes <= MEMORY + 1000


BASE_MEMORY = """
import sys
from pathlib import Path
from sessiond.wide_tables import WideTables, base_memory_bytes
small = base_memory_bytes()
tables = WideTables(int(sys.argv[1]), Path(sys.argv[2]), sys.exit)
tables.widen([])
tables.wait()
print(small, base_memory_bytes() - small)
tables.close()
"""


def test_the_base_point_says_what_it_takes(tmp_path: Path) -> None:
    """Its small table, and as much more as the file of its wide one has."""
    done = subprocess.run(
        [sys.executable, "-c", BASE_MEMORY, str(MEMORY), str(tmp_path / "tables")],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    size = (tmp_path / "tables" / f"base-{WINDOWS}.table").stat().st_size

    assert f"378432 {size}\n" == done.stdout


def test_without_memory_keys_stay_small(make: Maker, tmp_path: Path) -> None:
    """A bound of 0 makes no table, no directory, and without one no thread."""
    key = key_table()
    before = threading.active_count()
    widened(make(None, 0), key)
    assert before == threading.active_count()
    widened(make(tmp_path / "tables", 0), key)

    assert SMALL_TABLE_WINDOWS == key.windows
    assert not (tmp_path / "tables").exists()


# --- The work ---


def test_keys_and_the_base_point_become_wide(make: Maker, reports: list[str]) -> None:
    """Every key that is given, and the base point, which all of them share; with the same answers."""
    keys = [key_table(place) for place in range(3)]
    widened(make(), *keys)

    assert [WINDOWS] * 3 == [key.windows for key in keys]
    assert base_windows() <= WINDOWS
    assert keys[0].verify(MESSAGE, GOOD)
    assert not keys[0].verify(MESSAGE, BAD)
    assert not keys[1].verify(MESSAGE, GOOD)
    assert [] == reports


def test_keys_that_are_wide_are_left_alone(make: Maker, reports: list[str]) -> None:
    """To give the same keys again, at once or later, or beside wider ones, does nothing to them."""
    tables = make()
    keys = [key_table(place) for place in range(2)]
    for _ in range(5):
        tables.widen(keys)
        tables.widen([keys[1], keys[1]])
    tables.wait()
    memory = [key.memory_bytes for key in keys]
    widened(tables, *keys)
    widened(make(memory=MEMORY - 1), *keys)

    assert memory == [key.memory_bytes for key in keys]
    assert [WINDOWS, WINDOWS] == [key.windows for key in keys]
    assert [] == reports


def test_a_larger_bound_widens_further(make: Maker) -> None:
    """Tables of another bound make wide keys wider."""
    key = key_table()
    widened(make(), key)
    widened(make(memory=DEFAULT_KEY_TABLE_BYTES), key)

    assert 21 == key.windows


def test_a_key_that_goes_gives_its_table_back(make: Maker, tmp_path: Path) -> None:
    """Nothing here keeps a key, or the memory of its table."""
    tables = make(tmp_path / "tables")
    key = key_table()
    widened(tables, key)
    path = tmp_path / "tables" / file_name()
    assert mapped_inode(path) is not None
    del key
    gc.collect()

    assert mapped_inode(path) is None


def test_without_memory_the_small_table_stays_in_use() -> None:
    """Where the system has no memory for a table, that is reported, and the key goes on as it is."""
    told = [bytes(KEYS[0].verify_key).hex(), GOOD.hex()]
    done = subprocess.run(
        [sys.executable, "-c", NO_MEMORY, *told], cwd=ROOT, capture_output=True, text=True, check=True
    )
    windows, verified, *reports = done.stdout.splitlines()

    assert (str(SMALL_TABLE_WINDOWS), "True") == (windows, verified)
    assert ["base-16.table", file_name(0, 16)] == [report.split()[0] for report in reports]
    assert all("Cannot allocate memory: its small table stays in use" in report for report in reports)


def test_a_report_that_fails_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exception is told as one of a thread, and the key of the report and those that come later are widened."""
    raised: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: raised.append(str(told.exc_value)))

    def report(message: str) -> None:
        raise RuntimeError(message)

    tables = WideTables(MEMORY, tmp_path / "no" / "tables", report)
    keys = [key_table(place) for place in range(2)]
    for key in keys:
        widened(tables, key)
    tables.close()

    assert [WINDOWS, WINDOWS] == [key.windows for key in keys]
    assert [True, True] == ["cannot be used: No such file" in message for message in raised[-2:]]


def test_without_a_thread_keys_stay_small_until_the_next_time(
    make: Maker, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system has no room for a thread that is reported, nobody waits, and the next call begins again."""
    tables, key = make(), key_table()
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    widened(tables, key)
    seen = key.windows
    monkeypatch.setattr(threading.Thread, "start", start)
    assert ["tables stay small until the keys change: can't start new thread: raise the limit of threads"] == reports
    widened(tables, key)

    assert (SMALL_TABLE_WINDOWS, WINDOWS) == (seen, key.windows)


def test_without_a_thread_there_is_nothing_to_close(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing after a thread could not be started is no error."""
    tables, key = make(), key_table()
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    tables.widen([key])
    tables.close()

    assert SMALL_TABLE_WINDOWS == key.windows


def no_thread(_: threading.Thread) -> None:
    """Fail as a thread does that the system does not start."""
    message = "can't start new thread"
    raise RuntimeError(message)


def test_closing_does_not_wait_for_a_stuck_disk(
    make: Maker, tmp_path: Path, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk does not answer, closing returns all the same; the thread ends by itself once it does."""
    stuck, answered = threading.Event(), threading.Event()

    def sync(_: int) -> None:
        stuck.set()
        answered.wait()

    monkeypatch.setattr(os, "fsync", sync)
    tables = make(tmp_path / "tables", DEFAULT_KEY_TABLE_BYTES)
    keys = [key_table(), key_table()]
    tables.widen(keys)
    stuck.wait()
    [thread] = [thread for thread in threading.enumerate() if thread.name == "sessiond-tables"]
    tables.close()
    assert thread.is_alive()
    answered.set()
    thread.join()

    assert SMALL_TABLE_WINDOWS == keys[-1].windows
    assert [] == reports


def test_after_the_end_nothing_is_widened(make: Maker) -> None:
    """Closing ends the thread; what is wide stays, what is given later stays small, and waiting returns."""
    tables = make()
    first, second = key_table(0), key_table(1)
    widened(tables, first)
    tables.close()
    tables.close()
    widened(tables, second)

    assert (WINDOWS, SMALL_TABLE_WINDOWS) == (first.windows, second.windows)
    assert first.verify(MESSAGE, GOOD)
    assert "sessiond-tables" not in {thread.name for thread in threading.enumerate()}


def test_closing_leaves_the_rest_of_the_queue_small(make: Maker) -> None:
    """Whoever closes waits for one table at most."""
    tables = make(memory=DEFAULT_KEY_TABLE_BYTES)
    keys = [key_table() for _ in range(50)]
    tables.widen(keys)
    tables.close()

    assert SMALL_TABLE_WINDOWS == keys[-1].windows
