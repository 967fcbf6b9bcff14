"""The map from errors to statuses, without a channel."""

from __future__ import annotations

import re
from pathlib import Path

from google.rpc import error_details_pb2, status_pb2

from sessiond.errors import (
    Advice,
    IndeterminateError,
    InvalidRequestError,
    OverloadedError,
    PermissionDeniedError,
    Reason,
    SessiondError,
    StoreUnavailableError,
)
from sessiond.server.status import CODES, Status, status_of
from sessiond.v1 import error_pb2

PROTO = Path(__file__).parents[3] / "proto" / "sessiond" / "v1" / "error_reason.proto"


def rich(status: Status) -> status_pb2.Status:
    """Read the details out of the trailing metadata."""
    return status_pb2.Status.FromString(dict(status.trailing_metadata)["grpc-status-details-bin"])


def test_every_reason_has_the_code_that_the_proto_documents() -> None:
    """The status of each reason is the one in the comment of error_reason.proto."""
    documented = re.findall(r"// Status: (\w+)\.\n  (\w+) = \d+;", PROTO.read_text())
    assert {reason: Reason[reason] for _, reason in documented}.keys() == {reason.name for reason in Reason}
    assert [(CODES[Reason[reason]].name, reason) for _, reason in documented] == documented


def test_what_passes_says_when_to_come_back() -> None:
    """Overload and trouble of the store carry RetryInfo and keep the tokens."""
    for error in (OverloadedError("x"), StoreUnavailableError("x"), IndeterminateError("x")):
        retry = error_details_pb2.RetryInfo()
        assert rich(status_of(error, server_ms=0)).details[2].Unpack(retry)
        assert retry.retry_delay.ToMilliseconds() >= 200
        assert error.advice is Advice.KEEP_CURRENT_TOKENS


def test_worst_status_fits_into_the_metadata_of_any_client() -> None:
    """However much is wrong with a request, its status stays below the 8 KiB that clients accept."""
    error = InvalidRequestError(*((f"field_{number}" * 50, "\u20ac\n" * 1000) for number in range(100)))
    status = status_of(error, server_ms=2**41)
    size = sum(len(key) + len(value) for key, value in status.trailing_metadata) + len(status.details)
    assert size * 4 / 3 < 8192


def test_message_is_one_line_of_ascii() -> None:
    """Whatever stands in a message, a log line of it is one line and its header is ASCII."""
    status = status_of(PermissionDeniedError("a\r\nb\x00\u20ac"), server_ms=0)
    assert status.details == "PERMISSION_DENIED: a\\r\\nb\\x00\\u20ac"


def test_server_time_has_milliseconds() -> None:
    """The typed detail tells the wall clock to the millisecond."""
    detail = error_pb2.ErrorDetail()
    rich(status_of(PermissionDeniedError("x"), server_ms=1_800_000_000_123)).details[1].Unpack(detail)
    assert detail.server_time.ToMilliseconds() == 1_800_000_000_123


def test_every_error_can_be_told() -> None:
    """Each class of error has a reason with a code."""
    assert {kind.reason for kind in SessiondError.__subclasses__() if hasattr(kind, "reason")} <= CODES.keys()
