"""
The Store contract: what every engine promises.

Rule 1: a verb runs its ``decide`` function inside one write transaction, on what
that transaction sees. An engine may run ``decide`` again, so it must be pure. What
``decide`` raises is raised to the caller, and nothing of that call is written.

Rule 2: a write verb returns once its effect, and everything its answer rests on, is
durable. It raises :class:`~sessiond.errors.StoreUnavailableError` where surely nothing
was written and :class:`~sessiond.errors.IndeterminateError` where that is unknown;
repeating the call with the same request then converges.

Rule 3: record, events, log entry and request row of a call are written together or not at all.

Rule 4: the store knows no rules. It never judges a session, an expiry or a clock; ``now``
is passed in where a verb needs it.

Rule 5: nothing here assumes one machine or one process. Several processes may open one
store; each sees the others' writes as soon as they are acknowledged.

Every verb may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sessiond.store.records import (
    Cut,
    Event,
    KeyRecord,
    RequestRecord,
    Revocation,
    Scope,
    Session,
)

T = TypeVar("T")

INCARNATION_BITS = 16
REVISION_BITS = 64


@dataclass(frozen=True, slots=True)
class Request:
    """
    A mutation that can be repeated.

    ``key`` is 16 bytes that name caller, method and request id; ``request_hash``
    is 16 bytes over the whole request; the row is kept until ``keep_until``.
    """

    key: bytes
    request_hash: bytes
    keep_until: int


@dataclass(frozen=True, slots=True)
class Cuts:
    """The cuts that cover a session: of everything, of its tenant, of its subject."""

    everything: Cut | None = None
    tenant: Cut | None = None
    subject: Cut | None = None


@dataclass(frozen=True, slots=True)
class View:
    """
    What a decision sees, all from one transaction.

    ``session`` is None where the id is unknown; in ``create`` it is the session
    that an earlier call with the same request made, in ``cut`` the one to be
    spared. ``siblings`` are, in ``create`` alone, sessions of the same subject's
    hash that have no end of their own, the newest first. ``prior`` is that
    call's row. ``revision`` is the store's; a change that raises it gets
    ``revision + 1``. ``serving_ms`` is the serving clock: the milliseconds in
    which the store could acknowledge writes, over its whole life.
    ``keys_revision`` is the revision that the last change of the keyset got, 0
    before the first: a decision made with an older keyset must not be written.
    It is not ``revision``, which every revocation raises: under a steady load
    of revocations no decision would ever be fresh.
    """

    session: Session | None
    cuts: Cuts
    prior: RequestRecord | None
    revision: int
    serving_ms: int
    keys_revision: int = 0
    siblings: Sequence[Session] = ()


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session as its end leaves it, and the entry of the revocation log that tells of it; its number is ignored."""

    session: Session
    revocation: Revocation


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """
    What a decision wants written, and the result to return.

    ``session`` is the record to write, None to leave it. ``ended`` are sessions
    that end, each of which raises the revision by one and is logged with the
    new number. ``cut`` cuts a scope, last, and raises the revision once more.
    ``answer`` is kept under the call's request, where it has one. The numbers
    that entries of the log, cuts and events carry are ignored. A Change of a
    result alone writes nothing.
    """

    result: T
    session: Session | None = None
    ended: Sequence[EndedSession] = ()
    cut: tuple[Scope, Cut] | None = None
    events: Sequence[Event] = ()
    answer: RequestRecord | None = None


@dataclass(frozen=True, slots=True)
class KeysView:
    """
    What a decision about keys sees: every key, the row of an earlier call, the revision.

    ``keys_revision`` is as in :class:`View`: while it stays the same, so do the keys.
    """

    keys: Sequence[KeyRecord]
    prior: RequestRecord | None
    revision: int
    keys_revision: int = 0


@dataclass(frozen=True, slots=True)
class KeysChange(Generic[T]):
    """
    What a decision about keys wants written.

    ``put`` writes keys by their key id, ``remove`` deletes by key id. Where
    either is not empty the revision is raised by one and ``revocation``, which
    must be given then, is logged.
    """

    result: T
    put: Sequence[KeyRecord] = ()
    remove: Sequence[bytes] = ()
    revocation: Revocation | None = None
    events: Sequence[Event] = ()
    answer: RequestRecord | None = None


@dataclass(frozen=True, slots=True)
class Swept:
    """How many rows a sweep deleted, and whether it stopped at its limit."""

    sessions: int = 0
    requests: int = 0
    events: int = 0
    revocations: int = 0
    cuts: int = 0
    refusal_events: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """
    Whether the store can serve, and how full it is.

    ``writable`` is False after a failed commit until the store has been
    reopened and checked. ``fill`` is the used share of the space, 0 to 1.
    """

    readable: bool
    writable: bool
    fill: float
    detail: str = ""


