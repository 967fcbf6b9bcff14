"""Cutting a scope: every session of it dies at once, all but one at most, whatever their number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sessiond.authority import events
from sessiond.authority.lookup import is_of, not_found, shown
from sessiond.authority.refusals import sentence
from sessiond.authority.requests import answer_of, first_answer, key_of
from sessiond.errors import SessionEndedError
from sessiond.store.contract import Change
from sessiond.store.records import Cut, Scope

if TYPE_CHECKING:
    from sessiond.authority.caller import Caller
    from sessiond.authority.policy import Policy
    from sessiond.store.contract import Request, View
    from sessiond.store.records import Session


@dataclass(frozen=True, slots=True)
class ScopeRevoked:
    """When a scope was cut; a verifier that has applied ``revision`` refuses the tokens of what was open by then."""

    at: int
    revision: int


@dataclass(frozen=True, slots=True)
class Cutting:
    """
    Who ends the sessions of *scope*, why, and when.

    ``tenant`` and ``subject`` are the names that the scope's hash stands for, empty where it has none.
    ``spared`` is the id of the subject's session that is spared, b"" for none.
    """

    scope: Scope
    tenant: str
    subject: str
    spared: bytes
    caller: Caller
    reason: str
    actor: str
    request: Request | None
    now: int

    def decide(self, view: View, policy: Policy) -> Change[ScopeRevoked]:
        """
        Decide what is written to cut the scope.

        The spared session is born again at the cut, which so does not cover it, while every later one does. Its
        access tokens were born before, and the cut itself names it for as long as they can live.

        Raises:
            RequestIdReusedError: The request id names another request.
            SessionNotFoundError: The subject has no living session of the id that is to be spared.
            SessionEndedError: It has ended: nothing dead is raised.

        """
        prior = first_answer(self.request, view.prior)
        if prior is not None:
            return Change(ScopeRevoked(prior.at, prior.revision))
        spared = self._spared(view) if self.spared else None
        revision = view.revision + 1
        cut = Cut(
            revision=0,
            at=self.now,
            keep_until=policy.cut_kept_until(self.now),
            reason=self.reason,
            actor=self.actor or self.caller.name,
            except_session_id=self.spared,
            except_until=policy.session_entry_kept_until(spared, self.now) if spared is not None else 0,
        )
        event = events.scope_cut(
            self.scope,
            cut,
            tenant=self.tenant,
            subject=self.subject,
            caller=self.caller.name,
            request_hash=key_of(self.request),
        )
        return Change(
            ScopeRevoked(self.now, revision),
            session=replace(spared, born=revision) if spared is not None else None,
            cut=(self.scope, cut),
            events=(event,),
            answer=answer_of(self.request, revision=revision, at=self.now),
        )

    def _spared(self, view: View) -> Session:
        session = shown(view, self.spared, self.caller, now=self.now)
        if not is_of(session, self.tenant, self.subject):
            raise not_found(self.spared)
        if session.end is not None:
            how = sentence(session.end.cause)
            message = f"the session that is to be spared has ended, so nothing was revoked: {how}"
            raise SessionEndedError(session.end.cause, message)
        return session
