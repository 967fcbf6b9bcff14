"""``sessiond events``: the audit trail."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click
from rich.text import Text

from sessiond.cli.context import Context, common_options, pass_context
from sessiond.cli.screen import date_time, printable
from sessiond.cli.timeline import words_of
from sessiond.cli.values import json_value
from sessiond.client import EventFilter, EventKind
from sessiond.errors import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiond.client import Client, Event

_KINDS = [kind.name for kind in EventKind if kind is not EventKind.UNKNOWN]
_KIND_WIDTH = max(map(len, _KINDS))
_PAGE = 1000


@click.command(epilog=f"Kinds: {', '.join(_KINDS)}.")
@click.option("--session", default="", metavar="ID", help="Of one session.")
@click.option("--tenant", default="", help="Of one tenant.")
@click.option("--subject", default="", help="Of one user of that tenant.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(_KINDS),
    metavar="KIND",
    help="Of this kind or, repeated, of one of several.",
)
@click.option(
    "--cause",
    "causes",
    multiple=True,
    type=click.Choice([cause.name for cause in Cause]),
    metavar="CAUSE",
    help="With this cause or, repeated, with one of several; docs/errors.md lists them.",
)
@click.option("--cursor", type=click.IntRange(min=0), help="After the event with this number.")
@click.option("--follow", is_flag=True, help="Go on with what happens from here on, until interrupted.")
@common_options
@pass_context
def events(
    context: Context,
    *,
    session: str,
    tenant: str,
    subject: str,
    kinds: tuple[str, ...],
    causes: tuple[str, ...],
    cursor: int | None,
    follow: bool,
) -> None:
    """
    List events, oldest first.

    Those that match every option. With --json each event is one JSON object on a line of its own. With
    --follow alone, it begins here and now; with --cursor, after that event.
    """
    wanted = EventFilter(
        session_id=session,
        tenant=tenant,
        subject=subject,
        kinds=[EventKind[kind] for kind in kinds],
        causes=[Cause[cause] for cause in causes],
    )
    with context.client() as client:
        if not follow:
            _show(context, _read(client, wanted, cursor or 0))
            return
        # An interruption is how one ends it.
        with contextlib.suppress(KeyboardInterrupt):
            _show(context, client.watch_events(wanted, cursor=cursor))


def _show(context: Context, found: Iterator[Event]) -> None:
    for event in found:
        context.screen.show(json_value(event), _line(event))
        # Whoever reads a pipe learns of an event when it happens.
        sys.stdout.flush()


def _read(client: Client, wanted: EventFilter, cursor: int) -> Iterator[Event]:
    more = True
    while more:
        page = client.list_events(wanted, cursor=cursor, page_size=_PAGE)
        yield from page.events
        cursor, more = page.cursor, page.more


def _line(event: Event) -> Text:
    who = f"{event.subject} of {event.tenant}" if event.subject else event.tenant
    return Text.assemble(
        (f"{event.sequence:>8}", "dim"),
        f"  {date_time(event.happened_at)}  {event.kind.name:<{_KIND_WIDTH}}  ",
        (f"{event.session_id or '-':<36}  ", "dim"),
        words_of(event),
        (f"  {printable(who)}" if who else "", "cyan"),
    )
