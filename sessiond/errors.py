"""
The errors that cross the API: one class per reason, the same on the server and in the client.

Rule 1: names and numbers equal the enums of ``proto/sessiond/v1``; a test holds them equal.
Rule 2: a message is for the caller who gets it. It never holds a token, a key or the text of another exception.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Cause(enum.IntEnum):
    """Why a token is refused; ``error.proto`` says what each means."""

    MALFORMED = 1
    UNKNOWN_KEY = 2
    KEY_REVOKED = 3
    TAMPERED = 4
    NOT_YET_VALID = 5
    EXPIRED = 6
    IDLE_TIMEOUT = 7
    REVOKED = 8
    SUBJECT_REVOKED = 9
    TENANT_REVOKED = 10
    ALL_REVOKED = 11
    REUSED = 12
    SUPERSEDED = 13
    STATE_LOST = 14
    UNKNOWN_SESSION = 15
    WRONG_TENANT = 16
    WRONG_TOKEN_KIND = 17
    WRONG_AUDIENCE = 18
    VERIFIER_STALE = 19
    EVICTED = 20


class Advice(enum.IntEnum):
    """What the client does next; ``error.proto`` says what each means."""

    LOG_IN_AGAIN = 1
    REFRESH = 2
    RETRY_WITH_BACKOFF = 3
    KEEP_CURRENT_TOKENS = 4
    CHECK_CLOCK = 5
    FIX_THE_CALLER = 6


class Reason(enum.IntEnum):
    """Why a call failed: the ``reason`` of google.rpc.ErrorInfo (AIP-193)."""

    INVALID_REFRESH_TOKEN = 1
    INVALID_ACCESS_TOKEN = 2
    SESSION_NOT_FOUND = 3
    SESSION_ENDED = 4
    KEY_NOT_FOUND = 5
    INVALID_REQUEST = 6
    REQUEST_ID_REUSED = 7
    ETAG_MISMATCH = 8
    LOGIN_OVERTAKEN = 9
    PERMISSION_DENIED = 10
    OVERLOADED = 11
    STORE_UNAVAILABLE = 12
    OUTCOME_UNKNOWN = 13
    DEADLINE_PASSED = 14
    INTERNAL_FAULT = 15
    TOO_MANY_SESSIONS = 16
    CLAIMS_NOT_MET = 17


_REFRESH_TOKEN_ADVICE = {
    Cause.MALFORMED: Advice.FIX_THE_CALLER,
    Cause.UNKNOWN_KEY: Advice.LOG_IN_AGAIN,
    Cause.KEY_REVOKED: Advice.LOG_IN_AGAIN,
    Cause.TAMPERED: Advice.FIX_THE_CALLER,
    Cause.EXPIRED: Advice.LOG_IN_AGAIN,
    Cause.IDLE_TIMEOUT: Advice.LOG_IN_AGAIN,
    Cause.REVOKED: Advice.LOG_IN_AGAIN,
    Cause.SUBJECT_REVOKED: Advice.LOG_IN_AGAIN,
    Cause.TENANT_REVOKED: Advice.LOG_IN_AGAIN,
    Cause.ALL_REVOKED: Advice.LOG_IN_AGAIN,
    Cause.REUSED: Advice.LOG_IN_AGAIN,
    Cause.SUPERSEDED: Advice.KEEP_CURRENT_TOKENS,
    Cause.STATE_LOST: Advice.LOG_IN_AGAIN,
    Cause.UNKNOWN_SESSION: Advice.LOG_IN_AGAIN,
    Cause.WRONG_TENANT: Advice.FIX_THE_CALLER,
    Cause.WRONG_TOKEN_KIND: Advice.FIX_THE_CALLER,
    Cause.EVICTED: Advice.LOG_IN_AGAIN,
}

_ACCESS_TOKEN_ADVICE = {
    Cause.MALFORMED: Advice.FIX_THE_CALLER,
    Cause.UNKNOWN_KEY: Advice.REFRESH,
    Cause.KEY_REVOKED: Advice.REFRESH,
    Cause.TAMPERED: Advice.FIX_THE_CALLER,
    Cause.NOT_YET_VALID: Advice.CHECK_CLOCK,
    Cause.EXPIRED: Advice.REFRESH,
    Cause.REVOKED: Advice.LOG_IN_AGAIN,
    Cause.SUBJECT_REVOKED: Advice.LOG_IN_AGAIN,
    Cause.TENANT_REVOKED: Advice.LOG_IN_AGAIN,
    Cause.ALL_REVOKED: Advice.LOG_IN_AGAIN,
    Cause.REUSED: Advice.LOG_IN_AGAIN,
    Cause.STATE_LOST: Advice.LOG_IN_AGAIN,
    Cause.UNKNOWN_SESSION: Advice.LOG_IN_AGAIN,
    Cause.WRONG_TENANT: Advice.FIX_THE_CALLER,
    Cause.WRONG_TOKEN_KIND: Advice.FIX_THE_CALLER,
    Cause.WRONG_AUDIENCE: Advice.FIX_THE_CALLER,
    Cause.VERIFIER_STALE: Advice.RETRY_WITH_BACKOFF,
    Cause.EVICTED: Advice.LOG_IN_AGAIN,
}


class SessiondError(Exception):
    """
    A call failed for a reason that its caller should know.

    Catch a subclass to handle one reason, or this class for all of them.
    ``advice`` says what to do next and is never to be second-guessed from
    the text of the message.

    A client also reads ``server_ms``, the authority's wall clock when it
    refused, and ``retry_after_ms``, the pause that it asks for; each is None
    where it did not say.
    """

    reason: ClassVar[Reason]
    advice: Advice
    server_ms: int | None = None
    retry_after_ms: int | None = None

    def __init__(self, message: str, advice: Advice | None = None) -> None:
        """Say *message* to the caller; *advice* None means the class's own."""
        super().__init__(message)
        self.message = message
        if advice is not None:
            self.advice = advice

    def __str__(self) -> str:
        """Start with the reason, so that a log line is enough."""
        return f"{self.reason.name}: {self.message}"


