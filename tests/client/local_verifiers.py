"""Local verifiers of a real authority, and what becomes of tokens at them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sessiond.client import LocalVerifier
from sessiond.errors import Cause, InvalidAccessToken
from sessiond.token.sign import sign_access_token
from tests.client.waiting import until
from tests.rpc.world import World
from tests.vectors.token_samples import ACCESS_CLAIMS, key_of

AUDIENCE = "sessiond"
MAX_SECONDS = 30


@contextmanager
def verifying(here: World, address: str = "", **settings: Any) -> Iterator[LocalVerifier]:
    """Give a verifier that is ready, on the authority's clock."""
    told = {"audience": AUDIENCE, "clock": here.clock, "max_staleness_seconds": MAX_SECONDS, **settings}
    with LocalVerifier(address or here.app.address, **told) as verifier:
        verifier.wait_ready()
        yield verifier


def cause(verifier: LocalVerifier, access_token: str, **other: Any) -> Cause | None:
    """Say why a token is refused; None where it is good."""
    try:
        verifier.verify(access_token, **other)
    except InvalidAccessToken as refusal:
        return refusal.cause
    return None


def until_applied(verifier: LocalVerifier, revision: int) -> None:
    """Wait until a verifier knows everything up to a revision."""
    until(lambda: verifier.status().revision >= revision)


def until_fresh(here: World, verifier: LocalVerifier) -> None:
    """Wait for a heartbeat of this time; the authority sends one for each second of its clock, which goes on slowly."""
    polls = itertools.count()

    def is_fresh() -> bool:
        if next(polls) % 40 == 0:
            here.clock.advance(1)
        return verifier.staleness_seconds < 1

    until(is_fresh)


@dataclass
class Fetches:
    """What an authority was asked for its keyset, counted where it serves."""

    count: int = 0
    may_answer: threading.Event = field(default_factory=threading.Event)


def foreign(number: int) -> str:
    """Sign an access token with a key of nobody's."""
    return sign_access_token(key_of(f"nobody's {number}"), ACCESS_CLAIMS)
