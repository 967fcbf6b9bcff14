"""Tokens, good ones and ones that no signer of ours would write, under keys that are only for tests."""

from __future__ import annotations

import base64

from sessiond._fastverify import AccessVerifier, KeyTable, RefreshVerifier
from sessiond.token.sign import AccessClaims, RefreshClaims, SigningKey, sign_access_token, sign_refresh_token

NOW = 1_800_000_000
ISSUER, AUDIENCE = b"https://sessiond.example", b"orders"

REFRESH_KEY, REVOKED_REFRESH_KEY = SigningKey(bytes([1]) * 32), SigningKey(bytes([2]) * 32)
ACCESS_KEY, REVOKED_ACCESS_KEY = SigningKey(bytes([3]) * 32), SigningKey(bytes([4]) * 32)
OTHER_KEY = SigningKey(bytes([5]) * 32)

SESSION_ID = bytes(range(0xA0, 0xB0))

REFRESH = RefreshVerifier(
    [
        (REVOKED_REFRESH_KEY.key_id, KeyTable(REVOKED_REFRESH_KEY.public_key), True),
        (REFRESH_KEY.key_id, KeyTable(REFRESH_KEY.public_key), False),
    ]
)
ACCESS = AccessVerifier(
    [
        (REVOKED_ACCESS_KEY.key_id, KeyTable(REVOKED_ACCESS_KEY.public_key), True),
        (ACCESS_KEY.key_id, KeyTable(ACCESS_KEY.public_key), False),
    ],
    ISSUER,
)


def encode(data: bytes) -> str:
    """Spell bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def refresh_token(
    key: SigningKey = REFRESH_KEY, *, issued_at: int = NOW - 60, expires_at: int = NOW + 600, generation: int = 7
) -> str:
    """Sign a refresh token."""
    return sign_refresh_token(key, RefreshClaims(SESSION_ID, generation, issued_at, expires_at))


def access_claims(
    *,
    issued_at: int = NOW - 60,
    expires_at: int = NOW + 240,
    issuer: str = ISSUER.decode(),
    audience: str = AUDIENCE.decode(),
    claims_json: str = '{"role":"clerk"}',
) -> AccessClaims:
    """Give the claims of an access token."""
    return AccessClaims(
        session_id=SESSION_ID,
        generation=7,
        issued_at=issued_at,
        expires_at=expires_at,
        tenant_hash=b"tenant_h",
        subject_hash=b"subjec_h",
        born=1 << 48,
        issuer=issuer,
        audience=audience,
        subject="u-1",
        client_id="web",
        tenant="acme",
        claims_json=claims_json,
    )


def access_token(key: SigningKey = ACCESS_KEY, claims: AccessClaims | None = None) -> str:
    """Sign an access token."""
    return sign_access_token(key, claims or access_claims())


def signed_access(payload: bytes, key: SigningKey = ACCESS_KEY, header: str | None = None) -> str:
    """Sign any payload under any header: good signatures for what the signer would never write."""
    signed = f"{header or key.access_header}.{encode(payload)}"
    return f"{signed}.{encode(key.sign(signed.encode()))}"


def payload_of(token: str) -> bytes:
    """Read the payload of an access token."""
    return decode(token.split(".")[1])


def flipped(data: bytes, bit: int) -> bytes:
    """Turn one bit over."""
    return bytes(byte ^ (1 << bit % 8 if place == bit // 8 else 0) for place, byte in enumerate(data))
