"""Batches: each place answers as the token alone would, whatever the list held and whoever changes it."""

from __future__ import annotations

import array
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from sessiond import _fastverify
from sessiond.errors import Cause, InvalidAccessToken, InvalidRefreshToken, TokenRefusedError
from sessiond.token.format import read_access, read_refresh
from sessiond.token.keyset import VerificationKey
from sessiond.token.sign import sign_access_token, sign_refresh_token
from sessiond.token.verify import AccessBatch, AccessVerifier, RefreshBatch, RefreshVerifier, RevocationIndex
from tests.vectors.token_samples import (
    ACCESS_CLAIMS,
    ACCESS_KEY,
    AUDIENCE,
    ISSUER,
    NOW,
    REFRESH_CLAIMS,
    REFRESH_KEY,
    flipped,
    key_of,
)

REVOKED_KEY, UNKNOWN_KEY = key_of("revoked"), key_of("unknown")
KEYS = [
    VerificationKey(REFRESH_KEY.public_key),
    VerificationKey(ACCESS_KEY.public_key),
    VerificationKey(REVOKED_KEY.public_key, revoked=True),
]
REFRESH, ACCESS = RefreshVerifier(KEYS), AccessVerifier(KEYS, ISSUER)
ASKED: dict[str, Any] = {"audience": AUDIENCE, "now": NOW, "leeway": 30}

REFRESH_TOKEN = sign_refresh_token(REFRESH_KEY, REFRESH_CLAIMS)
ACCESS_TOKEN = sign_access_token(ACCESS_KEY, ACCESS_CLAIMS)
# A token for every verdict, in the order of the judgement; the last is good.
REFRESH_TOKENS = {
    Cause.MALFORMED: REFRESH_TOKEN[:-1],
    Cause.WRONG_TOKEN_KIND: ACCESS_TOKEN,
    Cause.UNKNOWN_KEY: sign_refresh_token(UNKNOWN_KEY, REFRESH_CLAIMS),
    Cause.KEY_REVOKED: sign_refresh_token(REVOKED_KEY, REFRESH_CLAIMS),
    Cause.TAMPERED: flipped(REFRESH_TOKEN),
    Cause.EXPIRED: sign_refresh_token(REFRESH_KEY, replace(REFRESH_CLAIMS, expires_at=NOW)),
    None: REFRESH_TOKEN,
}
ACCESS_TOKENS = {
    Cause.MALFORMED: ACCESS_TOKEN[:-1],
    Cause.WRONG_TOKEN_KIND: REFRESH_TOKEN,
    Cause.UNKNOWN_KEY: sign_access_token(UNKNOWN_KEY, ACCESS_CLAIMS),
    Cause.KEY_REVOKED: sign_access_token(REVOKED_KEY, ACCESS_CLAIMS),
    Cause.TAMPERED: flipped(ACCESS_TOKEN),
    Cause.NOT_YET_VALID: sign_access_token(ACCESS_KEY, replace(ACCESS_CLAIMS, issued_at=NOW + 31)),
    Cause.EXPIRED: sign_access_token(ACCESS_KEY, replace(ACCESS_CLAIMS, expires_at=NOW)),
    Cause.WRONG_AUDIENCE: sign_access_token(ACCESS_KEY, replace(ACCESS_CLAIMS, audience="https://other.example.com")),
    None: ACCESS_TOKEN,
}


def answer(ask: Callable[[], object]) -> object:
    """Give what *ask* returns, or all that its refusal says."""
    try:
        return ask()
    except TokenRefusedError as error:
        return type(error), error.cause, error.message, error.session_id


def of_access(tokens: Iterable[Any]) -> AccessBatch:
    """Judge access tokens at the ordinary time for the ordinary audience."""
    return ACCESS.verify_batch(tokens, **ASKED)


def of_refresh(tokens: Iterable[Any]) -> RefreshBatch:
    """Judge refresh tokens at the ordinary time."""
    return REFRESH.verify_batch(tokens, now=NOW)


BOTH = pytest.mark.parametrize(
    ("judge", "token"), [(of_access, ACCESS_TOKEN), (of_refresh, REFRESH_TOKEN)], ids=["access", "refresh"]
)
Judge = Callable[[Iterable[Any]], AccessBatch | RefreshBatch]


@pytest.mark.parametrize("repeated", [1, 3, 200], ids="x{}".format)
def test_each_place_answers_as_the_token_alone_would(repeated: int) -> None:
    """A place gives the very token, or raises the very refusal, that ``verify`` does, in batches of any length."""
    accesses, refreshes = list(ACCESS_TOKENS.values()) * repeated, list(REFRESH_TOKENS.values()) * repeated
    of_accesses, of_refreshes = of_access(accesses), of_refresh(refreshes)

    for place in (*range(len(ACCESS_TOKENS)), -1, -len(accesses)):
        alone = answer(lambda place=place: ACCESS.verify(accesses[place], **ASKED))  # type: ignore[misc]
        assert alone == answer(lambda place=place: of_accesses[place])  # type: ignore[misc]
    for place in (*range(len(REFRESH_TOKENS)), -1, -len(refreshes)):
        alone = answer(lambda place=place: REFRESH.verify(refreshes[place], now=NOW))  # type: ignore[misc]
        assert alone == answer(lambda place=place: of_refreshes[place])  # type: ignore[misc]
    assert (len(accesses), len(refreshes)) == (len(of_accesses), len(of_refreshes))


