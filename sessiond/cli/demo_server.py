"""A real server for the demo: a process of its own on free ports, with its data in a folder that goes with it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sessiond.server.config import ENV_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_SECONDS = 30.0
STOP_SECONDS = 10.0

_POLL_SECONDS = 0.02
# What else may stand in the environment of whoever runs the demo must not reach its server.
_KEPT_VARIABLES = frozenset({"SESSIOND_FORCE_IMPL"})


@dataclass(frozen=True, slots=True)
class DemoServer:
    """
    A server that serves, gRPC on ``address``.

    Call ``go_on`` now and then: it leaves where a signal asked to.
    """

    address: str
    http_address: str
    pid: int
    go_on: Callable[[], None]


@contextlib.contextmanager
def demo_server(settings: dict[str, str]) -> Iterator[DemoServer]:
    """
    Serve with *settings* for a block; process and folder are gone after it, also where it is left by a signal.

    Args:
        settings: Keys of the configuration and their values, as the environment spells them.

    Raises:
        SystemExit: A signal asked to leave.
        click.ClickException: The server did not start; the message holds what it said.

    """
    with (
        signals_as_exit() as go_on,
        tempfile.TemporaryDirectory(prefix="sessiond-demo-") as name,
        _process(Path(name), settings) as process,
    ):
        where = _addresses(Path(name), process)
        yield DemoServer(where["grpc"], where["http"], process.pid, go_on)


@contextlib.contextmanager
def _process(folder: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    own = {f"{ENV_PREFIX}{key}".upper(): value for key, value in settings.items()}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ENV_PREFIX) or k in _KEPT_VARIABLES}
    command = [sys.executable, "-m", "sessiond", "serve", "--dev", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    command += ["--data", str(folder / "data"), "--ready-file", str(folder / "ready")]
    with (folder / "log").open("wb") as log:
        # A session of its own: Ctrl+C reaches the demo alone, which then stops the server.
        process = subprocess.Popen(command, env={**kept, **own}, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - our own program
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _addresses(folder: Path, process: subprocess.Popen[bytes]) -> dict[str, str]:
    """Wait until the server serves, and give where."""
    deadline = time.monotonic() + START_SECONDS
    ready = folder / "ready"
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            log = (folder / "log").read_text(encoding="utf-8", errors="replace").strip()
            message = f"the server of the demo did not start; it said:\n{log or '(nothing)'}"
            raise click.ClickException(message)
        time.sleep(_POLL_SECONDS)
    addresses: dict[str, str] = json.loads(ready.read_text(encoding="utf-8"))
    return addresses


@contextlib.contextmanager
def signals_as_exit() -> Iterator[Callable[[], None]]:
    """
    Leave a block by SystemExit, 128 plus the number, on SIGINT, SIGTERM and SIGHUP, so that the server is stopped.

    They count where whoever started us had them ignored, as a shell does with
    SIGINT for what it runs in the background: a demo must always be stoppable.
    What is raised while a destructor or a callback runs is swallowed there. So
    the signal is remembered too: what is given leaves at the next call, and
    the block at its end.
    """
    caught: list[int] = []

    def go_on() -> None:
        if caught:
            sys.exit(128 + caught[0])

    def leave(number: int, _frame: object) -> None:
        caught.append(number)
        go_on()

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield go_on
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    go_on()
