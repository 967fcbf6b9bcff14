"""``sessiond explain``: why a token is refused, in one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Group
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sessiond.cli.context import Context, common_options, pass_context
from sessiond.cli.parameters import token_argument
from sessiond.cli.screen import ADVICE, date_time, facts, moment, printable, span
from sessiond.cli.session_facts import session_facts
from sessiond.cli.timeline import timeline
from sessiond.cli.values import json_value
from sessiond.client import SessionState, TokenKind
from sessiond.errors import Cause
from sessiond.token.endings import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from sessiond.client import Explanation, ReuseEvidence, TokenContent, TokenUse

WIDTH = 100

_INDENT = 2
_NAMES = {TokenKind.REFRESH: "refresh token", TokenKind.ACCESS: "access token", TokenKind.UNKNOWN: "text"}
_AT_PRESENTATION = frozenset({Cause.REUSED, Cause.STATE_LOST})
_CHECKS: tuple[tuple[str, frozenset[Cause]], ...] = (
    ("shape", frozenset({Cause.MALFORMED})),
    ("key", frozenset({Cause.UNKNOWN_KEY, Cause.KEY_REVOKED})),
    ("signature", frozenset({Cause.TAMPERED})),
    ("time", frozenset({Cause.NOT_YET_VALID, Cause.EXPIRED})),
    ("audience", frozenset({Cause.WRONG_AUDIENCE})),
    ("known", frozenset({Cause.UNKNOWN_SESSION})),
    ("tenant", frozenset({Cause.WRONG_TENANT})),
    ("alive", frozenset(ENDINGS)),
    ("in use", frozenset({Cause.IDLE_TIMEOUT})),
    ("generation", frozenset({Cause.SUPERSEDED})),
)
"""What is checked, in this order, and the causes that each check gives."""

_NOT_OF = {
    TokenKind.REFRESH: frozenset({"audience"}),
    TokenKind.ACCESS: frozenset({"known", "in use", "generation"}),
}
_NOTHING_TO_DO = {
    TokenKind.REFRESH: (
        "Nothing: trade it when the access token gets old. A call that refuses it with WRONG_TOKEN_KIND wants an "
        "access token."
    ),
    TokenKind.ACCESS: (
        "Nothing: send it with each request. A verifier that refuses it with VERIFIER_STALE has lost touch with the "
        "authority; a call that refuses it with WRONG_TOKEN_KIND wants a refresh token."
    ),
}

_ASK_OTHERS = "Ask a caller with the role auditor: it is told of the session too, and of what Refresh would do."
_OF_LATER_RELEASE = (
    "This release does not know what the authority advises: ask with the release that the authority has."
)
_SPENT = "Read the token store again and use the newest tokens: this one is spent, and good for a moment only."


@click.command()
@token_argument
@click.option(
    "--audience", default="", help="Whom an access token must be meant for; the authority's own if not given."
)
@click.option("--tenant", default="", help="The tenant that it is judged for.")
@common_options
@pass_context
def explain(context: Context, *, token: str, audience: str, tenant: str) -> None:
    """
    Explain why a token is refused.

    Without TOKEN it is read from standard input. Shows what it says, the first check that fails, what happened to its
    session, and what its client does next. Nothing is changed by it: a token
    that was stolen can be looked at. Sessions are shown to callers with the role auditor.
    """
    with context.client() as client:
        found = client.explain_token(token, audience=audience, tenant=tenant)
    context.screen.show(json_value(found), Constrain(Group(*_parts(found)), WIDTH))


def _parts(found: Explanation) -> Iterator[RenderableType]:
    now = found.server_ms // 1000
    yield _headline(found)
    yield _indented(Text(printable(f"{found.explanation[:1].upper()}{found.explanation[1:]}.")))
    if not _is_of_later_release(found):
        yield _indented(_checks(found))
    if found.content is not None:
        yield _title("it says" if found.signature_good else "it says, and nobody vouches for it")
        yield facts(_content(found, found.content, now))
    if found.reuse is not None:
        yield _title(f"both uses of generation {found.reuse.reuse.generation}")
        yield _uses(found.reuse)
    if found.session is not None:
        yield _title("its session")
        yield facts(session_facts(found.session, now))
    elif found.signature_good and found.cause is not Cause.UNKNOWN_SESSION:
        yield _title("its session")
        yield Text("  Not shown: it is gone from the store, or of a tenant that you are no auditor of.", style="dim")
    if found.timeline:
        yield _title("what happened to it (UTC)")
        yield facts(timeline(found.timeline, now))
    yield _title("what the client should do")
    if _is_withheld(found):
        yield _indented(Text(_ASK_OTHERS))
    elif found.advice is None and found.refused:
        yield _indented(Text(_OF_LATER_RELEASE))
    elif found.advice is None:
        yield _indented(Text(_SPENT if _is_spent(found) else _NOTHING_TO_DO.get(found.kind, "Nothing.")))
    else:
        yield _indented(Text.assemble((found.advice.name, "yellow"), f": {ADVICE[found.advice]}"))


def _headline(found: Explanation) -> Text:
    what = _NAMES[found.kind]
    if _is_withheld(found):
        return Text(f"a {what} that is well signed and in time", style="bold")
    if not found.refused:
        return Text.assemble(("✓ ", "bold green"), (f"a good {what}", "bold"))
    cause = "a cause of a later release" if found.cause is None else found.cause.name
    return Text.assemble(("✗ ", "bold red"), (f"{what} refused: ", "bold"), (cause, "bold red"))


def _indented(text: Text) -> Padding:
    """Set a text under a title, wrapped."""
    table = Table.grid()
    table.add_column(overflow="fold")
    table.add_row(text)
    return Padding(table, (0, 0, 0, _INDENT))


def _title(text: str) -> Text:
    return Text(f"\n{text}", style="bold cyan")


def _checks(found: Explanation) -> Text:
    """Name the checks up to the one that failed."""
    shown = Text()
    for name, causes in _CHECKS:
        if name in _NOT_OF.get(found.kind, frozenset()):
            continue
        fails = name == "generation" if _is_of_generation(found) else found.cause in causes
        shown.append("✗ " if fails else "✓ ", "bold red" if fails else "green")
        shown.append(name if fails else f"{name}  ")
        if fails or (name == "time" and _is_withheld(found)):
            break
    return shown


def _is_withheld(found: Explanation) -> bool:
    """Say whether the checks past the expiry are not told: only an auditor is, and of a good token sees the session."""
    return not found.refused and found.kind is TokenKind.REFRESH and found.session is None


def _is_of_later_release(found: Explanation) -> bool:
    """Say whether a check fails of which this release does not know where it stands."""
    return found.refused and found.cause is None


def _is_of_generation(found: Explanation) -> bool:
    """Say whether the session lives, and the cause is what a presentation would end it with."""
    lives = found.session is not None and found.session.state is SessionState.ACTIVE
    return lives and found.cause in _AT_PRESENTATION


def _is_spent(found: Explanation) -> bool:
    """Say whether it is a refresh token that is not its session's newest one, as far as one may know."""
    content, session = found.content, found.session
    if found.kind is not TokenKind.REFRESH or content is None or session is None:
        return False
    return content.generation < session.generation


