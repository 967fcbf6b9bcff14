"""Eviction: how many living sessions a subject may have, and which of them make room for another."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from sessiond.authority.ending import ended_session
from sessiond.authority.lookup import is_of
from sessiond.authority.policy import AtMaxSessions
from sessiond.authority.rotation import judge_session
from sessiond.errors import Cause, TooManySessionsError
from sessiond.store.records import End

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiond.authority.policy import Policy
    from sessiond.store.contract import EndedSession, View
    from sessiond.store.records import Session

MAX_SIBLINGS = 10_000
"""
So many sessions of a subject are looked at, the newest first: those that went idle or expired are among them.

They are read only where the subject has so many: where each login leaves a session behind, one that lives must not lie
behind those that do not, uncounted.
"""


def make_room(view: View, newcomer: Session, policy: Policy) -> Sequence[EndedSession]:
    """
    Choose the sessions that end so that *newcomer* is within the limit of its subject, in the order of their turn.

    More than one where the limit was lowered since they were opened. None
    where there is room, or no limit.

    Raises:
        TooManySessionsError: There is no room, and the policy evicts nobody.

    """
    if policy.max_sessions == 0:
        return ()
    now = newcomer.created_at
    living = [sibling for sibling in view.siblings if _lives_beside(newcomer, sibling, view, now)]
    n_over = len(living) + 1 - policy.max_sessions
    if n_over <= 0:
        return ()
    allowed = f"the subject may have {policy.max_sessions} living session{'s' if policy.max_sessions > 1 else ''}"
    if policy.at_max_sessions is AtMaxSessions.REJECT:
        message = (
            f"{allowed} (policy.max_sessions) and has {len(living)}: end one of them, "
            f"or have policy.at_max_sessions evict one"
        )
        raise TooManySessionsError(message)
    evicts_oldest = policy.at_max_sessions is AtMaxSessions.EVICT_OLDEST
    living.sort(key=lambda one: (one.created_at if evicts_oldest else one.pending_by.at, one.id))
    end = End(Cause.EVICTED, now, f"{allowed}, and another was opened", newcomer.pending_by.caller)
    return [ended_session(one, end, policy) for one in living[:n_over]]


def _lives_beside(newcomer: Session, sibling: Session, view: View, now: int) -> bool:
    """Tell whether *sibling* counts: of the same subject, and neither ended nor over."""
    return (
        is_of(sibling, newcomer.tenant, newcomer.subject)
        and now < sibling.expires_at
        and judge_session(dataclasses.replace(view, session=sibling), tenant="", now=now) is None
    )
