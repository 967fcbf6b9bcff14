"""What is shown of a session's past."""

from __future__ import annotations

from msgspec.structs import replace

from sessiond.authority.events import EventKind
from sessiond.authority.evidence import TIMELINE_EVENTS, Use, reuse_evidence, timeline
from sessiond.errors import Cause
from sessiond.store.contract import Cuts
from sessiond.store.records import Cut, End, Event, Reuse, Session, Trace

NOW = 1_800_000_000
LAPTOP = b"\xc0\x00\x02\x07"
THIEF = b"\xcb\x00\x71\x42"


def trace(at: int, ip: bytes = LAPTOP) -> Trace:
    """Make the call of an instant."""
    return Trace(at, 0, b"k" * 8, ip=ip, user_agent="agent", caller="gateway")


SESSION = Session(
    id=b"i" * 16,
    tenant="acme",
    subject="alice",
    tenant_hash=b"t" * 8,
    subject_hash=b"s" * 8,
    audience="api",
    created_at=NOW,
    expires_at=NOW + 1000,
    idle_seconds=100,
    access_seconds=10,
    born=5,
    pending=9,
    pending_by=trace(NOW + 90),
    confirmed=8,
    confirmed_by=trace(NOW + 80),
    parent=7,
)


def rotation(generation: int) -> Event:
    """Tell that a generation was traded, ten seconds after the one before."""
    at = NOW + 10 * (generation + 1)
    return Event(
        generation + 1, EventKind.REFRESH_ROTATED, at, SESSION.id, "acme", "alice", generation=generation, ip=LAPTOP
    )


def reused(generation: int) -> Session:
    """End the session by a second use of a generation."""
    end = End(Cause.REUSED, NOW + 95, reuse=Reuse(generation, trace(NOW + 95, THIEF)))
    return replace(SESSION, end=end)


def test_timeline_is_what_was_told() -> None:
    """Events with the creation among them are shown as they are."""
    created = Event(1, EventKind.SESSION_CREATED, NOW, SESSION.id)
    told = [created, *(rotation(generation) for generation in range(1, 9))]
    assert tuple(told) == timeline(SESSION, Cuts(), told)


def test_long_timeline_has_the_newest_events_and_the_creation() -> None:
    """Of more than 100 events the newest are shown, after the creation as the record has it."""
    told = [rotation(generation) for generation in range(150)]
    creation, *rest = timeline(SESSION, Cuts(), told)

    assert told[-TIMELINE_EVENTS:] == rest
    assert (0, EventKind.SESSION_CREATED, NOW, 0, b"", "") == (
        creation.sequence,
        creation.kind,
        creation.at,
        creation.generation,
        creation.ip,
        creation.caller,
    )


def test_creation_has_its_device_while_the_record_has_the_call() -> None:
    """The call that made generation 0 is in the record until its successor's successor is made."""
    young = replace(SESSION, pending=0, confirmed=None, confirmed_by=None, parent=None)
    older = replace(SESSION, pending=1, confirmed=0, parent=None)
    assert [(LAPTOP, "gateway"), (LAPTOP, "gateway"), (b"", "")] == [
        (creation.ip, creation.caller)
        for creation in (timeline(session, Cuts(), [])[0] for session in (young, older, SESSION))
    ]


def test_cuts_that_cover_the_session_stand_at_their_time() -> None:
    """A cut after the session's birth is shown where it happened, one from before its birth not at all."""
    cuts = Cuts(
        everything=Cut(5, NOW + 1, NOW + 9999, "too old"),
        tenant=Cut(7, NOW + 999, NOW + 9999, "contract ended", "bob"),
        subject=Cut(6, NOW + 25, NOW + 9999, "password changed", "alice"),
    )
    line = timeline(SESSION, cuts, [rotation(0), rotation(1), rotation(2)])

    assert ["SESSION_CREATED", "REFRESH_ROTATED", "REFRESH_ROTATED", "SCOPE_CUT", "REFRESH_ROTATED", "SCOPE_CUT"] == [
        event.kind for event in line
    ]
    assert [("SUBJECT", "password changed", "alice", "alice"), ("TENANT", "contract ended", "bob", "")] == [
        (event.details["scope"], event.details["reason"], event.actor, event.subject)
        for event in line
        if event.kind == EventKind.SCOPE_CUT
    ]


def test_session_that_no_reuse_ended_has_no_evidence() -> None:
    """A living session has none, nor has one that was ended otherwise."""
    assert reuse_evidence(SESSION, []) is None
    assert reuse_evidence(replace(SESSION, end=End(Cause.REVOKED, NOW)), []) is None


def test_first_use_comes_from_its_event() -> None:
    """However old the generation, the event of its trade tells of the first use."""
    found = reuse_evidence(reused(2), [rotation(generation) for generation in range(9)])
    assert found is not None
    assert (2, 7) == (found.generation, found.generation_distance)
    assert Use(NOW + 30, LAPTOP, "", "") == found.rotation
    assert Use(NOW + 95, THIEF, "agent", "gateway") == found.reuse


def test_first_use_comes_from_the_record_where_its_event_is_gone() -> None:
    """The record knows the last two trades; of older ones nothing is left but their events."""
    found = {generation: reuse_evidence(reused(generation), []) for generation in (8, 7, 6)}
    assert {8: NOW + 90, 7: NOW + 80, 6: None} == {
        generation: one.rotation.at if one is not None and one.rotation is not None else None
        for generation, one in found.items()
    }
