"""Where a store can be opened, what it refuses, and that it overwrites nothing there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest
import structlog.testing

from sessiond.clock import ManualClock
from sessiond.store.lmdb import LmdbStore, StoreOpenError
from sessiond.store.lmdb.environment import ENGINE, MAP_BYTES, Environment
from sessiond.store.lmdb.filesystem import magic_of
from sessiond.store.lmdb.schema import COUNTERS_KEY, Db
from tests.conformance.samples import add, session

EXT4 = 0xEF53
TMPFS = 0x01021994


def on(magic: int) -> object:
    """Give a file system for every path."""
    return lambda _: magic


def opened(path: Path, magic: int = EXT4, map_size: int = MAP_BYTES) -> LmdbStore:
    """Open a store."""
    clock = ManualClock()
    return LmdbStore(
        path,
        monotonic_ms=clock.monotonic_ms,
        session_grace_seconds=0,
        map_size=map_size,
        file_system=on(magic),  # type: ignore[arg-type]
    )


@contextlib.contextmanager
def raw(path: Path) -> Iterator[lmdb.Environment]:
    """Open the LMDB environment of a closed store."""
    environment = lmdb.open(str(path), max_dbs=16, lib_version=ENGINE)
    yield environment
    environment.close()


def files(folder: Path) -> dict[str, str]:
    """Give a hash of each file, the lock file of LMDB apart: it is rebuilt at every opening."""
    found = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != "lock.mdb")
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


def refuse(path: Path, message: str, magic: int = EXT4) -> None:
    """Fail to open a store with a message that names the path, and see that no file was changed."""
    before = files(path.parent)
    with pytest.raises(StoreOpenError, match=message) as refusal:
        opened(path, magic)
    assert str(path) in str(refusal.value)
    assert before == files(path.parent)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give the directory of a closed store that holds a session."""
    store = opened(tmp_path / "data")
    add(store, session())
    store.close()
    return tmp_path / "data"


def test_a_store_is_made_and_found_again(tmp_path: Path) -> None:
    """Opening makes the directory, for its owner alone, and finds there what an earlier store wrote."""
    path = tmp_path / "deep" / "data"
    store = opened(path)
    new = add(store, session())
    store.close()
    assert {0o700} == {stat.S_IMODE(path.stat().st_mode)}
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()}

    before = files(path)
    again = opened(path)
    assert before == files(path)
    assert new == again.get(new.id).session
    again.close()


def test_commits_are_durable(data: Path) -> None:
    """The environment syncs data and meta pages at every commit, writes no map, and holds files of format 1."""
    environment = Environment(data, MAP_BYTES, on(EXT4))  # type: ignore[arg-type]
    engine, _ = environment._require()  # noqa: SLF001 - what it is opened with is nobody else's to see
    flags = engine.flags()
    assert (True, True, False, False) == (flags["sync"], flags["metasync"], flags["writemap"], flags["map_async"])
    assert 0 == engine.lib_version()[0]
    assert MAP_BYTES == engine.info()["map_size"]
    environment.close()


def test_a_store_is_opened_once_in_a_process(data: Path) -> None:
    """A second open in one process is refused, since it would drop the locks of the first, which goes on."""
    first = opened(data)
    with pytest.raises(StoreOpenError, match="already open in this process"):
        opened(data)
    assert session() == first.get(session().id).session
    first.close()


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    """A path that is a file is refused."""
    (tmp_path / "data").write_text("a file")
    refuse(tmp_path / "data", "not a directory: choose another")


def test_a_directory_below_a_file(tmp_path: Path) -> None:
    """A path below a file is refused with the system's own reason."""
    (tmp_path / "file").write_text("a file")
    refuse(tmp_path / "file" / "data", "Not a directory: check the path and its permissions")


def test_a_directory_that_cannot_be_made() -> None:
    """Where the system lets nobody make a directory, the message says so."""
    with pytest.raises(StoreOpenError, match=r"/proc/nowhere: the data directory cannot be used: .*: check the path"):
        opened(Path("/proc/nowhere"))


def test_a_data_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A data file that the system does not let read is refused with the system's reason."""
    (tmp_path / "data" / "data.mdb").mkdir(parents=True)
    refuse(tmp_path / "data", "data.mdb: cannot be read: Is a directory")


def test_a_lock_file_that_cannot_be_opened(data: Path) -> None:
    """What LMDB itself refuses to open is refused with its reason."""
    (data / "lock.mdb").unlink()
    (data / "lock.mdb").mkdir()
    refuse(data, "LMDB cannot open the store there: .*Is a directory")


@pytest.mark.parametrize(
    ("magic", "name"),
    [(0x6969, "NFS"), (0xFF534D42, "CIFS"), (0x65735546, "FUSE"), (0x01021997, "9p"), (0x00C36400, "Ceph")],
)
def test_a_network_file_system_is_refused(tmp_path: Path, magic: int, name: str) -> None:
    """On a file system whose locks LMDB cannot rely on, nothing is made, not even the directory."""
    refuse(tmp_path / "data", f"lies on {name}, on which LMDB is not safe: put the data on a local", magic)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(("magic", "name"), [(TMPFS, "tmpfs"), (0x794C7630, "overlay"), (0x858458F6, "ramfs")])
