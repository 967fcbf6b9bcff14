"""
Verifying tokens: text in; out comes a value that nothing else can make, or the exact cause why it is refused.

Rule 1: the verdict is the extension's; what is done here is to name it and to hand on what a good signature covers.
Rule 2: a message never holds a token; before the signature was found good, it holds nothing of one but the key id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Self

from sessiond import _fastverify
from sessiond._fastverify import (
    AccessBatch,
    RefreshBatch,
    RevocationIndex,
    VerifiedAccessToken,
    VerifiedRefreshToken,
)
from sessiond.errors import Cause, InvalidAccessToken, InvalidRefreshToken
from sessiond.ids import session_id_text
from sessiond.token.endings import ENDINGS
from sessiond.token.format import (
    ACCESS_HEADER_LENGTH,
    FORMAT,
    json_string,
    read_access_header,
    read_refresh,
)
from sessiond.token.inspect import inspect
from sessiond.token.keyset import VerificationKey

__all__ = [
    "AccessBatch",
    "AccessVerifier",
    "RefreshBatch",
    "RefreshVerifier",
    "RevocationIndex",
    "VerifiedAccessToken",
    "VerifiedRefreshToken",
]

Tables = Mapping[bytes, _fastverify.KeyTable]  # by public key

_NO_TABLES: Tables = MappingProxyType({})


class RefreshVerifier(_fastverify.RefreshVerifier):
    """
    Verifies refresh tokens under the keys it was made with.

    What it does is told in the extension; what is told to those it refuses stands here. Its keys never change; safe to
    use from any thread.
    """

    __slots__ = ("_tables",)
    _tables: Tables

    def __new__(cls, keys: Iterable[VerificationKey], *, tables: Tables = _NO_TABLES) -> Self:
        """
        Take the keys of one keyset; keys of a format that is not understood count as unknown.

        Args:
            keys: The keyset.
            tables: The tables of another verifier, taken as they are; they are made for other keys.

        Raises:
            ValueError: Two keys have the same id, or a table is of another key.

        """
        keys = _understood(keys)
        tables = _tables(keys, tables)
        verifier = super().__new__(cls, _rows(keys, tables))
        verifier._tables = tables
        return verifier

    @property
    def tables(self) -> Tables:
        """What was computed for each key, by public key; for the verifier of the next keyset."""
        return self._tables

    def _refused(
        self, verdict: int, token: str, verified: VerifiedRefreshToken | None, *, now: int
    ) -> InvalidRefreshToken:
        cause = Cause(verdict)
        if verified is not None:
            message = _expired(verified.expires_at, now)
            return InvalidRefreshToken(cause, message, session_id=session_id_text(verified.session_id))
        if cause is Cause.MALFORMED:
            return InvalidRefreshToken(cause, inspect(token).summary)
        if cause is Cause.WRONG_TOKEN_KIND:
            return InvalidRefreshToken(cause, "an access token stands where a refresh token belongs")
        return InvalidRefreshToken(cause, _key_fault(cause, read_refresh(token).key_id))


class AccessVerifier(_fastverify.AccessVerifier):
    """
    Verifies access tokens of one issuer under the keys it was made with.

    What it does is told in the extension; what is told to those it refuses stands here. Its keys never change; safe to
    use from any thread.
    """

    __slots__ = ("_issuer", "_tables")
    _issuer: str
    _tables: Tables

    def __new__(
        cls,
        keys: Iterable[VerificationKey],
        issuer: str,
        *,
        tables: Tables = _NO_TABLES,
        revocations: RevocationIndex | None = None,
        cache_entries: int = 0,
    ) -> Self:
        """
        Take the keys of one keyset; keys of a format that is not understood count as unknown.

        Args:
            keys: The keyset.
            issuer: Who must have issued every token.
            tables: The tables of another verifier, taken as they are; they are made for other keys.
            revocations: Who is refused because the session ended; nobody by default.
            cache_entries: How many good tokens to keep for their next showing, a multiple of 4; see the extension.

        Raises:
            ValueError: Two keys have the same id, a table is of another key, or *issuer* is not Unicode.

        """
        keys = _understood(keys)
        tables = _tables(keys, tables)
        verifier = super().__new__(cls, _rows(keys, tables), json_string(issuer), revocations, cache_entries)
        verifier._tables = tables
        verifier._issuer = issuer
        return verifier

    @property
    def tables(self) -> Tables:
        """What was computed for each key, by public key; for the verifier of the next keyset."""
        return self._tables

    def _spelled(self, audience: str) -> bytes:
        return json_string(audience)

    def _refused(
        self, verdict: int, token: str, verified: VerifiedAccessToken | None, *, audience: str, now: int, leeway: int
    ) -> InvalidAccessToken:
        cause = Cause(verdict)
        if verified is not None:
            message = self._why_not(cause, verified, audience, now, leeway)
            return InvalidAccessToken(cause, message, session_id=session_id_text(verified.session_id))
        if cause is Cause.MALFORMED:
            return InvalidAccessToken(cause, inspect(token).summary)
        if cause is Cause.WRONG_TOKEN_KIND:
            return InvalidAccessToken(cause, "a refresh token stands where an access token belongs")
        return InvalidAccessToken(cause, _key_fault(cause, read_access_header(token[:ACCESS_HEADER_LENGTH])))

    def _why_not(self, cause: Cause, token: VerifiedAccessToken, audience: str, now: int, leeway: int) -> str:
        if cause is Cause.EXPIRED:
            return _expired(token.expires_at, now)
        if cause is Cause.NOT_YET_VALID:
            return (
                f"it was issued at {_moment(token.issued_at)}, {token.issued_at - now} s from now, and {leeway} s are "
                "allowed: a clock is wrong"
            )
        if cause in ENDINGS:
            return ENDINGS[cause]
        if token.issuer != self._issuer:
            return f"it was issued by {token.issuer!r}, expected {self._issuer!r}"
        return f"it is for the audience {token.audience!r}, expected {audience!r}"


def _understood(keys: Iterable[VerificationKey]) -> list[VerificationKey]:
    return [key for key in keys if key.format == FORMAT]


def _tables(keys: Iterable[VerificationKey], known: Tables) -> Tables:
    """Give the table of each key; only those that are not known are made. One of another key is a ValueError."""
    tables = {key.public_key: known.get(key.public_key) or _fastverify.KeyTable(key.public_key) for key in keys}
    for public_key, table in tables.items():
        if table.public_key != public_key:
            message = (
                f"under the public key {public_key.hex()} stands the table of {table.public_key.hex()}: hand in tables "
                "of a verifier as they are"
            )
            raise ValueError(message)
    return MappingProxyType(tables)


def _rows(keys: Iterable[VerificationKey], tables: Tables) -> list[tuple[bytes, _fastverify.KeyTable, bool]]:
    return [(key.key_id, tables[key.public_key], key.revoked) for key in keys]


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
