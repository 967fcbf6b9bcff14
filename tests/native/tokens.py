"""Tokens, good ones and ones that no signer of ours would write, under keys that are only for tests."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from sessiond import _fastverify
from sessiond._fastverify import GOOD, KeyTable, VerifiedAccessToken, VerifiedRefreshToken
from sessiond.token.sign import AccessClaims, RefreshClaims, SigningKey, sign_access_token, sign_refresh_token

NOW = 1_800_000_000
ISSUER, AUDIENCE = b"https://sessiond.example", "orders"

REFRESH_KEY, REVOKED_REFRESH_KEY = SigningKey(bytes([1]) * 32), SigningKey(bytes([2]) * 32)
ACCESS_KEY, REVOKED_ACCESS_KEY = SigningKey(bytes([3]) * 32), SigningKey(bytes([4]) * 32)
OTHER_KEY = SigningKey(bytes([5]) * 32)

SESSION_ID = bytes(range(0xA0, 0xB0))

Verified = VerifiedAccessToken | VerifiedRefreshToken


class RefusalError(Exception):
    """A verdict that is not GOOD, and what the token says where its signature is good: two arguments."""


class RefreshVerifier(_fastverify.RefreshVerifier):
    """Refuses with the bare verdict."""

    __slots__ = ()

    def _refused(self, verdict: int, token: str, verified: VerifiedRefreshToken | None, *, now: int) -> RefusalError:
        del token, now
        return RefusalError(verdict, verified)


class AccessVerifier(_fastverify.AccessVerifier):
    """Refuses with the bare verdict."""

    __slots__ = ()

    def _spelled(self, audience: str) -> bytes:
        return written(audience)

    def _refused(
        self, verdict: int, token: str, verified: VerifiedAccessToken | None, *, audience: str, now: int, leeway: int
    ) -> RefusalError:
        del token, audience, now, leeway
        return RefusalError(verdict, verified)


def written(text: str) -> bytes:
    """Write a text as it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


def judge(verifier: RefreshVerifier | AccessVerifier, token: Any, **asked: Any) -> tuple[int, bytes]:
    """
    Give the verdict on a token and its fields, b"" where its signature is not good.

    ``verify``, ``read_signed`` and a batch of one have to say the same.
    """
    alone = outcome(lambda: verifier.verify(token, **asked))
    batch = verifier.verify_batch([token], **asked)
    verdict, verified = alone
    fields = b"" if verified is None else packed(verified)
    assert alone == outcome(lambda: batch[0])
    assert bytes([verdict]) == batch.verdicts
    assert (fields if verdict == GOOD else bytes(len(batch.fields))) == batch.fields
    assert (alone if verified is None else (GOOD, verified)) == outcome(lambda: verifier.read_signed(token))
    return verdict, fields


def outcome(ask: Callable[[], Verified]) -> tuple[int, Verified | None]:
    """Give the verdict of a call, and what it says of the token."""
    try:
        return GOOD, ask()
    except RefusalError as refusal:
        verdict, verified = refusal.args
        return verdict, verified


def packed(token: Verified) -> bytes:
    """Pack what a token says as a batch does."""
    issued_at = token.issued_at.to_bytes(4, "big")
    fields = token.key_id + token.expires_at.to_bytes(4, "big") + issued_at + token.session_id
    fields += token.generation.to_bytes(4, "big")
    if isinstance(token, VerifiedAccessToken):
        fields += issued_at + token.tenant_hash + token.subject_hash + token.born.to_bytes(8, "big")
    return fields


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
    audience: str = AUDIENCE,
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
