"""What verifiers must know of revocations, in memory, and how it keeps up with the store."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from sessiond.errors import Cause, IndeterminateError, StoreUnavailableError, TokenRefusedError
from sessiond.store.records import RevocationKind
from sessiond.token.revocations import cut_scope, end_session
from sessiond.token.verify import RevocationIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sessiond.authority.keyring import Keyring
    from sessiond.authority.keys import Keys
    from sessiond.store.contract import Store
    from sessiond.store.records import Cut, Revocation, Scope

T = TypeVar("T")

_PAGE = 1000


class Revocations:
    """
    The index that verifiers ask, with the entries of the store's log in it up to a revision. One writer at a time.

    An entry leaves once its ``keep_until`` has passed: no token that it
    concerns can be alive then. ``index`` is what verifiers of batches ask.
    """

    def __init__(self) -> None:
        """Start with nothing known."""
        self._revision = 0
        self.index = RevocationIndex()
        self._applying = threading.Lock()

    @property
    def applied_revision(self) -> int:
        """The revision up to which everything is known, 0 at first."""
        return self._revision

    def is_revoked(self, session_id: bytes, tenant_hash: bytes, subject_hash: bytes, born: int) -> Cause | None:
        """Name the cause that ended a session, None while it lives: its own end first, then the cuts that cover it."""
        cause = self.index.cause_of(session_id, tenant_hash, subject_hash, born)
        return Cause(cause) if cause else None

    def apply(self, entries: Iterable[Revocation], revision: int) -> None:
        """Add entries of the revocation log; everything up to *revision* is known then."""
        with self._applying:
            for entry in entries:
                if entry.kind is RevocationKind.SESSION:
                    end_session(self.index, entry.session_id, entry.cause, entry.keep_until)
                elif entry.scope is not None:
                    self._cut(entry.scope, entry)
            self._revision = max(self._revision, revision)

    def apply_cuts(self, cuts: dict[Scope, Cut]) -> None:
        """Add the cuts of the store."""
        for scope, cut in cuts.items():
            self._cut(scope, cut)

    def expire(self, now: int) -> None:
        """Forget what cannot matter any more at *now*, seconds since the epoch on a clock that never runs ahead."""
        self.index.expire(now)

    def _cut(self, scope: Scope, cut: Cut | Revocation) -> None:
        cut_scope(
            self.index,
            scope.kind,
            scope.hash,
            cut.revision,
            cut.keep_until,
            except_session_id=cut.except_session_id,
            except_until=cut.except_until,
        )


class Feed:
    """
    Keeps an index and the keyset as fresh as the store. Safe to use from any thread.

    Whoever must not miss an acknowledged revocation calls :meth:`catch_up`
    after its own request has arrived, and judges with what it finds then.
    """

    def __init__(self, store: Store, keys: Keys, revocations: Revocations) -> None:
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
            StoreUnavailableError: The store cannot be read, or its log ends
                before its revision. What is applied stays as it was, and the
                caller must not answer from it.

        """
        revision = self._store.revision()
        if self.revocations.applied_revision < revision:
            with self._catching_up:
                self._apply_up_to(revision)
        return self.revocations.applied_revision

    def make_known(self) -> None:
        """
        Apply a revocation that this process has just written, before it is acknowledged.

        Raises:
            IndeterminateError: The store cannot be read, so nobody knows whether every verifier here knows of it.

        """
        try:
            self.catch_up()
        except StoreUnavailableError:
            message = "the revocation is written, but the store cannot be read to make sure that everyone here knows"
            raise IndeterminateError(message) from None

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
            if len(entries) < _PAGE and tail < wanted:
                raise log_ends_early(wanted, tail)
            # Revisions whose entries were swept are missing from the log; they concern nothing that is alive.
            self.revocations.apply(entries, entries[-1].revision if len(entries) == _PAGE else tail)


def log_ends_early(wanted: int, tail: int) -> StoreUnavailableError:
    """Say that the revocation log ends at *tail*, before the revision *wanted* that the store told of."""
    message = (
        f"the store tells of revision {wanted}, and its log ends at {tail}: its files were changed while it was in "
        "use; stop every process that has it open, then start again"
    )
    return StoreUnavailableError(message)
