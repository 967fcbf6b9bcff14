"""Devices: the sessions of a subject that have one device label, found by a bounded scan and ended part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessiond.authority.lookup import as_ended, is_of
from sessiond.authority.requests import answer_of, first_answer
from sessiond.errors import InvalidRequestError
from sessiond.ids import SESSION_ID_SIZE
from sessiond.store.contract import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiond.authority.ending import Ending
    from sessiond.authority.feed import Feed
    from sessiond.authority.policy import Policy
    from sessiond.ids import ScopeHasher
    from sessiond.store.contract import Store, View
    from sessiond.store.records import RequestRecord

MAX_SESSIONS_LOOKED_AT = 10_000

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class DeviceRevoked:
    """The sessions that ended, oldest first; a verifier that has applied ``revision`` refuses their tokens."""

    session_ids: tuple[bytes, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Part:
    """What one write did; ``is_repeated`` where an earlier attempt did it, ``is_last`` where no other follows it."""

    session_ids: tuple[bytes, ...]
    revision: int
    is_last: bool
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Labelled:
    """The sessions of a subject that have the device label ``label``, byte for byte."""

    tenant: str
    subject: str
    label: str

    def find(self, store: Store, feed: Feed, hasher: ScopeHasher, *, now: int) -> list[bytes]:
        """
        Find the living ones, oldest first, page by page.

        One that went idle is among them: its access tokens may be alive.

        Raises:
            InvalidRequestError: The subject has more than 10,000 sessions in its list, where those that a cut ended
                or that expired stay until they are swept.
            StoreUnavailableError: The store cannot be read.

        """
        subject_hash = hasher.subject(self.tenant, self.subject)
        found: list[bytes] = []
        n_rows, after = 0, b""
        while True:
            rows, _ = store.list_by_subject(subject_hash, after, _PAGE)
            n_rows += len(rows)
            if n_rows > MAX_SESSIONS_LOOKED_AT:
                text = (
                    f"has more than {MAX_SESSIONS_LOOKED_AT} sessions in its list, so none was ended: "
                    f"end them by their ids (BatchRevokeSessions), or all of them (RevokeSubject)"
                )
                raise InvalidRequestError(("subject", text))
            feed.catch_up()
            found += [
                session.id
                for session in rows
                if session.label == self.label
                and is_of(session, self.tenant, self.subject)
                and now < session.expires_at
                and not feed.revocations.is_revoked(session.id, session.tenant_hash, subject_hash, session.born)
            ]
            if len(rows) < _PAGE:
                return found
            after = rows[-1].id

    def decide(self, views: Sequence[View], ending: Ending, policy: Policy, *, is_last: bool) -> Change[Part]:
        """
        Decide what is written to end those sessions of *views* that live and have the label still.

        Raises:
            RequestIdReusedError: The request id names another request.

        """
        prior = first_answer(ending.request, views[0].prior)
        if prior is not None:
            return Change(_first_part(prior))
        ended = [
            ending.ended(session, policy)
            for session in map(as_ended, views)
            if session is not None and session.end is None and session.label == self.label
        ]
        session_ids = tuple(one.session.id for one in ended)
        revision = views[0].revision + len(ended)
        outcome = bytes((is_last, *b"".join(session_ids)))
        return Change(
            Part(session_ids, revision, is_last),
            ended=ended,
            events=ending.told(ended),
            answer=answer_of(ending.request, revision=revision, outcome=outcome),
        )


def _first_part(prior: RequestRecord) -> Part:
    is_last, ids = bool(prior.outcome[0]), prior.outcome[1:]
    session_ids = tuple(ids[start : start + SESSION_ID_SIZE] for start in range(0, len(ids), SESSION_ID_SIZE))
    return Part(session_ids, prior.revision, is_last, is_repeated=True)
