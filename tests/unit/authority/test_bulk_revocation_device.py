"""RevokeDevice: the sessions of a subject that have a device label."""

from __future__ import annotations

import functools

import pytest
from msgspec.structs import replace

from sessiond.authority import devices
from sessiond.authority.caller import Caller
from sessiond.authority.events import EventKind
from sessiond.authority.sessions import Device, Issued, Login
from sessiond.errors import (
    Cause,
    IndeterminateError,
    InvalidAccessToken,
    InvalidRequestError,
    PermissionDeniedError,
    RequestIdReusedError,
    StoreUnavailableError,
)
from sessiond.ids import ScopeHasher
from sessiond.store.contract import Change, View
from sessiond.store.records import End, ScopeKind
from tests.unit.authority.installation import NOTES, Installation, Process

OTHERS = Caller("others", frozenset({"revoker"}), frozenset({"other"}))


def login(here: Process, label: str, subject: str = "alice", *, idle_seconds: int | None = None) -> Issued:
    """Open a session on a device."""
    return here.login(login=Login("acme", subject, device=Device(label), idle_seconds=idle_seconds))


def fill(installation: Installation, here: Process, n_sessions: int, label: str) -> list[bytes]:
    """Put copies of a session of alice into the store, all on one device."""
    first = installation.record(login(here, label).session_id)
    hasher = installation.hasher
    for number in range(1, n_sessions):
        opened = Change(None, session=replace(first, id=first.id[:8] + number.to_bytes(8, "big")))
        installation.store.create(hasher.tenant("acme"), first.subject_hash, None, functools.partial(keep, opened))
    return [session.id for session in installation.store.list_by_subject(first.subject_hash, b"", n_sessions)[0]]


def keep(opened: Change[None], _view: View) -> Change[None]:
    """Decide for a change that is made."""
    return opened


def test_sessions_of_the_device_end_and_no_others(installation: Installation, here: Process) -> None:
    """Living sessions of the subject with the very label end, oldest first, with reason and actor."""
    mine = [login(here, "phone") for _ in range(3)]
    for label, subject in (("Phone", "alice"), ("phone ", "alice"), ("", "alice"), ("phone", "bob")):
        login(here, label, subject)
    dead = login(here, "phone")
    here.revoke(dead.session_id, reason="before")
    answer = here.revoke_device("phone", reason="lost", actor="alice")
    assert tuple(sorted(one.session_id for one in mine)) == answer.session_ids
    assert installation.store.revision() == answer.revision
    assert 4 == installation.events().count(EventKind.SESSION_REVOKED)
    for issued in mine:
        assert End(Cause.REVOKED, installation.now, "lost", "alice") == installation.record(issued.session_id).end
        with pytest.raises(InvalidAccessToken, match="REVOKED"):
            here.verify(issued.access_token)
    assert "before" == installation.record(dead.session_id).end.reason  # type: ignore[union-attr]


def test_label_is_that_of_the_last_refresh(here: Process) -> None:
    """A session whose refresh named another device is one of that device."""
    issued = login(here, "phone")
    here.refresh(issued.refresh_token, device=Device("tablet"))
    assert () == here.revoke_device("phone").session_ids
    assert (issued.session_id,) == here.revoke_device("tablet").session_ids


def test_idle_session_of_a_device_is_ended(installation: Installation, here: Process) -> None:
    """A session that went idle is ended too: its access tokens may be alive."""
    issued = login(here, "phone", idle_seconds=60)
    installation.clock.advance(60)
    assert (issued.session_id,) == here.revoke_device("phone").session_ids


def test_sessions_that_died_are_left(installation: Installation, here: Process) -> None:
    """What a cut has ended, what has expired and what ends while it is looked for is not ended again."""
    login(here, "phone")
    installation.cut(ScopeKind.SUBJECT)
    here.login(login=Login("acme", "alice", device=Device("phone"), absolute_seconds=60, idle_seconds=60))
    installation.clock.advance(60)
    raced, moved = login(here, "phone"), login(here, "phone")

    def meanwhile() -> None:
        here.revoke(raced.session_id)
        here.refresh(moved.refresh_token, device=Device("tablet"))

    installation.store.meanwhile = [meanwhile]
    assert () == here.revoke_device("phone").session_ids


