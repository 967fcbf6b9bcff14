"""What a failed call is raised as: every reason of the authority, and every answer that is not its own."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from sessiond.client import Client, UnexpectedAnswerError
from sessiond.errors import (
    Advice,
    Cause,
    ClaimsNotMetError,
    IndeterminateError,
    InvalidAccessToken,
    InvalidRefreshToken,
    InvalidRequestError,
    OverloadedError,
    PermissionDeniedError,
    Reason,
    SessiondError,
    SessionEndedError,
    SessionNotFoundError,
    TokenRefusedError,
)
from sessiond.server.status import status_of
from sessiond.v1 import error_pb2
from tests.client.strangers import Stranger, info, refusing, serving
from tests.rpc.world import World

NOON_MS = 1_800_000_000_123
SESSION_ID = "0199f3a2-7c1e-7abc-8def-0123456789ab"


def subclasses(kind: type[SessiondError]) -> set[type[SessiondError]]:
    """Give every class below *kind* that has a reason and stands in errors.py."""
    below = {one for direct in kind.__subclasses__() for one in {direct, *subclasses(direct)}}
    return {one for one in below if hasattr(one, "reason") and one.__module__ == "sessiond.errors"}


def examples() -> list[SessiondError]:
    """Make one error of every class, and of every cause."""
    made: list[SessiondError] = []
    for kind in subclasses(SessiondError):
        if issubclass(kind, TokenRefusedError):
            made += [kind(cause, "a sentence", session_id=SESSION_ID) for cause in kind.causes()]
        elif issubclass(kind, SessionEndedError):
            made.append(kind(Cause.REVOKED, "a sentence"))
        elif issubclass(kind, ClaimsNotMetError):
            made.append(kind(*((f"claim {number}", f"differs: it must equal {number}") for number in range(3))))
        elif issubclass(kind, InvalidRequestError):
            made.append(kind(("tenant", "is required"), ("subject", "is too long")))
        else:
            made.append(kind("a sentence"))
    return made


def raised(handler: grpc.GenericRpcHandler, *, timeout_seconds: float = 5) -> SessiondError:
    """Call what *handler* serves, and give what the call raises."""
    with (
        serving(handler) as address,
        Client(address, timeout_seconds=timeout_seconds) as client,
        pytest.raises(SessiondError) as caught,
    ):
        client.refresh("sdr_")
    return caught.value


def answering(error: SessiondError) -> Stranger:
    """Refuse as the authority does."""

    def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort_with_status(status_of(error, server_ms=NOON_MS))

    return Stranger(refuse)


@pytest.mark.parametrize("error", examples(), ids=lambda error: f"{type(error).__name__}-{getattr(error, 'cause', '')}")
def test_error_of_the_authority_is_raised_as_it_was(error: SessiondError) -> None:
    """Class, cause, advice, message, session and the server's time survive the way, for every reason and cause."""
    arrived = raised(answering(error))

    assert type(error) is type(arrived)
    assert str(error) == str(arrived)
    assert error.advice is arrived.advice
    assert NOON_MS == arrived.server_ms
    for name in ("cause", "session_id", "violations", "failures"):
        assert getattr(error, name, None) == getattr(arrived, name, None)


def test_every_reason_has_a_class() -> None:
    """Whatever reason the contract has, the examples of this file cover it."""
    assert set(Reason) == {error.reason for error in examples()}


def test_pause_that_the_authority_asks_for_arrives() -> None:
    """An overload says how long to wait; an error that does not say leaves it open."""
    assert 200 == raised(answering(OverloadedError("busy"))).retry_after_ms
    assert raised(answering(SessionNotFoundError("gone"))).retry_after_ms is None


