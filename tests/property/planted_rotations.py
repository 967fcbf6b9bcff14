"""
Rules of Refresh with one fault each: mistakes that this project could make, or another product has made.

Each is the real :func:`sessiond.authority.rotation.rotate` with what it is told, or what it says, bent in one place,
and stands with the profile and the scene in which the machine has to find it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from sessiond.authority import rotation
from sessiond.authority.policy import Profile
from sessiond.authority.rotation import Call, Decision, Outcome
from sessiond.errors import Cause
from sessiond.store.contract import View
from sessiond.store.records import End
from tests.property.rotation_authority import Rotate
from tests.property.rotation_machine import Scene


@dataclass(frozen=True)
class Fault:
    """Rules with a fault, and where it shows."""

    name: str
    profile: Profile
    scene: Scene
    rotate: Rotate


FAULTS: list[Fault] = []


def fault(scene: Scene, profile: Profile = Profile.BALANCED) -> Callable[[Rotate], Rotate]:
    """Enter rules with a fault into the table, under the name of the function."""

    def enter(rotate: Rotate) -> Rotate:
        FAULTS.append(Fault(rotate.__name__, profile, scene, rotate))
        return rotate

    return enter


def _record(decision: Decision, **changes: Any) -> Decision:
    """Let a decision write another record."""
    session = decision.session
    return decision if session is None else dataclasses.replace(decision, session=replace(session, **changes))


def _trace(decision: Decision, **changes: Any) -> Decision:
    """Let a decision write another trace of the call that made pending."""
    session = decision.session
    return decision if session is None else _record(decision, pending_by=replace(session.pending_by, **changes))


def _policy(told: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Let the rules be told another policy."""
    return {**told, "policy": dataclasses.replace(told["policy"], **changes)}


