"""
What becomes of a token in a service: judged at once with what is known, or by a call that may wait.

Rule 1: whatever may wait is handed back, as a ``Later`` or an ``AfterFetch``, so that the same rules serve threads and
    event loops.
Rule 2: what is too old to judge with is never judged with: the token is refused, or the authority is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from sessiond.client.batch import VerifiedBatch
from sessiond.client.results import Verified
from sessiond.errors import Cause, InvalidAccessToken
from sessiond.ids import session_id_text
from sessiond.token.requirements import RequiredClaim, Requirements
from sessiond.token.tenants import verdicts_for, verify_for, wrong_tenant
from sessiond.token.verdicts import CLAIMS_NOT_MET, GOOD, MAX_BATCH_TOKENS

if TYPE_CHECKING:
    from sessiond.client.client import Client
    from sessiond.client.key_fetch import KeyFetch
    from sessiond.client.replica import Knowledge, Replica
    from sessiond.clock import Clock
    from sessiond.token.verify import AccessBatch, VerifiedAccessToken

T = TypeVar("T")

Later = partial[T]
"""A call that gives what could not be said at once. It may wait for the authority."""


@dataclass(frozen=True, slots=True)
class AfterFetch(Generic[T]):
    """What cannot be said before keys were asked for: wait for ``fetch``, WAIT_SECONDS at most, then call ``again``."""

    fetch: Future[None]
    again: Callable[[], Answer[T]]


Answer: TypeAlias = T | Later[T] | AfterFetch[T]
"""What is said at once, or what says it."""

_ENDED: Future[None] = Future()
_ENDED.set_result(None)

_requirements = lru_cache(maxsize=64)(Requirements)


class Judge:
    """Judges tokens for one audience, and one tenant where one is named. Safe to use from any thread."""

    def __init__(
        self,
        replica: Replica,
        key_fetch: KeyFetch,
        client: Client,
        clock: Clock,
        *,
        audience: str,
        tenant: str,
        max_staleness_ms: int,
        asks: bool,
    ) -> None:
        """
        Judge with what *replica* knows.

        Args:
            replica: What is known.
            key_fetch: Adds keys to it.
            client: Who is asked where what is known is too old, if *asks*.
            clock: Tells how old it is, and what has expired.
            audience: Whom every token must be meant for.
            tenant: The only tenant whose tokens are good; empty for all.
            max_staleness_ms: What is known is good while it is younger.
            asks: Whether the authority is asked otherwise; else the token is refused.

        """
        self._replica = replica
        self._key_fetch = key_fetch
        self._client = client
        self._clock = clock
        self._audience = audience
        self._tenant = tenant
        self._tenants = frozenset((tenant,)) if tenant else None
        self._max_staleness_ms = max_staleness_ms
        self._asks = asks

    def verify(
        self, access_token: str, required_claims: Sequence[RequiredClaim], min_revision: int, *, fetched: bool = False
    ) -> Answer[Verified]:
        """
        Say who a token speaks for, or hand back what does.

        Args:
            access_token: The token.
            required_claims: What must hold beside.
            min_revision: Judge with this revision at least.
            fetched: Whether an unknown key is unknown for good: its fetch was waited for.

        Raises:
            InvalidAccessToken: It is refused.
            ClaimsNotMetError: It is good, but required claims do not hold.
            InvalidRequestError: A required claim breaks a limit.

        """
        required = _requirements(tuple(required_claims))
        usable = self._usable(min_revision)
        if usable is None:
            return partial(self._ask, access_token, required_claims, min_revision)
        known, now = usable
        try:
            return self._judge(known, access_token, required, now)
        except InvalidAccessToken as refusal:
            fetch = self._fetch(known) if refusal.cause is Cause.UNKNOWN_KEY and not fetched else None
            if fetch is None:
                raise
        return AfterFetch(fetch, partial(self.verify, access_token, required_claims, min_revision, fetched=True))

    def verify_batch(
        self,
        access_tokens: Sequence[str],
        required_claims: Sequence[RequiredClaim],
        min_revision: int,
        *,
        fetched: bool = False,
    ) -> Answer[VerifiedBatch[Verified]]:
        """
        Judge many tokens with one state of knowledge, or hand back what does; see :meth:`verify`.

        Raises:
            InvalidAccessToken: VERIFIER_STALE: none can be judged.
            InvalidRequestError: A required claim breaks a limit.

        """
        required = _requirements(tuple(required_claims))
        usable = self._usable(min_revision)
        if usable is None:
            return partial(self._ask_batch, access_tokens, required_claims, min_revision)
        known, now = usable
        batch = known.verifier.verify_batch(
            access_tokens, audience=self._audience, now=now, leeway=known.leeway_seconds
        )
        fetch = self._fetch(known) if Cause.UNKNOWN_KEY in batch.verdicts and not fetched else None
        if fetch is not None:
            again = partial(self.verify_batch, access_tokens, required_claims, min_revision, fetched=True)
            return AfterFetch(fetch, again)
        return self._judged_batch(known, access_tokens, batch, required, now)

    def _usable(self, min_revision: int) -> tuple[Knowledge, int] | None:
        """
        Give what is known, and the seconds since the epoch to judge by.

        None where the authority is to be asked instead, and a refusal where it is not.
        """
        try:
            return self._known(min_revision)
        except InvalidAccessToken:
            if self._asks:
                return None
            raise

    def _known(self, min_revision: int) -> tuple[Knowledge, int]:
        known = self._replica.knowledge
        if known is None:
            message = "this verifier does not know yet what the authority has revoked: wait until it is ready"
            raise InvalidAccessToken(Cause.VERIFIER_STALE, message)
        # Read after what is known: then nothing can be younger than it is.
        boot_ms, wall_ms = self._clock.boot_ms(), self._clock.wall_ms()
        fault = known.fault(boot_ms=boot_ms, wall_ms=wall_ms, max_staleness_ms=self._max_staleness_ms)
        if fault is not None:
            raise fault
        if known.revision < min_revision:
            message = f"this verifier has applied revision {known.revision} and not yet min_revision {min_revision}"
            raise InvalidAccessToken(Cause.VERIFIER_STALE, message)
        return known, known.now(boot_ms=boot_ms, wall_ms=wall_ms)

    def _judge(self, known: Knowledge, access_token: str, required: Requirements, now: int) -> Verified:
        leeway = known.leeway_seconds
        token = verify_for(self._tenants, known.verifier, access_token, audience=self._audience, now=now, leeway=leeway)
        required.check(token.claims_json, now=now, leeway=leeway)
        return _verified(token, known.revision)

    def _judged_batch(
        self, known: Knowledge, access_tokens: Sequence[str], batch: AccessBatch, required: Requirements, now: int
    ) -> VerifiedBatch[Verified]:
        leeway = known.leeway_seconds
        texts = tuple(access_tokens)  # read later as well, when the caller's list may hold others
        verdicts = verdicts_for(self._tenants, known.verifier, batch, texts)
        if required:
            for place, verdict in enumerate(verdicts):
                if verdict == GOOD and required.failed(batch[place].claims_json, now=now, leeway=leeway):
                    verdicts[place] = CLAIMS_NOT_MET

        def read(place: int) -> Verified:
            if verdicts[place] == Cause.WRONG_TENANT:
                raise wrong_tenant(known.verifier.read_signed(texts[place]))
            token = batch[place]
            required.check(token.claims_json, now=now, leeway=leeway)
            return _verified(token, known.revision)

        return VerifiedBatch(bytes(verdicts), known.revision, read)

    def _fetch(self, known: Knowledge) -> Future[None] | None:
        """Give what to wait for where a key that *known* does not have may be known by then; None where it will not."""
        fetch = None if self._knows_others(known) else self._key_fetch.begin()
        if fetch is None and self._knows_others(known):
            return _ENDED
        return fetch

    def _knows_others(self, known: Knowledge) -> bool:
        """Say whether other keys are known by now."""
        present = self._replica.knowledge
        return present is not None and present.verifier is not known.verifier

    def _ask(self, access_token: str, required_claims: Sequence[RequiredClaim], min_revision: int) -> Verified:
        return self._client.verify(
            access_token,
            audience=self._audience,
            tenant=self._tenant,
            min_revision=min_revision,
            required_claims=required_claims,
        )

    def _ask_batch(
        self, access_tokens: Sequence[str], required_claims: Sequence[RequiredClaim], min_revision: int
    ) -> VerifiedBatch[Verified]:
        asked = [
            self._client.verify_batch(
                access_tokens[start : start + MAX_BATCH_TOKENS],
                audience=self._audience,
                tenant=self._tenant,
                min_revision=min_revision,
                required_claims=required_claims,
                with_texts=True,
            )
            for start in range(0, len(access_tokens), MAX_BATCH_TOKENS)
        ]

        def read(place: int) -> Verified:
            batch = asked[place // MAX_BATCH_TOKENS]
            item = batch[place % MAX_BATCH_TOKENS]
            return Verified(**asdict(item), audience=self._audience, revision=batch.revision)

        verdicts = b"".join(one.verdicts for one in asked)
        return VerifiedBatch(verdicts, min((one.revision for one in asked), default=0), read)


def _verified(token: VerifiedAccessToken, revision: int) -> Verified:
    return Verified(
        session_id=session_id_text(token.session_id),
        tenant=token.tenant,
        subject=token.subject,
        client_id=token.client_id,
        audience=token.audience,
        generation=token.generation,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
        claims_json=token.claims_json,
        revision=revision,
    )