def test_real_refusal_names_cause_advice_and_session(client: Client, here: World) -> None:
    """A refusal of the real server arrives with everything it holds, and never with the token."""
    tokens = client.create_session("acme", "alice")
    client.revoke_session(tokens.session_id)
    with pytest.raises(InvalidRefreshToken) as caught:
        client.refresh(tokens.refresh_token)
    error = caught.value

    assert (Cause.REVOKED, Advice.LOG_IN_AGAIN) == (error.cause, error.advice)
    assert tokens.session_id == error.session_id
    assert here.clock.wall_ms() == error.server_ms
    assert str(error).startswith("INVALID_REFRESH_TOKEN: REVOKED: ")
    assert tokens.refresh_token not in repr(error) + str(error) + repr(error.__cause__)


def test_real_bad_request_names_its_fields(client: Client) -> None:
    """Every field at fault arrives with what is wrong with it."""
    with pytest.raises(InvalidRequestError) as caught:
        client.create_session("", "a" * 256)

    assert ["tenant", "subject"] == [field for field, _ in caught.value.violations]


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (grpc.StatusCode.UNAVAILABLE, IndeterminateError, Advice.KEEP_CURRENT_TOKENS),
        (grpc.StatusCode.DEADLINE_EXCEEDED, IndeterminateError, Advice.KEEP_CURRENT_TOKENS),
        (grpc.StatusCode.CANCELLED, IndeterminateError, Advice.KEEP_CURRENT_TOKENS),
        (grpc.StatusCode.UNKNOWN, IndeterminateError, Advice.KEEP_CURRENT_TOKENS),
        (grpc.StatusCode.INTERNAL, IndeterminateError, Advice.KEEP_CURRENT_TOKENS),
        (grpc.StatusCode.ABORTED, IndeterminateError, Advice.KEEP_CURRENT_TOKENS),
        (grpc.StatusCode.DATA_LOSS, IndeterminateError, Advice.KEEP_CURRENT_TOKENS),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, OverloadedError, Advice.KEEP_CURRENT_TOKENS),
        (grpc.StatusCode.UNAUTHENTICATED, PermissionDeniedError, Advice.FIX_THE_CALLER),
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDeniedError, Advice.FIX_THE_CALLER),
        (grpc.StatusCode.UNIMPLEMENTED, UnexpectedAnswerError, Advice.FIX_THE_CALLER),
        (grpc.StatusCode.NOT_FOUND, UnexpectedAnswerError, Advice.FIX_THE_CALLER),
        (grpc.StatusCode.INVALID_ARGUMENT, UnexpectedAnswerError, Advice.FIX_THE_CALLER),
        (grpc.StatusCode.FAILED_PRECONDITION, UnexpectedAnswerError, Advice.FIX_THE_CALLER),
        (grpc.StatusCode.OUT_OF_RANGE, UnexpectedAnswerError, Advice.FIX_THE_CALLER),
        (grpc.StatusCode.ALREADY_EXISTS, UnexpectedAnswerError, Advice.FIX_THE_CALLER),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_bare_status_never_condemns_a_token(code: grpc.StatusCode, kind: type[SessiondError], advice: Advice) -> None:
    """A status that the authority did not make is typed, keeps the tokens, and names where the call went."""
    error = raised(refusing(code, "said a proxy"))

    assert (kind, advice) == (type(error), error.advice)
    assert "127.0.0.1:" in str(error)
    assert f"{code.name}: said a proxy" in str(error)
    assert (None, None) == (error.server_ms, error.retry_after_ms)


@pytest.mark.parametrize(
    "stranger",
    [
        refusing(grpc.StatusCode.UNAUTHENTICATED, "no", info("INVALID_REFRESH_TOKEN", domain="another.example")),
        refusing(grpc.StatusCode.UNAUTHENTICATED, "no", Duration(seconds=1)),
        refusing(grpc.StatusCode.UNAUTHENTICATED, "no", metadata=(("grpc-status-details-bin", b"\xff\xff"),)),
        refusing(grpc.StatusCode.UNAUTHENTICATED, "no", metadata=(("grpc-status-details-bin", b""),)),
    ],
    ids=["another domain", "no ErrorInfo", "garbage", "empty"],
)
def test_details_of_others_are_not_taken_for_ours(stranger: Stranger) -> None:
    """Details that the authority did not make are a bare status."""
    assert PermissionDeniedError is type(raised(stranger))


