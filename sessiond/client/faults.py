"""
What a failed call means: from a status of gRPC to the exception that its caller handles.

Rule 1: what the authority says in ErrorInfo and ErrorDetail is raised as it said it; its advice stands.
Rule 2: an answer that did not come from the authority (the network, a proxy, a deadline) never says that a token is
    bad, never advises to log in, and says nothing about what happened: the outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from sessiond.client.messages import milliseconds
from sessiond.errors import (
    Advice,
    Cause,
    ClaimsNotMetError,
    DeadlinePassedError,
    EtagMismatchError,
    IndeterminateError,
    InternalFaultError,
    InvalidAccessToken,
    InvalidRefreshToken,
    InvalidRequestError,
    KeyNotFoundError,
    LoginOvertakenError,
    OverloadedError,
    PermissionDeniedError,
    Reason,
    RequestIdReusedError,
    SessiondError,
    SessionEndedError,
    SessionNotFoundError,
    StoreUnavailableError,
    TokenRefusedError,
    TooManySessionsError,
)
from sessiond.v1 import error_pb2

Detail = TypeVar("Detail", bound=Message)

DOMAIN = "sessiond"

_REASON_KEY = "sessiond-reason"
_CAUSE_KEY = "sessiond-cause"
_ADVICE_KEY = "sessiond-advice"
_DETAILS_KEY = "grpc-status-details-bin"

_TOKEN_REFUSED: Mapping[str, type[TokenRefusedError]] = {
    kind.reason.name: kind for kind in (InvalidRefreshToken, InvalidAccessToken)
}
_PLAIN: Mapping[str, type[SessiondError]] = {
    kind.reason.name: kind
    for kind in (
        SessionNotFoundError,
        KeyNotFoundError,
        RequestIdReusedError,
        EtagMismatchError,
        LoginOvertakenError,
        TooManySessionsError,
        PermissionDeniedError,
        OverloadedError,
        StoreUnavailableError,
        IndeterminateError,
        DeadlinePassedError,
        InternalFaultError,
    )
}

# Statuses that something between client and authority gives, or gRPC itself, before the call reached a handler.
_NOT_STARTED = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
    grpc.StatusCode.UNAUTHENTICATED: PermissionDeniedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
}
# Those that can come at any time, also after the work was done.
_OUTCOME_UNKNOWN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DATA_LOSS,
}


class UnexpectedAnswerError(InternalFaultError):
    """
    An answer that this release cannot read.

    It comes from a later release, whose advice still holds, or from something
    that is no authority at all.
    """


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What the authority said: spellings as they came, since a later release may know more of them."""

    reason: str
    cause: str
    advice: str
    message: str
    session_id: str | None = None
    server_ms: int | None = None
    retry_after_ms: int | None = None
    violations: tuple[tuple[str, str], ...] = ()
    failed_claims: tuple[tuple[str, str], ...] = ()


def error_of(error: grpc.RpcError, target: str) -> SessiondError:
    """Say what a call to *target* failed with."""
    call: grpc.Call = error  # type: ignore[assignment] # whatever a call raises is that call as well
    refusal = _read(call)
    if refusal is None:
        return _unanswered(call.code(), call.details() or "no details", target)
    made = _refused(refusal)
    if refusal.advice in Advice.__members__:
        made.advice = Advice[refusal.advice]
    made.server_ms = refusal.server_ms
    made.retry_after_ms = refusal.retry_after_ms
    return made


def _refused(refusal: _Refusal) -> SessiondError:
    cause = Cause.__members__.get(refusal.cause)
    token_refused = _TOKEN_REFUSED.get(refusal.reason)
    if token_refused is not None and cause in token_refused.causes():
        return token_refused(cause, refusal.message, session_id=refusal.session_id)
    if refusal.reason == Reason.SESSION_ENDED.name and cause is not None:
        return SessionEndedError(cause, refusal.message)
    if refusal.reason == Reason.INVALID_REQUEST.name:
        return InvalidRequestError(*(refusal.violations or (("request", refusal.message),)))
    if refusal.reason == Reason.CLAIMS_NOT_MET.name:
        return ClaimsNotMetError(*(refusal.failed_claims or (("not named", refusal.message),)))
    plain = _PLAIN.get(refusal.reason)
    if plain is not None:
        return plain(refusal.message)
    named = " ".join(part for part in (refusal.reason, refusal.cause) if part)
    return UnexpectedAnswerError(f"{named}, which this release of the client does not know: {refusal.message}")


def _unanswered(code: grpc.StatusCode, details: str, target: str) -> SessiondError:
    said = f"{code.name}: {details}"
    if code in _OUTCOME_UNKNOWN:
        return IndeterminateError(f"no answer from {target}, so the outcome is unknown ({said})")
    kind = _NOT_STARTED.get(code)
    if kind is not None:
        return kind(f"refused on the way to {target} ({said})")
    message = f"what serves on {target} does not answer as an authority of this release does ({said})"
    return UnexpectedAnswerError(message, Advice.FIX_THE_CALLER)


def _read(call: grpc.Call) -> _Refusal | None:
    """Read what the authority said: the details, else the trailing metadata; None where neither is its own."""
    trailing: dict[str, str | bytes] = dict(call.trailing_metadata() or ())
    message = call.details() or ""
    packed = trailing.get(_DETAILS_KEY)
    if isinstance(packed, bytes):
        try:
            refusal = _read_details(status_pb2.Status.FromString(packed), message)
        except DecodeError:
            refusal = None
        if refusal is not None:
            return refusal
    reason = trailing.get(_REASON_KEY)
    if reason is None:
        return None
    cause, advice = str(trailing.get(_CAUSE_KEY, "")), str(trailing.get(_ADVICE_KEY, ""))
    return _Refusal(str(reason), cause, advice, _without_names(message, str(reason), cause))


def _read_details(status: status_pb2.Status, message: str) -> _Refusal | None:
    info = _unpacked(status, error_details_pb2.ErrorInfo())
    if info is None or info.domain != DOMAIN:
        return None
    detail = _unpacked(status, error_pb2.ErrorDetail())
    retry = _unpacked(status, error_details_pb2.RetryInfo())
    bad = _unpacked(status, error_details_pb2.BadRequest())
    unmet = _unpacked(status, error_details_pb2.PreconditionFailure())
    cause = info.metadata.get("cause", "")
    return _Refusal(
        reason=info.reason,
        cause=cause,
        advice=info.metadata.get("advice", ""),
        message=_without_names(message, info.reason, cause),
        session_id=(detail.session_id or None) if detail is not None else None,
        server_ms=milliseconds(detail.server_time) if detail is not None else None,
        retry_after_ms=retry.retry_delay.ToMilliseconds() if retry is not None else None,
        violations=tuple((one.field, one.description) for one in bad.field_violations) if bad is not None else (),
        failed_claims=tuple((one.subject, one.description) for one in unmet.violations) if unmet is not None else (),
    )


def _unpacked(status: status_pb2.Status, into: Detail) -> Detail | None:
    for detail in status.details:
        if detail.Unpack(into):
            return into
    return None


def _without_names(message: str, *names: str) -> str:
    """Take off the reason and the cause that a message starts with: the exception shows them itself."""
    for name in names:
        message = message.removeprefix(f"{name}: ")
    return message
