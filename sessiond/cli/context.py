"""What every command is told: the authority to call, how long to wait, and for whom to print."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sessiond.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiond.client import Client

TARGET_VARIABLE = "SESSIOND_TARGET"
DEFAULT_TARGET = "127.0.0.1:7400"
DEFAULT_TIMEOUT_SECONDS = 5.0

Decorated = TypeVar("Decorated", bound="Callable[..., Any]")


@dataclass
class Context:
    """The common options of one run, wherever on the line they stood."""

    target: str = field(default_factory=lambda: os.environ.get(TARGET_VARIABLE) or DEFAULT_TARGET)
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    as_json: bool = False

    @property
    def screen(self) -> Screen:
        """Where this run prints."""
        return Screen(as_json=self.as_json)

    def client(self) -> Client:
        """Connect to the authority; close it after use."""
        from sessiond.client import Client  # noqa: PLC0415 - gRPC is loaded by the commands that call

        return Client(self.target, timeout_seconds=self.timeout_seconds)


pass_context = click.make_pass_decorator(Context, ensure=True)


def common_options(command: Decorated) -> Decorated:
    """Take ``--target``, ``--timeout`` and ``--json``; on the group and on each command they mean the same."""
    options = (
        click.option(
            "--target",
            metavar="HOST:PORT",
            expose_value=False,
            callback=_set("target"),
            help=f"The authority to call; if not given, ${TARGET_VARIABLE}, else {DEFAULT_TARGET}.",
        ),
        click.option(
            "--timeout",
            "timeout_seconds",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            expose_value=False,
            callback=_set("timeout_seconds"),
            help=f"How long to wait for each answer, {DEFAULT_TIMEOUT_SECONDS:g} if not given.",
        ),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            default=None,
            expose_value=False,
            callback=_set("as_json"),
            help="Print one JSON object, also for a refusal.",
        ),
    )
    # The last decorator stands first in the help.
    for option in reversed(options):
        command = option(command)
    return command


def _set(name: str) -> Callable[[click.Context, click.Parameter, object], object]:
    def remember(ctx: click.Context, _parameter: click.Parameter, value: object) -> object:
        if value is not None:
            setattr(ctx.ensure_object(Context), name, value)
        return value

    return remember
