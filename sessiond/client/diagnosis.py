"""What the calls about tokens and events give: plain values; instants are whole seconds on the authority's clock."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessiond.client.results import Device, KeyState, Session
    from sessiond.errors import Advice, Cause


class TokenKind(enum.IntEnum):
    """What kind of token a text is by its shape; UNKNOWN: none that this release knows."""

    UNKNOWN = 0
    REFRESH = 1
    ACCESS = 2


class EventKind(enum.IntEnum):
    """What happened; UNKNOWN stands for a kind of a later release. ``diagnosis_service.proto`` says what each means."""

    UNKNOWN = 0
    SESSION_CREATED = 1
    REFRESH_ROTATED = 2
    REFRESH_RETRIED = 3
    REFRESH_SHARED = 4
    REFRESH_REPLACED = 5
    REFRESH_SUPERSEDED = 6
    REFRESH_REFUSED = 7
    REFRESH_REUSED = 8
    REFRESH_STATE_LOST = 9
    SESSION_UPDATED = 10
    SESSION_REVOKED = 11
    SCOPE_CUT = 12
    KEY_CREATED = 13
    KEY_ACTIVATED = 14
    KEY_RETIRED = 15
    KEY_REVOKED = 16
    KEY_REMOVED = 17
    SESSION_EVICTED = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """
    Which events are wanted: those that match everything that is given.

    ``subject`` is a user of ``tenant``. Callers that may not act for every
    tenant must name one, or a session.
    """

    session_id: str = ""
    tenant: str = ""
    subject: str = ""
    kinds: Iterable[EventKind] = ()
    causes: Iterable[Cause] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    One thing that happened.

    ``sequence`` numbers events in time; it is 0 in a timeline where the event
    was made out of the session's record. Texts are empty, ``cause`` and
    ``generation`` None, where there is nothing to say. ``details`` are short
    texts by name.
    """

    sequence: int
    kind: EventKind
    happened_at: int
    session_id: str
    tenant: str
    subject: str
    cause: Cause | None
    generation: int | None
    device: Device
    caller: str
    actor: str
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some events, oldest first; go on after ``cursor``, at once where there is ``more`` to look at."""

    events: tuple[Event, ...]
    cursor: int
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenContent:
    """What a token says; the last six are empty for a refresh token."""

    session_id: str
    generation: int
    issued_at: int
    expires_at: int
    tenant: str
    subject: str
    client_id: str
    audience: str
    issuer: str
    claims_json: str

    @property
    def claims(self) -> dict[str, Any]:
        """
        The application's claims.

        Raises:
            ValueError, RecursionError: They cannot be read. What a token says that nobody signed can be anything.

        """
        read: dict[str, Any] = json.loads(self.claims_json) if self.claims_json else {}
        return read


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUse:
    """One use of a refresh token of ``generation``."""

    generation: int
    used_at: int
    device: Device
    caller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReuseEvidence:
    """
    Both uses of the refresh token that ended its session.

    ``rotation``, and with it ``seconds_since_rotation``, is None where nothing
    tells of the first use any more. ``generation_distance`` is how much older
    the token was than the newest one.
    """

    rotation: TokenUse | None
    reuse: TokenUse
    generation_distance: int
    seconds_since_rotation: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """
    What there is to say about a text that is meant to be a token.

    ``content`` is what its signer said only where ``signature_good``. ``refused``
    says whether a check fails, and ``cause`` is the first one that does, None
    also where that is a cause of a later release. A refresh token that is well
    signed and in time is not ``refused`` where the caller has neither the role
    auditor nor refresher, as ``explanation`` says; then ``advice`` is None too.
    ``session``, ``timeline`` and ``reuse`` are told to auditors alone, about
    tokens with a good signature.
    """

    kind: TokenKind
    content: TokenContent | None
    key_id: str
    key_state: KeyState | None
    signature_good: bool
    refused: bool
    cause: Cause | None
    explanation: str
    advice: Advice | None
    session: Session | None
    timeline: tuple[Event, ...]
    reuse: ReuseEvidence | None
    server_ms: int
