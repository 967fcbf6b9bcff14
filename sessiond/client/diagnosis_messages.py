"""Between the messages of DiagnosisService and the values of the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.client.diagnosis import (
    Event,
    EventKind,
    EventPage,
    Explanation,
    ReuseEvidence,
    TokenContent,
    TokenKind,
    TokenUse,
)
from sessiond.client.messages import cause_of, device_of, member, milliseconds, session_of
from sessiond.client.results import KeyState
from sessiond.errors import Advice
from sessiond.v1 import diagnosis_service_pb2 as pb

if TYPE_CHECKING:
    from sessiond.client.diagnosis import EventFilter


def filter_message(wanted: EventFilter) -> pb.EventFilter:
    """Spell which events are wanted."""
    return pb.EventFilter(
        session_id=wanted.session_id,
        tenant=wanted.tenant,
        subject=wanted.subject,
        kinds=[f"EVENT_KIND_{kind.name}" for kind in wanted.kinds],
        causes=[f"CAUSE_{cause.name}" for cause in wanted.causes],
    )


def page_of(message: pb.ListEventsResponse) -> EventPage:
    """Read a page of events."""
    events = tuple(event_of(event) for event in message.events)
    return EventPage(events=events, cursor=message.cursor, more=message.more)


def event_of(message: pb.Event) -> Event:
    """Read an event."""
    return Event(
        sequence=message.sequence,
        kind=member(EventKind, message.kind),
        happened_at=message.happened_at.seconds,
        session_id=message.session_id,
        tenant=message.tenant,
        subject=message.subject,
        cause=cause_of(message.cause),
        generation=message.generation if message.HasField("generation") else None,
        device=device_of(message.device),
        caller=message.caller,
        actor=message.actor,
        details=dict(message.details),
    )


def explanation_of(message: pb.ExplainTokenResponse) -> Explanation:
    """Read what there is to say about a token."""
    return Explanation(
        kind=member(TokenKind, message.kind),
        content=_content_of(message.content) if message.HasField("content") else None,
        key_id=message.key_id,
        key_state=member(KeyState, message.key_state) if message.key_state else None,
        signature_good=message.signature_good,
        refused=message.cause != 0,
        cause=cause_of(message.cause),
        explanation=message.explanation,
        advice=_advice_of(message.advice),
        session=session_of(message.session) if message.HasField("session") else None,
        timeline=tuple(event_of(event) for event in message.timeline),
        reuse=_reuse_of(message.reuse) if message.HasField("reuse") else None,
        server_ms=milliseconds(message.server_time),
    )


def _content_of(message: pb.TokenContent) -> TokenContent:
    return TokenContent(
        session_id=message.session_id,
        generation=message.generation,
        issued_at=message.issued_at.seconds,
        expires_at=message.expires_at.seconds,
        tenant=message.tenant,
        subject=message.subject,
        client_id=message.client_id,
        audience=message.audience,
        issuer=message.issuer,
        claims_json=message.claims_json,
    )


def _reuse_of(message: pb.ReuseEvidence) -> ReuseEvidence:
    seconds = message.seconds_since_rotation if message.HasField("seconds_since_rotation") else None
    return ReuseEvidence(
        rotation=_use_of(message.rotation) if message.HasField("rotation") else None,
        reuse=_use_of(message.reuse),
        generation_distance=message.generation_distance,
        seconds_since_rotation=seconds,
    )


def _use_of(message: pb.TokenUse) -> TokenUse:
    return TokenUse(
        generation=message.generation,
        used_at=message.used_at.seconds,
        device=device_of(message.device),
        caller=message.caller,
    )


def _advice_of(number: int) -> Advice | None:
    try:
        return Advice(number)
    except ValueError:
        return None
