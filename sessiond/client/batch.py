"""What many access tokens came to: columns as they arrived, and a value for a token when it is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sessiond.client.faults import UnexpectedAnswerError
from sessiond.errors import Cause, ClaimsNotMetError, InvalidAccessToken
from sessiond.ids import SESSION_ID_SIZE, session_id_text
from sessiond.token.verdicts import CLAIMS_NOT_MET, GOOD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sessiond.token.requirements import RequiredClaim
    from sessiond.v1 import verification_service_pb2


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedItem:
    """
    Who a good access token of a batch speaks for.

    The four texts are None unless the batch was asked for with them.
    """

    session_id: str
    generation: int
    issued_at: int
    expires_at: int
    tenant: str | None = None
    subject: str | None = None
    client_id: str | None = None
    claims_json: str | None = None

    @property
    def claims(self) -> dict[str, Any]:
        """
        The application's claims.

        Raises:
            ValueError: The batch was asked for without texts.

        """
        if self.claims_json is None:
            message = "the batch was asked for without texts: give verify_batch with_texts=True"
            raise ValueError(message)
        read: dict[str, Any] = json.loads(self.claims_json)
        return read


class VerifiedBatch(Generic[Item]):
    """
    What many access tokens came to, in their order.

    ``batch[i]`` is what the token at place i says, or raises what ``verify``
    would have raised for it; so iterating over a batch raises at the first
    token that is refused. :meth:`is_good` raises nothing. Nothing is made for a
    token before it is asked for. What expires or is revoked after the call
    changes nothing in a batch.

    Attributes:
        verdicts: One byte for each token: 0 where it is good, the number of its Cause where it is refused, 255 where
            only required claims do not hold.
        revision: The store's revision that all were judged with, at least.

    """

    __slots__ = ("_read", "revision", "verdicts")

    def __init__(self, verdicts: bytes, revision: int, read: Callable[[int], Item]) -> None:
        """Hold *verdicts*; *read* gives or raises what stands at a place, which counts from 0."""
        self.verdicts = verdicts
        self.revision = revision
        self._read = read

    def __len__(self) -> int:
        """Count the tokens."""
        return len(self.verdicts)

    def __iter__(self) -> Iterator[Item]:
        """Give what each token says, up to the first that is refused."""
        return map(self._read, range(len(self.verdicts)))

    def __getitem__(self, place: int) -> Item:
        """
        Give what the token at *place* says.

        Raises:
            InvalidAccessToken: It is refused.
            ClaimsNotMetError: It is good, but required claims do not hold.
            IndexError: No such place.

        """
        return self._read(range(len(self.verdicts))[place])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} tokens, {self.verdicts.count(GOOD)} of them good>"

    def is_good(self, place: int) -> bool:
        """Say whether the token at *place* is good."""
        return self.verdicts[place] == GOOD


def batch_of(
    reply: verification_service_pb2.BatchVerifyResponse,
    n_tokens: int,
    required_claims: Sequence[RequiredClaim],
    *,
    with_texts: bool,
) -> VerifiedBatch[VerifiedItem]:
    """
    Read the *reply* to a request for *n_tokens*; of a refused token ``Client.verify`` tells more.

    Raises:
        UnexpectedAnswerError: Its columns do not fit together.

    """
    numbers = (reply.verdicts, reply.generations, reply.issued_at, reply.expires_at)
    texts = (reply.tenants, reply.subjects, reply.client_ids, reply.claims_json)
    if (
        {len(column) for column in numbers} != {n_tokens}
        or len(reply.session_ids) != n_tokens * SESSION_ID_SIZE
        or {len(column) for column in texts} != {n_tokens if with_texts else 0}
    ):
        message = f"the columns of the answer do not have one entry for each of the {n_tokens} tokens"
        raise UnexpectedAnswerError(message)
    verdicts = reply.verdicts
    failed_claims = {one.token_place: one.required_claim_places for one in reply.failed_claims}

    def read(place: int) -> VerifiedItem:
        verdict = verdicts[place]
        if verdict == GOOD:
            return _item(reply, place)
        if verdict == CLAIMS_NOT_MET:
            failed = [required_claims[one] for one in failed_claims[place]]
            raise ClaimsNotMetError(*((one.name, str(one)) for one in failed))
        if verdict not in InvalidAccessToken.causes():
            message = f"verdict {verdict} on the token at place {place}, which this release of the client does not know"
            raise UnexpectedAnswerError(message)
        raise InvalidAccessToken(Cause(verdict), f"the token at place {place} of the batch is refused")

    return VerifiedBatch(verdicts, reply.revision, read)


def _item(reply: verification_service_pb2.BatchVerifyResponse, at: int) -> VerifiedItem:
    texts: dict[str, str] = {}
    if reply.claims_json:
        texts = {
            "tenant": reply.tenants[at],
            "subject": reply.subjects[at],
            "client_id": reply.client_ids[at],
            "claims_json": reply.claims_json[at],
        }
    return VerifiedItem(
        session_id=session_id_text(reply.session_ids[at * SESSION_ID_SIZE : (at + 1) * SESSION_ID_SIZE]),
        generation=reply.generations[at],
        issued_at=reply.issued_at[at],
        expires_at=reply.expires_at[at],
        **texts,
    )
