"""Between events and explanations of the authority and the messages of DiagnosisService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.authority.event_search import EventFilter
from sessiond.authority.events import EventKind
from sessiond.errors import Cause, InvalidRequestError
from sessiond.ids import session_id_text
from sessiond.server.messages import address_text, instant, instant_ms, session_message
from sessiond.token.format import AccessContent
from sessiond.token.inspect import TokenKind
from sessiond.v1 import diagnosis_service_pb2 as pb
from sessiond.v1 import session_pb2

if TYPE_CHECKING:
    from sessiond.authority.evidence import ReuseEvidence, Use
    from sessiond.authority.explaining import Explanation
    from sessiond.store.records import Event
    from sessiond.token.format import RefreshContent

_TOKEN_KINDS = {
    None: pb.TOKEN_KIND_UNSPECIFIED,
    TokenKind.REFRESH: pb.TOKEN_KIND_REFRESH,
    TokenKind.ACCESS: pb.TOKEN_KIND_ACCESS,
}
_KIND_PREFIX = "EVENT_KIND_"
_CAUSE_PREFIX = "CAUSE_"


def event_message(event: Event) -> pb.Event:
    """Spell an event."""
    return pb.Event(
        sequence=event.sequence,
        kind=f"{_KIND_PREFIX}{event.kind}",
        happened_at=instant(event.at),
        session_id=session_id_text(event.session_id) if event.session_id else "",
        tenant=event.tenant,
        subject=event.subject,
        cause=f"{_CAUSE_PREFIX}{event.cause.name}" if event.cause is not None else None,
        generation=event.generation if event.generation >= 0 else None,
        device=_device_message(event.ip, event.user_agent),
        caller=event.caller,
        actor=event.actor,
        details=event.details,
    )


def filter_of(message: pb.EventFilter) -> EventFilter:
    """
    Read which events are wanted.

    Raises:
        InvalidRequestError: A kind or a cause is none that there is.

    """
    return EventFilter(
        session_id=message.session_id,
        tenant=message.tenant,
        subject=message.subject,
        kinds={_known_kind(number) for number in message.kinds},
        causes={_known_cause(number) for number in message.causes},
    )


def explanation_message(explanation: Explanation, now_ms: int) -> pb.ExplainTokenResponse:
    """Spell what there is to say about a token at *now_ms*."""
    cause, advice, key = explanation.cause, explanation.advice, explanation.key
    return pb.ExplainTokenResponse(
        kind=_TOKEN_KINDS[explanation.kind],
        content=_content_message(explanation.content),
        key_id=explanation.key_id.hex(),
        key_state=f"KEY_STATE_{key.state.name}" if key is not None else None,
        signature_good=explanation.signature_good,
        cause=f"{_CAUSE_PREFIX}{cause.name}" if cause is not None else None,
        explanation=explanation.message,
        advice=f"ADVICE_{advice.name}" if advice is not None else None,
        session=session_message(explanation.session) if explanation.session is not None else None,
        timeline=[event_message(event) for event in explanation.timeline],
        reuse=_reuse_message(explanation.reuse),
        server_time=instant_ms(now_ms),
    )


def _content_message(content: RefreshContent | AccessContent | None) -> pb.TokenContent | None:
    if content is None:
        return None
    message = pb.TokenContent(
        session_id=session_id_text(content.session_id),
        generation=content.generation,
        issued_at=instant(content.issued_at),
        expires_at=instant(content.expires_at),
    )
    if isinstance(content, AccessContent):
        message.tenant = content.tenant
        message.subject = content.subject
        message.client_id = content.client_id
        message.audience = content.audience
        message.issuer = content.issuer
        message.claims_json = content.claims_json
    return message


def _reuse_message(evidence: ReuseEvidence | None) -> pb.ReuseEvidence | None:
    if evidence is None:
        return None
    rotation = evidence.rotation
    return pb.ReuseEvidence(
        rotation=_use_message(evidence.generation, rotation) if rotation is not None else None,
        reuse=_use_message(evidence.generation, evidence.reuse),
        generation_distance=evidence.generation_distance,
        seconds_since_rotation=evidence.reuse.at - rotation.at if rotation is not None else None,
    )


def _use_message(generation: int, use: Use) -> pb.TokenUse:
    return pb.TokenUse(
        generation=generation,
        used_at=instant(use.at),
        device=_device_message(use.ip, use.user_agent),
        caller=use.caller,
    )


def _device_message(ip: bytes, user_agent: str) -> session_pb2.DeviceContext | None:
    if not ip and not user_agent:
        return None
    return session_pb2.DeviceContext(ip=address_text(ip), user_agent=user_agent)


def _known_kind(number: int) -> EventKind:
    """Read a kind; enums of proto3 are open, so any number can arrive."""
    try:
        return EventKind(pb.EventKind.Name(number).removeprefix(_KIND_PREFIX))
    except ValueError:
        raise InvalidRequestError(("filter.kinds", f"{number} is no kind of event")) from None


def _known_cause(number: int) -> Cause:
    try:
        return Cause(number)
    except ValueError:
        raise InvalidRequestError(("filter.causes", f"{number} is no cause")) from None
