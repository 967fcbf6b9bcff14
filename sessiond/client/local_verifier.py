"""The local verifier: access tokens judged in the service's own process, with what the authority says as it says it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

from sessiond.client.client import Client
from sessiond.client.judge import AfterFetch, Answer, Judge, T
from sessiond.client.key_fetch import WAIT_SECONDS, KeyFetch
from sessiond.client.replica import Replica
from sessiond.client.results import Key, KeyPurpose, Verified
from sessiond.client.revocation_stream import RevocationStream
from sessiond.clock import SystemClock

if TYPE_CHECKING:
    from sessiond.client.batch import VerifiedBatch
    from sessiond.clock import Clock
    from sessiond.errors import SessiondError
    from sessiond.token.requirements import RequiredClaim
    from sessiond.token.verify import AccessVerifier
    from sessiond.wide_tables import WideTables

DEFAULT_CACHE_ENTRIES = 4096
"""How many good tokens are kept for their next showing: up to some 8 MB with tokens of ordinary length."""

MIN_STALENESS_SECONDS = 2
"""Twice the time between heartbeats: with less, a verifier that misses nothing would refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierStatus:
    """
    How a local verifier stands at one moment.

    Attributes:
        ready: Whether it has a first complete snapshot; until then it accepts nothing.
        connected: Whether the stream of revocations runs.
        revision: It has applied everything up to this one, 0 before it is ready.
        staleness_seconds: How old what it knows is, infinite before it is ready.
        clock_difference_seconds: How far this machine's wall clock is ahead of the authority's by the last message and
            the time since, what that took on its way included; negative where it is behind. 0 before it is ready.
        n_revocations: How many sessions and cuts it keeps in mind.
        keys: The access keys, revoked ones too.
        fault: What the last stream, or the last fetch of keys, failed with; None where neither did.

    """

    ready: bool
    connected: bool
    revision: int
    staleness_seconds: float
    clock_difference_seconds: float
    n_revocations: int
    keys: tuple[Key, ...]
    fault: SessiondError | None


class _Verifier:
    """What both faces stand on."""

    def __init__(
        self,
        target: str,
        *,
        audience: str,
        tenant: str = "",
        max_staleness_seconds: float = 30,
        when_stale: Literal["refuse", "ask"] = "refuse",
        keyset_cooldown_seconds: float = 10,
        cache_entries: int = DEFAULT_CACHE_ENTRIES,
        wide_tables: WideTables | None = None,
        clock: Clock | None = None,
    ) -> None:
        """
        Begin to follow the authority on *target*, in a thread; nothing is accepted before it has told everything once.

        Args:
            target: ``HOST:PORT``, or ``unix:PATH``.
            audience: Whom every token must be meant for.
            tenant: The tenant you act for: a token of another one is refused. Empty: all tenants.
            max_staleness_seconds: What the authority said may be used while it is less than so many seconds old, 2 at
                least. So long at most a revocation can go unnoticed while the authority cannot be reached; longer by
                as much as this machine's clock is behind the authority's, where messages are as late on their way.
            when_stale: What becomes of a token where all that is known is older, or this machine's clock wrong:
                ``refuse`` it with VERIFIER_STALE, or ``ask`` the authority about each.
            keyset_cooldown_seconds: Keys that nobody has told of are asked for at most so often.
            cache_entries: How many good tokens are kept for their next showing, a multiple of 4; 0 for none.
            wide_tables: Makes the tables of the keys wider, where that is wanted. It stays yours to close.
            clock: The time; None means the machine's.

        Raises:
            ValueError: A number is out of its range.

        """
        if not MIN_STALENESS_SECONDS <= max_staleness_seconds < math.inf:
            message = f"max_staleness_seconds is {max_staleness_seconds}, must be {MIN_STALENESS_SECONDS} or more"
            raise ValueError(message)
        if not 0 <= keyset_cooldown_seconds < math.inf:
            message = f"keyset_cooldown_seconds is {keyset_cooldown_seconds}, must be 0 or more"
            raise ValueError(message)
        if when_stale not in ("refuse", "ask"):
            message = f"when_stale is {when_stale!r}, must be 'refuse' or 'ask'"
            raise ValueError(message)

        def made(verifier: AccessVerifier) -> None:
            if wide_tables is not None:
                wide_tables.widen(verifier.tables.values())

        self._target = target
        self._clock = SystemClock() if clock is None else clock
        self._replica = Replica(cache_entries, made)
        self._client = Client(target, clock=self._clock)
        self._key_fetch = KeyFetch(self._fetch_keys, self._clock, round(keyset_cooldown_seconds * 1000))
        self._judge = Judge(
            self._replica,
            self._key_fetch,
            self._client,
            self._clock,
            audience=audience,
            tenant=tenant,
            max_staleness_ms=round(max_staleness_seconds * 1000),
            asks=when_stale == "ask",
        )
        self._stream = RevocationStream(target, self._replica, self._clock)

    @property
    def staleness_seconds(self) -> float:
        """How old what is known is, infinite before the first snapshot is complete."""
        known = self._replica.knowledge
        if known is None:
            return math.inf
        return known.contact.staleness_ms(boot_ms=self._clock.boot_ms(), wall_ms=self._clock.wall_ms()) / 1000

    def status(self) -> VerifierStatus:
        """Say how it stands at this moment."""
        known = self._replica.knowledge
        boot_ms, wall_ms = self._clock.boot_ms(), self._clock.wall_ms()
        difference_ms = 0 if known is None else known.contact.clock_difference_ms(boot_ms=boot_ms, wall_ms=wall_ms)
        return VerifierStatus(
            ready=known is not None,
            connected=self._stream.connected,
            revision=0 if known is None else known.revision,
            staleness_seconds=self.staleness_seconds,
            clock_difference_seconds=difference_ms / 1000,
            n_revocations=0 if known is None else len(known.index),
            keys=() if known is None else known.keys,
            fault=self._stream.fault or self._key_fetch.fault,
        )

    def _fetch_keys(self) -> None:
        keyset = self._client.get_keyset(KeyPurpose.ACCESS)
        self._replica.learn(keyset.keys, keyset.revision)

    def _must_be_ready(self, timeout_seconds: float) -> None:
        if not self._stream.wait_ready(timeout_seconds):
            fault = self._stream.fault
            why = "it has not told everything yet" if fault is None else str(fault)
            after = "when it was closed" if self._stream.closed else f"after {timeout_seconds} s"
            message = f"not ready {after}: {self._target}: {why}"
            raise TimeoutError(message) from fault

    def _close(self) -> None:
        self._stream.close()
        self._key_fetch.close()
        self._client.close()


