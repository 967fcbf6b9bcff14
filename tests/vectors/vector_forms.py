"""What the vectors of both kinds of tokens have in common."""

from __future__ import annotations

from typing import Any

from sessiond.errors import Cause
from sessiond.token.sign import SigningKey
from tests.vectors.token_samples import key_of

# The order of the group (RFC 8032, section 5.1).
GROUP_ORDER = (1 << 252) + 27742317777372353535851937790883648493

Json = dict[str, Any]


def keys(purpose: str) -> dict[str, tuple[SigningKey, str, int]]:
    """Name the keys of the keyset of a purpose, each with its state and its format."""
    return {
        "active": (key_of(purpose), "ACTIVE", 1),
        "pending": (key_of(purpose + " pending"), "PENDING", 1),
        "retiring": (key_of(purpose + " retiring"), "RETIRING", 1),
        "revoked": (key_of(purpose + " revoked"), "REVOKED", 1),
        "of format 2": (key_of(purpose + " of format 2"), "ACTIVE", 2),
    }


def keyset(purpose: str) -> list[Json]:
    """Write the keyset as a verifier gets it."""
    return [
        {
            "name": f"TEST KEY, {name}",
            "public_key": key.public_key.hex(),
            "key_id": key.key_id.hex(),
            "state": state,
            "format": key_format,
        }
        for name, (key, state, key_format) in keys(purpose).items()
    ]


def good(name: str, token: str, fields: Json, **asked: Any) -> Json:
    """Expect a token to be accepted with these fields."""
    return {"name": name, "token": token, **asked, "expected": {"fields": fields}}


def bad(name: str, cause: Cause, token: str, **asked: Any) -> Json:
    """Expect a token to be refused with this cause."""
    return {"name": name, "token": token, **asked, "expected": {"cause": cause.name}}


def with_order_added(signature: bytes) -> bytes:
    """Spell the same signature with S + L, which is beyond the order of the group and must be refused."""
    scalar = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    return signature[:32] + scalar.to_bytes(32, "little")
