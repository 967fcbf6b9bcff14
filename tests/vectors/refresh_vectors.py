"""The vectors of refresh tokens. What a wrong one is refused with is stated by hand: nothing here asks a verifier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sessiond.errors import Cause
from sessiond.ids import session_id_text
from sessiond.token.sign import RefreshClaims, SigningKey, sign_access_token, sign_refresh_token
from tests.vectors.token_samples import (
    ACCESS_CLAIMS,
    ACCESS_KEY,
    NOW,
    REFRESH_CLAIMS,
    REFRESH_KEY,
    SESSION_ID,
    changed,
    cose_sign1,
    flipped,
    key_of,
    protected_header,
    refresh_claims_of,
    refresh_text,
)
from tests.vectors.vector_forms import Json, bad, good, keys, keyset, with_order_added


def refresh_fields(key: SigningKey, claims: RefreshClaims) -> Json:
    """Say what a verifier reads."""
    return {
        "key_id": key.key_id.hex(),
        "session_id": session_id_text(claims.session_id),
        "generation": claims.generation,
        "issued_at": claims.issued_at,
        "expires_at": claims.expires_at,
    }


def refresh_vectors() -> Json:
    """Write the vectors of refresh tokens."""
    return {
        "about": "Refresh tokens of format 1, see docs/token-format.md. Every key is a TEST KEY, known to everyone.",
        "made_by": "python -m tests.vectors.make_token_vectors",
        "keyset": keyset("refresh"),
        "vectors": [*_good_refresh(), *_refused_refresh(), *_malformed_refresh()],
    }


def _good_refresh() -> Iterator[Json]:
    ring = keys("refresh")
    claims = REFRESH_CLAIMS
    least = RefreshClaims(SESSION_ID, generation=0, issued_at=1 << 16, expires_at=(1 << 16) + 1)
    greatest = RefreshClaims(b"\xff" * 16, (1 << 32) - 1, issued_at=(1 << 32) - 1, expires_at=(1 << 32) - 1)
    for name, key, said, now in (
        ("the worked example", "active", claims, NOW),
        ("in its last second", "active", claims, claims.expires_at - 1),
        ("issued in the future: not judged", "active", replace(claims, issued_at=NOW + 86_400), NOW),
        ("of a key that is PENDING", "pending", claims, NOW),
        ("of a key that is RETIRING", "retiring", claims, NOW),
        ("the least values", "active", least, 0),
        ("the greatest values", "active", greatest, (1 << 32) - 2),
    ):
        token = sign_refresh_token(ring[key][0], said)
        yield good(name, token, refresh_fields(ring[key][0], said), now=now)


def _refused_refresh() -> Iterator[Json]:
    ring = keys("refresh")
    claims = REFRESH_CLAIMS
    token = sign_refresh_token(REFRESH_KEY, claims)
    data = cose_sign1(REFRESH_KEY, refresh_claims_of(claims))
    revoked = sign_refresh_token(ring["revoked"][0], claims)
    unknown = sign_refresh_token(key_of("of another authority"), claims)
    access = sign_access_token(ACCESS_KEY, ACCESS_CLAIMS)
    other_session = cose_sign1(REFRESH_KEY, refresh_claims_of(replace(claims, generation=8)))
    dead = claims.expires_at
    for name, cause, text, now in (
        ("in the second of its expiry", Cause.EXPIRED, token, dead),
        ("long dead", Cause.EXPIRED, token, (1 << 53) - 1),
        ("a changed signature", Cause.TAMPERED, flipped(token), NOW),
        ("a signature of another generation", Cause.TAMPERED, refresh_text(data[:-64] + other_session[-64:]), NOW),
        ("a signature with S + L", Cause.TAMPERED, refresh_text(data[:-64] + with_order_added(data[-64:])), NOW),
        ("a signature of zeros", Cause.TAMPERED, refresh_text(data[:-64] + bytes(64)), NOW),
        ("changed and dead: the signature comes first", Cause.TAMPERED, flipped(token), dead),
        ("of a revoked key", Cause.KEY_REVOKED, revoked, NOW),
        ("of a revoked key and dead", Cause.KEY_REVOKED, revoked, dead),
        (
            "of a revoked key and changed: the key comes first",
            Cause.KEY_REVOKED,
            flipped(revoked),
            NOW,
        ),
        ("of an unknown key", Cause.UNKNOWN_KEY, unknown, NOW),
        ("of an unknown key and changed", Cause.UNKNOWN_KEY, flipped(unknown), NOW),
        ("of a key of format 2", Cause.UNKNOWN_KEY, sign_refresh_token(ring["of format 2"][0], claims), NOW),
        ("an access token", Cause.WRONG_TOKEN_KIND, access, NOW),
        ("anything with the shape of an access token", Cause.WRONG_TOKEN_KIND, "eyJ..", NOW),
        ("a JWT of 4,096 characters", Cause.WRONG_TOKEN_KIND, "eyJ." + "A" * 4091 + ".", NOW),
    ):
        yield bad(name, cause, text, now=now)


def _malformed_refresh() -> Iterator[Json]:
    token = sign_refresh_token(REFRESH_KEY, REFRESH_CLAIMS)
    claims = refresh_claims_of(REFRESH_CLAIMS)
    key = REFRESH_KEY
    wrong_cbor = {
        "tag 17": cose_sign1(key, claims, before=b"\xd1\x84"),
        "an array of 5": cose_sign1(key, claims, before=b"\xd2\x85"),
        "alg -19 (Ed25519)": cose_sign1(key, claims, protected=protected_header(key, b"\x32")),
        "alg -7 (ES256)": cose_sign1(key, claims, protected=protected_header(key, b"\x26")),
        "the key id under another label": cose_sign1(key, claims, protected=b"\xa2\x01\x27\x05\x48" + key.key_id),
        "an unprotected header that is no map": cose_sign1(key, claims, unprotected=b"\x80"),
        "claims in another order": cose_sign1(key, b"\xa3" + claims[7:13] + claims[1:7] + claims[13:]),
        "claim 5 (nbf) for claim 6 (iat)": cose_sign1(key, changed(claims, b"\x06\x1a", b"\x05\x1a")),
        "exp below 65,536": cose_sign1(key, changed(claims, claims[3:7], b"\x00\x00\xff\xff")),
        "iat below 65,536": cose_sign1(key, changed(claims, claims[9:13], b"\x00\x00\xff\xff")),
        "exp as a float": cose_sign1(key, changed(claims, b"\x04\x1a", b"\x04\xfa")),
        "cti as a text": cose_sign1(key, changed(claims, b"\x07\x54", b"\x07\x74")),
        "three bytes after it": cose_sign1(key, claims, after=bytes(3)),
        "no tag": cose_sign1(key, claims, before=b"\x84"),
        "a claim more": cose_sign1(key, changed(claims, b"\xa3\x04", b"\xa4\x04") + b"\x08\xa0"),
    }
    texts = {
        "nothing": "",
        "the prefix alone": "sdr_",
        "without its prefix": token[4:],
        "its prefix in capitals": "SDR_" + token[4:],
        "one character cut off": token[:-1],
        "four characters cut off": token[:-4],
        "a line break at its end": token + "\n",
        "a space at its start": " " + token,
        "a space for a character": token[:80] + " " + token[81:],
        "padded": token + "==",
        "twice": token + token[4:],
        "the other base64, +": token[:100] + "+" + token[101:],
        "the other base64, /": token[:100] + "/" + token[101:],
        "a character beyond ASCII": token[:100] + "\u0416" + token[101:],
        "NUL for a character": token[:100] + "\0" + token[101:],
        "a JWT of 4,097 characters": "eyJ." + "A" * 4092 + ".",
        "a JWT with one dot": "eyJ.A",
        "a JWE, with four dots": "eyJ.A.A.A.A",
    }
    for name, data in wrong_cbor.items():
        yield bad(f"well signed: {name}", Cause.MALFORMED, refresh_text(data), now=NOW)
    for name, text in texts.items():
        yield bad(name, Cause.MALFORMED, text, now=NOW)
