"""Signing tokens: libsodium through PyNaCl, deterministic, so the same claims give the same token."""

from __future__ import annotations

from dataclasses import dataclass

import nacl.signing

from sessiond.token.format import (
    ACCESS_HEADER_LENGTH,
    ACCESS_MAX_LENGTH,
    ACCESS_SIGNATURE_LENGTH,
    AccessContent,
    encode_base64url,
    refresh_signature_input,
    write_access_header,
    write_access_payload,
    write_refresh,
    write_refresh_claims,
)
from sessiond.token.keyset import key_id

SEED_SIZE = 32


class SigningKey:
    """
    An Ed25519 key that signs one kind of token.

    Shows nothing of its secret, and cannot be pickled. Safe to use from any thread.
    """

    __slots__ = ("_key", "access_header", "key_id", "public_key")

    def __init__(self, seed: bytes) -> None:
        """
        Derive the key from *seed*, 32 bytes from a cryptographic source.

        Raises:
            ValueError: *seed* does not have 32 bytes.

        """
        if len(seed) != SEED_SIZE:
            message = f"the seed of an Ed25519 key has {SEED_SIZE} bytes"
            raise ValueError(message)
        self._key = nacl.signing.SigningKey(seed)
        self.public_key = bytes(self._key.verify_key)
        self.key_id = key_id(self.public_key)
        self.access_header = write_access_header(self.key_id)

    def sign(self, message: bytes) -> bytes:
        """Sign *message* as it is, 64 bytes (RFC 8032). To sign a token, call the functions of this module."""
        return self._key.sign(message).signature

    def __repr__(self) -> str:
        return f"SigningKey(key_id={self.key_id.hex()})"

    def __reduce__(self) -> str:
        message = "a signing key is not pickled: its seed is sealed and stored by the keyset"
        raise TypeError(message)


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """
    What a refresh token says.

    ``session_id`` has 16 bytes, ``generation`` is below 2**32, the instants are
    seconds since the epoch between 65,536 and 2**32 - 1.
    """

    session_id: bytes
    generation: int
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """
    What an access token says.

    ``session_id`` has 16 bytes, ``generation`` is below 2**32, the instants are
    seconds since the epoch between 1,000,000,000 and 2**32 - 1, the hashes have 8
    bytes, ``born`` is below 2**64. ``claims_json`` is one JSON object that
    :func:`sessiond.token.claims.check_json_object` has passed, or "".
    """

    session_id: bytes
    generation: int
    issued_at: int
    expires_at: int
    tenant_hash: bytes
    subject_hash: bytes
    born: int
    issuer: str
    audience: str
    subject: str
    client_id: str
    tenant: str
    claims_json: str


def sign_refresh_token(key: SigningKey, claims: RefreshClaims) -> str:
    """
    Sign a refresh token, 164 characters.

    Raises:
        ValueError: a claim is out of its range.

    """
    payload = write_refresh_claims(claims.expires_at, claims.issued_at, claims.session_id, claims.generation)
    signature = key.sign(refresh_signature_input(key.key_id, payload))
    return write_refresh(key.key_id, payload, signature)


def sign_access_token(key: SigningKey, claims: AccessClaims) -> str:
    """
    Sign an access token, 4,096 characters at most.

    Raises:
        ValueError: a claim is out of its range, or the token would be too long
            (:func:`access_token_length` tells before anything is stored).

    """
    payload = _access_payload(claims)
    length = _access_length(payload)
    if length > ACCESS_MAX_LENGTH:
        message = f"the access token would have {length} characters, {ACCESS_MAX_LENGTH} are allowed"
        raise ValueError(message)
    signed = f"{key.access_header}.{encode_base64url(payload)}"
    return f"{signed}.{encode_base64url(key.sign(signed.encode('ascii')))}"


def access_token_length(claims: AccessClaims) -> int:
    """
    Count the characters that the access token of *claims* has.

    It does not change over a session's life, whatever the instants, the
    generation, the key and ``born``: a session whose first token fits can
    always be refreshed.

    Raises:
        ValueError: a claim is out of its range.

    """
    return _access_length(_access_payload(claims))


def _access_length(payload: bytes) -> int:
    payload_length = (len(payload) * 4 + 2) // 3
    return ACCESS_HEADER_LENGTH + 1 + payload_length + 1 + ACCESS_SIGNATURE_LENGTH


def _access_payload(claims: AccessClaims) -> bytes:
    return write_access_payload(
        AccessContent(
            expires_at=claims.expires_at,
            issued_at=claims.issued_at,
            session_id=claims.session_id,
            generation=claims.generation,
            tenant_hash=claims.tenant_hash,
            subject_hash=claims.subject_hash,
            born=claims.born,
            issuer=claims.issuer,
            audience=claims.audience,
            subject=claims.subject,
            client_id=claims.client_id,
            tenant=claims.tenant,
            claims_json=claims.claims_json,
        )
    )
