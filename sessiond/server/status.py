"""
The one map from our errors to what a caller receives.

Rule 1: an error leaves as google.rpc.Status with ErrorInfo first (AIP-193) and ErrorDetail second.
Rule 2: reason, cause and advice also stand in trailing metadata, for clients without rich errors.
Rule 3: everything is bounded: a client refuses trailers above 8 KiB, and would then see nothing of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from google.protobuf import any_pb2, duration_pb2, timestamp_pb2
from google.rpc import error_details_pb2, status_pb2

from sessiond.errors import (
    ClaimsNotMetError,
    IndeterminateError,
    InvalidRequestError,
    OverloadedError,
    Reason,
    SessiondError,
    SessionEndedError,
    StoreUnavailableError,
    TokenRefusedError,
)
from sessiond.v1 import error_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

DOMAIN = "sessiond"
REASON_KEY = "sessiond-reason"
CAUSE_KEY = "sessiond-cause"
ADVICE_KEY = "sessiond-advice"

MAX_MESSAGE_CHARACTERS = 512
MAX_DESCRIPTION_CHARACTERS = 200
MAX_VIOLATIONS = 10

# So that each of 16 required claims is named, whatever their length.
_CLAIM_BYTES = 120
_CLAIM_VIOLATION = "CLAIM"

_DETAILS_KEY = "grpc-status-details-bin"

CODES = {
    Reason.INVALID_REFRESH_TOKEN: grpc.StatusCode.UNAUTHENTICATED,
    Reason.INVALID_ACCESS_TOKEN: grpc.StatusCode.UNAUTHENTICATED,
    Reason.SESSION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.SESSION_ENDED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.KEY_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.INVALID_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.REQUEST_ID_REUSED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.ETAG_MISMATCH: grpc.StatusCode.ABORTED,
    Reason.LOGIN_OVERTAKEN: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.TOO_MANY_SESSIONS: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.CLAIMS_NOT_MET: grpc.StatusCode.PERMISSION_DENIED,
    Reason.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.STORE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.OUTCOME_UNKNOWN: grpc.StatusCode.UNAVAILABLE,
    Reason.DEADLINE_PASSED: grpc.StatusCode.DEADLINE_EXCEEDED,
    Reason.INTERNAL_FAULT: grpc.StatusCode.INTERNAL,
}

_RETRY_AFTER_MS = {OverloadedError: 200, StoreUnavailableError: 1000, IndeterminateError: 1000}


@dataclass(frozen=True, slots=True)
class Status(grpc.Status):
    """What ends a call: code, message, and trailing metadata with the details in it."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def status_of(error: SessiondError, *, server_ms: int, call_id: str = "") -> Status:
    """
    Say *error* to the caller.

    Args:
        error: What happened.
        server_ms: The wall clock at the time of the answer, in milliseconds.
        call_id: The name of this call in our log; empty where the log has nothing to add.

    """
    cause = error.cause if isinstance(error, (TokenRefusedError, SessionEndedError)) else None
    info = {"advice": error.advice.name}
    if cause is not None:
        info["cause"] = cause.name
    if call_id:
        info["call_id"] = call_id
    detail = error_pb2.ErrorDetail(
        reason=error.reason.name,
        cause=None if cause is None else f"CAUSE_{cause.name}",
        advice=f"ADVICE_{error.advice.name}",
        server_time=timestamp_pb2.Timestamp(seconds=server_ms // 1000, nanos=server_ms % 1000 * 1_000_000),
    )
    if isinstance(error, TokenRefusedError) and error.session_id is not None:
        detail.session_id = error.session_id
    first = error_details_pb2.ErrorInfo(reason=error.reason.name, domain=DOMAIN, metadata=info)
    code = CODES[error.reason]
    message = _printable(str(error), MAX_MESSAGE_CHARACTERS)
    rich = status_pb2.Status(
        code=code.value[0], message=message, details=[_packed(one) for one in (first, detail, *_more(error))]
    )
    metadata: list[tuple[str, str | bytes]] = [(REASON_KEY, error.reason.name)]
    if cause is not None:
        metadata.append((CAUSE_KEY, cause.name))
    metadata += [(ADVICE_KEY, error.advice.name), (_DETAILS_KEY, rich.SerializeToString())]
    return Status(code, message, tuple(metadata))


def _more(error: SessiondError) -> list[Message]:
    if isinstance(error, InvalidRequestError):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=_printable(field, MAX_DESCRIPTION_CHARACTERS),
                description=_printable(text, MAX_DESCRIPTION_CHARACTERS),
            )
            for field, text in error.violations[:MAX_VIOLATIONS]
        ]
        return [error_details_pb2.BadRequest(field_violations=violations)]
    if isinstance(error, ClaimsNotMetError):
        failures = [
            error_details_pb2.PreconditionFailure.Violation(
                type=_CLAIM_VIOLATION, subject=_shortened(name), description=_printable(text, _CLAIM_BYTES)
            )
            for name, text in error.failures
        ]
        return [error_details_pb2.PreconditionFailure(violations=failures)]
    for kind, milliseconds in _RETRY_AFTER_MS.items():
        if isinstance(error, kind):
            delay = duration_pb2.Duration(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)
            return [error_details_pb2.RetryInfo(retry_delay=delay)]
    return []


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _shortened(name: str) -> str:
    """Cut the name of a claim, which is a caller's own text, at whole characters."""
    return name.encode()[:_CLAIM_BYTES].decode(errors="ignore")


def _printable(text: str, limit: int) -> str:
    """Spell *text* in printable ASCII, so that it can be a header and a log line, and cut it at *limit*."""
    shown = "".join(c if c.isascii() and c.isprintable() else ascii(c)[1:-1] for c in text[:limit])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
