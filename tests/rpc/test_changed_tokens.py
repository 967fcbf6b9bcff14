"""Tokens that were cut or changed on their way: every length, every bit."""

from __future__ import annotations

import base64
import string
from collections import Counter
from collections.abc import Iterator

from sessiond.errors import InvalidAccessToken, InvalidRefreshToken
from tests.rpc.answers import Answer, invalid, refusal, refused
from tests.rpc.world import World

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
"""That of base64url (RFC 4648, section 5), in the order of the values."""


def test_cut_refresh_token_is_malformed(shared: World) -> None:
    """A refresh token cut at any length is MALFORMED; once its kind can be seen, the message names the length."""
    issued = shared.login()
    before, token = shared.contents(issued.session_id), issued.refresh_token
    for length in range(len(token)):
        cut_off = refusal(shared.refresh, token[:length])
        assert ("MALFORMED", True) == (cut_off.answer.cause, length < len("sdr_") or str(length) in cut_off.message)
    assert before == shared.contents(issued.session_id)


def test_cut_access_token_is_malformed(shared: World) -> None:
    """An access token cut at any length is MALFORMED."""
    token = shared.login().access_token
    assert {"MALFORMED"} == {refusal(shared.verify, token[:length]).answer.cause for length in range(len(token))}


FIXED = [*range(8), *range(16, 22), 26, 27, 32, 33, 54, 55]
"""The bytes of a refresh token that are the same in every one (docs/token-format.md)."""
KEY_ID = range(8, 16)


def expected_of_refresh(token: bytes, changed: bytes) -> Answer:
    """Say what a changed refresh token must get, from the format alone."""
    if max(changed) > 0x7F:
        return invalid("refresh_token")
    text = changed.decode()
    cause = "TAMPERED"
    if not text.startswith("sdr_") or not set(text[4:]) <= set(ALPHABET):
        cause = "MALFORMED"
    else:
        before, after = (base64.urlsafe_b64decode(one[4:]) for one in (token, changed))
        differing = {index for index in range(120) if before[index] != after[index]}
        if differing & set(FIXED):
            cause = "MALFORMED"
        elif differing & set(KEY_ID):
            cause = "UNKNOWN_KEY"
    return refused(InvalidRefreshToken, cause)


def field_one(value: bytes) -> bytes:
    """Encode a request whose field 1 is *value*, whatever bytes that holds."""
    length = len(value)
    return b"\x0a" + (bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])) + value


def flipped(token: bytes) -> Iterator[bytes]:
    """Give a token with each of its bits flipped, one at a time."""
    for bit in range(8 * len(token)):
        changed = bytearray(token)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def test_every_flipped_bit_of_a_refresh_token_is_refused(shared: World) -> None:
    """A refresh token with any one bit of its text flipped has the cause that its format tells; nothing is written."""
    call = shared.raw("SessionService/Refresh")
    issued = shared.login()
    before, token = shared.contents(issued.session_id), issued.refresh_token.encode()
    for changed in flipped(token):
        assert expected_of_refresh(token, changed) == refusal(call, field_one(changed)).answer, changed
    assert before == shared.contents(issued.session_id)
    assert shared.refresh(token.decode()).tokens.generation == 1


def causes_of_access(token: bytes, changed: bytes) -> set[str]:
    """Say which causes a changed access token may have, from the format alone; none where it is no text at all."""
    if max(changed) > 0x7F:
        return set()
    text, parts = changed.decode(), changed.decode().split(".")
    if not text.startswith("eyJ") or len(parts) != 3 or not set("".join(parts)) <= set(ALPHABET):
        return {"MALFORMED"}
    header, payload, signature = (part.encode() for part in parts)
    if header != token.split(b".")[0]:
        return {"MALFORMED", "UNKNOWN_KEY"}
    if payload != token.split(b".")[1]:
        return {"MALFORMED", "TAMPERED"}
    spare_bits = ALPHABET.index(signature[-1:].decode()) & 0x0F
    return {"MALFORMED" if spare_bits else "TAMPERED"}


def test_every_flipped_bit_of_an_access_token_is_refused(shared: World) -> None:
    """An access token with any one bit of its text flipped has a cause that its format allows; nothing is written."""
    call = shared.raw("VerificationService/Verify")
    issued = shared.login()
    before, token = shared.contents(issued.session_id), issued.access_token.encode()
    seen = Counter[str]()
    for changed in flipped(token):
        allowed = {refused(InvalidAccessToken, cause) for cause in causes_of_access(token, changed)}
        answered = refusal(call, field_one(changed)).answer
        assert answered in (allowed or {invalid("access_token")}), changed
        seen[answered.cause] += 1
    assert {"", "MALFORMED", "UNKNOWN_KEY", "TAMPERED"} == seen.keys()
    assert before == shared.contents(issued.session_id)
    assert shared.verify(token.decode()).subject == "alice"
