"""
Who verifies tokens in the benchmark, and what each of them is asked to do.

Each contender gets the same tokens in the form that it takes, prepared before the clock runs, and counts those that it
accepts. Keys are loaded once. ``work`` says how far each goes: a bare check of a signature gets the signed bytes cut
out of the token already, a verdict reads the token and judges its claims, and who gives claims also makes values of
them. Ours stand there twice: the API that callers import, and the extension that does the work under it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cwt
import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from sessiond import _fastverify
from sessiond.errors import InvalidAccessToken, InvalidRefreshToken
from sessiond.token.format import refresh_signature_input
from sessiond.token.keyset import VerificationKey
from sessiond.token.sign import AccessClaims, RefreshClaims, SigningKey, sign_access_token, sign_refresh_token
from sessiond.token.verify import AccessVerifier, RefreshVerifier

CLAIMS = "token to claims"
VERDICT = "token to verdict"
SIGNATURE = "signature only"

PUBLIC = "sessiond.token.verify"
EXTENSION = "sessiond extension"
BASELINE = "PyNaCl"

ISSUER, AUDIENCE = "https://sessions.example.com", "https://api.example.com"
ACCESS_LENGTH = 640
LIFE = 3600

# Keys for this benchmark alone.
ACCESS_KEY, REFRESH_KEY, OTHER_KEY = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))

Counter = Callable[[Sequence[Any]], int]


@dataclass(frozen=True)
class Contender:
    """One way to verify tokens: ``prepare`` gives a token as ``count_accepted`` wants it."""

    name: str
    work: str
    prepare: Callable[[str], Any]
    count_accepted: Counter
    batch: int = 1


@dataclass(frozen=True)
class Race:
    """A kind of token with its contenders, tokens that all accept, and ones that some or all must refuse."""

    title: str
    contenders: list[Contender]
    good: list[str]
    forged: list[str]
    # Well signed, but expired or for somebody else: who checks signatures only cannot know.
    unfit: list[str]


def _claims(number: int, now: int, audience: str = AUDIENCE, life: int = LIFE) -> AccessClaims:
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


def _access_token(number: int, now: int, *, key: SigningKey = ACCESS_KEY, **changes: Any) -> str:  # noqa: ANN401 - of _claims
    return sign_access_token(key, _claims(number, now, **changes))


def _refresh_token(number: int, now: int, *, key: SigningKey = REFRESH_KEY, life: int = LIFE) -> str:
    return sign_refresh_token(key, RefreshClaims(number.to_bytes(16, "big"), number % 100, now - 60, now + life))


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _access_parts(token: str) -> tuple[bytes, bytes]:
    signed, _, signature = token.rpartition(".")
    return signed.encode(), _decode(signature)


def _refresh_parts(token: str) -> tuple[bytes, bytes]:
    data = _decode(token.removeprefix("sdr_"))
    return refresh_signature_input(data[8:16], data[19:54]), data[56:]


def _forged(token: str) -> str:
    """Change a character of the signature, which is what the last 85 are at least."""
    place = len(token) - 80
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


def _one_by_one(verify: Callable[[Any], object], refusals: tuple[type[Exception], ...]) -> Counter:
    """Count the tokens that *verify* does not refuse by an exception."""

    def count_accepted(tokens: Sequence[Any]) -> int:
        accepted = 0
        for token in tokens:
            try:
                verify(token)
            except refusals:
                continue
            accepted += 1
        return accepted

    return count_accepted


def _bare_signatures(key: SigningKey, parts: Callable[[str], tuple[bytes, bytes]]) -> list[Contender]:
    """Give the checks of a signature alone: the peers' and our own."""
    table = _fastverify.KeyTable(key.public_key)
    of_nacl = VerifyKey(key.public_key).verify
    of_cryptography = Ed25519PublicKey.from_public_bytes(key.public_key).verify

    def by_table(pairs: Sequence[tuple[bytes, bytes]]) -> int:
        verify = table.verify
        return sum(verify(message, signature) for message, signature in pairs)

    def by_table_in_batch(pairs: Sequence[tuple[bytes, bytes]]) -> int:
        return table.verify_batch(pairs).count(1)

    return [
        Contender(EXTENSION, SIGNATURE, parts, by_table),
        Contender(EXTENSION, SIGNATURE, parts, by_table_in_batch, batch=1024),
        Contender(
            BASELINE, SIGNATURE, parts, _one_by_one(lambda pair: of_nacl(pair[0], pair[1]), (BadSignatureError,))
        ),
        Contender(
            "cryptography",
            SIGNATURE,
            parts,
            _one_by_one(lambda pair: of_cryptography(pair[1], pair[0]), (InvalidSignature,)),
        ),
    ]


