"""The settings that the rules depend on: windows, lifetimes, how forgiving Refresh is."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sessiond.store.records import Session

_DAY = 86_400

MAX_ABSOLUTE_SECONDS = 400 * _DAY
MAX_ACCESS_SECONDS = _DAY

_YEAR = 365 * _DAY
_MAX_ROWS = 100_000_000
_MIN_MEMORY_MARGIN_SECONDS = 10

MAX_SESSIONS = 500
"""The greatest limit of living sessions per subject: all of them are looked at when another is opened."""

RANGES = {
    "retry_window_seconds": (0, 300),
    "straggler_window_seconds": (0, 300),
    "shared_in_row_limit": (0, 100),
    "access_seconds": (1, MAX_ACCESS_SECONDS),
    "idle_seconds": (1, MAX_ABSOLUTE_SECONDS),
    "absolute_seconds": (1, MAX_ABSOLUTE_SECONDS),
    "leeway_seconds": (0, 600),
    "key_publication_seconds": (0, _DAY),
    "key_rotation_seconds": (1, 10 * _YEAR),
    "event_retention_seconds": (1, 10 * _YEAR),
    "max_events": (1, _MAX_ROWS),
    "max_refusal_events": (1, _MAX_ROWS),
    "request_retention_seconds": (1, _YEAR),
    "max_sessions": (0, MAX_SESSIONS),
}
"""Least and greatest value of each setting that counts something."""


class Profile(enum.Enum):
    """
    What a spent refresh token without proof of a retry gets: the last rows of the table of Refresh.

    BALANCED shares one successor inside the retry window and calls everything
    after it reuse. STRICT has no retry window. FORGIVING hands out a sibling
    after the window, and finds the theft when the replaced one is used.
    """

    BALANCED = "balanced"
    STRICT = "strict"
    FORGIVING = "forgiving"


class AtMaxSessions(enum.Enum):
    """
    What a login gets whose subject has as many living sessions as it may have.

    REJECT refuses it. EVICT_OLDEST ends the session that was opened first, EVICT_LONGEST_IDLE the one whose last
    refresh lies furthest back; several where the limit was lowered.
    """

    REJECT = "reject"
    EVICT_OLDEST = "evict_oldest"
    EVICT_LONGEST_IDLE = "evict_longest_idle"


@dataclass(frozen=True, slots=True)
class Policy:
    """
    The settings of one authority, valid by construction.

    Raises:
        ValueError: A setting is out of its range; the message names it.

    """

    profile: Profile = Profile.BALANCED
    """What a traded refresh token gets that comes again without proof of a retry."""

    retry_window_seconds: int = 10
    """How long the holders of one refresh token share its successor without a retry key; none under ``strict``."""

    straggler_window_seconds: int = 10
    """How long a late copy of an answered request is refused as SUPERSEDED, which ends nothing, and not as REUSED."""

    shared_in_row_limit: int = 2
    """For how many generations in a row two callers may share where one of the two sent a retry key."""

    access_seconds: int = 300
    """How long access tokens live, and the most that a session may ask for."""

    idle_seconds: int = 7 * _DAY
    """How long a session lives without a refresh, if it asks for nothing else; never past its absolute end."""

    absolute_seconds: int = 30 * _DAY
    """How long a session lives however often it is refreshed, if it asks for nothing else."""

    leeway_seconds: int = 30
    """How long before its time of issue an access token is good, since clocks differ; its end is never stretched."""

    revoke_subject_on_reuse: bool = False
    """Whether reuse ends every session of the subject and not that one alone."""

    key_publication_seconds: int = 600
    """How long a key is published before it signs, so that every verifier has it by then."""

    key_rotation_seconds: int = 90 * _DAY
    """How long a key signs before the next takes over; longer than ``key_publication_seconds``."""

    event_retention_seconds: int = 30 * _DAY
    """How long events are kept, if they are not too many."""

    max_events: int = 5_000_000
    """How many events are kept at most, those of ``max_refusal_events`` apart: of more, the first go early."""

    max_refusal_events: int = 500_000
    """How many events are kept at most of refreshes that changed nothing, refused, retried or shared: whoever holds a
    token can cause any number of them, and they drive no others out."""

    request_retention_seconds: int = _DAY
    """How long a request id is remembered, so that a repeated call gets its first answer."""

    max_sessions: int = 0
    """How many living sessions a subject may have; 0 sets no limit."""

    at_max_sessions: AtMaxSessions = AtMaxSessions.REJECT
    """What a login beyond ``max_sessions`` gets: a refusal, or the place of the oldest or the longest idle session."""

    def __post_init__(self) -> None:
        """Check every setting."""
        for name, (least, greatest) in RANGES.items():
            value = getattr(self, name)
            if not least <= value <= greatest:
                message = f"{name} is {value}, expected {least} to {greatest}"
                raise ValueError(message)
        if self.key_rotation_seconds <= self.key_publication_seconds:
            message = (
                f"key_rotation_seconds is {self.key_rotation_seconds}, expected more than the "
                f"{self.key_publication_seconds} of key_publication_seconds: a key signs only after its publication"
            )
            raise ValueError(message)

    @property
    def retry_window_ms(self) -> int:
        """The retry window in serving time: none under STRICT, whatever the setting says."""
        return 0 if self.profile is Profile.STRICT else self.retry_window_seconds * 1000

    @property
    def straggler_window_ms(self) -> int:
        """The straggler window in serving time, the same under every profile."""
        return self.straggler_window_seconds * 1000

    @property
    def _memory_margin_seconds(self) -> int:
        """
        How long a revocation is remembered beyond the end of what it concerns.

        Twice the leeway covers verifiers whose clocks are off by the leeway either way. A call judges by the time at
        which it began: the least margin covers one that is slow.
        """
        return max(2 * self.leeway_seconds, _MIN_MEMORY_MARGIN_SECONDS)

    def session_entry_kept_until(self, session: Session, now: int) -> int:
        """
        Say how long verifiers must remember that *session* was ended at *now*.

        Until the last of its access tokens is dead: none outlives its issue by
        more than the session's ``access_seconds``, nor the session. The life is
        counted from the later of *now* and the last issue, so that neither a
        wall clock that stepped back in between nor a call that read *now* long
        before its turn to write shortens the memory.
        """
        last_issue = max(now, session.access_issued_at)
        return min(last_issue + session.access_seconds, session.expires_at) + self._memory_margin_seconds

    def cut_kept_until(self, now: int) -> int:
        """
        Say how long a cut made at *now* must be remembered: until nothing born before it can be alive.

        The greatest absolute life any policy allows, since sessions may be
        older than the present policy.
        """
        return now + MAX_ABSOLUTE_SECONDS + self._memory_margin_seconds
