"""
Issuing: the pair of tokens that a session's record stands for.

Rule 1: a refresh token is a function of the record and the keyset, so it can be made again, byte for byte.
Rule 2: tokens are made of living sessions alone: verifiers forget an ended session once the access tokens that
were issued before its end are dead.
Rule 3: whatever hands out an access token has written its time of issue in the session's record before, as
``access_issued_at``: what is remembered of a revocation counts from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessiond.errors import InternalFaultError
from sessiond.token.claims import access_expires_at
from sessiond.token.format import ACCESS_INSTANTS, ACCESS_MAX_LENGTH
from sessiond.token.sign import AccessClaims, RefreshClaims, access_token_length

if TYPE_CHECKING:
    from sessiond.authority.keyring import Keyring
    from sessiond.authority.limits import Checker
    from sessiond.store.records import Session

_REFRESH_AFTER_PERCENT = 80


@dataclass(frozen=True, slots=True)
class Issued:
    """
    A pair of tokens as it is handed out, and what its holder needs to know.

    Instants are seconds since the epoch. ``issued_at`` is that of the access
    token; ``revision`` is the store's as the session was read or written.
    """

    refresh_token: str = field(repr=False)
    access_token: str = field(repr=False)
    session_id: bytes
    generation: int
    issued_at: int
    access_expires_at: int
    refresh_after: int
    refresh_expires_at: int
    revision: int


@dataclass(frozen=True, slots=True)
class Generation:
    """What makes a refresh token, beside the session: its number, its time of issue, and the key that signs it."""

    number: int
    issued_at: int
    key_id: bytes


def pending_generation(session: Session) -> Generation:
    """Give the newest generation of a session."""
    return Generation(session.pending, session.pending_by.at, session.pending_by.key_id)


def issue(ring: Keyring, session: Session, generation: Generation, *, now: int, revision: int) -> Issued:
    """
    Make the refresh token of *generation*, and a fresh access token beside it.

    Args:
        ring: Signs; it must hold the generation's key.
        session: Lives, and is durable as it stands here, with *now* or later as ``access_issued_at``.
        generation: One of the session's.
        now: Seconds since the epoch, before the session expires, and passed by :func:`check_clock`.
        revision: The store's revision that *session* was read or written at.

    """
    claims = _access_claims(session, generation.number, now, ring.issuer)
    refresh_claims = RefreshClaims(session.id, generation.number, generation.issued_at, session.expires_at)
    life_seconds = claims.expires_at - now
    return Issued(
        refresh_token=ring.sign_refresh(generation.key_id, refresh_claims),
        access_token=ring.sign_access(claims),
        session_id=session.id,
        generation=generation.number,
        issued_at=now,
        access_expires_at=claims.expires_at,
        refresh_after=now + life_seconds * _REFRESH_AFTER_PERCENT // 100,
        refresh_expires_at=session.expires_at,
        revision=revision,
    )


def check_access_token_fits(check: Checker, claims_field: str, session: Session, issuer: str, *, now: int) -> None:
    """
    Refuse a session whose access tokens would be too long, before anything of it is stored.

    The length is the same over the session's whole life. The claims are named
    as the field at fault, since they are what can be made shorter.
    """
    length = access_token_length(_access_claims(session, session.pending, now, issuer))
    if length > ACCESS_MAX_LENGTH:
        check.refuse(
            claims_field,
            f"makes access tokens of {length} characters, {ACCESS_MAX_LENGTH} are allowed with all names in them",
        )


def check_clock(now: int) -> None:
    """
    Refuse to work by a wall clock at which no token can be issued, before anything is stored.

    Raises:
        InternalFaultError: *now* lies before 2001 or after 2105: the clock was never set.

    """
    if now not in ACCESS_INSTANTS:
        message = f"the authority's wall clock reads {now} seconds since 1970, which cannot be: set it"
        raise InternalFaultError(message)


def _access_claims(session: Session, generation: int, now: int, issuer: str) -> AccessClaims:
    return AccessClaims(
        session_id=session.id,
        generation=generation,
        issued_at=now,
        expires_at=access_expires_at(now, session.access_seconds, session.id, generation, session.expires_at),
        tenant_hash=session.tenant_hash,
        subject_hash=session.subject_hash,
        born=session.born,
        issuer=issuer,
        audience=session.audience,
        subject=session.subject,
        client_id=session.client_id,
        tenant=session.tenant,
        claims_json=session.claims_json,
    )
