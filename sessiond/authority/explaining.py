"""
Explaining: what a token says, the first check that it fails, and what happened to its session.

Rule 1: the verdict comes from the code that judges real calls, run on what the store holds and never written. So an
    explanation changes nothing: a stolen token can be looked at without ending its session.
Rule 2: what is known about the session beyond the verdict goes to auditors alone.
Rule 3: what Refresh would do with a refresh token goes to auditors alone. Anybody else would learn without a trace
    whether a stolen token still works.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sessiond.authority.caller import AUDITOR
from sessiond.authority.event_search import EVENTS_LOOKED_AT
from sessiond.authority.evidence import ReuseEvidence, reuse_evidence, timeline
from sessiond.authority.limits import AUDIENCE_BYTES, Checker
from sessiond.authority.lookup import as_ended
from sessiond.authority.refusals import sentence
from sessiond.authority.rotation import Call, Outcome, rotate
from sessiond.authority.sessions import judged_for
from sessiond.errors import Advice, Cause, InvalidAccessToken, InvalidRefreshToken, TokenRefusedError
from sessiond.store.records import Event, KeyRecord, KeyState, Purpose, Session
from sessiond.token.format import RefreshContent
from sessiond.token.inspect import TokenKind, inspect
from sessiond.token.keyset import VerificationKey
from sessiond.token.verify import AccessVerifier, RefreshVerifier

if TYPE_CHECKING:
    from sessiond.authority.caller import Caller
    from sessiond.authority.feed import Feed
    from sessiond.authority.keyring import Keyring
    from sessiond.authority.keys import Keys
    from sessiond.authority.policy import Policy
    from sessiond.authority.verification import Verification
    from sessiond.store.contract import Store, View
    from sessiond.token.format import AccessContent

TOKEN_BYTES = 8192

_GOOD = {
    Outcome.ROTATED: "the token is good: it is the newest one of its session, and Refresh trades it",
    Outcome.SHARED: (
        "the token is good for a moment: it was spent already, and inside the retry window Refresh gives out the same "
        "successor again"
    ),
    Outcome.RETRIED: "the token was spent already, and Refresh gives out the same successor again",
    Outcome.REPLACED: "the token was spent already, and Refresh replaces its successor by a new generation",
}
_GOOD_ACCESS = "the token is good: Verify accepts it"
_WITHHELD = (
    "a key of the authority signed the token, and its time is not over; what Refresh would do with it is told to "
    "callers with the role auditor"
)

_NOT_YET_ENDED = {
    Cause.REUSED: (
        "the token was spent already: presented again, it is taken for a stolen copy and ends the session, which lives "
        "so far; only the call that spent it can be repeated, with its retry key"
    ),
    Cause.STATE_LOST: (
        "the token is newer than what the authority knows of its session: presented, it ends the session, which lives "
        "so far"
    ),
}
"""Causes that a presentation would end the session with."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    What there is to say about a text.

    Attributes:
        kind: What it is by its shape, None for neither kind of token.
        content: What it says, None where it cannot be read; anybody's words unless ``signature_good``.
        key_id: The key that it names, empty where it cannot be read.
        key: That key, None where the keyset does not have it.
        signature_good: Whether that key signed what it says.
        cause: The first check that fails, None where it is good, or where the checks past the expiry are withheld.
        message: Why it is refused, that it is good, or that this is withheld; without a capital and a full stop.
        advice: What its client does next, None where there is no cause.
        session: Its session, with the end that a cut gave it; None for callers that may not see it. So is all below.
        timeline: What happened to the session, oldest first.
        reuse: Both uses of the token that ended the session, where one was used twice.

    """

    kind: TokenKind | None
    content: RefreshContent | AccessContent | None
    key_id: bytes
    key: KeyRecord | None
    signature_good: bool
    cause: Cause | None
    message: str
    advice: Advice | None
    session: Session | None = None
    timeline: tuple[Event, ...] = ()
    reuse: ReuseEvidence | None = None


class Explainer:
    """Explains tokens with what the store acknowledged before each call. Safe to use from any thread."""

    def __init__(self, store: Store, keys: Keys, feed: Feed, verification: Verification, policy: Policy) -> None:
        """
        Explain tokens of one authority.

        Args:
            store: Where the sessions are.
            keys: Verify.
            feed: Keeps the keys and the revocations as fresh as the store.
            verification: Judges access tokens.
            policy: The rules of Refresh.

        """
        self._store = store
        self._keys = keys
        self._feed = feed
        self._verification = verification
        self._policy = policy

    def explain(self, caller: Caller, token: str, *, audience: str, tenant: str, now: int) -> Explanation:
        """
        Explain a text, whatever it is; nothing is changed by it.

        A refresh token is judged as if *caller* presented it, without retry
        key, by signature and time alone where it is no auditor; an access token
        as if it asked Verify.

        Args:
            caller: Who asks.
            token: The text.
            audience: The audience that an access token is judged for; empty means the configured one.
            tenant: The tenant that the token is judged for; empty if none.
            now: Seconds since the epoch.

        Raises:
            InvalidRequestError: A field is out of its limits.
            PermissionDeniedError: The caller may not act for the tenant it named.
            StoreUnavailableError: The store cannot be read.

        """
        check = Checker()
        check_token(check, token)
        check.text("audience", audience, AUDIENCE_BYTES)
        check.tenant("tenant", tenant)
        check.finish()
        if tenant:
            caller.must_act_for(tenant)
        self._feed.catch_up()
        found, ring = inspect(token), self._keys.snapshot()
        content, key_id = found.content, found.key_id or b""
        if content is None:
            advice = InvalidAccessToken.advice_for(Cause.MALFORMED)
            return Explanation(
                found.kind,
                None,
                b"",
                None,
                signature_good=False,
                cause=Cause.MALFORMED,
                message=found.summary,
                advice=advice,
            )
        key = _key(ring, key_id, Purpose.REFRESH if isinstance(content, RefreshContent) else Purpose.ACCESS)
        view = self._store.get(content.session_id)
        try:
            if isinstance(content, RefreshContent):
                message = self._judge_refresh(caller, token, view, ring, tenant=tenant, now=now)
            else:
                self._verification.verify(caller, token, audience=audience, tenant=tenant, min_revision=0, now=now)
                message = _GOOD_ACCESS
            error = None
        except TokenRefusedError as refusal:
            error, message = refusal, refusal.message
        explanation = Explanation(
            kind=found.kind,
            content=content,
            key_id=key_id,
            key=key,
            signature_good=key is not None and _is_signed(ring, token, key),
            cause=None if error is None else error.cause,
            message=message,
            advice=None if error is None else error.advice,
        )
        return self._with_session(explanation, caller, view)

    def _judge_refresh(self, caller: Caller, token: str, view: View, ring: Keyring, *, tenant: str, now: int) -> str:
        """
        Say what Refresh would do with a good token, to callers that may learn it.

        Raises:
            InvalidRefreshToken: Refresh would refuse it.

        """
        presented = ring.refresh_verifier.verify(token, now=now)
        if AUDITOR not in caller.roles:
            return _WITHHELD
        decision = rotate(
            view,
            presented.generation,
            judged_for(caller, Call(tenant=tenant), view.session),
            now=now,
            policy=self._policy,
            signing_key_id=ring.active_refresh_key_id,
            revoked_key_ids=ring.revoked_refresh_key_ids,
        )
        cause = decision.cause
        if cause is None:
            return _GOOD[decision.outcome or Outcome.ROTATED]
        message = _NOT_YET_ENDED[cause] if decision.revocation is not None else sentence(cause)
        raise InvalidRefreshToken(cause, message)

    def _with_session(self, explanation: Explanation, caller: Caller, view: View) -> Explanation:
        """Add what auditors of the session's tenant may see, where the signature vouches for the token."""
        session = view.session
        if (
            session is None
            or not explanation.signature_good
            or AUDITOR not in caller.roles
            or not caller.may_act_for(session.tenant)
        ):
            return explanation
        told = self._store.events_of_session(session.id, EVENTS_LOOKED_AT)
        return replace(
            explanation,
            session=as_ended(view),
            timeline=timeline(session, view.cuts, told),
            reuse=reuse_evidence(session, told),
        )


