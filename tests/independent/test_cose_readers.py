"""Libraries that know nothing of us read our refresh tokens and our published COSE keys."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import cbor2
import cwt
import nacl.exceptions
import nacl.signing
import pytest
from cwt import COSE, COSEKey
from pycose.keys.cosekey import CoseKey as PycoseKey
from pycose.keys.okp import OKPKey
from pycose.messages.cosemessage import CoseMessage
from pycose.messages.sign1message import Sign1Message

from sessiond.token.keyset import cose_key_set, key_id
from sessiond.token.sign import RefreshClaims, sign_refresh_token
from tests.vectors.token_samples import ACCESS_KEY, REFRESH_CLAIMS, REFRESH_KEY, key_of

EXP, IAT, CTI = 4, 6, 7
KEYS = [REFRESH_KEY, ACCESS_KEY, key_of("another")]
PUBLISHED = cose_key_set([key.public_key for key in KEYS])

SAMPLES = [
    REFRESH_CLAIMS,
    replace(REFRESH_CLAIMS, generation=0),
    RefreshClaims(b"\xff" * 16, (1 << 32) - 1, (1 << 32) - 1, (1 << 32) - 1),
    RefreshClaims(bytes(16), 0, 1 << 16, 1 << 16),
]


def token_bytes(claims: RefreshClaims) -> bytes:
    """Sign, and take the text form off."""
    return base64.urlsafe_b64decode(sign_refresh_token(REFRESH_KEY, claims).removeprefix("sdr_"))


def cwt_claims(claims: RefreshClaims) -> dict[int, Any]:
    """Say what the claims of a token are as CWT."""
    cti = claims.session_id + claims.generation.to_bytes(4, "big")
    return {EXP: claims.expires_at, IAT: claims.issued_at, CTI: cti}


def published_by_id() -> dict[bytes, dict[int, Any]]:
    """Read the published keys with cbor2."""
    return {key[2]: key for key in cbor2.loads(PUBLISHED)}


@pytest.mark.parametrize("claims", SAMPLES)
def test_cbor2_and_pynacl_read_a_refresh_token(claims: RefreshClaims) -> None:
    """By RFC 9052 alone: tag 18, the headers, the claims, and a signature over the Sig_structure."""
    token = cbor2.loads(token_bytes(claims))
    protected, unprotected, payload, signature = token.value
    header = cbor2.loads(protected)
    public_key = nacl.signing.VerifyKey(published_by_id()[header[4]][-2])

    assert (18, {1: -8, 4: REFRESH_KEY.key_id}, {}) == (token.tag, header, unprotected)
    assert cwt_claims(claims) == cbor2.loads(payload)
    assert public_key.verify(cbor2.dumps(["Signature1", protected, b"", payload]), signature)


@pytest.mark.parametrize("claims", SAMPLES)
def test_a_refresh_token_is_deterministic_cbor(claims: RefreshClaims) -> None:
    """An encoder of deterministic CBOR writes the same bytes, whole and in its parts."""
    data = token_bytes(claims)
    token = cbor2.loads(data)
    protected, _, payload, signature = token.value

    assert protected == cbor2.dumps({1: -8, 4: REFRESH_KEY.key_id}, canonical=True)
    assert payload == cbor2.dumps(cwt_claims(claims), canonical=True)
    assert data == cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]), canonical=True)


def test_cwt_reads_a_refresh_token() -> None:
    """python-cwt verifies a refresh token under the COSE_KeySet that we publish."""
    # It reads the clock of the machine, so this token has lived for long and lives on.
    claims = replace(REFRESH_CLAIMS, issued_at=1_600_000_000, expires_at=(1 << 32) - 1)
    keys = [COSEKey.new(key) for key in cbor2.loads(PUBLISHED)]

    assert cwt_claims(claims) == cwt.decode(token_bytes(claims), keys)


def test_cwt_refuses_a_changed_refresh_token() -> None:
    """python-cwt refuses a refresh token of which one bit was changed."""
    key = COSEKey.new(published_by_id()[REFRESH_KEY.key_id])
    data = bytearray(token_bytes(REFRESH_CLAIMS))
    data[40] ^= 1

    with pytest.raises(cwt.VerifyError):
        COSE.new(kid_auto_inclusion=False).decode(bytes(data), key)


def test_cwt_signs_the_same_bytes() -> None:
    """python-cwt makes the very token that we make."""
    private = COSEKey.new(
        {
            1: 1,
            2: REFRESH_KEY.key_id,
            3: -8,
            -1: 6,
            -2: REFRESH_KEY.public_key,
            -4: hashlib.sha256(b"sessiond TEST KEY, known to everyone: refresh").digest(),
        }
    )
    signed = COSE.new().encode(
        cbor2.dumps(cwt_claims(REFRESH_CLAIMS)), private, protected={1: -8, 4: REFRESH_KEY.key_id}
    )

    assert token_bytes(REFRESH_CLAIMS) == signed


@pytest.mark.parametrize("claims", SAMPLES)
def test_pycose_reads_a_refresh_token(claims: RefreshClaims) -> None:
    """Pycose verifies a refresh token under the key that we publish, and not under another one."""
    message = CoseMessage.decode(token_bytes(claims))
    assert isinstance(message, Sign1Message)
    keys: dict[bytes, OKPKey] = {published[2]: PycoseKey.from_dict(published) for published in cbor2.loads(PUBLISHED)}

    message.key = keys[REFRESH_KEY.key_id]
    assert message.verify_signature()
    assert cwt_claims(claims) == cbor2.loads(message.payload or b"")
    message.key = keys[ACCESS_KEY.key_id]
    assert not message.verify_signature()


def test_published_keys_are_cose_keys() -> None:
    """The COSE_KeySet is deterministic CBOR of OKP keys with id and algorithm, which pycose reads as such."""
    expected = [{1: 1, 2: key.key_id, 3: -8, -1: 6, -2: key.public_key} for key in KEYS]

    assert expected == cbor2.loads(PUBLISHED)
    assert cbor2.dumps(expected, canonical=True) == PUBLISHED
    for published, key in zip(cbor2.loads(PUBLISHED), KEYS, strict=True):
        read: object = PycoseKey.from_dict(published)
        assert isinstance(read, OKPKey)
        assert (key.key_id, key.public_key) == (read.kid, read.x)


@pytest.mark.parametrize("n_keys", [0, 1, 23, 24, 255, 256, 1000])
def test_key_sets_of_any_length_are_cbor(n_keys: int) -> None:
    """A set of any number of keys is what an encoder of deterministic CBOR writes."""
    published = cose_key_set([REFRESH_KEY.public_key] * n_keys)

    assert cbor2.dumps(cbor2.loads(published), canonical=True) == published
    assert n_keys == len(cbor2.loads(published))


def test_key_ids_are_thumbprints() -> None:
    """A key id is the start of the SHA-256 of the required members in deterministic CBOR (RFC 9679)."""
    for key in KEYS:
        required = cbor2.dumps({1: 1, -1: 6, -2: key.public_key}, canonical=True)
        assert hashlib.sha256(required).digest()[:8] == key_id(key.public_key)


def test_a_changed_claim_is_refused_by_pynacl() -> None:
    """The signature covers every claim: changed, PyNaCl refuses it."""
    protected, _, payload, signature = cbor2.loads(token_bytes(REFRESH_CLAIMS)).value
    public_key = nacl.signing.VerifyKey(REFRESH_KEY.public_key)

    for at in range(len(payload)):
        changed = bytearray(payload)
        changed[at] ^= 0x80
        with pytest.raises(nacl.exceptions.BadSignatureError):
            public_key.verify(cbor2.dumps(["Signature1", protected, b"", bytes(changed)]), signature)
