"""How the access keys are published to verifiers, the same over gRPC and over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.store.records import KeyState, Purpose
from sessiond.token.keyset import jwks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessiond.authority.policy import Policy
    from sessiond.store.records import KeyRecord


def max_age_seconds(policy: Policy) -> int:
    """
    Say how long a copy of the keyset may be used.

    Half the publication time: a key signs nothing before it has been
    published that long, so every copy knows it by then, and one failed fetch
    may be repeated in between.
    """
    return policy.key_publication_seconds // 2


def published_jwks(keys: Iterable[KeyRecord]) -> str:
    """Give the access keys that are not revoked as a JWK Set (RFC 7517, RFC 8037), in the order of *keys*."""
    good = (key for key in keys if key.purpose is Purpose.ACCESS and key.state is not KeyState.REVOKED)
    return jwks([key.public_key for key in good])
