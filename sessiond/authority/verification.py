"""Verify: who an access token speaks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.authority.limits import AUDIENCE_BYTES, Checker
from sessiond.authority.refusals import sentence
from sessiond.errors import Cause, InvalidAccessToken, StoreUnavailableError
from sessiond.ids import session_id_text

if TYPE_CHECKING:
    from sessiond.authority.caller import Caller
    from sessiond.authority.keys import Keys
    from sessiond.authority.policy import Policy
    from sessiond.authority.revocation import Feed
    from sessiond.token.verify import VerifiedAccessToken


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

    def verify(
        self, caller: Caller, access_token: str, *, audience: str, tenant: str, min_revision: int, now: int
    ) -> tuple[VerifiedAccessToken, int]:
        """
        Accept an access token, or say why not.

        Causes are found in the order of judgement: everything up to
        WRONG_AUDIENCE from the token alone, then WRONG_TENANT, the cause that
        ended the session, and the cuts. Idleness ends refresh tokens alone.

        Args:
            caller: Who asks. A token of a tenant that it may not act for has
                the cause WRONG_TENANT.
            access_token: The token.
            audience: The audience that the caller is; empty means the configured one.
            tenant: The tenant that the caller acts for; empty if it names none.
            min_revision: Judge with no less than this revision of the store.
            now: Seconds since the epoch.

        Returns:
            The token, and the revision that it was judged with.

        Raises:
            InvalidRequestError: A field is out of its limits.
            PermissionDeniedError: The caller may not act for the tenant it named.
            InvalidAccessToken: The token is refused.
            StoreUnavailableError: The store cannot be read, or has not reached
                *min_revision*: it was acknowledged elsewhere, or never.

        """
        check = Checker()
        check.text("audience", audience, AUDIENCE_BYTES)
        check.tenant("tenant", tenant)
        check.finish()
        if tenant:
            caller.must_act_for(tenant)
        revision = self._feed.catch_up()
        if revision < min_revision:
            message = f"the store is at revision {revision} and has not reached min_revision {min_revision}"
            raise StoreUnavailableError(message)
        token = self._keys.snapshot().access_verifier.verify(
            access_token, audience=audience or self._audience, now=now, leeway=self._policy.leeway_seconds
        )
        cause = self._judge(caller, token, tenant)
        if cause is not None:
            raise InvalidAccessToken(cause, sentence(cause), session_id=session_id_text(token.session_id))
        return token, revision

    def _judge(self, caller: Caller, token: VerifiedAccessToken, tenant: str) -> Cause | None:
        if tenant not in ("", token.tenant) or not caller.may_act_for(token.tenant):
            return Cause.WRONG_TENANT
        return self._feed.revocations.is_revoked(token.session_id, token.tenant_hash, token.subject_hash, token.born)
