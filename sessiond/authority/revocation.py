"""What verifiers must know of revocations, in memory, and how it keeps up with the store."""

from __future__ import annotations

import heapq
import threading
from typing import TYPE_CHECKING, Protocol, TypeVar

from sessiond.errors import Cause, TokenRefusedError
from sessiond.store.records import RevocationKind, Scope, ScopeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sessiond.authority.keyring import Keyring
    from sessiond.authority.keys import Keys
    from sessiond.store.contract import Store
    from sessiond.store.records import Cut, Revocation

T = TypeVar("T")

_PAGE = 1000
_EVERYTHING = Scope(ScopeKind.ALL)


class RevocationIndex(Protocol):
    """Says whether a session was revoked. Readers never wait; one writer at a time."""

    @property
    def applied_revision(self) -> int:
        """The revision up to which everything is known, 0 at first."""
        ...

    def is_revoked(self, session_id: bytes, tenant_hash: bytes, subject_hash: bytes, born: int) -> Cause | None:
        """Name the cause that ended a session, None while it lives: its own end first, then the cuts that cover it."""
        ...

    def apply(self, entries: Iterable[Revocation], revision: int) -> None:
        """Add entries of the revocation log; everything up to *revision* is known then."""
        ...

    def apply_cuts(self, cuts: dict[Scope, Cut]) -> None:
        """Add the cuts of the store."""
        ...

    def expire(self, now: int) -> None:
        """Forget what cannot matter any more at *now*, seconds since the epoch on a clock that never runs ahead."""
        ...


class Revocations:
    """
    The index as plain dictionaries.

    An entry leaves once its ``keep_until`` has passed: no token that it
    concerns can be alive then.
    """

    def __init__(self) -> None:
        """Start with nothing known."""
        self._revision = 0
        self._sessions: dict[bytes, Cause] = {}
        self._session_ends: list[tuple[int, bytes]] = []
        self._cuts: dict[Scope, tuple[int, int]] = {}
        self._writing = threading.Lock()

    @property
    def applied_revision(self) -> int:
        """The revision up to which everything is known, 0 at first."""
        return self._revision

    def is_revoked(self, session_id: bytes, tenant_hash: bytes, subject_hash: bytes, born: int) -> Cause | None:
        """Name the cause that ended a session, None while it lives: its own end first, then the cuts that cover it."""
        cause = self._sessions.get(session_id)
        if cause is not None:
            return cause
        if self._is_cut(Scope(ScopeKind.SUBJECT, subject_hash), born):
            return Cause.SUBJECT_REVOKED
        if self._is_cut(Scope(ScopeKind.TENANT, tenant_hash), born):
            return Cause.TENANT_REVOKED
        if self._is_cut(_EVERYTHING, born):
            return Cause.ALL_REVOKED
        return None

    def apply(self, entries: Iterable[Revocation], revision: int) -> None:
        """Add entries of the revocation log; everything up to *revision* is known then."""
        with self._writing:
            for entry in entries:
                if entry.kind is RevocationKind.SESSION:
                    self._sessions[entry.session_id] = entry.cause or Cause.REVOKED
                    heapq.heappush(self._session_ends, (entry.keep_until, entry.session_id))
                elif entry.scope is not None:
                    self._cut(entry.scope, entry.revision, entry.keep_until)
            self._revision = max(self._revision, revision)

    def apply_cuts(self, cuts: dict[Scope, Cut]) -> None:
        """Add the cuts of the store."""
        with self._writing:
            for scope, cut in cuts.items():
                self._cut(scope, cut.revision, cut.keep_until)

    def expire(self, now: int) -> None:
        """Forget what cannot matter any more at *now*, seconds since the epoch on a clock that never runs ahead."""
        with self._writing:
            while self._session_ends and self._session_ends[0][0] <= now:
                _, session_id = heapq.heappop(self._session_ends)
                self._sessions.pop(session_id, None)
            for scope in [scope for scope, (_, keep_until) in self._cuts.items() if keep_until <= now]:
                del self._cuts[scope]

    def _is_cut(self, scope: Scope, born: int) -> bool:
        cut = self._cuts.get(scope)
        return cut is not None and born < cut[0]

    def _cut(self, scope: Scope, revision: int, keep_until: int) -> None:
        """Keep the larger of two cuts, and the longer of two memories."""
        old_revision, old_keep_until = self._cuts.get(scope, (0, 0))
        self._cuts[scope] = (max(revision, old_revision), max(keep_until, old_keep_until))


class Feed:
    """
    Keeps an index and the keyset as fresh as the store. Safe to use from any thread.

    Whoever must not miss an acknowledged revocation calls :meth:`catch_up`
    after its own request has arrived, and judges with what it finds then.
    """

    def __init__(self, store: Store, keys: Keys, revocations: RevocationIndex) -> None:
        """Feed *revocations* and *keys* from *store*."""
        self.revocations = revocations
        self._store = store
        self._keys = keys
        self._catching_up = threading.Lock()

    def catch_up(self) -> int:
        """
        Apply what the store acknowledged before this call, and give the revision that is applied now.

        Costs one read of the store's revision where there is nothing to apply.
        Of several calls at once, one reads the log and the others wait for it.

        Raises:
            StoreUnavailableError: The store cannot be read. What is applied
                stays as it was, and the caller must not answer from it.

        """
        revision = self._store.revision()
        if self.revocations.applied_revision < revision:
            with self._catching_up:
                self._apply_up_to(revision)
        return self.revocations.applied_revision

    def with_fresh_keys(self, attempt: Callable[[Keyring], T | None]) -> T:
        """
        Run *attempt* with the keyset, and again with a newer one for as long as that is too old.

        It is too old where *attempt* gives None: its write met a newer keyset in the store (:attr:`View.keys_revision`)
        and was not done. It may be too old where a token's key is not known: another process may have made that
        key a moment ago. Each further round takes another change of the keyset, so there are few.

        Raises:
            StoreUnavailableError: The store cannot be read.

        """
        while True:
            ring = self._keys.snapshot()
            try:
                result = attempt(ring)
                if result is not None:
                    return result
                self._keys.apply()
            except TokenRefusedError as error:
                if error.cause is not Cause.UNKNOWN_KEY:
                    raise
                self.catch_up()
                if self._keys.snapshot().revision == ring.revision:
                    raise

    def expire(self, now: int) -> None:
        """Forget what cannot matter any more at *now*, as :meth:`sessiond.clock.DeletionClock.now` gives it."""
        self.revocations.expire(now)

    def _apply_up_to(self, wanted: int) -> None:
        """Read the log to its tail, unless whoever held the lock before has already read far enough."""
        if self.revocations.applied_revision == 0:
            # Later cuts come with the log.
            cuts, _ = self._store.cuts()
            self.revocations.apply_cuts(cuts)
        while (applied := self.revocations.applied_revision) < wanted:
            entries, tail = self._store.revocations_after(applied, _PAGE)
            if any(entry.kind is RevocationKind.KEYS for entry in entries):
                # Before the revision says so: nobody may find it applied and meet the old keyset.
                self._keys.apply()
            # Revisions whose entries were swept are missing from the log; they concern nothing that is alive.
            self.revocations.apply(entries, entries[-1].revision if len(entries) == _PAGE else tail)
