"""Inspection: any text is read, nothing is trusted, and a fault is named with its place."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from sessiond.token.inspect import Fault, Inspection, TokenKind, inspect
from sessiond.token.sign import sign_access_token, sign_refresh_token
from tests.vectors.token_samples import (
    ACCESS_CLAIMS,
    ACCESS_KEY,
    REFRESH_CLAIMS,
    REFRESH_KEY,
    SESSION_ID,
    changed,
    cose_sign1,
    flipped,
    jwt,
    payload_of,
    refresh_claims_of,
    refresh_text,
)

REFRESH_TOKEN = sign_refresh_token(REFRESH_KEY, REFRESH_CLAIMS)
ACCESS_TOKEN = sign_access_token(ACCESS_KEY, ACCESS_CLAIMS)
HEADER, PAYLOAD, SIGNATURE = ACCESS_TOKEN.split(".")
CLAIMS = refresh_claims_of(REFRESH_CLAIMS)
JSON = payload_of(ACCESS_CLAIMS)
START_OF_PAYLOAD = len(HEADER) + 2
"""The first character of the payload, counted from 1."""


def test_a_refresh_token_is_read() -> None:
    """A refresh token shows its header, its key and every field."""
    found = inspect(REFRESH_TOKEN)
    content: Any = found.content

    assert (TokenKind.REFRESH, REFRESH_KEY.key_id, None) == (found.kind, found.key_id, found.fault)
    assert f"{{1: -8, 4: h'{REFRESH_KEY.key_id.hex()}'}}" == found.header
    assert {"key_id": REFRESH_KEY.key_id, **asdict(REFRESH_CLAIMS)} == content._asdict()


def test_an_access_token_is_read() -> None:
    """An access token shows its header, its key and every field."""
    found = inspect(ACCESS_TOKEN)
    content: Any = found.content

    assert (TokenKind.ACCESS, ACCESS_KEY.key_id, None) == (found.kind, found.key_id, found.fault)
    assert f'{{"alg":"EdDSA","kid":"{ACCESS_KEY.key_id.hex()}","typ":"at+jwt"}}' == found.header
    assert asdict(ACCESS_CLAIMS) == content._asdict()


def test_a_bad_signature_is_not_seen() -> None:
    """An inspection trusts nobody: a changed signature reads like a good one."""
    assert inspect(REFRESH_TOKEN) == inspect(flipped(REFRESH_TOKEN))
    assert inspect(ACCESS_TOKEN) == inspect(flipped(ACCESS_TOKEN))


def test_the_header_of_another_kind_of_jwt_is_shown() -> None:
    """A JWT of somebody else shows its header, so that one sees what it is."""
    header = b'{"alg":"RS256","typ":"JWT"}'
    found = inspect(jwt(ACCESS_KEY, b"{}", header=header))

    assert (TokenKind.ACCESS, header.decode(), None, None) == (found.kind, found.header, found.key_id, found.content)
    assert Fault('its header is not {"alg":"EdDSA","kid":"<16 digits of hex>","typ":"at+jwt"}', 1) == found.fault


def test_a_header_that_cannot_be_read_is_not_shown() -> None:
    """A header that is not base64url, not UTF-8, or that would command a terminal, is left out."""
    assert None is inspect("eyJ*.A.A").header
    assert None is inspect(jwt(ACCESS_KEY, b"{}", header=b'{"a\xff"}')).header
    assert None is inspect(jwt(ACCESS_KEY, b"{}", header=b'{"a\x1b[2J"}')).header


@pytest.mark.parametrize(
    ("text", "message", "character"),
    [
        ("", "it begins neither with sdr_ like a refresh token nor with eyJ like an access token", 1),
        ("hello", "it begins neither with sdr_ like a refresh token nor with eyJ like an access token", 1),
        ("Bearer " + ACCESS_TOKEN, "something stands before its start at character 8", 1),
        (' "' + REFRESH_TOKEN, "something stands before its start at character 3", 1),
    ],
)
def test_faults_of_a_text_of_no_kind(text: str, message: str, character: int) -> None:
    """A text that begins like no token says so, and where one begins in it."""
    assert Inspection(None, fault=Fault(message, character)) == inspect(text)


@pytest.mark.parametrize(
    ("token", "message", "character"),
    [
        ("sdr_", "it has 4 characters where a refresh token has 164: its end is cut off", 5),
        (REFRESH_TOKEN[:-1], "it has 163 characters where a refresh token has 164: its end is cut off", 164),
        (REFRESH_TOKEN + "\n", "it has 165 characters where a refresh token has 164: something follows it", 165),
        (REFRESH_TOKEN[:80] + " " + REFRESH_TOKEN[81:], "white space stands in it", 81),
        (REFRESH_TOKEN[:-1] + "*", "a character that base64url does not have stands in it", 164),
        (
            refresh_text(cose_sign1(REFRESH_KEY, CLAIMS, before=b"\xd1\x84")),
            "a constant byte of the CWT is not what it is in every refresh token",
            6,
        ),
        (
            refresh_text(cose_sign1(REFRESH_KEY, CLAIMS, unprotected=b"\x80")),
            "a constant byte of the CWT is not what it is in every refresh token",
            4 + 16 * 4 // 3 + 1,
        ),
        (
            refresh_text(cose_sign1(REFRESH_KEY, changed(CLAIMS, CLAIMS[3:7], b"\0\0\xff\xff"))),
            "an instant is below 65536",
            34,
        ),
        (
            refresh_text(cose_sign1(REFRESH_KEY, changed(CLAIMS, CLAIMS[9:13], b"\0\0\xff\xff"))),
            "an instant is below 65536",
            42,
        ),
    ],
)
def test_faults_of_refresh_tokens(token: str, message: str, character: int) -> None:
    """A text that begins like a refresh token says what is wrong with it and where."""
    assert Inspection(TokenKind.REFRESH, fault=Fault(message, character)) == inspect(token)


@pytest.mark.parametrize(
    ("token", "message", "character"),
    [
        (ACCESS_TOKEN + "A" * 3457, "it has 4097 characters, 4096 are allowed", 4097),
        (HEADER[:40], "it has 0 dots where an access token has 2: its end is cut off", 41),
        (ACCESS_TOKEN + "..", "it has 4 dots where an access token has 2: it is another kind of token", 643),
        ("eyJ *.A.A", "white space stands in it", 4),
        (
            f"{flipped(HEADER, -1)}.{PAYLOAD}.{SIGNATURE}",
            "the last character of the base64url has bits set that spell nothing",
            len(HEADER),
        ),
        (f"{HEADER}.{PAYLOAD[:9]}+{PAYLOAD[10:]}.A", "a character that base64url does not have stands in it", 85),
        (f"{HEADER}.{PAYLOAD[:5]}.A", "the base64url ends in the middle of a byte", START_OF_PAYLOAD + 5),
        (f"{HEADER}..", "its member exp is not in its place or not of its form", START_OF_PAYLOAD),
        (
            f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-6]}",
            "its signature has 80 characters where it should have 86: its end is cut off",
            635,
        ),
        (ACCESS_TOKEN + "AA", "its signature has 88 characters where it should have 86: something follows it", 641),
        (
            f"{HEADER}.{PAYLOAD}.{SIGNATURE[:50]} {SIGNATURE[51:]}",
            "white space stands in it",
            len(HEADER) + len(PAYLOAD) + 2 + 51,
        ),
        (flipped(ACCESS_TOKEN, -1), "the last character of the base64url has bits set that spell nothing", 640),
    ],
)
def test_faults_of_access_tokens(token: str, message: str, character: int) -> None:
    """A text that begins like an access token says what is wrong with it and where."""
    found = inspect(token)

    assert (TokenKind.ACCESS, Fault(message, character)) == (found.kind, found.fault)
    assert (None, None) == (found.key_id, found.content)


IAT = JSON.index(b',"iat"')
JTI = JSON.index(b',"jti"')
SID = JSON.index(b',"sid"')
TENANT = JSON.index(b',"tenant"')
OF_OTHER_TIME = payload_of(replace(ACCESS_CLAIMS, issued_at=ACCESS_CLAIMS.issued_at + 1))
EXP = b'{"exp":%d' % ACCESS_CLAIMS.expires_at


@pytest.mark.parametrize(
    ("payload", "message", "at"),
    [
        (b"[]", "its member exp is not in its place or not of its form", 0),
        (changed(JSON, b'"iat"', b'"nbf"'), "its member iat is not in its place or not of its form", IAT),
        (changed(JSON, EXP, b'{"exp":4294967296'), "its member exp is not below 2**32", len(b'{"exp":')),
        (changed(JSON, JSON[IAT:JTI], b',"iat":4294967296'), "its member iat is not below 2**32", IAT + 7),
        (
            changed(OF_OTHER_TIME, b'"iat":1800000001', b'"iat":1800000000'),
            "its member jti names another time of issue than iat",
            JTI + 8,
        ),
        (
            changed(JSON, b'"sid":"0', b'"sid":"1'),
            "its member sid names another session than jti",
            SID + 8,
        ),
        (changed(JSON, b'"sid":"0', b'"sid":"X'), "its member sid is not in its place or not of its form", SID),
        (JSON[:-1], "it does not end as JSON", JSON.index(b',"roles"')),
        (changed(JSON, b'"acme"', b'"\\x"'), "its member tenant is not in its place or not of its form", TENANT),
        (changed(JSON, b'"plan"', b'"pl\xff"'), "its payload is not UTF-8", JSON.index(b"plan") + 2),
    ],
)
def test_faults_in_a_payload(payload: bytes, message: str, at: int) -> None:
    """A fault in a payload is placed at the character of the token that begins the byte."""
    assert Fault(message, START_OF_PAYLOAD + at * 4 // 3) == inspect(jwt(ACCESS_KEY, payload)).fault


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        (REFRESH_TOKEN, "laid out as a refresh token; whether the signature is good, only its key can say"),
        (ACCESS_TOKEN, "laid out as an access token; whether the signature is good, only its key can say"),
        (
            "sdr_SECRET",
            (
                "not laid out as a refresh token: "
                "it has 10 characters where a refresh token has 164: its end is cut off (character 11)"
            ),
        ),
        (
            "eyJ",
            (
                "not laid out as an access token: it has 0 dots where an access token has 2: its end is cut off "
                "(character 4)"
            ),
        ),
        ("SECRETeyJ", "not laid out as a token: something stands before its start at character 7 (character 1)"),
    ],
)
def test_summaries(text: str, summary: str) -> None:
    """A summary says kind and fault in one sentence and holds nothing of the text."""
    assert summary == inspect(text).summary


def test_an_access_token_without_claims_reads_as_an_empty_object() -> None:
    """Where the application put no claims, an empty object is read."""
    content: Any = inspect(sign_access_token(ACCESS_KEY, replace(ACCESS_CLAIMS, claims_json=""))).content

    assert ("{}", SESSION_ID) == (content.claims_json, content.session_id)