def test_verdicts_name_the_causes() -> None:
    """A verdict is the number of the cause, 0 for a good token: no exception is needed to tell why."""
    causes = [Cause(verdict) if verdict else None for verdict in of_access(ACCESS_TOKENS.values()).verdicts]

    assert list(ACCESS_TOKENS) == causes
    assert bytes(cause or 0 for cause in REFRESH_TOKENS) == of_refresh(REFRESH_TOKENS.values()).verdicts


def test_fields_are_those_of_good_tokens_alone() -> None:
    """Fields stand in the order of the tokens, and are zeros for one that is refused, even where it is well signed."""
    accesses, refreshes = of_access(ACCESS_TOKENS.values()), of_refresh(REFRESH_TOKENS.values())
    zeros = len(ACCESS_TOKENS) - 1, len(REFRESH_TOKENS) - 1

    assert bytes(_fastverify.ACCESS_FIELDS_SIZE * zeros[0]) == accesses.fields[: -_fastverify.ACCESS_FIELDS_SIZE]
    assert bytes(_fastverify.REFRESH_FIELDS_SIZE * zeros[1]) == refreshes.fields[: -_fastverify.REFRESH_FIELDS_SIZE]
    key_id, content = read_access(ACCESS_TOKEN)
    assert (key_id, content.expires_at) == (accesses.fields[-64:-56], int.from_bytes(accesses.fields[-56:-52], "big"))
    assert content.born == int.from_bytes(accesses.fields[-8:], "big")
    assert read_refresh(REFRESH_TOKEN).session_id == refreshes.fields[-20:-4]


def test_a_batch_answers_for_its_own_time() -> None:
    """What a place raises is told for the moment of the batch, whenever it is asked."""
    batch = REFRESH.verify_batch([REFRESH_TOKEN], now=REFRESH_CLAIMS.expires_at + 5)

    for _ in range(2):
        with pytest.raises(InvalidRefreshToken, match="it expired at 2027-02-14T08:00:00Z, 5 s ago"):
            batch[0]


def test_a_batch_remembers_whom_it_was_for() -> None:
    """The audience in a refusal is the one of the batch, whatever was asked for since."""
    batch = ACCESS.verify_batch([ACCESS_TOKEN], **{**ASKED, "audience": "first"})
    ACCESS.verify_batch([ACCESS_TOKEN], **{**ASKED, "audience": "second"})

    with pytest.raises(InvalidAccessToken, match="expected 'first'"):
        batch[0]


def test_a_batch_answers_for_the_revocations_of_its_time() -> None:
    """What was revoked at the call stays refused, and what was not stays verified, whatever the index learns since."""
    revocations = RevocationIndex()
    verifier = AccessVerifier(KEYS, ISSUER, revocations=revocations)
    before = verifier.verify_batch([ACCESS_TOKEN], **ASKED)
    revocations.end_session(ACCESS_CLAIMS.session_id, Cause.REUSED, NOW + 1)
    after = verifier.verify_batch([ACCESS_TOKEN], **ASKED)
    alone = answer(lambda: verifier.verify(ACCESS_TOKEN, **ASKED))
    revocations.expire(NOW + 1)

    assert ACCESS.verify(ACCESS_TOKEN, **ASKED) == before[0] == verifier.verify(ACCESS_TOKEN, **ASKED)
    assert bytes([Cause.REUSED]) == after.verdicts
    assert alone == answer(lambda: after[0])


def test_audiences_may_alternate() -> None:
    """The spelling of one audience is never taken for that of another."""
    names = ["a", 'quoted "b"', "\u0416", AUDIENCE]
    tokens = {name: sign_access_token(ACCESS_KEY, replace(ACCESS_CLAIMS, audience=name)) for name in names}

    for _ in range(3):
        for wanted in names:
            asked = {**ASKED, "audience": "".join(wanted)}
            found = ACCESS.verify_batch(tokens.values(), **asked).verdicts
            assert bytes(0 if name == wanted else Cause.WRONG_AUDIENCE for name in names) == found
            assert wanted == ACCESS.verify(tokens[wanted], **asked).audience


