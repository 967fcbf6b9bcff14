"""One installation for the tests of the authority: a store, and processes that work on it side by side."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from sessiond.authority.bulk_revocation import BulkRevocation
from sessiond.authority.caller import LOCAL, Caller
from sessiond.authority.cutting import ScopeRevoked
from sessiond.authority.devices import DeviceRevoked
from sessiond.authority.ending import BatchRevoked
from sessiond.authority.feed import Feed, Revocations
from sessiond.authority.keys import Keys
from sessiond.authority.policy import Policy
from sessiond.authority.sealing import MASTER_KEY_SIZE, Sealer
from sessiond.authority.sessions import Device, Issued, Login, Revoked, Sessions
from sessiond.authority.verification import Verification
from sessiond.clock import ManualClock, wall_seconds
from sessiond.errors import StoreUnavailableError
from sessiond.ids import ScopeHasher, session_id_text
from sessiond.store.contract import Change
from sessiond.store.memory import MemoryStore
from sessiond.store.records import (
    Cut,
    Event,
    KeyRecord,
    KeyState,
    Purpose,
    Revocation,
    Scope,
    ScopeKind,
    Session,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessiond.authority.rotation import Outcome
    from sessiond.store.contract import KeysChange, KeysView, Request, View
    from sessiond.token.verify import VerifiedAccessToken

T = TypeVar("T")

TEST_MASTER_KEY = b"\x7e" * MASTER_KEY_SIZE
"""Known to everyone: for tests only."""

ISSUER = "https://issuer.test"
AUDIENCE = "api"
NO_DEVICE = Device()
NOTES = {"reason": "", "actor": "", "request_id": ""}
DAY = 86_400


class Entropy:
    """
    Bytes that look random and are the same in every run; for tests only.

    What is drawn in one size does not depend on what is drawn in others: keys
    are drawn by a thread of their own.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._drawn: Counter[int] = Counter()

    def __call__(self, n_bytes: int) -> bytes:
        self._drawn[n_bytes] += 1
        return hashlib.shake_256(f"{self._name} {n_bytes} {self._drawn[n_bytes]}".encode()).digest(n_bytes)


class RacingStore(MemoryStore):
    """
    A store in which something happens between the moment a caller decides to write and its transaction.

    What stands in ``meanwhile`` happens before the next writing verbs, one
    for each. While ``down`` is True nothing can be read, while ``keys_down``
    the keys alone cannot. What its log had up to ``log_starts_after`` is gone.
    It tells of a revision that is ``ahead`` of its log by so much.
    """

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)
        self.meanwhile: list[Callable[[], object]] = []
        self.down = self.keys_down = False
        self.log_starts_after = self.ahead = 0
        self.n_writes = 0

    def create(
        self,
        tenant_hash: bytes,
        subject_hash: bytes,
        request: Request | None,
        decide: Callable[[View], Change[T]],
        *,
        siblings: int = 0,
    ) -> T:
        self._let_happen()
        return super().create(tenant_hash, subject_hash, request, decide, siblings=siblings)

    def rotate(self, session_id: bytes, decide: Callable[[View], Change[T]]) -> T:
        self._let_happen()
        return super().rotate(session_id, decide)

    def revoke(
        self, session_ids: Sequence[bytes], request: Request | None, decide: Callable[[Sequence[View]], Change[T]]
    ) -> T:
        self._let_happen()
        return super().revoke(session_ids, request, decide)

    def cut(
        self, scope: Scope, except_session_id: bytes, request: Request | None, decide: Callable[[View], Change[T]]
    ) -> T:
        self._let_happen()
        return super().cut(scope, except_session_id, request, decide)

    def change_keys(self, request: Request | None, decide: Callable[[KeysView], KeysChange[T]]) -> T:
        self._let_happen()
        return super().change_keys(request, decide)

    def keys(self) -> KeysView:
        self._be_there()
        if self.keys_down:
            message = "the keys cannot be read"
            raise StoreUnavailableError(message)
        return super().keys()

    def revocations_after(self, revision: int, limit: int) -> tuple[list[Revocation], int]:
        return super().revocations_after(max(revision, self.log_starts_after), limit)

    def revision(self) -> int:
        self._be_there()
        return super().revision() + self.ahead

    def _let_happen(self) -> None:
        self.n_writes += 1
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def _be_there(self) -> None:
        if self.down:
            message = "the store cannot be read"
            raise StoreUnavailableError(message)


