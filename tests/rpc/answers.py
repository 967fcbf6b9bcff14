"""What a caller reads in a refused call, from every place where it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from sessiond.errors import Cause, TokenRefusedError
from sessiond.v1 import error_pb2, error_reason_pb2

if TYPE_CHECKING:
    from collections.abc import Callable


LEAK = re.compile(rb"Traceback|Exception|\b(Value|Type|Key|Attribute|Index|Decode|Runtime|Assertion|OS)Error|\.pyx?\b")
"""What only the text of an exception of Python would hold."""


class Answer(NamedTuple):
    """A refusal: status, reason, cause and advice, the fields at fault, and the rest of what was sent."""

    code: str
    reason: str
    cause: str
    advice: str
    fields: tuple[str, ...] = ()


class Refusal(NamedTuple):
    """A refusal with the parts that tests look at less often."""

    answer: Answer
    message: str
    descriptions: tuple[str, ...]
    retry_seconds: float | None
    session_id: str
    server_time: int
    call_id: str
    everything: bytes


def read(error: Any) -> Refusal:
    """Read a refusal, and insist that status message, ErrorInfo, ErrorDetail and trailing metadata agree."""
    status = rpc_status.from_call(error)
    assert status is not None, f"no details: {error}"
    info, detail = error_details_pb2.ErrorInfo(), error_pb2.ErrorDetail()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(detail)
    violations: tuple[tuple[str, str], ...] = ()
    retry_seconds = None
    for more in status.details[2:]:
        bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if more.Unpack(bad):
            violations = tuple((one.field, one.description) for one in bad.field_violations)
        elif more.Unpack(retry):
            retry_seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
        else:
            pytest.fail(f"unexpected detail {more.type_url}")
    trailing: dict[str, str | bytes] = dict(error.trailing_metadata() or ())
    cause = info.metadata.get("cause", "")
    assert info.domain == "sessiond"
    assert {info.reason} == {trailing["sessiond-reason"], error_reason_pb2.ErrorReason.Name(detail.reason)}
    assert cause == trailing.get("sessiond-cause", "")
    assert (error_pb2.Cause.Name(detail.cause) if cause else 0) == (f"CAUSE_{cause}" if cause else detail.cause)
    assert {info.metadata["advice"]} == {
        trailing["sessiond-advice"],
        error_pb2.Advice.Name(detail.advice).removeprefix("ADVICE_"),
    }
    message = error.details() or ""
    of_a_token = info.reason in {"INVALID_REFRESH_TOKEN", "INVALID_ACCESS_TOKEN"}
    assert message.startswith(f"{info.reason}: {cause + ': ' if of_a_token else ''}")
    assert status.message == message
    everything = status.SerializeToString() + repr(error).encode() + repr(trailing).encode()
    assert not LEAK.search(everything)
    return Refusal(
        Answer(error.code().name, info.reason, cause, info.metadata["advice"], tuple(field for field, _ in violations)),
        message,
        tuple(text for _, text in violations),
        retry_seconds,
        detail.session_id,
        detail.server_time.seconds,
        info.metadata.get("call_id", ""),
        everything,
    )


def refusal(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> Refusal:
    """Make a call that must be refused, and read the refusal."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **keywords)
    return read(caught.value)


def answer(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> Answer:
    """Make a call that must be refused, and give what its caller acts on."""
    return refusal(call, *arguments, **keywords).answer


INVALID_REQUEST = ("INVALID_ARGUMENT", "INVALID_REQUEST", "", "FIX_THE_CALLER")


def invalid(*fields: str) -> Answer:
    """Give the answer for requests whose *fields* break their limits."""
    return Answer(*INVALID_REQUEST, fields)


def refused(kind: type[TokenRefusedError], cause: str) -> Answer:
    """Give the answer for a token of a kind that is refused with *cause*."""
    return Answer("UNAUTHENTICATED", kind.reason.name, cause, kind.advice_for(Cause[cause]).name)