class TokenRefusedError(SessiondError):
    """
    A token is refused; ``cause`` says exactly why.

    ``session_id`` is the session of a well-signed token as UUID text, and None
    before the signature was found good.
    """

    _advice: ClassVar[dict[Cause, Advice]]

    def __init__(
        self,
        cause: Cause,
        message: str,
        *,
        session_id: str | None = None,
    ) -> None:
        """Refuse a token with *cause*; the advice follows from it."""
        super().__init__(message, self._advice[cause])
        self.cause = cause
        self.session_id = session_id

    def __str__(self) -> str:
        """Start with reason and cause, so that a log line is enough."""
        return f"{self.reason.name}: {self.cause.name}: {self.message}"

    @classmethod
    def causes(cls) -> frozenset[Cause]:
        """Name every cause that this kind of token can be refused with."""
        return frozenset(cls._advice)

    @classmethod
    def advice_for(cls, cause: Cause) -> Advice:
        """Say what a client does when this kind of token has *cause*."""
        return cls._advice[cause]


class InvalidRefreshToken(TokenRefusedError):  # noqa: N818 - the name on the wire, in every language
    """The refresh token is refused."""

    reason = Reason.INVALID_REFRESH_TOKEN
    _advice = _REFRESH_TOKEN_ADVICE


class InvalidAccessToken(TokenRefusedError):  # noqa: N818 - the name on the wire, in every language
    """The access token is refused."""

    reason = Reason.INVALID_ACCESS_TOKEN
    _advice = _ACCESS_TOKEN_ADVICE


class SessionNotFoundError(SessiondError):
    """No session with the id is kept, or not for this caller."""

    reason = Reason.SESSION_NOT_FOUND
    advice = Advice.FIX_THE_CALLER


