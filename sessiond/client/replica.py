"""
What a local verifier knows of its authority, as the messages of WatchRevocations tell it.

Rule 1: no I/O and no clock: messages come in with the instants at which they were received.
Rule 2: nothing is known before a first snapshot is complete; the next one is built beside what serves, and swapped in.
Rule 3: only a message that has caught up makes knowledge fresh, and no fresher than the authority's time in it: what
    lay in a buffer on its way is old.
Rule 4: no clock is believed alone: what a wall clock that was stepped says neither forgets a revocation nor brings a
    token back to life.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sessiond.client.faults import UnexpectedAnswerError
from sessiond.client.messages import key_of, milliseconds
from sessiond.client.results import Key
from sessiond.errors import Advice, Cause, InvalidAccessToken
from sessiond.token.keyset import VerificationKey
from sessiond.token.revocations import cut_scope, end_session
from sessiond.token.verify import AccessVerifier, RevocationIndex
from sessiond.v1 import revocation_service_pb2

EXPIRY_SECONDS = 60
"""How often the index forgets what cannot matter any more: that goes through all of it, and readers wait."""

MIN_DIFFERENCE_MS = 2_000
"""Wall clocks may differ by so much at least, whatever the leeway: a message takes some time on its way."""


@dataclass(frozen=True, slots=True)
class Contact:
    """When the last message that had caught up was received, by the boot-time clock, and the authority's time in it."""

    server_ms: int
    boot_ms: int

    def staleness_ms(self, *, boot_ms: int, wall_ms: int) -> int:
        """Say how old what it told is at an instant: by the time since, or by the wall clock where that says more."""
        return max(boot_ms - self.boot_ms, wall_ms - self.server_ms)

    def authority_ms(self, boot_ms: int) -> int:
        """Say what the authority's wall clock shows at an instant, or less by what the message took on its way."""
        return self.server_ms + boot_ms - self.boot_ms

    def clock_difference_ms(self, *, boot_ms: int, wall_ms: int) -> int:
        """Say how far the local wall clock is ahead of that at an instant; negative where it is behind."""
        return wall_ms - self.authority_ms(boot_ms)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """
    What tokens are judged with at one moment.

    ``keys`` are the access keys, revoked ones too; everything up to
    ``revision`` is known.
    """

    verifier: AccessVerifier
    index: RevocationIndex
    keys: tuple[Key, ...]
    issuer: str
    leeway_seconds: int
    revision: int
    contact: Contact

    def now(self, *, boot_ms: int, wall_ms: int) -> int:
        """
        Give the seconds since the epoch by which tokens are judged at an instant: never behind the authority's time.

        A wall clock that is behind, or stepped back, brings no token back to
        life whose revocation is forgotten already.
        """
        return max(wall_ms, self.contact.authority_ms(boot_ms)) // 1000

    def fault(self, *, boot_ms: int, wall_ms: int, max_staleness_ms: int) -> InvalidAccessToken | None:
        """
        Say why it must not be used at an instant; None where it may.

        It may while its staleness is less than *max_staleness_ms* and the two
        wall clocks differ by no more than the leeway, or by 2 s where that is
        less. The wall clock hides as much of what a message took on its way as
        it is behind.
        """
        difference_ms = self.contact.clock_difference_ms(boot_ms=boot_ms, wall_ms=wall_ms)
        allowed_ms = _allowed_difference_ms(self.leeway_seconds)
        if abs(difference_ms) > allowed_ms:
            side = "ahead of" if difference_ms > 0 else "behind"
            refusal = InvalidAccessToken(
                Cause.VERIFIER_STALE,
                f"this verifier's clock is {abs(difference_ms) / 1000:.1f} s {side} the authority's, more than the "
                f"{allowed_ms // 1000} s that are allowed: set it right",
            )
            refusal.advice = Advice.CHECK_CLOCK
            return refusal
        staleness_ms = self.contact.staleness_ms(boot_ms=boot_ms, wall_ms=wall_ms)
        if staleness_ms < max_staleness_ms:
            return None
        return InvalidAccessToken(
            Cause.VERIFIER_STALE,
            f"this verifier knows what the authority said {staleness_ms / 1000:.1f} s ago, and less than "
            f"{max_staleness_ms / 1000:g} s are allowed: it has lost the authority",
        )


