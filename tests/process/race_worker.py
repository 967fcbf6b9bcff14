"""
A process that verifies and revokes at once, and writes down when: ``python -m tests.process.race_worker``.

It either is a worker of the authority itself, with a store, a feed and a verifier of its own, or a client of two
servers that revokes at one and verifies at the other. A bug of a worker can be planted, for the checker to find.
"""

from __future__ import annotations

import array
import json
import mmap
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, Protocol

import grpc

from sessiond.authority.bulk_revocation import BulkRevocation
from sessiond.authority.caller import LOCAL
from sessiond.authority.feed import Feed, Revocations
from sessiond.authority.keys import Keys
from sessiond.authority.policy import Policy
from sessiond.authority.sealing import Sealer
from sessiond.authority.sessions import Login, Sessions
from sessiond.authority.verification import Verification
from sessiond.clock import SystemClock, wall_seconds
from sessiond.errors import Cause, InvalidAccessToken
from sessiond.ids import ScopeHasher, session_id_text
from sessiond.store.lmdb import LmdbStore
from sessiond.v1 import session_service_pb2 as pb
from sessiond.v1 import verification_service_pb2 as verification_pb
from tests.process.revocation_race import SESSION, SUBJECT, Holder
from tests.process.servers import TEST_MASTER_KEY, Stubs
from tests.rpc.answers import read

POLICY = Policy(access_seconds=86_400)
"""No token expires during a race."""

POLLS, PUBLISHES_LATE = "polls", "publishes late"
BUG_SECONDS = 0.02
SWITCH_SECONDS = 0.001
BEHIND = 2
"""By how many revocations who verifies may be ahead of who revokes."""

_ROW = 3
_REVOKED = {Cause.REVOKED, Cause.SUBJECT_REVOKED, Cause.TENANT_REVOKED}


