"""Keys: their ids, which are refused, and how they are published."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sessiond.token.keyset import VerificationKey, check_public_key, cose_key_set, jwks, key_id
from tests.vectors.token_samples import ACCESS_KEY, REFRESH_KEY

KEY = ACCESS_KEY.public_key
IDENTITY = b"\x01" + bytes(31)
OF_ORDER_8 = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
# The base point plus the point of order 2: on the curve, canonical, of order 2L.
OF_MIXED_ORDER = bytes.fromhex("95999999999999999999999999999999999999999999999999999999999999" + "99")
NOT_ON_THE_CURVE = b"\x02" + bytes(31)
NOT_CANONICAL = bytes.fromhex("ee" + "ff" * 30 + "7f")


@pytest.mark.parametrize(
    "public_key",
    [
        pytest.param(b"", id="empty"),
        pytest.param(KEY[:-1], id="31 bytes"),
        pytest.param(KEY + b"\0", id="33 bytes"),
        pytest.param(IDENTITY, id="the neutral point"),
        pytest.param(bytes(32), id="of order 4"),
        pytest.param(OF_ORDER_8, id="of order 8"),
        pytest.param(OF_MIXED_ORDER, id="of mixed order"),
        pytest.param(NOT_ON_THE_CURVE, id="not on the curve"),
        pytest.param(NOT_CANONICAL, id="not canonical"),
    ],
)
def test_public_keys_that_are_refused(public_key: bytes) -> None:
    """Only a point of prime order in its canonical encoding becomes a key."""
    with pytest.raises(ValueError, match="prime order"):
        check_public_key(public_key)
    with pytest.raises(ValueError, match="prime order"):
        VerificationKey(public_key)


def test_a_good_key_is_taken() -> None:
    """An honestly made key is taken, and named by its id."""
    check_public_key(KEY)

    assert ACCESS_KEY.key_id == VerificationKey(KEY).key_id


def test_the_key_id_of_an_odd_key_cannot_be_asked() -> None:
    """A key that has not 32 bytes has no id."""
    with pytest.raises(ValueError, match="has 32 bytes, not 31"):
        key_id(KEY[:-1])


@pytest.mark.parametrize("publish", [cose_key_set, jwks])
def test_an_odd_key_is_not_published(publish: Callable[[list[bytes]], object]) -> None:
    """Publication refuses a key that has not 32 bytes."""
    with pytest.raises(ValueError, match="has 32 bytes, not 33"):
        publish([KEY + b"\0"])


def test_jwks() -> None:
    """A JWK Set holds the keys in order, each with its id, use and algorithm."""
    published = json.loads(jwks([KEY, REFRESH_KEY.public_key]))

    assert [ACCESS_KEY.key_id.hex(), REFRESH_KEY.key_id.hex()] == [key["kid"] for key in published["keys"]]
    assert {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig"}.items() <= published["keys"][0].items()
    assert '{"keys":[]}' == jwks([])


@pytest.mark.parametrize(
    ("n_keys", "head"),
    [(0, "80"), (1, "81"), (23, "97"), (24, "9818"), (255, "98ff"), (256, "990100"), (300, "99012c")],
)
def test_the_head_of_a_cose_key_set(n_keys: int, head: str) -> None:
    """The head of the array is the shortest that holds the number of keys."""
    encoded = cose_key_set([KEY] * n_keys)
    one = cose_key_set([KEY])[1:]

    assert bytes.fromhex(head) + one * n_keys == encoded


def test_too_many_keys() -> None:
    """A key set beyond 65,535 keys is refused."""
    with pytest.raises(ValueError, match="at most 65535 keys"):
        cose_key_set([KEY] * 65_536)
