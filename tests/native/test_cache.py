"""The cache of verified tokens: the same object for the same text, and never anything that is not good any more."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from sessiond.errors import Cause, InvalidAccessToken, TokenRefusedError
from sessiond.token.keyset import VerificationKey
from sessiond.token.verify import AccessVerifier, RevocationIndex, VerifiedAccessToken
from tests.native.tokens import ACCESS_KEY, AUDIENCE, ISSUER, NOW, SESSION_ID, access_claims, access_token

CLAIMS = access_claims()
TOKEN = access_token()
KEYS = [VerificationKey(ACCESS_KEY.public_key)]
TABLES = AccessVerifier(KEYS, ISSUER.decode()).tables
LATER = NOW + 1000
ONE_SET = 4
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def verifier(cache_entries: int = ONE_SET, revocations: RevocationIndex | None = None) -> AccessVerifier:
    """Make a verifier with a cache, without making its tables again."""
    return AccessVerifier(KEYS, ISSUER.decode(), tables=TABLES, revocations=revocations, cache_entries=cache_entries)


def verify(by: AccessVerifier, token: Any = TOKEN, **other: Any) -> VerifiedAccessToken:
    """Verify at the ordinary time for the ordinary audience, or otherwise."""
    return by.verify(token, **{"audience": AUDIENCE, "now": NOW, "leeway": 30, **other})


def refusal(by: AccessVerifier, token: Any = TOKEN, **other: Any) -> tuple[Cause, str, str | None]:
    """Read cause, message and session of a refusal."""
    with pytest.raises(TokenRefusedError) as caught:
        verify(by, token, **other)
    return caught.value.cause, caught.value.message, caught.value.session_id


def token_of(number: int, *, expires_at: int = CLAIMS.expires_at) -> str:
    """Sign the token of a session of its own."""
    return access_token(claims=replace(CLAIMS, session_id=number.to_bytes(16, "big"), expires_at=expires_at))


def copied(text: str) -> str:
    """Make another object of the same characters."""
    return "".join(list(text))


def test_same_text_gives_the_same_object() -> None:
    """A token that was found good is found again by its characters, whatever holds them; without a cache it is not."""
    cached, plain = verifier(), verifier(0)
    first = verify(cached)
    for token in (TOKEN, copied(TOKEN), TOKEN.encode()):
        assert first is verify(cached, token)
    assert first == verify(plain)
    assert verify(plain) is not verify(plain)


def test_text_that_was_given_as_bytes_is_found_as_text() -> None:
    """Whether bytes or a str came first makes no difference."""
    cached = verifier()
    assert verify(cached, TOKEN.encode()) is verify(cached, TOKEN)


class Text(str):
    """A str by another name."""

    __slots__ = ()


class Data(bytes):
    """Bytes by another name."""


@pytest.mark.parametrize(
    "token", [bytearray(TOKEN.encode()), memoryview(TOKEN.encode()), Text(TOKEN), Data(TOKEN.encode())]
)
def test_objects_that_can_change_are_not_held(token: object) -> None:
    """A token in an object of another type is judged and not looked up; no such object is held."""
    cached = verifier()
    assert verify(cached) == verify(cached, token)
    assert verify(cached) is not verify(cached, token)
    empty, alone = verifier(), sys.getrefcount(token)
    first = verify(empty, token)
    assert alone == sys.getrefcount(token)
    assert isinstance(token, (bytearray, memoryview)) is (first is verify(empty))  # a copy of their bytes is held


@pytest.mark.parametrize("cause", [Cause.REVOKED, Cause.EVICTED, Cause.REUSED, Cause.STATE_LOST])
def test_cached_token_dies_the_moment_its_session_ends(cause: Cause) -> None:
    """The next call after the end of its session refuses a cached token, with the words it has without a cache."""
    index = RevocationIndex()
    cached, plain = verifier(revocations=index), verifier(0, index)
    assert verify(cached) is verify(cached)
    index.end_session(SESSION_ID, cause, LATER)
    found = refusal(cached)
    assert cause is found[0]
    assert refusal(plain) == found
    index.expire(LATER)
    assert verify(cached) is verify(cached)


@pytest.mark.parametrize(
    ("cut", "cause"),
    [
        (lambda index, revision: index.cut_subject(CLAIMS.subject_hash, revision, LATER), Cause.SUBJECT_REVOKED),
        (lambda index, revision: index.cut_tenant(CLAIMS.tenant_hash, revision, LATER), Cause.TENANT_REVOKED),
        (lambda index, revision: index.cut_all(revision, LATER), Cause.ALL_REVOKED),
    ],
    ids=["subject", "tenant", "all"],
)
def test_cached_token_dies_the_moment_its_scope_is_cut(
    cut: Callable[[RevocationIndex, int], None], cause: Cause
) -> None:
    """The next call after a cut that covers its session refuses a cached token."""
    index = RevocationIndex()
    cached = verifier(revocations=index)
    held = verify(cached)
    cut(index, CLAIMS.born)
    assert held is verify(cached)
    cut(index, CLAIMS.born + 1)
    assert cause is refusal(cached)[0]


def test_cached_token_dies_in_the_second_of_its_expiry() -> None:
    """A cached token lives until the second before the one it names, and is refused with the words of any other."""
    cached, plain = verifier(), verifier(0)
    held = verify(cached)
    assert held is verify(cached, now=CLAIMS.expires_at - 1)
    for now in (CLAIMS.expires_at, CLAIMS.expires_at + 1, CLAIMS.expires_at + 10**6):
        found = refusal(cached, now=now)
        assert Cause.EXPIRED is found[0]
        assert refusal(plain, now=now) == found


def test_cached_token_is_not_valid_before_its_time() -> None:
    """A clock that stepped back refuses a cached token, but for the leeway."""
    cached, plain = verifier(), verifier(0)
    held = verify(cached)
    early = CLAIMS.issued_at - 30
    assert held is verify(cached, now=early)
    assert Cause.NOT_YET_VALID is refusal(cached, now=early - 1)[0]
    assert refusal(plain, now=early - 1) == refusal(cached, now=early - 1)
    assert Cause.NOT_YET_VALID is refusal(cached, now=CLAIMS.issued_at - 1, leeway=0)[0]


def test_cached_token_is_refused_to_another_audience() -> None:
    """A hit for one audience is none for another, and is one for the same in another object."""
    cached, plain = verifier(), verifier(0)
    held = verify(cached)
    for audience in ("other", "", "order", "orders "):
        assert Cause.WRONG_AUDIENCE is refusal(cached, audience=audience)[0]
        assert refusal(plain, audience=audience) == refusal(cached, audience=audience)
        assert held is verify(cached, audience=copied("orders"))


@pytest.mark.parametrize(
    "arguments", [{"now": -1}, {"now": 2**53}, {"leeway": -1}, {"now": "1"}, {"audience": b"orders"}]
)
def test_wrong_arguments_are_wrong_on_a_hit_too(arguments: dict[str, Any]) -> None:
    """What is wrong without a cache is as wrong with one."""
    cached, plain = verifier(), verifier(0)
    verify(cached)
    for by in (cached, plain):
        with pytest.raises((TypeError, ValueError)):
            verify(by, **arguments)


def test_text_that_differs_anywhere_is_not_the_cached_one() -> None:
    """With its token in the cache, a text with any one character changed, left out or added is refused."""
    cached, plain = verifier(), verifier(0)
    held = verify(cached)
    for place, character in enumerate(TOKEN):
        other = ALPHABET[(ALPHABET.find(character) + 1) % 64]
        changed = TOKEN[:place] + other + TOKEN[place + 1 :]
        for text in (
            changed,
            changed.encode(),
            TOKEN[:place] + TOKEN[place + 1 :],
            TOKEN[:place] + other + TOKEN[place:],
        ):
            assert refusal(plain, text) == refusal(cached, text)
    assert held is verify(cached)


def test_only_good_tokens_are_held() -> None:
    """What is refused, for whatever cause, leaves nothing behind: in a full set it would put something out."""
    index = RevocationIndex()
    cached = verifier(revocations=index)
    index.end_session(SESSION_ID, Cause.REVOKED, LATER)
    full = {token: verify(cached, token) for token in map(token_of, range(101, 101 + ONE_SET))}
    for token, other in (
        (TOKEN, {}),
        (token_of(2), {"now": CLAIMS.expires_at}),
        (token_of(3), {"audience": "other"}),
        (token_of(4)[:-1], {}),
        (token_of(5)[:-86] + TOKEN[-86:], {}),
        ("", {}),
        ("é" * 100, {}),
    ):
        refusal(cached, token, **other)
        assert all(held is verify(cached, text) for text, held in full.items())


def test_token_that_dies_first_makes_room() -> None:
    """In a full set a further token takes the place of the one that dies first, which is right when it returns."""
    cached = verifier(ONE_SET)
    tokens = [token_of(number, expires_at=CLAIMS.expires_at + number) for number in (3, 1, 4, 2)]
    held = {token: verify(cached, token) for token in tokens}
    further = token_of(9, expires_at=CLAIMS.expires_at + 9)
    verify(cached, further)

    for token in (tokens[0], tokens[2], tokens[3]):
        assert held[token] is verify(cached, token)
    assert verify(cached, further) is verify(cached, further)
    again = verify(cached, tokens[1])  # takes the place of the second one to die
    assert (True, False) == (again == held[tokens[1]], again is held[tokens[1]])
    assert again is verify(cached, tokens[1])
    assert held[tokens[3]] is not verify(cached, tokens[3])


def n_held(found: dict[int, VerifiedAccessToken]) -> int:
    """Count the tokens that somebody holds beside *found*."""
    return sum(sys.getrefcount(found[place]) - 2 for place in found)  # found, and the argument


@pytest.mark.parametrize("n_entries", [4, 8, 12, 20, 32])
def test_cache_never_holds_more_than_it_may(n_entries: int) -> None:
    """However many tokens come, in whatever order, no more are held, and every answer is that of its own token."""
    cached = verifier(n_entries)
    tokens = {number: token_of(number) for number in range(60)}
    order = random.Random(n_entries)  # noqa: S311 - the same order in every run
    found: dict[int, VerifiedAccessToken] = {}
    for _ in range(600):
        number = order.randrange(60)
        given = verify(cached, tokens[number])
        assert number.to_bytes(16, "big") == given.session_id
        found[id(given)] = given
        del given
        assert n_held(found) <= n_entries
    assert n_entries // 2 < n_held(found)


def test_what_is_put_out_is_freed() -> None:
    """A cache keeps no reference to a text or a token that it put out, and none when it is gone."""
    cached = verifier(ONE_SET)
    text = copied(TOKEN)
    alone = sys.getrefcount(text)
    held = verify(cached, text)
    assert (alone + 1, 3) == (sys.getrefcount(text), sys.getrefcount(held))  # the cache, held, the argument
    for number in range(1, 9):
        verify(cached, token_of(number, expires_at=CLAIMS.expires_at + number))
    assert (alone, 2) == (sys.getrefcount(text), sys.getrefcount(held))
    last = verify(cached, text := copied(token_of(9, expires_at=CLAIMS.expires_at + 9)))
    del cached
    assert (alone, 2) == (sys.getrefcount(text), sys.getrefcount(last))


@pytest.mark.parametrize("n_entries", [-4, 1, 2, 3, 5, 2**24 + 4, 2**64])
def test_number_of_entries_is_a_multiple_of_four(n_entries: int) -> None:
    """A number that the cache could not hold exactly is refused."""
    with pytest.raises(ValueError, match="cache_entries must be a multiple of 4 from 0 to 16777216"):
        verifier(n_entries)
    with pytest.raises(TypeError, match="cache_entries must be an int, not str"):
        verifier("4")  # type: ignore[arg-type]


def test_threads_share_one_small_cache() -> None:
    """Threads that put each other's tokens out, while sessions end, only ever get their own token or its refusal."""
    index = RevocationIndex()
    cached = verifier(8, index)
    tokens = [token_of(number) for number in range(24)]
    start = threading.Barrier(4)

    def work(seed: int) -> int:
        order = random.Random(seed)  # noqa: S311 - the same order in every run
        n_refused = 0
        start.wait(20)
        for _ in range(1500):
            number = order.randrange(24)
            ended = number in gone
            try:
                found: bytes | Cause = verify(cached, tokens[number]).session_id
            except InvalidAccessToken as error:
                found = error.cause
                n_refused += 1
            assert found in ({Cause.REVOKED} if ended else {number.to_bytes(16, "big"), Cause.REVOKED})
            assert found != Cause.REVOKED or number >= 12
        return n_refused

    gone: set[int] = set()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(3) as pool:
            working = [pool.submit(work, seed) for seed in range(3)]
            start.wait(20)
            for number in range(12, 24):
                index.end_session(number.to_bytes(16, "big"), Cause.REVOKED, LATER)
                gone.add(number)
                verify(cached, tokens[number - 12])
            assert 0 < sum(future.result() for future in working)
    finally:
        sys.setswitchinterval(interval)


def test_places_in_the_cache_are_secret() -> None:
    """Two processes put the same tokens out in different orders: their secrets differ."""
    program = (
        "from tests.native.test_cache import *;"
        "cached = verifier(8); tokens = [token_of(n) for n in range(16)];"
        "held = [verify(cached, t) for t in tokens];"
        "print([sys.getrefcount(h) for h in held])"
    )
    seen = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    }
    assert 1 < len(seen)