class Process:
    """One process of the installation."""

    def __init__(self, installation: Installation, name: str) -> None:
        here = installation
        entropy = Entropy(name)
        self.clock, self.store, self.policy = here.clock, here.store, here.policy
        self.keys = Keys(here.store, Sealer(TEST_MASTER_KEY), here.policy, ISSUER, entropy)
        self.keys.open(wall_seconds(here.clock))
        self.feed = Feed(here.store, self.keys, Revocations())
        self.sessions = Sessions(here.store, self.keys, self.feed, here.hasher, here.policy, AUDIENCE, entropy)
        self.bulk = BulkRevocation(here.store, self.feed, here.hasher, here.policy)
        self.verification = Verification(self.keys, self.feed, here.policy, AUDIENCE)

    def login(self, caller: Caller = LOCAL, login: Login | None = None) -> Issued:
        """Open a session, for alice of acme where nothing else is said."""
        return self.sessions.create(caller, login or Login("acme", "alice"), now_ms=self.clock.wall_ms())

    def refresh(
        self,
        refresh_token: str,
        caller: Caller = LOCAL,
        *,
        retry_key: bytes = b"",
        request_id: str = "",
        device: Device = NO_DEVICE,
        tenant: str = "",
    ) -> tuple[Issued, Outcome]:
        """Trade a refresh token."""
        return self.sessions.refresh(
            caller,
            refresh_token,
            retry_key=retry_key,
            request_id=request_id,
            device=device,
            tenant=tenant,
            now=wall_seconds(self.clock),
        )

    def get(self, session_id: bytes, caller: Caller = LOCAL) -> Session:
        """Show a session."""
        return self.sessions.get(caller, session_id_text(session_id), now=wall_seconds(self.clock))[0]

    def update(
        self,
        session_id: bytes,
        caller: Caller = LOCAL,
        *,
        claims_json: str | None = None,
        data_json: str | None = None,
        etag: str = "",
        request_id: str = "",
    ) -> Session:
        """Change a session."""
        return self.sessions.update(
            caller,
            session_id_text(session_id),
            claims_json=claims_json,
            data_json=data_json,
            etag=etag,
            request_id=request_id,
            now=wall_seconds(self.clock),
        )

    def revoke(
        self,
        session_id: bytes | None = None,
        caller: Caller = LOCAL,
        *,
        token: str | None = None,
        reason: str = "",
        actor: str = "",
        request_id: str = "",
    ) -> Revoked:
        """End a session."""
        return self.sessions.revoke(
            caller,
            session_id=None if session_id is None else session_id_text(session_id),
            token=token,
            reason=reason,
            actor=actor,
            request_id=request_id,
            now=wall_seconds(self.clock),
        )

    def revoke_list(self, *session_ids: bytes, caller: Caller = LOCAL, **fields: str) -> BatchRevoked:
        """End the sessions of a list."""
        texts = [session_id_text(one) for one in session_ids]
        return self.bulk.revoke_list(caller, texts, now=wall_seconds(self.clock), **{**NOTES, **fields})

    def revoke_device(
        self, label: str, caller: Caller = LOCAL, *, subject: str = "alice", **fields: str
    ) -> DeviceRevoked:
        """End the sessions of a device of a subject of acme."""
        now = wall_seconds(self.clock)
        return self.bulk.revoke_device(caller, "acme", subject, label, now=now, **{**NOTES, **fields})

    def revoke_subject(
        self, caller: Caller = LOCAL, *, spared: bytes = b"", subject: str = "alice", **fields: str
    ) -> ScopeRevoked:
        """End the sessions of a subject of acme, all but one where *spared* names it."""
        return self.bulk.revoke_subject(
            caller,
            "acme",
            subject,
            except_session_id=session_id_text(spared) if spared else "",
            now=wall_seconds(self.clock),
            **{**NOTES, **fields},
        )

    def revoke_tenant(self, caller: Caller = LOCAL, tenant: str = "acme", **fields: str) -> ScopeRevoked:
        """End the sessions of a tenant."""
        return self.bulk.revoke_tenant(caller, tenant, now=wall_seconds(self.clock), **{**NOTES, **fields})

    def revoke_all(self, caller: Caller = LOCAL, **fields: str) -> ScopeRevoked:
        """End every session."""
        return self.bulk.revoke_all(caller, now=wall_seconds(self.clock), **{**NOTES, **fields})

    def verify(self, access_token: str) -> VerifiedAccessToken:
        """Judge an access token."""
        return self.verification.verify(
            LOCAL, access_token, audience="", tenant="", min_revision=0, now=wall_seconds(self.clock)
        )[0]

    def rotate_key(
        self, purpose: Purpose, *, immediately: bool = False, request_id: str = "", caller: Caller = LOCAL
    ) -> KeyRecord:
        """Make the next key."""
        now = wall_seconds(self.clock)
        return self.keys.rotate(caller, purpose, immediately=immediately, request_id=request_id, now=now)[0]

    def revoke_key(self, key_id: bytes, *, request_id: str = "") -> KeyRecord:
        """Refuse a key's tokens."""
        return self.keys.revoke(
            LOCAL, key_id.hex(), reason="", actor="", request_id=request_id, now=wall_seconds(self.clock)
        )[0]

    def revoke_active_key(self, purpose: Purpose) -> KeyRecord:
        """Refuse the tokens of the key that signs."""
        return self.revoke_key(self.key_in(purpose, KeyState.ACTIVE).key_id)

    def key_in(self, purpose: Purpose, state: KeyState) -> KeyRecord:
        """Give the key of a purpose that is in a state, as the store has it."""
        (key,) = [key for key in self.store.keys().keys if key.purpose is purpose and key.state is state]
        return key


