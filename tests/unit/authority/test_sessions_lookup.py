"""GetSession and ListSessions: what is shown, and to whom."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sessiond.authority.caller import LOCAL, Caller
from sessiond.authority.limits import DEFAULT_PAGE_SIZE
from sessiond.authority.sessions import Login, Page
from sessiond.errors import (
    Cause,
    InvalidRequestError,
    PermissionDeniedError,
    SessionNotFoundError,
    StoreUnavailableError,
)
from sessiond.ids import session_id_text
from sessiond.store.contract import Change
from sessiond.store.records import End, ScopeKind, Session
from tests.unit.authority.installation import Installation, Process

UNKNOWN_ID = bytes.fromhex("01890a5dac96774bbcceb302099a8057")
SHOP = Caller("shop", frozenset({"viewer"}), frozenset({"acme"}))
OTHERS = Caller("others", frozenset({"viewer"}), frozenset({"other"}))


def page(
    here: Process,
    *,
    subject: str = "alice",
    size: int = 0,
    token: str = "",
    caller: Caller = LOCAL,
    tenant: str = "acme",
) -> Page:
    """List the sessions of a subject."""
    now = here.clock.wall_ms() // 1000
    return here.sessions.list(caller, tenant, subject, page_size=size, page_token=token, now=now)


def ids(here: Process, **fields: object) -> list[bytes]:
    """List the ids of one page."""
    return [session.id for session in page(here, **fields).sessions]  # type: ignore[arg-type]


def test_living_session_is_shown_as_it_stands(installation: Installation, here: Process) -> None:
    """GetSession gives the record, and the revision that it was read at."""
    issued = here.login()
    installation.cut(ScopeKind.SUBJECT, subject="bob")
    session, revision = here.sessions.get(SHOP, session_id_text(issued.session_id), now=installation.now)
    assert (installation.record(issued.session_id), installation.store.revision()) == (session, revision)


@pytest.mark.parametrize("text", ["", "x", session_id_text(UNKNOWN_ID).upper(), UNKNOWN_ID.hex()])
def test_no_id(here: Process, text: str) -> None:
    """A text that no session has for its id is an invalid request."""
    with pytest.raises(InvalidRequestError, match="session_id"):
        here.sessions.get(LOCAL, text, now=0)


def test_unknown_session(here: Process) -> None:
    """An id that is not in the store is not found, and the answer names it."""
    with pytest.raises(SessionNotFoundError, match=session_id_text(UNKNOWN_ID)):
        here.get(UNKNOWN_ID)


def test_session_of_another_tenant_is_not_found(here: Process) -> None:
    """A session that the caller may not see looks like one that is not there."""
    session_id = here.login().session_id
    with pytest.raises(SessionNotFoundError) as caught:
        here.get(session_id, OTHERS)
    assert f"no living session has the id {session_id_text(session_id)}" == caught.value.message


@pytest.mark.parametrize(("absolute", "idle"), [(60, 60), (None, 60), (60, None)])
def test_session_that_is_over_is_not_found(
    installation: Installation, here: Process, absolute: int | None, idle: int | None
) -> None:
    """An expired or idle session is shown until the second before, and not found from then on."""
    issued = here.login(login=Login("acme", "alice", absolute_seconds=absolute, idle_seconds=idle))
    installation.clock.advance(59)
    assert here.get(issued.session_id).id == issued.session_id
    installation.clock.advance(1)
    with pytest.raises(SessionNotFoundError):
        here.get(issued.session_id)


def test_ended_session_is_shown_while_it_is_kept(installation: Installation, here: Process) -> None:
    """An ended session is shown with its end, also when it would have expired by then, until it is swept."""
    issued = here.login(login=Login("acme", "alice", absolute_seconds=60, idle_seconds=60))
    here.revoke(issued.session_id, reason="logout", actor="alice")
    ended_at = installation.now
    installation.clock.advance(80)
    assert End(Cause.REVOKED, ended_at, "logout", "alice") == here.get(issued.session_id).end
    installation.clock.advance(10)
    installation.store.sweep(installation.now, 0, 100)
    with pytest.raises(SessionNotFoundError):
        here.get(issued.session_id)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (ScopeKind.SUBJECT, Cause.SUBJECT_REVOKED),
        (ScopeKind.TENANT, Cause.TENANT_REVOKED),
        (ScopeKind.ALL, Cause.ALL_REVOKED),
    ],
)
def test_cut_session_is_shown_as_ended(
    installation: Installation, here: Process, kind: ScopeKind, cause: Cause
) -> None:
    """A session that a cut covers is shown with the cut as its end; one that came after it lives."""
    before = here.login()
    installation.cut(kind, reason="breach")
    after = here.login()
    assert End(cause, installation.now, "breach", "operator") == here.get(before.session_id).end
    assert here.get(after.session_id).end is None


def test_own_end_comes_before_a_cut(installation: Installation, here: Process) -> None:
    """A session that had ended before a cut keeps its own end."""
    issued = here.login()
    here.revoke(issued.session_id)
    installation.cut(ScopeKind.ALL)
    assert Cause.REVOKED is here.get(issued.session_id).end.cause  # type: ignore[union-attr]


def test_list_has_the_living_sessions_oldest_first(installation: Installation, here: Process) -> None:
    """A list has every living session of the subject, oldest first, and no other."""
    alices = []
    for _ in range(3):
        alices.append(here.login().session_id)
        installation.clock.advance(1)
    here.login(login=Login("acme", "bob"))
    here.login(login=Login("other", "alice"))
    ended = here.login().session_id
    here.revoke(ended)
    installation.cut(ScopeKind.SUBJECT, subject="bob")
    shown = page(here, caller=SHOP)
    assert (alices, "", installation.store.revision()) == (
        [session.id for session in shown.sessions],
        shown.next_page_token,
        shown.revision,
    )


def test_list_leaves_out_what_is_over(installation: Installation, here: Process) -> None:
    """Expired and idle sessions are not listed."""
    here.login(login=Login("acme", "alice", absolute_seconds=60))
    here.login(login=Login("acme", "alice", idle_seconds=60))
    living = here.login().session_id
    installation.clock.advance(60)
    assert [living] == ids(here)


@pytest.mark.parametrize("kind", list(ScopeKind))
def test_list_leaves_out_what_another_process_cut(installation: Installation, here: Process, kind: ScopeKind) -> None:
    """A page never shows a session that is dead at the page's revision, whichever process cut it."""
    here.login()
    assert 1 == len(ids(here))
    cut = installation.cut(kind)
    after = here.login().session_id
    shown = page(here)
    assert ([after], cut) == ([session.id for session in shown.sessions], shown.revision)


