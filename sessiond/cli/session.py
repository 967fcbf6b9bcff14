"""``sessiond session``: open, continue, show, list and end sessions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from sessiond.cli.context import Context, common_options, pass_context
from sessiond.cli.parameters import device_options, request_id_option, token_argument
from sessiond.cli.revocation import revoke, revoke_all, revoke_device, revoke_subject, revoke_tenant
from sessiond.cli.screen import distance, done, facts, moment, printable
from sessiond.cli.session_facts import session_facts
from sessiond.cli.values import json_value
from sessiond.client import Device, SessionState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from sessiond.client import Session, Tokens

_SECONDS = click.IntRange(min=1)


@click.group()
def session() -> None:
    """Open, continue, show, list and end sessions."""


@session.command()
@click.option("--tenant", required=True, help="The tenant.")
@click.option("--subject", required=True, help="The user, whom you have authenticated.")
@click.option("--client-id", default="", help="The client program.")
@click.option("--audience", default="", help="Of the access tokens.")
@click.option("--claims", default="", metavar="JSON", help="For the access tokens: one JSON object.")
@click.option("--data", default="", metavar="JSON", help="Kept by the authority: one JSON object.")
@device_options
@click.option("--absolute", type=_SECONDS, metavar="SECONDS", help="How long the session lives at most.")
@click.option("--idle", type=_SECONDS, metavar="SECONDS", help="How long it lives without a refresh.")
@click.option("--access", type=_SECONDS, metavar="SECONDS", help="How long an access token lives.")
@request_id_option
@common_options
@pass_context
def create(
    context: Context,
    *,
    tenant: str,
    subject: str,
    client_id: str,
    audience: str,
    claims: str,
    data: str,
    label: str,
    ip: str,
    user_agent: str,
    absolute: int | None,
    idle: int | None,
    access: int | None,
    request_id: str,
) -> None:
    """Open a session and print its first pair of tokens."""
    with context.client() as client:
        tokens = client.create_session(
            tenant,
            subject,
            client_id=client_id,
            audience=audience,
            claims=claims,
            data=data,
            device=Device(label, ip, user_agent),
            absolute_seconds=absolute,
            idle_seconds=idle,
            access_seconds=access,
            request_id=request_id,
        )
    context.screen.show(json_value(tokens), done(f"session {tokens.session_id}"), *_tokens(tokens))


@session.command()
@token_argument
@click.option("--tenant", default="", help="Refuse a session of another tenant.")
@device_options
@request_id_option
@common_options
@pass_context
def refresh(
    context: Context, *, token: str, tenant: str, label: str, ip: str, user_agent: str, request_id: str
) -> None:
    """
    Trade a refresh token for the next pair.

    Without TOKEN it is read from standard input.
    """
    with context.client() as client:
        tokens = client.refresh(token, tenant=tenant, device=Device(label, ip, user_agent), request_id=request_id)
    title = done(f"session {tokens.session_id}: {tokens.outcome.name}")
    context.screen.show(json_value(tokens), title, *_tokens(tokens))


@session.command()
@click.argument("session_id")
@common_options
@pass_context
def show(context: Context, *, session_id: str) -> None:
    """
    Show one session.

    An ended one too, as long as its tombstone is kept.
    """
    with context.client() as client:
        found = client.get_session(session_id)
    context.screen.show(json_value(found), _state(found), facts(_facts(found)))


@session.command(name="list")
@click.option("--tenant", required=True, help="The tenant.")
@click.option("--subject", required=True, help="The user.")
@common_options
@pass_context
def list_(context: Context, *, tenant: str, subject: str) -> None:
    """List the living sessions of a user, oldest first."""
    with context.client() as client:
        found = list(client.list_sessions(tenant, subject))
    shown = _table(found) if found else Text(printable(f"{subject} of {tenant} has no session."))
    context.screen.show({"sessions": json_value(found)}, shown)


for command in (revoke, revoke_device, revoke_subject, revoke_tenant, revoke_all):
    session.add_command(command)


def _tokens(tokens: Tokens) -> Iterator[RenderableType]:
    """Show a pair of tokens, each on a line of its own so that it can be copied as a whole."""
    yield facts(
        (
            ("generation", str(tokens.generation)),
            ("refresh after", moment(tokens.refresh_after)),
            ("access token dies", moment(tokens.access_token_expires_at)),
            ("session dies", moment(tokens.refresh_token_expires_at)),
        )
    )
    yield Text.assemble(("\nrefresh token\n", "dim"), tokens.refresh_token)
    yield Text.assemble(("\naccess token\n", "dim"), tokens.access_token)


def _state(found: Session) -> Text:
    name = f"session {found.session_id}"
    if found.state is SessionState.ACTIVE:
        return Text.assemble(("● ", "green"), name, (" lives", "green"))
    return Text.assemble(("● ", "red"), name, (" has ended", "red"))


def _facts(found: Session) -> Iterator[tuple[str, str | Text]]:
    yield from session_facts(found, round(time.time()))
    yield "audience", found.audience
    yield "claims", found.claims_json
    yield "data", found.data_json
    yield "etag", found.etag


def _table(found: list[Session]) -> Table:
    """Set one session on a line; its id, which other commands take, is whole however narrow the terminal."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("session", no_wrap=True, min_width=len(found[0].session_id))
    for title in ("created", "refreshed", "dies if idle", "generation", "client", "device"):
        table.add_column(title, no_wrap=True)
    for one in found:
        device = one.device.label or one.device.user_agent or one.device.ip
        instants = (distance(at) for at in (one.created_at, one.refreshed_at, one.idle_expires_at))
        cells = (one.session_id, *instants, str(one.generation), printable(one.client_id), printable(device))
        table.add_row(*map(Text, cells))
    return table