class Installation:
    """A store and a clock that the test moves; nothing is in it before the first process starts."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.clock = ManualClock()
        self.store = RacingStore(self.clock)
        self.policy = policy or Policy()
        self.hasher = ScopeHasher(b"secret of a test" * 2)

    @functools.cached_property
    def here(self) -> Process:
        """The first process."""
        return self.process("here")

    def process(self, name: str) -> Process:
        """Start a process, whose entropy is its own."""
        return Process(self, name)

    @property
    def now(self) -> int:
        """The wall clock, in seconds."""
        return wall_seconds(self.clock)

    def serve_for(self, seconds: int) -> None:
        """Let time pass while the store can write: the serving clock goes on, second by second."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.store.tick()

    def record(self, session_id: bytes) -> Session:
        """Read a session's record."""
        session = self.store.get(session_id).session
        assert session is not None
        return session

    def cut(self, kind: ScopeKind, *, tenant: str = "acme", subject: str = "alice", reason: str = "") -> int:
        """Revoke a whole scope, and give the revision."""
        hashes = {
            ScopeKind.ALL: b"",
            ScopeKind.TENANT: self.hasher.tenant(tenant),
            ScopeKind.SUBJECT: self.hasher.subject(tenant, subject),
        }

        scope = Scope(kind, hashes[kind])
        cut = Cut(0, self.now, self.policy.cut_kept_until(self.now), reason, "operator")
        event = Event(0, "SCOPE_CUT", self.now)
        return self.store.cut(
            scope, b"", None, lambda view: Change(view.revision + 1, cut=(scope, cut), events=(event,))
        )

    def events(self) -> list[str]:
        """Name every event so far, but those of keys."""
        return [event.kind for event in self.store.events_after(0, 10_000)[0] if not event.kind.startswith("KEY_")]
