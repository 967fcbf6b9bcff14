"""
Measure revocation: ``python -m benchmarks.revocation subject``, ``local``, or ``index``, which ``index.py`` tells of.

``subject`` fills a durable store with the sessions of one subject and then revokes them all at once. In the same rounds
a subject with one session is revoked, and 4 KiB are written to a file and made durable, as the least that any durable
write costs; who begins changes from round to round. Times are on the wall; a figure is the median of the rounds, with
the quartiles beside it, and a ratio is taken within each round before its median is.

``local`` revokes sessions at a rate, and times how long a local verifier in another process goes on accepting their
tokens once that was acknowledged; ``refusal_lag.py`` says how.
"""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from benchmarks.refusal_lag import measure_lags
from benchmarks.revocation_index import BATCH, Effort, show_index
from benchmarks.rounds import quartiles
from sessiond.clock import SystemClock, wall_seconds
from sessiond.errors import Cause
from sessiond.ids import new_session_id
from sessiond.store.contract import Change, Request, Store, View
from sessiond.store.lmdb import LmdbStore
from sessiond.store.records import Cut, Event, RequestRecord, Scope, ScopeKind, Session, Trace

MACHINE = ("processor", "load at start", "system", "python", "sessiond")
MANY, FEW = b"s many 1", b"s few  1"
TENANT_HASH = b"tenant 1"
FILLERS = 128
"""Threads that fill the store: so many sessions share one commit."""

A_PAGE = 4096
_NS_OF_MS = 1e6


def session_of(subject_hash: bytes, now: int) -> Session:
    """Open a session of a subject, of the size that most have."""
    return Session(
        id=new_session_id(now * 1000, subject_hash, secrets.token_bytes(8)),
        tenant="acme",
        subject="6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        tenant_hash=TENANT_HASH,
        subject_hash=subject_hash,
        audience="https://api.example.com",
        created_at=now,
        expires_at=now + 30 * 86_400,
        idle_seconds=7 * 86_400,
        access_seconds=300,
        born=1 << 48,
        pending=0,
        pending_by=Trace(at=now, serving_ms=0, key_id=b"signing1", ip=b"\xc0\x00\x02\x01"),
        label="sixteen bytes ok",
    )


def fill(store: Store, n_sessions: int, now: int) -> None:
    """Add the sessions of the one subject, and one of the other."""

    def add(subject_hash: bytes) -> None:
        new = session_of(subject_hash, now)
        store.create(TENANT_HASH, subject_hash, None, lambda _: Change(None, session=new))

    with futures.ThreadPoolExecutor(FILLERS) as threads:
        for _ in threads.map(add, [FEW, *[MANY] * n_sessions]):
            pass


def revoke_subject(store: Store, subject_hash: bytes, now: int) -> int:
    """Revoke all of a subject as the authority does, with an event and the answer to repeat; give the revision."""
    scope = Scope(ScopeKind.SUBJECT, subject_hash)
    request = Request(secrets.token_bytes(16), secrets.token_bytes(16), now + 86_400)
    cut = Cut(revision=0, at=now, keep_until=now + 400 * 86_400, reason="measured", actor="benchmark")
    event = Event(sequence=0, kind="SCOPE_CUT", at=now, cause=Cause.SUBJECT_REVOKED, actor="benchmark")

    def decide(view: View) -> Change[int]:
        revision = view.revision + 1
        answer = RequestRecord(request.request_hash, request.keep_until, revision=revision)
        return Change(revision, cut=(scope, cut), events=(event,), answer=answer)

    return store.cut(scope, b"", request, decide)


def check(store: Store, n_sessions: int, now: int) -> None:
    """
    See that the subject has its sessions, that all are dead after one revocation, and that it was one change.

    Raises:
        ValueError: They are not, or it was not.

    """
    before = store.revision()
    revision = revoke_subject(store, MANY, now)
    dead, after = 0, b""
    while page := store.list_by_subject(MANY, after, 1000)[0]:
        dead += sum(one.born < revision for one in page)
        after = page[-1].id
    cut = store.get(after).cuts.subject
    if (
        (dead, revision, store.revision()) != (n_sessions, before + 1, before + 1)
        or not cut
        or cut.revision != revision
    ):
        message = f"of {n_sessions} sessions {dead} were revoked, and the revision went from {before} to {revision}"
        raise ValueError(message)


