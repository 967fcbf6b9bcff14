"""Real server processes: start, kill, stop, and talk to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import grpc

from sessiond.v1 import (
    key_service_pb2_grpc,
    revocation_service_pb2_grpc,
    session_service_pb2_grpc,
    verification_service_pb2_grpc,
)

TEST_MASTER_KEY = "7e57" * 16
"""Known to everyone: for tests only."""

ROOT = Path(__file__).parents[2]
START_SECONDS = 30
STOP_SECONDS = 30


def command(*arguments: str) -> list[str]:
    """Give the command line of ``sessiond serve``."""
    return [sys.executable, "-m", "sessiond", "serve", *arguments]


def environment(**variables: str) -> dict[str, str]:
    """Give an environment without any SESSIOND variable but the named ones."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SESSIOND_")}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


class Server:
    """
    One ``sessiond serve`` on a data directory, which can be started again after it ended.

    A server that is to keep its address listens on a unix socket: the TCP port of a server that was
    killed can be taken by anyone, even by the client that tries to reach it again.
    """

    def __init__(
        self,
        folder: Path,
        name: str = "server",
        *flags: str,
        data: Path | None = None,
        listen: str = "127.0.0.1:0",
        **variables: str,
    ) -> None:
        """Keep data and logs in *folder*; *data* shares the store of another server."""
        self.data = folder / "data" if data is None else data
        self.log = folder / f"{name}.log"
        self.grpc = self.http = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._ready = folder / f"{name}.ready"
        self._listen = listen
        self._flags = flags
        self._variables = variables

    def start(self) -> None:
        """Start, and wait until the server serves."""
        self._ready.unlink(missing_ok=True)
        variables = environment(
            **{
                "SESSIOND_MASTER_KEY": TEST_MASTER_KEY,
                "SESSIOND_ISSUER": "https://test.invalid",
                "SESSIOND_AUDIENCE": "test",
                **self._variables,
            }
        )
        places = ("--listen", self._listen, "--http", "127.0.0.1:0", "--data", str(self.data))
        told = (*places, "--ready-file", str(self._ready))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command(*told, *self._flags), env=variables, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                message = f"the server did not start:\n{self.log.read_text()}"
                raise AssertionError(message)
            time.sleep(0.01)
        addresses = json.loads(self._ready.read_text())
        self.grpc, self.http = addresses["grpc"], addresses["http"]

    def kill(self) -> None:
        """End the process as a power cut of the process would: kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM, and give the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def serving(*servers: Server) -> Iterator[Server]:
    """Start servers for a block, all at once, and let none survive it; gives the first."""
    try:
        with futures.ThreadPoolExecutor(len(servers)) as starters:
            for started in [starters.submit(server.start) for server in servers]:
                started.result()
        yield servers[0]
    finally:
        for server in servers:
            if server.process is not None and server.process.poll() is None:
                server.kill()


class Stubs:
    """The services of one server."""

    def __init__(self, address: str) -> None:
        """Connect to *address*."""
        self.channel = grpc.insecure_channel(address, options=[("grpc.max_reconnect_backoff_ms", 200)])
        self.sessions: Any = session_service_pb2_grpc.SessionServiceStub(self.channel)
        self.verification: Any = verification_service_pb2_grpc.VerificationServiceStub(self.channel)
        self.revocations: Any = revocation_service_pb2_grpc.RevocationServiceStub(self.channel)
        self.keys: Any = key_service_pb2_grpc.KeyServiceStub(self.channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()
