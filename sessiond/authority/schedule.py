"""
The life of keys: what a keyset looks like after the clock or an operator moved it.

Rule 1: of each purpose one key is ACTIVE, and at most one PENDING.
Rule 2: a key leaves the keyset when nothing that it signed can be alive, a REVOKED one too, so that its tokens
are told KEY_REVOKED as long as they could live.
Rule 3: nothing here reads a clock, draws a key or touches the store; the same arguments give the same change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from sessiond.authority.events import EventKind, key_changed
from sessiond.authority.policy import MAX_ABSOLUTE_SECONDS, MAX_ACCESS_SECONDS
from sessiond.store.contract import KeysChange
from sessiond.store.records import KeyRecord, KeyState, Purpose, Revocation, RevocationKind
from sessiond.token.format import FORMAT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessiond.authority.policy import Policy
    from sessiond.store.records import Event, RequestRecord

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spare:
    """A key pair drawn in advance, so that a decision that may run twice draws nothing; the seed is sealed."""

    key_id: bytes
    public_key: bytes
    sealed_seed: bytes


class Draft:
    """A keyset and what is to be changed in it, in one transaction and at one time."""

    def __init__(
        self, keys: Sequence[KeyRecord], *, now: int, policy: Policy, caller: str = "", request_hash: bytes = b""
    ) -> None:
        """Start from *keys*; *caller* is empty where the schedule moves them, *request_hash* goes into the events."""
        self._keys = {key.key_id: key for key in keys}
        self._now = now
        self._policy = policy
        self._caller = caller
        self._request_hash = request_hash
        self._put: dict[bytes, KeyRecord] = {}
        self._removed: list[bytes] = []
        self._events: list[Event] = []

    @property
    def changes_something(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._put or self._removed)

    def find(self, key_id: bytes) -> KeyRecord | None:
        """Give the key of an id as it is after the changes so far."""
        return self._keys.get(key_id)

    def standing(self, purpose: Purpose, state: KeyState) -> KeyRecord | None:
        """Give the key of a purpose that is in a state which one key at most is in."""
        return next((key for key in self._keys.values() if key.purpose is purpose and key.state is state), None)

    def make(self, purpose: Purpose, spare: Spare, activates_at: int) -> KeyRecord:
        """Publish a key that signs from *activates_at*."""
        key = KeyRecord(
            key_id=spare.key_id,
            purpose=purpose,
            state=KeyState.PENDING,
            format=FORMAT,
            public_key=spare.public_key,
            sealed_seed=spare.sealed_seed,
            created_at=self._now,
            activates_at=activates_at,
        )
        return self._write(EventKind.KEY_CREATED, key)

    def activate(self, key: KeyRecord) -> KeyRecord:
        """Sign with *key* from now; the key that signed till now verifies on."""
        active = self.standing(key.purpose, KeyState.ACTIVE)
        if active is not None:
            retired = replace(
                active, state=KeyState.RETIRING, retired_at=self._now, expires_at=self._last_use(key.purpose)
            )
            self._write(EventKind.KEY_RETIRED, retired)
        return self._write(EventKind.KEY_ACTIVATED, replace(key, state=KeyState.ACTIVE, activates_at=self._now))

    def revoke(self, key: KeyRecord, reason: str, actor: str) -> KeyRecord:
        """
        Refuse every token of *key* from now on.

        Its private half is given up: no token is ever made under it again.
        """
        revoked = replace(
            key,
            state=KeyState.REVOKED,
            sealed_seed=b"",
            revoked_at=self._now,
            retired_at=key.retired_at or self._now,
            expires_at=key.expires_at or self._last_use(key.purpose),
            reason=reason,
            actor=actor,
        )
        return self._write(EventKind.KEY_REVOKED, revoked)

    def follow_schedule(self, spares: Mapping[Purpose, Spare], removable: int) -> None:
        """
        Do what is due, for each purpose: activate, make the next key in time, remove.

        Args:
            spares: A key for each purpose, used where a new one is due.
            removable: Seconds since the epoch by which a key has surely expired,
                from a clock that no step forward can hurry.

        """
        for purpose, spare in spares.items():
            active = self.standing(purpose, KeyState.ACTIVE)
            pending = self.standing(purpose, KeyState.PENDING)
            if active is None:
                self.activate(pending or self.make(purpose, spare, self._now))
            elif pending is not None:
                if pending.activates_at <= self._now:
                    self.activate(pending)
            else:
                next_at = active.activates_at + self._policy.key_rotation_seconds
                publish_at = next_at - self._policy.key_publication_seconds
                if publish_at <= self._now:
                    self.make(purpose, spare, self._now + self._policy.key_publication_seconds)
        for key in list(self._keys.values()):
            if key.expires_at and key.expires_at <= removable:
                del self._keys[key.key_id]
                self._removed.append(key.key_id)
                self._tell(EventKind.KEY_REMOVED, key)

    def change(self, result: T, answer: RequestRecord | None = None) -> KeysChange[T]:
        """Give what a store is to write."""
        if not self.changes_something:
            return KeysChange(result, answer=answer)
        revocation = Revocation(
            revision=0,
            kind=RevocationKind.KEYS,
            at=self._now,
            # A process that was stopped for long must still learn of the change from the log.
            keep_until=self._last_use(Purpose.REFRESH),
        )
        return KeysChange(
            result,
            put=tuple(self._put.values()),
            remove=tuple(self._removed),
            revocation=revocation,
            events=tuple(self._events),
            answer=answer,
        )

    def _write(self, kind: EventKind, key: KeyRecord) -> KeyRecord:
        self._keys[key.key_id] = key
        self._put[key.key_id] = key
        self._tell(kind, key)
        return key

    def _tell(self, kind: EventKind, key: KeyRecord) -> None:
        self._events.append(key_changed(kind, key, at=self._now, caller=self._caller, request_hash=self._request_hash))

    def _last_use(self, purpose: Purpose) -> int:
        """Say when nothing is alive that a key signs until now, on clocks that are off by the leeway either way."""
        # The greatest lives that any policy allows, since sessions may be older than the present one.
        life = MAX_ABSOLUTE_SECONDS if purpose is Purpose.REFRESH else MAX_ACCESS_SECONDS
        return self._now + life + 2 * self._policy.leeway_seconds
