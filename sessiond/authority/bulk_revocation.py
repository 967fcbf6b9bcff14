"""Many sessions ended at once: those of a list, a device, a subject, a tenant, or all there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.authority.cutting import Cutting, ScopeRevoked
from sessiond.authority.devices import DeviceRevoked, Labelled, Part
from sessiond.authority.ending import BatchRevoked, Ending
from sessiond.authority.limits import LABEL_BYTES, SUBJECT_BYTES, Checker
from sessiond.authority.requests import repeatable
from sessiond.errors import IndeterminateError, StoreUnavailableError
from sessiond.store.records import Scope, ScopeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiond.authority.caller import Caller
    from sessiond.authority.feed import Feed
    from sessiond.authority.policy import Policy
    from sessiond.ids import ScopeHasher
    from sessiond.store.contract import Store

MAX_SESSIONS_PER_WRITE = 1000


class BulkRevocation:
    """
    Ends sessions of one authority, many at once. Safe to use from any thread.

    Once a method returns, no process of the machine accepts a token of what it ended. Doing it twice is no error.

    In every method ``reason`` says why, for the audit trail; ``actor`` on whose behalf, empty for the caller itself;
    ``request_id`` names the attempt, or is empty; ``now`` is seconds since the epoch. Each raises InvalidRequestError
    where a field is out of its limits, PermissionDeniedError where the caller may not act for the tenant, both with
    nothing done, StoreUnavailableError where the store cannot serve, IndeterminateError where nobody knows whether
    it was done, and RequestIdReusedError where the request id names another request.
    """

    def __init__(self, store: Store, feed: Feed, hasher: ScopeHasher, policy: Policy) -> None:
        """End sessions in *store*; *feed* lets this process know, *hasher* names the scopes."""
        self._store = store
        self._feed = feed
        self._hasher = hasher
        self._policy = policy

    def revoke_list(
        self, caller: Caller, session_ids: Sequence[str], *, reason: str, actor: str, request_id: str, now: int
    ) -> BatchRevoked:
        """End the sessions of *session_ids*, UUID texts, 1 to 1,000 and none of them twice, in one write."""
        check = Checker()
        wanted = check.session_ids("session_ids", session_ids, MAX_SESSIONS_PER_WRITE)
        check.notes(reason, actor)
        check.request_id(request_id)
        check.finish()
        request = repeatable(
            caller, "BatchRevokeSessions", request_id, (*session_ids, reason, actor), policy=self._policy, now=now
        )
        ending = Ending(caller, reason, actor, request, now)
        revoked = self._store.revoke(wanted, request, lambda views: ending.decide_each(views, self._policy))
        self._feed.make_known()
        return revoked

    def revoke_device(
        self,
        caller: Caller,
        tenant: str,
        subject: str,
        label: str,
        *,
        reason: str,
        actor: str,
        request_id: str,
        now: int,
    ) -> DeviceRevoked:
        """
        End the living sessions of a subject whose device label is *label*, byte for byte.

        One that is opened while they are looked for may be missed. More than 1,000 are ended in several writes, each
        with a row of its own for the request: a repetition gets what each of them did, and does what is left where
        the first attempt broke off.

        Raises:
            InvalidRequestError: Also where the subject has more than 10,000 sessions in its list, dead ones too.

        """
        check = Checker()
        check.tenant("tenant", tenant, required=True)
        check.text("subject", subject, SUBJECT_BYTES, required=True)
        check.text("device_label", label, LABEL_BYTES, required=True)
        check.notes(reason, actor)
        check.request_id(request_id)
        check.finish()
        caller.must_act_for(tenant)
        labelled = Labelled(tenant, subject, label)
        fields = (tenant, subject, label, reason, actor)
        waiting = labelled.find(self._store, self._feed, self._hasher, now=now)
        parts: list[Part] = []
        while not parts or not parts[-1].is_last:
            request = repeatable(caller, f"RevokeDevice {len(parts)}", request_id, fields, policy=self._policy, now=now)
            ending = Ending(caller, reason, actor, request, now)
            try:
                part = self._end_part(labelled, ending, waiting)
            except StoreUnavailableError:
                if not parts:
                    raise
                message = "the store failed when some of the sessions had ended: repeat the call for the others"
                raise IndeterminateError(message) from None
            if not part.is_repeated:
                waiting = waiting[MAX_SESSIONS_PER_WRITE:]
            parts.append(part)
        self._feed.make_known()
        return DeviceRevoked(tuple(one for part in parts for one in part.session_ids), parts[-1].revision)

    def revoke_subject(
        self,
        caller: Caller,
        tenant: str,
        subject: str,
        *,
        except_session_id: str,
        reason: str,
        actor: str,
        request_id: str,
        now: int,
    ) -> ScopeRevoked:
        """
        End every session of a subject that is open by now, all but the one of *except_session_id* unless that is empty.

        Raises:
            SessionNotFoundError: The subject has no living session of that id.
            SessionEndedError: It has ended.

        """
        check = Checker()
        check.tenant("tenant", tenant, required=True)
        check.text("subject", subject, SUBJECT_BYTES, required=True)
        spared = check.session_id("except_session_id", except_session_id) if except_session_id else b""
        check.notes(reason, actor)
        check.request_id(request_id)
        check.finish()
        caller.must_act_for(tenant)
        fields = (tenant, subject, except_session_id, reason, actor)
        request = repeatable(caller, "RevokeSubject", request_id, fields, policy=self._policy, now=now)
        scope = Scope(ScopeKind.SUBJECT, self._hasher.subject(tenant, subject))
        return self._cut(Cutting(scope, tenant, subject, spared, caller, reason, actor, request, now))

    def revoke_tenant(
        self, caller: Caller, tenant: str, *, reason: str, actor: str, request_id: str, now: int
    ) -> ScopeRevoked:
        """End every session of a tenant that is open by now."""
        check = Checker()
        check.tenant("tenant", tenant, required=True)
        check.notes(reason, actor)
        check.request_id(request_id)
        check.finish()
        caller.must_act_for(tenant)
        request = repeatable(caller, "RevokeTenant", request_id, (tenant, reason, actor), policy=self._policy, now=now)
        scope = Scope(ScopeKind.TENANT, self._hasher.tenant(tenant))
        return self._cut(Cutting(scope, tenant, "", b"", caller, reason, actor, request, now))

    def revoke_all(self, caller: Caller, *, reason: str, actor: str, request_id: str, now: int) -> ScopeRevoked:
        """End every session that is open by now; for callers that may act for every tenant."""
        check = Checker()
        check.notes(reason, actor)
        check.request_id(request_id)
        check.finish()
        caller.must_act_for_every_tenant()
        request = repeatable(caller, "RevokeAll", request_id, (reason, actor), policy=self._policy, now=now)
        return self._cut(Cutting(Scope(ScopeKind.ALL), "", "", b"", caller, reason, actor, request, now))

    def _end_part(self, labelled: Labelled, ending: Ending, waiting: Sequence[bytes]) -> Part:
        # No session has the id b"": its view tells of the first attempt and the revision where none is waiting.
        session_ids = waiting[:MAX_SESSIONS_PER_WRITE] or [b""]
        is_last = len(waiting) <= MAX_SESSIONS_PER_WRITE
        return self._store.revoke(
            session_ids, ending.request, lambda views: labelled.decide(views, ending, self._policy, is_last=is_last)
        )

    def _cut(self, cutting: Cutting) -> ScopeRevoked:
        revoked = self._store.cut(
            cutting.scope, cutting.spared, cutting.request, lambda view: cutting.decide(view, self._policy)
        )
        self._feed.make_known()
        return revoked
