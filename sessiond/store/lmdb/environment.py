"""
The LMDB environment of a store: how it is opened, read, and opened again after a fault.

Rule 1: opening never changes a file that it refuses, and every refusal says what to do.
Rule 2: commits are durable, always: neither ``sync`` nor ``metasync`` may be off, and no ``writemap``.
Rule 3: nothing here outlives a call: no transaction stays open, so no reader can hold pages back.
"""

from __future__ import annotations

import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import lmdb
import structlog
from lmdb.verify import verify

from sessiond.errors import StoreUnavailableError
from sessiond.store.lmdb.filesystem import magic_of, network_name, passing_name
from sessiond.store.lmdb.gate import Gate
from sessiond.store.lmdb.revision import RevisionFile, RevisionFileError
from sessiond.store.lmdb.rows import LmdbRows
from sessiond.store.lmdb.schema import ADDED, Db, RecordFaultError
from sessiond.store.rows import Counters

T = TypeVar("T")
Tables = dict[Db, lmdb._Database]  # noqa: SLF001 - the type of a handle has no other name
"""The handles of the tables, for as long as the transaction that opened them; if it was committed, the environment."""

ENGINE = 0
"""LMDB 0.9, whose files are of format 1; py-lmdb bundles 1.0 as well, and neither reads the other's files."""

MAP_BYTES = 1 << 36
"""64 GiB of address space; the file grows as it fills."""

MAX_READERS = 1024
PATIENCE_SECONDS = 10.0

_DATA_FILE = "data.mdb"
_MAX_DBS = 16
_ATTEMPTS = 3
_LMDB_MAGIC = 0xBEEFC0DE
_META = struct.Struct("=II")
_META_OFFSETS = {16: "0.9", 24: "1.0"}

_log = structlog.get_logger("sessiond.store")


class StoreOpenError(Exception):
    """The data directory cannot be used; the message is for the operator and says what to do."""


