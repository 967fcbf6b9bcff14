"""Between the messages of the API and the values of the client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.duration_pb2 import Duration

from sessiond.client.diagnosis import EventKind, TokenKind
from sessiond.client.results import (
    Device,
    Key,
    KeyPurpose,
    KeyState,
    RefreshOutcome,
    RevocationVerdict,
    ScopeRevoked,
    Session,
    SessionEnd,
    SessionState,
    Tokens,
    Verified,
)
from sessiond.errors import Cause
from sessiond.token.format import ACCESS_MAX_LENGTH
from sessiond.v1 import session_pb2, verification_service_pb2

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from sessiond.token.requirements import RequiredClaim
    from sessiond.v1 import key_service_pb2, session_service_pb2

    ScopeReply = (
        session_service_pb2.RevokeSubjectResponse
        | session_service_pb2.RevokeTenantResponse
        | session_service_pb2.RevokeAllResponse
    )

Named = TypeVar("Named", RefreshOutcome, SessionState, RevocationVerdict, KeyPurpose, KeyState, TokenKind, EventKind)


def access_token_text(access_token: str) -> str:
    """
    Spell an access token.

    A text that none can be, and that no message may be able to hold, is sent as the empty one: MALFORMED like it.
    """
    return access_token if len(access_token) <= ACCESS_MAX_LENGTH and access_token.isascii() else ""


def token_text(token: str) -> str:
    """Spell any text that is meant to be a token; half a surrogate pair, which no message holds, as a question mark."""
    return token.encode("utf-8", "replace").decode()


def device_message(device: Device | None) -> session_pb2.DeviceContext | None:
    """Spell a device."""
    if device is None:
        return None
    return session_pb2.DeviceContext(label=device.label, ip=device.ip, user_agent=device.user_agent)


def device_of(message: session_pb2.DeviceContext) -> Device:
    """Read a device."""
    return Device(message.label, message.ip, message.user_agent)


def duration(seconds: int | None) -> Duration | None:
    """Spell a span; None stays unset."""
    return None if seconds is None else Duration(seconds=seconds)


def required_claim_message(required: RequiredClaim) -> verification_service_pb2.RequiredClaim:
    """Spell a claim that must hold."""
    return verification_service_pb2.RequiredClaim(
        name=required.name,
        equals_json=required.equals_json,
        contains_json=required.contains_json,
        max_age=duration(required.max_age_seconds),
    )


def json_text(value: Mapping[str, object] | str) -> str:
    """
    Spell one JSON object: a mapping is encoded, a text is taken as it stands.

    Raises:
        ValueError: A mapping holds NaN or an infinity, which JSON cannot spell.
        TypeError: A mapping holds what JSON has no form for.

    """
    if isinstance(value, str):
        return value
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def tokens_of(message: session_pb2.IssuedTokens, received_ms: int) -> Tokens:
    """Read a pair of tokens that came at *received_ms* by this machine's wall clock."""
    return Tokens(
        refresh_token=message.refresh_token,
        access_token=message.access_token,
        session_id=message.session_id,
        generation=message.generation,
        refresh_token_expires_at=message.refresh_token_expires_at.seconds,
        access_token_expires_at=message.access_token_expires_at.seconds,
        refresh_after=message.refresh_after.seconds,
        server_ms=milliseconds(message.server_time),
        received_ms=received_ms,
        revision=message.revision,
    )


def session_of(message: session_pb2.Session) -> Session:
    """Read a session."""
    return Session(
        session_id=message.session_id,
        tenant=message.tenant,
        subject=message.subject,
        client_id=message.client_id,
        audience=message.audience,
        claims_json=message.claims_json,
        data_json=message.data_json,
        device=device_of(message.device),
        state=member(SessionState, message.state),
        end=end_of(message.end) if message.HasField("end") else None,
        created_at=message.created_at.seconds,
        refreshed_at=message.refreshed_at.seconds,
        expires_at=message.expires_at.seconds,
        idle_expires_at=message.idle_expires_at.seconds,
        generation=message.generation,
        shared=message.counters.shared,
        retried=message.counters.retried,
        superseded=message.counters.superseded,
        refusals=message.counters.refusals,
        etag=message.etag,
    )


def end_of(message: session_pb2.SessionEnd) -> SessionEnd:
    """Read how a session ended."""
    return SessionEnd(
        cause=cause_of(message.cause),
        reason=message.reason,
        actor=message.actor,
        ended_at=message.ended_at.seconds,
    )


def scope_revoked_of(message: ScopeReply) -> ScopeRevoked:
    """Read when every session of a scope ended."""
    return ScopeRevoked(ended_at=message.ended_at.seconds, revision=message.revision)


def verified_of(message: verification_service_pb2.VerifyResponse) -> Verified:
    """Read who a token speaks for."""
    return Verified(
        session_id=message.session_id,
        tenant=message.tenant,
        subject=message.subject,
        client_id=message.client_id,
        audience=message.audience,
        generation=message.generation,
        issued_at=message.issued_at.seconds,
        expires_at=message.expires_at.seconds,
        claims_json=message.claims_json,
        revision=message.revision,
    )


def key_of(message: key_service_pb2.Key) -> Key:
    """Read a public key."""
    return Key(
        key_id=message.key_id,
        purpose=member(KeyPurpose, message.purpose),
        state=member(KeyState, message.state),
        format=message.format,
        public_key=message.public_key,
        created_at=message.created_at.seconds,
        activates_at=message.activates_at.seconds,
        retired_at=message.retired_at.seconds if message.HasField("retired_at") else None,
        revoked_at=message.revoked_at.seconds if message.HasField("revoked_at") else None,
        expires_at=message.expires_at.seconds if message.HasField("expires_at") else None,
    )


def milliseconds(instant: Timestamp) -> int:
    """Read an instant in milliseconds since the epoch."""
    return instant.seconds * 1000 + instant.nanos // 1_000_000


def member(kind: type[Named], number: int) -> Named:
    """Read an enum; enums of proto3 are open, so a later release can send any number."""
    try:
        return kind(number)
    except ValueError:
        return kind.UNKNOWN


def cause_of(number: int) -> Cause | None:
    """Read a cause, None where there is none or it is one of a later release."""
    try:
        return Cause(number)
    except ValueError:
        return None
