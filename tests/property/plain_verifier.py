"""
A verifier that follows docs/token-format.md plainly: what the compiled one is compared with.

It uses PyNaCl for signatures and nothing of ``sessiond``.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import nacl.exceptions
import nacl.signing

BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
STRING = rb'"((?:[^"\\\x00-\x1f]|\\["\\bfnrt]|\\u000[0-7bef]|\\u001[0-9a-f])*)"'
PAYLOAD = re.compile(
    rb'\{"exp":([1-9][0-9]{9}),"iat":([1-9][0-9]{9}),"jti":"(.{32})","rev":"(.{32})","iss":%s,"aud":%s,"sub":%s,'
    rb'"client_id":%s,"sid":"(.{36})","tenant":%s(,.+)?\}' % ((STRING,) * 5),
    re.DOTALL,
)
TEMPLATE = (
    bytes.fromhex("d2844da201270448 0000000000000000 a05823a3041a 00000000 061a 00000000 0754")
    + bytes(20)
    + b"\x58\x40"
)
FIELDS = {*range(8, 16), *range(22, 26), *range(28, 32), *range(34, 54)}


@dataclass(frozen=True)
class Key:
    """A key of the keyset."""

    public_key: bytes
    revoked: bool = False


def judge_refresh(token: str, keys: Mapping[bytes, Key], *, now: int) -> str:
    """Name the cause that a refresh token has, or GOOD."""
    data = refresh_bytes(token)
    if data is None or not is_laid_out(data):
        return "WRONG_TOKEN_KIND" if has_access_shape(token) else "MALFORMED"
    signed = b"\x84\x6aSignature1" + data[2:16] + b"\x40" + data[17:54]
    cause = judge_signature(keys.get(data[8:16]), signed, data[56:])
    if cause == "GOOD" and now >= int.from_bytes(data[22:26], "big"):
        return "EXPIRED"
    return cause


def judge_access(token: str, keys: Mapping[bytes, Key], *, issuer: str, audience: str, now: int, leeway: int) -> str:
    """Name the cause that an access token has, or GOOD."""
    read = read_access(token)
    if read is None:
        return "WRONG_TOKEN_KIND" if refresh_bytes(token) is not None else "MALFORMED"
    key_id, members, signature = read
    cause = judge_signature(keys.get(key_id), token[: token.rindex(".")].encode(), signature)
    if cause != "GOOD":
        return cause
    expires_at, issued_at = int(members[0]), int(members[1])
    if issued_at > now + leeway:
        return "NOT_YET_VALID"
    if now >= expires_at:
        return "EXPIRED"
    asked = [json.dumps(text, ensure_ascii=False)[1:-1].encode() for text in (issuer, audience)]
    return "GOOD" if asked == [members[4], members[5]] else "WRONG_AUDIENCE"


def judge_signature(key: Key | None, signed: bytes, signature: bytes) -> str:
    """Judge key and signature."""
    if key is None:
        return "UNKNOWN_KEY"
    if key.revoked:
        return "KEY_REVOKED"
    try:
        nacl.signing.VerifyKey(key.public_key).verify(signed, signature)
    except nacl.exceptions.BadSignatureError:
        return "TAMPERED"
    return "GOOD"


def decode(text: str) -> bytes | None:
    """Decode base64url in its one spelling."""
    if not BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return data if base64.urlsafe_b64encode(data).decode().rstrip("=") == text else None


def refresh_bytes(token: str) -> bytes | None:
    """Give the bytes of whatever has the shape of a refresh token."""
    return decode(token[4:]) if len(token) == 164 and token.startswith("sdr_") else None


def has_access_shape(token: str) -> bool:
    """Say whether a text has the shape of an access token."""
    return token.isascii() and len(token) <= 4096 and token.startswith("eyJ") and token.count(".") == 2


def is_laid_out(data: bytes) -> bool:
    """Compare the constant bytes and the ranges of a refresh token."""
    same = all(data[at] == TEMPLATE[at] for at in range(len(TEMPLATE)) if at not in FIELDS)
    return same and min(data[22:26], data[28:32]) >= b"\0\1\0\0"


def is_utf8(data: bytes) -> bool:
    """Say whether bytes are UTF-8 (RFC 3629)."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_access(token: str) -> tuple[bytes, tuple[bytes, ...], bytes] | None:
    """Give key id, members and signature of an access token; None when it is MALFORMED."""
    parts = token.split(".")
    if len(token) > 4096 or len(parts) != 3:
        return None
    header, payload, signature = (decode(part) for part in parts)
    if header is None or payload is None or signature is None or len(signature) != 64:
        return None
    named = re.fullmatch(rb'\{"alg":"EdDSA","kid":"([0-9a-f]{16})","typ":"at\+jwt"\}', header)
    members = PAYLOAD.fullmatch(payload)
    if named is None or members is None or not is_utf8(payload):
        return None
    expires_at, issued_at, jti_text, rev_text, *_ = members.groups()
    jti, rev = decode(jti_text.decode("latin-1")), decode(rev_text.decode("latin-1"))
    if jti is None or rev is None or max(int(expires_at), int(issued_at)) >= 1 << 32:
        return None
    if int.from_bytes(jti[20:], "big") != int(issued_at) or members[9] != str(uuid.UUID(bytes=jti[:16])).encode():
        return None
    return bytes.fromhex(named[1].decode()), members.groups(), signature