class Environment:
    """
    One open environment. Safe to use from any thread of the process that opened it.

    Reads wait while the environment is opened again. ``revision`` is the word in which the processes of the store tell
    each other its revision. ``detail`` tells what an operator should know of the last fault, "" if nothing.
    """

    def __init__(self, path: Path, map_bytes: int, file_system: Callable[[Path], int] = magic_of) -> None:
        """
        Open the store in the directory *path*; where there is none, make one.

        Raises:
            StoreOpenError: It cannot be used.

        """
        self._path = path
        self._map_bytes = map_bytes
        self._gate = Gate(PATIENCE_SECONDS)
        self._opened: tuple[lmdb.Environment, Tables | None] | None = None
        self._opening_tables = threading.Lock()
        self._works = True
        self.detail = ""
        _check_place(path, file_system)
        self._opened = self._open(create=True)
        with ExitStack() as undo:
            undo.callback(self._close)
            self.revision = _shared_revision(path)
            undo.callback(self.revision.close)
            # Once mapped: whoever wrote before that and has gone has raised another word, or none.
            self.revision.raise_to(self.read(LmdbRows.counters).revision)
            undo.pop_all()

    @property
    def readable(self) -> bool:
        """Say whether reads work: not while the environment is closed, nor once one of them has waited too long."""
        return self._works and not self._gate.stuck

    def check_process(self) -> None:
        """Raise StoreUnavailableError in a child of a fork, in which nothing of the environment may be touched."""
        self._gate.check_process()

    def read(self, work: Callable[[LmdbRows], T]) -> T:
        """
        Run *work* on a snapshot of what is committed, which is what is durable.

        Raises:
            StoreUnavailableError: It cannot be read.

        """
        for _ in range(_ATTEMPTS):
            try:
                with self._gate.shared(), self._snapshot() as rows:
                    return work(rows)
            except RecordFaultError as fault:
                raise self.refused(fault) from None
            except lmdb.Error as error:
                self.mend(error)
        message = "the store could not be read because its map or its readers kept changing: try again"
        raise StoreUnavailableError(message)

    @contextmanager
    def write(self) -> Iterator[tuple[lmdb.Transaction[bytes], LmdbRows]]:
        """Hold a write transaction for a block; it is aborted at the end unless it was committed."""
        with self._gate.shared():
            environment, tables = self._require()
            if tables is None:
                tables = self._share_tables(environment)
            txn = environment.begin(write=True)
            try:
                yield txn, LmdbRows(txn, tables)
            finally:
                txn.abort()

    def mend(self, error: lmdb.Error) -> None:
        """
        Do what an error asks for before another attempt.

        Raises:
            StoreUnavailableError: Another attempt would not help.

        """
        if isinstance(error, lmdb.MapResizedError):
            with self._gate.alone():
                self._require()[0].set_mapsize(0)
        elif isinstance(error, lmdb.ReadersFullError):
            self.check_readers()
        else:
            _log.error("the store failed", path=str(self._path), error=str(error))
            self.detail = f"LMDB failed with {type(error).__name__}: see the log, and check the disk"
            message = "the store failed; the log of the authority tells more"
            raise StoreUnavailableError(message) from None

    def refused(self, fault: RecordFaultError) -> StoreUnavailableError:
        """Tell of a record that cannot be used."""
        _log.error("a record of the store cannot be used", path=str(self._path), fault=str(fault))
        self.detail = str(fault)
        return StoreUnavailableError(str(fault))

    def reopen(self) -> None:
        """
        Close the environment and open it again: after a failed commit nothing of it may be relied on.

        It waits for no other process: while one holds the lock of the store, reads go on.

        Raises:
            StoreOpenError: It cannot be opened; reads are refused until it can.
            StoreUnavailableError: A read did not end in time.

        """
        with self._gate.alone():
            self._close()
            try:
                self._opened = self._open(create=False)
            finally:
                self._works = self._opened is not None
            self.detail = ""

    def close(self) -> None:
        """Close the environment; whoever reads afterwards is refused."""
        with self._gate.alone():
            self._works = False
            self._close()
            self.revision.close()

    def fill(self) -> float:
        """Measure which share of the map holds rows, 0 to 1; raises StoreUnavailableError as :meth:`read` does."""
        used = self.read(LmdbRows.used_bytes)
        with self._gate.shared():
            return used / self._require()[0].info()["map_size"]

    def check_readers(self) -> None:
        """Free the places of readers whose processes died: each would hold back every page freed since."""
        with self._gate.shared():
            self._require()[0].reader_check()

    @contextmanager
    def _snapshot(self) -> Iterator[LmdbRows]:
        """See the rows in a read transaction; through handles of its own until a write has opened the shared ones."""
        environment, tables = self._require()
        if tables is not None:
            with environment.begin() as txn:
                yield LmdbRows(txn, tables)
        else:
            # LMDB lets one transaction at a time open handles, from the first handle to the transaction's end.
            with self._opening_tables, environment.begin() as txn:
                yield LmdbRows(txn, self._require()[1] or _tables(environment, txn))

    def _share_tables(self, environment: lmdb.Environment) -> Tables:
        """
        Open the handles that every later transaction uses.

        In a write transaction, since py-lmdb commits no other kind; it writes nothing.
        """
        txn = environment.begin(write=True)
        try:
            with self._opening_tables:
                tables = _tables(environment, txn)
                txn.commit()
                self._opened = environment, tables
        finally:
            txn.abort()
        return tables

    def _require(self) -> tuple[lmdb.Environment, Tables | None]:
        if self._opened is None:
            message = "the store is closed"
            raise StoreUnavailableError(message)
        return self._opened

    def _close(self) -> None:
        if self._opened is not None:
            self._opened[0].close()
            self._opened = None

    def _open(self, *, create: bool) -> tuple[lmdb.Environment, None]:
        _check_data_file(self._path / _DATA_FILE)
        with ExitStack() as undo:
            environment = self._open_engine(create=create)
            undo.callback(environment.close)
            try:
                self._check_length(environment)
                if create:
                    _make_tables(environment)
                with environment.begin() as txn:
                    LmdbRows(txn, _tables(environment, txn)).counters()
                environment.reader_check()
            except (lmdb.Error, RecordFaultError) as error:
                message = f"{self._path}: {_explained(error)}"
                raise StoreOpenError(message) from None
            except OSError as error:
                message = f"{self._path}: the store cannot be checked: {error.strerror}: check the disk"
                raise StoreOpenError(message) from None
            undo.pop_all()
        return environment, None

    def _open_engine(self, *, create: bool) -> lmdb.Environment:
        try:
            return lmdb.open(
                str(self._path),
                map_size=self._map_bytes,
                mode=0o600,
                create=create,
                max_readers=MAX_READERS,
                max_dbs=_MAX_DBS,
                lib_version=ENGINE,
            )
        except lmdb.MemoryError:
            message = (
                f"{self._path}: no address space for a map of {self._map_bytes} bytes: choose a smaller map, or lift "
                "the limit on virtual memory"
            )
            raise StoreOpenError(message) from None
        except (lmdb.Error, OSError) as error:
            message = f"{self._path}: LMDB cannot open the store there: {error}"
            raise StoreOpenError(message) from None

    def _check_length(self, environment: lmdb.Environment) -> None:
        """Refuse a file that was cut off: reading a page that it lacks would kill the process."""
        wanted = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        file = self._path / _DATA_FILE
        # A sound file may lack pages at its end that no row lies on.
        if file.stat().st_size < wanted and verify(str(self._path)):  # type: ignore[no-untyped-call]
            message = f"{file}: the file is cut off: restore the store from a backup"
            raise StoreOpenError(message)


