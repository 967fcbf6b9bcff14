"""Verification: what is handed out, what is said, and that nobody else can make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import pytest

from sessiond._fastverify import KeyTable
from sessiond.errors import Advice, Cause, InvalidAccessToken, InvalidRefreshToken, TokenRefusedError
from sessiond.ids import session_id_text
from sessiond.token.endings import ENDINGS
from sessiond.token.keyset import VerificationKey
from sessiond.token.sign import sign_access_token, sign_refresh_token
from sessiond.token.verify import AccessVerifier, RefreshVerifier, RevocationIndex, VerifiedAccessToken
from tests.vectors.token_samples import (
    ACCESS_CLAIMS,
    ACCESS_KEY,
    AUDIENCE,
    ISSUER,
    NOW,
    REFRESH_CLAIMS,
    REFRESH_KEY,
    SESSION_ID,
    changed,
    flipped,
    jwt,
    key_of,
    payload_of,
    said,
)

REFRESH_TOKEN = sign_refresh_token(REFRESH_KEY, REFRESH_CLAIMS)
ACCESS_TOKEN = sign_access_token(ACCESS_KEY, ACCESS_CLAIMS)
SESSION_TEXT = session_id_text(SESSION_ID)
REFRESH = RefreshVerifier([VerificationKey(REFRESH_KEY.public_key)])
ACCESS = AccessVerifier([VerificationKey(ACCESS_KEY.public_key)], ISSUER)


def verify_access(token: str, verifier: AccessVerifier = ACCESS, **other: Any) -> VerifiedAccessToken:
    """Verify at the ordinary time for the ordinary audience, or otherwise."""
    return verifier.verify(token, **{"audience": AUDIENCE, "now": NOW, "leeway": 30, **other})


def refusal(verify: Callable[[], object]) -> tuple[Cause, str, str | None]:
    """Read cause, message and session of a refusal."""
    with pytest.raises(TokenRefusedError) as caught:
        verify()
    return caught.value.cause, caught.value.message, caught.value.session_id


def test_a_refresh_token_says_what_was_signed() -> None:
    """A verified refresh token has the claims that were signed, and the key that signed them."""
    token = REFRESH.verify(REFRESH_TOKEN, now=NOW)

    assert (REFRESH_KEY.key_id, SESSION_ID, 7, NOW, REFRESH_CLAIMS.expires_at) == (
        token.key_id,
        token.session_id,
        token.generation,
        token.issued_at,
        token.expires_at,
    )


def test_an_access_token_says_what_was_signed() -> None:
    """A verified access token has every claim that was signed, and the key that signed them."""
    token = verify_access(ACCESS_TOKEN)

    assert {"key_id": ACCESS_KEY.key_id, **asdict(ACCESS_CLAIMS)} == said(token)


def test_read_signed_ignores_times_and_audience() -> None:
    """``read_signed`` takes any well-signed token: dead, early, of another issuer or for another audience."""
    dead = sign_access_token(ACCESS_KEY, replace(ACCESS_CLAIMS, issued_at=1_000_000_000, expires_at=1_000_000_001))
    other = AccessVerifier([VerificationKey(ACCESS_KEY.public_key)], "https://other.example.com")
    old = sign_refresh_token(REFRESH_KEY, replace(REFRESH_CLAIMS, issued_at=65_536, expires_at=65_537))

    assert SESSION_ID == ACCESS.read_signed(dead).session_id
    assert SESSION_ID == other.read_signed(ACCESS_TOKEN).session_id
    assert verify_access(ACCESS_TOKEN) == ACCESS.read_signed(ACCESS_TOKEN)
    assert SESSION_ID == REFRESH.read_signed(old).session_id
    assert REFRESH.verify(REFRESH_TOKEN, now=NOW) == REFRESH.read_signed(REFRESH_TOKEN)


def test_read_signed_refuses_what_is_not_signed() -> None:
    """``read_signed`` refuses a changed token like ``verify``."""
    assert Cause.TAMPERED == refusal(lambda: REFRESH.read_signed(flipped(REFRESH_TOKEN)))[0]
    assert Cause.TAMPERED == refusal(lambda: ACCESS.read_signed(flipped(ACCESS_TOKEN)))[0]


def test_the_error_is_of_the_kind_that_was_asked_for() -> None:
    """Each verifier raises the error of its own kind of token, whatever was presented."""
    with pytest.raises(InvalidRefreshToken) as refresh:
        REFRESH.verify(ACCESS_TOKEN, now=NOW)
    with pytest.raises(InvalidAccessToken) as access:
        verify_access(ACCESS_TOKEN, now=ACCESS_CLAIMS.expires_at)

    assert Advice.FIX_THE_CALLER == refresh.value.advice
    assert Advice.REFRESH == access.value.advice


KEY_ID = REFRESH_KEY.key_id.hex()
REVOKED = RefreshVerifier([VerificationKey(REFRESH_KEY.public_key, revoked=True)])


@pytest.mark.parametrize(
    ("verifier", "token", "now", "expected"),
    [
        pytest.param(
            REFRESH,
            REFRESH_TOKEN[:100],
            NOW,
            (
                Cause.MALFORMED,
                (
                    "not laid out as a refresh token: it has 100 characters where a refresh token has 164: "
                    "its end is cut off (character 101)"
                ),
                None,
            ),
            id="malformed",
        ),
        pytest.param(
            REFRESH,
            ACCESS_TOKEN,
            NOW,
            (Cause.WRONG_TOKEN_KIND, "an access token stands where a refresh token belongs", None),
            id="wrong kind",
        ),
        pytest.param(
            RefreshVerifier([]),
            REFRESH_TOKEN,
            NOW,
            (
                Cause.UNKNOWN_KEY,
                (
                    f"no key of the keyset has the token's key id {KEY_ID}: it comes from another authority, "
                    "or its key is gone"
                ),
                None,
            ),
            id="unknown key",
        ),
        pytest.param(
            REVOKED,
            REFRESH_TOKEN,
            NOW,
            (Cause.KEY_REVOKED, f"the key {KEY_ID} that signed it was revoked", None),
            id="revoked key",
        ),
        pytest.param(
            REFRESH,
            flipped(REFRESH_TOKEN),
            NOW,
            (
                Cause.TAMPERED,
                f"its signature under the key {KEY_ID} does not fit its content: it was changed after it was signed",
                None,
            ),
            id="tampered",
        ),
        pytest.param(
            REFRESH,
            REFRESH_TOKEN,
            NOW + 30 * 86_400 + 5,
            (Cause.EXPIRED, "it expired at 2027-02-14T08:00:00Z, 5 s ago", SESSION_TEXT),
            id="expired",
        ),
    ],
)
def test_refusals_of_refresh_tokens(
    verifier: RefreshVerifier, token: str, now: int, expected: tuple[Cause, str, bytes | None]
) -> None:
    """A refused refresh token has its cause, a message that says what is wrong, and its session once that is proved."""
    assert expected == refusal(lambda: verifier.verify(token, now=now))


@pytest.mark.parametrize(
    ("token", "asked", "expected"),
    [
        pytest.param(
            ACCESS_TOKEN[:-5],
            {},
            (
                Cause.MALFORMED,
                (
                    "not laid out as an access token: its signature has 81 characters where it should have 86: "
                    "its end is cut off (character 636)"
                ),
                None,
            ),
            id="malformed",
        ),
        pytest.param(
            REFRESH_TOKEN,
            {},
            (Cause.WRONG_TOKEN_KIND, "a refresh token stands where an access token belongs", None),
            id="wrong kind",
        ),
        pytest.param(
            ACCESS_TOKEN,
            {"now": NOW - 100},
            (
                Cause.NOT_YET_VALID,
                "it was issued at 2027-01-15T08:00:00Z, 100 s from now, and 30 s are allowed: a clock is wrong",
                SESSION_TEXT,
            ),
            id="early",
        ),
        pytest.param(
            sign_access_token(ACCESS_KEY, replace(ACCESS_CLAIMS, expires_at=NOW + 300)),
            {"now": NOW + 300},
            (Cause.EXPIRED, "it expired at 2027-01-15T08:05:00Z, 0 s ago", SESSION_TEXT),
            id="expired",
        ),
        pytest.param(
            ACCESS_TOKEN,
            {"audience": "https://other.example.com"},
            (
                Cause.WRONG_AUDIENCE,
                "it is for the audience 'https://api.example.com', expected 'https://other.example.com'",
                SESSION_TEXT,
            ),
            id="another audience",
        ),
        pytest.param(
            sign_access_token(ACCESS_KEY, replace(ACCESS_CLAIMS, issuer="https://other.example.com")),
            {},
            (
                Cause.WRONG_AUDIENCE,
                "it was issued by 'https://other.example.com', expected 'https://login.example.com'",
                SESSION_TEXT,
            ),
            id="another issuer",
        ),
    ],
)
def test_refusals_of_access_tokens(
    token: str, asked: dict[str, Any], expected: tuple[Cause, str, bytes | None]
) -> None:
    """A refused access token has its cause, a message that says what is wrong, and its session once that is proved."""
    assert expected == refusal(lambda: verify_access(token, **asked))


def test_a_fault_of_a_key_names_the_key() -> None:
    """An operator reads the key id of a refused access token in the message."""
    of_revoked = AccessVerifier([VerificationKey(ACCESS_KEY.public_key, revoked=True)], ISSUER)

    for cause, verifier, token in (
        (Cause.UNKNOWN_KEY, AccessVerifier([], ISSUER), ACCESS_TOKEN),
        (Cause.KEY_REVOKED, of_revoked, ACCESS_TOKEN),
        (Cause.TAMPERED, ACCESS, flipped(ACCESS_TOKEN)),
    ):
        found, message, session_id = refusal(lambda verifier=verifier, token=token: verify_access(token, verifier))  # type: ignore[misc]
        assert (cause, None) == (found, session_id)
        assert ACCESS_KEY.key_id.hex() in message


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b'"web-shop"', b'"\\x"', "its member client_id is not in its place or not of its form"),
        (b'"web-shop"', b'"\\ud800"', "its member client_id is not in its place or not of its form"),
        (b'"web-shop"', b'"\xff"', "its payload is not UTF-8"),
        (b'"web-shop"', b'"\xed\xa0\x80"', "its payload is not UTF-8"),
        (b'"plan"', b'"\xff"', "its payload is not UTF-8"),
    ],
)
def test_a_text_that_no_signer_wrote_is_malformed_even_well_signed(old: bytes, new: bytes, expected: str) -> None:
    """Nothing but Unicode is handed out, and an inspection says what is wrong."""
    token = jwt(ACCESS_KEY, changed(payload_of(ACCESS_CLAIMS), old, new))

    for verify in verify_access, ACCESS.read_signed:
        cause, message, session_id = refusal(lambda verify=verify: verify(token))  # type: ignore[misc]
        assert (Cause.MALFORMED, None) == (cause, session_id)
        assert message.startswith(f"not laid out as an access token: {expected} (character ")


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "sdr_" + "\u0416" * 160, "eyJ" + "." * 5000, "x" * 100_000])
def test_any_text_is_refused_with_a_cause(text: str) -> None:
    """No text raises anything but a refusal."""
    assert Cause.MALFORMED == refusal(lambda: REFRESH.verify(text, now=NOW))[0]
    assert Cause.MALFORMED == refusal(lambda: verify_access(text))[0]


def test_several_keys_of_one_id_are_refused() -> None:
    """A keyset that names a key twice is a fault, not a choice."""
    key = VerificationKey(REFRESH_KEY.public_key)

    with pytest.raises(ValueError, match="stands for two keys"):
        RefreshVerifier([key, replace(key, revoked=True)])


def test_a_key_of_another_format_is_unknown() -> None:
    """A key whose format is not understood verifies nothing, and what it holds need not be a key of ours."""
    strange = VerificationKey(bytes(32), format=2)
    verifier = RefreshVerifier([strange, VerificationKey(REFRESH_KEY.public_key)])
    of_format_2 = RefreshVerifier([VerificationKey(REFRESH_KEY.public_key, format=2)])

    assert SESSION_ID == verifier.verify(REFRESH_TOKEN, now=NOW).session_id
    assert Cause.UNKNOWN_KEY == refusal(lambda: of_format_2.verify(REFRESH_TOKEN, now=NOW))[0]


def test_the_keys_of_one_purpose_do_not_verify_the_other() -> None:
    """An access token under a refresh key is of an unknown key to the access verifier."""
    crossed = sign_access_token(REFRESH_KEY, ACCESS_CLAIMS)

    assert Cause.UNKNOWN_KEY == refusal(lambda: verify_access(crossed))[0]


def test_more_keys_than_tables_are_kept() -> None:
    """A keyset larger than the store of tables works like any other."""
    every = [key_of(f"one of many {number}") for number in range(40)]
    verifier = RefreshVerifier([VerificationKey(key.public_key) for key in every])

    assert [key.key_id for key in every] == [
        verifier.verify(sign_refresh_token(key, REFRESH_CLAIMS), now=NOW).key_id for key in every
    ]


def test_tables_are_taken_over_and_stay() -> None:
    """A verifier takes the tables of another one as they are, makes those that it lacks, and none can be replaced."""
    other = key_of("another")
    keys = [VerificationKey(REFRESH_KEY.public_key), VerificationKey(other.public_key)]
    refresh = RefreshVerifier(keys, tables=REFRESH.tables)
    access = AccessVerifier(keys, ISSUER, tables=refresh.tables)

    assert REFRESH.tables[REFRESH_KEY.public_key] is refresh.tables[REFRESH_KEY.public_key]
    assert {REFRESH_KEY.public_key, other.public_key} == set(refresh.tables)
    assert dict(refresh.tables) == dict(access.tables)
    for verifier in (refresh, access):
        with pytest.raises(AttributeError):
            verifier.tables = {}  # type: ignore[misc]
        with pytest.raises(TypeError):
            verifier.tables[other.public_key] = refresh.tables[REFRESH_KEY.public_key]  # type: ignore[index]


@pytest.mark.parametrize("make", [RefreshVerifier, partial(AccessVerifier, issuer=ISSUER)])
def test_a_table_of_another_key_is_refused(make: Callable[..., object]) -> None:
    """A table that is handed in under a key it was not made for would accept that other key's signatures."""
    key, other = VerificationKey(REFRESH_KEY.public_key), key_of("another")
    tables = {key.public_key: KeyTable(other.public_key)}

    with pytest.raises(ValueError, match=f"{key.public_key.hex()} stands the table of {other.public_key.hex()}"):
        make([key], tables=tables)


def test_an_audience_that_is_not_unicode_is_a_fault_of_the_caller() -> None:
    """An audience with a lone surrogate cannot be in any token; asking for it raises ValueError."""
    with pytest.raises(ValueError, match="surrogates"):
        verify_access(ACCESS_TOKEN, audience="\ud800")


@pytest.mark.parametrize("cause", list(ENDINGS))
def test_a_revoked_access_token_says_how_its_session_ended(cause: Cause) -> None:
    """The refusal of a token whose session ended has the cause, the session, and the sentence of the authority."""
    revocations = RevocationIndex()
    verifier = AccessVerifier([VerificationKey(ACCESS_KEY.public_key)], ISSUER, revocations=revocations)

    assert SESSION_ID == verify_access(ACCESS_TOKEN, verifier).session_id
    revocations.end_session(SESSION_ID, cause, NOW + 1000)
    assert (cause, ENDINGS[cause], SESSION_TEXT) == refusal(lambda: verify_access(ACCESS_TOKEN, verifier))
    assert SESSION_ID == verifier.read_signed(ACCESS_TOKEN).session_id
