"""
Verifying tokens: text in; out comes a value that nothing else can make, or the exact cause why it is refused.

Rule 1: the verdict is the extension's; what is done here is to name it and to hand on what a good signature covers.
Rule 2: a message never holds a token; before the signature was found good, it holds nothing of one but the key id.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import final

from sessiond import _fastverify
from sessiond.errors import Cause, InvalidAccessToken, InvalidRefreshToken
from sessiond.ids import session_id_text
from sessiond.token.format import (
    ACCESS_HEADER_LENGTH,
    FORMAT,
    LayoutError,
    json_string,
    read_access_header,
    read_access_payload,
    read_refresh,
)
from sessiond.token.inspect import inspect
from sessiond.token.keyset import VerificationKey

# What the extension hands out of a well-signed token: the whole of a refresh token, the start of an access token's.
_FIELDS = struct.Struct(">8sII16sI")
_PROOF = object()
_NO_TABLES: Mapping[bytes, _fastverify.KeyTable] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verified:
    """What every well-signed token says. Instants are seconds since the epoch, the generation is a u32."""

    key_id: bytes
    session_id: bytes
    generation: int
    issued_at: int
    expires_at: int
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        """Refuse to be made by anyone but a verifier, which alone has the proof."""
        if proof is not _PROOF:
            message = f"a {type(self).__name__} comes from a verifier and from nowhere else"
            raise TypeError(message)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRefreshToken(_Verified):
    """A refresh token whose signature was found good. Nothing but a :class:`RefreshVerifier` can make one."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAccessToken(_Verified):
    """
    An access token whose signature was found good. Nothing but an :class:`AccessVerifier` can make one.

    The hashes have 8 bytes, ``born`` is a u64; ``claims_json`` is one JSON object, verbatim.
    """

    tenant_hash: bytes
    subject_hash: bytes
    born: int
    issuer: str
    audience: str
    subject: str
    client_id: str
    tenant: str
    claims_json: str


class RefreshVerifier:
    """
    Verifies refresh tokens under the keys it was made with.

    Immutable; safe to use from any thread.

    Attributes:
        tables: What was computed for each key, by public key; for the verifier of the next keyset.

    """

    __slots__ = ("_verifier", "tables")

    def __init__(
        self, keys: Iterable[VerificationKey], known: Mapping[bytes, _fastverify.KeyTable] = _NO_TABLES
    ) -> None:
        """
        Take the keys of one keyset; keys of a format that is not understood count as unknown.

        Args:
            keys: The keyset.
            known: The tables of another verifier, taken as they are: one takes a millisecond to make and some 400 kB.

        Raises:
            ValueError: Two keys have the same id.

        """
        keys = _understood(keys)
        self.tables = _tables(keys, known)
        self._verifier = _fastverify.RefreshVerifier(_rows(keys, self.tables))

    def verify(self, token: str, *, now: int) -> VerifiedRefreshToken:
        """
        Accept *token* at *now*, seconds since the epoch, or say why not.

        A token is dead in the second that it names as its expiry. Its time of
        issue is not judged: a clock that stepped back logs nobody out.

        Raises:
            InvalidRefreshToken: The token is refused; causes up to EXPIRED.

        """
        verdict, fields = self._verifier.verify(token, now)
        if verdict != _fastverify.GOOD:
            raise _refused_refresh(Cause(verdict), token, fields, now)
        return _verified_refresh(fields)

    def read_signed(self, token: str) -> VerifiedRefreshToken:
        """
        Accept *token* whenever its signature is good, expired or not: to name its session, not to trade it.

        Raises:
            InvalidRefreshToken: The token is refused; causes up to TAMPERED.

        """
        verdict, fields = self._verifier.verify(token, 0)
        if not fields:
            raise _refused_refresh(Cause(verdict), token, fields, 0)
        return _verified_refresh(fields)


class AccessVerifier:
    """
    Verifies access tokens of one issuer under the keys it was made with.

    Immutable; safe to use from any thread.

    Attributes:
        tables: What was computed for each key, by public key; for the verifier of the next keyset.

    """

    __slots__ = ("_issuer", "_verifier", "tables")

    def __init__(
        self, keys: Iterable[VerificationKey], issuer: str, known: Mapping[bytes, _fastverify.KeyTable] = _NO_TABLES
    ) -> None:
        """
        Take the keys of one keyset; keys of a format that is not understood count as unknown.

        Args:
            keys: The keyset.
            issuer: Who must have issued every token.
            known: The tables of another verifier, taken as they are: one takes a millisecond to make and some 400 kB.

        Raises:
            ValueError: Two keys have the same id, or *issuer* is not Unicode.

        """
        keys = _understood(keys)
        self.tables = _tables(keys, known)
        self._issuer = issuer
        self._verifier = _fastverify.AccessVerifier(_rows(keys, self.tables), json_string(issuer))

    def verify(self, token: str, *, audience: str, now: int, leeway: int) -> VerifiedAccessToken:
        """
        Accept *token* for *audience* at *now*, or say why not.

        Args:
            token: The text.
            audience: Who the token must be for, compared character by character.
            now: Seconds since the epoch. A token is dead in the second that it names as its expiry.
            leeway: Seconds that a token may be used before its time of issue, since clocks differ; its end is
                never stretched.

        Raises:
            InvalidAccessToken: The token is refused; causes up to WRONG_AUDIENCE.
            ValueError: *audience* is not Unicode.

        """
        verdict, fields, payload = self._verifier.verify(token, json_string(audience), now, leeway)
        if verdict != _fastverify.GOOD and not fields:
            raise _unsigned_access(Cause(verdict), token)
        verified = _verified_access(fields, payload)
        if verdict != _fastverify.GOOD:
            message = self._why_not(Cause(verdict), verified, audience, now, leeway)
            raise InvalidAccessToken(Cause(verdict), message, session_id=session_id_text(verified.session_id))
        return verified

    def read_signed(self, token: str) -> VerifiedAccessToken:
        """
        Accept *token* whenever its signature is good, whatever its times and audience: to name its session.

        Raises:
            InvalidAccessToken: The token is refused; causes up to TAMPERED.

        """
        verdict, fields, payload = self._verifier.verify(token, b"", 0, 0)
        if not fields:
            raise _unsigned_access(Cause(verdict), token)
        return _verified_access(fields, payload)

    def _why_not(self, cause: Cause, token: VerifiedAccessToken, audience: str, now: int, leeway: int) -> str:
        if cause is Cause.EXPIRED:
            return _expired(token.expires_at, now)
        if cause is Cause.NOT_YET_VALID:
            return (
                f"it was issued at {_moment(token.issued_at)}, {token.issued_at - now} s from now, and {leeway} s are "
                "allowed: a clock is wrong"
            )
        if token.issuer != self._issuer:
            return f"it was issued by {token.issuer!r}, expected {self._issuer!r}"
        return f"it is for the audience {token.audience!r}, expected {audience!r}"


