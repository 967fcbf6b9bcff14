"""Verified tokens as values: nobody makes or changes one, and they compare by what they say."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from sessiond.token.keyset import VerificationKey
from sessiond.token.sign import AccessClaims, sign_access_token, sign_refresh_token
from sessiond.token.verify import AccessVerifier, RefreshVerifier, VerifiedAccessToken, VerifiedRefreshToken
from tests.vectors.token_samples import ACCESS_CLAIMS, ACCESS_KEY, REFRESH_CLAIMS, REFRESH_KEY, key_of, said

REFRESH_TOKEN = sign_refresh_token(REFRESH_KEY, REFRESH_CLAIMS)
ACCESS_TOKEN = sign_access_token(ACCESS_KEY, ACCESS_CLAIMS)
OTHER_KEY = key_of("another")
KEYS = [VerificationKey(key.public_key) for key in (REFRESH_KEY, ACCESS_KEY, OTHER_KEY)]
REFRESH = RefreshVerifier(KEYS)
VERIFIED: list[VerifiedRefreshToken | VerifiedAccessToken] = [
    REFRESH.read_signed(REFRESH_TOKEN),
    AccessVerifier(KEYS, "i").read_signed(ACCESS_TOKEN),
]
KINDS = pytest.mark.parametrize("token", VERIFIED, ids=["refresh", "access"])


def read(claims: AccessClaims) -> VerifiedAccessToken:
    """Sign *claims* and read them back."""
    return AccessVerifier(KEYS, "i").read_signed(sign_access_token(ACCESS_KEY, claims))


@KINDS
def test_nobody_else_makes_a_verified_token(token: Any) -> None:
    """A verified token cannot be made by hand, whatever stands for the proof of where it comes from."""
    kind: Any = type(token)
    makers: list[Callable[[], object]] = [kind, lambda: kind(object()), lambda: kind.__new__(kind), kind.__base__]
    for make in makers:
        with pytest.raises(TypeError, match="objects come from a verifier and from nowhere else"):
            make()
    others: list[Callable[[], object]] = [lambda: kind(**said(token)), lambda: object.__new__(kind)]
    for other in others:
        with pytest.raises(TypeError):
            other()


@KINDS
def test_no_kind_of_ones_own_is_a_verified_token(token: Any) -> None:
    """Neither kind can be subclassed, so that no other code stands behind its name."""
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Forged", (type(token),), {})


@KINDS
def test_a_verified_token_is_not_changed(token: Any) -> None:
    """No attribute of a verified token can be set, deleted or added."""
    for name in said(token):
        with pytest.raises(AttributeError):
            setattr(token, name, 8)
        with pytest.raises(AttributeError):
            delattr(token, name)
    with pytest.raises(AttributeError):
        token.note = "mine"


@KINDS
def test_a_copy_of_a_verified_token_is_itself(token: object) -> None:
    """What never changes needs no copy; and no copy comes out of a pickle, which anyone can write."""
    assert token is copy.copy(token)
    assert token is copy.deepcopy(token)
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(token)


def test_verified_tokens_are_equal_when_they_say_the_same() -> None:
    """Equality and hash are those of what is said, whatever else stood in the text."""
    refresh, access = VERIFIED

    assert refresh == REFRESH.verify(REFRESH_TOKEN, now=REFRESH_CLAIMS.issued_at)
    assert hash(refresh) == hash(REFRESH.read_signed(REFRESH_TOKEN))
    assert access == read(ACCESS_CLAIMS)
    assert hash(access) == hash(read(ACCESS_CLAIMS))
    assert refresh != access
    assert refresh != said(refresh)
    assert access not in ("", None, ACCESS_TOKEN)


@pytest.mark.parametrize(
    "other",
    [
        {"session_id": bytes(16)},
        {"generation": 8},
        {"issued_at": ACCESS_CLAIMS.issued_at + 1},
        {"expires_at": ACCESS_CLAIMS.expires_at + 1},
        {"tenant_hash": bytes(8)},
        {"subject_hash": bytes(8)},
        {"born": 1},
        {"issuer": "i"},
        {"audience": "a"},
        {"subject": "mallory"},
        {"client_id": "c"},
        {"tenant": "t"},
        {"claims_json": "{}"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_access_tokens_differ_in_each_claim(other: dict[str, Any]) -> None:
    """A single claim makes two access tokens different, and is the only thing that is read differently."""
    ours, theirs = read(ACCESS_CLAIMS), read(replace(ACCESS_CLAIMS, **other))

    assert ours != theirs
    assert said(ours) | other == said(theirs)


@pytest.mark.parametrize(
    "other", [{"session_id": bytes(16)}, {"generation": 8}, {"issued_at": 65_536}, {"expires_at": (1 << 32) - 1}]
)
def test_refresh_tokens_differ_in_each_claim(other: dict[str, Any]) -> None:
    """A single claim makes two refresh tokens different, and is the only thing that is read differently."""
    theirs = REFRESH.read_signed(sign_refresh_token(REFRESH_KEY, replace(REFRESH_CLAIMS, **other)))

    assert VERIFIED[0] != theirs
    assert said(VERIFIED[0]) | other == said(theirs)


def test_tokens_of_two_keys_differ() -> None:
    """The key that signed is part of what a verified token is."""
    assert VERIFIED[0] != REFRESH.read_signed(sign_refresh_token(OTHER_KEY, REFRESH_CLAIMS))


@KINDS
def test_a_verified_token_shows_what_it_says(token: Any) -> None:
    """The repr names every attribute with its value, and holds nothing of the text of a token."""
    shown = repr(token)

    assert f"{type(token).__name__}({', '.join(f'{name}={value!r}' for name, value in said(token).items())})" == shown
    for text in (REFRESH_TOKEN, ACCESS_TOKEN):
        assert not any(text[at : at + 12] in shown for at in range(len(text) - 12))


@pytest.mark.parametrize(
    "text",
    ["", "plain", "\u0416\U0001f511", '"', "\\", "/", "".join(map(chr, range(0x20))), "\x7f\u2028", "a" * 300 + "\t"],
    ids=ascii,
)
def test_every_text_is_read_as_it_was_signed(text: str) -> None:
    """Escapes are taken back and nothing else is changed, in every text of an access token."""
    names = ("issuer", "audience", "subject", "client_id", "tenant")
    claims: dict[str, Any] = dict.fromkeys(names, text)
    token = read(replace(ACCESS_CLAIMS, **claims))

    assert [text] * 5 == [getattr(token, name) for name in names]
    assert [text] * 5 == [getattr(token, name) for name in names]


@pytest.mark.parametrize("claims_json", ["{}", '{"a":1}', '{"\u0416":"\\u0416\\n"}', '{"a":{"b":[]},"c":""}'])
def test_claims_are_read_verbatim(claims_json: str) -> None:
    """Claims come out as the JSON that went in, its escapes as they were."""
    assert claims_json == read(replace(ACCESS_CLAIMS, claims_json=claims_json)).claims_json


def test_claims_are_asdict_of_what_was_signed() -> None:
    """An access token has the attributes of its claims, and the key id."""
    assert {"key_id": ACCESS_KEY.key_id, **asdict(ACCESS_CLAIMS)} == said(VERIFIED[1])
