"""Changing a session: its claims and its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sessiond.authority import events
from sessiond.authority.issuing import check_access_token_fits
from sessiond.authority.limits import Checker
from sessiond.authority.lookup import etag, shown
from sessiond.authority.refusals import sentence
from sessiond.authority.requests import answer_of, first_answer, key_of
from sessiond.errors import EtagMismatchError, SessionEndedError
from sessiond.store.contract import Change

if TYPE_CHECKING:
    from sessiond.authority.caller import Caller
    from sessiond.store.contract import Request, View
    from sessiond.store.records import Session


@dataclass(frozen=True, slots=True)
class Replacement:
    """
    What is to stand in a session in place of what stands there.

    None leaves a text as it is, "" removes it. ``etag`` is that of the session
    which the caller wants changed; empty means whatever it is.
    """

    caller: Caller
    session_id: bytes
    claims_json: str | None
    data_json: str | None
    etag: str
    request: Request | None
    now: int

    def decide(self, view: View, issuer: str) -> Change[Session]:
        """
        Decide what is written to change the session of *view*, whose tokens name *issuer*.

        Raises:
            RequestIdReusedError: The request id names another request.
            SessionNotFoundError: There is no such session for this caller.
            SessionEndedError: It has ended.
            EtagMismatchError: It was changed since the etag was read.
            InvalidRequestError: The access tokens would be too long.

        """
        prior = first_answer(self.request, view.prior)
        session = shown(view, self.session_id, self.caller, now=self.now)
        if prior is not None:
            return Change(session)
        if session.end is not None:
            raise SessionEndedError(session.end.cause, sentence(session.end.cause))
        if self.etag not in ("", etag(session)):
            message = "the session was changed since its etag was read: read it again, and change what stands there"
            raise EtagMismatchError(message)
        texts = {"claims_json": self.claims_json, "data_json": self.data_json}
        texts = {name: text for name, text in texts.items() if text is not None}
        changed = replace(session, **texts)
        check = Checker()
        check_access_token_fits(check, "session.claims_json", changed, issuer, now=self.now)
        check.finish()
        event = events.session_updated(
            session,
            ",".join(texts),
            at=self.now,
            caller=self.caller.name,
            request_hash=key_of(self.request),
        )
        return Change(changed, session=changed, events=(event,), answer=answer_of(self.request))
