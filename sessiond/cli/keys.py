"""``sessiond keys``: show and change the keys that sign tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from sessiond.cli.context import Context, common_options, pass_context
from sessiond.cli.parameters import actor_option, reason_option, request_id_option
from sessiond.cli.screen import done, facts, moment
from sessiond.cli.values import json_value
from sessiond.client import KeyPurpose, KeyState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiond.client import Key

_PURPOSES = click.Choice(("refresh", "access"))
_STYLES = {KeyState.ACTIVE: "bold green", KeyState.PENDING: "cyan", KeyState.REVOKED: "red"}


@click.group()
def keys() -> None:
    """Show and change the keys that sign tokens."""


@keys.command(name="list")
@click.option("--purpose", type=_PURPOSES, help="Only the keys of this purpose.")
@common_options
@pass_context
def list_(context: Context, *, purpose: str | None) -> None:
    """List the keys, newest first."""
    with context.client() as client:
        keyset = client.get_keyset(None if purpose is None else KeyPurpose[purpose.upper()])
    context.screen.show(json_value(keyset), _table(keyset.keys))


@keys.command()
@click.argument("purpose", type=_PURPOSES)
@click.option(
    "--immediately", is_flag=True, help="Sign with it at once: verifiers that have not fetched it refuse its tokens."
)
@request_id_option
@common_options
@pass_context
def rotate(context: Context, *, purpose: str, immediately: bool, request_id: str) -> None:
    """
    Make the next signing key of a purpose.

    It is published first, then it signs.
    """
    with context.client() as client:
        change = client.rotate_key(KeyPurpose[purpose.upper()], activate_immediately=immediately, request_id=request_id)
    context.screen.show(json_value(change), done(f"key {change.key.key_id}"), facts(_facts(change.key)))


@keys.command()
@click.argument("key_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@reason_option
@actor_option
@request_id_option
@common_options
@pass_context
def revoke(context: Context, *, key_id: str, yes: bool, reason: str, actor: str, request_id: str) -> None:
    """
    Refuse every token that a key has signed.

    Revoking a refresh key logs out everyone whose token it signed.
    """
    if not yes:
        click.confirm(f"Refuse every token that {key_id} has signed?", abort=True, err=True)
    with context.client() as client:
        change = client.revoke_key(key_id, reason=reason, actor=actor, request_id=request_id)
    replacement = [] if change.replacement is None else [("signs in its place", change.replacement.key_id)]
    shown = facts((*_facts(change.key), *replacement))
    context.screen.show(json_value(change), done(f"key {change.key.key_id}"), shown)


def _facts(key: Key) -> Iterator[tuple[str, str | Text]]:
    yield "signs", f"{key.purpose.name.lower()} tokens"
    yield "state", _state(key)
    yield "signs from", moment(key.activates_at)
    yield "retired", moment(key.retired_at)
    yield "revoked", moment(key.revoked_at)
    yield "gone", moment(key.expires_at)


def _state(key: Key) -> Text:
    return Text(key.state.name, style=_STYLES.get(key.state, ""))


def _table(found: tuple[Key, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("key", "signs", "state", "signs from", "gone"):
        table.add_column(title, no_wrap=True)
    for key in found:
        table.add_row(
            key.key_id, key.purpose.name.lower(), _state(key), moment(key.activates_at), moment(key.expires_at) or "-"
        )
    return table
