"""Verify and BatchVerify: who an access token speaks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.authority.batch import JudgedBatch
from sessiond.authority.limits import AUDIENCE_BYTES, Checker
from sessiond.errors import StoreUnavailableError
from sessiond.token.tenants import verdicts_for, verify_for
from sessiond.token.verdicts import CLAIMS_NOT_MET, GOOD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiond.authority.caller import Caller
    from sessiond.authority.feed import Feed
    from sessiond.authority.keyring import Keyring
    from sessiond.authority.keys import Keys
    from sessiond.authority.policy import Policy
    from sessiond.token.requirements import RequiredClaim, Requirements
    from sessiond.token.verify import AccessVerifier, VerifiedAccessToken


class Verification:
    """
    Judges access tokens with what the store acknowledged before each call.

    Reads no session: what matters is in the token and in the revocation
    index. Safe to use from any thread.
    """

    def __init__(self, keys: Keys, feed: Feed, policy: Policy, audience: str) -> None:
        """Judge with *keys* and what *feed* brings; *audience* is meant where a call names none."""
        self._keys = keys
        self._feed = feed
        self._policy = policy
        self._audience = audience
        self._kept_verifier: tuple[Keyring, AccessVerifier] | None = None

    def verify(
        self,
        caller: Caller,
        access_token: str,
        *,
        audience: str,
        tenant: str,
        min_revision: int,
        required_claims: Sequence[RequiredClaim] = (),
        now: int,
    ) -> tuple[VerifiedAccessToken, int]:
        """
        Accept an access token, or say why not.

        Causes are found in the order of judgement: everything up to
        WRONG_AUDIENCE from the token alone, then WRONG_TENANT, the cause that
        ended the session, and the cuts. Idleness ends refresh tokens alone.
        What the caller requires of the claims is asked of good tokens only.

        Args:
            caller: Who asks. A token of a tenant that it may not act for has
                the cause WRONG_TENANT.
            access_token: The token.
            audience: The audience that the caller is; empty means the configured one.
            tenant: The tenant that the caller acts for; empty if it names none.
            min_revision: Judge with no less than this revision of the store.
            required_claims: What must hold besides.
            now: Seconds since the epoch.

        Returns:
            The token, and the revision that it was judged with.

        Raises:
            InvalidRequestError: A field is out of its limits.
            PermissionDeniedError: The caller may not act for the tenant it named.
            InvalidAccessToken: The token is refused.
            ClaimsNotMetError: The token is good, but required claims do not hold.
            StoreUnavailableError: The store cannot be read, or has not reached
                *min_revision*: it was acknowledged elsewhere, or never.

        """
        tenants, requirements = _checked(caller, Checker(), audience, tenant, required_claims)
        revision = self._caught_up(min_revision)
        leeway = self._policy.leeway_seconds
        audience = audience or self._audience
        token = verify_for(tenants, self._verifier(), access_token, audience=audience, now=now, leeway=leeway)
        requirements.check(token.claims_json, now=now, leeway=leeway)
        return token, revision

    def verify_batch(
        self,
        caller: Caller,
        access_tokens: Sequence[str],
        *,
        audience: str,
        tenant: str,
        min_revision: int,
        required_claims: Sequence[RequiredClaim] = (),
        now: int,
    ) -> JudgedBatch:
        """
        Judge 1 to 1,024 access tokens as :meth:`verify` does, each by itself, and raise for none.

        All are judged with one revision and one keyset, in one call of the
        compiled verifier. The arguments are those of :meth:`verify`.

        Raises:
            InvalidRequestError: A field is out of its limits.
            PermissionDeniedError: The caller may not act for the tenant it named.
            StoreUnavailableError: As in :meth:`verify`.

        """
        check = Checker()
        check.batch("access_tokens", len(access_tokens))
        tenants, requirements = _checked(caller, check, audience, tenant, required_claims)
        revision = self._caught_up(min_revision)
        verifier = self._verifier()
        leeway = self._policy.leeway_seconds
        batch = verifier.verify_batch(access_tokens, audience=audience or self._audience, now=now, leeway=leeway)
        verdicts = verdicts_for(tenants, verifier, batch, access_tokens)
        failed_claims: dict[int, tuple[int, ...]] = {}
        if len(requirements):
            for place, verdict in enumerate(verdicts):
                if verdict == GOOD:
                    failed = requirements.failed(batch[place].claims_json, now=now, leeway=leeway)
                    if failed:
                        failed_claims[place] = failed
                        verdicts[place] = CLAIMS_NOT_MET
        return JudgedBatch(batch, bytes(verdicts), failed_claims, revision)

    def _caught_up(self, min_revision: int) -> int:
        revision = self._feed.catch_up()
        if revision < min_revision:
            message = f"the store is at revision {revision} and has not reached min_revision {min_revision}"
            raise StoreUnavailableError(message)
        return revision

    def _verifier(self) -> AccessVerifier:
        """Give the verifier of the keyset that asks the revocation index; the last one is kept, with its keyset."""
        ring = self._keys.snapshot()
        kept = self._kept_verifier
        if kept is None or kept[0] is not ring:
            kept = self._kept_verifier = (ring, ring.access_verifier_with(self._feed.revocations.index))
        return kept[1]


def _checked(
    caller: Caller, check: Checker, audience: str, tenant: str, required_claims: Sequence[RequiredClaim]
) -> tuple[frozenset[str] | None, Requirements]:
    """
    Check what both calls are asked with; *check* may have found faults already.

    Returns:
        The tenants whose tokens are accepted, None for all of them, and what is required of the claims.

    """
    check.text("audience", audience, AUDIENCE_BYTES)
    check.tenant("tenant", tenant)
    requirements = check.required_claims(required_claims)
    check.finish()
    if not tenant:
        return caller.tenants, requirements
    caller.must_act_for(tenant)
    return frozenset((tenant,)), requirements
