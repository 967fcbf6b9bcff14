"""Looking sessions up: what of them is shown, and to whom."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sessiond.authority.cuts import SCOPE_CAUSES, covering
from sessiond.authority.pages import page_token
from sessiond.authority.rotation import is_idle
from sessiond.errors import SessionNotFoundError
from sessiond.ids import session_id_text
from sessiond.store.records import End

if TYPE_CHECKING:
    from sessiond.authority.caller import Caller
    from sessiond.authority.feed import Feed
    from sessiond.ids import ScopeHasher
    from sessiond.store.contract import Store, View
    from sessiond.store.records import Session

_ETAG_SIZE = 16


@dataclass(frozen=True, slots=True)
class Page:
    """
    A part of a subject's living sessions, oldest first.

    ``next_page_token`` is "" on the last page; a page before it may hold few
    sessions, or none. ``revision`` is the store's as the page was read.
    """

    sessions: tuple[Session, ...]
    next_page_token: str
    revision: int


def etag(session: Session) -> str:
    """Give the fingerprint of a session's claims and data, which changes with nothing else: 32 characters."""
    state = hashlib.blake2b(digest_size=_ETAG_SIZE, person=b"session etag")
    claims, data = session.claims_json.encode(), session.data_json.encode()
    state.update(len(claims).to_bytes(4, "big") + claims + data)
    return state.hexdigest()


def as_ended(view: View) -> Session | None:
    """
    Give the session of *view* with its end: its own, else that of the first cut that covers it.

    A cut is written once for a whole scope and never into the records under it.
    """
    session = view.session
    if session is None or session.end is not None:
        return session
    for kind, cut in covering(view.cuts, session.born):
        return replace(session, end=End(SCOPE_CAUSES[kind], cut.at, cut.reason, cut.actor))
    return session


def shown(view: View, session_id: bytes, caller: Caller, *, now: int) -> Session:
    """
    Give the session of *view* as *caller* may see it: living or ended.

    Raises:
        SessionNotFoundError: It is not in the store, has expired by itself, or
            belongs to a tenant that the caller may not act for; all three look the same.

    """
    session = as_ended(view)
    if session is None or not caller.may_act_for(session.tenant) or (session.end is None and _is_over(session, now)):
        raise not_found(session_id)
    return session


def is_of(session: Session, tenant: str, subject: str) -> bool:
    """Say whether *session*, found by the hash of a subject, is of that one: another may have the same hash."""
    return (session.tenant, session.subject) == (tenant, subject)


def not_found(session_id: bytes) -> SessionNotFoundError:
    """Say that no session has an id."""
    return SessionNotFoundError(f"no living session has the id {session_id_text(session_id)}")


def read_page(
    store: Store, feed: Feed, hasher: ScopeHasher, tenant: str, subject: str, *, after: bytes, size: int, now: int
) -> Page:
    """
    Read a part of the living sessions of a subject: at most *size* rows of its list, above the id *after*.

    One read of the store whatever the rows hold, so that no list is a long
    call. The revocations are asked after it, with all that was acknowledged
    by then: a page never shows a session that is dead at its revision.

    Raises:
        StoreUnavailableError: The store cannot be read.

    """
    subject_hash = hasher.subject(tenant, subject)
    rows, revision = store.list_by_subject(subject_hash, after, size + 1)
    feed.catch_up()
    page = rows[:size]
    living = tuple(
        session
        for session in page
        if is_of(session, tenant, subject)
        and not _is_over(session, now)
        and feed.revocations.is_revoked(session.id, session.tenant_hash, session.subject_hash, session.born) is None
    )
    following = page_token(hasher, subject_hash, page[-1].id) if len(rows) > size else ""
    return Page(living, following, revision)


def _is_over(session: Session, now: int) -> bool:
    return now >= session.expires_at or is_idle(session, now)
