"""The compiled reader of access tokens: one spelling, one verdict for everything else."""

from __future__ import annotations

import json

import pytest

from sessiond import _fastverify
from sessiond._fastverify import KeyTable
from sessiond.errors import Cause
from tests.native.tokens import (
    ACCESS,
    ACCESS_KEY,
    AUDIENCE,
    ISSUER,
    NOW,
    OTHER_KEY,
    REVOKED_ACCESS_KEY,
    SESSION_ID,
    AccessVerifier,
    access_claims,
    access_token,
    encode,
    flipped,
    judge,
    payload_of,
    refresh_token,
    signed_access,
)

GOOD = _fastverify.GOOD
TOKEN = access_token()
HEADER, PAYLOAD_TEXT, SIGNATURE_TEXT = TOKEN.split(".")
PAYLOAD = payload_of(TOKEN)
INSTANTS = (NOW + 240).to_bytes(4, "big") + (NOW - 60).to_bytes(4, "big")
JTI = SESSION_ID + (7).to_bytes(4, "big") + (NOW - 60).to_bytes(4, "big")
REV = b"tenant_h" + b"subjec_h" + (1 << 48).to_bytes(8, "big")
FIELDS = ACCESS_KEY.key_id + INSTANTS + JTI + REV
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def verdict(token: str | bytes, now: int = NOW, leeway: int = 30, audience: str = AUDIENCE) -> int:
    """Judge a token; what is not well signed has no fields."""
    found, fields = judge(ACCESS, token, audience=audience, now=now, leeway=leeway)
    signed = {GOOD, Cause.NOT_YET_VALID, Cause.EXPIRED, Cause.WRONG_AUDIENCE}
    assert (found in signed) is (fields != b"")
    return found


def test_a_good_access_token_gives_its_fields() -> None:
    """The fields are those of a refresh token, then iat as in jti, tenant hash, subject hash and born."""
    for token in (TOKEN, TOKEN.encode()):
        assert (GOOD, FIELDS) == judge(ACCESS, token, audience=AUDIENCE, now=NOW, leeway=0)
    assert _fastverify.ACCESS_FIELDS_SIZE == len(FIELDS)


def test_signing_by_hand_makes_the_same_token() -> None:
    """What the tests sign by hand is what the signer writes, so that one changed byte is all that is wrong."""
    assert TOKEN == signed_access(PAYLOAD)


def test_every_cut_is_refused() -> None:
    """A token that is cut off, at whichever end and length, is refused; without its end it is MALFORMED."""
    for length in range(len(TOKEN)):
        assert Cause.MALFORMED == verdict(TOKEN[:length])
        assert Cause.MALFORMED == verdict(TOKEN[length + 1 :])


@pytest.mark.parametrize("glue", [" ", "\n", "\0", "=", "A", ".", "..", "Bearer ", "é", "\U0001f600"])
def test_text_around_a_token_is_malformed(glue: str) -> None:
    """Nothing may stand before, after or at the dots of a token."""
    for token in (glue + TOKEN, TOKEN + glue, HEADER + glue + TOKEN[len(HEADER) :], TOKEN[:-86] + glue + TOKEN[-86:]):
        assert Cause.MALFORMED == verdict(token)


@pytest.mark.parametrize("other", [" ", "\0", "=", "+", "/", ".", "é", "\xa0", "\uff21", "\U0001f600", "\ud800"])
def test_characters_outside_the_alphabet_are_malformed(other: str) -> None:
    """No other character may take the place of one, wherever it stands."""
    for place in range(len(TOKEN)):
        if TOKEN[place] != other:
            assert Cause.MALFORMED == verdict(TOKEN[:place] + other + TOKEN[place + 1 :])


