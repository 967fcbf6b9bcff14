"""From bytes to a request: what is no message, and which field is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiond.errors import InvalidRequestError
from sessiond.server.wire import parse
from sessiond.v1 import session_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 65_536


def violations(payload: bytes, limit: int = LIMIT) -> tuple[tuple[str, str], ...]:
    with pytest.raises(InvalidRequestError) as caught:
        parse(pb.CreateSessionRequest, payload, limit)
    return caught.value.violations


NOT_UTF8 = "not valid UTF-8, which every string must be"
NO_MESSAGE = "the bytes are not a sessiond.v1.CreateSessionRequest in protobuf encoding"


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (b"\x0a\x02\xff\xfe", "tenant"),
        (b"\x0a\x01t\x12\x01\xc3", "subject"),
        (b"\x0a\x01t\x3a\x03\x0a\x01\x80", "device.label"),
        (b"\x42\x02\x08\x3c\x58\x05\x62\x03a\xed\xa0", "request_id"),
        (b"\xa0\x06\x01\xa9\x06" + bytes(8) + b"\xad\x06" + bytes(4) + b"\x0a\x01\xff", "tenant"),
    ],
    ids=["first field", "second field", "inner field", "after numbers", "after unknown fields"],
)
def test_string_that_is_not_utf8_is_named(payload: bytes, field: str) -> None:
    """A string that is not UTF-8 is refused under the name of its field."""
    assert ((field, NOT_UTF8),) == violations(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff",
        b"\x0a",
        b"\x0a\x05ab",
        b"\x0b",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x08\x80",
        b"\x0f",
    ],
)
def test_bytes_that_are_no_message(payload: bytes) -> None:
    """Bytes that are no protobuf message are refused as a whole."""
    assert (("request", NO_MESSAGE),) == violations(payload)


def test_message_at_the_limit_is_read() -> None:
    """A message of exactly the allowed size is read."""
    payload = pb.CreateSessionRequest(claims_json="x" * 100).SerializeToString()
    assert parse(pb.CreateSessionRequest, payload, len(payload)).claims_json == "x" * 100


def test_message_beyond_the_limit_names_its_largest_field() -> None:
    """A message above the limit is refused under the name of the field that fills it."""
    payload = pb.CreateSessionRequest(tenant="t", claims_json="x" * 1_048_576, data_json="y" * 50).SerializeToString()
    expected = (("claims_json", f"the whole request has {len(payload):,} bytes; at most 65,536 are allowed"),)
    assert expected == violations(payload)


def test_unknown_fields_beyond_the_limit() -> None:
    """A message that is large through unknown fields alone is refused as a whole."""
    payload = b"\xa2\x06\x64" + b"z" * 100
    assert (("request", "the whole request has 103 bytes; at most 50 are allowed"),) == violations(payload, 50)


def test_long_bytes_that_are_no_message_are_not_searched() -> None:
    """Megabytes with a bad string behind a million small fields are refused without a search for the field."""
    payload = b"\x40\x01" * 2_000_000 + b"\x0a\x01\xff"
    assert (too_long(payload),) == violations(payload)


def test_long_message_is_not_parsed() -> None:
    """Bytes that are too long are refused for their length before anything else is said of them."""
    payload = b"\x0a\x01\xff" + b"\xff" * LIMIT
    assert (("tenant", too_long(payload)[1]),) == violations(payload)


def too_long(payload: bytes) -> tuple[str, str]:
    return "request", f"the whole request has {len(payload):,} bytes; at most 65,536 are allowed"


def in_devices(fields: bytes) -> bytes:
    """Spread fields over many inner messages, each of which stays below the bound."""
    parts = [fields[start : start + 100] for start in range(0, len(fields), 100)]
    return b"".join(b"\x3a" + bytes([len(part)]) + part for part in parts)


@pytest.mark.parametrize("wrap", [bytes, in_devices], ids=["outer", "inner"])
@pytest.mark.parametrize(("fields", "named"), [(1_070, True), (1_100, False), (30_000, False)])
def test_bad_string_is_looked_for_in_so_many_fields(wrap: Callable[[bytes], bytes], fields: int, named: bool) -> None:  # noqa: FBT001 - parametrized
    """A bad string among the first 1,100 fields is named; behind more of them the request is, as no message at all."""
    payload = wrap(b"\x78\x01" * fields) + b"\x0a\x01\xff"
    assert ((("tenant", NOT_UTF8) if named else ("request", NO_MESSAGE)),) == violations(payload)
