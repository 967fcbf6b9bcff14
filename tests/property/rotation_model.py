"""
The rules of Refresh said again, from nothing but the history of one session.

The authority keeps three generations, two flags and a few counters. The model keeps every birth of a generation and
every share, and works out from them what the record must say and what the answer must be.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field

from sessiond.authority.policy import Policy, Profile
from sessiond.authority.rotation import Call, Outcome
from sessiond.errors import Cause

CUT_CAUSES = (Cause.SUBJECT_REVOKED, Cause.TENANT_REVOKED, Cause.ALL_REVOKED)


class Row(enum.Enum):
    """A row of the table for a session that lives."""

    PENDING = enum.auto()
    RETRY = enum.auto()
    SHARE = enum.auto()
    SIBLING = enum.auto()
    STRAGGLER = enum.auto()
    BEYOND = enum.auto()
    ANYTHING_ELSE = enum.auto()


OUTCOMES = {
    Row.PENDING: Outcome.ROTATED,
    Row.RETRY: Outcome.RETRIED,
    Row.SHARE: Outcome.SHARED,
    Row.SIBLING: Outcome.REPLACED,
}


@dataclass(frozen=True)
class Presentation:
    """A generation in someone's hands, and the state of the authority that meets it."""

    generation: int
    call: Call
    now: int
    serving_ms: int
    signing_key_id: bytes
    revoked: frozenset[bytes]


@dataclass
class History:
    """All that ever happened to one session: each generation with the presentation that made it, None at the login."""

    policy: Policy
    tenant: str
    idle_seconds: int
    login: Presentation
    made: dict[int, Presentation] = field(default_factory=dict)
    shared: set[int] = field(default_factory=set)
    """The generations whose successor went to several holders, one of them at least with a retry key."""
    answered_at: list[int] = field(default_factory=list)
    """The wall time of every answer after the login's."""
    rows: Counter[Row | Cause] = field(default_factory=Counter)
    ended: Cause | None = None
    cuts: set[Cause] = field(default_factory=set)

    def birth(self, generation: int) -> Presentation:
        """Say which presentation made a generation."""
        return self.made.get(generation, self.login)

    def of(self, generation: int | None) -> int | None:
        """Say whose successor a generation is."""
        return self.made[generation].generation if generation in self.made else None

    @property
    def pending(self) -> int:
        """The newest generation."""
        return max(self.made, default=self.login.generation)

    @property
    def confirmed(self) -> int | None:
        """The generation whose successor is the newest one."""
        return self.of(self.pending)

    @property
    def parent(self) -> int | None:
        """The generation whose successor is the confirmed one."""
        return self.of(self.confirmed)

    @property
    def confirmed_ms(self) -> int:
        """The serving time at which the confirmed generation got its first successor, 0 before there is one."""
        return min((by.serving_ms for by in self.made.values() if by.generation == self.confirmed), default=0)

    @property
    def shared_in_row(self) -> int:
        """Count the generations up to the confirmed one whose successors were shared without a gap."""
        row, generation = int(self.confirmed in self.shared), self.parent
        while generation in self.shared:
            row, generation = row + 1, self.of(generation)
        return row

    def issued_at(self, generation: int) -> int:
        """Give the latest wall time of any birth up to a generation: a clock that steps back makes nothing older."""
        return max(self.birth(number).now for number in range(generation + 1))

    @property
    def access_issued_at(self) -> int:
        """Give the latest time of issue of any access token."""
        return max([self.login.now, *self.answered_at])

    @property
    def idle_at(self) -> int:
        """The second in which the session dies of idleness."""
        return self.issued_at(self.pending) + self.idle_seconds

    def take(self, by: Presentation) -> Outcome | Cause:
        """Say what must come of a presentation, and add it to the history."""
        row = self._row(by)
        self.rows[row] += 1
        if isinstance(row, Cause):
            return row
        if row is Row.STRAGGLER:
            return Cause.SUPERSEDED
        if row in (Row.BEYOND, Row.ANYTHING_ELSE):
            self.ended = Cause.STATE_LOST if row is Row.BEYOND else Cause.REUSED
            return self.ended
        outcome = OUTCOMES[row]
        self.answered_at.append(by.now)
        if outcome in (Outcome.RETRIED, Outcome.SHARED) and self.birth(self.pending).signing_key_id in by.revoked:
            outcome = Outcome.REPLACED
        if row is Row.SHARE and self._is_keyed(by):
            self.shared.add(by.generation)
        if outcome in (Outcome.ROTATED, Outcome.REPLACED):
            self.made[self.pending + 1] = by
        return outcome

    def _row(self, by: Presentation) -> Row | Cause:  # noqa: PLR0911 - one return for each row
        dead = self._judge_session(by)
        if dead is not None:
            return dead
        if by.generation == self.pending:
            return Row.PENDING
        if by.generation == self.confirmed:
            if self._is_retry(by.call):
                return Row.RETRY
            if self._may_share(by):
                return Row.SHARE
            return Row.SIBLING if self.policy.profile is Profile.FORGIVING else Row.ANYTHING_ELSE
        if by.generation > self.pending:
            return Row.BEYOND
        late = by.serving_ms - self.confirmed_ms >= self.policy.straggler_window_seconds * 1000
        return Row.ANYTHING_ELSE if late or by.generation != self.parent else Row.STRAGGLER

    def _judge_session(self, by: Presentation) -> Cause | None:
        if by.call.tenant not in ("", self.tenant):
            return Cause.WRONG_TENANT
        if self.ended is not None:
            return self.ended
        cut = next((cause for cause in CUT_CAUSES if cause in self.cuts), None)
        return Cause.IDLE_TIMEOUT if cut is None and by.now >= self.idle_at else cut

    def _is_retry(self, call: Call) -> bool:
        made = self.birth(self.pending).call
        proofs = (call.retry_hash, call.retry_hash or call.request_hash)
        return any(proofs) and proofs == (made.retry_hash, made.retry_hash or made.request_hash)

    def _is_keyed(self, by: Presentation) -> bool:
        return bool(by.call.retry_hash or self.birth(self.pending).call.retry_hash)

    def _may_share(self, by: Presentation) -> bool:
        age_ms = by.serving_ms - self.birth(self.pending).serving_ms
        if self.policy.profile is Profile.STRICT or age_ms >= self.policy.retry_window_seconds * 1000:
            return False
        counts = self._is_keyed(by) and by.generation not in self.shared
        return not counts or self.shared_in_row < self.policy.shared_in_row_limit