@fault(Scene.CROWD)
def second_child_in_the_window(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Mint another successor for a second holder, though the first one is out."""
    decision = rotation.rotate(view, presented, call, **told)
    if decision.outcome is not Outcome.SHARED or decision.session is None:
        return decision
    return _record(decision, pending=decision.session.pending + 1)


@fault(Scene.LONE)
def straggler_is_called_reuse(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """End a session because a copy of an answered request came late."""
    return rotation.rotate(view, presented, call, **_policy(told, straggler_window_seconds=0))


@fault(Scene.LONE)
def confirmed_by_is_forgotten(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Lose who brought the confirmed generation about."""
    return _record(rotation.rotate(view, presented, call, **told), confirmed_by=None)


@fault(Scene.CROWD)
def sibling_under_balanced(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Hand out another successor after the window."""
    return rotation.rotate(view, presented, call, **_policy(told, profile=Profile.FORGIVING))


@fault(Scene.CROWD, Profile.FORGIVING)
def sibling_with_the_old_number(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Give the sibling the number of the one it replaces, so that nobody can tell them apart."""
    decision = rotation.rotate(view, presented, call, **told)
    if decision.outcome is not Outcome.REPLACED or decision.session is None:
        return decision
    return _record(decision, pending=decision.session.pending - 1)


@fault(Scene.CROWD, Profile.FORGIVING)
def replaced_sibling_lives_on(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Branch: whoever holds the token that a sibling replaced goes on with it."""
    session = view.session
    if session is not None and presented == session.pending - 1 != session.confirmed:
        presented = session.pending
    return rotation.rotate(view, presented, call, **told)


@fault(Scene.CROWD, Profile.STRICT)
def window_under_strict(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Share under STRICT."""
    return rotation.rotate(view, presented, call, **_policy(told, profile=Profile.BALANCED))


@fault(Scene.LONE)
def windows_on_the_wall_clock(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Measure the windows on a clock that jumps, and goes on while the authority is down."""
    return rotation.rotate(dataclasses.replace(view, serving_ms=told["now"] * 1000), presented, call, **told)


@fault(Scene.LONE)
def retry_key_is_ignored(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Know a retry by its request id alone, as if no client had ever sent a retry key."""
    return rotation.rotate(view, presented, dataclasses.replace(call, retry_hash=b""), **told)


@fault(Scene.CROWD)
def request_id_outweighs_the_retry_key(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Take whoever has the request id of a call for its maker, whatever the retry key."""
    made = view.session and view.session.pending_by
    if made and call.request_hash and call.request_hash == made.request_hash:
        call = dataclasses.replace(call, retry_hash=made.retry_hash)
    return rotation.rotate(view, presented, call, **told)


@fault(Scene.LONE)
def request_id_is_ignored(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Know a retry by its retry key alone."""
    return rotation.rotate(view, presented, dataclasses.replace(call, request_hash=b""), **told)


@fault(Scene.CROWD)
def share_takes_over_the_retry_key(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Keep the retry key of whoever shared last, so that the one who made pending is a stranger."""
    decision = rotation.rotate(view, presented, call, **told)
    return _trace(decision, retry_hash=call.retry_hash) if decision.outcome is Outcome.SHARED else decision


@fault(Scene.LONE)
def rotation_is_taken_for_a_retry(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Give the newest token back to who presents it, in the belief that its answer was lost."""
    decision = rotation.rotate(view, presented, call, **told)
    if decision.outcome is not Outcome.ROTATED or presented == 0:
        return decision
    return dataclasses.replace(decision, outcome=Outcome.RETRIED, session=view.session)


def no_limit_in_a_row(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Share any number of generations in a row with a holder of another retry key: left to the exhaustive search."""
    return rotation.rotate(view, presented, call, **_policy(told, shared_in_row_limit=100))


@fault(Scene.LONE)
def retry_mints_the_successor_anew(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Date the repeated successor at the retry: it is another token."""
    decision = rotation.rotate(view, presented, call, **told)
    return _trace(decision, at=told["now"]) if decision.outcome is Outcome.RETRIED else decision


@fault(Scene.LONE)
def clock_that_stepped_back_ages_the_session(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Date a generation before the one that it succeeds, so that its idle limit comes nearer."""
    decision = rotation.rotate(view, presented, call, **told)
    return _trace(decision, at=told["now"]) if decision.outcome is Outcome.ROTATED else decision


@fault(Scene.LONE)
def idle_is_judged_by_the_presented_token(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Let the retry of a lost answer die of idleness, since the token that it presents is old."""
    session = view.session
    if session is not None and presented == session.confirmed and session.confirmed_by is not None:
        old = replace(session, pending_by=replace(session.pending_by, at=session.confirmed_by.at))
        if rotation.is_idle(old, told["now"]):
            view = dataclasses.replace(view, session=old)
    return rotation.rotate(view, presented, call, **told)


@fault(Scene.LONE)
def retry_prolongs_the_session(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Move the absolute expiry at a retry."""
    decision = rotation.rotate(view, presented, call, **told)
    if decision.outcome is not Outcome.RETRIED or decision.session is None:
        return decision
    return _record(decision, expires_at=decision.session.expires_at + 1)


@fault(Scene.LONE)
def retry_hides_its_access_token(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Hand out an access token at a retry that no revocation knows of."""
    decision = rotation.rotate(view, presented, call, **told)
    if decision.outcome is not Outcome.RETRIED or view.session is None:
        return decision
    return _record(decision, access_issued_at=view.session.access_issued_at)


@fault(Scene.LONE)
def revoked_key_signs_its_successor_again(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Hand out a successor that is dead already."""
    return rotation.rotate(view, presented, call, **{**told, "revoked_key_ids": frozenset()})


@fault(Scene.CROWD)
def lost_state_is_called_reuse(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Blame a thief for what a restored backup has forgotten."""
    decision = rotation.rotate(view, presented, call, **told)
    if decision.cause is not Cause.STATE_LOST:
        return decision
    return dataclasses.replace(_record(decision, end=End(Cause.REUSED, told["now"])), cause=Cause.REUSED)


@fault(Scene.CROWD)
def reuse_keeps_no_evidence(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """End a session without a word on who presented what."""
    decision = rotation.rotate(view, presented, call, **told)
    return _record(decision, end=End(Cause.REUSED, told["now"])) if decision.cause is Cause.REUSED else decision


@fault(Scene.CROWD)
def next_refusal_flushes_the_evidence(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Let whoever presents a token of a dead session write over how it ended."""
    living = view.session and replace(view.session, end=None)
    return rotation.rotate(dataclasses.replace(view, session=living), presented, call, **told)


@fault(Scene.LONE)
def refusal_is_not_counted(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Refuse without a trace in the record."""
    decision = rotation.rotate(view, presented, call, **told)
    return decision if decision.cause is None else dataclasses.replace(decision, session=view.session)


@fault(Scene.LONE)
def refusal_is_not_told(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Refuse without an event."""
    decision = rotation.rotate(view, presented, call, **told)
    return decision if decision.cause is None else dataclasses.replace(decision, events=())


@fault(Scene.CROWD)
def reuse_ends_every_session_of_the_subject(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Kill the user's other sessions because one was stolen."""
    return rotation.rotate(view, presented, call, **_policy(told, revoke_subject_on_reuse=True))


@fault(Scene.LONE)
def another_tenant_gets_the_tokens(view: View, presented: int, call: Call, **told: Any) -> Decision:
    """Serve a caller that may not act for the session's tenant."""
    return rotation.rotate(view, presented, dataclasses.replace(call, tenant=""), **told)
