"""Signing: deterministic, within ranges, and silent about its secret."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest

from sessiond.token.sign import SigningKey, access_token_length, sign_access_token, sign_refresh_token
from tests.vectors.token_samples import ACCESS_CLAIMS, ACCESS_KEY, NOW, REFRESH_CLAIMS, REFRESH_KEY

SEED = b"\x5e" * 32


def test_the_same_claims_give_the_same_token() -> None:
    """A token can be made again, byte for byte, by another object of the same seed."""
    again = SigningKey(SEED)

    assert sign_refresh_token(SigningKey(SEED), REFRESH_CLAIMS) == sign_refresh_token(again, REFRESH_CLAIMS)
    assert sign_access_token(SigningKey(SEED), ACCESS_CLAIMS) == sign_access_token(again, ACCESS_CLAIMS)


def test_a_refresh_token_has_164_characters() -> None:
    """Every refresh token has the same length, the prefix included."""
    least = replace(REFRESH_CLAIMS, generation=0, issued_at=65_536, expires_at=65_536)

    assert {164} == {len(sign_refresh_token(REFRESH_KEY, claims)) for claims in (REFRESH_CLAIMS, least)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_id": bytes(15)},
        {"session_id": bytes(17)},
        {"generation": -1},
        {"generation": 1 << 32},
        {"issued_at": 65_535},
        {"issued_at": 1 << 32},
        {"expires_at": 65_535},
        {"expires_at": 1 << 32},
    ],
)
def test_refresh_claims_out_of_range(wrong: dict[str, Any]) -> None:
    """A refresh token whose claims do not fit their fixed width is not signed."""
    with pytest.raises(ValueError, match=r"instants|expires_at|session_id"):
        sign_refresh_token(REFRESH_KEY, replace(REFRESH_CLAIMS, **wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_id": bytes(15)},
        {"generation": 1 << 32},
        {"issued_at": 999_999_999},
        {"issued_at": 1 << 32},
        {"expires_at": 999_999_999},
        {"expires_at": 1 << 32},
        {"tenant_hash": bytes(7)},
        {"subject_hash": bytes(9)},
        {"born": -1},
        {"born": 1 << 64},
        {"subject": "\ud800"},
        {"claims_json": "[]"},
        {"claims_json": "{"},
        {"claims_json": '{"a":1'},
        {"claims_json": "\ud800"},
        {"claims_json": '{"a":"\ud800"}'},
    ],
)
def test_access_claims_out_of_range(wrong: dict[str, Any]) -> None:
    """An access token whose claims do not fit is neither signed nor measured."""
    claims = replace(ACCESS_CLAIMS, **wrong)

    with pytest.raises(ValueError, match=r"expires_at|session_id|born|surrogates|claims_json"):
        sign_access_token(ACCESS_KEY, claims)
    with pytest.raises(ValueError, match=r"expires_at|session_id|born|surrogates|claims_json"):
        access_token_length(claims)


def test_an_access_token_beyond_4096_characters_is_not_signed() -> None:
    """A token that is too long is refused with its length."""
    claims = replace(ACCESS_CLAIMS, claims_json='{"x":"' + "y" * 3000 + '"}')

    with pytest.raises(ValueError, match=r"would have 45\d\d characters, 4096 are allowed"):
        sign_access_token(ACCESS_KEY, claims)
    assert access_token_length(claims) > 4096


@pytest.mark.parametrize("claims_json", ["", "{}", " { } ", '{"a":1}', ' {"a":1 } ', '{"a":12}', '{"a":123}'])
def test_the_length_of_an_access_token_is_known_before(claims_json: str) -> None:
    """The length that is foretold is the length of the token, whatever the padding."""
    claims = replace(ACCESS_CLAIMS, claims_json=claims_json)

    assert len(sign_access_token(ACCESS_KEY, claims)) == access_token_length(claims)


def test_the_length_does_not_change_over_the_life_of_a_session() -> None:
    """Neither instants nor generation, key or ``born`` change the length of a session's access tokens."""
    later = replace(ACCESS_CLAIMS, generation=(1 << 32) - 1, issued_at=NOW + 99, expires_at=(1 << 32) - 1, born=0)

    assert len(sign_access_token(ACCESS_KEY, ACCESS_CLAIMS)) == len(sign_access_token(SigningKey(SEED), later))


def test_a_signing_key_shows_nothing_of_its_secret() -> None:
    """Neither repr nor str of a key, nor of any attribute that it shows, holds its seed."""
    key = SigningKey(SEED)
    shown = repr(key) + str(key) + "".join(repr(getattr(key, name)) for name in dir(key) if not name.startswith("_"))

    assert f"SigningKey(key_id={key.key_id.hex()})" == repr(key)
    assert "5e5e5e" not in shown
    assert "^^^" not in shown


def test_a_signing_key_is_not_pickled() -> None:
    """A key does not leave the process by pickle or by copy."""
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            leave(SigningKey(SEED))


@pytest.mark.parametrize("seed", [b"", b"x" * 31, b"x" * 33])
def test_a_seed_has_32_bytes(seed: bytes) -> None:
    """A seed of another length is refused, without being shown."""
    with pytest.raises(ValueError, match="the seed of an Ed25519 key has 32 bytes") as caught:
        SigningKey(seed)

    assert "x" * 3 not in str(caught.value)
