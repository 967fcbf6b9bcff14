"""What there is to say about a session, and how one ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from sessiond.cli.screen import moment
from sessiond.cli.timeline import origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiond.client import Session, SessionEnd


def session_facts(session: Session, now: int) -> Iterator[tuple[str, str | Text]]:
    """Say whose a session is and how it stands; *now* are the seconds that its instants are told from."""
    yield "user", f"{session.subject} of {session.tenant}"
    yield "client", session.client_id
    yield "device", origin(session.device)
    yield "created", moment(session.created_at, now)
    yield "refreshed", f"{moment(session.refreshed_at, now)}, generation {session.generation}"
    if session.end is not None:
        yield from end_facts(session.end, now)
    elif session.idle_expires_at <= now:
        yield "idle since", moment(session.idle_expires_at, now)
    else:
        yield "dies if idle", moment(session.idle_expires_at, now)
        yield "dies", moment(session.expires_at, now)
    counters = {
        "retried": session.retried,
        "shared": session.shared,
        "superseded": session.superseded,
        "refused": session.refusals,
    }
    yield "unusual", ", ".join(f"{count} {name}" for name, count in counters.items() if count)


def end_facts(end: SessionEnd, now: int | None = None) -> Iterator[tuple[str, str | Text]]:
    """Say when, how, by whom and why a session ended."""
    cause = "a cause of a later release" if end.cause is None else end.cause.name
    yield "ended", Text.assemble(f"{moment(end.ended_at, now)}: ", (cause, "red"))
    yield "by", end.actor
    yield "reason", end.reason
