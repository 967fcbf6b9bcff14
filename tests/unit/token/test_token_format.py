"""The layout: constants, base64url, JSON strings, and what the readers refuse."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from sessiond import _fastverify
from sessiond.errors import Cause
from sessiond.token import format as layout
from sessiond.token import verdicts
from sessiond.token.format import LayoutError, decode_base64url, encode_base64url, json_string, read_refresh
from sessiond.token.sign import sign_refresh_token
from tests.vectors.token_samples import ACCESS_CLAIMS, ACCESS_KEY, REFRESH_CLAIMS, REFRESH_KEY, payload_of


def test_lengths_follow_from_the_layout() -> None:
    """The lengths that are stated are those of what is written."""
    assert layout.REFRESH_LENGTH == len(sign_refresh_token(REFRESH_KEY, REFRESH_CLAIMS))
    assert layout.ACCESS_HEADER_LENGTH == len(ACCESS_KEY.access_header)
    assert layout.ACCESS_SIGNATURE_LENGTH == len(encode_base64url(bytes(layout.SIGNATURE_SIZE)))
    assert 64 == len(layout.refresh_signature_input(bytes(8), bytes(35)))


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff\xfe", b"\xfb\xef\xbe", bytes(range(256))])
def test_base64url(data: bytes) -> None:
    """Bytes are spelled as the library does it, without padding, and read back."""
    text = encode_base64url(data)

    assert base64.urlsafe_b64encode(data).decode().rstrip("=") == text
    assert data == decode_base64url(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [("A", 1), ("AAAAA", 5), ("AB", 1), ("AAB", 2), ("AA==", 2), ("A+", 1), ("/A", 0), ("AAA\n", 3), ("AAÄA", 2)],
)
def test_base64url_has_one_spelling(text: str, at: int) -> None:
    """Padding, the other alphabet, spare bits and half bytes are refused at their place."""
    with pytest.raises(LayoutError) as caught:
        decode_base64url(text)

    assert at == caught.value.at


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", b""),
        ('"\\', b'\\"\\\\'),
        ("\b\f\n\r\t", b"\\b\\f\\n\\r\\t"),
        ("\x00\x0b\x1f", b"\\u0000\\u000b\\u001f"),
        ("/\x7f\x80", b"/\x7f\xc2\x80"),
        ("é\u2028\U0001f600", "é\u2028\U0001f600".encode()),
    ],
)
def test_json_strings_have_one_spelling(text: str, written: bytes) -> None:
    """A text is escaped where JSON demands it and nowhere else (RFC 8785)."""
    assert written == json_string(text)
    assert text == json.loads(b'"%s"' % written)


def test_members_stand_in_one_order() -> None:
    """The members of a payload stand in the order of the format, the application's last."""
    assert [
        *("exp", "iat", "jti", "rev", "iss", "aud", "sub", "client_id", "sid", "tenant"),
        *("roles", "plan", "mfa"),
    ] == list(json.loads(payload_of(ACCESS_CLAIMS)))


def test_claims_stand_verbatim() -> None:
    """The application's claims are not spelled anew."""
    payload = payload_of(replace(ACCESS_CLAIMS, claims_json=' { "a" : 1.50 ,"b":"\\u0061" } '))

    assert payload.endswith(b'"tenant":"acme", "a" : 1.50 ,"b":"\\u0061" }')


def test_a_refresh_token_is_read_only_with_its_prefix() -> None:
    """A text of the right length with another prefix is refused at its start."""
    with pytest.raises(LayoutError, match="does not begin with sdr_") as caught:
        read_refresh("SDR_" + "A" * 160)

    assert 0 == caught.value.at


def test_every_constant_byte_of_a_refresh_token_is_compared() -> None:
    """A change of any byte outside key id, instants, cti and signature is a fault of the layout."""
    data = bytearray(decode_base64url(sign_refresh_token(REFRESH_KEY, REFRESH_CLAIMS)[4:]))
    fields = {*range(8, 16), *range(22, 26), *range(28, 32), *range(34, 54), *range(56, 120)}
    readable = set()
    for at in range(len(data)):
        data[at] ^= 0x01
        try:
            read_refresh("sdr_" + encode_base64url(bytes(data)))
            readable.add(at)
        except LayoutError:
            pass
        data[at] ^= 0x01

    assert fields == readable


def test_causes_have_the_numbers_of_the_extension() -> None:
    """The verdicts of the extension are the numbers of the causes."""
    named = {name: getattr(_fastverify, name) for name in Cause.__members__ if hasattr(_fastverify, name)}

    assert {name: Cause[name].value for name in named} == named
    assert 15 == len(named)
    assert verdicts.GOOD == _fastverify.GOOD
    assert verdicts.CLAIMS_NOT_MET not in {*named.values(), verdicts.GOOD}
