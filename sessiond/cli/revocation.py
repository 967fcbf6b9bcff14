"""``sessiond session revoke`` and its kin: end one session, several, or all of a scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.text import Text

from sessiond.cli.context import Context, common_options, pass_context
from sessiond.cli.parameters import actor_option, read_token, reason_option, request_id_option
from sessiond.cli.screen import done, facts, moment, printable
from sessiond.cli.session_facts import end_facts
from sessiond.cli.values import json_value
from sessiond.client import RevocationVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessiond.client import BatchRevoked, ScopeRevoked

    Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_VERDICTS = {
    RevocationVerdict.ENDED: "was ended",
    RevocationVerdict.ENDED_BEFORE: "had ended already",
    RevocationVerdict.NOT_FOUND: "was not found",
}


def revocation_options(command: Decorated) -> Decorated:
    """Take what every revocation is told beside what it ends."""
    told: Any = pass_context(command)
    # The last decorator stands first in the help.
    for option in (common_options, request_id_option, actor_option, reason_option):
        told = option(told)
    return told  # type: ignore[no-any-return] # click gives back what it takes


@click.command()
@click.argument("session_ids", metavar="[SESSION_ID]...", nargs=-1)
@click.option("--token", help="Name the session by a token of it, expired or not; - reads it from standard input.")
@revocation_options
def revoke(
    context: Context, *, session_ids: tuple[str, ...], token: str | None, reason: str, actor: str, request_id: str
) -> None:
    """
    End one session or several.

    Their tokens are refused from then on. Several are ended in one write; where
    one of them is not found, the others are ended all the same, and the exit code is 1.
    """
    if bool(session_ids) == (token is not None):
        message = "name the session by SESSION_ID or by --token, one of them"
        raise click.UsageError(message)
    named = None if token is None else read_token(None, None, token)
    notes = {"reason": reason, "actor": actor, "request_id": request_id}
    with context.client() as client:
        if len(session_ids) > 1:
            batch = client.batch_revoke_sessions(session_ids, **notes)
            _show_batch(context, session_ids, batch)
            return
        revoked = client.revoke_session(session_ids[0] if session_ids else None, token=named, **notes)
    what = "was ended" if revoked.ended_by_this_call else "had ended already"
    title = done(f"session {revoked.session_id} {what}")
    context.screen.show(json_value(revoked), title, facts(end_facts(revoked.end)))


@click.command()
@click.option("--tenant", required=True, help="The tenant.")
@click.option("--subject", required=True, help="The user.")
@click.option(
    "--label", required=True, metavar="TEXT", help="The name of the device, exactly as it was given, capitals included."
)
@revocation_options
def revoke_device(context: Context, *, tenant: str, subject: str, label: str, **notes: str) -> None:
    """End the sessions of a user on the device with a label."""
    with context.client() as client:
        revoked = client.revoke_device(tenant, subject, label, **notes)
    ended = [_verdict(one, RevocationVerdict.ENDED) for one in revoked.session_ids]
    none = printable(f"{subject} of {tenant} has no session on a device labelled {label!r}: nothing was ended.")
    context.screen.show(json_value(revoked), *(ended or [Text(none)]))


@click.command()
@click.option("--tenant", required=True, help="The tenant.")
@click.option("--subject", required=True, help="The user.")
@click.option("--except", "spared", default="", metavar="SESSION_ID", help="The one session that is spared.")
@revocation_options
def revoke_subject(context: Context, *, tenant: str, subject: str, spared: str, **notes: str) -> None:
    """End every session of a user, or all but one."""
    with context.client() as client:
        revoked = client.revoke_subject(tenant, subject, except_session_id=spared, **notes)
    whose = f"{subject} of {tenant}" + (f" but {spared}" if spared else "")
    _show_scope(context, whose, revoked)


@click.command()
@click.option("--tenant", required=True, help="The tenant.")
@revocation_options
def revoke_tenant(context: Context, *, tenant: str, **notes: str) -> None:
    """
    End every session of a tenant.

    Each of its users must log in again.
    """
    with context.client() as client:
        revoked = client.revoke_tenant(tenant, **notes)
    _show_scope(context, tenant, revoked)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@revocation_options
def revoke_all(context: Context, *, yes: bool, **notes: str) -> None:
    """
    End every session there is.

    Everybody must log in again.
    """
    if not yes:
        click.confirm("End every session of every user of every tenant?", abort=True, err=True)
    with context.client() as client:
        revoked = client.revoke_all(**notes)
    _show_scope(context, "every tenant", revoked)


def _show_batch(context: Context, session_ids: Sequence[str], batch: BatchRevoked) -> None:
    verdicts = list(zip(session_ids, batch.verdicts, strict=True))
    sessions = [{"session_id": one, "verdict": verdict.name} for one, verdict in verdicts]
    value = {"sessions": sessions, "revision": batch.revision}
    context.screen.show(value, *(_verdict(*one) for one in verdicts))
    if RevocationVerdict.NOT_FOUND in batch.verdicts:
        click.get_current_context().exit(1)


def _verdict(session_id: str, verdict: RevocationVerdict) -> Text:
    what = _VERDICTS.get(verdict, "is in a state that a later release knows")
    if verdict is RevocationVerdict.NOT_FOUND:
        return Text.assemble(("✗ ", "bold red"), f"session {printable(session_id)} {what}")
    return done(f"session {session_id} {what}")


def _show_scope(context: Context, whose: str, revoked: ScopeRevoked) -> None:
    shown = facts((("ended", moment(revoked.ended_at)), ("revision", str(revoked.revision))))
    context.screen.show(json_value(revoked), done(f"every session of {whose} was ended"), shown)
