"""The order of judgement that docs/errors.md prints is the one in which tokens are judged."""

from __future__ import annotations

import re

from sessiond.errors import Cause
from tests.native.tokens import (
    ACCESS,
    ACCESS_KEY,
    NOW,
    OTHER_KEY,
    REVOKED_ACCESS_KEY,
    access_claims,
    access_token,
    encode,
    judge,
    refresh_token,
)
from tests.unit.authority.test_rotation_order import FAULTS
from tools import errors_page

FORGED = encode(bytes(64))
BACKWARDS = access_claims(issued_at=NOW + 60, expires_at=NOW - 60)
OTHER_AUDIENCE = "other"


def forged(token: str) -> str:
    """Put another signature under an access token."""
    return token[: -len(FORGED)] + FORGED


# Each has every later fault that it can have beside its own: the token, when it is judged, and for whom.
BEFORE_THE_STORE = (
    (Cause.MALFORMED, forged(access_token(OTHER_KEY, BACKWARDS)) + ".", NOW, OTHER_AUDIENCE),
    (Cause.WRONG_TOKEN_KIND, forged(refresh_token(OTHER_KEY)), NOW, OTHER_AUDIENCE),
    (Cause.UNKNOWN_KEY, forged(access_token(OTHER_KEY, BACKWARDS)), NOW, OTHER_AUDIENCE),
    (Cause.KEY_REVOKED, forged(access_token(REVOKED_ACCESS_KEY, BACKWARDS)), NOW, OTHER_AUDIENCE),
    (Cause.TAMPERED, forged(access_token(ACCESS_KEY, BACKWARDS)), NOW, OTHER_AUDIENCE),
    (Cause.NOT_YET_VALID, access_token(ACCESS_KEY, BACKWARDS), NOW, OTHER_AUDIENCE),
    (Cause.EXPIRED, access_token(ACCESS_KEY, BACKWARDS), NOW + 60, OTHER_AUDIENCE),
    (Cause.WRONG_AUDIENCE, access_token(), NOW, OTHER_AUDIENCE),
)


def printed(start: str) -> list[Cause]:
    """Read the causes of one sentence of the page."""
    [names] = re.findall(rf"^{start}: ([A-Z_, ]+)\.$", errors_page.PAGE.read_text(), re.MULTILINE)
    return [Cause[name] for name in names.split(", ")]


def test_printed_order_names_every_cause_once() -> None:
    """The page places each cause at one place in the order of judgement."""
    sentences = ("Before a local verifier looks at a token", "Before the store is asked", "From the session")

    assert sorted(Cause) == sorted(cause for start in sentences for cause in printed(start))


def test_printed_order_before_the_store_is_that_of_the_extension() -> None:
    """A token with all faults from one place of the order on is refused with the cause of that place."""
    found = [
        Cause(judge(ACCESS, token, audience=audience, now=now, leeway=0)[0])
        for _, token, now, audience in BEFORE_THE_STORE
    ]

    assert [cause for cause, *_ in BEFORE_THE_STORE] == found
    assert printed("Before the store is asked") == found


def test_printed_order_from_the_session_is_that_of_the_rules() -> None:
    """
    The causes before the generation stand as in the table of the rules; the generation decides among the rest.

    A session has one end, so the causes that only an end can have share the place of the first of them.
    """
    order = printed("From the session")
    rules = [one for cause, _ in FAULTS for one in ((cause, Cause.EVICTED) if cause is Cause.REVOKED else (cause,))]
    *before, last = rules

    assert before == order[: len(before)]
    assert Cause.REUSED is last
    assert {Cause.SUPERSEDED, Cause.STATE_LOST, Cause.REUSED} == set(order[len(before) :])
