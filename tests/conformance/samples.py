"""Rows of a store, made up: what a test does not name is the same in all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec.structs import replace

from sessiond.errors import Cause
from sessiond.store.contract import Change, EndedSession, KeysChange, KeysView, Request, Store, View
from sessiond.store.records import (
    Cut,
    End,
    Event,
    KeyRecord,
    KeyState,
    Purpose,
    Refusal,
    RequestRecord,
    Reuse,
    Revocation,
    RevocationKind,
    Scope,
    ScopeKind,
    Session,
    Trace,
)

T = TypeVar("T")

NOW = 1_800_000_000
TENANT_HASH = b"tenant 1"
SUBJECT_HASH = b"subject1"
OTHER_HASH = b"other  1"
FIRST_REVISION = 1 << 48

EVERYTHING = Scope(ScopeKind.ALL)
TENANT = Scope(ScopeKind.TENANT, TENANT_HASH)
SUBJECT = Scope(ScopeKind.SUBJECT, SUBJECT_HASH)

MAKER = Trace(
    at=NOW,
    serving_ms=5_000,
    key_id=b"signing1",
    retry_hash=b"retry " * 2 + b"hash",
    request_hash=b"request " * 2,
    ip=b"\xc0\x00\x02\x01",
    caller="gateway",
)


def session(number: int = 1, **fields: object) -> Session:
    """Make a session up; its id is *number*."""
    plain = Session(
        id=number.to_bytes(16, "big"),
        tenant="acme",
        subject="alice",
        tenant_hash=TENANT_HASH,
        subject_hash=SUBJECT_HASH,
        audience="api",
        created_at=NOW,
        expires_at=NOW + 1_000,
        idle_seconds=600,
        access_seconds=300,
        born=FIRST_REVISION,
        pending=0,
        pending_by=Trace(at=NOW, serving_ms=0, key_id=b"signing1"),
    )
    return replace(plain, **fields)


def full_session(number: int = 1) -> Session:
    """Make a session up that has a value in every field."""
    by = replace(MAKER, at=NOW + 9, ip=b"\x20\x01" + b"\x0d" * 14, user_agent="Ünïcode/1.0")
    return session(
        number,
        client_id="web",
        label="Ada's phone",
        claims_json='{"roles": ["admin"]}',
        data_json='{"theme": "dark"}',
        born=2**64 - 1,
        pending=2**32 - 1,
        pending_by=MAKER,
        confirmed=2**32 - 2,
        confirmed_by=by,
        confirmed_ms=2**53,
        parent=2**32 - 3,
        shared_in_row=2,
        pending_shared=True,
        shared=3,
        retried=4,
        superseded=5,
        refusals=(Refusal(Cause.SUPERSEDED, NOW, NOW + 1, 7, NOW), Refusal(Cause.REUSED, NOW, NOW, 1, 0)),
        end=End(Cause.REUSED, NOW + 9, "stolen", "admin", Reuse(3, by)),
        access_issued_at=NOW + 8,
    )


def event(kind: str = "CHANGED", at: int = NOW, **fields: object) -> Event:
    """Make an event up. Its number is one that no store may keep."""
    return replace(Event(sequence=999_999, kind=kind, at=at), **fields)


def revocation(session_id: bytes = b"", keep_until: int = NOW + 2_000) -> Revocation:
    """Make an entry of the log up, of a session or else of the keyset. Its number is one that no store may keep."""
    if session_id:
        return Revocation(7, RevocationKind.SESSION, NOW, keep_until, session_id, Cause.REVOKED)
    return Revocation(7, RevocationKind.KEYS, NOW, keep_until)


def cut(keep_until: int = NOW + 2_000, reason: str = "") -> Cut:
    """Make a cut up. Its number is one that no store may keep."""
    return Cut(revision=7, at=NOW, keep_until=keep_until, reason=reason, actor="admin")


def key(number: int = 1, state: KeyState = KeyState.ACTIVE) -> KeyRecord:
    """Make a key up; its id is *number*."""
    return KeyRecord(number.to_bytes(8, "big"), Purpose.ACCESS, state, 1, b"public" * 5, b"sealed" * 9, NOW, NOW + 60)


def request(number: int = 1, keep_until: int = NOW + 100) -> Request:
    """Make a repeatable request up; its key is *number*."""
    return Request(number.to_bytes(16, "big"), b"hash of request ", keep_until)


def answer(keep_until: int = NOW + 100, **fields: object) -> RequestRecord:
    """Make the row of a request up."""
    return replace(RequestRecord(b"hash of request ", keep_until), **fields)


def add(store: Store, new: Session) -> Session:
    """Put a session into a store."""
    return store.create(new.tenant_hash, new.subject_hash, None, lambda _: Change(new, session=new))


def ended(one: Session | None, keep_until: int = NOW + 2_000) -> EndedSession:
    """Give a session that was seen as its end leaves it."""
    assert one is not None
    return EndedSession(replace(one, end=End(Cause.REVOKED, NOW, "logout")), revocation(one.id, keep_until))


def end(store: Store, session_id: bytes, keep_until: int = NOW + 2_000) -> int:
    """End a session, and give the revision of it."""

    def decide(views: Sequence[View]) -> Change[int]:
        (view,) = views
        return Change(view.revision + 1, ended=(ended(view.session, keep_until),))

    return store.revoke([session_id], None, decide)


def cut_scope(store: Store, scope: Scope, keep_until: int = NOW + 2_000, reason: str = "") -> int:
    """Cut a scope, and give the revision of it."""
    return store.cut(
        scope,
        b"",
        None,
        lambda view: Change(view.revision + 1, cut=(scope, cut(keep_until, reason)), events=(event("CUT"),)),
    )


def put_keys(store: Store, *keys: KeyRecord, remove: tuple[bytes, ...] = ()) -> None:
    """Write keys, and delete others."""
    store.change_keys(None, lambda _: KeysChange(None, put=keys, remove=remove, revocation=revocation()))


def tell(store: Store, *events: Event) -> None:
    """Write events alone."""
    store.change_keys(None, lambda _: KeysChange(None, events=events))


def look(store: Store, number: Request) -> RequestRecord | None:
    """Read the row of a request."""

    def decide(view: KeysView) -> KeysChange[RequestRecord | None]:
        return KeysChange(view.prior)

    return store.change_keys(number, decide)


def keep(store: Store, number: Request, row: RequestRecord) -> None:
    """Write the row of a request alone."""
    store.change_keys(number, lambda _: KeysChange(None, answer=row))


def refuse(message: str) -> Callable[..., Change[None]]:
    """Give a decision that raises."""

    def decide(*_: object) -> Change[None]:
        raise LookupError(message)

    return decide
