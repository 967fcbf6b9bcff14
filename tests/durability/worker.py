"""
A process of its own that uses a store, for the tests to watch, stop and kill: ``python -m tests.durability.worker``.

Whatever it has been given an acknowledgement for it writes to standard output, a line at a time.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import lmdb
from msgspec.structs import replace

from sessiond.clock import SystemClock
from sessiond.errors import Cause, IndeterminateError, StoreUnavailableError
from sessiond.store.contract import Change, EndedSession, KeysChange, KeysView, Store, View
from sessiond.store.lmdb import LmdbStore, store
from sessiond.store.lmdb.environment import MAP_BYTES, Environment
from sessiond.store.lmdb.revision import RevisionFile
from sessiond.store.records import End, Session
from tests.conformance.samples import NOW, answer, event, key, request, revocation, session

GRACE = 30
CREATED = "CREATED"
ENDED = "ENDED"


def say(text: str) -> None:
    """Write a line at once."""
    os.write(1, text.encode() + b"\n")


@contextlib.contextmanager
def opened(path: str, map_size: int = MAP_BYTES) -> Iterator[LmdbStore]:
    """Open a store for a block."""
    clock = SystemClock()
    one = LmdbStore(Path(path), monotonic_ms=clock.monotonic_ms, session_grace_seconds=GRACE, map_size=map_size)
    yield one
    one.close()


def numbered(writer: int, thread: int, turn: int) -> Session:
    """Give the session of a writer's turn: ids rise with the turns, as those of a clock do."""
    return session((turn << 32) | (writer << 16) | (thread + 1), subject=f"user {writer}", data_json="x" * (turn % 300))


def create(target: Store, new: Session) -> None:
    """Add a session with an event and the row of a request, all or nothing."""
    change = Change(None, session=new, events=(event(CREATED, session_id=new.id),), answer=answer(session_id=new.id))
    target.create(new.tenant_hash, new.subject_hash, request(int.from_bytes(new.id, "big")), lambda _: change)


def end(target: Store, session_id: bytes) -> int:
    """End a session with an event and a log entry, all or nothing, and give the revision."""

    def decide(views: Sequence[View]) -> Change[int]:
        (view,) = views
        assert view.session is not None
        ended = EndedSession(replace(view.session, end=End(Cause.REVOKED, NOW)), revocation(session_id))
        told = (event(ENDED, session_id=session_id),)
        return Change(view.revision + 1, ended=(ended,), events=told)

    return target.revoke([session_id], None, decide)


def write(path: str, writer: str, threads: str, turns: str, *flags: str) -> None:
    """
    Add sessions from some threads, and end every third: *turns* each, "0" until killed.

    The flag "sync" or "metasync" plants the fault of a store that is opened without.
    """
    if flags:
        without: dict[str, Any] = dict.fromkeys(flags, False)
        lmdb.open = functools.partial(lmdb.open, **without)  # type: ignore[assignment]
    with opened(path) as target:

        def work(thread: int) -> None:
            turn = 0
            while turns == "0" or turn < int(turns):
                turn += 1
                new = numbered(int(writer), thread, turn)
                create(target, new)
                say(f"{CREATED} {new.id.hex()}")
                if turn % 3 == 0:
                    end(target, new.id)
                    say(f"{ENDED} {new.id.hex()}")

        running = [threading.Thread(target=work, args=(number,)) for number in range(int(threads))]
        for one in running:
            one.start()
        for one in running:
            one.join()


def first(path: str, number: str) -> None:
    """Say the secret of the installation and the one key, making both where they are missing, once told to go on."""
    say("ready")
    sys.stdin.readline()
    with opened(path) as target:
        say(target.installation(f"secret {number}".encode).decode())

        def decide(view: KeysView) -> KeysChange[bytes]:
            if view.keys:
                return KeysChange(view.keys[0].key_id)
            mine = key(int(number))
            return KeysChange(mine.key_id, put=(mine,), revocation=revocation())

        say(target.change_keys(None, decide).hex())


def untold(path: str) -> None:
    """End a session, and stop when that is durable and no other process was told."""
    store.TICK_SECONDS = 3_600.0  # what is told is the end
    with opened(path) as target:

        def stop(*_: object) -> None:
            say("written")
            sys.stdin.readline()

        RevisionFile.raise_to = stop  # type: ignore[assignment, method-assign]
        end(target, session(1).id)


def hold(path: str) -> None:
    """Hold the write lock of a store until told to go on."""
    environment = Environment(Path(path), 1 << 30)
    with environment.write():
        say("held")
        sys.stdin.readline()
    environment.close()


def read(path: str) -> None:
    """Read, and go on reading until killed."""
    environment = Environment(Path(path), 1 << 30)

    def forever(_: object) -> None:
        say("reading")
        sys.stdin.readline()

    environment.read(forever)
    environment.close()


def tick(path: str, monotonic_ms: str) -> None:
    """Count serving time on a given reading of the monotonic clock."""
    one = LmdbStore(Path(path), monotonic_ms=lambda: int(monotonic_ms), session_grace_seconds=GRACE)
    one.tick()
    say(str(one.serving_ms()))
    one.close()


def fill(path: str, map_size: str, turns: str) -> None:
    """Add large sessions to a store opened with a map of another size."""
    with opened(path, map_size=int(map_size)) as target:
        for turn in range(int(turns)):
            create(target, session((9 << 40) + turn, data_json="x" * 4_000))
        say("filled")


def fail(path: str, *faults: str) -> None:
    """
    Add a session on a disk that fails, and say what came of it; each fault is "kind:times".

    Needs ``disk.c`` under the process.
    """
    disk = ctypes.CDLL(None)
    store.TICK_SECONDS = 3_600.0  # what fails is the call below
    with opened(path) as target:
        create(target, session(1))
        for fault in faults:
            kind, times = (int(number) for number in fault.split(":"))
            disk.disk_fail(kind, times, errno.EIO)
        say(_outcome(lambda: create(target, session(2, data_json="x" * 20_000))))
        say(_shown(target, 1))
        say(f"writable {target.health().writable}")
        say(_outcome(lambda: create(target, session(3))))
        for fault in faults:
            disk.disk_fail(int(fault.split(":")[0]), 0, 0)
        target.tick()
        say(f"writable {target.health().writable}")
        say(_outcome(lambda: create(target, session(4))))
    with opened(path) as target:
        say(" ".join(_shown(target, number) for number in (1, 2, 3, 4)))


def _outcome(call: Callable[[], None]) -> str:
    try:
        call()
    except (StoreUnavailableError, IndeterminateError) as error:
        return type(error).__name__
    return "done"


def _shown(target: Store, number: int) -> str:
    one = session(number)
    kept = target.get(one.id).session is not None
    told = [found for found in target.events_after(0, 1_000)[0] if found.session_id == one.id]
    assert kept == bool(told), "half of a transaction"
    return "there" if kept else "missing"


if __name__ == "__main__":
    modes = {one.__name__: one for one in (write, first, untold, hold, read, tick, fill, fail)}
    modes[sys.argv[1]](*sys.argv[2:])