class Replica:
    """
    Applies messages, of one stream at a time, and gives what is known.

    Safe to use from any thread. What :attr:`knowledge` gives does not change,
    but for its index, which goes on to learn.
    """

    def __init__(self, cache_entries: int, made: Callable[[AccessVerifier], None]) -> None:
        """
        Start with nothing known.

        Args:
            cache_entries: How many good tokens each verifier keeps, see AccessVerifier.
            made: Is called with each verifier before it is used.

        """
        self._cache_entries = cache_entries
        self._made = made
        self._changing = threading.Lock()
        self._knowledge: Knowledge | None = None
        self._building = True
        self._index = RevocationIndex()  # where entries go: that of the knowledge, or the one being built beside it
        self._keyset = revocation_service_pb2.AccessKeyset()  # the last one that came
        self._cursor = 0
        self._learned: tuple[Key, ...] = ()  # what another source told of the keys, as of the revision beside it
        self._learned_revision = 0
        self._first: Contact | None = None  # the first there ever was, of whatever stream
        self._expired_at = 0

    @property
    def knowledge(self) -> Knowledge | None:
        """What to judge with; None before the first snapshot is complete."""
        return self._knowledge

    @property
    def cursor(self) -> int:
        """Where the next stream goes on."""
        return self._cursor

    def apply(self, message: revocation_service_pb2.WatchRevocationsResponse, *, boot_ms: int, wall_ms: int) -> None:
        """
        Take in a message that was received at *boot_ms* and *wall_ms*.

        Raises:
            UnexpectedAnswerError: It says what this release does not understand. The cursor stays before it, and
                nothing becomes fresh.

        """
        with self._changing:
            try:
                self._apply(message, boot_ms, wall_ms)
            except ValueError as error:
                text = f"this release of the client does not understand what the authority revoked: {error}"
                raise UnexpectedAnswerError(text) from error

    def learn(self, keys: Iterable[Key], revision: int) -> None:
        """
        Add access keys that the stream has not told of, as they were at a revision.

        Takes no key away, and makes none good that was revoked: what is added may be older than what the stream told.
        It holds until the stream tells of keys of that revision or a later one: what it tells before may be older.

        Raises:
            UnexpectedAnswerError: A key is damaged.

        """
        with self._changing:
            known = self._knowledge
            if known is None:
                return
            learned = _merged(self._learned, keys)
            merged = _merged(known.keys, learned)
            try:
                verifier = self._verifier(merged, known.issuer, known.index, known)
            except ValueError as error:
                text = f"this release of the client does not understand the authority's keys: {error}"
                raise UnexpectedAnswerError(text) from error
            self._knowledge = replace(known, verifier=verifier, keys=merged)
            self._learned, self._learned_revision = learned, max(revision, self._learned_revision)

    def _apply(self, message: revocation_service_pb2.WatchRevocationsResponse, boot_ms: int, wall_ms: int) -> None:
        if message.reset:
            # Should this message turn out not to be understood, nothing may be added to what it leaves behind.
            self._building, self._index, self._cursor = True, RevocationIndex(), 0
            # An authority that was restored may not have the keys that were learned; one that was revoked stays so.
            self._learned = tuple(key for key in self._learned if not key.is_good)
        for entry in message.entries:
            _put(entry, self._index)
        if message.HasField("keyset"):
            self._keyset = message.keyset
        if not self._building or message.caught_up:
            self._knowledge = self._next(message, boot_ms, wall_ms)
            self._building = False
        self._cursor = message.cursor

    def _next(self, message: revocation_service_pb2.WatchRevocationsResponse, boot_ms: int, wall_ms: int) -> Knowledge:
        known = self._knowledge
        contact = Contact(milliseconds(message.server_time), boot_ms)
        if known is not None and not message.caught_up:
            contact = known.contact
        if message.caught_up:
            self._expire(contact, wall_ms)
        if known is not None and not self._building and not message.HasField("keyset"):
            return replace(known, revision=message.cursor, contact=contact)
        if message.cursor >= self._learned_revision:
            self._learned = ()
        keys = _merged(map(key_of, self._keyset.keys), self._learned)
        return Knowledge(
            verifier=self._verifier(keys, self._keyset.issuer, self._index, known),
            index=self._index,
            keys=keys,
            issuer=self._keyset.issuer,
            leeway_seconds=self._keyset.leeway.seconds,
            revision=message.cursor,
            contact=contact,
        )

    def _verifier(
        self, keys: tuple[Key, ...], issuer: str, index: RevocationIndex, known: Knowledge | None
    ) -> AccessVerifier:
        """Make the verifier of some keys; the one that serves goes on, with its cache, where it would be the same."""
        good_for = _verification_keys(keys)
        if known is not None and (index, issuer, good_for) == (
            known.index,
            known.issuer,
            _verification_keys(known.keys),
        ):
            return known.verifier
        verifier = AccessVerifier(
            good_for,
            issuer,
            tables={} if known is None else known.verifier.tables,
            revocations=index,
            cache_entries=self._cache_entries,
        )
        self._made(verifier)
        return verifier

    def _expire(self, contact: Contact, wall_ms: int) -> None:
        """
        Forget by the slowest of three clocks: all say then that what is forgotten concerns nothing alive.

        On one machine both wall clocks are one, and a step forward moves both; so the third is the authority's first
        word and the time since. That word may have come during a step itself: so nothing is forgotten before as much
        time has passed as the clocks may differ by.
        """
        if self._first is None:
            self._first = contact
        if contact.boot_ms - self._first.boot_ms < _allowed_difference_ms(self._keyset.leeway.seconds):
            return
        now = min(contact.server_ms, wall_ms, self._first.authority_ms(contact.boot_ms)) // 1000
        if now - self._expired_at >= EXPIRY_SECONDS:
            self._index.expire(now)
            self._expired_at = now


def _verification_keys(keys: Iterable[Key]) -> list[VerificationKey]:
    return [VerificationKey(key.public_key, key.format, not key.is_good) for key in keys]


def _merged(told: Iterable[Key], added: Iterable[Key]) -> tuple[Key, ...]:
    """Add keys to others: a key that both know stays as it was told, unless it is good no more."""
    merged = {key.key_id: key for key in told}
    for key in added:
        if key.key_id not in merged or not key.is_good:
            merged[key.key_id] = key
    return tuple(merged.values())


def _allowed_difference_ms(leeway_seconds: int) -> int:
    return max(leeway_seconds * 1000, MIN_DIFFERENCE_MS)


def _put(entry: revocation_service_pb2.RevocationEntry, index: RevocationIndex) -> None:
    kind = entry.WhichOneof("kind")
    if kind == "session_ended":
        ended = entry.session_ended
        end_session(index, ended.session_id, int(ended.cause), entry.keep_until)
    elif kind == "scope_cut":
        cut = entry.scope_cut
        cut_scope(
            index,
            int(cut.scope_kind),
            cut.scope_hash,
            entry.revision,
            entry.keep_until,
            except_session_id=cut.except_session_id,
            except_until=cut.except_until,
        )
    else:
        message = f"the entry of revision {entry.revision} is of a kind that is not known here"
        raise ValueError(message)