class Side(Protocol):
    """What verifies and revokes."""

    def accepts(self, access_token: str) -> bool:
        """Verify a token; False where it was revoked. Whatever else is wrong with it raises."""
        ...

    def accepts_each(self, access_tokens: list[str]) -> list[bool]:
        """Verify several in one call."""
        ...

    def revoke(self, scope: str, holder: Holder) -> None:
        """Revoke, and return once that is acknowledged."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


class PollingFeed(Feed):
    """Planted: a feed that looks at the store now and then, instead of before each judgement."""

    _next = 0.0

    def catch_up(self) -> int:
        """Catch up if some time has passed."""
        if time.monotonic() < self._next:
            return self.revocations.applied_revision
        self._next = time.monotonic() + BUG_SECONDS
        return super().catch_up()


class LateRevision:
    """Planted: a writer that answers first, and lets the others know afterwards."""

    def __init__(self, store: LmdbStore) -> None:
        """Take the place of what a store tells with."""
        self._real = store._environment.revision  # noqa: SLF001 - the fault is planted there
        self.load, self.close = self._real.load, self._real.close
        store._environment.revision = self  # type: ignore[assignment]  # noqa: SLF001 - likewise

    def raise_to(self, revision: int) -> None:
        """Raise the word some time later."""
        timer = threading.Timer(BUG_SECONDS, self._real.raise_to, [revision])
        timer.daemon = True
        timer.start()


class Worker:
    """A worker process of the authority, without the gRPC around it."""

    def __init__(self, data: Path, bug: str = "") -> None:
        """Open the store in *data*, with a bug where one is named."""
        self._clock = clock = SystemClock()
        self._store = store = LmdbStore(data, monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)
        if bug == PUBLISHES_LATE:
            LateRevision(store)
        sealer = Sealer(bytes.fromhex(TEST_MASTER_KEY))
        sealed = store.installation(lambda: sealer.seal("installation", os.urandom(32)))
        hasher = ScopeHasher(sealer.open("installation", sealed))
        keys = Keys(store, sealer, POLICY, "https://test.invalid", os.urandom)
        keys.open(wall_seconds(clock))
        feed = (PollingFeed if bug == POLLS else Feed)(store, keys, Revocations())
        self._sessions = Sessions(store, keys, feed, hasher, POLICY, "test", os.urandom)
        self._bulk = BulkRevocation(store, feed, hasher, POLICY)
        self._verification = Verification(keys, feed, POLICY, "test")

    def login(self, tenant: str, subject: str) -> tuple[Holder, str]:
        """Open a session, and give its holder and its access token."""
        issued = self._sessions.create(LOCAL, Login(tenant, subject), now_ms=self._clock.wall_ms())
        return Holder(tenant, subject, session_id_text(issued.session_id)), issued.access_token

    def accepts(self, access_token: str) -> bool:
        """Verify."""
        now = wall_seconds(self._clock)
        try:
            self._verification.verify(LOCAL, access_token, audience="", tenant="", min_revision=0, now=now)
        except InvalidAccessToken as error:
            if error.cause not in _REVOKED:
                raise
            return False
        return True

    def accepts_each(self, access_tokens: list[str]) -> list[bool]:
        """Verify a batch."""
        now = wall_seconds(self._clock)
        batch = self._verification.verify_batch(LOCAL, access_tokens, audience="", tenant="", min_revision=0, now=now)
        return accepted(batch.verdicts)

    def revoke(self, scope: str, holder: Holder) -> None:
        """Revoke."""
        said: dict[str, Any] = {"reason": "", "actor": "", "request_id": "", "now": wall_seconds(self._clock)}
        if scope == SESSION:
            self._sessions.revoke(LOCAL, session_id=holder.session_id, token=None, **said)
        elif scope == SUBJECT:
            self._bulk.revoke_subject(LOCAL, holder.tenant, holder.subject, except_session_id="", **said)
        else:
            self._bulk.revoke_tenant(LOCAL, holder.tenant, **said)

    def close(self) -> None:
        """Close the store."""
        self._store.close()


class Client:
    """A client that revokes at one server, and verifies at another."""

    def __init__(self, revokes_at: str, verifies_at: str) -> None:
        """Connect."""
        self._here, self._there = Stubs(revokes_at), Stubs(verifies_at)

    def accepts(self, access_token: str) -> bool:
        """Verify."""
        try:
            self._there.verification.Verify(verification_pb.VerifyRequest(access_token=access_token))
        except grpc.RpcError as error:
            if read(error).answer.cause not in {cause.name for cause in _REVOKED}:
                raise
            return False
        return True

    def accepts_each(self, access_tokens: list[str]) -> list[bool]:
        """Verify a batch."""
        request = verification_pb.BatchVerifyRequest(access_tokens=access_tokens)
        return accepted(self._there.verification.BatchVerify(request).verdicts)

    def revoke(self, scope: str, holder: Holder) -> None:
        """Revoke."""
        sessions = self._here.sessions
        if scope == SESSION:
            sessions.RevokeSession(pb.RevokeSessionRequest(session_id=holder.session_id))
        elif scope == SUBJECT:
            sessions.RevokeSubject(pb.RevokeSubjectRequest(tenant=holder.tenant, subject=holder.subject))
        else:
            sessions.RevokeTenant(pb.RevokeTenantRequest(tenant=holder.tenant))

    def close(self) -> None:
        """Disconnect."""
        self._here.channel.close()
        self._there.channel.close()


def accepted(verdicts: bytes) -> list[bool]:
    """Read the verdicts of a batch; whatever is neither good nor revoked raises."""
    wrong = set(verdicts) - _REVOKED - {0}
    if wrong:
        message = f"verdicts that no token of a race may have: {sorted(wrong)}"
        raise AssertionError(message)
    return [verdict == 0 for verdict in verdicts]


class Racer:
    """
    The race of one process: one thread that revokes, and one that verifies meanwhile, a part of it in batches.

    Every second verification is of the token that a process has just revoked or is about to, so that many begin right
    before and right after an acknowledgement; the others are of any token.
    """

    def __init__(self, side: Side, plan: dict[str, Any], number: int, aims: memoryview) -> None:
        """Take the part *number* of *plan*; *aims* has the token that each process revokes next."""
        self._side, self._aims, self._number, self._seed = side, aims, number, plan["seed"]
        self._holders = [Holder(*holder) for holder in plan["holders"]]
        self._tokens: list[str] = plan["tokens"]
        self._targets: list[tuple[str, int]] = plan["targets"][number]
        self._batch: int = plan["batch"]
        self._batched: float = plan["batched"]
        self._batches = plan["verifications"] // len(self._targets) // self._batch
        self._may_revoke, self._has_revoked = threading.Semaphore(0), threading.Semaphore(0)
        self.revocations: list[tuple[str, int, int, int]] = []

    def run(self) -> array.array[int]:
        """Race to the end, and give a row for each verification: token and verdict, begin, end."""
        with futures.ThreadPoolExecutor(2) as pool:
            rows, revoked = pool.submit(self._verify), pool.submit(self._revoke)
            # Where one fails the other does not wait for it.
            rows.add_done_callback(lambda _: self._may_revoke.release(len(self._targets)))
            revoked.add_done_callback(lambda _: self._has_revoked.release(len(self._targets)))
            revoked.result()
            return rows.result()

    def _verify(self) -> array.array[int]:
        dice = random.Random(f"{self._seed} {self._number}")  # noqa: S311 - a seeded run
        rows = array.array("Q")
        tokens, aims, read_ns = self._tokens, self._aims, time.monotonic_ns
        accepts, accepts_each = self._side.accepts, self._side.accepts_each
        for turn in range(len(self._targets)):
            self._may_revoke.release()
            if turn >= BEHIND:
                self._has_revoked.acquire()
            for _ in range(self._batches):
                chosen = [
                    aims[place // 2 % len(aims)] if place % 2 else int(dice.random() * len(tokens))
                    for place in range(self._batch)
                ]
                if dice.random() < self._batched:
                    texts = [tokens[token] for token in chosen]
                    began = read_ns()
                    verdicts = accepts_each(texts)
                    ended = read_ns()
                    for token, good in zip(chosen, verdicts, strict=True):
                        rows.extend((token << 1 | good, began, ended))
                    continue
                for token in chosen:
                    began = read_ns()
                    good = accepts(tokens[token])
                    rows.extend((token << 1 | good, began, read_ns()))
        return rows

    def _revoke(self) -> None:
        for scope, token in self._targets:
            self._may_revoke.acquire()
            self._aims[self._number] = token
            began = time.monotonic_ns()
            self._side.revoke(scope, self._holders[token])
            self.revocations.append((scope, token, began, time.monotonic_ns()))
            self._has_revoked.release()


def rows_of(file: Path) -> Iterator[tuple[int, int, int]]:
    """Read what :meth:`Racer.run` gave."""
    rows = array.array("Q")
    rows.frombytes(file.read_bytes())
    return zip(rows[::_ROW], rows[1::_ROW], rows[2::_ROW], strict=True)


def main(folder: Path, number: int, bug: str) -> None:
    """Race as part *number* of the plan in *folder*, once told to go, and leave there what happened."""
    plan = json.loads((folder / "plan.json").read_text())
    servers = plan["servers"]
    side: Side = Client(servers[number], servers[1 - number]) if servers else Worker(folder / "data", bug)
    with (
        (folder / "aims").open("r+b") as file,
        mmap.mmap(file.fileno(), 0) as memory,
        memoryview(memory).cast("Q") as aims,
    ):
        racer = Racer(side, plan, number, aims)
        os.write(1, b"ready\n")
        sys.stdin.readline()
        rows = racer.run()
    side.close()
    (folder / f"rows-{number}").write_bytes(rows.tobytes())
    (folder / f"revocations-{number}.json").write_text(json.dumps(racer.revocations))


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_SECONDS)
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