def test_subjects_of_one_hash_are_told_apart(installation: Installation, here: Process) -> None:
    """Another subject under the same hash is not listed."""
    alice, bob = here.login().session_id, here.login(login=Login("acme", "bob")).session_id
    colliding = replace(installation.record(bob), subject_hash=installation.hasher.subject("acme", "alice"))
    installation.store.update(bob, None, lambda _view: Change(None, session=colliding))
    assert [alice] == ids(here)


def test_pages_follow_each_other(installation: Installation, here: Process) -> None:
    """The pages of a list have every session once, in order, and the last one says that it is."""
    logins = []
    for _ in range(7):
        logins.append(here.login().session_id)
        installation.clock.advance(0.001)
    for size in (1, 3, 6, 7, 8):
        found: list[list[bytes]] = []
        token = ""
        while True:
            shown = page(here, size=size, token=token)
            found.append([session.id for session in shown.sessions])
            token = shown.next_page_token
            if not token:
                break
        assert [logins[start : start + size] for start in range(0, 7, size)] == found


def test_page_without_living_sessions_leads_on(installation: Installation, here: Process) -> None:
    """A page reads a bounded part of the list: where all of that is dead, it is empty and names the next."""
    for _ in range(3):
        here.login()
        installation.clock.advance(0.001)
    installation.cut(ScopeKind.SUBJECT)
    living = here.login().session_id
    first = page(here, size=2)
    assert () == first.sessions
    assert [living] == ids(here, size=2, token=first.next_page_token)


def test_list_stays_in_place_while_sessions_come_and_go(installation: Installation, here: Process) -> None:
    """The next page starts after the last session of the one before, even where that has ended meanwhile."""
    logins = []
    for _ in range(4):
        logins.append(here.login().session_id)
        installation.clock.advance(0.001)
    first = page(here, size=2)
    here.revoke(logins[1])
    assert logins[2:] == ids(here, size=2, token=first.next_page_token)


def test_default_page_size(installation: Installation, here: Process) -> None:
    """A page of no size has the default one."""
    for _ in range(DEFAULT_PAGE_SIZE + 1):
        here.login()
        installation.clock.advance(0.001)
    assert DEFAULT_PAGE_SIZE == len(ids(here))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tenant": ""}, "tenant"),
        ({"subject": ""}, "subject"),
        ({"size": -1}, "page_size"),
        ({"size": 1001}, "page_size"),
        ({"token": "next"}, "page_token"),
        ({"token": "A" * 32}, "page_token"),
        ({"token": "é"}, "page_token"),
    ],
)
def test_bad_field(here: Process, fields: dict[str, object], field: str) -> None:
    """A field out of its limits is refused under its name."""
    with pytest.raises(InvalidRequestError) as caught:
        ids(here, **fields)
    assert [field] == [name for name, _ in caught.value.violations]


def test_page_token_of_another_subject(installation: Installation, here: Process) -> None:
    """A page token serves the list that it was made for, and no other."""
    for subject in ("alice", "bob"):
        for _ in range(2):
            here.login(login=Login("acme", subject))
            installation.clock.advance(0.001)
    token = page(here, size=1).next_page_token
    with pytest.raises(InvalidRequestError, match="page_token"):
        page(here, subject="bob", size=1, token=token)


def test_list_of_another_tenant(here: Process) -> None:
    """A caller cannot list the sessions of a tenant that it may not act for."""
    with pytest.raises(PermissionDeniedError):
        page(here, caller=OTHERS)


def test_list_while_revocations_cannot_be_read(installation: Installation, here: Process) -> None:
    """Nothing is listed while this process cannot learn what was revoked."""
    here.login()
    installation.store.down = True
    with pytest.raises(StoreUnavailableError):
        page(here)


def test_idle_session_that_was_refreshed_is_listed(installation: Installation, here: Process) -> None:
    """A refresh moves the idle limit on."""
    first = here.login(login=Login("acme", "alice", idle_seconds=60))
    installation.clock.advance(59)
    here.refresh(first.refresh_token)
    installation.clock.advance(59)
    assert [first.session_id] == ids(here)


def test_list_gives_records(installation: Installation, here: Process) -> None:
    """A listed session is the record as it stands."""
    issued = here.login()
    expected: tuple[Session, ...] = (installation.record(issued.session_id),)
    assert expected == page(here).sessions