def test_every_flipped_bit_of_the_text_is_refused() -> None:
    """No bit of the text can be turned over; what leaves the alphabet is MALFORMED."""
    for bit in range(8 * len(TOKEN)):
        text = flipped(TOKEN.encode(), bit)
        found = verdict(text)

        assert found in {Cause.MALFORMED, Cause.UNKNOWN_KEY, Cause.TAMPERED}
        if chr(text[bit // 8]) not in ALPHABET:
            assert Cause.MALFORMED == found


def test_every_flipped_bit_of_header_and_signature_has_its_verdict() -> None:
    """A bit of the kid that leaves it hexadecimal makes the key unknown; any of the signature is tampering."""
    header = b'{"alg":"EdDSA","kid":"%s","typ":"at+jwt"}' % ACCESS_KEY.key_id.hex().encode()
    for bit in range(8 * len(header)):
        changed = flipped(header, bit)
        kid = bit // 8 in range(22, 38) and chr(changed[bit // 8]) in "0123456789abcdef"

        assert (Cause.UNKNOWN_KEY if kid else Cause.MALFORMED) == verdict(
            signed_access(PAYLOAD, header=encode(changed))
        )
    signature = ACCESS_KEY.sign(f"{HEADER}.{PAYLOAD_TEXT}".encode())
    for bit in range(512):
        assert Cause.TAMPERED == verdict(f"{HEADER}.{PAYLOAD_TEXT}.{encode(flipped(signature, bit))}")


@pytest.mark.parametrize("n_claims", range(3))
def test_spare_bits_are_zero(n_claims: int) -> None:
    """A last character that spells the same bytes with spare bits set is MALFORMED, in each of the three parts."""
    token = access_token(claims=access_claims(claims_json='{"a":"%s"}' % ("x" * n_claims)))
    parts = token.split(".")
    for place, part in enumerate(parts):
        value = ALPHABET.index(part[-1])
        n_spare = {0: 0, 2: 4, 3: 2}[len(part) % 4]
        assert value % (1 << n_spare) == 0
        for spare in range(1, 1 << n_spare):
            changed = [*parts[:place], part[:-1] + ALPHABET[value + spare], *parts[place + 1 :]]
            assert Cause.MALFORMED == verdict(".".join(changed))
    assert GOOD == verdict(token)
    assert 3 == len({len(access_claims(claims_json='{"a":"%s"}' % ("x" * n)).claims_json) % 3 for n in range(3)})


def replaced(old: bytes, replacement: bytes) -> bytes:
    """Change one thing in the payload."""
    assert 1 == PAYLOAD.count(old)
    return PAYLOAD.replace(old, replacement)


EXP, IAT = b'"exp":%d' % (NOW + 240), b'"iat":%d' % (NOW - 60)
JTI_TEXT = encode(JTI).encode()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b" " + PAYLOAD,
        PAYLOAD + b" ",
        PAYLOAD[:-1],
        PAYLOAD[:-1] + b",",
        replaced(EXP, b'"exp": %d' % (NOW + 240)),
        replaced(EXP, b'"exp":999999999'),
        replaced(EXP, b'"exp":0999999999'),
        replaced(EXP, b'"exp":%d' % (1 << 32)),
        replaced(EXP, b'"exp":9999999999'),
        replaced(EXP, b'"exp":18000000000'),
        replaced(EXP, b'"exp":-800000240'),
        replaced(EXP, b'"exp":18e8000000'),
        replaced(EXP, b'"exp":"1800000240"'),
        replaced(IAT, b'"iat":%d' % (NOW - 61)),
        replaced(IAT, b'"iat":%d' % (1 << 32)),
        replaced(EXP + b"," + IAT, IAT + b"," + EXP),
        replaced(b'"jti":"', b'"jti": "'),
        replaced(JTI_TEXT, JTI_TEXT[:-1]),
        replaced(JTI_TEXT, JTI_TEXT + b"AAAA"),
        replaced(JTI_TEXT, b"=" + JTI_TEXT[1:]),
        replaced(JTI_TEXT, encode(bytes([1]) + JTI[1:]).encode()),
        replaced(encode(REV).encode(), encode(REV).encode()[:-1] + b"."),
        replaced(b"a0a1a2a3-a4a5", b"A0A1A2A3-A4A5"),
        replaced(b"a0a1a2a3-a4a5", b"a0a1a2a3a-4a5"),
        replaced(b'"sid":"', b'"sid":"{'),
        replaced(b'"aud":"orders"', b'"aud":["orders"]'),
        replaced(b'"iss":"https', b'"iss":"\x01ttps'),
        replaced(b'"iss":"https', b'"iss":"h\ntps'),
        replaced(b'"sub":"u-1",', b""),
        replaced(b'"sub":"u-1",', b'"sub":"u-1","extra":1,'),
        replaced(b'"client_id":"web"', b'"client_id":null'),
        replaced(b'"tenant":"acme"', b'"tenant":"acme'),
        replaced(b'"tenant":"acme"', b'"tenant":"acme\\"'),
        replaced(b',"role":"clerk"', b","),
        replaced(b',"role":"clerk"', b' "role":"clerk"'),
        replaced(b'"role":"clerk"}', b'"role":"clerk"}\0'),
        PAYLOAD[: PAYLOAD.index(b'","tenant"')],
    ],
)
def test_other_spellings_are_malformed_however_well_signed(payload: bytes) -> None:
    """A payload that our signer would not write is MALFORMED, though its signature is good."""
    assert Cause.MALFORMED == verdict(signed_access(payload))


