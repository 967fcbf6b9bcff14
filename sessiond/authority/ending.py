"""Ending sessions on purpose: which ones are meant, what is written, and what the caller learns."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sessiond.authority import events
from sessiond.authority.lookup import as_ended, not_found
from sessiond.authority.refusals import sentence
from sessiond.authority.requests import answer_of, first_answer, key_of
from sessiond.errors import Cause, InvalidAccessToken, InvalidRefreshToken, SessiondError
from sessiond.ids import session_id_text
from sessiond.store.contract import Change, EndedSession
from sessiond.store.records import End, Event, Revocation, RevocationKind, Session
from sessiond.token.format import REFRESH_PREFIX

if TYPE_CHECKING:
    from sessiond.authority.caller import Caller
    from sessiond.authority.keyring import Keyring
    from sessiond.authority.policy import Policy
    from sessiond.store.contract import Request, View


@dataclass(frozen=True, slots=True)
class Revoked:
    """
    A session that has ended, by this call or before it.

    A verifier that has applied ``revision`` refuses its tokens.
    """

    session: Session
    ended_by_this_call: bool
    revision: int


class RevocationVerdict(enum.IntEnum):
    """What became of a session that was to be ended; the numbers are kept in the rows of requests."""

    ENDED = 1
    ENDED_BEFORE = 2
    NOT_FOUND = 3


@dataclass(frozen=True, slots=True)
class BatchRevoked:
    """
    What became of each session of a list, in its order.

    A verifier that has applied ``revision`` refuses the tokens of every session that has ended.
    """

    verdicts: tuple[RevocationVerdict, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Target:
    """A session that is to be ended; ``refusal`` is the kind of token that named it, None where its id did."""

    session_id: bytes
    refusal: type[InvalidRefreshToken | InvalidAccessToken] | None = None

    def missing(self, cause: Cause) -> SessiondError:
        """Say why there is nothing to end, with as much as whoever named the session may know."""
        if self.refusal is None:
            return not_found(self.session_id)
        return self.refusal(cause, sentence(cause), session_id=session_id_text(self.session_id))


def named_by_token(token: str, ring: Keyring) -> Target:
    """
    Find the session that any well-signed token belongs to, expired or not.

    Raises:
        InvalidRefreshToken: It has the prefix of refresh tokens, and is not a well-signed one.
        InvalidAccessToken: It is nothing else that is well signed.

    """
    if token.startswith(REFRESH_PREFIX):
        return Target(ring.refresh_verifier.read_signed(token).session_id, InvalidRefreshToken)
    return Target(ring.access_verifier.read_signed(token).session_id, InvalidAccessToken)


@dataclass(frozen=True, slots=True)
class Ending:
    """Who ends a session, why, and when; ``actor`` is the one on whose behalf, empty for the caller itself."""

    caller: Caller
    reason: str
    actor: str
    request: Request | None
    now: int

    def decide(self, view: View, target: Target, ring: Keyring, policy: Policy) -> Change[Revoked | None]:
        """
        Decide what is written to end the session of *view*; a result of None asks for a newer keyset than *ring*.

        A session that went idle is ended all the same: its access tokens may
        be alive. One that has ended keeps its first end.

        Raises:
            RequestIdReusedError: The request id names another request.
            SessionNotFoundError: There is no such session for this caller.
            InvalidRefreshToken: Likewise, where a refresh token named it.
            InvalidAccessToken: Likewise, where an access token named it.

        """
        if view.keys_revision > ring.revision:
            return Change(None)
        prior = first_answer(self.request, view.prior)
        session = as_ended(view)
        if session is None:
            raise target.missing(Cause.UNKNOWN_SESSION)
        if not self.caller.may_act_for(session.tenant):
            raise target.missing(Cause.WRONG_TENANT)
        if prior is not None:
            # The first answer names the session exactly where that call ended it.
            return Change(Revoked(session, prior.session_id != b"", prior.revision))
        if session.end is not None:
            answer = answer_of(self.request, revision=view.revision)
            return Change(Revoked(session, ended_by_this_call=False, revision=view.revision), answer=answer)
        ended = self.ended(session, policy)
        revision = view.revision + 1
        return Change(
            Revoked(ended.session, ended_by_this_call=True, revision=revision),
            ended=(ended,),
            events=self.told((ended,)),
            answer=answer_of(self.request, revision=revision, session_id=session.id),
        )

    def decide_each(self, views: Sequence[View], policy: Policy) -> Change[BatchRevoked]:
        """
        Decide what is written to end the sessions of *views*, each as :meth:`decide` would one that its id named.

        Raises:
            RequestIdReusedError: The request id names another request.

        """
        prior = first_answer(self.request, views[0].prior)
        if prior is not None:
            return Change(BatchRevoked(tuple(RevocationVerdict(number) for number in prior.outcome), prior.revision))
        sessions = [as_ended(view) for view in views]
        verdicts = tuple(self._verdict(session) for session in sessions)
        ended = [
            self.ended(session, policy)
            for session, verdict in zip(sessions, verdicts, strict=True)
            if session is not None and verdict is RevocationVerdict.ENDED
        ]
        revision = views[0].revision + len(ended)
        return Change(
            BatchRevoked(verdicts, revision),
            ended=ended,
            events=self.told(ended),
            answer=answer_of(self.request, revision=revision, outcome=bytes(verdicts)),
        )

    def ended(self, session: Session, policy: Policy) -> EndedSession:
        """End a living session."""
        return ended_session(session, End(Cause.REVOKED, self.now, self.reason, self.actor or self.caller.name), policy)

    def told(self, ended: Sequence[EndedSession]) -> list[Event]:
        """Tell of the sessions that end."""
        request_hash = key_of(self.request)
        return [
            events.session_revoked(one.session, at=self.now, caller=self.caller.name, request_hash=request_hash)
            for one in ended
        ]

    def _verdict(self, session: Session | None) -> RevocationVerdict:
        if session is None or not self.caller.may_act_for(session.tenant):
            return RevocationVerdict.NOT_FOUND
        return RevocationVerdict.ENDED if session.end is None else RevocationVerdict.ENDED_BEFORE


def ended_session(session: Session, end: End, policy: Policy) -> EndedSession:
    """Give *session* as *end* leaves it, with the entry of the revocation log that tells verifiers."""
    entry = Revocation(
        revision=0,
        kind=RevocationKind.SESSION,
        at=end.at,
        keep_until=policy.session_entry_kept_until(session, end.at),
        session_id=session.id,
        cause=end.cause,
    )
    return EndedSession(replace(session, end=end), entry)