def _content(found: Explanation, content: TokenContent, now: int) -> Iterator[tuple[str, str | Text]]:
    yield "session", content.session_id
    yield "generation", str(content.generation)
    yield "issued", moment(content.issued_at, now)
    yield "dies", moment(content.expires_at, now)
    if content.subject:
        yield "user", f"{content.subject} of {content.tenant}"
        yield "client", content.client_id
        yield "audience", f"{content.audience}, issued by {content.issuer}"
        yield "claims", "" if content.claims_json == "{}" else content.claims_json
    state = found.key_state.name if found.key_state is not None else "not of this authority"
    signed = ", which signed it" if found.signature_good else ""
    yield "key", f"{found.key_id}, {state}{signed}"


def _uses(reuse: ReuseEvidence) -> Table:
    """Set both uses side by side."""
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    table.add_row("", Text("first use", style="bold"), Text("second use", style="bold red"))
    for name, first, second in zip(
        ("when", "address", "user agent", "caller"), _use(reuse.rotation), _use(reuse.reuse), strict=True
    ):
        table.add_row(" " * _INDENT + name, Text(printable(first)), Text(printable(second)))
    apart = reuse.seconds_since_rotation
    distances = [f"{reuse.generation_distance} generations older than the newest one"]
    if apart is not None:
        distances.insert(0, f"{span(apart)} later" if apart >= 0 else f"{span(-apart)} earlier by the wall clock")
    table.add_row(" " * _INDENT + "distance", "", ", ".join(distances))
    return table


def _use(use: TokenUse | None) -> tuple[str, str, str, str]:
    if use is None:
        return ("its event is not kept", "", "", "")
    return (f"{date_time(use.used_at)} UTC", use.device.ip or "-", use.device.user_agent or "-", use.caller or "-")
