"""How sessions end before their time: one sentence for each cause that a revocation index can give."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sessiond.errors import Cause

ENDINGS: Final[Mapping[Cause, str]] = MappingProxyType(
    {
        Cause.REVOKED: "the session was ended on purpose",
        Cause.SUBJECT_REVOKED: "every session of the subject that was open at that time was ended",
        Cause.TENANT_REVOKED: "every session of the tenant that was open at that time was ended",
        Cause.ALL_REVOKED: "every session that was open at that time was ended",
        Cause.REUSED: "a spent refresh token of the session was presented again, so the session was ended",
        Cause.STATE_LOST: ("the token is newer than what the authority knows of its session, so the session was ended"),
        Cause.EVICTED: "a newer session of the subject took its place, since there may be only so many at once",
    }
)
