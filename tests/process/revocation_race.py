"""
What happened while tokens were verified and revoked at once, and whether all of it may have happened.

Times are nanoseconds on CLOCK_MONOTONIC, which all processes of a machine share, read before a call is made and after
its answer is there. A call took effect somewhere between them, so only what holds wherever that was is a fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

SESSION, SUBJECT, TENANT = "session", "subject", "tenant"
NEVER = 1 << 63


class Holder(NamedTuple):
    """Whom a token speaks for; its place among the holders is the token's number."""

    tenant: str
    subject: str
    session_id: str


class Verification(NamedTuple):
    """One judgement of a token."""

    token: int
    began_ns: int
    ended_ns: int
    accepted: bool


class Revocation(NamedTuple):
    """One call that revoked the session, the subject or the tenant of a token, and was acknowledged."""

    scope: str
    token: int
    began_ns: int
    acknowledged_ns: int


@dataclass(frozen=True, slots=True)
class Findings:
    """
    What a history shows.

    ``faults`` are sentences. ``accepted`` and ``refused`` count verifications, ``doomed`` those that began after an
    acknowledged revocation of their token, ``overlapping`` those that ran while the first one of it was being made.
    ``closest_ns`` is the shortest time from an acknowledgement to a verification of a token that it killed.
    """

    faults: Sequence[str]
    accepted: int
    refused: int
    doomed: int
    overlapping: int
    closest_ns: int


def findings(
    holders: Sequence[Holder], verifications: Iterable[Verification], revocations: Iterable[Revocation]
) -> Findings:
    """
    Find every verification that no order of the calls allows.

    One that began after a revocation of its token was acknowledged may not accept it; one that ended before the first
    revocation of it began may not refuse it. All tokens were issued before anything began.
    """
    began, acknowledged = [NEVER] * len(holders), [NEVER] * len(holders)
    covered = _tokens_by_scope(holders)
    for revocation in revocations:
        for token in covered[_scope(revocation.scope, holders[revocation.token])]:
            began[token] = min(began[token], revocation.began_ns)
            acknowledged[token] = min(acknowledged[token], revocation.acknowledged_ns)
    faults: list[str] = []
    accepted = refused = doomed = overlapping = 0
    closest = NEVER
    for one in verifications:
        late = one.began_ns - acknowledged[one.token]
        if late > 0:
            doomed += 1
            closest = min(closest, late)
        elif one.ended_ns >= began[one.token]:
            overlapping += 1
        if one.accepted:
            accepted += 1
            if late > 0:
                faults.append(f"token {one.token} accepted by a verification that began {late} ns after the answer")
        else:
            refused += 1
            if one.ended_ns < began[one.token]:
                faults.append(f"token {one.token} refused by a verification that nothing can have revoked by then")
    return Findings(faults, accepted, refused, doomed, overlapping, closest)


def _scope(kind: str, holder: Holder) -> tuple[str, ...]:
    names = {SESSION: (holder.session_id,), SUBJECT: (holder.tenant, holder.subject), TENANT: (holder.tenant,)}
    return kind, *names[kind]


def _tokens_by_scope(holders: Sequence[Holder]) -> dict[tuple[str, ...], list[int]]:
    covered: dict[tuple[str, ...], list[int]] = {}
    for token, holder in enumerate(holders):
        for scope in _scopes(holder):
            covered.setdefault(scope, []).append(token)
    return covered


def _scopes(holder: Holder) -> Iterator[tuple[str, ...]]:
    return (_scope(kind, holder) for kind in (SESSION, SUBJECT, TENANT))
