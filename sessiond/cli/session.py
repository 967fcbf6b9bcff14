"""``sessiond session``: open, continue, show, list and end sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from sessiond.cli.context import Context, common_options, pass_context
from sessiond.cli.parameters import (
    actor_option,
    device_options,
    read_token,
    reason_option,
    request_id_option,
    token_argument,
)
from sessiond.cli.screen import distance, done, facts, moment
from sessiond.cli.values import json_value
from sessiond.client import Device, SessionState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from sessiond.client import Session, SessionEnd, Tokens

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
    """Trade a refresh TOKEN for the next pair; without TOKEN it is read from standard input."""
    with context.client() as client:
        tokens = client.refresh(token, tenant=tenant, device=Device(label, ip, user_agent), request_id=request_id)
    title = done(f"session {tokens.session_id}: {tokens.outcome.name}")
    context.screen.show(json_value(tokens), title, *_tokens(tokens))


@session.command()
@click.argument("session_id")
@common_options
@pass_context
def show(context: Context, *, session_id: str) -> None:
    """Show the session SESSION_ID, an ended one too as long as its tombstone is kept."""
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
    shown = _table(found) if found else Text(f"{subject} of {tenant} has no session.")
    context.screen.show({"sessions": json_value(found)}, shown)


@session.command()
@click.argument("session_id", required=False)
@click.option("--token", help="Name the session by a token of it, expired or not; - reads it from standard input.")
@reason_option
@actor_option
@request_id_option
@common_options
@pass_context
def revoke(
    context: Context, *, session_id: str | None, token: str | None, reason: str, actor: str, request_id: str
) -> None:
    """End the session SESSION_ID; its tokens are refused from then on."""
    if (session_id is None) == (token is None):
        message = "name the session by SESSION_ID or by --token, one of them"
        raise click.UsageError(message)
    named = None if token is None else read_token(None, None, token)
    with context.client() as client:
        revoked = client.revoke_session(session_id, token=named, reason=reason, actor=actor, request_id=request_id)
    what = "was ended" if revoked.ended_by_this_call else "had ended already"
    context.screen.show(json_value(revoked), done(f"session {revoked.session_id} {what}"), facts(_end(revoked.end)))


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
    yield "user", f"{found.subject} of {found.tenant}"
    yield "client", found.client_id
    yield "audience", found.audience
    yield "device", ", ".join(part for part in (found.device.label, found.device.ip, found.device.user_agent) if part)
    if found.end is not None:
        yield from _end(found.end)
    yield "created", moment(found.created_at)
    yield "refreshed", moment(found.refreshed_at)
    yield "dies if idle", moment(found.idle_expires_at)
    yield "dies", moment(found.expires_at)
    yield "generation", str(found.generation)
    counters = {
        "retried": found.retried,
        "shared": found.shared,
        "superseded": found.superseded,
        "refusals": found.refusals,
    }
    yield "unusual", ", ".join(f"{count} {name}" for name, count in counters.items() if count)
    yield "claims", found.claims_json
    yield "data", found.data_json
    yield "etag", found.etag


def _end(end: SessionEnd) -> Iterator[tuple[str, str | Text]]:
    yield "cause", Text("a later release knows it" if end.cause is None else end.cause.name, style="red")
    yield "reason", end.reason
    yield "actor", end.actor
    yield "ended", moment(end.ended_at)


def _table(found: list[Session]) -> Table:
    """Set one session on a line; its id, which other commands take, is whole however narrow the terminal."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("session", no_wrap=True, min_width=len(found[0].session_id))
    for title in ("created", "refreshed", "dies if idle", "generation", "client", "device"):
        table.add_column(title, no_wrap=True)
    for one in found:
        device = one.device.label or one.device.user_agent or one.device.ip
        instants = (distance(at) for at in (one.created_at, one.refreshed_at, one.idle_expires_at))
        table.add_row(*map(Text, (one.session_id, *instants, str(one.generation), one.client_id, device)))
    return table
