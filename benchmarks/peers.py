"""The libraries in use today, each called as its documentation says, for all that it can judge."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import cwt
import ed25519_zebra
import fast_paseto
import joserfc.errors
import joserfc.jwt
import jwt
import pyseto
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cwt.cose_key_interface import COSEKeyInterface
from joserfc.jwk import OKPKey
from nacl.exceptions import BadSignatureError
from nacl.exceptions import ValueError as NaClValueError
from nacl.signing import VerifyKey

from benchmarks.contenders import BASELINE, CLAIMS, SIGNATURE, Contender, one_by_one
from benchmarks.tokens import ACCESS_KEY, AUDIENCE, CWT, ISSUER, JWT, PASETO, REFRESH, REFRESH_KEY, RS256, decode
from sessiond.token.format import encode_base64url
from sessiond.token.sign import SigningKey

# RFC 9864 gives EdDSA a newer name. joserfc takes both and warns of the older one, which the tokens have.
warnings.filterwarnings("ignore", "EdDSA is deprecated via RFC 9864", joserfc.errors.SecurityWarning)

Parts = Callable[[str], tuple[bytes, bytes]]


class UnfitError(Exception):
    """A well-signed token is refused by a claim that its library leaves to its caller."""


def signature_peers(key: SigningKey, form: str, parts: Parts) -> list[Contender]:
    """Give those that check a signature alone, whose bytes *parts* cuts out of a token."""
    of_nacl = VerifyKey(key.public_key).verify
    of_cryptography = Ed25519PublicKey.from_public_bytes(key.public_key).verify

    def by_zebra(pairs: Sequence[tuple[bytes, bytes]]) -> int:
        verify, public_key = ed25519_zebra.ed_verify, key.public_key
        return sum(verify(signature, message, public_key) for message, signature in pairs)

    counters = {
        BASELINE: one_by_one(lambda pair: of_nacl(pair[0], pair[1]), (BadSignatureError, NaClValueError)),
        "cryptography": one_by_one(lambda pair: of_cryptography(pair[1], pair[0]), (InvalidSignature,)),
        "py-ed25519-zebra-bindings": by_zebra,
    }
    return [Contender(name, SIGNATURE, form, parts, counter) for name, counter in counters.items()]


def access_peers(rsa: RSAPublicKey) -> list[Contender]:
    """Give those that read access tokens, or the same claims in a form of theirs."""
    ed25519 = Ed25519PublicKey.from_public_bytes(ACCESS_KEY.public_key)
    of_pyseto = pyseto.Key.from_asymmetric_key_params(4, x=ACCESS_KEY.public_key)
    of_joserfc = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(ACCESS_KEY.public_key)})
    registry = joserfc.jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}
    )
    of_cwt = _cose_key(ACCESS_KEY)

    def by_pyjwt(token: str) -> object:
        return jwt.decode(token, ed25519, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)

    def by_pyjwt_of_rsa(token: str) -> object:
        return jwt.decode(token, rsa, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)

    def by_joserfc(token: str) -> object:
        claims = joserfc.jwt.decode(token, of_joserfc, algorithms=["EdDSA"]).claims
        registry.validate(claims)
        return claims

    def by_pyseto(token: str) -> object:
        claims: Any = pyseto.decode(of_pyseto, token, deserializer=json, aud=AUDIENCE).payload
        _judge(claims["iss"] == ISSUER)
        return claims

    def by_fast_paseto(token: str) -> object:
        claims = fast_paseto.decode(token, ACCESS_KEY.public_key, purpose="public", version="v4").payload
        _judge(claims["iss"] == ISSUER and claims["aud"] == AUDIENCE)
        _judge(datetime.fromisoformat(claims["exp"]) > datetime.now(UTC))  # not judged by 0.1.0
        return claims

    def by_cwt(token: str) -> object:
        claims = cwt.decode(decode(token), of_cwt)
        _judge(claims[1] == ISSUER and claims[3] == AUDIENCE)
        return claims

    return [
        Contender("PyJWT EdDSA", CLAIMS, JWT, str, one_by_one(by_pyjwt, (jwt.InvalidTokenError,))),
        Contender("PyJWT RS256", CLAIMS, RS256, str, one_by_one(by_pyjwt_of_rsa, (jwt.InvalidTokenError,))),
        Contender("joserfc", CLAIMS, JWT, str, one_by_one(by_joserfc, (joserfc.errors.JoseError,))),
        Contender("pyseto", CLAIMS, PASETO, str, one_by_one(by_pyseto, (pyseto.PysetoError, UnfitError))),
        Contender(
            "fast-paseto", CLAIMS, PASETO, str, one_by_one(by_fast_paseto, (fast_paseto.PasetoError, UnfitError))
        ),
        Contender("cwt", CLAIMS, CWT, str, one_by_one(by_cwt, (cwt.CWTError, ValueError, UnfitError))),
    ]


def refresh_peers() -> list[Contender]:
    """Give those that read refresh tokens."""
    key = _cose_key(REFRESH_KEY)

    def by_cwt(token: str) -> object:
        return cwt.decode(decode(token.removeprefix("sdr_")), key)

    return [Contender("cwt", CLAIMS, REFRESH, str, one_by_one(by_cwt, (cwt.CWTError, ValueError)))]


def _cose_key(key: SigningKey) -> COSEKeyInterface:
    """Write a key as RFC 9053, section 7.2, says."""
    return cwt.COSEKey.new({1: 1, -1: 6, 3: -8, 2: key.key_id, -2: key.public_key})


def _judge(fits: bool) -> None:  # noqa: FBT001 - it is the one thing handed in
    if not fits:
        raise UnfitError
