"""Opening a session: what is written, and what the repetition of a login gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sessiond.authority import events
from sessiond.authority.cuts import covering
from sessiond.authority.eviction import make_room
from sessiond.authority.issuing import Generation, pending_generation
from sessiond.authority.login import FIRST_GENERATION
from sessiond.authority.refusals import sentence
from sessiond.authority.requests import answer_of, first_answer
from sessiond.authority.rotation import judge_session
from sessiond.errors import Cause, LoginOvertakenError, SessionEndedError
from sessiond.store.contract import Change
from sessiond.store.records import Session

if TYPE_CHECKING:
    from sessiond.authority.keyring import Keyring
    from sessiond.authority.policy import Policy
    from sessiond.store.contract import Cuts, Request, View
    from sessiond.store.records import RequestRecord


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that is in the store, its first generation, and the revision it was read or written at."""

    session: Session
    first: Generation
    revision: int


@dataclass(frozen=True, slots=True)
class Opening:
    """
    A login that was checked.

    ``draft`` is its record, all but what :meth:`decide` finds; ``authenticated_revision`` the store's revision
    before the user was authenticated, None where the caller does not say.
    """

    draft: Session
    authenticated_revision: int | None
    request: Request | None
    now: int

    def decide(self, view: View, ring: Keyring, policy: Policy) -> Change[Opened | None]:
        """
        Decide what is written to open the session; a result of None asks for a newer keyset than *ring*.

        Raises:
            RequestIdReusedError: The request id names another request.
            LoginOvertakenError: A cut that covers the subject is newer than ``authenticated_revision``.
            TooManySessionsError: The subject has as many sessions as *policy* lets it have, and none makes room.
            SessionEndedError: The session of the first attempt has ended, or its first key was revoked:
                verifiers may have forgotten it, so no token of it is made.

        """
        if view.keys_revision > ring.revision:
            return Change(None)
        prior = first_answer(self.request, view.prior)
        if prior is not None:
            opened = _first_opened(view, prior, ring, self.now)
            return Change(opened, session=opened.session)
        self._check_not_overtaken(view.cuts)
        first = replace(self.draft.pending_by, serving_ms=view.serving_ms, key_id=ring.active_refresh_key_id)
        session = replace(self.draft, born=view.revision, pending_by=first)
        evicted = make_room(view, session, policy)
        return Change(
            Opened(session, pending_generation(session), view.revision + len(evicted)),
            session=session,
            ended=evicted,
            events=(
                *(events.session_evicted(one.session, session) for one in evicted),
                events.session_created(session),
            ),
            answer=answer_of(self.request, session_id=session.id, key_id=first.key_id),
        )

    def _check_not_overtaken(self, cuts: Cuts) -> None:
        if self.authenticated_revision is None:
            return
        for _, cut in covering(cuts, self.authenticated_revision):
            message = (
                f"the sessions of the subject were revoked at revision {cut.revision}, after "
                f"authenticated_revision {self.authenticated_revision} was read: authenticate the user again"
            )
            raise LoginOvertakenError(message)


def _first_opened(view: View, prior: RequestRecord, ring: Keyring, now: int) -> Opened:
    """
    Find the generation that the first attempt handed out: the attempt's row keeps its key, the record the rest.

    Another access token is issued, so the record is another one by then.
    """
    session, cause = view.session, judge_session(view, tenant="", now=now)
    if session is None:
        raise _ended(Cause.UNKNOWN_SESSION)
    if cause is not None:
        raise _ended(cause)
    if now >= session.expires_at:
        raise _ended(Cause.EXPIRED)
    if not ring.can_sign(prior.key_id):
        raise _ended(Cause.KEY_REVOKED)
    issued = replace(session, access_issued_at=max(now, session.access_issued_at))
    return Opened(issued, Generation(FIRST_GENERATION, session.created_at, prior.key_id), view.revision)


def _ended(cause: Cause) -> SessionEndedError:
    return SessionEndedError(cause, f"the session that this request opened cannot be used any more: {sentence(cause)}")
