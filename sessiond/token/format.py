"""
The layout of both tokens, byte for byte; ``docs/token-format.md`` is the same in prose.

Rule 1: everything that knows an offset, a constant byte or a member's place stands here
and in the compiled parser, and nowhere else.
Rule 2: a token has one spelling. What is read here is exactly what is written here.
Rule 3: the format belongs to the key. This layout is format 1 and never changes; another
layout gets another number, new keys that carry it, and a parser of its own.

Nothing here checks a signature: content that was read here is not to be trusted.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from typing import NamedTuple

from sessiond.ids import SCOPE_HASH_SIZE, SESSION_ID_SIZE, session_id_text

FORMAT = 1
KEY_ID_SIZE = 8
SIGNATURE_SIZE = 64

REFRESH_PREFIX = "sdr_"
REFRESH_SIZE = 120
REFRESH_LENGTH = len(REFRESH_PREFIX) + REFRESH_SIZE * 4 // 3

ACCESS_MAX_LENGTH = 4096
ACCESS_HEADER_LENGTH = 74
ACCESS_SIGNATURE_LENGTH = 86
# Between header, payload and signature (RFC 7515, section 3.1).
_ACCESS_DOTS = 2

# The five-byte form of a CBOR integer, and the ten digits of a decimal one, hold exactly these instants.
REFRESH_INSTANTS = range(1 << 16, 1 << 32)
ACCESS_INSTANTS = range(1_000_000_000, 1 << 32)

# Deterministic CBOR (RFC 8949, section 4.2.1) of a COSE_Sign1 (RFC 9052) that holds a CWT (RFC 8392):
# 18([<<{1: -8, 4: key id}>>, {}, <<{4: exp, 6: iat, 7: cti}>>, signature]).
_TAG_AND_ARRAY = b"\xd2\x84"
_PROTECTED = b"\x4d\xa2\x01\x27\x04\x48"
_UNPROTECTED = b"\xa0"
_PAYLOAD = b"\x58\x23"
_SIGNATURE = b"\x58\x40"
_CLAIMS = struct.Struct(">3sI2sI2s16sI")
_EXP, _IAT, _CTI = b"\xa3\x04\x1a", b"\x06\x1a", b"\x07\x54"
# RFC 9052, section 4.4: the Sig_structure ["Signature1", protected, external_aad h'', payload].
_SIG_STRUCTURE = b"\x84\x6aSignature1"
_NO_EXTERNAL_DATA = b"\x40"

_JTI = struct.Struct(">16sII")
_REV = struct.Struct(">8s8sQ")

# Where the instants stand in the bytes of a refresh token.
_EXP_AT, _IAT_AT = 22, 28

_NOT_IN_ALPHABET = re.compile(r"[^A-Za-z0-9_-]")
_HEADER = re.compile(rb'\{"alg":"EdDSA","kid":"([0-9a-f]{16})","typ":"at\+jwt"\}')
_INSTANT, _OPAQUE, _UUID = rb"([1-9][0-9]{9})", rb'"([\w-]{32})"', rb'"([0-9a-f-]{36})"'
# The escapes are those of RFC 8785, section 3.2.2.2: no other character has one.
_TEXT = rb'"((?:[^"\\\x00-\x1f]++|\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f])))*+)"'
# The members of the payload in their order, then the application's claims. Each matches in one way at most.
_PAYLOAD_MEMBERS = {
    name: re.compile(pattern, re.DOTALL)
    for name, pattern in {
        "exp": rb'\{"exp":' + _INSTANT,
        "iat": rb',"iat":' + _INSTANT,
        "jti": rb',"jti":' + _OPAQUE,
        "rev": rb',"rev":' + _OPAQUE,
        "iss": rb',"iss":' + _TEXT,
        "aud": rb',"aud":' + _TEXT,
        "sub": rb',"sub":' + _TEXT,
        "client_id": rb',"client_id":' + _TEXT,
        "sid": rb',"sid":' + _UUID,
        "tenant": rb',"tenant":' + _TEXT,
        "": rb"((?:,.+)?)\}\Z",
    }.items()
}
_JSON_SPACE = " \t\n\r"


class LayoutError(ValueError):
    """
    A text is not laid out as it should be.

    The message holds nothing of the text. ``at`` is the offset in it where it
    goes wrong, from 0: in characters of a text, in bytes of a payload.
    """

    def __init__(self, message: str, at: int) -> None:
        """Say what is wrong at offset *at*."""
        super().__init__(message)
        self.message = message
        self.at = at


class RefreshContent(NamedTuple):
    """What a refresh token says. Instants are seconds since the epoch; the generation is a u32."""

    key_id: bytes
    expires_at: int
    issued_at: int
    session_id: bytes
    generation: int


class AccessContent(NamedTuple):
    """
    What the payload of an access token says.

    Instants are seconds since the epoch, the generation is a u32, the hashes
    have 8 bytes, ``born`` is a u64. ``claims_json`` is one JSON object, verbatim.
    """

    expires_at: int
    issued_at: int
    session_id: bytes
    generation: int
    tenant_hash: bytes
    subject_hash: bytes
    born: int
    issuer: str
    audience: str
    subject: str
    client_id: str
    tenant: str
    claims_json: str


def encode_base64url(data: bytes) -> str:
    """Spell bytes as base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes:
    """
    Read base64url in its one spelling: no padding, no other character, spare bits zero.

    Raises:
        LayoutError: *text* is anything else.

    """
    wrong = _NOT_IN_ALPHABET.search(text)
    if wrong is not None:
        what = "white space" if wrong[0].isspace() else "a character that base64url does not have"
        message = f"{what} stands in it"
        raise LayoutError(message, wrong.start())
    if len(text) % 4 == 1:
        message = "the base64url ends in the middle of a byte"
        raise LayoutError(message, len(text))
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode_base64url(data) != text:
        message = "the last character of the base64url has bits set that spell nothing"
        raise LayoutError(message, len(text) - 1)
    return data


