"""What a killed process or a power cut leaves of a store, and what is wrong with it."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from sessiond.clock import SystemClock
from sessiond.store.lmdb import LmdbStore, StoreOpenError
from sessiond.store.records import RevocationKind
from tests.conformance.samples import SUBJECT_HASH, look, request
from tests.durability.worker import CREATED, ENDED, GRACE

ROOT = Path(__file__).parents[2]
ACKNOWLEDGED = "acknowledged"
"""The file beside a store that has the lines of what was acknowledged."""

_NOTE = struct.Struct("<cQQ")
_SECTOR = 512
_MANY = 1_000_000


def worker(*arguments: object, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a worker."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.durability.worker", *(str(one) for one in arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    )


def opened(path: Path) -> LmdbStore:
    """Open a store in this process."""
    return LmdbStore(path, monotonic_ms=SystemClock().monotonic_ms, session_grace_seconds=GRACE)


def faults(path: Path, acknowledged: Iterable[str]) -> list[str]:
    """
    Name what is wrong with the store in *path*, after a worker wrote there and said *acknowledged*.

    Nothing that was acknowledged may be missing, and no write may be there by half.
    """
    lines = list(acknowledged)
    try:
        store = opened(path)
    except StoreOpenError as error:
        # A store that dies before its first commit may leave a file that is none.
        return [f"acknowledged and lost with all: {error}"] if lines else []
    told = {(one.kind, one.session_id) for one in store.events_after(0, _MANY)[0]}
    living = {one.id for one in store.list_by_subject(SUBJECT_HASH, b"", _MANY)[0]}
    seen = (store.get(session_id).session for session_id in living | {session_id for _, session_id in told})
    sessions = {one.id: one for one in seen if one is not None}
    entries, revision = store.revocations_after(0, _MANY)
    logged = {entry.session_id for entry in entries if entry.kind is RevocationKind.SESSION}
    ended = {session_id for session_id, one in sessions.items() if one.end is not None}
    answered = {one for one in sessions if look(store, request(int.from_bytes(one, "big"))) is not None}
    store.close()

    found = [f"acknowledged and lost: {line}" for line in lines if _facts(line) not in told]
    found += [f"half a creation: {one.hex()}" for one in set(sessions) ^ {one for kind, one in told if kind == CREATED}]
    found += [f"a creation without an answer: {one.hex()}" for one in set(sessions) - answered]
    found += [f"half an end: {one.hex()}" for one in ended ^ {one for kind, one in told if kind == ENDED}]
    found += [f"an end that is not logged: {one.hex()}" for one in ended ^ logged]
    found += [f"half in the list of its subject: {one.hex()}" for one in living ^ (set(sessions) - ended)]
    if [entry.revision for entry in entries] != list(range(revision - len(entries) + 1, revision + 1)):
        found.append("the log has a gap")
    return found


def faults_of_states(folder: Path) -> list[str]:
    """Name what is wrong with the stores that lie in *folder*, from a process of its own: damage may kill it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.durability.crashes", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    return done.stdout.splitlines() + ([done.stderr[-2_000:]] if done.returncode else [])


def _facts(line: str) -> tuple[str, bytes]:
    kind, session_id = line.split()
    return kind, bytes.fromhex(session_id)


class Disk:
    """The notes of ``disk.c``: which writes the process made, and which of them surely are on the disk."""

    def __init__(self, notes: Path) -> None:
        """Read *notes*."""
        self._notes = list(_read(notes.read_bytes()))

    def states(self, count: int, dice: random.Random) -> Iterator[tuple[bytes, list[str]]]:
        """
        Cut the power at *count* moments; give the file as it may be then, and what was acknowledged before.

        Whatever was synced is there. Of the writes since, every second state
        has none, the others some, in any order, torn between sectors.
        """
        moments = set(dice.sample(range(len(self._notes)), min(count, len(self._notes))))
        durable, since, acknowledged = bytearray(), list[tuple[int, bytes]](), ""
        for moment, (operation, offset, data) in enumerate(self._notes):
            if moment in moments:
                image = bytearray(durable)
                if moment % 2:
                    for at, part in dice.sample(since, len(since)):
                        _tear(image, at, part, dice)
                yield bytes(image), acknowledged.splitlines()
            if operation == b"W":
                since.append((offset, data))
            elif operation == b"D":
                _put(durable, *since.pop())
            elif operation == b"S":
                for at, part in since:
                    _put(durable, at, part)
                since.clear()
            else:
                acknowledged += data.decode()


def _read(notes: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    at = 0
    while at < len(notes):
        operation, offset, length = _NOTE.unpack_from(notes, at)
        at += _NOTE.size
        yield operation, offset, notes[at : at + length]
        at += length


def _put(image: bytearray, at: int, data: bytes) -> None:
    image.extend(bytes(max(0, at + len(data) - len(image))))
    image[at : at + len(data)] = data


def _tear(image: bytearray, at: int, data: bytes, dice: random.Random) -> None:
    for start in range(0, len(data), _SECTOR):
        if dice.random() < 0.5:
            _put(image, at + start, data[start : start + _SECTOR])


if __name__ == "__main__":
    for state in sorted(Path(sys.argv[1]).iterdir()):
        for fault in faults(state, (state / ACKNOWLEDGED).read_text().splitlines()):
            print(f"{state.name}: {fault}", flush=True)  # noqa: T201 - for the process that asked