class Store(Protocol):
    """Sessions, cuts, keys, events and requests of one installation."""

    def create(
        self,
        tenant_hash: bytes,
        subject_hash: bytes,
        request: Request | None,
        decide: Callable[[View], Change[T]],
        *,
        siblings: int = 0,
    ) -> T:
        """
        Add the session of the decision's change. ``View.cuts`` are those of the two scopes.

        Its id must be new, or that of ``View.session``: then what an earlier call of the same request made is changed.
        ``View.siblings`` are the newest *siblings* sessions of the subject's hash, and only those may end.
        A damaged one is left out.
        """
        ...

    def rotate(self, session_id: bytes, decide: Callable[[View], Change[T]]) -> T:
        """Change a session by the rules of Refresh, or end it."""
        ...

    def update(self, session_id: bytes, request: Request | None, decide: Callable[[View], Change[T]]) -> T:
        """Change a session's claims or data."""
        ...

    def revoke(
        self, session_ids: Sequence[bytes], request: Request | None, decide: Callable[[Sequence[View]], Change[T]]
    ) -> T:
        """
        End sessions, all in one transaction: those of ``Change.ended``, each of which the decision must have seen.

        *decide* gets one view for each of *session_ids*, in their order. An id that stands there twice is a ValueError.
        """
        ...

    def cut(
        self, scope: Scope, except_session_id: bytes, request: Request | None, decide: Callable[[View], Change[T]]
    ) -> T:
        """
        Revoke a whole scope at once, however many sessions it has: ``Change.cut``, which must be of *scope*.

        ``View.session`` is the session that is to be spared, with the cuts that cover it; b"" spares none.
        ``Change.session`` is its next state, and the cut carries its id.
        """
        ...

    def get(self, session_id: bytes) -> View:
        """Read one session with the cuts that cover it."""
        ...

    def list_by_subject(self, subject_hash: bytes, after: bytes, limit: int) -> tuple[list[Session], int]:
        """
        Read up to *limit* sessions under a subject's hash with ids above *after* (b"" starts), and the revision.

        In the order of ids. A session that has an end of its own is not among
        them: it is found by its id alone. Subjects of one hash come together;
        the caller compares names.
        """
        ...

    def keys(self) -> KeysView:
        """Read every key."""
        ...

    def change_keys(self, request: Request | None, decide: Callable[[KeysView], KeysChange[T]]) -> T:
        """Change the keyset. Of two processes that try at once, the second decides on what the first wrote."""
        ...

    def revision(self) -> int:
        """
        Read the revision: the number of changes that verifiers must know, under the incarnation.

        The upper 16 bits are the incarnation, 1 at first; a restore starts a new one. No write verb of any process
        that has returned stands above it; a read may, by what is durable and not yet answered.
        """
        ...

    def cuts(self) -> tuple[dict[Scope, Cut], int]:
        """Read every cut, and the revision."""
        ...

    def revocations_after(self, revision: int, limit: int) -> tuple[list[Revocation], int]:
        """Read up to *limit* entries of the revocation log above *revision*, in order, and the store's revision."""
        ...

    def events_after(self, sequence: int, limit: int) -> tuple[list[Event], int]:
        """Read up to *limit* events above *sequence*, in order, and the sequence of the last one that was written."""
        ...

    def events_of_session(self, session_id: bytes, limit: int) -> list[Event]:
        """Read the newest *limit* events of a session, in order."""
        ...

    def installation(self, make: Callable[[], bytes]) -> bytes:
        """
        Read the secrets of this installation, sealed by the caller.

        The first call of the first process keeps what *make* gives; every
        other call, in any process, gets that.
        """
        ...

    def serving_ms(self) -> int:
        """
        Read the serving clock: the milliseconds, over the store's whole life, in which it could acknowledge writes.

        It stands still while no process serves and while writes fail.
        """
        ...

    def sweep(
        self,
        now: int,
        events_before: int,
        limit: int,
        *,
        max_events: int | None = None,
        max_refusal_events: int | None = None,
    ) -> Swept:
        """
        Delete up to *limit* rows that cannot matter any more, or that are beyond what may be kept.

        Sessions, request rows, cuts and log entries go once their
        ``keep_until`` (a session's: ``expires_at`` plus the grace the store
        was opened with) is <= *now*; events once they are older than *events_before*.
        Of events beyond *max_events* those of the smallest sequences go, and so
        of refusals, which do not count among those, beyond *max_refusal_events*;
        None is no bound.
        """
        ...

    def health(self) -> Health:
        """Say whether reads and writes work, without waiting for either."""
        ...

    def close(self) -> None:
        """Finish the writes that were accepted, release everything. A verb after it raises StoreUnavailableError."""
        ...