def test_every_cut_of_the_payload_is_malformed() -> None:
    """A payload that ends early is MALFORMED, wherever it ends: no read goes beyond what is there."""
    end_of_tenant = PAYLOAD.index(b',"role"')
    for length in range(len(PAYLOAD)):
        assert Cause.MALFORMED == verdict(signed_access(PAYLOAD[:length]))
        if length not in (end_of_tenant, len(PAYLOAD) - 1):
            # A brace after the cut saves only what ends with the tenant or the claims, where it belongs.
            expected = GOOD if length > end_of_tenant + 1 else Cause.MALFORMED
            assert expected == verdict(signed_access(PAYLOAD[:length] + b"}"))


def test_claims_of_the_application_are_not_looked_into() -> None:
    """Whatever stands between the tenant and the last brace is the signer's business; nothing may stand there, too."""
    assert GOOD == verdict(signed_access(replaced(b'"role":"clerk"', b'"a":{"exp":1},"b":[1,2]')))
    assert GOOD == verdict(signed_access(replaced(b',"role":"clerk"', b"")))
    assert GOOD == verdict(access_token(claims=access_claims(claims_json="")))


def test_escapes_end_no_string() -> None:
    """A quote that is escaped belongs to its string, as does a backslash before the quote that ends it."""
    for text in (b'a\\"b', b"a\\\\", b'\\"', b"\\u001f", "ü€\U0001f600".encode()):
        payload = replaced(b'"sub":"u-1"', b'"sub":"%s"' % text).replace(b'"aud":"orders"', b'"aud":"%s"' % text)

        assert GOOD == verdict(signed_access(payload), audience=json.loads(b'"%s"' % text))
        assert Cause.WRONG_AUDIENCE == verdict(signed_access(payload))


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","kid":"%s","typ":"at+jwt"}',
        b'{"alg":"HS256","kid":"%s","typ":"at+jwt"}',
        b'{"alg":"EdDSA","kid":"%s","typ":"JWT"}',
        b'{"alg":"EdDSA","kid":"%s"}',
        b'{"kid":"%s","alg":"EdDSA","typ":"at+jwt"}',
        b'{"alg":"EdDSA","kid":"%s","typ":"at+jwt"} ',
        b'{"alg": "EdDSA","kid":"%s","typ":"at+jwt"}',
        b'{"alg":"EdDSA","kid":"%s","typ":"AT+JWT"}',
        b'{"alg":"EdDSA","kid":"%s","typ":"at+jwt","b64":false,"crit":["b64"]}',
    ],
)
def test_other_headers_are_malformed_however_well_signed(header: bytes) -> None:
    """A header that our signer would not write is MALFORMED, whatever algorithm it names."""
    for kid in (ACCESS_KEY.key_id.hex(), ACCESS_KEY.key_id.hex().upper()):
        assert Cause.MALFORMED == verdict(signed_access(PAYLOAD, header=encode(header % kid.encode())))


