"""The keys of the authority: made, published, replaced and revoked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from sessiond.authority.keyring import Keyring, read_signers, seed_label
from sessiond.authority.limits import Checker
from sessiond.authority.requests import answer_of, first_answer, key_of, repeatable
from sessiond.authority.schedule import Draft, Spare
from sessiond.errors import IndeterminateError, KeyNotFoundError, StoreUnavailableError
from sessiond.store.records import KeyState, Purpose
from sessiond.token.sign import SEED_SIZE, SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sessiond.authority.caller import Caller
    from sessiond.authority.policy import Policy
    from sessiond.authority.sealing import Sealer
    from sessiond.store.contract import KeysChange, KeysView, Request, Store
    from sessiond.store.records import KeyRecord

T = TypeVar("T")


class Keys:
    """
    The keysets of both purposes, kept in the store and shared by every process that opens it.

    Every change is decided inside one transaction of the store, so of two
    processes that try at once the second decides on what the first wrote: there
    is never more than one new key. Private keys are drawn and sealed before the
    transaction. Safe to use from any thread.
    """

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        policy: Policy,
        issuer: str,
        entropy: Callable[[int], bytes],
        *,
        loaded: Callable[[Keyring], None] = lambda _: None,
    ) -> None:
        """
        Keep keys in *store*, their private halves sealed by *sealer*. Call :meth:`open` before anything else.

        Args:
            store: Where the keyset is.
            sealer: Seals under the master key.
            policy: Says when keys are published, replaced and removed.
            issuer: The issuer that access tokens name.
            entropy: Gives so many bytes from a cryptographic source.
            loaded: Is told of every keyring when it takes its place; returns at once.

        """
        self._store = store
        self._sealer = sealer
        self._policy = policy
        self._issuer = issuer
        self._entropy = entropy
        self._loaded = loaded
        self._loading = threading.Lock()
        self._ring: Keyring | None = None

    def open(self, now: int) -> None:
        """
        Load the keyset; in a new store, make the first key of each purpose.

        Raises:
            SealError: The master key is not the one of this store; nothing was written.
            KeysetFaultError: The keyset is damaged; nothing was written.

        """
        if self._store.keys().keys:
            self.apply()
        self.advance(now, removable=0)

    def snapshot(self) -> Keyring:
        """Give the keyset as it was last loaded. One call uses one snapshot throughout."""
        if self._ring is None:
            message = "the keys are not open"
            raise RuntimeError(message)
        return self._ring

    def apply(self) -> None:
        """
        Load the keyset as the store has it by now; where it has not changed, the snapshot stays the same.

        Raises:
            StoreUnavailableError: The store cannot be read; the old keyset stays.
            SealError: As in :meth:`open`; the old keyset stays.
            KeysetFaultError: As in :meth:`open`; the old keyset stays.

        """
        self._load()

    def keyset(self) -> tuple[list[KeyRecord], int]:
        """Read every key, newest first, and the store's revision, as the store has them by now."""
        ring, revision = self._load()
        return list(ring.records), revision

    def advance(self, now: int, *, removable: int) -> None:
        """
        Do what the schedule says is due; whatever comes late is done then. Call it each minute or so.

        Args:
            now: Seconds since the epoch.
            removable: Seconds since the epoch by which a key has surely expired, as
                :meth:`sessiond.clock.DeletionClock.now` gives it: a wall clock that was
                set forward by mistake must not delete a key that still verifies.

        """
        spares = {purpose: self._spare(purpose) for purpose in Purpose}

        def scheduled(view: KeysView) -> Draft:
            draft = Draft(view.keys, now=now, policy=self._policy)
            draft.follow_schedule(spares, removable)
            return draft

        # A round in which nothing is due is a read, not a write transaction.
        if scheduled(self._store.keys()).changes_something:
            self._store.change_keys(None, lambda view: scheduled(view).change(None))
        self.apply()

    def rotate(
        self, caller: Caller, purpose: Purpose, *, immediately: bool, request_id: str, now: int
    ) -> tuple[KeyRecord, int]:
        """
        Make the next key of *purpose*, or give the one that is PENDING already.

        It signs after the publication time, or from now on where *immediately*
        is True. A repetition gets the first answer's key as it is by then.

        Returns:
            The key, and the revision at which a verifier knows it.

        Raises:
            InvalidRequestError: The request id is out of its limits.
            RequestIdReusedError: The request id names another request.
            KeyNotFoundError: The key of the first answer has left the keyset.

        """
        check = Checker()
        check.request_id(request_id)
        check.finish()
        fields = ("RotateKey", purpose.value, immediately)
        request = repeatable(caller, fields[0], request_id, fields, policy=self._policy, now=now)
        spare = self._spare(purpose)

        def decide(view: KeysView) -> KeysChange[tuple[KeyRecord, int]]:
            draft = self._draft(view, caller, request, now)
            prior = first_answer(request, view.prior)
            if prior is not None:
                return draft.change((_found(draft, prior.key_id), prior.revision))
            key = draft.standing(purpose, KeyState.PENDING)
            if key is None:
                key = draft.make(purpose, spare, now + self._policy.key_publication_seconds)
            if immediately:
                key = draft.activate(key)
            revision = view.revision + draft.changes_something
            return draft.change((key, revision), answer_of(request, revision=revision, key_id=key.key_id))

        return self._change(request, decide)

    def revoke(
        self, caller: Caller, key_id: str, *, reason: str, actor: str, request_id: str, now: int
    ) -> tuple[KeyRecord, KeyRecord | None, int]:
        """
        Refuse every token of a key from now on. Revoking it twice is no error.

        Where it was ACTIVE, the PENDING key or a new one signs in its place, in
        the same transaction. A repetition gets the first answer's keys as they
        are by then.

        Args:
            caller: Who asks.
            key_id: 16 hexadecimal digits.
            reason: Why, for the audit trail.
            actor: On whose behalf; empty means the caller itself.
            request_id: Names the attempt, or is empty.
            now: Seconds since the epoch.

        Returns:
            The key, the key that signs in its place (None where another one
            signed already), and the revision at which a verifier refuses its tokens.

        Raises:
            InvalidRequestError: A field is out of its limits.
            RequestIdReusedError: The request id names another request.
            KeyNotFoundError: No key has the id.

        """
        check = Checker()
        wanted = check.key_id(key_id)
        check.notes(reason, actor)
        check.request_id(request_id)
        check.finish()
        fields = ("RevokeKey", key_id, reason, actor)
        request = repeatable(caller, fields[0], request_id, fields, policy=self._policy, now=now)
        spares = {purpose: self._spare(purpose) for purpose in Purpose}

        def decide(view: KeysView) -> KeysChange[tuple[KeyRecord, KeyRecord | None, int]]:
            draft = self._draft(view, caller, request, now)
            prior = first_answer(request, view.prior)
            if prior is not None:
                other = _found(draft, prior.other_key_id) if prior.other_key_id else None
                return draft.change((_found(draft, prior.key_id), other, prior.revision))
            key = _found(draft, wanted)
            replacement = None
            if key.state is not KeyState.REVOKED:
                was_active = key.state is KeyState.ACTIVE
                key = draft.revoke(key, reason, actor or caller.name)
                if was_active:
                    pending = draft.standing(key.purpose, KeyState.PENDING)
                    replacement = draft.activate(pending or draft.make(key.purpose, spares[key.purpose], now))
            revision = view.revision + draft.changes_something
            other_id = replacement.key_id if replacement is not None else b""
            return draft.change(
                (key, replacement, revision),
                answer_of(request, revision=revision, key_id=key.key_id, other_key_id=other_id),
            )

        return self._change(request, decide)

    def _load(self) -> tuple[Keyring, int]:
        """Load the keyset, and give the store's revision that it was read at."""
        with self._loading:
            view, ring = self._store.keys(), self._ring
            if ring is None or ring.revision != view.keys_revision:
                known: Mapping[bytes, SigningKey] = ring.signers if ring is not None else {}
                ring = Keyring(view, read_signers(view.keys, self._sealer, known), self._issuer, ring)
                self._ring = ring
                self._loaded(ring)
            return ring, view.revision

    def _draft(self, view: KeysView, caller: Caller, request: Request | None, now: int) -> Draft:
        request_hash = key_of(request)
        return Draft(view.keys, now=now, policy=self._policy, caller=caller.name, request_hash=request_hash)

    def _change(self, request: Request | None, decide: Callable[[KeysView], KeysChange[T]]) -> T:
        """
        Write a change, and use it here before its answer is given.

        Raises:
            IndeterminateError: It is written, and cannot be read again to be used here.

        """
        result = self._store.change_keys(request, decide)
        try:
            self.apply()
        except StoreUnavailableError:
            message = "the keys were changed, but the store cannot be read to use them: send the request again"
            raise IndeterminateError(message) from None
        return result

    def _spare(self, purpose: Purpose) -> Spare:
        seed = self._entropy(SEED_SIZE)
        key = SigningKey(seed)
        return Spare(key.key_id, key.public_key, self._sealer.seal(seed_label(purpose, key.key_id), seed))


def _found(draft: Draft, key_id: bytes) -> KeyRecord:
    key = draft.find(key_id)
    if key is None:
        message = f"no key of the keyset has the id {key_id.hex()}"
        raise KeyNotFoundError(message)
    return key
