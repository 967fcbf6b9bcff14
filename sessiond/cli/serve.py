"""``sessiond serve``: run the authority."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sessiond.clock import SystemClock
from sessiond.server.app import START_FAILURES, App, running
from sessiond.server.config import DEV_DEFAULTS, Config, ConfigError, load
from sessiond.server.http import JWKS_PATH
from sessiond.server.masterkey import dev_master_key_file
from sessiond.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_MASTER_KEYS = ("master_key", "master_key_file", "master_key_command")


@click.command()
@click.option("--dev", is_flag=True, help="Loopback, data and a master key of its own in ./.sessiond.")
@click.option("--config", "file", type=click.Path(path_type=Path), help="A TOML file.")
@click.option("--listen", metavar="HOST:PORT", help="Where gRPC is served; port 0 finds a free one.")
@click.option("--http", metavar="HOST:PORT", help="Where JWKS and health are served.")
@click.option("--data", metavar="DIR", help="The directory of the store.")
@click.option("--reuse-port", is_flag=True, default=None, help="Let several servers share the port.")
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path),
    help="Write the addresses here, as one JSON object, once the server serves.",
)
def serve(
    *,
    dev: bool,
    file: Path | None,
    listen: str | None,
    http: str | None,
    data: str | None,
    reuse_port: bool | None,
    ready_file: Path | None,
) -> None:
    """
    Run the authority until SIGTERM or SIGINT.

    Every setting can stand in the TOML file or in the environment as
    SESSIOND_NAME; flags win over the environment, that over the file.
    """
    told = {"listen": listen, "http": http, "data": data, "reuse_port": reuse_port}
    flags: dict[str, object] = {name: value for name, value in told.items() if value is not None}
    try:
        config = _configuration(flags, file, dev=dev)
        logs.configure(config.log_format, config.log_level)
        # Until the server serves, and again while it stops, a signal ends the process at once: a start can wait for
        # the lock of the store, a stop for a call, and neither looks at anything else meanwhile.
        with _signals(signal.SIG_DFL), running(config, clock=SystemClock()) as app, _stop_signals() as stop:
            if ready_file is not None:
                _write_ready_file(ready_file, app)
            if dev:
                click.echo(_greeting(app, config))
            stop.recv(1)
    except START_FAILURES as error:
        click.echo(f"sessiond: {error}", err=True)
        sys.exit(1)


def _configuration(flags: dict[str, object], file: Path | None, *, dev: bool) -> Config:
    if not dev:
        return load(flags, file=file)
    config = load(flags, file=file, defaults=DEV_DEFAULTS)
    if any(getattr(config, name) is not None for name in _MASTER_KEYS):
        return config
    return load({**flags, "master_key_file": dev_master_key_file(config.data)}, file=file, defaults=DEV_DEFAULTS)


@contextlib.contextmanager
def _signals(action: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    """Let SIGTERM and SIGINT do *action* inside a block."""
    handlers = {number: signal.signal(number, action) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _stop_signals() -> Iterator[socket.socket]:
    """
    Give a socket that can be read once SIGTERM or SIGINT has come.

    Not an event that a handler sets: a signal that comes to another thread, or
    just before the main one begins to wait for a lock, does not wake it. The
    byte that Python writes to the socket at once does.
    """
    heard, told = socket.socketpair()
    told.settimeout(0)
    wakeup = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    try:
        with _signals(lambda _number, _frame: None):
            yield heard
    finally:
        signal.set_wakeup_fd(wakeup)
        heard.close()
        told.close()


def _write_ready_file(file: Path, app: App) -> None:
    """Write the addresses so that a reader sees all of them or no file."""
    text = json.dumps({"grpc": app.address, "http": app.http_address})
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text + "\n")
        Path(temporary).replace(file)
    except OSError as error:
        message = f"--ready-file: {file}: {error.strerror}"
        raise ConfigError(message) from None


def _greeting(app: App, config: Config) -> str:
    return "\n".join(
        (
            f"sessiond serves gRPC on {app.address} (data in {config.data}).",
            "",
            f"  Open a session:    sessiond --target {app.address} session create --tenant acme --subject alice",
            f"  Public keys:       http://{app.http_address}{JWKS_PATH}",
            "  Stop:              Ctrl+C",
        )
    )
