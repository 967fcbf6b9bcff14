"""Tables in files: shared by processes, verified by each, and made again where they are bad."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sessiond import wide_tables
from sessiond._fastverify import KeyTable, build_table, table_size
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


def flip(path: Path, place: int) -> None:
    """Flip a bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(0o400)


OTHER_PROCESS = """
import sys
from pathlib import Path
from sessiond._fastverify import KeyTable, base_windows
from sessiond.wide_tables import WideTables
memory, directory, *keys = sys.argv[1:]
reports = []
tables = WideTables(int(memory), Path(directory), reports.append)
held = [KeyTable(bytes.fromhex(key)) for key in keys]
tables.widen(held)
tables.wait()
print([key.windows for key in held], base_windows(), reports, flush=True)
sys.stdin.read()
tables.close()
"""


@contextmanager
def other_process(directory: Path, *keys: KeyTable) -> Iterator[subprocess.Popen[str]]:
    """Widen keys in another process, which lives on until the end of the block."""
    arguments = [str(MEMORY), str(directory), *(key.public_key.hex() for key in keys)]
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        yield process
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    """Read what another process says when it is done."""
    assert process.stdout is not None
    return process.stdout.readline()


def test_two_processes_map_one_file(make: Maker, tmp_path: Path) -> None:
    """The table that one process made is mapped by another: the same inode, its pages counted as shared."""
    directory = tmp_path / "tables"
    key = key_table()
    widened(make(directory), key)
    path = directory / file_name()
    with other_process(directory, key) as process:
        assert f"[{WINDOWS}] {WINDOWS} []\n" == said(process)

        assert path.stat().st_ino == mapped_inode(path) == mapped_inode(path, process.pid)
        smaps = Path(f"/proc/{process.pid}/smaps").read_text()
        sizes = dict(
            line.split()[:2] for line in smaps[smaps.index(str(path)) :].splitlines()[1:20] if line.endswith(" kB")
        )
        assert int(sizes["Rss:"]) > table_size(WINDOWS) // 1024 // 2
        assert int(sizes["Pss:"]) <= int(sizes["Rss:"]) * 0.6
        assert (directory / f"base-{WINDOWS}.table").exists()


def test_processes_that_make_the_same_tables_at_once(tmp_path: Path) -> None:
    """All of them end with wide tables, in one file for each key, and with nothing to report."""
    directory = tmp_path / "tables"
    keys = [key_table(place) for place in range(3)]
    with (
        other_process(directory, *keys) as first,
        other_process(directory, *keys) as second,
        other_process(directory, *keys) as third,
    ):
        processes = (first, second, third)
        assert [f"{[WINDOWS] * 3} {WINDOWS} []\n"] * 3 == [said(process) for process in processes]
        for place in range(3):
            path = directory / file_name(place)
            assert [path.stat().st_ino] * 3 == [mapped_inode(path, process.pid) for process in processes]

    assert {f"base-{WINDOWS}.table", *(file_name(place) for place in range(3))} == {
        path.name for path in directory.iterdir()
    }


def spoil_by_a_bit(path: Path) -> None:
    flip(path, path.stat().st_size // 2)


def spoil_by_a_cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 4096)


def spoil_by_zeros(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(bytes(table_size(WINDOWS)))
    path.chmod(0o400)


def spoil_by_another_key(path: Path) -> None:
    (path.parent / file_name(1)).replace(path)


def spoil_by_a_link(path: Path) -> None:
    path.rename(path.with_suffix(".bak"))
    path.symlink_to(path.with_suffix(".bak"))


def spoil_by_access(path: Path) -> None:
    path.chmod(0o666)


def spoil_by_owner(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(path, 12345, -1)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoil_by_a_bit, "the table is damaged"),
        (spoil_by_a_cut, "bytes, not"),
        (spoil_by_zeros, "no table has"),
        (spoil_by_another_key, "of another key"),
        (spoil_by_a_link, "is a symbolic link"),
        (spoil_by_access, "can be written by other users"),
        (spoil_by_owner, "belongs to user 12345"),
    ],
)
def test_a_bad_file_is_reported_and_made_again(
    make: Maker, tmp_path: Path, reports: list[str], spoil: Callable[[Path], None], why: str
) -> None:
    """The message names the file, what is wrong and what to do; then the file is good, and in use."""
    directory = tmp_path / "tables"
    widened(make(directory), key_table(0), key_table(1))
    path = directory / file_name()
    good = path.read_bytes()
    spoil(path)
    key = key_table()
    widened(make(directory), key)

    [report] = reports
    assert str(path) in report
    assert why in report
    assert "it is removed; if that comes again, see who writes there, and test the disk" in report
    assert good == path.read_bytes()
    assert path.stat().st_ino == mapped_inode(path)
    assert WINDOWS == key.windows
    assert key.verify(MESSAGE, GOOD)