class SessionEndedError(SessiondError):
    """
    The session has ended and cannot be changed.

    ``cause`` says how it ended.
    """

    reason = Reason.SESSION_ENDED
    advice = Advice.LOG_IN_AGAIN

    def __init__(self, cause: Cause, message: str) -> None:
        """Refuse a change of a session that *cause* ended."""
        super().__init__(message)
        self.cause = cause

    def __str__(self) -> str:
        """Start with reason and cause, so that a log line is enough."""
        return f"{self.reason.name}: {self.cause.name}: {self.message}"


class KeyNotFoundError(SessiondError):
    """No key of the keyset has the id."""

    reason = Reason.KEY_NOT_FOUND
    advice = Advice.FIX_THE_CALLER


class InvalidRequestError(SessiondError):
    """
    A field breaks its documented limits.

    ``violations`` pairs each field's path in the request with what is wrong
    with it and what would be right.
    """

    reason = Reason.INVALID_REQUEST
    advice = Advice.FIX_THE_CALLER

    def __init__(self, *violations: tuple[str, str]) -> None:
        """Refuse a request because of (field, description) pairs, one at least."""
        super().__init__("; ".join(f"{field}: {text}" for field, text in violations))
        self.violations = violations


class RequestIdReusedError(SessiondError):
    """The request_id was used before with another request."""

    reason = Reason.REQUEST_ID_REUSED
    advice = Advice.FIX_THE_CALLER


class EtagMismatchError(SessiondError):
    """The session was changed since its etag was read."""

    reason = Reason.ETAG_MISMATCH
    advice = Advice.FIX_THE_CALLER


class LoginOvertakenError(SessiondError):
    """A revocation of the subject came after the user was authenticated."""

    reason = Reason.LOGIN_OVERTAKEN
    advice = Advice.LOG_IN_AGAIN


class TooManySessionsError(SessiondError):
    """The subject has as many living sessions as it may have; nothing was changed."""

    reason = Reason.TOO_MANY_SESSIONS
    advice = Advice.KEEP_CURRENT_TOKENS


class ClaimsNotMetError(SessiondError):
    """
    The access token is good, but claims that the caller requires do not hold.

    ``failures`` pairs the name of each such claim with what was required of it.
    """

    reason = Reason.CLAIMS_NOT_MET
    advice = Advice.KEEP_CURRENT_TOKENS

    def __init__(self, *failures: tuple[str, str]) -> None:
        """Refuse a good token because of (claim, requirement) pairs, one at least."""
        super().__init__("; ".join(f"the claim {name!r} {text}" for name, text in failures))
        self.failures = failures


class PermissionDeniedError(SessiondError):
    """The caller's role or tenants do not allow the call."""

    reason = Reason.PERMISSION_DENIED
    advice = Advice.FIX_THE_CALLER


class OverloadedError(SessiondError):
    """The server has as many calls as it can serve; nothing was changed."""

    reason = Reason.OVERLOADED
    advice = Advice.KEEP_CURRENT_TOKENS


class StoreUnavailableError(SessiondError):
    """The store cannot serve; nothing was changed."""

    reason = Reason.STORE_UNAVAILABLE
    advice = Advice.KEEP_CURRENT_TOKENS


class IndeterminateError(SessiondError):
    """
    The store did not say whether the change happened.

    Repeating the same call with the same request id finds out: it either
    does the work or gives the first answer.
    """

    reason = Reason.OUTCOME_UNKNOWN
    advice = Advice.KEEP_CURRENT_TOKENS


class DeadlinePassedError(SessiondError):
    """The caller's deadline had passed before the work began; nothing was changed."""

    reason = Reason.DEADLINE_PASSED
    advice = Advice.KEEP_CURRENT_TOKENS


class InternalFaultError(SessiondError):
    """A fault of the authority itself; its log has the details."""

    reason = Reason.INTERNAL_FAULT
    advice = Advice.RETRY_WITH_BACKOFF
