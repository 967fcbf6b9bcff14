"""The vectors of access tokens. What a wrong one is refused with is stated by hand: nothing here asks a verifier."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sessiond.errors import Cause
from sessiond.ids import session_id_text
from sessiond.token.claims import access_expires_at
from sessiond.token.format import encode_base64url
from sessiond.token.keyset import cose_key_set, jwks
from sessiond.token.sign import AccessClaims, SigningKey, sign_access_token, sign_refresh_token
from tests.vectors.token_samples import (
    ACCESS_CLAIMS,
    ACCESS_KEY,
    ACCESS_SECONDS,
    AUDIENCE,
    ISSUER,
    NOW,
    REFRESH_CLAIMS,
    REFRESH_KEY,
    SESSION_ENDS_AT,
    SESSION_ID,
    changed,
    flipped,
    jwt,
    key_of,
    payload_of,
)
from tests.vectors.vector_forms import Json, bad, good, keys, keyset, with_order_added

LEEWAY = 30
SIGNATURE_LENGTH = 86


def access_fields(key: SigningKey, claims: AccessClaims) -> Json:
    """Say what a verifier reads. ``born`` is a text, since it is beyond the integers of many JSON readers."""
    return {
        "key_id": key.key_id.hex(),
        "session_id": session_id_text(claims.session_id),
        "generation": claims.generation,
        "issued_at": claims.issued_at,
        "expires_at": claims.expires_at,
        "tenant_hash": claims.tenant_hash.hex(),
        "subject_hash": claims.subject_hash.hex(),
        "born": str(claims.born),
        "issuer": claims.issuer,
        "audience": claims.audience,
        "subject": claims.subject,
        "client_id": claims.client_id,
        "tenant": claims.tenant,
        "claims_json": claims.claims_json or "{}",
    }


def access_vectors() -> Json:
    """Write the vectors of access tokens."""
    public_keys = [key.public_key for key, state, form in keys("access").values() if state != "REVOKED" and form == 1]
    return {
        "about": "Access tokens of format 1, see docs/token-format.md. Every key is a TEST KEY, known to everyone.",
        "made_by": "python -m tests.vectors.make_token_vectors",
        "keyset": keyset("access"),
        "published": {"jwks": json.loads(jwks(public_keys)), "cose_key_set": cose_key_set(public_keys).hex()},
        "lifetimes": list(_lifetimes()),
        "vectors": [*_good_access(), *_refused_access(), *_malformed_access()],
    }


def _lifetimes() -> Iterator[Json]:
    """State when access tokens die: exp as a function of the rest."""
    for access_seconds, generation, session_ends_at in (
        (300, 0, SESSION_ENDS_AT),
        (300, 1, SESSION_ENDS_AT),
        (ACCESS_SECONDS, 7, SESSION_ENDS_AT),
        (86_400, 7, SESSION_ENDS_AT),
        (19, 7, SESSION_ENDS_AT),
        (300, 7, NOW + 60),
    ):
        yield {
            "session_id": session_id_text(SESSION_ID),
            "generation": generation,
            "issued_at": NOW,
            "access_seconds": access_seconds,
            "session_ends_at": session_ends_at,
            "expires_at": access_expires_at(NOW, access_seconds, SESSION_ID, generation, session_ends_at),
        }


def asked(**other: Any) -> Json:
    """Ask for the ordinary issuer and audience, at the ordinary time, or otherwise."""
    return {"now": NOW, "leeway": LEEWAY, "issuer": ISSUER, "audience": AUDIENCE, **other}


def _good_access() -> Iterator[Json]:
    ring = keys("access")
    claims = ACCESS_CLAIMS
    escaped = 'a"b\\c\b\f\n\r\t\x00\x1f/\x7f\u00e9\u2028\U0001f600'
    least = replace(
        claims,
        generation=0,
        issued_at=1_000_000_000,
        expires_at=1_000_000_001,
        tenant_hash=bytes(8),
        subject_hash=bytes(8),
        born=0,
        issuer="",
        audience="",
        subject="",
        client_id="",
        tenant="",
        claims_json="",
    )
    greatest = replace(
        claims,
        session_id=b"\xff" * 16,
        generation=(1 << 32) - 1,
        issued_at=(1 << 32) - 1,
        expires_at=(1 << 32) - 1,
        tenant_hash=b"\xff" * 8,
        subject_hash=b"\xff" * 8,
        born=(1 << 64) - 1,
    )
    for name, key, said, ask in (
        ("the reference token: 640 characters", "active", claims, asked()),
        ("in the first second of the leeway", "active", claims, asked(now=NOW - LEEWAY)),
        ("without leeway at its time of issue", "active", claims, asked(leeway=0)),
        ("in its last second", "active", claims, asked(now=claims.expires_at - 1)),
        ("of a key that is PENDING", "pending", claims, asked()),
        ("of a key that is RETIRING", "retiring", claims, asked()),
        ("without claims of the application", "active", replace(claims, claims_json=""), asked()),
        ("the least values", "active", least, asked(now=1_000_000_000, issuer="", audience="")),
        ("the greatest values", "active", greatest, asked(now=(1 << 32) - 2)),
        ("texts that need escapes", "active", replace(claims, subject=escaped, tenant=escaped), asked()),
        (
            "an audience that needs escapes",
            "active",
            replace(claims, audience=escaped),
            asked(audience=escaped),
        ),
        (
            "claims are kept verbatim",
            "active",
            replace(claims, claims_json='{ "n": 12345678901234567890 ,"u":"\\u00e9\\/", "o":{"exp":1} }'),
            asked(),
        ),
        ("as long as allowed: 4,096 characters", "active", replace(claims, claims_json=_filler(2950)), asked()),
    ):
        token = sign_access_token(ring[key][0], said)
        yield good(name, token, access_fields(ring[key][0], said), **ask)


def _filler(n_payload: int) -> str:
    """Write claims that fill a payload up to a length in bytes."""
    n_without = len(payload_of(replace(ACCESS_CLAIMS, claims_json='{"filler":""}')))
    return f'{{"filler":"{"x" * (n_payload - n_without)}"}}'


def _refused_access() -> Iterator[Json]:
    ring = keys("access")
    claims = ACCESS_CLAIMS
    token = sign_access_token(ACCESS_KEY, claims)
    signed = token.rpartition(".")[0]
    signature = ACCESS_KEY.sign(signed.encode())
    revoked = sign_access_token(ring["revoked"][0], claims)
    unknown = sign_access_token(key_of("of another authority"), claims)
    other = sign_access_token(ACCESS_KEY, replace(claims, subject="mallory"))
    refresh = sign_refresh_token(REFRESH_KEY, REFRESH_CLAIMS)
    upside_down = sign_access_token(ACCESS_KEY, replace(claims, issued_at=NOW + 900))
    early, dead = NOW - LEEWAY - 1, claims.expires_at
    for name, cause, text, ask in (
        ("one second before the leeway", Cause.NOT_YET_VALID, token, asked(now=early)),
        ("one second early without leeway", Cause.NOT_YET_VALID, token, asked(now=NOW - 1, leeway=0)),
        ("dead before it was issued: early comes first", Cause.NOT_YET_VALID, upside_down, asked(now=dead)),
        ("early and for another audience", Cause.NOT_YET_VALID, token, asked(now=early, audience="x")),
        ("in the second of its expiry", Cause.EXPIRED, token, asked(now=dead)),
        ("the leeway does not stretch its end", Cause.EXPIRED, token, asked(now=dead, leeway=600)),
        ("dead and for another audience", Cause.EXPIRED, token, asked(now=dead, audience="x")),
        ("for another audience", Cause.WRONG_AUDIENCE, token, asked(audience="https://other.example.com")),
        ("for an audience with more at its end", Cause.WRONG_AUDIENCE, token, asked(audience=AUDIENCE + "/")),
        ("for an audience in capitals", Cause.WRONG_AUDIENCE, token, asked(audience=AUDIENCE.upper())),
        ("for no audience", Cause.WRONG_AUDIENCE, token, asked(audience="")),
        ("of another issuer", Cause.WRONG_AUDIENCE, token, asked(issuer="https://other.example.com")),
        ("a changed signature", Cause.TAMPERED, flipped(token), asked()),
        ("a signature of another payload", Cause.TAMPERED, _with_signature(token, other[-SIGNATURE_LENGTH:]), asked()),
        (
            "a signature with S + L",
            Cause.TAMPERED,
            _with_signature(token, encode_base64url(with_order_added(signature))),
            asked(),
        ),
        ("a signature of zeros", Cause.TAMPERED, _with_signature(token, "A" * SIGNATURE_LENGTH), asked()),
        ("changed and dead: the signature comes first", Cause.TAMPERED, flipped(token), asked(now=dead)),
        ("of a revoked key", Cause.KEY_REVOKED, revoked, asked()),
        ("of a revoked key and changed: the key comes first", Cause.KEY_REVOKED, flipped(revoked), asked()),
        ("of an unknown key", Cause.UNKNOWN_KEY, unknown, asked()),
        ("of an unknown key and changed", Cause.UNKNOWN_KEY, flipped(unknown), asked()),
        ("of a key of format 2", Cause.UNKNOWN_KEY, sign_access_token(ring["of format 2"][0], claims), asked()),
        ("a refresh token", Cause.WRONG_TOKEN_KIND, refresh, asked()),
        ("anything with the shape of a refresh token", Cause.WRONG_TOKEN_KIND, "sdr_" + "A" * 160, asked()),
        ("of a revoked key whose texts are no JSON: the layout comes first", Cause.MALFORMED, _no_json(), asked()),
    ):
        yield bad(name, cause, text, **ask)


def _no_json() -> str:
    payload = changed(payload_of(ACCESS_CLAIMS), b'"web-shop"', b'"\\x \xff"')
    return jwt(keys("access")["revoked"][0], payload)


def _with_signature(token: str, signature: str) -> str:
    return token[:-SIGNATURE_LENGTH] + signature


def _malformed_access() -> Iterator[Json]:
    for name, header in _wrong_headers().items():
        token = jwt(ACCESS_KEY, payload_of(ACCESS_CLAIMS), header=header)
        yield bad(f"well signed: header with {name}", Cause.MALFORMED, token, **asked())
    for name, payload in _wrong_payloads().items():
        yield bad(f"well signed: payload with {name}", Cause.MALFORMED, jwt(ACCESS_KEY, payload), **asked())
    for name, text in _wrong_texts().items():
        yield bad(name, Cause.MALFORMED, text, **asked())


def _wrong_headers() -> dict[str, bytes]:
    header = b'{"alg":"EdDSA","kid":"%s","typ":"at+jwt"}' % ACCESS_KEY.key_id.hex().encode()
    upper = ACCESS_KEY.key_id.hex().upper().encode()
    return {
        "alg none": changed(header, b"EdDSA", b"none"),
        "alg Ed25519": changed(header, b"EdDSA", b"Ed25519"),
        "alg of the same length": changed(header, b"EdDSA", b"ES256"),
        "typ JWT": changed(header, b"at+jwt", b"JWT"),
        "typ of the same length": changed(header, b"at+jwt", b"AT+JWT"),
        "the key id in capitals": changed(header, ACCESS_KEY.key_id.hex().encode(), upper),
        "its members in another order": b'{"kid":"%s","alg":"EdDSA","typ":"at+jwt"}' % ACCESS_KEY.key_id.hex().encode(),
        "a space": header.replace(b",", b", "),
        "a member more": changed(header, b"}", b',"x":1}'),
    }


def _wrong_payloads() -> dict[str, bytes]:
    payload = payload_of(ACCESS_CLAIMS)
    sid = session_id_text(SESSION_ID).encode()
    jti = json.loads(payload)["jti"].encode()
    exp, iat = b'"exp":%d' % ACCESS_CLAIMS.expires_at, b'"iat":%d' % NOW
    of_other_time = payload_of(replace(ACCESS_CLAIMS, issued_at=NOW + 1))
    return {
        "nothing in it": b"",
        "an empty object": b"{}",
        "a byte order mark": b"\xef\xbb\xbf" + payload,
        "a space after the first brace": b"{ " + payload[1:],
        "a line break after the last brace": payload + b"\n",
        "exp after iat": changed(payload, exp + b"," + iat, iat + b"," + exp),
        "exp of 2^32": changed(payload, exp, b'"exp":4294967296'),
        "iat of 2^32": changed(payload, iat, b'"iat":4294967296'),
        "exp of nine digits": changed(payload, exp, b'"exp":999999999'),
        "exp of eleven digits": changed(payload, exp, b'"exp":18000003000'),
        "exp with a zero before it": changed(payload, exp, b'"exp":0999999999'),
        "exp with a fraction": changed(payload, exp, exp + b".0"),
        "exp as a text": changed(payload, exp, b'"exp":"%d"' % ACCESS_CLAIMS.expires_at),
        "exp with a sign": changed(payload, exp, b'"exp":-180000030'),
        "iat of another time than jti": changed(of_other_time, b'"iat":%d' % (NOW + 1), iat),
        "jti one character short": changed(payload, jti, jti[:-1]),
        "jti with the other base64": changed(payload, jti, b"+" + jti[1:]),
        "rev missing": payload[: payload.index(b',"rev"')] + payload[payload.index(b',"iss"') :],
        "aud as an array": changed(payload, b'"%s"' % AUDIENCE.encode(), b'["%s"]' % AUDIENCE.encode()),
        "a raw line break in sub": changed(payload, b'"sub":"', b'"sub":"\n'),
        "a raw NUL in client_id": changed(payload, b'"client_id":"', b'"client_id":"\0'),
        "an escape in sub that JSON does not have": changed(payload, b'"sub":"', b'"sub":"\\x'),
        "an escaped slash in iss": changed(payload, b"https://login", b"https:\\/\\/login"),
        "a letter escaped in sub": changed(payload, b'"sub":"', b'"sub":"\\u0061'),
        "a line break in sub escaped by its number": changed(payload, b'"sub":"', b'"sub":"\\u000a'),
        "an escape of sub in capitals": changed(payload, b'"sub":"', b'"sub":"\\u001F'),
        "an escape of sub cut off": changed(payload, b'"sub":"', b'"sub":"\\u00'),
        "half an escaped surrogate pair in sub": changed(payload, b'"sub":"', b'"sub":"\\ud83d'),
        "a byte in tenant that no UTF-8 has": changed(payload, b'"acme"', b'"acm\xff"'),
        "a character of tenant cut off": changed(payload, b'"acme"', b'"acm\xc3"'),
        "an overlong form in tenant": changed(payload, b'"acme"', b'"acm\xc1\xa5"'),
        "a surrogate in tenant": changed(payload, b'"acme"', b'"acm\xed\xa0\x80"'),
        "a character beyond U+10FFFF in tenant": changed(payload, b'"acme"', b'"acm\xf4\x90\x80\x80"'),
        "claims that are not UTF-8": changed(payload, b'"team"', b'"\xff"'),
        "sub that is never closed": payload[: payload.index(b'"client_id"') - 2] + b"\\",
        "sub null": changed(payload, b'"sub":"%s"' % ACCESS_CLAIMS.subject.encode(), b'"sub":null'),
        "sid of another session": changed(payload, sid, session_id_text(bytes(16)).encode()),
        "sid in capitals": changed(payload, sid, sid.upper()),
        "sid without hyphens": changed(payload, sid, sid.replace(b"-", b"")),
        "tenant missing": changed(payload, b',"tenant":"acme"', b""),
        "tenant before sid": changed(payload, b'"sid":"%s","tenant":"acme"' % sid, b'"tenant":"acme","sid":"%s"' % sid),
        "no last brace": payload[:-1],
        "a comma and nothing after it": payload_of(replace(ACCESS_CLAIMS, claims_json=""))[:-1] + b",}",
        "no comma before the claims": changed(payload, b'"acme",', b'"acme" '),
    }


def _wrong_texts() -> dict[str, str]:
    token = sign_access_token(ACCESS_KEY, ACCESS_CLAIMS)
    header, payload, signature = token.split(".")
    too_long = jwt(ACCESS_KEY, payload_of(replace(ACCESS_CLAIMS, claims_json=_filler(2951))))
    return {
        "nothing": "",
        "a text of no meaning": "hello",
        "well signed: 4,098 characters": too_long,
        "one character cut off": token[:-1],
        "the signature cut off": f"{header}.{payload}.",
        "the signature and its dot cut off": f"{header}.{payload}",
        "cut off in the payload": token[:300],
        "cut off in the header": token[:40],
        "a line break at its end": token + "\n",
        "Bearer before it": "Bearer " + token,
        "padded": token + "==",
        "a fourth part": token + ".A",
        "a space in the payload": f"{header}.{payload[:50]} {payload[51:]}.{signature}",
        "the other base64 in the payload": f"{header}.{payload[:50]}+{payload[51:]}.{signature}",
        "spare bits set in the signature": flipped(token, -1),
        "spare bits set in the payload": f"{header}.{flipped(payload, -1)}.{signature}",
        "spare bits set in the header": f"{flipped(header, -1)}.{payload}.{signature}",
        "a character beyond ASCII": f"{header}.{payload[:50]}\u0416{payload[51:]}.{signature}",
        "a refresh token cut off": sign_refresh_token(REFRESH_KEY, REFRESH_CLAIMS)[:-1],
    }
