"""
From acknowledged to refused: how long a local verifier goes on accepting a token whose revocation was acknowledged.

Three processes: the authority with a durable store, whoever revokes, and this one, whose local verifier is asked again
and again about the tokens that are next. The revoking process reads the clock when an answer has come, this one when a
token is refused first; both read CLOCK_MONOTONIC, which all processes of a machine share. A lag below zero means that
the stream was faster than the answer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent import futures
from dataclasses import dataclass

from benchmarks.machine import ROOT
from sessiond.cli.demo_server import demo_server
from sessiond.client import Client, LocalVerifier, Tokens
from sessiond.errors import InvalidAccessToken

AUDIENCE = "sessiond"
CALLERS = 32
"""Threads that open and revoke sessions: so many share a commit of the authority."""

ASKED_AT_ONCE = 128
"""So many of the next tokens are asked about in each turn: more than can be under way at once."""

PAUSE_SECONDS = 0.000_5
"""Between two turns, so that the thread of the stream has its share: the resolution of a figure."""

PATIENCE_SECONDS = 60
NS_OF_MS = 1e6


class NeverRefusedError(Exception):
    """Tokens were still accepted long after their revocation was acknowledged."""


@dataclass(frozen=True)
class Lags:
    """Milliseconds from acknowledged to refused, sorted, and how many revocations a second there were."""

    ms: list[float]
    rate: float

    def quantile(self, share: float) -> float:
        """Give the lag that a share of all does not exceed."""
        return self.ms[min(len(self.ms) - 1, int(share * len(self.ms)))]


def measure_lags(rate: int, seconds: float) -> Lags:
    """
    Revoke sessions at a rate, and time each refusal.

    Raises:
        NeverRefusedError: A token was not refused.

    """
    with demo_server({}) as server, Client(server.address) as client:
        with futures.ThreadPoolExecutor(CALLERS) as threads:
            tokens = list(
                threads.map(lambda n: client.create_session("acme", f"user {n}"), range(round(rate * seconds)))
            )
        with LocalVerifier(server.address, audience=AUDIENCE) as verifier:
            verifier.wait_ready()
            for one in tokens:
                verifier.verify(one.access_token)
            command = [sys.executable, "-m", "benchmarks.refusal_lag", server.address, str(rate)]
            with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
                answers = _answers(other, [one.session_id for one in tokens])
                refused = _refused(verifier, tokens)
                acknowledged = answers.result()
    lags = sorted((refused[one] - at) / NS_OF_MS for one, at in acknowledged.items())
    took = (max(acknowledged.values()) - min(acknowledged.values())) / 1e9
    return Lags(lags, (len(lags) - 1) / took)


def _answers(other: subprocess.Popen[str], session_ids: Sequence[str]) -> futures.Future[dict[str, int]]:
    """Let the other process revoke, and give when each revocation was acknowledged, once all are."""
    answer: futures.Future[dict[str, int]] = futures.Future()

    def talk() -> None:
        said, _ = other.communicate(json.dumps(session_ids))
        answer.set_result(json.loads(said))

    threading.Thread(target=talk).start()
    return answer


def _refused(verifier: LocalVerifier, tokens: Sequence[Tokens]) -> dict[str, int]:
    """Ask about the next tokens until every one is refused, and give when each was first."""
    waiting = deque(tokens)
    asked: list[Tokens] = []
    refused: dict[str, int] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS + len(tokens) / 100
    while waiting or asked:
        while waiting and len(asked) < ASKED_AT_ONCE:
            asked.append(waiting.popleft())
        for one in asked:
            try:
                verifier.verify(one.access_token)
            except InvalidAccessToken:
                refused[one.session_id] = time.monotonic_ns()
        asked = [one for one in asked if one.session_id not in refused]
        if time.monotonic() > deadline:
            message = f"{len(waiting) + len(asked)} of {len(tokens)} tokens are still accepted"
            raise NeverRefusedError(message)
        time.sleep(PAUSE_SECONDS)
    return refused


def _revoke(address: str, session_ids: Sequence[str], rate: int) -> dict[str, int]:
    """Revoke sessions one after another at a rate, and give when each was acknowledged."""
    begin = time.monotonic() + 0.1

    def revoke(place: int) -> int:
        time.sleep(max(0.0, begin + place / rate - time.monotonic()))
        client.revoke_session(session_ids[place])
        return time.monotonic_ns()

    with Client(address) as client, futures.ThreadPoolExecutor(CALLERS) as threads:
        return dict(zip(session_ids, threads.map(revoke, range(len(session_ids))), strict=True))


def main() -> None:
    """Revoke the sessions that stand on standard input, for a measurement in another process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refusal_lag")
    parser.add_argument("address")
    parser.add_argument("rate", type=int)
    arguments = parser.parse_args()
    print(json.dumps(_revoke(arguments.address, json.load(sys.stdin), arguments.rate)))


if __name__ == "__main__":
    main()