def test_a_file_that_changes_is_no_fault_of_those_who_map_it_later(make: Maker, tmp_path: Path) -> None:
    """Bits that flip anywhere in a file are found by the next process that maps it."""
    directory = tmp_path / "tables"
    widened(make(directory), key_table())
    path = directory / file_name()
    for place in (0, 40, 575, 576, 10_000, path.stat().st_size - 40):
        flip(path, place)
        key = key_table()
        widened(make(directory), key)
        assert key.verify(MESSAGE, GOOD)
        assert not key.verify(MESSAGE, BAD)


def private_after_trouble(make: Maker, directory: Path, reports: list[str]) -> str:
    """Widen a key where files cannot be used; give what is reported of it."""
    key = key_table()
    widened(make(directory), key)

    assert WINDOWS == key.windows
    assert key.verify(MESSAGE, GOOD)
    [report] = [one for one in reports if file_name() in one]
    assert f"{directory / file_name()} cannot be used: " in report
    assert "this process makes the table in memory of its own; make room, or the directory writable" in report
    return report


def test_without_room_the_table_is_private(make: Maker, tmp_path: Path, reports: list[str]) -> None:
    """Where the disk takes no more, the table is in memory of the process, and that is reported."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (table_size(WINDOWS) - 1, before[1]))
    try:
        report = private_after_trouble(make, tmp_path / "tables", reports)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert "File too large" in report
    assert [] == list((tmp_path / "tables").iterdir())


def test_without_a_directory_that_is_ours_alone_tables_are_private(
    make: Maker, tmp_path: Path, reports: list[str]
) -> None:
    """A directory that others can write is not used, and that is reported."""
    directory = tmp_path / "tables"
    directory.mkdir()
    directory.chmod(0o777)

    assert "must belong to the user of this process" in private_after_trouble(make, directory, reports)
    assert [] == list(directory.iterdir())


def test_without_a_parent_tables_are_private(make: Maker, tmp_path: Path, reports: list[str]) -> None:
    """A directory that cannot be made is reported."""
    assert "No such file" in private_after_trouble(make, tmp_path / "no" / "tables", reports)


def test_what_cannot_be_replaced_is_reported(make: Maker, tmp_path: Path, reports: list[str]) -> None:
    """A directory in the place of a file is left there; the table is private."""
    (tmp_path / "tables" / file_name()).mkdir(parents=True)
    tmp_path.joinpath("tables").chmod(0o700)
    key = key_table()
    widened(make(tmp_path / "tables"), key)

    assert WINDOWS == key.windows
    assert [True, True] == [file_name() in report for report in reports]
    assert "cannot be used: Is a directory" in reports[1]


def test_files_of_keys_that_are_gone_are_removed(make: Maker, tmp_path: Path) -> None:
    """Once they are an hour old; those of the keys in use stay however old they are."""
    directory = tmp_path / "tables"
    tables = make(directory)
    keys = [key_table(place) for place in range(3)]
    widened(tables, *keys)
    for place in (0, 1):
        os.utime(directory / file_name(place), (0, 0))
    widened(tables, keys[0])

    names = {path.name for path in directory.iterdir()}
    assert {file_name(0), file_name(2)} == names - {f"base-{WINDOWS}.table"}
    assert [WINDOWS] * 3 == [key.windows for key in keys]
    assert keys[1].verify(MESSAGE, KEYS[1].sign(MESSAGE).signature)


def old_files(directory: Path) -> None:
    """Leave files in a directory that nobody uses: a table, and what a process that was killed left of one."""
    directory.mkdir(mode=0o700)
    for name in ("00-21.table", "00-21.table.0123456789abcdef"):
        (directory / name).write_bytes(b"")
        os.utime(directory / name, (0, 0))


def test_without_memory_old_files_are_removed(make: Maker, tmp_path: Path, reports: list[str]) -> None:
    """A bound of 0 takes what larger ones left on the disk off it."""
    old_files(tmp_path / "tables")
    widened(make(tmp_path / "tables", 0), key_table())

    assert [] == list((tmp_path / "tables").iterdir())
    assert [] == reports


KILLED = """
import os, signal, sys
from pathlib import Path
from sessiond.wide_tables import WideTables
os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
tables = WideTables(int(sys.argv[1]), Path(sys.argv[2]), print)
tables.widen([])
tables.wait()
"""


def test_old_files_are_removed_before_a_table_is_made(tmp_path: Path) -> None:
    """A process that is killed at its first table, again and again, does not fill the disk."""
    old_files(tmp_path / "tables")
    done = subprocess.run([sys.executable, "-c", KILLED, str(MEMORY), tmp_path / "tables"], cwd=ROOT, check=False)
    left = {path.name for path in (tmp_path / "tables").iterdir()}

    assert -signal.SIGKILL == done.returncode
    assert not {name for name in left if name.startswith("00")}


def test_a_table_that_no_file_takes_is_made_once(
    make: Maker, tmp_path: Path, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file cannot be linked, the table that was made for it is the one in memory."""
    widened(make())  # the base point
    made: list[int] = []

    def count(*asked: Any) -> None:
        made.append(asked[1])
        build_table(*asked)

    def no_link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(wide_tables, "build_table", count)
    monkeypatch.setattr(os, "link", no_link)
    report = private_after_trouble(make, tmp_path / "tables", reports)

    assert "Operation not permitted" in report
    assert [WINDOWS] == made


