"""
Tokens of test keys, and ways to make wrong ones that are signed well.

The seeds of these keys are known to everyone: never give one of them to an authority.
"""

from __future__ import annotations

import hashlib
import string
from dataclasses import asdict, fields
from typing import Any

from sessiond.ids import new_session_id
from sessiond.token.claims import access_expires_at
from sessiond.token.format import AccessContent, encode_base64url, write_access_payload, write_refresh_claims
from sessiond.token.sign import AccessClaims, RefreshClaims, SigningKey
from sessiond.token.verify import VerifiedAccessToken, VerifiedRefreshToken

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

NOW = 1_800_000_000
TENANT_HASH = bytes.fromhex("7e57000000000001")
SUBJECT_HASH = bytes.fromhex("7e57000000000002")
SESSION_ID = new_session_id((NOW - 3600) * 1000, SUBJECT_HASH, bytes.fromhex("0123456789abcdef"))
ISSUER = "https://login.example.com"
AUDIENCE = "https://api.example.com"

SESSION_ENDS_AT = NOW + 30 * 86_400
ACCESS_SECONDS = 300

REFRESH_CLAIMS = RefreshClaims(SESSION_ID, generation=7, issued_at=NOW, expires_at=SESSION_ENDS_AT)
ACCESS_CLAIMS = AccessClaims(
    SESSION_ID,
    generation=7,
    issued_at=NOW,
    expires_at=access_expires_at(NOW, ACCESS_SECONDS, SESSION_ID, 7, SESSION_ENDS_AT),
    tenant_hash=TENANT_HASH,
    subject_hash=SUBJECT_HASH,
    born=(1 << 48) + 42,
    issuer=ISSUER,
    audience=AUDIENCE,
    subject="b3f1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d",
    client_id="web-shop",
    tenant="acme",
    claims_json='{"roles":["customer"],"plan":"team","mfa":true}',
)


def key_of(name: str) -> SigningKey:
    """Derive a test key from its name."""
    return SigningKey(hashlib.sha256(b"sessiond TEST KEY, known to everyone: " + name.encode()).digest())


REFRESH_KEY = key_of("refresh")
ACCESS_KEY = key_of("access")


def refresh_claims_of(claims: RefreshClaims) -> bytes:
    """Write the CWT claims of a refresh token."""
    return write_refresh_claims(claims.expires_at, claims.issued_at, claims.session_id, claims.generation)


def said(token: VerifiedRefreshToken | VerifiedAccessToken) -> dict[str, Any]:
    """Read every attribute of a verified token: the key id, then its claims."""
    claims = AccessClaims if isinstance(token, VerifiedAccessToken) else RefreshClaims
    return {name: getattr(token, name) for name in ("key_id", *(field.name for field in fields(claims)))}


def payload_of(claims: AccessClaims) -> bytes:
    """Write the JSON of an access token."""
    return write_access_payload(AccessContent(**asdict(claims)))


def protected_header(key: SigningKey, algorithm: bytes = b"\x27") -> bytes:
    """Write the protected header of a COSE_Sign1: {1: algorithm, 4: key id}."""
    return b"\xa2\x01" + algorithm + b"\x04\x48" + key.key_id


def cose_sign1(
    key: SigningKey,
    claims: bytes,
    *,
    protected: bytes | None = None,
    before: bytes = b"\xd2\x84",
    unprotected: bytes = b"\xa0",
    after: bytes = b"",
) -> bytes:
    """Sign any claims as a COSE_Sign1 of any form."""
    header = protected_header(key) if protected is None else protected
    signature = key.sign(b"\x84\x6aSignature1" + _cbor_bytes(header) + b"\x40" + _cbor_bytes(claims))
    return before + _cbor_bytes(header) + unprotected + _cbor_bytes(claims) + _cbor_bytes(signature) + after


def refresh_text(token: bytes) -> str:
    """Spell the bytes of a refresh token."""
    return "sdr_" + encode_base64url(token)


def jwt(key: SigningKey, payload: bytes, *, header: bytes | None = None) -> str:
    """Sign any payload under any header as a JWT."""
    head = key.access_header if header is None else encode_base64url(header)
    signed = f"{head}.{encode_base64url(payload)}"
    return f"{signed}.{encode_base64url(key.sign(signed.encode()))}"


def changed(data: bytes, old: bytes, new: bytes) -> bytes:
    """Put *new* in the one place of *old*."""
    if data.count(old) != 1:
        message = f"{old!r} stands {data.count(old)} times in {data!r}"
        raise ValueError(message)
    return data.replace(old, new)


def flipped(token: str, at: int = -2, bits: int = 1) -> str:
    """
    Flip bits of a character of base64url, so that it is still one.

    The last but one stands for bits of the signature alone, in tokens of either kind.
    """
    other = ALPHABET[ALPHABET.index(token[at]) ^ bits]
    end = len(token) if at == -1 else at + 1
    return token[:at] + other + token[end:]


def _cbor_bytes(data: bytes) -> bytes:
    """Write a byte string of CBOR below 256 bytes in its shortest form (RFC 8949, section 3)."""
    return (bytes([0x40 | len(data)]) if len(data) < 24 else bytes([0x58, len(data)])) + data