def test_trailing_metadata_stands_in_for_lost_details() -> None:
    """Where a proxy drops the binary details, reason, cause and advice are read from the trailing metadata."""
    spelled = (
        ("sessiond-reason", "INVALID_REFRESH_TOKEN"),
        ("sessiond-cause", "REUSED"),
        ("sessiond-advice", "LOG_IN_AGAIN"),
    )
    message = "INVALID_REFRESH_TOKEN: REUSED: stolen"
    error = raised(refusing(grpc.StatusCode.UNAUTHENTICATED, message, metadata=spelled))
    field = raised(
        refusing(grpc.StatusCode.INVALID_ARGUMENT, "bad", metadata=(("sessiond-reason", "INVALID_REQUEST"),))
    )

    assert isinstance(error, InvalidRefreshToken)
    assert (Cause.REUSED, Advice.LOG_IN_AGAIN, message) == (error.cause, error.advice, str(error))
    assert isinstance(field, InvalidRequestError)
    assert (("request", "bad"),) == field.violations


@pytest.mark.parametrize("cause", ["BINDING_MISMATCH", "WRONG_AUDIENCE", ""])
def test_cause_of_a_later_release_keeps_its_advice(cause: str) -> None:
    """A cause that this release cannot place is raised with the authority's advice, which is what one acts on."""
    message = f"INVALID_REFRESH_TOKEN: {cause}: a sentence"
    details = info("INVALID_REFRESH_TOKEN", cause=cause, advice="LOG_IN_AGAIN")
    error = raised(refusing(grpc.StatusCode.UNAUTHENTICATED, message, details))

    assert (UnexpectedAnswerError, Advice.LOG_IN_AGAIN) == (type(error), error.advice)
    assert "a sentence" in str(error)
    assert cause in str(error)


def test_reason_of_a_later_release_keeps_its_advice() -> None:
    """A reason that this release does not know is raised with the authority's advice, pause and time."""
    detail = error_pb2.ErrorDetail(server_time=Timestamp(seconds=5), session_id="no id")
    pause = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2))
    details = (info("QUOTA_SPENT", advice="KEEP_CURRENT_TOKENS"), detail, pause)
    error = raised(refusing(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_SPENT: later", *details))

    assert (UnexpectedAnswerError, Advice.KEEP_CURRENT_TOKENS) == (type(error), error.advice)
    assert (5000, 2000) == (error.server_ms, error.retry_after_ms)
    assert "QUOTA_SPENT" in str(error)


def test_advice_of_the_authority_wins_over_our_own_table() -> None:
    """The authority may change its advice for a cause; an advice of a later release leaves ours."""
    changed = info("INVALID_ACCESS_TOKEN", cause="EXPIRED", advice="CHECK_CLOCK")
    unknown = info("INVALID_ACCESS_TOKEN", cause="EXPIRED", advice="PRAY")

    assert Advice.CHECK_CLOCK is raised(refusing(grpc.StatusCode.UNAUTHENTICATED, "x", changed)).advice
    left = raised(refusing(grpc.StatusCode.UNAUTHENTICATED, "x", unknown))
    assert isinstance(left, InvalidAccessToken)
    assert Advice.REFRESH is left.advice


def test_nobody_listens_is_an_unknown_outcome() -> None:
    """A call to where no server is fails soon, typed, and keeps the tokens."""
    with serving(refusing(grpc.StatusCode.INTERNAL, "")) as address:
        pass
    with Client(address, timeout_seconds=0.5) as client, pytest.raises(IndeterminateError) as caught:
        client.create_session("acme", "alice")

    assert Advice.KEEP_CURRENT_TOKENS is caught.value.advice
    assert address in str(caught.value)


def test_answer_that_is_no_message_is_an_unknown_outcome() -> None:
    """A reply that cannot be parsed is not reported as success."""
    assert IndeterminateError is type(raised(Stranger(lambda _request, _context: b"\xff\xff\xff")))
