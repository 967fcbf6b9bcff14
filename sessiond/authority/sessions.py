"""Sessions: opened by a login, continued by refreshes, shown, changed and ended."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

from sessiond.authority.changing import Replacement
from sessiond.authority.ending import Ending, Revoked, Target, named_by_token
from sessiond.authority.eviction import MAX_SIBLINGS
from sessiond.authority.issuing import Issued, check_access_token_fits, check_clock, issue, pending_generation
from sessiond.authority.limits import ETAG_LENGTH, SUBJECT_BYTES, Checker
from sessiond.authority.login import ID_ENTROPY_SIZE, Device, Login, check_login, session_of
from sessiond.authority.lookup import Page, etag, read_page, shown
from sessiond.authority.opening import Opening
from sessiond.authority.pages import page_start
from sessiond.authority.refusals import sentence
from sessiond.authority.requests import key_of, repeatable, request_key, retry_hash
from sessiond.authority.rotation import Call, Decision, Outcome, rotate
from sessiond.errors import Cause, InvalidRefreshToken
from sessiond.ids import session_id_text
from sessiond.store.contract import Change, EndedSession
from sessiond.store.records import Trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiond.authority.caller import Caller
    from sessiond.authority.feed import Feed
    from sessiond.authority.keyring import Keyring
    from sessiond.authority.keys import Keys
    from sessiond.authority.policy import Policy
    from sessiond.ids import ScopeHasher
    from sessiond.store.contract import Store, View
    from sessiond.store.records import Session

__all__ = ["Device", "Issued", "Login", "Page", "Revoked", "Sessions", "etag"]

# A tenant that no session has: names hold no control characters.
_FOREIGN_TENANT = "\0"


class Sessions:
    """
    The sessions of one authority, and the tokens that stand for them.

    Every change is decided inside a transaction of the store, and with a
    keyset that is as new as the store's by then; tokens are signed once it is
    durable. Safe to use from any thread.

    Every method raises InvalidRequestError where a field is out of its limits, with nothing done, and
    StoreUnavailableError where the store cannot serve. One that writes also raises IndeterminateError where
    nobody knows whether it was done, and where it has a request id RequestIdReusedError if that names another request.
    """

    def __init__(  # noqa: PLR0917 - the parts, in the order in which they are built
        self,
        store: Store,
        keys: Keys,
        feed: Feed,
        hasher: ScopeHasher,
        policy: Policy,
        audience: str,
        entropy: Callable[[int], bytes],
    ) -> None:
        """
        Keep sessions in *store*.

        Args:
            store: Where the sessions are.
            keys: Sign and verify; open.
            feed: Keeps the keys and the revocations as fresh as the store.
            hasher: Names tenants and subjects.
            policy: The lifetimes and the rules of Refresh.
            audience: The audience of sessions that name none.
            entropy: Gives so many bytes from a cryptographic source.

        """
        self._store = store
        self._keys = keys
        self._feed = feed
        self._hasher = hasher
        self._policy = policy
        self._audience = audience
        self._entropy = entropy

    def create(self, caller: Caller, login: Login, *, now_ms: int) -> Issued:
        """
        Open a session for a user whom the caller has just authenticated.

        A repetition gets the session of the first attempt and the very same
        refresh token, even where it was spent since: whoever lost the first
        answer cannot tell, and the rules of Refresh judge its use. The access
        token is a fresh one.

        Args:
            caller: Who asks.
            login: Who the user is, and what session is wanted.
            now_ms: Milliseconds since the epoch.

        Raises:
            InvalidRequestError: Also where the access tokens would be too long.
            PermissionDeniedError: The caller may not act for the tenant.
            LoginOvertakenError: The subject was revoked after ``authenticated_revision``.
            TooManySessionsError: The subject has as many sessions as it may have, and none is evicted.
            SessionEndedError: The session of the first attempt has ended, or its first key was revoked:
                its tokens would be refused.

        """
        now = now_ms // 1000
        ip, user_agent = check_login(login, self._policy)
        caller.must_act_for(login.tenant)
        check_clock(now)
        request = repeatable(caller, "CreateSession", login.request_id, login.fields(), policy=self._policy, now=now)
        by = Trace(
            at=now,
            serving_ms=0,
            key_id=b"",
            request_hash=key_of(request),
            ip=ip,
            user_agent=user_agent,
            caller=caller.name,
        )
        draft = session_of(
            login,
            by,
            wall_ms=now_ms,
            audience=self._audience,
            policy=self._policy,
            hasher=self._hasher,
            entropy=self._entropy(ID_ENTROPY_SIZE),
        )
        check = Checker()
        check_access_token_fits(check, "claims_json", draft, self._keys.snapshot().issuer, now=now)
        check.finish()
        opening = Opening(draft, login.authenticated_revision, request, now)

        def attempt(ring: Keyring) -> Issued | None:
            opened = self._store.create(
                draft.tenant_hash,
                draft.subject_hash,
                request,
                lambda view: opening.decide(view, ring, self._policy),
                siblings=MAX_SIBLINGS if self._policy.max_sessions else 0,
            )
            if opened is None:
                return None
            return issue(ring, opened.session, opened.first, now=now, revision=opened.revision)

        return self._feed.with_fresh_keys(attempt)

    def refresh(
        self,
        caller: Caller,
        refresh_token: str,
        *,
        retry_key: bytes,
        request_id: str,
        device: Device,
        tenant: str,
        now: int,
    ) -> tuple[Issued, Outcome]:
        """
        Trade a refresh token for its successor and a fresh access token, by the rules of :mod:`.rotation`.

        Args:
            caller: Who asks. A session of a tenant that it may not act for is refused with WRONG_TENANT.
            refresh_token: The token.
            retry_key: HMAC of the token under a secret of the installation that stores it, or empty.
            request_id: Names the attempt, or is empty.
            device: The end user's device.
            tenant: The tenant that the caller acts for; empty if it names none.
            now: Seconds since the epoch.

        Raises:
            PermissionDeniedError: The caller may not act for the tenant it named.
            InvalidRefreshToken: The token is refused.

        """
        check = Checker()
        check.retry_key(retry_key)
        check.request_id(request_id)
        ip, user_agent = check.device(device)
        check.tenant("tenant", tenant)
        check.finish()
        if tenant:
            caller.must_act_for(tenant)
        check_clock(now)
        call = Call(
            tenant=tenant,
            retry_hash=retry_hash(retry_key),
            request_hash=request_key(caller.name, "Refresh", request_id),
            ip=ip,
            user_agent=user_agent,
            caller=caller.name,
            label=device.label,
        )

        def attempt(ring: Keyring) -> tuple[Issued, Outcome] | None:
            token = ring.refresh_verifier.verify(refresh_token, now=now)

            def decide(view: View) -> Change[tuple[Decision, int] | None]:
                if view.keys_revision > ring.revision:
                    return Change(None)
                decision = rotate(
                    view,
                    token.generation,
                    judged_for(caller, call, view.session),
                    now=now,
                    policy=self._policy,
                    signing_key_id=ring.active_refresh_key_id,
                    revoked_key_ids=ring.revoked_refresh_key_ids,
                )
                session, entry = decision.session, decision.revocation
                ended = (EndedSession(session, entry),) if session is not None and entry is not None else ()
                return Change(
                    (decision, view.revision),
                    session=None if ended else session,
                    ended=ended,
                    cut=decision.cut,
                    events=decision.events,
                )

            decided = self._store.rotate(token.session_id, decide)
            if decided is None:
                return None
            decision, revision = decided
            session, outcome = decision.session, decision.outcome
            if session is None or outcome is None:
                cause = cast("Cause", decision.cause)
                raise InvalidRefreshToken(cause, sentence(cause), session_id=session_id_text(token.session_id))
            return issue(ring, session, pending_generation(session), now=now, revision=revision), outcome

        return self._feed.with_fresh_keys(attempt)

    def get(self, caller: Caller, session_id: str, *, now: int) -> tuple[Session, int]:
        """
        Show one session, an ended one too as long as it is kept.

        Args:
            caller: Who asks.
            session_id: UUID text.
            now: Seconds since the epoch.

        Returns:
            The session, with the end that a cut gave it, and the store's revision as it was read.

        Raises:
            SessionNotFoundError: Not in the store, expired, or of a tenant that the caller may not act for.

        """
        check = Checker()
        wanted = check.session_id("session_id", session_id)
        check.finish()
        view = self._store.get(wanted)
        return shown(view, wanted, caller, now=now), view.revision

    def list(self, caller: Caller, tenant: str, subject: str, *, page_size: int, page_token: str, now: int) -> Page:
        """
        List the living sessions of a subject, oldest first, one page of them.

        Args:
            caller: Who asks.
            tenant: The subject's tenant.
            subject: Whose sessions.
            page_size: At most so many, 0 for the default.
            page_token: That of the page before, or empty.
            now: Seconds since the epoch.

        Raises:
            InvalidRequestError: Also where the page token is that of another list.
            PermissionDeniedError: The caller may not act for the tenant.

        """
        check = Checker()
        check.tenant("tenant", tenant, required=True)
        check.text("subject", subject, SUBJECT_BYTES, required=True)
        size = check.page_size(page_size)
        check.finish()
        caller.must_act_for(tenant)
        after = b""
        if page_token:
            try:
                after = page_start(self._hasher, self._hasher.subject(tenant, subject), page_token)
            except ValueError as error:
                check.refuse("page_token", str(error))
                check.finish()
        return read_page(self._store, self._feed, self._hasher, tenant, subject, after=after, size=size, now=now)

    def update(
        self,
        caller: Caller,
        session_id: str,
        *,
        claims_json: str | None,
        data_json: str | None,
        etag: str,
        request_id: str,
        now: int,
    ) -> Session:
        """
        Replace claims or data of a living session.

        Access tokens that were issued keep their claims. A repetition changes nothing.

        Args:
            caller: Who asks.
            session_id: UUID text.
            claims_json: The claims that access tokens carry from now on; None leaves them, "" removes them.
            data_json: The data that no token carries; None leaves it, "" removes it.
            etag: Change only what has this etag; empty changes whatever there is.
            request_id: Names the attempt, or is empty.
            now: Seconds since the epoch.

        Returns:
            The session after the change; for a repetition, as it is by then.

        Raises:
            InvalidRequestError: Also where the access tokens would be too long.
            SessionNotFoundError: Not in the store, expired, or of a tenant that the caller may not act for.
            SessionEndedError: It has ended.
            EtagMismatchError: It was changed since the etag was read.

        """
        check = Checker()
        wanted = check.session_id("session.session_id", session_id)
        check.claims("session.claims_json", claims_json or "")
        check.data("session.data_json", data_json or "")
        check.text("session.etag", etag, ETAG_LENGTH)
        check.request_id(request_id)
        check.finish()
        check_clock(now)
        request = repeatable(
            caller,
            "UpdateSession",
            request_id,
            (session_id, claims_json, data_json, etag),
            policy=self._policy,
            now=now,
        )
        replacement = Replacement(caller, wanted, claims_json, data_json, etag, request, now)
        issuer = self._keys.snapshot().issuer
        return self._store.update(wanted, request, lambda view: replacement.decide(view, issuer))

    def revoke(
        self,
        caller: Caller,
        *,
        session_id: str | None,
        token: str | None,
        reason: str,
        actor: str,
        request_id: str,
        now: int,
    ) -> Revoked:
        """
        End one session; doing so twice is no error. Exactly one of *session_id* and *token* names it.

        Once this returns, no process of the machine accepts a token of it.

        Args:
            caller: Who asks.
            session_id: UUID text.
            token: Any refresh or access token of it that is well signed, expired or not.
            reason: Why, for the audit trail.
            actor: On whose behalf; empty means the caller itself.
            request_id: Names the attempt, or is empty.
            now: Seconds since the epoch.

        Raises:
            SessionNotFoundError: Not in the store, or of a tenant that the caller may not act for.
            InvalidRefreshToken: The token is a bad one, or names such a session.
            InvalidAccessToken: Likewise.

        """
        check = Checker()
        if (session_id is None) == (token is None):
            check.refuse("target", "name the session, either by its session_id or by a token")
        wanted = Target(check.session_id("session_id", session_id)) if session_id is not None else None
        check.notes(reason, actor)
        check.request_id(request_id)
        check.finish()
        request = repeatable(
            caller, "RevokeSession", request_id, (session_id, token, reason, actor), policy=self._policy, now=now
        )
        ending = Ending(caller, reason, actor, request, now)

        def attempt(ring: Keyring) -> Revoked | None:
            target = wanted or named_by_token(token or "", ring)

            return self._store.revoke(
                [target.session_id], request, lambda views: ending.decide(views[0], target, ring, self._policy)
            )

        revoked = self._feed.with_fresh_keys(attempt)
        self._feed.make_known()
        return revoked


def judged_for(caller: Caller, call: Call, session: Session | None) -> Call:
    """Let a caller that may not act for the session's tenant be judged as one that named another tenant."""
    if session is None or caller.may_act_for(session.tenant):
        return call
    return dataclasses.replace(call, tenant=_FOREIGN_TENANT)