def check_token(check: Checker, token: str) -> None:
    """Allow any text of the allowed size as a token."""
    size = len(token.encode(errors="replace"))
    if not 1 <= size <= TOKEN_BYTES:
        check.refuse("token", f"has {size} bytes, must have 1 to {TOKEN_BYTES}")


def _key(ring: Keyring, key_id: bytes, purpose: Purpose) -> KeyRecord | None:
    return next((key for key in ring.records if (key.key_id, key.purpose) == (key_id, purpose)), None)


def _is_signed(ring: Keyring, token: str, key: KeyRecord) -> bool:
    """Say whether *key*, which may be REVOKED, signed the token: then too it is known which session is meant."""
    verifier: RefreshVerifier | AccessVerifier
    if key.purpose is Purpose.REFRESH:
        verifier = ring.refresh_verifier
        if key.state is KeyState.REVOKED:
            verifier = RefreshVerifier([VerificationKey(key.public_key, key.format)], tables=verifier.tables)
    else:
        verifier = ring.access_verifier
        if key.state is KeyState.REVOKED:
            keys = [VerificationKey(key.public_key, key.format)]
            verifier = AccessVerifier(keys, ring.issuer, tables=verifier.tables)
    try:
        verifier.read_signed(token)
    except TokenRefusedError:
        return False
    return True