def test_subject_whose_hash_another_has(monkeypatch: pytest.MonkeyPatch, here: Process) -> None:
    """Subjects are told apart by their names, where their hashes are equal."""
    monkeypatch.setattr(ScopeHasher, "subject", lambda *_: b"\1" * 8)
    bob, alice = login(here, "phone", "bob"), login(here, "phone")
    assert (alice.session_id,) == here.revoke_device("phone").session_ids
    assert bob.session_id == here.verify(bob.access_token).session_id


def test_many_sessions_end_in_parts(installation: Installation, here: Process) -> None:
    """More than 1,000 sessions end in several writes, and the answer names them all."""
    ids = fill(installation, here, 2001, "phone")
    before, n_writes = installation.store.revision(), installation.store.n_writes
    answer = here.revoke_device("phone", request_id="v1")
    assert tuple(ids) == answer.session_ids
    assert before + 2001 == answer.revision == installation.store.revision()
    assert n_writes + 3 == installation.store.n_writes
    login(here, "phone")
    assert answer == here.revoke_device("phone", request_id="v1")
    assert before + 2001 == installation.store.revision()


def test_call_that_broke_off_is_finished_by_its_repetition(installation: Installation, here: Process) -> None:
    """Where the store fails between two writes the outcome is unknown; the same call again ends the rest, names all."""
    ids = fill(installation, here, 1500, "phone")

    def fail() -> None:
        message = "the disk is gone"
        raise StoreUnavailableError(message)

    installation.store.meanwhile = [lambda: None, fail]
    with pytest.raises(IndeterminateError, match="some of the sessions"):
        here.revoke_device("phone", request_id="v1")
    assert ids == list(here.revoke_device("phone", request_id="v1").session_ids)
    installation.store.meanwhile = [fail]
    with pytest.raises(StoreUnavailableError):
        here.revoke_device("phone", request_id="v2")


def test_repetition_of_a_device_gets_its_first_answer(installation: Installation, here: Process) -> None:
    """The same request again ends nothing and names what the first ended, be that nothing."""
    issued = login(here, "phone")
    first, none = here.revoke_device("phone", request_id="v1"), here.revoke_device("tablet", request_id="v2")
    since = login(here, "phone"), login(here, "tablet")
    assert ((issued.session_id,), ()) == (first.session_ids, none.session_ids)
    assert first == here.revoke_device("phone", request_id="v1")
    assert none == here.revoke_device("tablet", request_id="v2")
    assert [None, None] == [installation.record(one.session_id).end for one in since]
    with pytest.raises(RequestIdReusedError):
        here.revoke_device("tablet", request_id="v1")


def test_scan_is_bounded(monkeypatch: pytest.MonkeyPatch, installation: Installation, here: Process) -> None:
    """A subject with more sessions in its list than are looked at keeps them all, and the caller learns what to do."""
    monkeypatch.setattr(devices, "MAX_SESSIONS_LOOKED_AT", 3)
    monkeypatch.setattr(devices, "_PAGE", 2)
    opened = [login(here, "phone") for _ in range(4)]
    with pytest.raises(InvalidRequestError, match=r"more than 3 sessions in.*BatchRevokeSessions.*RevokeSubject"):
        here.revoke_device("phone")
    assert {None} == {installation.record(one.session_id).end for one in opened}
    here.revoke(opened[0].session_id)
    assert 3 == len(here.revoke_device("phone").session_ids)


def test_dead_sessions_of_the_list_count(
    monkeypatch: pytest.MonkeyPatch, installation: Installation, here: Process
) -> None:
    """What a cut has ended is in the list until it is swept, so it is looked at, and counts."""
    monkeypatch.setattr(devices, "MAX_SESSIONS_LOOKED_AT", 3)
    for _ in range(3):
        login(here, "phone")
    installation.cut(ScopeKind.SUBJECT)
    assert () == here.revoke_device("phone").session_ids
    login(here, "phone")
    with pytest.raises(InvalidRequestError, match="more than 3 sessions in its list"):
        here.revoke_device("phone")


def test_device_of_another_tenant(here: Process) -> None:
    """A caller ends no device of a tenant that it may not act for."""
    with pytest.raises(PermissionDeniedError):
        here.revoke_device("phone", OTHERS)


def test_device_must_be_named(here: Process) -> None:
    """Tenant, subject and label are required; every field at fault is named."""
    with pytest.raises(InvalidRequestError) as caught:
        here.bulk.revoke_device(OTHERS, "", "", "", now=0, **{**NOTES, "actor": "\0", "request_id": "\0"})
    assert ["tenant", "subject", "device_label", "actor", "request_id"] == [name for name, _ in caught.value.violations]