def json_string(text: str) -> bytes:
    """
    Escape *text* as the inside of a JSON string, in the one spelling of RFC 8785, section 3.2.2.2, as UTF-8.

    Raises:
        ValueError: *text* holds a lone surrogate, which no UTF-8 can spell.

    """
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


def write_refresh_claims(expires_at: int, issued_at: int, session_id: bytes, generation: int) -> bytes:
    """
    Write the payload of a refresh token, 35 bytes.

    Raises:
        ValueError: an instant, the id or the generation does not fit its fixed width.

    """
    _check_fields(REFRESH_INSTANTS, expires_at, issued_at, session_id, generation)
    return _CLAIMS.pack(_EXP, expires_at, _IAT, issued_at, _CTI, session_id, generation)


def refresh_signature_input(key_id: bytes, claims: bytes) -> bytes:
    """Give the 64 bytes that the signature of a refresh token is made over: its Sig_structure."""
    return _SIG_STRUCTURE + _PROTECTED + key_id + _NO_EXTERNAL_DATA + _PAYLOAD + claims


def write_refresh(key_id: bytes, claims: bytes, signature: bytes) -> str:
    """Put a refresh token together, 164 characters."""
    token = _TAG_AND_ARRAY + _PROTECTED + key_id + _UNPROTECTED + _PAYLOAD + claims + _SIGNATURE + signature
    return REFRESH_PREFIX + encode_base64url(token)