def _check_place(path: Path, file_system: Callable[[Path], int]) -> None:
    """Look at the place before anything is made there, then make the directory."""
    if sys.maxsize < 2**32:
        message = "the store needs a 64-bit process"
        raise StoreOpenError(message)
    try:
        if path.exists() and not path.is_dir():
            message = f"{path}: the data directory is not a directory: choose another path"
            raise StoreOpenError(message)
        magic = file_system(next(place for place in (path, *path.absolute().parents) if place.exists()))
        network = network_name(magic)
        if network is not None:
            message = f"{path}: lies on {network}, on which LMDB is not safe: put the data on a local file system"
            raise StoreOpenError(message)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"{path}: the data directory cannot be used: {error.strerror}: check the path and its permissions"
        raise StoreOpenError(message) from None
    passing = passing_name(magic)
    if passing is not None:
        _log.warning("the data will not last", path=str(path), file_system=passing)


def _shared_revision(path: Path) -> RevisionFile:
    try:
        return RevisionFile(path)
    except RevisionFileError as error:
        raise StoreOpenError(str(error)) from None


def _check_data_file(file: Path) -> None:
    """Refuse a file that is not of our engine, in words; LMDB would only call it invalid."""
    try:
        with file.open("rb") as stream:
            head = stream.read(max(_META_OFFSETS) + _META.size)
    except FileNotFoundError:
        return
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}: check the path and its permissions"
        raise StoreOpenError(message) from None
    if not head:
        return
    for offset, engine in _META_OFFSETS.items():
        if len(head) >= offset + _META.size and _META.unpack_from(head, offset)[0] == _LMDB_MAGIC:
            if engine == "0.9":
                return
            message = (
                f"{file}: is of the file format of LMDB {engine}, and a store is of that of LMDB 0.9: choose another "
                "data directory, or restore the store from a backup"
            )
            raise StoreOpenError(message)
    message = (
        f"{file}: is no LMDB file of a known format: choose another data directory, or restore the store from a backup"
    )
    raise StoreOpenError(message)


def _tables(environment: lmdb.Environment, txn: lmdb.Transaction[bytes]) -> Tables:
    return {db: environment.open_db(db.value, txn=txn, create=False) for db in Db}


def _make_tables(environment: lmdb.Environment) -> None:
    """
    Make the tables that are missing: all where the environment is empty, else those that an older store lacks.

    Where none is, the lock of the store is not asked for.
    """
    with environment.begin() as txn:
        if not _missing(txn):
            return
    with environment.begin(write=True) as txn:
        missing = _missing(txn)  # another process can have been the first
        if not missing:
            return
        rows = LmdbRows(txn, {db: environment.open_db(db.value, txn=txn, create=db in missing) for db in Db})
        if missing == frozenset(Db):
            rows.write_counters(Counters())
            rows.accept()
            rows.apply()
        else:
            # A store that is refused is left as it is.
            rows.counters()
            _log.info("a store of an older release is brought up to date", tables=sorted(db.name for db in missing))
            rows.index_events()


def _missing(txn: lmdb.Transaction[bytes]) -> frozenset[Db]:
    """Name the tables that are to be made: none in a file that is no store."""
    with txn.cursor() as names:
        missing = frozenset(db for db in Db if not names.set_key(db.value))
    return missing if missing <= ADDED or not txn.stat()["entries"] else frozenset()


def _explained(error: lmdb.Error | RecordFaultError) -> str:
    if isinstance(error, (lmdb.NotFoundError, lmdb.IncompatibleError)):
        return "the LMDB file there belongs to another program: choose another data directory"
    if isinstance(error, lmdb.MapFullError):
        return (
            "the store has no room for the tables that this release adds: start the authority with a larger map_bytes"
        )
    return str(error)
