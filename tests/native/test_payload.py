"""The reader of payloads: which strings it takes, where it says that the texts stand, and that it stays inside."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterable
from dataclasses import replace

from sessiond.token.format import LayoutError, json_string, read_access_payload
from tests.native.probe import Probe
from tests.native.tokens import access_claims, access_token, payload_of
from tests.property.plain_verifier import is_utf8

PAYLOAD = payload_of(access_token())
TEXTS = ("issuer", "audience", "subject", "client_id", "tenant", "claims")


class _Text(ctypes.Structure):
    _fields_ = (("at", ctypes.c_uint16), ("len", ctypes.c_uint16))


class _Payload(ctypes.Structure):
    _fields_ = (
        ("expires_at", ctypes.c_uint32),
        ("issued_at", ctypes.c_uint32),
        ("jti", ctypes.c_uint8 * 24),
        ("rev", ctypes.c_uint8 * 24),
        *((name, _Text) for name in TEXTS),
    )


def read(probe: Probe, json: bytes) -> _Payload | None:
    """Read a payload out of memory that ends with it, for sanitizers to watch; None when it is refused."""
    memory = (ctypes.c_uint8 * len(json)).from_buffer_copy(json)
    out = _Payload()
    return out if probe.library.probe_payload_read(ctypes.byref(out), memory, ctypes.c_size_t(len(json))) else None


def texts(probe: Probe, json: bytes) -> dict[str, bytes] | None:
    """Cut the texts out of a payload."""
    found = read(probe, json)
    if found is None:
        return None
    places = {name: getattr(found, name) for name in TEXTS}
    return {name: json[place.at : place.at + place.len] for name, place in places.items()}


def with_subject(inside: bytes, after: bytes = b"") -> bytes:
    """Put a text between the quotes of the subject, and *after* into the claims."""
    payload = PAYLOAD.replace(b'"sub":"u-1"', b'"sub":"%s"' % inside).replace(b"clerk", b"clerk" + after)
    assert payload != PAYLOAD or inside == b"u-1"
    return payload


def taken(probe: Probe, insides: Iterable[bytes]) -> list[bytes]:
    """List the insides of a string that are taken; the plain reader must take the same, and read what Python reads."""
    accepted = []
    for inside in insides:
        json = with_subject(inside)
        found = texts(probe, json)
        try:
            subject = read_access_payload(json).subject
        except LayoutError:
            assert found is None
        else:
            assert found is not None
            assert inside == found["subject"] == json_string(subject)
            accepted.append(inside)
    return accepted


def test_where_the_texts_stand(probe: Probe) -> None:
    """Each text is what stands between its quotes, the claims are what would stand between the braces of an object."""
    for claims_json, inside in (('{"role":"clerk"}', b'"role":"clerk"'), ("", b""), ('{ "a":1 }', b' "a":1 ')):
        claims = access_claims(issuer="", audience='"', claims_json=claims_json)
        found = texts(probe, payload_of(access_token(claims=claims)))

        assert {
            "issuer": b"",
            "audience": b'\\"',
            "subject": b"u-1",
            "client_id": b"web",
            "tenant": b"acme",
            "claims": inside,
        } == found


def test_what_stands_before_the_texts(probe: Probe) -> None:
    """Instants, jti and rev are those that the plain reader reads."""
    found, plain = read(probe, PAYLOAD), read_access_payload(PAYLOAD)
    assert found is not None

    assert (plain.expires_at, plain.issued_at) == (found.expires_at, found.issued_at)
    fixed = plain.generation.to_bytes(4, "big") + plain.issued_at.to_bytes(4, "big")
    assert plain.session_id + fixed == bytes(found.jti)
    assert plain.tenant_hash + plain.subject_hash + plain.born.to_bytes(8, "big") == bytes(found.rev)


def test_every_byte_at_every_place_of_an_instant(probe: Probe) -> None:
    """A byte may stand in an instant exactly when the plain reader takes it there, and both read the same number."""
    for start in (PAYLOAD.index(b'"exp":') + 6, PAYLOAD.index(b'"iat":') + 6):
        for place in range(start, start + 10):
            for byte in range(256):
                json = PAYLOAD[:place] + bytes([byte]) + PAYLOAD[place + 1 :]
                found = read(probe, json)
                try:
                    plain = read_access_payload(json)
                except LayoutError:
                    assert found is None
                else:
                    assert found is not None
                    assert (plain.expires_at, plain.issued_at) == (found.expires_at, found.issued_at)


def test_instants_of_every_size(probe: Probe) -> None:
    """Every instant is read as it is written, from the first to the last; the next one is refused."""
    chance = random.Random(32)  # noqa: S311 - the same cases each time
    instants = [10**9, 2**32 - 1, 1_999_999_999, 4_000_000_009, *(chance.randrange(10**9, 2**32) for _ in range(1000))]
    start = PAYLOAD.index(b'"exp":') + 6
    for instant in instants:
        found = read(probe, PAYLOAD[:start] + b"%d" % instant + PAYLOAD[start + 10 :])
        assert found is not None
        assert instant == found.expires_at
    for instant in (2**32, 4_294_967_300, 4_300_000_000, 9_999_999_999):
        assert read(probe, PAYLOAD[:start] + b"%d" % instant + PAYLOAD[start + 10 :]) is None


def test_every_byte_at_every_place_of_a_string(probe: Probe) -> None:
    """A byte may stand in a string exactly when Python would leave it there, whichever of eight it is."""
    plain = [byte for byte in range(0x20, 0x80) if byte not in b'"\\']
    for length in (1, 7, 8, 9, 17):
        for place in range(length):
            cases = [b"x" * place + bytes([byte]) + b"x" * (length - 1 - place) for byte in range(256)]

            assert [cases[byte] for byte in plain] == taken(probe, cases)


def test_every_escape(probe: Probe) -> None:
    """An escape is taken exactly when json_string writes it: for a quote, a backslash, and what is below 0x20."""
    written = {json_string(chr(code)) for code in [*range(0x20), ord('"'), ord("\\")]}
    letters = [b"\\" + bytes([byte]) for byte in range(256)]
    numbers = [b"\\u%04x" % code for code in range(0x180)] + [b"\\u%04X" % code for code in range(0x40)]
    surrogates = [b"\\ud83d", b"\\ude00", b"\\ud83d\\ude00", b"\\u00", b"\\u", b"\\u001", b"\\u00\x001", b"\\u001\0"]
    last_digits = [b"\\u00%c%c" % (tens, byte) for tens in b"012\0" for byte in range(256)]

    for head in (b"", b"1234567", b"1234567\\n"):
        cases = [head + case for case in {*letters, *numbers, *surrogates, *last_digits}]
        assert {head + escape for escape in written} == set(taken(probe, cases))


def test_escapes_at_the_end_of_the_payload(probe: Probe) -> None:
    """A payload that ends within an escape is refused from its own bytes alone."""
    for escape in (b"\\", b"\\u", b"\\u0", b"\\u00", b"\\u001", b"\\u001f", b'\\"'):
        for n_before in range(9):
            json = PAYLOAD[: PAYLOAD.index(b"acme")] + b"x" * n_before + escape

            assert read(probe, json) is None


def test_utf8_of_two_bytes(probe: Probe) -> None:
    """Of all pairs of bytes with the first bit set, those are taken that are UTF-8."""
    pairs = [bytes([first, second]) for first in range(0x80, 0x100) for second in range(0x100)]
    decided = [pair for pair in pairs if pair[1] not in b'"\\' and pair[1] >= 0x20]

    assert [pair for pair in decided if is_utf8(pair)] == [
        pair for pair in decided if read(probe, with_subject(pair)) is not None
    ]


def test_utf8_of_three_and_four_bytes(probe: Probe) -> None:
    """Longer characters at the edges of every range are taken exactly when they are UTF-8, wherever they stand."""
    edges = bytes([0x40, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0])
    firsts = bytes([0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF])
    cases = [bytes([first, second, third]) for first in firsts for second in edges for third in edges]
    cases += [case + bytes([fourth]) for case in cases if case[0] >= 0xF0 for fourth in edges]
    for place, case in enumerate(cases):
        before = b"x" * (place % 40)

        assert is_utf8(case) is (read(probe, with_subject(before + case)) is not None)
        assert is_utf8(case) is (read(probe, with_subject(b"u-1", before + case)) is not None)


def test_utf8_at_every_place(probe: Probe) -> None:
    """A character, whole or broken, is seen at each place of a long text, between strings and in the claims."""
    for n_before in range(70):
        for character, good in (("é".encode(), True), ("\U0001f600".encode(), True), (b"\xe2\x82", False)):
            text = b"x" * n_before + character + b"x" * 40

            assert good is (read(probe, with_subject(text)) is not None)
            assert good is (read(probe, with_subject(b"u-1", text)) is not None)
        assert read(probe, PAYLOAD[:-2] + b"x" * n_before + b"\xc3}") is None


def test_nothing_behind_the_payload_is_read(probe: Probe) -> None:
    """A payload that ends early is refused from its own bytes alone: sanitizers watch the end of each."""
    for length in range(len(PAYLOAD)):
        assert read(probe, PAYLOAD[:length]) is None
    assert read(probe, PAYLOAD) is not None


def test_payloads_longer_than_a_place_can_say(probe: Probe) -> None:
    """A payload of 65,535 bytes is read, one byte more is refused: no place is cut to 16 bits."""
    longest = with_subject(b"u-1", b"x" * (2**16 - 1 - len(PAYLOAD)))
    found = texts(probe, longest)

    assert found is not None
    assert found["claims"].endswith(b'x"')
    assert read(probe, longest[:-1] + b" }") is None


def test_session_ids_of_every_digit(probe: Probe) -> None:
    """The sid is the lower-case text of the id in jti, whatever its digits; any other character is refused."""
    chance = random.Random(16)  # noqa: S311 - the same cases each time
    for _ in range(200):
        json = payload_of(access_token(claims=replace(access_claims(), session_id=chance.randbytes(16))))
        assert read(probe, json) is not None
        start = json.index(b'"sid":"') + len(b'"sid":"')
        for place in range(start, start + 36):
            changed = bytearray(json)
            changed[place] ^= 1 << chance.randrange(8)
            assert read(probe, bytes(changed)) is None
