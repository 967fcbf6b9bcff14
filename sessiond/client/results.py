"""
What the calls of the client give: plain values, without protobuf.

Instants are whole seconds since the Unix epoch on the authority's clock,
``server_ms`` is that clock in milliseconds. Tokens are left out of every
``repr``, so that none gets into a log by accident.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from typing import Any

from sessiond.errors import Cause


class RefreshOutcome(enum.IntEnum):
    """What Refresh did; UNKNOWN stands for a value of a later release, here and below."""

    UNKNOWN = 0
    ROTATED = 1
    RETRIED = 2
    SHARED = 3
    REPLACED = 4


class SessionState(enum.IntEnum):
    """Whether a session lives."""

    UNKNOWN = 0
    ACTIVE = 1
    ENDED = 2


class RevocationVerdict(enum.IntEnum):
    """What became of a session that was to be ended."""

    UNKNOWN = 0
    ENDED = 1
    ENDED_BEFORE = 2
    NOT_FOUND = 3


class KeyPurpose(enum.IntEnum):
    """Which kind of token a key signs."""

    UNKNOWN = 0
    REFRESH = 1
    ACCESS = 2


class KeyState(enum.IntEnum):
    """Where a key stands in its life."""

    UNKNOWN = 0
    PENDING = 1
    ACTIVE = 2
    RETIRING = 3
    REVOKED = 4


_GOOD_STATES = frozenset({KeyState.PENDING, KeyState.ACTIVE, KeyState.RETIRING})


@dataclass(frozen=True, slots=True)
class Device:
    """The end user's device: ``label`` and ``user_agent`` of at most 64 bytes, ``ip`` in text form."""

    label: str = ""
    ip: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """
    A pair of tokens and what a holder needs to know to use it.

    ``received_ms`` is this machine's wall clock when the answer came. Beside
    ``server_ms`` it gives what the two clocks differ by, so that the tokens
    are judged rightly on a machine whose clock is wrong.
    """

    refresh_token: str = field(repr=False)
    access_token: str = field(repr=False)
    session_id: str
    generation: int
    refresh_token_expires_at: int
    access_token_expires_at: int
    refresh_after: int
    server_ms: int
    received_ms: int
    revision: int

    def is_fresh(self, now_ms: int) -> bool:
        """Say whether it is too early to refresh, by this machine's wall clock at *now_ms*."""
        return self._server_ms(now_ms) < self.refresh_after * 1000

    def is_alive(self, now_ms: int) -> bool:
        """Say whether the access token still lives, by this machine's wall clock at *now_ms*."""
        return self._server_ms(now_ms) < self.access_token_expires_at * 1000

    def _server_ms(self, now_ms: int) -> int:
        return now_ms - self.received_ms + self.server_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed(Tokens):
    """The pair that follows a presented refresh token, and how it came about."""

    outcome: RefreshOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """How a session ended; ``cause`` is None where a later release knows one that this one does not."""

    cause: Cause | None
    reason: str
    actor: str
    ended_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """
    One login on one client.

    ``idle_expires_at`` moves with every refresh, ``expires_at`` never. The four
    counters say how often its refresh tokens were presented in an unusual way.
    """

    session_id: str
    tenant: str
    subject: str
    client_id: str
    audience: str
    claims_json: str
    data_json: str
    device: Device
    state: SessionState
    end: SessionEnd | None
    created_at: int
    refreshed_at: int
    expires_at: int
    idle_expires_at: int
    generation: int
    shared: int
    retried: int
    superseded: int
    refusals: int
    etag: str

    @property
    def claims(self) -> dict[str, Any]:
        """The application's claims."""
        return _object(self.claims_json)

    @property
    def data(self) -> dict[str, Any]:
        """The server-side data."""
        return _object(self.data_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """Some sessions of a subject; ``next_page_token`` is empty on the last page."""

    sessions: tuple[Session, ...]
    next_page_token: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """The end of a session: this call's doing, or an earlier end."""

    session_id: str
    end: SessionEnd
    ended_by_this_call: bool
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRevoked:
    """What became of each session of a list, in its order; ``revision`` is that of :class:`ScopeRevoked`."""

    verdicts: tuple[RevocationVerdict, ...]
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRevoked:
    """The sessions of a device that the call ended, oldest first; ``revision`` is that of :class:`ScopeRevoked`."""

    session_ids: tuple[str, ...]
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRevoked:
    """
    When every session of a scope ended.

    A verifier that has applied ``revision`` refuses the tokens of all that ended: see ``min_revision`` of
    :meth:`sessiond.client.Client.verify`.
    """

    ended_at: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Who a good access token speaks for."""

    session_id: str
    tenant: str
    subject: str
    client_id: str
    audience: str
    generation: int
    issued_at: int
    expires_at: int
    claims_json: str
    revision: int

    @property
    def claims(self) -> dict[str, Any]:
        """The application's claims."""
        return _object(self.claims_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """
    One public key of the keyset; ``key_id`` has 16 hexadecimal digits.

    ``retired_at``, ``revoked_at`` and ``expires_at`` are None until the key gets there.
    """

    key_id: str
    purpose: KeyPurpose
    state: KeyState
    format: int
    public_key: bytes
    created_at: int
    activates_at: int
    retired_at: int | None
    revoked_at: int | None
    expires_at: int | None

    @property
    def is_good(self) -> bool:
        """Whether tokens that it signed may be accepted; not where its state is one of a later release."""
        return self.state in _GOOD_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyset:
    """
    The public keys, newest first.

    ``cose_key_set`` holds those that are not revoked (RFC 9052), ``jwks_json``
    the access keys among them (RFC 7517). A copy is good for ``max_age_seconds``.
    """

    keys: tuple[Key, ...]
    cose_key_set: bytes
    jwks_json: str
    max_age_seconds: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """A key after it was made or revoked, and the key that took its place, if one had to be made."""

    key: Key
    replacement: Key | None
    revision: int


def _object(text: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text) if text else {}
    return read
