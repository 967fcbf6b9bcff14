"""
``sessiond``: the command line.

Each command is loaded when it is asked for: calls to an authority work where
the server's libraries are not installed, and ``serve`` says how to get them.
"""

from __future__ import annotations

import importlib
import sys

import click

from sessiond.cli.context import Context, common_options
from sessiond.errors import SessiondError

_COMMANDS = {
    "serve": "sessiond.cli.serve:serve",
    "demo": "sessiond.cli.demo:demo",
    "session": "sessiond.cli.session:session",
    "explain": "sessiond.cli.explain:explain",
    "events": "sessiond.cli.events:events",
    "token": "sessiond.cli.token:token",
    "keys": "sessiond.cli.keys:keys",
}


class Commands(click.Group):
    """The commands, in the order in which one meets them."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Name the commands."""
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Load a command; one whose libraries are missing says how to install them."""
        if name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[name].partition(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            library = (error.name or "").partition(".")[0]
            if library == "sessiond":
                raise
            return _uninstalled(name, library)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a refused call is shown with its cause and advice, and ends with exit code 1."""
        try:
            return super().invoke(ctx)
        except SessiondError as error:
            ctx.ensure_object(Context).screen.refused(error)
            ctx.exit(1)


@click.group(cls=Commands)
@common_options
@click.version_option(package_name="sessiond", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """
    Run an authority for login sessions, and talk to one.

    Exit code 0: done. 1: refused, with the reason. 2: wrong usage.
    """
    ctx.ensure_object(Context)


def main() -> None:
    """Run the command that the arguments name, and exit."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that lacks a character gets a question mark and not a traceback.
            stream.reconfigure(errors="replace")
    cli(prog_name="sessiond")


def _uninstalled(name: str, library: str) -> click.Command:
    message = (
        f"`sessiond {name}` needs the libraries of the server ({library} is missing): pip install 'sessiond[server]'"
    )

    def explain() -> None:
        raise click.ClickException(message)

    return click.Command(
        name,
        callback=explain,
        help=f"Not installed: {message}",
        short_help="Not installed: pip install 'sessiond[server]'",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
