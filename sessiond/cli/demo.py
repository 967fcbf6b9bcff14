"""``sessiond demo``: play the life of a session against a real server."""

from __future__ import annotations

import sys
import time

import click
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from sessiond.cli.context import Context, common_options, pass_context
from sessiond.cli.demo_server import demo_server
from sessiond.cli.demo_stage import Stage, StepFailedError
from sessiond.cli.demo_story import SETTINGS, Story
from sessiond.client import Client


@click.command()
@common_options
@pass_context
def demo(context: Context) -> None:
    """
    Play the life of a session against a real server.

    Starts a server on free ports with its data in a temporary folder, and ends
    both. Exit code 1: a step did not answer as it should; it is named.
    """
    started = time.monotonic()
    console = None if context.as_json else Console(file=sys.stdout, highlight=False)
    failure = ""
    with demo_server(SETTINGS) as server, Client(server.address, timeout_seconds=context.timeout_seconds) as client:
        stage = Stage(console, server.go_on)
        if console is not None:
            console.print(_opening(server.address, server.pid))
        try:
            Story(client, stage).play()
        except StepFailedError as error:
            failure = str(error)
    seconds = time.monotonic() - started
    steps = [step.value() for step in stage.steps]
    context.screen.show(
        {"passed": not failure, "seconds": round(seconds, 1), "failure": failure or None, "steps": steps},
        *_verdict(failure, len(steps), seconds),
    )
    if failure:
        click.get_current_context().exit(1)


def _opening(address: str, pid: int) -> Panel:
    text = Text.assemble(
        f"The life of a session, on a real server: {address}, process {pid}.\n",
        ("→", "blue"),
        " sent   ",
        ("←", "green"),
        " received   ",
        ("←", "red"),
        " refused, with what to do   ",
        ("✗", "red"),
        " lost",
    )
    return Panel(text, title=Text("sessiond demo", style="bold"), title_align="left", border_style="dim", expand=False)


def _verdict(failure: str, n_steps: int, seconds: float) -> list[Text]:
    if failure:
        return [Text.assemble(("✗ ", "bold red"), failure)]
    return [
        Text.assemble(("✓ ", "bold green"), f"All {n_steps} steps answered as they should, in {seconds:.1f} s."),
        Text("  `sessiond serve --dev` starts a server to play with.", style="dim"),
    ]
