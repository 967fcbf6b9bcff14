"""Arguments and options that several commands take."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

Decorated = TypeVar("Decorated", bound="Callable[..., Any]")

STANDARD_INPUT = "-"


def read_token(_ctx: click.Context | None, _parameter: click.Parameter | None, value: str | None) -> str:
    """
    Take a token from the line, or from standard input where it is ``-`` or missing.

    Standard input keeps it out of the list of processes and the history of the shell.
    """
    if value not in (None, STANDARD_INPUT):
        return value
    if value is None and sys.stdin.isatty():
        message = "give the token as an argument, or pipe it into standard input"
        raise click.UsageError(message)
    return sys.stdin.read().rstrip("\r\n")


token_argument = click.argument("token", required=False, callback=read_token)
request_id_option = click.option(
    "--request-id", default="", metavar="TEXT", help="Names this attempt: repeat it after an unknown outcome."
)
reason_option = click.option("--reason", default="", metavar="TEXT", help="Why, for the audit trail.")
actor_option = click.option("--actor", default="", metavar="NAME", help="On whose behalf.")


def device_options(command: Decorated) -> Decorated:
    """Take the end user's device."""
    options = (
        click.option("--label", default="", metavar="TEXT", help="The name of the user's device."),
        click.option("--ip", default="", metavar="ADDRESS", help="The user's address."),
        click.option("--user-agent", default="", metavar="TEXT", help="The user's user agent."),
    )
    # The last decorator stands first in the help.
    for option in reversed(options):
        command = option(command)
    return command
