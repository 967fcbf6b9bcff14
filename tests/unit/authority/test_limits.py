"""The limits of fields: each at its edge, and one step beyond."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest

from sessiond.authority.limits import (
    DEFAULT_PAGE_SIZE,
    LABEL_BYTES,
    MAX_PAGE_SIZE,
    NOTE_BYTES,
    REQUEST_ID_LENGTH,
    RETRY_KEY_BYTES,
    TENANT_BYTES,
    USER_AGENT_BYTES,
    Checker,
    fitting_user_agent,
)
from sessiond.authority.sessions import Device
from sessiond.errors import InvalidRequestError
from sessiond.token.claims import MAX_CLAIMS_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

Check = "Callable[[Checker], object]"

GOOD: list[Callable[[Checker], object]] = [
    lambda check: check.text("f", "", 5),
    lambda check: check.text("f", "a", 5, required=True),
    lambda check: check.text("f", "ab cé", 6),
    lambda check: check.tenant("f", "t" * TENANT_BYTES, required=True),
    lambda check: check.tenant("f", ""),
    lambda check: check.request_id(""),
    lambda check: check.request_id(" ~" * (REQUEST_ID_LENGTH // 2)),
    lambda check: check.retry_key(b""),
    lambda check: check.retry_key(b"k" * RETRY_KEY_BYTES.start),
    lambda check: check.retry_key(b"k" * (RETRY_KEY_BYTES.stop - 1)),
    lambda check: check.claims("f", ""),
    lambda check: check.claims("f", '{"role":["admin"]}'),
    lambda check: check.data("f", ""),
    lambda check: check.data("f", '{"sub":1}'),
    lambda check: check.lifetime("f", None, 5, 6),
    lambda check: check.lifetime("f", 5, 5, 6),
    lambda check: check.lifetime("f", 6, 5, 6),
    lambda check: check.device(Device("l" * LABEL_BYTES, "::1", "")),
    lambda check: check.notes("r" * NOTE_BYTES, "a" * NOTE_BYTES),
    lambda check: check.session_id("f", "01890a5d-ac96-774b-bcce-b302099a8057"),
    lambda check: check.key_id("0123456789abcdef"),
    lambda check: check.page_size(MAX_PAGE_SIZE),
]

BAD: list[tuple[Callable[[Checker], object], str, str]] = [
    (lambda check: check.text("f", "abcdef", 5), "f", "has 6 bytes, 5 are allowed"),
    (lambda check: check.text("f", "abcé", 4), "f", "has 5 bytes, 4 are allowed"),
    (lambda check: check.text("f", "", 5, required=True), "f", "is required: 1 to 5 bytes"),
    (lambda check: check.text("f", "a\x00", 5), "f", "must not hold control characters"),
    (lambda check: check.text("f", "\x7f", 5), "f", "must not hold control characters"),
    (lambda check: check.text("f", "\x85", 5), "f", "must not hold control characters"),
    (lambda check: check.text("f", "a\n", 5), "f", "must not hold control characters"),
    (lambda check: check.text("f", "\ud800", 5), "f", "must be Unicode text, without lone surrogates"),
    (lambda check: check.tenant("f", "t" * 64), "f", "has 64 bytes, 63 are allowed"),
    (lambda check: check.tenant("f", "", required=True), "f", "is required: 1 to 63 bytes"),
    (lambda check: check.request_id("r" * 65), "request_id", "must be 1 to 64 printable ASCII characters"),
    (lambda check: check.request_id("é"), "request_id", "must be 1 to 64 printable ASCII characters"),
    (lambda check: check.request_id("a\n"), "request_id", "must be 1 to 64 printable ASCII characters"),
    (lambda check: check.retry_key(b"k" * 15), "retry_key", "has 15 bytes, must have 16 to 64"),
    (lambda check: check.retry_key(b"k" * 65), "retry_key", "has 65 bytes, must have 16 to 64"),
    (lambda check: check.claims("f", '{"sub":1}'), "f", "the name 'sub' is reserved"),
    (lambda check: check.claims("f", "[]"), "f", "not a JSON object: it must begin with { and end with }"),
    (lambda check: check.data("f", "{"), "f", "not JSON: it goes wrong at character 2 of 1"),
    (
        lambda check: check.data("f", "{" + " " * MAX_CLAIMS_BYTES + "}"),
        "f",
        f"it has {MAX_CLAIMS_BYTES + 2} bytes, {MAX_CLAIMS_BYTES} are allowed",
    ),
    (lambda check: check.lifetime("f", 4, 5, 6), "f", "is 4 s, must be 5 to 6 s"),
    (lambda check: check.lifetime("f", 7, 5, 6), "f", "is 7 s, must be 5 to 6 s"),
    (lambda check: check.device(Device(label="l" * 65)), "device.label", "has 65 bytes, 64 are allowed"),
    (
        lambda check: check.device(Device(ip="192.0.2.1:80")),
        "device.ip",
        "must be an IPv4 or IPv6 address in text form",
    ),
    (
        lambda check: check.device(Device(ip="\ud800")),
        "device.ip",
        "must be an IPv4 or IPv6 address in text form",
    ),
    (lambda check: check.notes("r" * 256, ""), "reason", "has 256 bytes, 255 are allowed"),
    (lambda check: check.notes("", "a\n"), "actor", "must not hold control characters"),
    (
        lambda check: check.session_id("f", "01890A5D-AC96-774B-BCCE-B302099A8057"),
        "f",
        "not a session id: expected the 36 lower-case characters of a UUID of version 7",
    ),
    (lambda check: check.key_id("0123456789ABCDEF"), "key_id", "must be 16 lower-case hexadecimal digits"),
    (lambda check: check.key_id("0123456789abcdef\n"), "key_id", "must be 16 lower-case hexadecimal digits"),
    (lambda check: check.key_id("é" * 16), "key_id", "must be 16 lower-case hexadecimal digits"),
    (lambda check: check.page_size(-1), "page_size", "is -1, must be 1 to 1000, or 0 for 100"),
    (lambda check: check.page_size(1001), "page_size", "is 1001, must be 1 to 1000, or 0 for 100"),
]


@pytest.mark.parametrize("field", GOOD)
def test_within_the_limits(field: Callable[[Checker], object]) -> None:
    """A value within its limits, and at their edge, is allowed."""
    check = Checker()
    field(check)
    check.finish()


@pytest.mark.parametrize(("field", "name", "text"), BAD)
def test_beyond_the_limits(field: Callable[[Checker], object], name: str, text: str) -> None:
    """A value beyond its limits is refused under its name, with what would be right."""
    check = Checker()
    field(check)
    with pytest.raises(InvalidRequestError) as caught:
        check.finish()
    assert ((name, text),) == caught.value.violations


def test_every_fault_is_named() -> None:
    """A request with several faults hears of all of them at once, in order."""
    check = Checker()
    check.tenant("tenant", "", required=True)
    check.request_id("é")
    check.page_size(-1)
    with pytest.raises(InvalidRequestError) as caught:
        check.finish()
    assert ["tenant", "request_id", "page_size"] == [field for field, _ in caught.value.violations]


@pytest.mark.parametrize("text", ["192.0.2.1", "::1", "2001:db8::ff", "::ffff:192.0.2.1"])
def test_address_is_packed(text: str) -> None:
    """An address is given as its 4 or 16 bytes."""
    assert (ipaddress.ip_address(text).packed, "") == Checker().device(Device(ip=text))


def test_no_address_has_no_bytes() -> None:
    """A device without an address has none."""
    assert (b"", "agent") == Checker().device(Device(user_agent="agent"))


def test_ids_are_read() -> None:
    """Ids are given as bytes."""
    check = Checker()
    assert bytes.fromhex("01890a5dac96774bbcceb302099a8057") == check.session_id(
        "f", "01890a5d-ac96-774b-bcce-b302099a8057"
    )
    assert bytes.fromhex("0123456789abcdef") == check.key_id("0123456789abcdef")


@pytest.mark.parametrize(("asked", "meant"), [(0, DEFAULT_PAGE_SIZE), (1, 1), (1000, 1000)])
def test_page_size_that_is_meant(asked: int, meant: int) -> None:
    """A page size of 0 means the default one."""
    assert meant == Checker().page_size(asked)


@pytest.mark.parametrize(
    ("text", "fitting"),
    [
        ("", ""),
        ("Mozilla/5.0", "Mozilla/5.0"),
        ("a" * 100, "a" * USER_AGENT_BYTES),
        ("é" * 100, "é" * (USER_AGENT_BYTES // 2)),
        ("a" + "é" * 100, "a" + "é" * 31),
        ("a\r\nSet-Cookie: b\x00\x85", "a  Set-Cookie: b  "),
        ("\ud800", "?"),
    ],
)
def test_user_agent_is_made_to_fit(text: str, fitting: str) -> None:
    """A user agent is cut to whole characters and never refused: no client can choose it."""
    assert fitting == fitting_user_agent(text)
