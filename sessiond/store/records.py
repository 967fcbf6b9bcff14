"""
What the store keeps.

Rule 1: a record is written as an array of its fields in order. Fields are only
ever appended, each with a default; none is removed, moved or given another meaning.
Rule 2: records are values. A change makes a new one.

Instants are whole seconds since the epoch; fields that end in ``_ms`` count
milliseconds of serving time. Ids, hashes and addresses are bytes.
"""

from __future__ import annotations

import enum

import msgspec

from sessiond.errors import Cause


class Record(msgspec.Struct, frozen=True, array_like=True):
    """The base of all records."""


class Trace(Record, frozen=True):
    """
    The call that made a generation: evidence, and the facts that make its token again.

    ``at`` is also the ``iat`` of the generation's refresh token, and ``key_id``
    the key that signs it, so the token can be made again byte for byte.
    """

    at: int
    serving_ms: int
    key_id: bytes
    retry_hash: bytes = b""
    request_hash: bytes = b""
    ip: bytes = b""
    user_agent: str = ""
    caller: str = ""


class Reuse(Record, frozen=True):
    """The presentation that was found to be reuse, kept for whoever asks why."""

    presented: int
    by: Trace


class End(Record, frozen=True):
    """How a session ended. ``reuse`` is set where the cause is REUSED."""

    cause: Cause
    at: int
    reason: str = ""
    actor: str = ""
    reuse: Reuse | None = None


class Refusal(Record, frozen=True):
    """How often one cause refused well-signed tokens of a session. ``event_at`` is the time of its last event."""

    cause: Cause
    first_at: int
    last_at: int
    count: int
    event_at: int


class Session(Record, frozen=True):
    """
    One login on one client. Its size does not grow with the number of refreshes.

    ``pending`` is the newest generation, issued and not yet seen again;
    ``confirmed`` the last one proved to be in the client's hands, None at
    creation; ``parent`` the one that ``confirmed`` replaced. ``confirmed_ms``
    is the serving time at which ``confirmed`` was proved. ``shared_in_row``
    counts the generations in a row whose successor two holders shared, and
    ``pending_shared`` says whether the present one is among them.
    ``access_issued_at`` is the latest time of issue of any access token of it,
    and never falls: a revocation is remembered for their life after it.
    """

    id: bytes
    tenant: str
    subject: str
    tenant_hash: bytes
    subject_hash: bytes
    audience: str
    created_at: int
    expires_at: int
    idle_seconds: int
    access_seconds: int
    born: int
    pending: int
    pending_by: Trace
    client_id: str = ""
    label: str = ""
    claims_json: str = ""
    data_json: str = ""
    confirmed: int | None = None
    confirmed_by: Trace | None = None
    confirmed_ms: int = 0
    parent: int | None = None
    shared_in_row: int = 0
    pending_shared: bool = False
    shared: int = 0
    retried: int = 0
    superseded: int = 0
    refusals: tuple[Refusal, ...] = ()
    end: End | None = None
    access_issued_at: int = 0


class ScopeKind(enum.IntEnum):
    """What a cut covers."""

    ALL = 1
    TENANT = 2
    SUBJECT = 3


class Scope(Record, frozen=True):
    """What a cut covers: a kind and its 8-byte hash, empty for ALL."""

    kind: ScopeKind
    hash: bytes = b""


class Cut(Record, frozen=True):
    """
    The revision at which all of a scope was revoked: sessions born before it are dead.

    The cut may be deleted once ``keep_until`` has passed: nothing older than
    it can be alive then. One session may be spared, ``except_session_id``: its
    record is born at the cut, and its tokens from before it live until ``except_until``.
    """

    revision: int
    at: int
    keep_until: int
    reason: str = ""
    actor: str = ""
    except_session_id: bytes = b""
    except_until: int = 0


class RevocationKind(enum.IntEnum):
    """What an entry of the revocation log tells a verifier."""

    SESSION = 1
    CUT = 2
    KEYS = 3


class Revocation(Record, frozen=True):
    """
    One entry of the revocation log. There is exactly one per revision.

    SESSION: ``session_id`` ended with ``cause``. CUT: ``scope`` was cut at
    ``revision``, all but ``except_session_id``, as :class:`Cut` says. KEYS: the
    keyset changed; read it again.
    """

    revision: int
    kind: RevocationKind
    at: int
    keep_until: int
    session_id: bytes = b""
    cause: Cause | None = None
    scope: Scope | None = None
    except_session_id: bytes = b""
    except_until: int = 0


class Purpose(enum.IntEnum):
    """Which kind of token a key signs; a key has one purpose."""

    REFRESH = 1
    ACCESS = 2


class KeyState(enum.IntEnum):
    """Where a key stands in its life: published, signing, verifying only, refused."""

    PENDING = 1
    ACTIVE = 2
    RETIRING = 3
    REVOKED = 4


class KeyRecord(Record, frozen=True):
    """One signing key. ``sealed_seed`` is encrypted under the master key; zero-valued instants have not come yet."""

    key_id: bytes
    purpose: Purpose
    state: KeyState
    format: int
    public_key: bytes
    sealed_seed: bytes
    created_at: int
    activates_at: int
    retired_at: int = 0
    revoked_at: int = 0
    expires_at: int = 0
    reason: str = ""
    actor: str = ""


class Event(Record, frozen=True):
    """
    One thing that happened to a session or a key, written in the same transaction as the change.

    ``kind`` is a name of ``authority.events.EventKind``; ``sequence`` is given by
    the store. ``details`` are short texts for people: never a token. A
    ``refusal`` changed nothing but counters, be it that a call was refused or
    that it was given again what another had got: such events have a bound of
    their own, so that no flood of them drives others out.
    """

    sequence: int
    kind: str
    at: int
    session_id: bytes = b""
    tenant: str = ""
    subject: str = ""
    cause: Cause | None = None
    generation: int = -1
    ip: bytes = b""
    user_agent: str = ""
    caller: str = ""
    actor: str = ""
    request_hash: bytes = b""
    details: dict[str, str] = {}
    refusal: bool = False


class RequestRecord(Record, frozen=True):
    """
    What a mutation with a request id answered, kept so that its repetition gets the same answer.

    ``request_hash`` is a hash of the whole request: the same id with another
    request is a fault of the caller. ``outcome`` is what came of it, as
    the decision that wrote it spells it; ``at`` is when it was done.
    """

    request_hash: bytes
    keep_until: int
    session_id: bytes = b""
    key_id: bytes = b""
    other_key_id: bytes = b""
    revision: int = 0
    outcome: bytes = b""
    at: int = 0
