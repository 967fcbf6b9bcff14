"""
The rows that a store is made of, as an engine gives them to the verbs of :mod:`sessiond.store.transactional`.

Rule 1: rows are values, and reading or writing one decides nothing.
Rule 2: a table that is swept has one deadline for each row, and one place that says which.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Protocol

from sessiond.store.contract import INCARNATION_BITS, REVISION_BITS
from sessiond.store.records import Cut, Event, KeyRecord, Record, RequestRecord, Revocation, Scope, Session

FIRST_REVISION = 1 << (REVISION_BITS - INCARNATION_BITS)


class Counters(Record, frozen=True):
    """
    The numbers that a store counts with.

    ``sequence`` is that of the last event. ``ticked_ms`` is what the machine's
    monotonic clock read at the last tick, by whichever process; None before the first.
    """

    revision: int = FIRST_REVISION
    keys_revision: int = 0
    sequence: int = 0
    serving_ms: int = 0
    ticked_ms: int | None = None


class Table(enum.Enum):
    """The tables whose rows are swept once their deadline has passed."""

    SESSIONS = 1
    REQUESTS = 2
    CUTS = 3
    REVOCATIONS = 4
    EVENTS = 5
    REFUSALS = 6


DEADLINES: dict[Table, Callable[[Any], int]] = {
    Table.SESSIONS: lambda session: session.expires_at,
    Table.REQUESTS: lambda record: record.keep_until,
    Table.CUTS: lambda cut: cut.keep_until,
    Table.REVOCATIONS: lambda revocation: revocation.keep_until,
    Table.EVENTS: lambda event: event.at,
    Table.REFUSALS: lambda event: event.at,
}
"""What gives the deadline of a table's rows."""


class Rows(Protocol):
    """
    The rows of a store as one transaction sees them, its own writes included once a verb has returned.

    ``write_…`` adds a row or replaces the one of its key.
    """

    def counters(self) -> Counters:
        """Read the counters."""
        ...

    def write_counters(self, counters: Counters) -> None:
        """Write the counters."""
        ...

    def session(self, session_id: bytes) -> Session | None:
        """Read a session."""
        ...

    def sessions_of(self, subject_hash: bytes, after: bytes, limit: int) -> list[Session]:
        """Read up to *limit* of a subject's hash's sessions that have no end, with ids above *after*, in order."""
        ...

    def newest_sessions_of(self, subject_hash: bytes, limit: int) -> list[Session]:
        """Read up to *limit* of a subject's hash's sessions that have no end, the greatest id first."""
        ...

    def write_session(self, session: Session, before: Session | None) -> None:
        """Write a session in place of *before*, None where its id is new."""
        ...

    def request(self, key: bytes) -> RequestRecord | None:
        """Read the row of an earlier call."""
        ...

    def write_request(self, key: bytes, record: RequestRecord) -> None:
        """Write the row of a call."""
        ...

    def cut(self, scope: Scope) -> Cut | None:
        """Read the cut of a scope."""
        ...

    def cuts(self) -> dict[Scope, Cut]:
        """Read every cut."""
        ...

    def write_cut(self, scope: Scope, cut: Cut) -> None:
        """Write the cut of a scope."""
        ...

    def keys(self) -> list[KeyRecord]:
        """Read every key, in the order of key ids."""
        ...

    def write_key(self, key: KeyRecord) -> None:
        """Write a key."""
        ...

    def delete_key(self, key_id: bytes) -> None:
        """Delete a key, if there is one of the id."""
        ...

    def revocations_after(self, revision: int, limit: int) -> list[Revocation]:
        """Read up to *limit* entries of the revocation log above *revision*, in order."""
        ...

    def write_revocation(self, revocation: Revocation) -> None:
        """Write an entry of the revocation log."""
        ...

    def events_after(self, sequence: int, limit: int) -> list[Event]:
        """Read up to *limit* events above *sequence*, in order."""
        ...

    def events_of_session(self, session_id: bytes, limit: int) -> list[Event]:
        """Read the newest *limit* events of a session, in order."""
        ...

    def write_event(self, event: Event) -> None:
        """Write an event, a refusal among the refusals."""
        ...

    def installation(self) -> bytes | None:
        """Read the sealed secrets of the installation."""
        ...

    def write_installation(self, sealed: bytes) -> None:
        """Write the sealed secrets of the installation."""
        ...

    def delete_expired(self, table: Table, until: int, limit: int, most: int | None) -> int:
        """
        Delete up to *limit* rows, and give their number.

        Those go whose deadline is <= *until*, the earliest first, then those with the least keys until the table has
        *most*; None is no bound.
        """
        ...
