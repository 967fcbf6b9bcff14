"""The compiled reader of refresh tokens: one spelling, one verdict for everything else."""

from __future__ import annotations

import pytest

from sessiond import _fastverify
from sessiond._fastverify import KeyTable
from sessiond.errors import Cause
from sessiond.token.format import refresh_signature_input
from tests.native.tokens import (
    NOW,
    OTHER_KEY,
    REFRESH,
    REFRESH_KEY,
    REVOKED_REFRESH_KEY,
    SESSION_ID,
    RefreshVerifier,
    access_token,
    decode,
    encode,
    flipped,
    judge,
    refresh_token,
)

GOOD = _fastverify.GOOD
TOKEN = refresh_token()
BYTES = decode(TOKEN.removeprefix("sdr_"))
FIELDS = (
    REFRESH_KEY.key_id
    + (NOW + 600).to_bytes(4, "big")
    + (NOW - 60).to_bytes(4, "big")
    + SESSION_ID
    + (7).to_bytes(4, "big")
)


def verdict(token: str | bytes, now: int = NOW) -> int:
    """Judge a token; what is not well signed has no fields."""
    found, fields = judge(REFRESH, token, now=now)
    signed = {GOOD, Cause.EXPIRED}
    assert (found in signed) is (fields != b"")
    return found


def signed(protected: bytes, payload: bytes, *, head: bytes = b"\xd2\x84", unprotected: bytes = b"\xa0") -> str:
    """Sign a COSE_Sign1 as it is given, by the book, whether or not our signer would write it."""
    length = bytes([0x40 + len(protected)])
    to_sign = b"\x84\x6aSignature1" + length + protected + b"\x40\x58" + bytes([len(payload)]) + payload
    signature = REFRESH_KEY.sign(to_sign)
    return "sdr_" + encode(
        head + length + protected + unprotected + b"\x58" + bytes([len(payload)]) + payload + b"\x58\x40" + signature
    )


PROTECTED = b"\xa2\x01\x27\x04\x48" + REFRESH_KEY.key_id
PAYLOAD = BYTES[19:54]


def test_a_good_refresh_token_gives_its_fields() -> None:
    """The fields are key id, exp, iat, session id and generation."""
    assert (GOOD, FIELDS) == judge(REFRESH, TOKEN, now=NOW)
    assert (GOOD, FIELDS) == judge(REFRESH, TOKEN.encode(), now=NOW)
    assert _fastverify.REFRESH_FIELDS_SIZE == len(FIELDS)


def test_signing_by_hand_makes_the_same_token() -> None:
    """What the tests sign by hand is what the signer writes, so that one changed byte is all that is wrong."""
    assert TOKEN == signed(PROTECTED, PAYLOAD)
    assert refresh_signature_input(REFRESH_KEY.key_id, PAYLOAD).endswith(b"\x40\x58\x23" + PAYLOAD)


def test_every_cut_is_malformed() -> None:
    """A token that is cut off, at whichever end and length, is MALFORMED."""
    for length in range(len(TOKEN)):
        assert Cause.MALFORMED == verdict(TOKEN[:length])
        assert Cause.MALFORMED == verdict(TOKEN[length + 1 :])


@pytest.mark.parametrize("glue", [" ", "\n", "\0", "=", "A", "AAAA", ".", "sdr_", "é", "\U0001f600"])
def test_text_around_a_token_is_malformed(glue: str) -> None:
    """Nothing may stand before, after or within a token."""
    for token in (glue + TOKEN, TOKEN + glue, TOKEN[:80] + glue + TOKEN[80:]):
        assert Cause.MALFORMED == verdict(token)


@pytest.mark.parametrize("other", [" ", "\0", "=", "+", "/", ".", "é", "\xa0", "\uff21", "\U0001f600", "\ud800"])
def test_characters_outside_the_alphabet_are_malformed(other: str) -> None:
    """No other character may take the place of one, wherever it stands, in ASCII or beyond."""
    for place in range(len(TOKEN)):
        assert Cause.MALFORMED == verdict(TOKEN[:place] + other + TOKEN[place + 1 :])


