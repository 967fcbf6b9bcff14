"""
Measure BatchVerify over gRPC beside single Verify calls: ``python -m benchmarks.batch_verify``.

A server process has the first core for itself, the client that asks it the last one; both kinds of calls take turns on
the same server and the same tokens. Beside the rate by the clock stands the rate by the processor time that the server
took, all of its threads: on a machine that does other work it is the one to look at.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from sessiond._fastverify import implementation
from sessiond.cli.demo_server import DemoServer, demo_server
from sessiond.client import Client
from sessiond.v1 import verification_service_pb2 as pb
from sessiond.wide_tables import DEFAULT_KEY_TABLE_BYTES

SERVICE = "/sessiond.v1.VerificationService"
CLAIMS = {"roles": ["admin", "editor"], "plan": "pro", "org": "northwind"}
PRO = pb.RequiredClaim(name="plan", equals_json='"pro"')
TABLE_SECONDS = 60
AWAITED_BATCHES, AWAITED_CALLS = 3, 24  # so that the server always has the next one


@dataclass
class Contender:
    """One kind of call: the requests that take turns, and what came of them in each round."""

    name: str
    method: str
    requests: list[bytes]
    tokens_a_call: int
    awaited: int
    check: Callable[[bytes], bool]
    by_clock: list[float] = field(default_factory=list)
    by_processor: list[float] = field(default_factory=list)


def processor_seconds(server: DemoServer) -> float:
    """Read the processor time that all threads of the server took."""
    times = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def await_tables(server: DemoServer) -> dict[str, Any]:
    """Wait until the tables of the keys are as wide as they get, and say how wide that is."""
    seen: dict[str, Any] = {}
    for _ in range(TABLE_SECONDS):
        with urllib.request.urlopen(f"http://{server.http_address}/healthz") as reply:
            before, seen = seen, json.load(reply).get("key_tables")
        if before == seen and min(key["windows"] for key in seen["keys"].values()) < 32:  # noqa: PLR2004
            break
        time.sleep(1)
    return seen


def contenders(server: DemoServer, n_tokens: int) -> list[Contender]:
    """Open sessions, and make the requests that verify their access tokens."""
    with Client(server.address) as client:
        tokens = [
            client.create_session("acme", f"user-{number}", claims=CLAIMS).access_token for number in range(n_tokens)
        ]

    def batch(name: str, asked: pb.BatchVerifyRequest) -> Contender:
        asked.access_tokens.extend(tokens)
        requests = [asked.SerializeToString()]
        return Contender(name, f"{SERVICE}/BatchVerify", requests, n_tokens, AWAITED_BATCHES, _all_good)

    singles = [pb.VerifyRequest(access_token=token).SerializeToString() for token in tokens]
    return [
        batch("BatchVerify", pb.BatchVerifyRequest()),
        batch("BatchVerify, tenant named", pb.BatchVerifyRequest(tenant="acme")),
        batch("BatchVerify, with texts", pb.BatchVerifyRequest(with_texts=True)),
        batch("BatchVerify, a claim required", pb.BatchVerifyRequest(required_claims=[PRO])),
        Contender("Verify", f"{SERVICE}/Verify", singles, 1, AWAITED_CALLS, _is_good),
    ]


def _all_good(reply: bytes) -> bool:
    return not any(pb.BatchVerifyResponse.FromString(reply).verdicts)


def _is_good(reply: bytes) -> bool:
    return bool(pb.VerifyResponse.FromString(reply).subject)


def measure(contender: Contender, server: DemoServer, channel: grpc.Channel, seconds: float) -> None:
    """Keep the server busy with one kind of call for some time, and note how many tokens it judged."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(contender.method)
    requests = itertools.cycle(contender.requests)
    running = deque(call.future(next(requests)) for _ in range(contender.awaited))
    last = b""
    for _ in range(contender.awaited):  # the first ones find a server that was idle
        last = running.popleft().result()
        running.append(call.future(next(requests)))
    calls, started, taken = 0, time.perf_counter(), processor_seconds(server)
    while (elapsed := time.perf_counter() - started) < seconds:
        last = running.popleft().result()
        running.append(call.future(next(requests)))
        calls += 1
    taken = processor_seconds(server) - taken
    contender.by_clock.append(calls * contender.tokens_a_call / elapsed)
    contender.by_processor.append(calls * contender.tokens_a_call / taken)
    for one in running:
        one.result()
    if not contender.check(last):
        sys.exit(f"{contender.name}: a good token was refused")


def main() -> None:
    """Measure in rounds, and print the median of each contender with the spread of its rounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=1000, help="tokens a batch, 1 to 1,024")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each contender in a round")
    parser.add_argument("--small-tables", action="store_true", help="do not wait for the wide tables of the keys")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    settings = {
        "log_level": "warning",
        "key_table_bytes": str(0 if arguments.small_tables else DEFAULT_KEY_TABLE_BYTES),
        "policy__access_seconds": "3600",  # longer than the measurement
    }
    os.sched_setaffinity(0, {cores[0]})  # what the server begins with
    with demo_server(settings) as server:
        os.sched_setaffinity(0, {cores[-1]})
        with grpc.insecure_channel(server.address) as channel:
            measured = contenders(server, arguments.tokens)
            tables = {} if arguments.small_tables else await_tables(server)
            for _ in range(arguments.rounds):
                for contender in measured:
                    measure(contender, server, channel, arguments.seconds)
    print(f"{implementation()}, {arguments.tokens:,} tokens a batch, server on core {cores[0]}, client on {cores[-1]}")
    print(f"load {os.getloadavg()[0]:.2f}, tables {json.dumps(tables)}")
    print(f"{'tokens/s':32}{'by the clock':>14}{'spread':>20}{'by its processor':>18}{'us a token':>12}")
    for contender in measured:
        by_clock, by_processor = map(statistics.median, (contender.by_clock, contender.by_processor))
        spread = f"{min(contender.by_clock):,.0f} to {max(contender.by_clock):,.0f}"
        print(f"{contender.name:32}{by_clock:>14,.0f}{spread:>20}{by_processor:>18,.0f}{1e6 / by_processor:>12.2f}")


if __name__ == "__main__":
    main()
