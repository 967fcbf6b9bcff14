"""Between the values of the authority and the messages of the API."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sessiond.authority.sessions import Device, etag
from sessiond.errors import InvalidRequestError
from sessiond.ids import session_id_text
from sessiond.token.requirements import MAX_REQUIRED_CLAIMS, RequiredClaim
from sessiond.v1 import key_service_pb2, session_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiond.authority.sessions import Issued
    from sessiond.store.records import End, KeyRecord, Session
    from sessiond.v1 import verification_service_pb2


def instant(seconds: int) -> Timestamp:
    """Spell whole seconds since the epoch."""
    return Timestamp(seconds=seconds)


def instant_ms(milliseconds: int) -> Timestamp:
    """Spell milliseconds since the epoch."""
    return Timestamp(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def whole_seconds(field: str, duration: Duration) -> int:
    """
    Read a duration of whole seconds; the authority judges its range.

    Raises:
        InvalidRequestError: It has a fraction of a second.

    """
    if duration.nanos:
        raise InvalidRequestError((field, "must be a whole number of seconds"))
    return duration.seconds


def device_of(message: session_pb2.DeviceContext) -> Device:
    """Read the end user's device."""
    return Device(label=message.label, ip=message.ip, user_agent=message.user_agent)


def required_claims_of(messages: Sequence[verification_service_pb2.RequiredClaim]) -> list[RequiredClaim]:
    """Read claims that must hold; the authority judges their limits."""
    required = []
    # One more than are allowed is enough to be refused.
    for place, one in enumerate(messages[: MAX_REQUIRED_CLAIMS + 1]):
        condition = one.WhichOneof("condition")
        max_age = whole_seconds(f"required_claims[{place}].max_age", one.max_age) if condition == "max_age" else None
        required.append(
            RequiredClaim(
                one.name,
                equals_json=one.equals_json if condition == "equals_json" else None,
                contains_json=one.contains_json if condition == "contains_json" else None,
                max_age_seconds=max_age,
            )
        )
    return required


def issued_message(issued: Issued, now_ms: int) -> session_pb2.IssuedTokens:
    """Spell a pair of tokens that is handed out at *now_ms*."""
    return session_pb2.IssuedTokens(
        refresh_token=issued.refresh_token,
        access_token=issued.access_token,
        refresh_token_expires_at=instant(issued.refresh_expires_at),
        access_token_expires_at=instant(issued.access_expires_at),
        refresh_after=instant(issued.refresh_after),
        server_time=instant_ms(now_ms),
        session_id=session_id_text(issued.session_id),
        generation=issued.generation,
        revision=issued.revision,
    )


def end_message(end: End | None) -> session_pb2.SessionEnd | None:
    """Spell how a session ended, if it has."""
    if end is None:
        return None
    cause = f"CAUSE_{end.cause.name}"
    return session_pb2.SessionEnd(cause=cause, reason=end.reason, actor=end.actor, ended_at=instant(end.at))


def session_message(session: Session) -> session_pb2.Session:
    """Spell a session."""
    newest = session.pending_by
    return session_pb2.Session(
        session_id=session_id_text(session.id),
        tenant=session.tenant,
        subject=session.subject,
        client_id=session.client_id,
        audience=session.audience,
        claims_json=session.claims_json,
        data_json=session.data_json,
        device=session_pb2.DeviceContext(label=session.label, ip=address_text(newest.ip), user_agent=newest.user_agent),
        state=session_pb2.SESSION_STATE_ENDED if session.end else session_pb2.SESSION_STATE_ACTIVE,
        end=end_message(session.end),
        created_at=instant(session.created_at),
        refreshed_at=instant(newest.at),
        expires_at=instant(session.expires_at),
        idle_expires_at=instant(min(newest.at + session.idle_seconds, session.expires_at)),
        generation=session.pending,
        counters=session_pb2.RefreshCounters(
            shared=session.shared,
            retried=session.retried,
            superseded=session.superseded,
            refusals=sum(refusal.count for refusal in session.refusals),
        ),
        etag=etag(session),
    )


def key_message(key: KeyRecord) -> key_service_pb2.Key:
    """Spell a public key; the sealed private one has no place in any message."""
    return key_service_pb2.Key(
        key_id=key.key_id.hex(),
        purpose=f"KEY_PURPOSE_{key.purpose.name}",
        state=f"KEY_STATE_{key.state.name}",
        format=key.format,
        public_key=key.public_key,
        created_at=instant(key.created_at),
        activates_at=instant(key.activates_at),
        retired_at=_reached(key.retired_at),
        revoked_at=_reached(key.revoked_at),
        expires_at=_reached(key.expires_at),
    )


def _reached(seconds: int) -> Timestamp | None:
    return instant(seconds) if seconds else None


def address_text(packed: bytes) -> str:
    """Spell an address, empty for none."""
    return str(ipaddress.ip_address(packed)) if packed else ""
