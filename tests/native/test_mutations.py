"""Tokens that are changed at random are never good, and never more than judged."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from sessiond import _fastverify
from sessiond.errors import Cause
from tests.native.tokens import ACCESS, AUDIENCE, NOW, REFRESH, access_token, judge, refresh_token

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def mutated(token: bytes, chance: random.Random) -> bytes:
    """Change a token in one to four places: cut, repeat, replace, swap, or fill with bytes of any kind."""
    data = bytearray(token)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        end = min(start + chance.choice([0, 1, 1, 2, 4, 8, 64, 500]), len(data))
        match chance.randrange(5):
            case 0:
                del data[start:end]
            case 1:
                data[start:start] = data[start:end]
            case 2:
                data[start:end] = bytes(chance.choices(ALPHABET, k=end - start))
            case 3:
                other = chance.randrange(len(data) + 1)
                data[start:end], data[other:other] = b"", data[start:end]
            case _:
                data[start:end] = chance.randbytes(end - start)
    return bytes(data)


def by_refresh(token: bytes) -> int:
    """Judge as a refresh token."""
    return judge(REFRESH, token, now=NOW)[0]


def by_access(token: bytes) -> int:
    """Judge as an access token."""
    return judge(ACCESS, token, audience=AUDIENCE, now=NOW, leeway=30)[0]


JUDGES: list[tuple[Callable[[bytes], int], bytes]] = [
    (by_refresh, refresh_token().encode()),
    (by_access, access_token().encode()),
]
BEFORE_A_GOOD_SIGNATURE = {Cause.MALFORMED, Cause.UNKNOWN_KEY, Cause.TAMPERED, Cause.WRONG_TOKEN_KIND}


def check(verdict_of: Callable[[bytes], int], token: bytes, n_tokens: int, seed: int) -> None:
    """Judge mutations of a token."""
    chance = random.Random(seed)  # noqa: S311 - the same cases each time
    for _ in range(n_tokens):
        text = mutated(token, chance)
        expected = {_fastverify.GOOD} if text == token else BEFORE_A_GOOD_SIGNATURE

        assert verdict_of(text) in expected


@pytest.mark.parametrize(("verdict_of", "token"), JUDGES, ids=["refresh", "access"])
def test_mutations_are_refused(verdict_of: Callable[[bytes], int], token: bytes) -> None:
    """None of ten thousand mutations is good."""
    check(verdict_of, token, 10_000, seed=0)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize(("verdict_of", "token"), JUDGES, ids=["refresh", "access"])
def test_a_million_mutations_are_refused(verdict_of: Callable[[bytes], int], token: bytes, seed: int) -> None:
    """Nor of a million more of each kind."""
    check(verdict_of, token, 100_000, seed)
