"""The public keys that verify tokens: their ids, their check, and how they are published."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from nacl.bindings import crypto_core_ed25519_is_valid_point

from sessiond.token.format import FORMAT, KEY_ID_SIZE, encode_base64url

PUBLIC_KEY_SIZE = 32

# CBOR of {1 (kty): 1 (OKP), -1 (crv): 6 (Ed25519), -2 (x): public key}, which RFC 9679, section 4.1, hashes for an OKP
# key.
_THUMBPRINT_INPUT = b"\xa3\x01\x01\x20\x06\x21\x58\x20"
# CBOR of {1 (kty): 1, 2 (kid): key id, 3 (alg): -8 (EdDSA), -1 (crv): 6, -2 (x): public key}, RFC 9052, section 7.
_COSE_KEY = b"\xa5\x01\x01\x02\x48", b"\x03\x27\x20\x06\x21\x58\x20"
# Key sets longer than this would need another form of CBOR's array header than the three written here.
_MAX_KEYS = 0xFFFF
_MAX_SHORT_ARRAY = 23


def key_id(public_key: bytes) -> bytes:
    """
    Name an Ed25519 key: the first 8 bytes of its COSE Key Thumbprint (RFC 9679) with SHA-256.

    Raises:
        ValueError: *public_key* does not have 32 bytes.

    """
    if len(public_key) != PUBLIC_KEY_SIZE:
        message = f"an Ed25519 public key has {PUBLIC_KEY_SIZE} bytes, not {len(public_key)}"
        raise ValueError(message)
    return hashlib.sha256(_THUMBPRINT_INPUT + public_key).digest()[:KEY_ID_SIZE]


def check_public_key(public_key: bytes) -> None:
    """
    Refuse a public key under which a signature could fit more than one message or be valid for some verifiers only.

    Good is a point in its canonical encoding, on the curve, of prime order: what
    every honestly made key is. libsodium checks it.

    Raises:
        ValueError: *public_key* is anything else.

    """
    if len(public_key) != PUBLIC_KEY_SIZE or not crypto_core_ed25519_is_valid_point(public_key):
        message = "not an Ed25519 public key of prime order"
        raise ValueError(message)


@dataclass(frozen=True)
class VerificationKey:
    """
    A public key as a verifier gets it.

    A key of a ``format`` other than 1 may hold bytes of any kind: whoever does
    not know its format treats it as absent.

    Raises:
        ValueError: ``format`` is 1 and ``public_key`` is not an Ed25519 key of prime order.

    """

    public_key: bytes
    format: int = FORMAT
    revoked: bool = False

    def __post_init__(self) -> None:
        """Check a key of the known format, so that no other one reaches a verifier."""
        if self.format == FORMAT:
            check_public_key(self.public_key)

    @property
    def key_id(self) -> bytes:
        """The key's id, 8 bytes."""
        return key_id(self.public_key)


def cose_key_set(public_keys: Sequence[bytes]) -> bytes:
    """
    Publish keys as a COSE_KeySet (RFC 9052, section 7): deterministic CBOR, in the order given.

    Raises:
        ValueError: a key does not have 32 bytes, or there are more than 65,535.

    """
    n_keys = len(public_keys)
    if n_keys > _MAX_KEYS:
        message = f"at most {_MAX_KEYS} keys"
        raise ValueError(message)
    if n_keys <= _MAX_SHORT_ARRAY:
        head = bytes([0x80 | n_keys])
    elif n_keys <= 0xFF:  # noqa: PLR2004 - one byte
        head = bytes([0x98, n_keys])
    else:
        head = b"\x99" + n_keys.to_bytes(2, "big")
    before, after = _COSE_KEY
    return head + b"".join(before + key_id(key) + after + key for key in public_keys)


def jwks(public_keys: Sequence[bytes]) -> str:
    """
    Publish keys as a JWK Set (RFC 7517, RFC 8037), in the order given.

    Raises:
        ValueError: a key does not have 32 bytes.

    """
    entries = (
        f'{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"{key_id(key).hex()}","x":"{encode_base64url(key)}"}}'
        for key in public_keys
    )
    return '{"keys":[' + ",".join(entries) + "]}"