def measure(contenders: Sequence[Callable[[], object]], n_rounds: int) -> list[list[int]]:
    """Give the nanoseconds of each contender, one figure a round."""
    times: list[list[int]] = [[] for _ in contenders]
    for first in range(n_rounds):
        for step in range(len(contenders)):
            place = (first + step) % len(contenders)
            start = time.perf_counter_ns()
            contenders[place]()
            times[place].append(time.perf_counter_ns() - start)
    return times


def show_subject(console: Console, n_sessions: int, n_rounds: int, folder: Path) -> None:
    """Measure the revocation of a subject in a new store under *folder*, and print it."""
    machine = describe()
    clock = SystemClock()
    now = wall_seconds(clock)
    with tempfile.TemporaryDirectory(dir=folder) as data:
        store = LmdbStore(Path(data, "data"), monotonic_ms=clock.monotonic_ms, session_grace_seconds=60)
        with closing(store), Path(data, "page").open("wb", buffering=0) as file:
            fill(store, n_sessions, now)
            check(store, n_sessions, now)
            page = secrets.token_bytes(A_PAGE)

            def write_page() -> None:
                os.pwrite(file.fileno(), page, 0)
                os.fsync(file.fileno())

            times = measure(
                [
                    write_page,
                    lambda: revoke_subject(store, FEW, now),
                    lambda: revoke_subject(store, MANY, now),
                ],
                n_rounds,
            )
    names = ("write and fsync of 4 KiB", "revoke a subject: 1 session", f"revoke a subject: {n_sessions:,} sessions")
    made = Table(title="Revoking all sessions of a subject, durably, in one commit", title_justify="left")
    made.add_column("what", no_wrap=True)
    for heading in ("ms", "quartiles", "worst", "x fsync", "quartiles"):
        made.add_column(heading, justify="right", no_wrap=True)
    for name, own in zip(names, times, strict=True):
        ms = quartiles([one / _NS_OF_MS for one in own])
        ratio = quartiles([one / least for one, least in zip(own, times[0], strict=True)])
        made.add_row(
            name,
            f"{ms['median']:.2f}",
            f"{ms['low']:.2f}-{ms['high']:.2f}",
            f"{max(own) / _NS_OF_MS:.2f}",
            f"{ratio['median']:.2f}",
            f"{ratio['low']:.2f}-{ratio['high']:.2f}",
        )
    for name in MACHINE:
        console.print(f"{name:>14}  {machine[name]}", highlight=False)
    console.print(made)
    console.print(f"Medians of {n_rounds} rounds, on the wall.", highlight=False)


def show_local(console: Console, rate: int, seconds: float) -> None:
    """Measure how long a local verifier accepts what was revoked, see ``refusal_lag.py``, and print it."""
    machine = describe()
    lags = measure_lags(rate, seconds)
    made = Table(title="From acknowledged to refused by a local verifier", title_justify="left")
    for heading in ("sessions", "revocations/s", "p50 ms", "p99 ms", "max ms"):
        made.add_column(heading, justify="right", no_wrap=True)
    figures = (lags.quantile(0.5), lags.quantile(0.99), lags.ms[-1])
    made.add_row(f"{len(lags.ms):,}", f"{lags.rate:.0f}", *(f"{figure:.1f}" for figure in figures))
    for name in MACHINE:
        console.print(f"{name:>14}  {machine[name]}", highlight=False)
    console.print(made)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revocation", description="Measure revocation.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    subject = kinds.add_parser("subject", help="revoke all sessions of a subject at once")
    subject.add_argument("--sessions", type=int, default=100_000, metavar="N", help="the sessions of the subject")
    subject.add_argument("--rounds", type=int, default=101, metavar="N")
    subject.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()),
        metavar="PATH",
        help="where the store is made: on a disk, or nothing is durable",
    )
    index = kinds.add_parser("index", help="verify batches with a full revocation index and with an empty one")
    index.add_argument("--quick", action="store_true", help="whether it works, not how fast")
    local = kinds.add_parser("local", help="from acknowledged to refused by a local verifier in another process")
    local.add_argument("--rate", type=int, default=500, metavar="N", help="revocations a second")
    local.add_argument("--seconds", type=float, default=10, metavar="N")
    arguments = parser.parse_args()
    console = Console(width=140)
    if arguments.kind == "index":
        show_index(console, Effort(300, 50, BATCH, 2, 0.001) if arguments.quick else Effort())
    elif arguments.kind == "local":
        show_local(console, arguments.rate, arguments.seconds)
    else:
        show_subject(console, arguments.sessions, arguments.rounds, arguments.folder)


if __name__ == "__main__":
    main()
