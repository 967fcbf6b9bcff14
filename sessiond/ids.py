"""Session ids and scope hashes: how a session, a subject and a tenant are named in tokens and index."""

from __future__ import annotations

import hashlib
import re
import uuid

SESSION_ID_SIZE = 16
SCOPE_HASH_SIZE = 8

_UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


def new_session_id(wall_ms: int, subject_hash: bytes, entropy: bytes) -> bytes:
    """
    Make a session id: 16 bytes in the layout of UUIDv7 (RFC 9562, section 5.7).

    Ids of one time lie side by side in the store, which makes durable inserts
    several times cheaper than random ids. The 12 bits of rand_a are the first
    bits of *subject_hash*, so that the id alone tells a subject's shard; the
    62 bits of rand_b come from *entropy*.

    Args:
        wall_ms: Milliseconds since the epoch, below 2**48.
        subject_hash: The scope hash of the subject, 8 bytes.
        entropy: 8 bytes from a cryptographic source.

    """
    shard = int.from_bytes(subject_hash[:2], "big") >> 4
    random_b = int.from_bytes(entropy[:8], "big") & ((1 << 62) - 1)
    value = (wall_ms << 80) | (0x7 << 76) | (shard << 64) | (0b10 << 62) | random_b
    return value.to_bytes(SESSION_ID_SIZE, "big")


def session_id_text(session_id: bytes) -> str:
    """Spell a session id, 16 bytes, as UUID text, 36 characters."""
    digits = session_id.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse_session_id(text: str) -> bytes:
    """
    Read a session id from its one spelling: lower-case UUID text of version 7.

    Raises:
        ValueError: *text* is anything else.

    """
    if not _UUID_TEXT.match(text):
        message = "not a session id: expected the 36 lower-case characters of a UUID of version 7"
        raise ValueError(message)
    return uuid.UUID(text).bytes


class ScopeHasher:
    """
    Gives tenants and subjects their 8-byte names in tokens and index, and places in lists their marks.

    Keyed with a secret of the authority, so that a name in a token cannot be
    turned back into a subject by guessing. Domain-separated and
    length-prefixed, so that no two scopes of different kinds or splits share
    an input. Safe to use from any thread.
    """

    def __init__(self, secret: bytes) -> None:
        """Hash under *secret*, 32 bytes."""
        self._secret = secret

    def tenant(self, tenant: str) -> bytes:
        """Name a tenant."""
        return self._hash(b"sessiond tenant", tenant)

    def subject(self, tenant: str, subject: str) -> bytes:
        """Name a subject of a tenant."""
        return self._hash(b"sessiond subject", tenant, subject)

    def place(self, subject_hash: bytes, session_id: bytes) -> bytes:
        """Mark a place in a subject's list of sessions, 8 bytes that nobody else can make."""
        return self._hash(b"sessiond place", subject_hash, session_id)

    def _hash(self, person: bytes, *parts: str | bytes) -> bytes:
        state = hashlib.blake2b(key=self._secret, person=person, digest_size=SCOPE_HASH_SIZE)
        for part in parts:
            encoded = part.encode() if isinstance(part, str) else part
            state.update(len(encoded).to_bytes(2, "big") + encoded)
        return state.digest()
