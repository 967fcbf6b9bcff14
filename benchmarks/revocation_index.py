"""What the revocation index costs a batch: full beside empty, in the same rounds (see ``rounds.py``)."""

from __future__ import annotations

import dataclasses
import gc
import os
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from benchmarks.machine import describe
from benchmarks.ours import wide_tables
from benchmarks.rounds import quartiles
from benchmarks.tokens import ACCESS_KEY, AUDIENCE, ISSUER, access_claims
from sessiond import _fastverify
from sessiond.errors import Cause
from sessiond.ids import new_session_id
from sessiond.token.keyset import VerificationKey
from sessiond.token.sign import AccessClaims, sign_access_token
from sessiond.token.verify import AccessVerifier, RevocationIndex
from sessiond.wide_tables import DEFAULT_KEY_TABLE_BYTES

MACHINE = ("processor", "load at start", "system", "python", "sessiond", "implementation")
BATCH = 1024
REVOKED_ONE_IN = 100
TENANTS_ONE_IN = 10
"""Of the cuts so many are of tenants; the others are of subjects, and one is of everything."""

_NS = 1e9


@dataclass(frozen=True)
class Effort:
    """How much is known, and how much is measured."""

    sessions: int = 100_000
    cuts: int = 10_000
    tokens: int = 16 * BATCH
    rounds: int = 31
    turn_seconds: float = 0.2


@dataclass(frozen=True)
class Setting:
    """The tokens, the two indexes, and the verdict that each token must have with the full one."""

    batches: list[list[str]]
    empty: RevocationIndex
    full: RevocationIndex
    expected: list[int]


def set_up(effort: Effort, now: int) -> Setting:
    """Sign tokens of sessions that lie all over the index, and fill it, with some of them too."""
    draw = random.Random(1)  # noqa: S311 - the same in every run

    def session_id() -> bytes:
        return new_session_id(now * 1000 - draw.randrange(300_000), draw.randbytes(8), draw.randbytes(8))

    made = [
        dataclasses.replace(
            access_claims(number, now),
            session_id=session_id(),
            tenant_hash=draw.randbytes(8),
            subject_hash=draw.randbytes(8),
        )
        for number in range(effort.tokens)
    ]
    full, later = RevocationIndex(), now + 1000
    revoked = made[::REVOKED_ONE_IN]
    by_subject = made[REVOKED_ONE_IN // 2 :: REVOKED_ONE_IN]
    for ended in [*(one.session_id for one in revoked), *(session_id() for _ in range(effort.sessions - len(revoked)))]:
        full.end_session(ended, Cause.REVOKED, later)
    for claims in by_subject:
        full.cut_subject(claims.subject_hash, claims.born + 1, later)
    for number in range(effort.cuts - len(by_subject) - 1):
        cut = full.cut_subject if number % TENANTS_ONE_IN else full.cut_tenant
        cut(draw.randbytes(8), made[0].born, later)
    full.cut_all(made[0].born, later)
    return Setting(_batches(made), RevocationIndex(), full, _expected(made, revoked, by_subject))


def _batches(made: Sequence[AccessClaims]) -> list[list[str]]:
    tokens = [sign_access_token(ACCESS_KEY, claims) for claims in made]
    return [tokens[start : start + BATCH] for start in range(0, len(tokens), BATCH)]


def _expected(
    made: Sequence[AccessClaims], revoked: Sequence[AccessClaims], by_subject: Sequence[AccessClaims]
) -> list[int]:
    of = {one.session_id: Cause.REVOKED for one in revoked}
    of |= {one.session_id: Cause.SUBJECT_REVOKED for one in by_subject}
    return [of.get(one.session_id, _fastverify.GOOD) for one in made]


def check(setting: Setting, full: AccessVerifier, empty: AccessVerifier, now: int) -> None:
    """
    See that the full index refuses exactly whom it must, and the empty one nobody.

    Raises:
        ValueError: It is otherwise.

    """
    found = [verdict for one in _run(full, setting.batches, now) for verdict in one]
    accepted = [verdict for one in _run(empty, setting.batches, now) for verdict in one].count(_fastverify.GOOD)
    if found != setting.expected or accepted != len(setting.expected):
        wrong = sum(one != other for one, other in zip(found, setting.expected, strict=True))
        message = f"with the full index {wrong} answers are wrong, with the empty one {accepted} tokens are good"
        raise ValueError(message)


def _run(verifier: AccessVerifier, batches: list[list[str]], now: int) -> list[bytes]:
    return [verifier.verify_batch(batch, audience=AUDIENCE, now=now, leeway=0).verdicts for batch in batches]


def _time(verifier: AccessVerifier, batches: list[list[str]], n_passes: int, now: int) -> float:
    """Give the nanoseconds a token, of processor time."""
    start = time.thread_time_ns()
    for _ in range(n_passes):
        _run(verifier, batches, now)
    return (time.thread_time_ns() - start) / (n_passes * sum(map(len, batches)))


def bytes_an_entry(effort: Effort) -> tuple[float, float]:
    """Give the bytes that a revoked session takes where there are so many, and at most at any number up to that."""
    index, nothing, largest = RevocationIndex(), RevocationIndex().memory_bytes, 0.0
    for n_sessions in range(1, effort.sessions + 1):
        index.end_session(n_sessions.to_bytes(16, "big"), Cause.REVOKED, 1)
        largest = max(largest, (index.memory_bytes - nothing) / n_sessions)
    return (index.memory_bytes - nothing) / effort.sessions, largest


def show_index(console: Console, effort: Effort) -> None:
    """Measure batches with a full index beside an empty one, and print it."""
    machine = describe()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    now = int(time.time())
    setting = set_up(effort, now)
    tables, n_windows = wide_tables([ACCESS_KEY], DEFAULT_KEY_TABLE_BYTES)
    keys = [VerificationKey(ACCESS_KEY.public_key)]
    full, empty = (
        AccessVerifier(keys, ISSUER, tables=tables, revocations=one) for one in (setting.full, setting.empty)
    )
    check(setting, full, empty, now)
    n_passes = max(1, round(effort.turn_seconds * _NS / (_time(empty, setting.batches, 1, now) * effort.tokens)))
    times: dict[AccessVerifier, list[float]] = {full: [], empty: []}
    gc.disable()
    for number in range(effort.rounds):
        for verifier in (full, empty) if number % 2 else (empty, full):
            times[verifier].append(_time(verifier, setting.batches, n_passes, now))
    gc.enable()
    os.sched_setaffinity(0, cores)
    slower = quartiles([with_full / without for with_full, without in zip(times[full], times[empty], strict=True)])
    at_end, at_most = bytes_an_entry(effort)
    for name in MACHINE:
        console.print(f"{name:>14}  {machine[name]}", highlight=False)
    console.print(
        f"Batches of {BATCH:,} tokens of as many sessions, {effort.tokens:,} in all, a table of {n_windows} windows.\n"
        f"  empty index  {statistics.median(times[empty]):7.1f} ns a token\n"
        f"  full index   {statistics.median(times[full]):7.1f} ns a token: {effort.sessions:,} revoked sessions and"
        f" {effort.cuts:,} cuts; {len(setting.expected) - setting.expected.count(_fastverify.GOOD):,} tokens refused\n"
        f"  full / empty {slower['median']:7.3f}    quartiles {slower['low']:.3f}-{slower['high']:.3f}\n"
        f"  memory       {at_end:7.1f} bytes a revoked session, {at_most:.1f} at most at any number up to that\n"
        f"Medians of {effort.rounds} rounds; the ratio is taken within each.",
        highlight=False,
    )