class Name(str):
    """A str that is equal to nothing."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return False


def test_an_audience_is_its_characters() -> None:
    """A subclass of str is read as its characters; anything else is no audience."""
    assert AUDIENCE == ACCESS.verify(ACCESS_TOKEN, **{**ASKED, "audience": Name(AUDIENCE)}).audience
    for other in (None, AUDIENCE.encode(), 5):
        asked = {**ASKED, "audience": other}
        with pytest.raises(TypeError, match=f"audience must be a str, not {type(other).__name__}"):
            ACCESS.verify(ACCESS_TOKEN, **asked)
        with pytest.raises(TypeError, match=f"audience must be a str, not {type(other).__name__}"):
            ACCESS.verify_batch([ACCESS_TOKEN], **asked)


@BOTH
def test_an_empty_batch_is_empty(judge: Judge, token: str) -> None:
    """No tokens, no verdicts; and no place to ask."""
    batch = judge([])

    assert (0, b"", b"") == (len(batch), batch.verdicts, batch.fields)
    with pytest.raises(IndexError, match="the batch has 0 tokens"):
        batch[0]
    assert bytes(1) == judge([token]).verdicts


@BOTH
def test_a_place_is_an_index(judge: Judge, token: str) -> None:
    """Places count from either end, and what is none is refused."""
    batch = judge([token, token])

    for place in (2, -3, 1 << 80):
        with pytest.raises(IndexError):
            batch[place]
    others: list[Any] = ["0", None, 1.0, slice(0, 1)]
    for other in others:
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            batch[other]


@BOTH
def test_tokens_are_text_or_bytes(judge: Judge, token: str) -> None:
    """A token may stand in any bytes-like object, also in one that does not lie in one piece."""
    data = token.encode()
    strided = memoryview(bytes(byte for byte in data for _ in range(2)))[::2]
    views = memoryview(data), memoryview(bytearray(data)), strided
    kinds = [token, data, bytearray(data), *views, array.array("B", data)]
    batch = judge(iter(kinds))

    assert bytes(len(kinds)) == batch.verdicts
    assert 1 == len({batch[place] for place in range(len(kinds))})


@BOTH
def test_what_cannot_be_a_token_is_malformed(judge: Judge, token: str) -> None:
    """Lengths and characters that no token has are MALFORMED, never an exception."""
    texts = ["", b"", token + "A", token[1:], "\0", "\ud800", token[:-1] + "\xe9", token.encode() + b"\xff", "A" * 5000]

    batch = judge(texts)
    assert bytes([Cause.MALFORMED] * len(texts)) == batch.verdicts
    for place, text in enumerate(texts):
        with pytest.raises(TokenRefusedError) as caught:
            batch[place]
        assert (Cause.MALFORMED, None) == (caught.value.cause, caught.value.session_id), text


@BOTH
def test_bytes_are_those_of_the_call(judge: Judge, token: str) -> None:
    """A bytearray that changes afterwards changes nothing in the batch."""
    data = bytearray(token.encode())
    batch = judge([data])
    good = batch[0]
    data[:] = b"x"

    assert good == batch[0]


@BOTH
def test_nobody_else_makes_a_batch(judge: Judge, token: str) -> None:
    """A batch cannot be made by hand, and what it says cannot be changed."""
    batch: Any = judge([token, ""])

    with pytest.raises(TypeError, match="objects come from a verifier and from nowhere else"):
        type(batch)()
    for name in ("verdicts", "fields"):
        with pytest.raises(AttributeError):
            setattr(batch, name, b"")
    with pytest.raises(TypeError):
        batch[0] = batch[0]
    assert f"<{type(batch).__name__} of 2 tokens, 1 of them good>" == repr(batch)


@BOTH
def test_a_list_that_another_thread_changes_is_judged_as_it_was(judge: Judge, token: str) -> None:
    """Tokens that are dropped, replaced or overwritten during a call are judged, and read later, as they were."""
    tokens: list[Any] = []
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            tokens.clear()
            tokens.extend([token[:40] + token[40:], bytearray(token.encode()), "x" * 500] * 20)
            tokens[1][:] = b"y" * 100_000

    other = threading.Thread(target=change)
    other.start()
    try:
        for _ in range(300):
            batch = judge(tokens)
            assert len(batch) in (0, 60)
            assert set(batch.verdicts[::3]) <= {0}
            assert set(batch.verdicts[2::3]) <= {Cause.MALFORMED}
            if len(batch):
                assert batch[0] == batch[57]
                with pytest.raises(TokenRefusedError):
                    batch[2]
    finally:
        stop.set()
        other.join()


def test_a_million_tokens_are_one_batch() -> None:
    """A batch takes a million tokens, of which it keeps a hundred bytes each and makes objects for none."""
    tokens = [*ACCESS_TOKENS.values(), "", "x"] * 91_000
    n_good = 91_000
    batch = of_access(tokens)

    assert 1_001_000 == len(batch) == len(batch.verdicts)
    assert n_good == batch.verdicts.count(0)
    assert batch[8] == batch[-3] == ACCESS.verify(ACCESS_TOKEN, **ASKED)
