"""The revocation log as verifiers are told it, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessiond.authority.feed import log_ends_early
from sessiond.store.contract import INCARNATION_BITS, REVISION_BITS
from sessiond.store.records import RevocationKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiond.authority.keyring import Keyring
    from sessiond.authority.keys import Keys
    from sessiond.store.contract import Store
    from sessiond.store.records import Revocation

PAGE = 1000

_COUNT_BITS = REVISION_BITS - INCARNATION_BITS


@dataclass(frozen=True, slots=True)
class LogPage:
    """
    What happened up to the revision ``upto``.

    ``entries`` are ends of sessions and cuts, in the order of their revisions.
    ``keyring`` is given where the keys changed, and is no older than ``upto``.
    """

    upto: int
    entries: Sequence[Revocation]
    keyring: Keyring | None


class RevocationLog:
    """
    Reads the revocation log for verifiers in other processes. Safe to use from any thread.

    The log keeps every entry that could refuse something alive, so the log
    from its beginning is the whole of what a verifier must know. Entries that
    no longer matter are sent until they are swept: a wall clock that was set
    forward by mistake must not hide one that does.
    """

    def __init__(self, store: Store, keys: Keys) -> None:
        """Read from *store*; *keys* are brought up to date before a change of them is told."""
        self._store = store
        self._keys = keys

    def revision(self) -> int:
        """
        Read the store's revision.

        Raises:
            StoreUnavailableError: The store cannot be read.

        """
        return self._store.revision()

    def first(self, after: int, upto: int) -> LogPage:
        """
        Read the first page for a verifier that begins, or resumes, after the revision *after*.

        As :meth:`read`, always with the keys: entries of the log that changed them may have been swept.
        """
        self._keys.apply()
        page = self.read(after, upto)
        return LogPage(page.upto, page.entries, self._keys.snapshot())

    def read(self, after: int, upto: int) -> LogPage:
        """
        Read what happened after the revision *after*: at most 1,000 entries of the log, none beyond *upto*.

        Raises:
            StoreUnavailableError: The store cannot be read, or its log ends before *upto*: nobody may vouch for it.

        """
        logged, tail = self._store.revocations_after(after, PAGE)
        if len(logged) < PAGE and tail < upto:
            raise log_ends_early(upto, tail)
        entries = [entry for entry in logged if entry.revision <= upto]
        keyring = None
        if any(entry.kind is RevocationKind.KEYS for entry in entries):
            self._keys.apply()
            keyring = self._keys.snapshot()
        # Only a whole page that ends before *upto* leaves something out. Entries that were swept are missing.
        reached = entries[-1].revision if len(entries) == PAGE else upto
        return LogPage(reached, [one for one in entries if one.kind is not RevocationKind.KEYS], keyring)


def can_resume(cursor: int, revision: int) -> bool:
    """Say whether a verifier that knows everything up to *cursor* can resume there in a store at *revision*."""
    return 0 < cursor <= revision and cursor >> _COUNT_BITS == revision >> _COUNT_BITS
