"""
The tokens of the benchmark: the same claims in the form that each library takes, good ones and ones to be refused.

JWT libraries get the very access tokens that sessiond issues. PASETO and CWT libraries cannot read those, and RS256 is
another key: they get the same claims, signed in their form.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import cbor2
import fast_paseto
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from sessiond.token.format import encode_base64url, refresh_signature_input
from sessiond.token.sign import AccessClaims, RefreshClaims, SigningKey, sign_access_token, sign_refresh_token

JWT = "JWT EdDSA"
RS256 = "JWT RS256"
PASETO = "v4.public"
CWT = "CWT EdDSA"
REFRESH = "refresh token"

ISSUER, AUDIENCE, OTHER_AUDIENCE = (f"https://{name}.example.com" for name in ("sessions", "api", "other"))
ACCESS_LENGTH = 640
LIFE = 3600

# Keys for this benchmark alone.
SEEDS = [bytes([number]) * 32 for number in (1, 2, 3)]
ACCESS_KEY, REFRESH_KEY, OTHER_KEY = map(SigningKey, SEEDS)
RSA_BITS, RSA_EXPONENT = 2048, 65537


@dataclass(frozen=True)
class Tokens:
    """Different tokens in one form that must all be accepted, and some that must be refused."""

    good: list[str]
    # What was done to them is their name. Who checks signatures only cannot know of the unfit ones.
    forged: dict[str, str]
    unfit: dict[str, str]


def decode(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def access_parts(token: str) -> tuple[bytes, bytes]:
    """Cut an access token into what is signed and the signature."""
    signed, _, signature = token.rpartition(".")
    return signed.encode(), decode(signature)


def refresh_parts(token: str) -> tuple[bytes, bytes]:
    """Cut a refresh token into what is signed and the signature."""
    data = decode(token.removeprefix("sdr_"))
    return refresh_signature_input(data[8:16], data[19:54]), data[56:]


def access_tokens(n_tokens: int, now: int) -> tuple[dict[str, Tokens], RSAPublicKey]:
    """Make *n_tokens* in each form, good at *now* and for an hour, and the key of those of RS256."""
    rsa, other_rsa = (generate_private_key(RSA_EXPONENT, RSA_BITS) for _ in range(2))
    writers = {
        JWT: (_jwt_writer(ACCESS_KEY), _jwt_writer(OTHER_KEY)),
        RS256: (_rs256_writer(rsa), _rs256_writer(other_rsa)),
        PASETO: (_paseto_writer(SEEDS[0], ACCESS_KEY), _paseto_writer(SEEDS[2], OTHER_KEY)),
        CWT: (_cwt_writer(ACCESS_KEY), _cwt_writer(OTHER_KEY)),
    }
    made = {
        form: _tokens(
            good=[write(access_claims(number, now)) for number in range(n_tokens)],
            of_other_key=write_with_other_key(access_claims(0, now)),
            unfit={
                "expired": write(access_claims(0, now, life=-LIFE)),
                "for another audience": write(access_claims(0, now, audience=OTHER_AUDIENCE)),
            },
        )
        for form, (write, write_with_other_key) in writers.items()
    }
    if {ACCESS_LENGTH} != {len(token) for token in made[JWT].good}:
        message = f"the tokens should have {ACCESS_LENGTH} characters, not {len(made[JWT].good[0])}"
        raise ValueError(message)
    return made, rsa.public_key()


def refresh_tokens(n_tokens: int, now: int) -> dict[str, Tokens]:
    """Make *n_tokens* refresh tokens, good at *now* and for an hour."""

    def write(number: int, life: int = LIFE, key: SigningKey = REFRESH_KEY) -> str:
        return sign_refresh_token(key, RefreshClaims(number.to_bytes(16, "big"), number % 100, now - 60, now + life))

    good = [write(number) for number in range(n_tokens)]
    return {REFRESH: _tokens(good, of_other_key=write(0, key=OTHER_KEY), unfit={"expired": write(0, life=-LIFE)})}


def _tokens(good: list[str], of_other_key: str, unfit: dict[str, str]) -> Tokens:
    """Forge the first token in the forms in which it can be: the last 85 characters are signature at least."""
    token = good[0]
    place = len(token) - 80
    changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    return Tokens(good, {"forged": changed, "truncated": token[:-4], "signed with another key": of_other_key}, unfit)


def access_claims(number: int, now: int, audience: str = AUDIENCE, life: int = LIFE) -> AccessClaims:
    """Give the claims of one session's token."""
    return AccessClaims(
        session_id=number.to_bytes(16, "big"),
        generation=number % 100,
        issued_at=now - 60,
        expires_at=now + life,
        tenant_hash=number.to_bytes(8, "little"),
        subject_hash=number.to_bytes(8, "big"),
        born=(1 << 48) + number,
        issuer=ISSUER,
        audience=audience,
        subject=f"user-{number:06}",
        client_id="storefront-web",
        tenant="acme-retail",
        claims_json=f'{{"roles":["orders.read"],"email":"{number:08}@example.com"}}',
    )


Writer = Callable[[AccessClaims], str]


def _jwt_writer(key: SigningKey) -> Writer:
    """Write as sessiond does, under the key id of ACCESS_KEY whichever key signs."""

    def write(claims: AccessClaims) -> str:
        signed, _, _ = sign_access_token(ACCESS_KEY, claims).rpartition(".")
        return f"{signed}.{encode_base64url(key.sign(signed.encode()))}"

    return write


def _payload(claims: AccessClaims) -> str:
    """Give the part of a JWT that holds the claims."""
    return sign_access_token(ACCESS_KEY, claims).split(".")[1]


def _rs256_writer(key: RSAPrivateKey) -> Writer:
    header = encode_base64url(b'{"alg":"RS256","kid":"bench","typ":"at+jwt"}')

    def write(claims: AccessClaims) -> str:
        signed = f"{header}.{_payload(claims)}"
        return f"{signed}.{encode_base64url(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"

    return write


def _paseto_writer(seed: bytes, key: SigningKey) -> Writer:
    """Write instants as PASETO has them, in text."""

    def write(claims: AccessClaims) -> str:
        values = json.loads(decode(_payload(claims)))
        for name in ("exp", "iat"):
            values[name] = datetime.fromtimestamp(values[name], UTC).isoformat()
        payload = json.dumps(values, separators=(",", ":"))
        return fast_paseto.encode(seed + key.public_key, payload, purpose="public", version="v4")

    return write


def _cwt_writer(key: SigningKey) -> Writer:
    """Write a COSE_Sign1 (RFC 9052, section 4.2), the registered claims by their numbers (RFC 8392, section 4)."""
    numbers = {"iss": 1, "sub": 2, "aud": 3, "exp": 4, "iat": 6}

    def write(claims: AccessClaims) -> str:
        values = json.loads(decode(_payload(claims)))
        cti = decode(values.pop("jti"))
        payload = cbor2.dumps({7: cti, **{numbers.get(name, name): value for name, value in values.items()}})
        protected = cbor2.dumps({1: -8, 4: ACCESS_KEY.key_id})
        signature = key.sign(cbor2.dumps(["Signature1", protected, b"", payload]))
        return encode_base64url(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature])))

    return write