def test_without_memory_for_a_table_its_file_is_not_blamed(tmp_path: Path) -> None:
    """Where there is no memory to make a table in, that alone is reported, and no file."""
    told = [bytes(KEYS[0].verify_key).hex(), GOOD.hex(), str(tmp_path / "tables")]
    done = subprocess.run(
        [sys.executable, "-c", NO_MEMORY, *told], cwd=ROOT, capture_output=True, text=True, check=True
    )
    _, _, *reports = done.stdout.splitlines()

    assert ["base-16.table", file_name(0, 16)] == [report.split()[0] for report in reports]
    assert all("Cannot allocate memory: its small table stays in use" in report for report in reports)


def test_a_directory_that_cannot_be_listed_is_reported(
    make: Maker, tmp_path: Path, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables are made all the same."""
    widened(make(tmp_path / "tables"), key_table())

    def fail(directory: int) -> list[str]:
        raise OSError(errno.EIO, os.strerror(errno.EIO), directory)

    monkeypatch.setattr(os, "listdir", fail)
    key = key_table(1)
    widened(make(tmp_path / "tables"), key)

    assert WINDOWS == key.windows
    [report] = reports
    assert f"{tmp_path / 'tables'}: old tables stay: [Errno 5] Input/output error" in report


def test_old_files_that_stay_are_reported(make: Maker, tmp_path: Path, reports: list[str]) -> None:
    """What cannot be removed is named."""
    directory = tmp_path / "tables"
    stale = directory / "00-21.table"
    stale.mkdir(parents=True)
    directory.chmod(0o700)
    os.utime(stale, (0, 0))
    widened(make(directory), key_table())

    [report] = reports
    assert f"{stale.parent}: old tables stay: [Errno 21] Is a directory: '{stale.name}'" in report
