"""Changed tokens: every one is refused, with the cause that a plain verifier finds."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessiond.errors import TokenRefusedError
from sessiond.token.inspect import inspect
from sessiond.token.keyset import VerificationKey
from sessiond.token.sign import SigningKey, sign_access_token, sign_refresh_token
from sessiond.token.verify import AccessVerifier, RefreshVerifier
from tests.property.plain_verifier import Key, judge_access, judge_refresh
from tests.vectors.token_samples import (
    ACCESS_CLAIMS,
    ACCESS_KEY,
    ALPHABET,
    AUDIENCE,
    ISSUER,
    NOW,
    REFRESH_CLAIMS,
    REFRESH_KEY,
    jwt,
    key_of,
    payload_of,
    refresh_text,
)

REFRESH_TOKEN = sign_refresh_token(REFRESH_KEY, REFRESH_CLAIMS)
ACCESS_TOKEN = sign_access_token(ACCESS_KEY, ACCESS_CLAIMS)
REVOKED_KEY = key_of("revoked")
RING = {REFRESH_KEY: False, ACCESS_KEY: False, REVOKED_KEY: True}
PLAIN = {key.key_id: Key(key.public_key, revoked) for key, revoked in RING.items()}
KEYS = [VerificationKey(key.public_key, revoked=revoked) for key, revoked in RING.items()]
REFRESH = RefreshVerifier(KEYS)
ACCESS = AccessVerifier(KEYS, ISSUER)
ASKED: dict[str, Any] = {"audience": AUDIENCE, "now": NOW, "leeway": 30}


def refresh_cause(token: str, now: int = NOW) -> str:
    """Name the cause that the public API finds, or GOOD; hold it against the plain verifier."""
    try:
        REFRESH.verify(token, now=now)
        cause = "GOOD"
    except TokenRefusedError as error:
        cause = error.cause.name
    assert judge_refresh(token, PLAIN, now=now) == cause
    return cause


def access_cause(token: str, **other: Any) -> str:
    """Name the cause that the public API finds, or GOOD; hold it against the plain verifier."""
    asked = {**ASKED, **other}
    try:
        ACCESS.verify(token, **asked)
        cause = "GOOD"
    except TokenRefusedError as error:
        cause = error.cause.name
    assert judge_access(token, PLAIN, issuer=ISSUER, **asked) == cause
    return cause


def flips(token: str) -> list[str]:
    """Flip each of the seven bits of each character."""
    return [
        token[:at] + chr(ord(token[at]) ^ (1 << bit)) + token[at + 1 :] for at in range(len(token)) for bit in range(7)
    ]


def test_the_unchanged_tokens_are_good() -> None:
    """What is changed below is good before."""
    assert ("GOOD", "GOOD") == (refresh_cause(REFRESH_TOKEN), access_cause(ACCESS_TOKEN))


def test_every_flipped_bit_of_a_refresh_token_is_refused() -> None:
    """No bit of the text can be flipped, and each cause is the one of the plain verifier."""
    causes = {refresh_cause(token) for token in flips(REFRESH_TOKEN)}

    assert {"MALFORMED", "UNKNOWN_KEY", "TAMPERED"} == causes


def test_every_flipped_bit_of_an_access_token_is_refused() -> None:
    """No bit of the text can be flipped, and each cause is the one of the plain verifier."""
    causes = {access_cause(token) for token in flips(ACCESS_TOKEN)}

    assert {"MALFORMED", "UNKNOWN_KEY", "TAMPERED"} == causes


def test_every_flipped_bit_of_the_bytes_is_refused() -> None:
    """No bit of the bytes that a refresh token spells can be flipped."""
    data = base64.urlsafe_b64decode(REFRESH_TOKEN[4:])
    causes = set()
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        causes.add(refresh_cause(refresh_text(bytes(changed))))

    assert {"MALFORMED", "UNKNOWN_KEY", "TAMPERED"} == causes


@pytest.mark.parametrize("token", [REFRESH_TOKEN, ACCESS_TOKEN], ids=["refresh", "access"])
def test_every_cut_is_malformed(token: str) -> None:
    """A token that was cut off at either end is MALFORMED for its verifier, however much is missing."""
    judge = refresh_cause if token is REFRESH_TOKEN else access_cause
    cut = [token[:length] for length in range(len(token))] + [token[start:] for start in range(1, len(token))]

    assert {"MALFORMED"} == {judge(text) for text in cut}


@given(st.integers(0, 4), st.data())
def test_changes_of_several_characters(n_changes: int, data: st.DataObject) -> None:
    """Characters replaced, put in and taken out in either token: the two verifiers agree on the cause."""
    token = data.draw(st.sampled_from([REFRESH_TOKEN, ACCESS_TOKEN]))
    for _ in range(n_changes):
        at = data.draw(st.integers(0, len(token)))
        piece = data.draw(st.text(ALPHABET + "._ =+/\n\0é", max_size=2))
        token = token[:at] + piece + token[at + data.draw(st.integers(0, 2)) :]

    causes = {refresh_cause(token), access_cause(token)}
    assert "GOOD" not in causes or token in {REFRESH_TOKEN, ACCESS_TOKEN}


PIECES = [
    *(
        b"{",
        b"}",
        b'"',
        b",",
        b":",
        b"\\",
        b"\\\\",
        b'\\"',
        b"\x00",
        b"\x1f",
        b"\x7f",
        b"\xff",
        b" ",
        b"\n",
        b"0",
        b"9",
        b"e1",
    ),
    *(b"\\b", b"\\/", b"\\u0000", b"\\u000a", b"\\u001f", b"\\u001F", b"\\u0020", b"\\ud83d", b"\\u00"),
    *(b"\xc3\xa9", b"\xc1\xa5", b"\xe2\x82\xac", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80", b"\xc3"),
    *(b',"sub":"x"', b'","aud":"', b'"exp":', b"4294967295", b"4294967296", b"-", b"[", b"]", b"null", b"A", b"_"),
]


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from(PIECES) | st.binary(max_size=2), st.integers(0, 3)), max_size=3
    ),
    st.sampled_from(sorted(RING, key=lambda key: key.key_id)),
    st.sampled_from([NOW - 31, NOW - 30, NOW, ACCESS_CLAIMS.expires_at - 1, ACCESS_CLAIMS.expires_at]),
)
@example([(200, b"\\", 0)], ACCESS_KEY, NOW)
def test_changed_payloads_that_are_signed_well(
    changes: list[tuple[int, bytes, int]], key: SigningKey, now: int
) -> None:
    """
    Payloads changed before they are signed: nothing but the layout stands between them and acceptance.

    The plain verifier, the inspection and the public API agree about it.
    """
    payload = payload_of(ACCESS_CLAIMS)
    for at, piece, length in changes:
        payload = payload[:at] + piece + payload[at + length :]
    token = jwt(key, payload)

    assert (access_cause(token, now=now) == "MALFORMED") == (inspect(token).fault is not None)


SHORTER = [b"\xd2\x84", b"\x58\x23", b"\x58\x40", b"\x05\x1a", b"\x00\x00", b"\xff\xff", b"\x00\x01\x00\x00"]


@given(
    st.lists(st.tuples(st.integers(0, 119), st.sampled_from(SHORTER) | st.binary(min_size=1, max_size=4)), max_size=2),
    st.sampled_from([0, 65_536, NOW, REFRESH_CLAIMS.expires_at - 1, REFRESH_CLAIMS.expires_at]),
)
def test_changed_bytes_that_are_signed_well(changes: list[tuple[int, bytes]], now: int) -> None:
    """Refresh tokens changed before they are signed: the two verifiers agree, the inspection too."""
    data = bytearray(base64.urlsafe_b64decode(REFRESH_TOKEN[4:]))
    for at, piece in changes:
        data[at : at + len(piece)] = piece
    data = data[:120].ljust(120, b"\0")
    data[56:] = REFRESH_KEY.sign(b"\x84\x6aSignature1" + bytes(data[2:16]) + b"\x40" + bytes(data[17:54]))
    token = refresh_text(bytes(data))

    assert (refresh_cause(token, now) == "MALFORMED") == (inspect(token).fault is not None)


@given(st.text(max_size=200) | st.text(ALPHABET + ".", max_size=200).map(lambda text: "eyJ" + text))
@example("\ud800")
@example("eyJ" + "." * 2)
@example("sdr_" + "é" * 160)
def test_any_text(text: str) -> None:
    """Any text has a cause, and an inspection says why it is MALFORMED or of which kind it is."""
    causes = {refresh_cause(text), access_cause(text)}

    assert causes <= {"MALFORMED", "WRONG_TOKEN_KIND"}
    assert inspect(text).fault is not None


def test_random_texts_of_the_right_shape() -> None:
    """A text that only has the shape of a refresh token is MALFORMED as one, and of the wrong kind elsewhere."""
    source = random.Random(7)  # noqa: S311 - no secret: the same texts in every run
    for _ in range(200):
        text = "sdr_" + "".join(source.choices(ALPHABET, k=160))
        assert ("MALFORMED", "WRONG_TOKEN_KIND") == (refresh_cause(text), access_cause(text))