def read_refresh(token: str) -> RefreshContent:
    """
    Read a refresh token without checking its signature.

    Raises:
        LayoutError: *token* is not laid out as a refresh token.

    """
    if len(token) != REFRESH_LENGTH:
        cut = "its end is cut off" if len(token) < REFRESH_LENGTH else "something follows it"
        message = f"it has {len(token)} characters where a refresh token has {REFRESH_LENGTH}: {cut}"
        raise LayoutError(message, min(len(token), REFRESH_LENGTH))
    if not token.startswith(REFRESH_PREFIX):
        message = f"it does not begin with {REFRESH_PREFIX}"
        raise LayoutError(message, 0)
    data = _decode_part(token, len(REFRESH_PREFIX), len(token))
    key_id, claims, signature = data[8:16], data[19:54], data[56:]
    _, expires_at, _, issued_at, _, session_id, generation = _CLAIMS.unpack(claims)
    # Written again from what was read, it differs wherever a constant byte is wrong.
    again = write_refresh(
        key_id, _CLAIMS.pack(_EXP, expires_at, _IAT, issued_at, _CTI, session_id, generation), signature
    )
    for at, (character, expected) in enumerate(zip(token, again, strict=True)):
        if character != expected:
            message = "a constant byte of the CWT is not what it is in every refresh token"
            raise LayoutError(message, at)
    for instant, at in (expires_at, _EXP_AT), (issued_at, _IAT_AT):
        if instant not in REFRESH_INSTANTS:
            message = f"an instant is below {REFRESH_INSTANTS.start}"
            raise LayoutError(message, len(REFRESH_PREFIX) + at * 4 // 3)
    return RefreshContent(key_id, expires_at, issued_at, session_id, generation)


def write_access_header(key_id: bytes) -> str:
    """Write the header of every access token that a key signs, 74 characters."""
    return encode_base64url(b'{"alg":"EdDSA","kid":"%s","typ":"at+jwt"}' % key_id.hex().encode())


def read_access_header(text: str) -> bytes:
    """
    Read the key id out of the header of an access token.

    Raises:
        LayoutError: *text* is not the header that :func:`write_access_header` writes for any key.

    """
    header = _HEADER.fullmatch(decode_base64url(text))
    if header is None:
        message = 'its header is not {"alg":"EdDSA","kid":"<16 digits of hex>","typ":"at+jwt"}'
        raise LayoutError(message, 0)
    return bytes.fromhex(header[1].decode())


def write_access_payload(content: AccessContent) -> bytes:
    """
    Write the payload of an access token: UTF-8 JSON, its members in fixed order.

    Raises:
        ValueError: a value does not fit its fixed width, a text is not Unicode, or
            ``claims_json`` is not bracketed as an object.

    """
    c = content
    _check_fields(ACCESS_INSTANTS, c.expires_at, c.issued_at, c.session_id, c.generation)
    if {len(c.tenant_hash), len(c.subject_hash)} != {SCOPE_HASH_SIZE} or not 0 <= c.born < 1 << 64:
        message = "tenant_hash and subject_hash have 8 bytes, born is below 2**64"
        raise ValueError(message)
    jti = encode_base64url(_JTI.pack(c.session_id, c.generation, c.issued_at))
    rev = encode_base64url(_REV.pack(c.tenant_hash, c.subject_hash, c.born))
    return b'{"exp":%d,"iat":%d,"jti":"%s","rev":"%s","iss":"%s","aud":"%s","sub":"%s","client_id":"%s"' % (
        c.expires_at,
        c.issued_at,
        jti.encode(),
        rev.encode(),
        json_string(c.issuer),
        json_string(c.audience),
        json_string(c.subject),
        json_string(c.client_id),
    ) + b',"sid":"%s","tenant":"%s"%s}' % (
        session_id_text(c.session_id).encode(),
        json_string(c.tenant),
        _members(c.claims_json).encode(),
    )


def read_access_payload(payload: bytes) -> AccessContent:
    """
    Read the payload of an access token.

    Raises:
        LayoutError: *payload* is not laid out as :func:`write_access_payload` does.

    """
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        message = "its payload is not UTF-8"
        raise LayoutError(message, error.start) from None
    found: dict[str, re.Match[bytes]] = {}
    at = 0
    for name, pattern in _PAYLOAD_MEMBERS.items():
        member = pattern.match(payload, at)
        if member is None:
            message = f"its member {name} is not in its place or not of its form" if name else "it does not end as JSON"
            raise LayoutError(message, at)
        found[name] = member
        at = member.end()
    expires_at, issued_at = int(found["exp"][1]), int(found["iat"][1])
    session_id, generation, jti_issued_at = _JTI.unpack(decode_base64url(found["jti"][1].decode()))
    for name, holds, message in (
        ("exp", expires_at in ACCESS_INSTANTS, "its member exp is not below 2**32"),
        ("iat", issued_at in ACCESS_INSTANTS, "its member iat is not below 2**32"),
        ("jti", jti_issued_at == issued_at, "its member jti names another time of issue than iat"),
        (
            "sid",
            found["sid"][1].decode() == session_id_text(session_id),
            "its member sid names another session than jti",
        ),
    ):
        if not holds:
            raise LayoutError(message, found[name].start(1))
    tenant_hash, subject_hash, born = _REV.unpack(decode_base64url(found["rev"][1].decode()))
    return AccessContent(
        expires_at=expires_at,
        issued_at=issued_at,
        session_id=session_id,
        generation=generation,
        tenant_hash=tenant_hash,
        subject_hash=subject_hash,
        born=born,
        issuer=_read_text(found["iss"]),
        audience=_read_text(found["aud"]),
        subject=_read_text(found["sub"]),
        client_id=_read_text(found["client_id"]),
        tenant=_read_text(found["tenant"]),
        claims_json="{" + found[""][1].decode()[1:] + "}",
    )


def read_access(token: str) -> tuple[bytes, AccessContent]:
    """
    Read an access token without checking its signature: its key id and what its payload says.

    Raises:
        LayoutError: *token* is not laid out as an access token.

    """
    if len(token) > ACCESS_MAX_LENGTH:
        message = f"it has {len(token)} characters, {ACCESS_MAX_LENGTH} are allowed"
        raise LayoutError(message, ACCESS_MAX_LENGTH)
    n_dots = token.count(".")
    if n_dots != _ACCESS_DOTS:
        cut = "its end is cut off" if n_dots < _ACCESS_DOTS else "it is another kind of token"
        message = f"it has {n_dots} dots where an access token has {_ACCESS_DOTS}: {cut}"
        raise LayoutError(message, len(token))
    header_end = token.index(".")
    payload_end = token.rindex(".")
    key_id = read_access_header(token[:header_end])
    payload = _decode_part(token, header_end + 1, payload_end)
    try:
        content = read_access_payload(payload)
    except LayoutError as error:
        raise LayoutError(error.message, header_end + 1 + error.at * 4 // 3) from None
    n_signature = len(token) - payload_end - 1
    if n_signature != ACCESS_SIGNATURE_LENGTH:
        cut = "its end is cut off" if n_signature < ACCESS_SIGNATURE_LENGTH else "something follows it"
        message = f"its signature has {n_signature} characters where it should have {ACCESS_SIGNATURE_LENGTH}: {cut}"
        raise LayoutError(message, payload_end + 1 + min(n_signature, ACCESS_SIGNATURE_LENGTH))
    _decode_part(token, payload_end + 1, len(token))
    return key_id, content


def _members(claims_json: str) -> str:
    """Give the members of an object as they follow others: verbatim, with a comma before them if there are any."""
    text = claims_json.strip(_JSON_SPACE)
    if not text:
        return ""
    if len(text) < len("{}") or text[0] != "{" or text[-1] != "}":
        message = "claims_json is not a JSON object"
        raise ValueError(message)
    members = text[1:-1]
    return "," + members if members.strip(_JSON_SPACE) else ""


def _decode_part(token: str, start: int, end: int) -> bytes:
    """Decode a part of a token; a fault counts from the start of the token."""
    try:
        return decode_base64url(token[start:end])
    except LayoutError as error:
        raise LayoutError(error.message, start + error.at) from None


def _read_text(member: re.Match[bytes]) -> str:
    """Read the inside of a JSON string, whose escapes are known to be right."""
    text: str = json.loads(f'"{member[1].decode()}"')
    return text


def _check_fields(instants: range, expires_at: int, issued_at: int, session_id: bytes, generation: int) -> None:
    if expires_at not in instants or issued_at not in instants:
        message = f"expires_at and issued_at lie between {instants.start} and {instants.stop - 1}"
        raise ValueError(message)
    if len(session_id) != SESSION_ID_SIZE or not 0 <= generation < 1 << 32:
        message = "session_id has 16 bytes, generation is below 2**32"
        raise ValueError(message)
