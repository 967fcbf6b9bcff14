"""Libraries that know nothing of us read our access tokens through the keys that we publish."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from joserfc import errors
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from sessiond.ids import session_id_text
from sessiond.token.keyset import jwks
from sessiond.token.sign import AccessClaims, sign_access_token
from tests.vectors.token_samples import (
    ACCESS_CLAIMS,
    ACCESS_KEY,
    AUDIENCE,
    ISSUER,
    REFRESH_KEY,
    flipped,
    key_of,
)

# RFC 9864 gives the algorithm a newer name, Ed25519, which PyJWT does not know; joserfc takes both and says so.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864:joserfc.errors.SecurityWarning")

PUBLISHED = jwks([key.public_key for key in (REFRESH_KEY, ACCESS_KEY, key_of("another"))])
# The libraries read the clock of the machine, so these tokens have lived for long and live on.
CLAIMS = replace(ACCESS_CLAIMS, issued_at=1_600_000_000, expires_at=(1 << 32) - 1)
ODD = 'a"b\\c\n\x00é\u2028\U0001f600/'
SAMPLES = [
    CLAIMS,
    replace(CLAIMS, claims_json=""),
    replace(CLAIMS, subject=ODD, tenant=ODD, client_id=ODD, claims_json='{ "n": 1.5 ,"\\u00e9":["\\"",{}] }'),
]


def expected(claims: AccessClaims) -> dict[str, Any]:
    """Say what any JWT library must read."""
    jti = claims.session_id + claims.generation.to_bytes(4, "big") + claims.issued_at.to_bytes(4, "big")
    rev = claims.tenant_hash + claims.subject_hash + claims.born.to_bytes(8, "big")
    return {
        "exp": claims.expires_at,
        "iat": claims.issued_at,
        "jti": base64.urlsafe_b64encode(jti).decode(),
        "rev": base64.urlsafe_b64encode(rev).decode(),
        "iss": claims.issuer,
        "aud": claims.audience,
        "sub": claims.subject,
        "client_id": claims.client_id,
        "sid": session_id_text(claims.session_id),
        "tenant": claims.tenant,
        **json.loads(claims.claims_json or "{}"),
    }


def read_with_pyjwt(token: str, audience: str = AUDIENCE) -> dict[str, Any]:
    """Verify with PyJWT through the published set, as its documentation tells."""
    keys = jwt.PyJWKSet.from_json(PUBLISHED)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    required = ["exp", "iat", "jti", "iss", "aud", "sub"]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["EdDSA"], audience=audience, issuer=ISSUER, options={"require": required}
    )
    return claims


def read_with_joserfc(token: str) -> dict[str, Any]:
    """Verify with joserfc through the published set."""
    decoded = joserfc_jwt.decode(token, KeySet.import_key_set(json.loads(PUBLISHED)), algorithms=["EdDSA"])
    registry = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}
    )
    registry.validate(decoded.claims)
    assert {"alg": "EdDSA", "kid": ACCESS_KEY.key_id.hex(), "typ": "at+jwt"} == decoded.header
    return decoded.claims


@pytest.mark.parametrize("claims", SAMPLES)
def test_pyjwt_reads_an_access_token(claims: AccessClaims) -> None:
    """PyJWT verifies an access token through our JWKS and reads every claim."""
    assert expected(claims) == read_with_pyjwt(sign_access_token(ACCESS_KEY, claims))


@pytest.mark.parametrize("claims", SAMPLES)
def test_joserfc_reads_an_access_token(claims: AccessClaims) -> None:
    """Joserfc verifies an access token through our JWKS and reads every claim."""
    assert expected(claims) == read_with_joserfc(sign_access_token(ACCESS_KEY, claims))


def test_pyjwt_refuses_what_is_wrong() -> None:
    """PyJWT refuses a changed token, a dead one, and one for another audience, as we do."""
    token = sign_access_token(ACCESS_KEY, CLAIMS)
    dead = sign_access_token(ACCESS_KEY, replace(CLAIMS, expires_at=1_600_000_300))

    with pytest.raises(jwt.InvalidSignatureError):
        read_with_pyjwt(flipped(token))
    with pytest.raises(jwt.ExpiredSignatureError):
        read_with_pyjwt(dead)
    with pytest.raises(jwt.InvalidAudienceError):
        read_with_pyjwt(token, "https://other.example.com")


def test_joserfc_refuses_what_is_wrong() -> None:
    """Joserfc refuses a changed token and a dead one, as we do."""
    dead = sign_access_token(ACCESS_KEY, replace(CLAIMS, expires_at=1_600_000_300))

    with pytest.raises(errors.BadSignatureError):
        read_with_joserfc(flipped(sign_access_token(ACCESS_KEY, CLAIMS)))
    with pytest.raises(errors.ExpiredTokenError):
        read_with_joserfc(dead)


def test_published_keys_carry_their_ids() -> None:
    """Both libraries find each published key by the id that tokens name."""
    by_pyjwt = [key.key_id for key in jwt.PyJWKSet.from_json(PUBLISHED).keys]
    by_joserfc = [key.kid for key in KeySet.import_key_set(json.loads(PUBLISHED)).keys]
    ids = [key.key_id.hex() for key in (REFRESH_KEY, ACCESS_KEY, key_of("another"))]

    assert (ids, ids) == (by_pyjwt, by_joserfc)