def access_race(n_tokens: int, now: int) -> Race:
    """Set up the access tokens: *n_tokens* different ones of 640 characters, good at *now* and for an hour."""
    verifier = _fastverify.AccessVerifier(
        [(ACCESS_KEY.key_id, _fastverify.KeyTable(ACCESS_KEY.public_key), False)], ISSUER.encode()
    )
    audience = AUDIENCE.encode()
    key_of_jwt = Ed25519PublicKey.from_public_bytes(ACCESS_KEY.public_key)

    def one_by_one(tokens: Sequence[str]) -> int:
        verify = verifier.verify
        return sum(verify(token, audience, now, 0)[0] == 0 for token in tokens)

    def in_batches(tokens: Sequence[str]) -> int:
        return verifier.verify_batch(tokens, audience, now, 0)[0].count(0)

    public = AccessVerifier([VerificationKey(ACCESS_KEY.public_key)], ISSUER)

    def by_public_api(token: str) -> object:
        return public.verify(token, audience=AUDIENCE, now=now, leeway=0)

    def by_jwt(token: str) -> object:
        return jwt.decode(token, key_of_jwt, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)

    contenders = [
        Contender(PUBLIC, CLAIMS, str, _one_by_one(by_public_api, (InvalidAccessToken,))),
        Contender(EXTENSION, VERDICT, str, one_by_one),
    ]
    contenders += [Contender(EXTENSION, VERDICT, str, in_batches, batch=size) for size in (8, 64, 1024)]
    contenders += _bare_signatures(ACCESS_KEY, _access_parts)
    contenders.append(Contender("PyJWT", CLAIMS, str, _one_by_one(by_jwt, (jwt.InvalidTokenError,))))
    good = [_access_token(number, now) for number in range(n_tokens)]
    if {ACCESS_LENGTH} != {len(token) for token in good}:
        message = f"the tokens should have {ACCESS_LENGTH} characters, not {len(good[0])}"
        raise ValueError(message)
    return Race(
        f"Access tokens, JWT of {ACCESS_LENGTH} characters",
        contenders,
        good,
        forged=[_forged(good[0]), _access_token(0, now, key=OTHER_KEY)],
        unfit=[_access_token(0, now, life=-LIFE), _access_token(0, now, audience="https://other.example.com")],
    )


def refresh_race(n_tokens: int, now: int) -> Race:
    """Set up the refresh tokens: *n_tokens* different ones, good at *now* and for an hour."""
    verifier = _fastverify.RefreshVerifier([(REFRESH_KEY.key_id, _fastverify.KeyTable(REFRESH_KEY.public_key), False)])
    key_of_cwt = cwt.COSEKey.new(
        {1: 1, -1: 6, 3: -8, 2: REFRESH_KEY.key_id, -2: REFRESH_KEY.public_key}  # RFC 9053, section 7.2
    )

    def one_by_one(tokens: Sequence[str]) -> int:
        verify = verifier.verify
        return sum(verify(token, now)[0] == 0 for token in tokens)

    public = RefreshVerifier([VerificationKey(REFRESH_KEY.public_key)])

    def by_public_api(token: str) -> object:
        return public.verify(token, now=now)

    def by_cwt(token: str) -> object:
        return cwt.decode(_decode(token.removeprefix("sdr_")), key_of_cwt)

    contenders = [
        Contender(PUBLIC, CLAIMS, str, _one_by_one(by_public_api, (InvalidRefreshToken,))),
        Contender(EXTENSION, VERDICT, str, one_by_one),
    ]
    contenders += _bare_signatures(REFRESH_KEY, _refresh_parts)
    contenders.append(Contender("cwt", CLAIMS, str, _one_by_one(by_cwt, (cwt.CWTError, ValueError))))
    good = [_refresh_token(number, now) for number in range(n_tokens)]
    return Race(
        f"Refresh tokens, CWT of {len(good[0])} characters",
        contenders,
        good,
        forged=[_forged(good[0]), _refresh_token(0, now, key=OTHER_KEY)],
        unfit=[_refresh_token(0, now, life=-LIFE)],
    )