def test_a_passing_file_system_is_warned_of(tmp_path: Path, magic: int, name: str) -> None:
    """On a file system that ends with the boot or the container, the store works and the log warns."""
    with structlog.testing.capture_logs() as log:
        store = opened(tmp_path / "data", magic)
    add(store, session())
    store.close()
    assert [("warning", "the data will not last")] == [(line["log_level"], line["event"]) for line in log]
    assert log[0]["file_system"].startswith(name)


def test_a_local_file_system_is_not_warned_of(tmp_path: Path) -> None:
    """On a file system that lasts, the log is silent."""
    with structlog.testing.capture_logs() as log:
        opened(tmp_path / "data").close()
    assert [] == log


def test_the_file_system_is_asked() -> None:
    """The magic number is the one of the system: /proc has its own, and a path that is not there none."""
    assert 0x9FA0 == magic_of(Path("/proc"))
    with pytest.raises(FileNotFoundError):
        magic_of(Path("/proc/nowhere"))


def test_a_file_of_the_other_engine(tmp_path: Path) -> None:
    """A file of LMDB 1.0 is refused by its format."""
    lmdb.open(str(tmp_path / "data"), lib_version=1).close()
    refuse(tmp_path / "data", "of the file format of LMDB 1.0, .* choose another")


@pytest.mark.parametrize("content", [b"x", b"minutes of the meeting\n" * 1_000], ids=["short", "long"])
def test_a_file_that_is_no_store(tmp_path: Path, content: bytes) -> None:
    """A file that is something else is refused."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "data.mdb").write_bytes(content)
    refuse(tmp_path / "data", "no LMDB file of a known format: choose another data directory")


def test_an_empty_file_is_a_store_to_be(tmp_path: Path) -> None:
    """A file without a byte, as a process that died early leaves it, becomes a store."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "data.mdb").touch()
    store = opened(tmp_path / "data")
    add(store, session())
    store.close()


def test_the_file_of_another_program(tmp_path: Path) -> None:
    """An LMDB file that holds something else is refused."""
    (tmp_path / "data").mkdir()
    with raw(tmp_path / "data") as environment, environment.begin(write=True) as txn:
        txn.put(b"name", b"value")
    refuse(tmp_path / "data", "belongs to another program: choose another")


def test_a_program_that_has_our_names(tmp_path: Path) -> None:
    """An LMDB file in which our names stand for something else is refused."""
    (tmp_path / "data").mkdir()
    with raw(tmp_path / "data") as environment, environment.begin(write=True) as txn:
        for db in Db:
            txn.put(db.value, b"a value where a table should be")
    refuse(tmp_path / "data", "belongs to another program: choose another")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the record meta/counters of the store is damaged: .* restore the store from a backup"),
        (b"\1garbage", "the record meta/counters of the store is damaged"),
        (b"\2 another layout", "the record meta/counters of the store has format 2, .* Run that release"),
    ],
    ids=["missing", "damaged", "newer"],
)
def test_counters_that_cannot_be_read(data: Path, value: bytes | None, message: str) -> None:
    """A store whose counters are gone, damaged or of a newer release is refused and left as it is."""
    with raw(data) as environment:
        meta = environment.open_db(Db.META.value, create=False)
        with environment.begin(write=True) as txn:
            if value is None:
                txn.delete(COUNTERS_KEY, db=meta)
            else:
                txn.put(COUNTERS_KEY, value, db=meta)
    refuse(data, message)


def test_a_file_that_was_cut_off(data: Path) -> None:
    """A file that lacks pages is refused: reading one of them would kill the process."""
    os.truncate(data / "data.mdb", 4 * 4096)
    refuse(data, "data.mdb: the file is cut off: restore the store from a backup")


def test_pages_that_no_row_lies_on_may_lack(data: Path) -> None:
    """A sound file whose last pages are free, so that LMDB never wrote them, is opened."""
    with raw(data) as environment:
        wanted = (environment.info()["last_pgno"] + 1) * 4096
        for _ in range(3):
            with environment.begin(write=True) as txn:
                table = environment.open_db(b"other", txn=txn)
                for number in range(500):
                    txn.put(number.to_bytes(2, "big"), b"x" * 200, db=table)
                txn.drop(table)
        longer = (environment.info()["last_pgno"] + 1) * 4096
    assert wanted < longer
    if (data / "data.mdb").stat().st_size >= longer:
        os.truncate(data / "data.mdb", longer - 4096)

    store = opened(data)
    assert session() == store.get(session().id).session
    store.close()


def test_no_address_space(tmp_path: Path) -> None:
    """A map that the process has no address space for is refused with both ways out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, hard))
    try:
        with pytest.raises(StoreOpenError, match=f"map of {1 << 45} bytes: choose a smaller map, or lift the limit"):
            opened(tmp_path / "data", map_size=1 << 45)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