def expected_of_bit(bit: int) -> Cause:
    """Say what a flipped bit of the 120 bytes makes of the token."""
    match bit // 8:
        case place if 8 <= place < 16:
            return Cause.UNKNOWN_KEY
        case place if 22 <= place < 26 or 28 <= place < 32 or 34 <= place < 54 or 56 <= place:
            return Cause.TAMPERED
        case _:
            return Cause.MALFORMED


def test_every_flipped_bit_has_its_verdict() -> None:
    """A bit of the key id makes the key unknown, one of content or signature is tampering, others break the form."""
    found = [verdict("sdr_" + encode(flipped(BYTES, bit))) for bit in range(8 * len(BYTES))]

    assert [expected_of_bit(bit) for bit in range(8 * len(BYTES))] == found


def test_every_flipped_bit_of_the_text_is_refused() -> None:
    """No bit of the text can be turned over; what leaves the alphabet is MALFORMED."""
    alphabet = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    for bit in range(8 * len(TOKEN)):
        text = flipped(TOKEN.encode(), bit)
        found = verdict(text)

        assert found != GOOD
        if bit < 32 or text[bit // 8] not in alphabet:
            assert Cause.MALFORMED == found


@pytest.mark.parametrize(
    "token",
    [
        signed(PROTECTED, PAYLOAD, head=b"\xd1\x84"),
        signed(PROTECTED, PAYLOAD, head=b"\x84"),
        signed(PROTECTED, PAYLOAD, unprotected=b"\xa1\x01\x27"),
        signed(b"\xa2\x01\x32\x04\x48" + REFRESH_KEY.key_id, PAYLOAD),
        signed(b"\xa2\x04\x48" + REFRESH_KEY.key_id + b"\x01\x27", PAYLOAD),
        signed(PROTECTED, PAYLOAD + b"\0"),
        signed(PROTECTED, PAYLOAD[6:12] + b"\x04\x1a" + PAYLOAD[2:6] + PAYLOAD[12:]),
        signed(PROTECTED, PAYLOAD[:3] + (65535).to_bytes(4, "big") + PAYLOAD[7:]),
        signed(PROTECTED, PAYLOAD[:9] + (65535).to_bytes(4, "big") + PAYLOAD[13:]),
    ],
    ids=["tag", "no tag", "unprotected", "alg -19", "order", "longer", "claims order", "short exp", "short iat"],
)
def test_other_spellings_are_malformed_however_well_signed(token: str) -> None:
    """A COSE_Sign1 that our signer would not write is MALFORMED, though its signature is good."""
    assert Cause.MALFORMED == verdict(token)


def test_instants_that_cbor_writes_with_four_bytes_are_read() -> None:
    """65,536 and 2**32 - 1 are the first and the last instant."""
    token = refresh_token(issued_at=1 << 16, expires_at=(1 << 32) - 1)

    assert GOOD == verdict(token, (1 << 32) - 2)
    assert Cause.EXPIRED == verdict(token, (1 << 32) - 1)
    assert Cause.EXPIRED == verdict(refresh_token(issued_at=1 << 16, expires_at=1 << 16))


def test_a_token_is_dead_in_the_second_of_its_expiry() -> None:
    """The window ends before exp, an expired token still gives its fields, and iat is not judged."""
    assert GOOD == verdict(TOKEN, NOW + 599)
    assert (Cause.EXPIRED, FIELDS) == judge(REFRESH, TOKEN, now=NOW + 600)
    assert (Cause.EXPIRED, FIELDS) == judge(REFRESH, TOKEN, now=2**53 - 1)
    assert GOOD == verdict(TOKEN, 0)


def test_access_token_is_the_wrong_kind() -> None:
    """An access token is named as what it is, and so is anything of its shape."""
    assert Cause.WRONG_TOKEN_KIND == verdict(access_token())
    assert Cause.WRONG_TOKEN_KIND == verdict("eyJ..")
    assert Cause.MALFORMED == verdict("eyJ.")
    assert Cause.MALFORMED == verdict("eyJ...")
    assert Cause.WRONG_TOKEN_KIND == verdict("eyJ.." + "A" * 4091)
    assert Cause.MALFORMED == verdict("eyJ.." + "A" * 4092)
    assert Cause.MALFORMED == verdict("eyj..")


def test_keys_are_judged_before_signatures() -> None:
    """An unknown and a revoked key are named, whether or not the signature is good and the token expired."""
    for key, expected in ((OTHER_KEY, Cause.UNKNOWN_KEY), (REVOKED_REFRESH_KEY, Cause.KEY_REVOKED)):
        token = refresh_token(key)
        assert expected == verdict(token)
        assert expected == verdict(token, NOW + 600)
        assert expected == verdict(token[:-2] + ("AA" if token[-2:] != "AA" else "BB"))


def test_tampering_is_judged_before_expiry() -> None:
    """A forged token is TAMPERED, even after its expiry."""
    forged = "sdr_" + encode(flipped(BYTES, 8 * 119))

    assert Cause.TAMPERED == verdict(forged, NOW + 600)


def test_each_key_verifies_its_own_tokens() -> None:
    """Among many keys, each token finds its own; one key's signature is none of another's."""
    keys = [REFRESH_KEY, OTHER_KEY]
    tables = {key.key_id: KeyTable(key.public_key) for key in keys}
    verifier = RefreshVerifier([(key_id, table, False) for key_id, table in tables.items()])
    crossed = RefreshVerifier(
        [(REFRESH_KEY.key_id, tables[OTHER_KEY.key_id], False), (OTHER_KEY.key_id, tables[REFRESH_KEY.key_id], False)]
    )

    assert [GOOD, GOOD] == [judge(verifier, refresh_token(key), now=NOW)[0] for key in keys]
    assert [Cause.TAMPERED] * 2 == [judge(crossed, refresh_token(key), now=NOW)[0] for key in keys]


def test_no_keys_know_no_token() -> None:
    """A verifier without keys calls a well-formed token's key unknown, and reads the form all the same."""
    verifier = RefreshVerifier([])

    assert (Cause.UNKNOWN_KEY, b"") == judge(verifier, TOKEN, now=NOW)
    assert (Cause.MALFORMED, b"") == judge(verifier, TOKEN[:-1], now=NOW)


def test_tables_live_as_long_as_their_verifier() -> None:
    """A verifier keeps its tables: nobody else has to."""
    verifier = RefreshVerifier((REFRESH_KEY.key_id, KeyTable(REFRESH_KEY.public_key), False) for _ in range(1))

    assert GOOD == judge(verifier, TOKEN, now=NOW)[0]


def mixed(n_tokens: int) -> list[str | bytes]:
    """Mix good tokens with ones that have every verdict."""
    kinds: list[str | bytes] = [
        TOKEN,
        "",
        refresh_token(generation=8).encode(),
        access_token(),
        refresh_token(OTHER_KEY),
        refresh_token(REVOKED_REFRESH_KEY),
        "sdr_" + encode(flipped(BYTES, 8 * 60)),
        refresh_token(expires_at=NOW),
        "sdr_" + "A" * 160,
    ]
    return [kinds[place % len(kinds)] for place in range(n_tokens)]


@pytest.mark.parametrize("n_tokens", [0, 1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1000])
def test_a_batch_of_refresh_tokens_says_what_each_gets_alone(n_tokens: int) -> None:
    """In a batch of any size each token has its own verdict, and its fields where that is GOOD, at its place."""
    tokens = mixed(n_tokens)
    alone = [judge(REFRESH, token, now=NOW) for token in tokens]
    batch = REFRESH.verify_batch(tokens, now=NOW)

    assert bytes(found for found, _ in alone) == batch.verdicts
    assert b"".join(fields if found == GOOD else bytes(36) for found, fields in alone) == batch.fields


def test_a_batch_mixes_refresh_keys() -> None:
    """Refresh tokens under different keys are verified in one batch, each under its own."""
    keys = [REFRESH_KEY, OTHER_KEY, REVOKED_REFRESH_KEY]
    verifier = RefreshVerifier([(key.key_id, KeyTable(key.public_key), False) for key in keys])
    batch = verifier.verify_batch([refresh_token(keys[place % 3]) for place in range(200)], now=NOW)

    assert bytes(200) == batch.verdicts
    assert [keys[place % 3].key_id for place in range(200)] == [batch[place].key_id for place in range(200)]
