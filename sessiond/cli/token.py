"""``sessiond token``: look into tokens, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from sessiond.cli.context import Context, common_options, pass_context
from sessiond.cli.parameters import token_argument
from sessiond.cli.screen import facts, moment
from sessiond.cli.values import instant
from sessiond.ids import session_id_text
from sessiond.token.format import AccessContent
from sessiond.token.inspect import inspect as inspect_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiond.token.format import RefreshContent
    from sessiond.token.inspect import Inspection


@click.group()
def token() -> None:
    """Look into tokens."""


@token.command()
@token_argument
@common_options
@pass_context
def inspect(context: Context, *, token: str) -> None:
    """
    Say what a token says, without trusting it.

    Without TOKEN it is read from standard input. No authority is asked and no
    signature checked. Exit code 1: it is no token.
    """
    found = inspect_token(token)
    context.screen.show(_value(found), _headline(found), facts(_facts(found)))
    if found.fault is not None:
        click.get_current_context().exit(1)


def _value(found: Inspection) -> dict[str, Any]:
    content = found.content
    said: dict[str, Any] = {
        "kind": None if found.kind is None else found.kind.name,
        "header": found.header,
        "key_id": None if found.key_id is None else found.key_id.hex(),
        "signature_checked": False,
        "content": None,
        "fault": None,
    }
    if found.fault is not None:
        said["fault"] = {"message": found.fault.message, "character": found.fault.character}
    if content is not None:
        said["content"] = {
            "session_id": session_id_text(content.session_id),
            "generation": content.generation,
            "issued_at": instant(content.issued_at),
            "expires_at": instant(content.expires_at),
        }
    if isinstance(content, AccessContent):
        said["content"] |= {
            "issuer": content.issuer,
            "audience": content.audience,
            "tenant": content.tenant,
            "subject": content.subject,
            "client_id": content.client_id,
            "born": content.born,
            "tenant_hash": content.tenant_hash.hex(),
            "subject_hash": content.subject_hash.hex(),
            "claims_json": content.claims_json,
        }
    return said


def _headline(found: Inspection) -> Text:
    mark = ("✗ ", "bold red") if found.fault is not None else ("● ", "yellow")
    return Text.assemble(mark, found.summary)


def _facts(found: Inspection) -> Iterator[tuple[str, str | Text]]:
    if found.header is not None:
        yield "header", found.header
    if found.key_id is not None:
        yield "signed under", found.key_id.hex()
    if found.content is not None:
        yield from _content(found.content)


def _content(content: RefreshContent | AccessContent) -> Iterator[tuple[str, str | Text]]:
    yield "session", session_id_text(content.session_id)
    yield "generation", str(content.generation)
    yield "issued", moment(content.issued_at)
    yield "dies", moment(content.expires_at)
    if not isinstance(content, AccessContent):
        return
    yield "user", f"{content.subject} of {content.tenant}"
    yield "client", content.client_id
    yield "issuer", content.issuer
    yield "audience", content.audience
    yield "born", f"revision {content.born}"
    yield "hashes", f"tenant {content.tenant_hash.hex()}, subject {content.subject_hash.hex()}"
    yield "claims", content.claims_json
