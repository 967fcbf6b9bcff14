"""Verifications and revocations at once in two processes: none accepts what was acknowledged as revoked before."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.process.race_worker import POLICY, POLLS, PUBLISHES_LATE, Worker, rows_of
from tests.process.revocation_race import (
    NEVER,
    SESSION,
    SUBJECT,
    TENANT,
    Findings,
    Holder,
    Revocation,
    Verification,
    findings,
)
from tests.process.servers import ROOT, Server, serving
from tests.process.test_two_servers import two_servers

ALICE, HER_PHONE, BOB, EVE = (
    Holder("acme", "alice", "1"),
    Holder("acme", "alice", "2"),
    Holder("acme", "bob", "3"),
    Holder("other", "alice", "4"),
)
HOLDERS = (ALICE, HER_PHONE, BOB, EVE)
PROCESSES = 2
SEED = 5
RACE_SECONDS = 3_000


@dataclass(frozen=True, slots=True)
class Size:
    """
    How long a race is: of all processes together, among so many tenants of 8 subjects with 4 sessions each.

    The share ``batched`` of the verifications comes in batches of ``batch`` tokens.
    """

    verifications: int
    revocations: int
    tenants: int
    batch: int
    batched: float


SHORT = Size(20_000, 200, 20, batch=10, batched=0.5)
SHORT_OVER_GRPC = Size(4_000, 80, 10, batch=10, batched=0.8)
FULL = Size(1_000_000, 2_000, 200, batch=10, batched=0.5)
FULL_OVER_GRPC = Size(1_000_000, 2_000, 200, batch=100, batched=0.95)


def race(folder: Path, size: Size, servers: tuple[Server, ...] = (), bug: str = "") -> Findings:
    """
    Let two processes race, and judge what happened.

    They are workers themselves, or clients of *servers*, which are started on ``folder / "data"``.
    """
    dice = random.Random(SEED)  # noqa: S311 - a seeded run
    maker = Worker(folder / "data")
    with futures.ThreadPoolExecutor(64) as pool:
        logins = [(f"tenant {n}", f"user {m}") for n in range(size.tenants) for m in range(8) for _ in range(4)]
        opened = list(pool.map(lambda login: maker.login(*login), logins))
    maker.close()
    holders = [holder for holder, _ in opened]
    scopes = dice.choices((SESSION, SUBJECT, TENANT), (70, 25, 5), k=size.revocations)
    targets = [(scope, dice.randrange(len(holders))) for scope in scopes]
    (folder / "aims").write_bytes(bytes(8 * PROCESSES))
    plan = {
        "seed": SEED,
        "batch": size.batch,
        "batched": size.batched,
        "servers": [],
        "holders": holders,
        "tokens": [token for _, token in opened],
        "targets": [targets[number::PROCESSES] for number in range(PROCESSES)],
        "verifications": size.verifications // PROCESSES,
    }
    if servers:
        with serving(*servers):
            run(folder, {**plan, "servers": [server.grpc for server in servers]}, bug)
    else:
        run(folder, plan, bug)
    return findings(
        holders,
        [
            Verification(token >> 1, began, ended, bool(token & 1))
            for number in range(PROCESSES)
            for token, began, ended in rows_of(folder / f"rows-{number}")
        ],
        [
            Revocation(*row)
            for number in range(PROCESSES)
            for row in json.loads((folder / f"revocations-{number}.json").read_text())
        ],
    )


def run(folder: Path, plan: dict[str, object], bug: str) -> None:
    """Run the processes of a plan to their end."""
    (folder / "plan.json").write_text(json.dumps(plan))
    command = [sys.executable, "-m", "tests.process.race_worker", str(folder)]
    racers = [
        subprocess.Popen(
            [*command, str(number), bug], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(PROCESSES)
    ]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert "ready\n" == racer.stdout.readline()
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        for racer in racers:
            racer.communicate(timeout=RACE_SECONDS)
            assert 0 == racer.returncode
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


def assert_sound(found: Findings, size: Size) -> None:
    """See that a race was one, and that nothing happened in it that may not."""
    assert [] == found.faults
    assert size.verifications == found.accepted + found.refused
    assert min(found.accepted, found.refused, found.doomed, found.overlapping) > size.revocations


def test_processes_accept_nothing_that_was_revoked(tmp_path: Path) -> None:
    """Two worker processes, 20,000 verifications against 200 revocations: none accepts what was acknowledged."""
    assert_sound(race(tmp_path, SHORT), SHORT)


def test_servers_accept_nothing_that_was_revoked(tmp_path: Path) -> None:
    """The same over gRPC: what one server has acknowledged the other one refuses from that moment on."""
    servers = two_servers(tmp_path, SESSIOND_POLICY__ACCESS_SECONDS=str(POLICY.access_seconds))
    assert_sound(race(tmp_path, SHORT_OVER_GRPC, servers), SHORT_OVER_GRPC)


@pytest.mark.parametrize("bug", [POLLS, PUBLISHES_LATE])
def test_a_planted_bug_is_found(tmp_path: Path, bug: str) -> None:
    """The same race finds a worker that looks for revocations now and then, and one that tells of them too late."""
    found = race(tmp_path, SHORT, bug=bug)
    assert found.faults
    assert {"accepted"} == {fault.split()[2] for fault in found.faults}


@pytest.mark.long
def test_a_million_verifications_against_two_thousand_revocations(tmp_path: Path) -> None:
    """Two worker processes, 1,000,000 verifications against 2,000 revocations: none accepts what was acknowledged."""
    found = race(tmp_path, FULL)
    print(found)  # noqa: T201 - the figures of a run that takes minutes
    assert_sound(found, FULL)


@pytest.mark.long
def test_a_million_verifications_over_grpc(tmp_path: Path) -> None:
    """The same over gRPC, most of it in batches."""
    servers = two_servers(tmp_path, SESSIOND_POLICY__ACCESS_SECONDS=str(POLICY.access_seconds))
    found = race(tmp_path, FULL_OVER_GRPC, servers)
    print(found)  # noqa: T201 - the figures of a run that takes minutes
    assert_sound(found, FULL_OVER_GRPC)


# The checker itself.


def judge(verification: Verification, *revocations: Revocation) -> Findings:
    """Judge a history of one verification."""
    return findings(HOLDERS, [verification], revocations)


@pytest.mark.parametrize(
    ("scope", "covered"), [(SESSION, {ALICE}), (SUBJECT, {ALICE, HER_PHONE}), (TENANT, {ALICE, HER_PHONE, BOB})]
)
def test_what_a_revocation_covers(scope: str, covered: set[Holder]) -> None:
    """A verification that accepts after the answer is a fault for each token of the scope, and for no other one."""
    revocation = Revocation(scope, 0, 100, 200)
    late = [Verification(token, 201, 300, accepted=True) for token in range(len(HOLDERS))]
    assert covered == {HOLDERS[one.token] for one in late if judge(one, revocation).faults}


@pytest.mark.parametrize(
    ("began", "ended", "accepted", "fault"),
    [
        (10, 99, True, False),
        (10, 99, False, True),
        (10, 100, False, False),
        (10, 500, True, False),
        (150, 160, True, False),
        (150, 160, False, False),
        (200, 300, True, False),
        (201, 300, True, True),
        (201, 300, False, False),
    ],
)
def test_what_no_order_allows(began: int, ended: int, *, accepted: bool, fault: bool) -> None:
    """Of a revocation from 100 to 200: accepted when begun after it, or refused when ended before it, is a fault."""
    found = judge(Verification(0, began, ended, accepted), Revocation(SESSION, 0, 100, 200))
    assert fault == bool(found.faults)
    assert (accepted, not accepted) == (bool(found.accepted), bool(found.refused))


def test_the_first_of_several_revocations_counts() -> None:
    """A token is dead from the first answer on, whichever scope it was of, and may be refused from the first begin."""
    revocations = (Revocation(TENANT, 2, 300, 400), Revocation(SUBJECT, 1, 100, 200))
    found = judge(Verification(0, 250, 260, accepted=True), *revocations)
    assert ["token 0 accepted by a verification that began 50 ns after the answer"] == found.faults
    assert (1, 50, 0) == (found.doomed, found.closest_ns, found.overlapping)
    assert [] == judge(Verification(0, 110, 120, accepted=False), *revocations).faults


def test_tokens_that_nobody_revoked() -> None:
    """A token that nobody revoked is accepted at any time, and a refusal of it is a fault."""
    assert [] == judge(Verification(3, 1, 2, accepted=True)).faults
    found = judge(Verification(3, 1, 2, accepted=False))
    assert ["token 3 refused by a verification that nothing can have revoked by then"] == found.faults
    assert (0, NEVER) == (found.doomed, found.closest_ns)