def _understood(keys: Iterable[VerificationKey]) -> list[VerificationKey]:
    return [key for key in keys if key.format == FORMAT]


def _tables(
    keys: Iterable[VerificationKey], known: Mapping[bytes, _fastverify.KeyTable]
) -> Mapping[bytes, _fastverify.KeyTable]:
    """Give the table of each key; only those that are not known are made."""
    return MappingProxyType(
        {key.public_key: known.get(key.public_key) or _fastverify.KeyTable(key.public_key) for key in keys}
    )


def _rows(
    keys: Iterable[VerificationKey], tables: Mapping[bytes, _fastverify.KeyTable]
) -> list[tuple[bytes, _fastverify.KeyTable, bool]]:
    return [(key.key_id, tables[key.public_key], key.revoked) for key in keys]


def _verified_refresh(fields: bytes) -> VerifiedRefreshToken:
    key_id, expires_at, issued_at, session_id, generation = _FIELDS.unpack(fields)
    return VerifiedRefreshToken(
        key_id=key_id,
        session_id=session_id,
        generation=generation,
        issued_at=issued_at,
        expires_at=expires_at,
        proof=_PROOF,
    )


def _verified_access(fields: bytes, payload: bytes) -> VerifiedAccessToken:
    key_id, expires_at, issued_at, session_id, generation = _FIELDS.unpack_from(fields)
    try:
        content = read_access_payload(payload)
    except LayoutError as error:
        # The extension does not look into texts: only a signer at fault could have written this.
        message = f"the payload is well signed and wrong: {error.message}"
        raise InvalidAccessToken(Cause.MALFORMED, message, session_id=session_id_text(session_id)) from None
    return VerifiedAccessToken(
        key_id=key_id,
        session_id=session_id,
        generation=generation,
        issued_at=issued_at,
        expires_at=expires_at,
        tenant_hash=content.tenant_hash,
        subject_hash=content.subject_hash,
        born=content.born,
        issuer=content.issuer,
        audience=content.audience,
        subject=content.subject,
        client_id=content.client_id,
        tenant=content.tenant,
        claims_json=content.claims_json,
        proof=_PROOF,
    )


def _refused_refresh(cause: Cause, token: str, fields: bytes, now: int) -> InvalidRefreshToken:
    if cause is Cause.EXPIRED:
        _, expires_at, _, session_id, _ = _FIELDS.unpack(fields)
        return InvalidRefreshToken(cause, _expired(expires_at, now), session_id=session_id_text(session_id))
    if cause is Cause.MALFORMED:
        return InvalidRefreshToken(cause, inspect(token).summary)
    if cause is Cause.WRONG_TOKEN_KIND:
        return InvalidRefreshToken(cause, "an access token stands where a refresh token belongs")
    return InvalidRefreshToken(cause, _key_fault(cause, read_refresh(token).key_id))


def _unsigned_access(cause: Cause, token: str) -> InvalidAccessToken:
    if cause is Cause.MALFORMED:
        return InvalidAccessToken(cause, inspect(token).summary)
    if cause is Cause.WRONG_TOKEN_KIND:
        return InvalidAccessToken(cause, "a refresh token stands where an access token belongs")
    return InvalidAccessToken(cause, _key_fault(cause, read_access_header(token[:ACCESS_HEADER_LENGTH])))


def _key_fault(cause: Cause, key_id: bytes) -> str:
    if cause is Cause.UNKNOWN_KEY:
        return (
            f"no key of the keyset has the token's key id {key_id.hex()}: it comes from another authority, or its key "
            "is gone"
        )
    if cause is Cause.KEY_REVOKED:
        return f"the key {key_id.hex()} that signed it was revoked"
    return f"its signature under the key {key_id.hex()} does not fit its content: it was changed after it was signed"


def _expired(expires_at: int, now: int) -> str:
    return f"it expired at {_moment(expires_at)}, {now - expires_at} s ago"


def _moment(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