class LocalVerifier(_Verifier):
    """
    Verifies access tokens in this process, and knows of revocations and keys as the authority tells them.

    A thread follows WatchRevocations and begins again whenever the stream
    ends. Tokens are judged with what it told last, without a call; only a key
    that it has not told of is asked for, at most once per cooldown, and its
    tokens wait for the answer for half a second at most. What is
    too old is not judged with: a verifier that has lost the authority refuses
    everything, or asks, by its setting. Its callers need the role
    ``verifier`` for every tenant.

    Safe to use from any thread. Make it after a fork: neither gRPC nor its
    thread survives one. Close it in the end.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and the connections. What is known stays, and becomes stale."""
        self._close()

    def wait_ready(self, timeout_seconds: float = 10) -> None:
        """
        Wait until the authority has told everything once.

        Raises:
            TimeoutError: It has not after so many seconds, or when the verifier was closed; the message says what is
                in the way.

        """
        self._must_be_ready(timeout_seconds)

    def verify(
        self, access_token: str, *, required_claims: Sequence[RequiredClaim] = (), min_revision: int = 0
    ) -> Verified:
        """
        Say who an access token speaks for, as :meth:`Client.verify` does.

        Args:
            access_token: The token.
            required_claims: Claims that must hold beside, at most 16.
            min_revision: Judge with this revision at least: the one that a revocation was acknowledged with. What is
                known counts as stale where it does not reach so far.

        Raises:
            InvalidAccessToken: It is refused; VERIFIER_STALE says that it could not be judged.
            ClaimsNotMetError: It is good, but required claims do not hold.
            InvalidRequestError: A required claim breaks a limit.
            SessiondError: The authority was asked and did not answer.

        """
        return _done(self._judge.verify(access_token, required_claims, min_revision))

    def verify_batch(
        self, access_tokens: Sequence[str], *, required_claims: Sequence[RequiredClaim] = (), min_revision: int = 0
    ) -> VerifiedBatch[Verified]:
        """
        Judge many access tokens with one state of knowledge; the arguments are those of :meth:`verify`.

        Raises:
            InvalidAccessToken: VERIFIER_STALE: none of them could be judged.
            InvalidRequestError: A required claim breaks a limit.
            SessiondError: The authority was asked and did not answer.

        """
        return _done(self._judge.verify_batch(access_tokens, required_claims, min_revision))


class AsyncLocalVerifier(_Verifier):
    """
    The same for asyncio: see :class:`LocalVerifier`.

    Tokens are judged in the loop, which takes microseconds, and it is there
    that keys are waited for. What waits for the authority's own word, where
    that is asked for, waits in a thread of the loop's default executor.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the thread and the connections. What is known stays, and becomes stale."""
        await asyncio.to_thread(self._close)

    async def wait_ready(self, timeout_seconds: float = 10) -> None:
        """Wait until the authority has told everything once; see :meth:`LocalVerifier.wait_ready`."""
        await asyncio.to_thread(self._must_be_ready, timeout_seconds)

    async def verify(
        self, access_token: str, *, required_claims: Sequence[RequiredClaim] = (), min_revision: int = 0
    ) -> Verified:
        """Say who an access token speaks for; see :meth:`LocalVerifier.verify`."""
        return await _awaited(self._judge.verify(access_token, required_claims, min_revision))

    async def verify_batch(
        self, access_tokens: Sequence[str], *, required_claims: Sequence[RequiredClaim] = (), min_revision: int = 0
    ) -> VerifiedBatch[Verified]:
        """Judge many access tokens with one state of knowledge; see :meth:`LocalVerifier.verify_batch`."""
        return await _awaited(self._judge.verify_batch(access_tokens, required_claims, min_revision))


def _done(answer: Answer[T]) -> T:
    while isinstance(answer, AfterFetch):
        wait([answer.fetch], WAIT_SECONDS)
        answer = answer.again()
    return answer() if isinstance(answer, partial) else answer


async def _awaited(answer: Answer[T]) -> T:
    while isinstance(answer, AfterFetch):
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(answer.fetch), WAIT_SECONDS)
        answer = answer.again()
    return await asyncio.to_thread(answer) if isinstance(answer, partial) else answer