def test_lengths_at_the_limit() -> None:
    """A token of 4,096 characters is read, one of 4,097 is not, nor is one without a payload."""
    room = 4096 - len(TOKEN)
    for n_more, expected in ((room * 3 // 4, GOOD), (room * 3 // 4 + 2, Cause.MALFORMED)):
        token = signed_access(replaced(b"clerk", b"clerk" + b"x" * n_more))
        assert (len(token) <= 4096) is (expected == GOOD)
        assert expected == verdict(token)
    assert Cause.MALFORMED == verdict(f"{HEADER}..{SIGNATURE_TEXT}")
    assert Cause.MALFORMED == verdict("." * 162)
    assert Cause.MALFORMED == verdict(f"{HEADER}.{'A' * 1_000_000}.{SIGNATURE_TEXT}")


def test_leeway_is_granted_before_iat_and_none_after_exp() -> None:
    """The window is [iat - leeway, exp)."""
    assert GOOD == verdict(TOKEN, NOW - 60 - 30, 30)
    assert Cause.NOT_YET_VALID == verdict(TOKEN, NOW - 60 - 31, 30)
    assert GOOD == verdict(TOKEN, NOW - 60, 0)
    assert Cause.NOT_YET_VALID == verdict(TOKEN, NOW - 61, 0)
    assert GOOD == verdict(TOKEN, NOW + 239, 2**32 - 1)
    assert Cause.EXPIRED == verdict(TOKEN, NOW + 240, 2**32 - 1)
    assert Cause.EXPIRED == verdict(TOKEN, 2**53 - 1, 2**32 - 1)
    assert GOOD == verdict(TOKEN, 0, 2**32 - 1)
    assert Cause.NOT_YET_VALID == verdict(TOKEN, 0, 0)


def test_instants_that_ten_digits_write_are_read() -> None:
    """1,000,000,000 and 2**32 - 1 are the first and the last instant."""
    token = access_token(claims=access_claims(issued_at=10**9, expires_at=2**32 - 1))

    assert GOOD == verdict(token, 2**32 - 2)
    assert Cause.EXPIRED == verdict(token, 2**32 - 1)


@pytest.mark.parametrize("audience", ["", "order", "orders2", "ORDERS", "x" * 5000, "orders\0"])
def test_other_audiences_are_wrong(audience: str) -> None:
    """The audience is compared whole, and a token for another one still gives its fields."""
    assert (Cause.WRONG_AUDIENCE, FIELDS) == judge(ACCESS, TOKEN, audience=audience, now=NOW, leeway=0)


@pytest.mark.parametrize(
    "issuer", ["", "https://sessiond.exampl", "https://sessiond.example/", "https://other.example"]
)
def test_other_issuers_are_wrong(issuer: str) -> None:
    """The issuer is compared whole: a token of another one is for others."""
    assert Cause.WRONG_AUDIENCE == verdict(access_token(claims=access_claims(issuer=issuer)))


def test_refresh_token_is_the_wrong_kind() -> None:
    """A refresh token is named as what it is, and so is anything of its shape."""
    assert Cause.WRONG_TOKEN_KIND == verdict(refresh_token())
    assert Cause.WRONG_TOKEN_KIND == verdict("sdr_" + "A" * 160)
    assert Cause.MALFORMED == verdict("sdr_" + "A" * 159 + "=")
    assert Cause.MALFORMED == verdict("sdr_" + "A" * 159)
    assert Cause.MALFORMED == verdict("sdr-" + "A" * 160)


def test_the_first_cause_that_holds_is_the_verdict() -> None:
    """MALFORMED, then the key, then tampering, then the window's start, then its end, then the audience."""
    forged = TOKEN[:-86] + encode(bytes(64))
    for key, expected in ((OTHER_KEY, Cause.UNKNOWN_KEY), (REVOKED_ACCESS_KEY, Cause.KEY_REVOKED)):
        assert expected == verdict(access_token(key), 0, 0, "other")
        assert Cause.MALFORMED == verdict(signed_access(PAYLOAD[:-1], key))
    assert Cause.TAMPERED == verdict(forged, 0, 0, "other")
    backwards = access_token(claims=access_claims(issued_at=NOW + 60, expires_at=NOW - 60))
    assert Cause.NOT_YET_VALID == verdict(backwards, NOW, 0, "other")
    assert Cause.EXPIRED == verdict(backwards, NOW + 60, 0, "other")
    assert Cause.EXPIRED == verdict(TOKEN, NOW + 240, 0, "other")


def mixed(n_tokens: int) -> list[str | bytes]:
    """Mix good tokens of two keys with ones that have every verdict."""
    kinds: list[str | bytes] = [
        TOKEN,
        "",
        access_token(claims=access_claims(claims_json="")).encode(),
        refresh_token(),
        access_token(OTHER_KEY),
        access_token(REVOKED_ACCESS_KEY),
        TOKEN[:-86] + encode(bytes(64)),
        access_token(claims=access_claims(issued_at=NOW + 100)),
        access_token(claims=access_claims(expires_at=NOW)),
        access_token(claims=access_claims(audience="billing")),
        "é" * 700,
    ]
    return [kinds[place % len(kinds)] for place in range(n_tokens)]


@pytest.mark.parametrize("n_tokens", [0, 1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1023, 1024, 1025, 3000])
def test_a_batch_says_what_each_token_gets_alone(n_tokens: int) -> None:
    """In a batch of any size each token has its own verdict, and its fields where that is GOOD, at its place."""
    tokens = mixed(n_tokens)
    alone = [judge(ACCESS, token, audience=AUDIENCE, now=NOW, leeway=30) for token in tokens]
    batch = ACCESS.verify_batch(tokens, audience=AUDIENCE, now=NOW, leeway=30)

    assert bytes(found for found, _ in alone) == batch.verdicts
    assert b"".join(fields if found == GOOD else bytes(64) for found, fields in alone) == batch.fields


def test_a_batch_mixes_keys() -> None:
    """Tokens under different keys are verified in one batch, each under its own."""
    keys = [ACCESS_KEY, OTHER_KEY, REVOKED_ACCESS_KEY]
    verifier = AccessVerifier([(key.key_id, KeyTable(key.public_key), False) for key in keys], ISSUER)
    tokens = [access_token(keys[place % 3]) for place in range(200)]
    batch = verifier.verify_batch(tokens, audience=AUDIENCE, now=NOW, leeway=30)

    assert bytes(200) == batch.verdicts
    assert [keys[place % 3].key_id for place in range(200)] == [batch[place].key_id for place in range(200)]
