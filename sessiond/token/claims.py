"""The application's claims and data, checked before they are stored or signed; and when an access token dies."""

from __future__ import annotations

import hashlib
import json
import math
import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

RESERVED_CLAIMS = frozenset(
    {
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "sid",
        "tenant",
        "rev",
        "cnf",
        "act",
        "may_act",
        "status",
        "nonce",
        "events",
        "sub_id",
        "token_use",
    }
)
MAX_CLAIMS_BYTES = 2048
MAX_DEPTH = 8

_JITTER_PERCENT = 5
_SHOWN_NAME_LENGTH = 64
# A string, whole or broken off, or one bracket. Possessive, and it matches at every quote it starts at, so a
# scan is linear in the text however hostile that is.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def check_json_object(
    text: str,
    *,
    max_bytes: int = MAX_CLAIMS_BYTES,
    max_depth: int = MAX_DEPTH,
    reserved: frozenset[str] = frozenset(),
) -> None:
    """
    Check that *text* is one JSON object that every reader understands alike.

    The text itself is kept and spliced into tokens verbatim, so whatever
    parsers disagree about is refused: names given twice, NaN and Infinity,
    numbers beyond a double, NUL and lone surrogates, escaped or not. Integers
    above 2**53 are allowed, since they are kept digit for digit.

    Args:
        text: The JSON text.
        max_bytes: Its length in UTF-8 that is still allowed.
        max_depth: How deep objects and arrays may be nested, the outer object
            being 1; at most 100.
        reserved: Names that the outer object must not have in any spelling, since readers may ignore case;
            folded.

    Raises:
        ValueError: *text* is anything else. The message says what is wrong, to
            whoever wrote the text. Nothing else is raised, whatever the text.

    """
    value = read_json(text, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, dict):
        message = "not a JSON object: it must begin with { and end with }"
        raise ValueError(message)  # noqa: TRY004 - the value is at fault, and callers await one class
    for name in value:
        if name.casefold() in reserved:
            message = f"the name {name!r} is reserved"
            raise ValueError(message)


def read_json(text: str, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> object:
    """
    Read one JSON value that every reader understands alike, by the rules of :func:`check_json_object`.

    Numbers keep every digit: an int, or a Decimal where a point or an exponent stands.

    Raises:
        ValueError: *text* is anything else; the message says what is wrong, to whoever wrote it.

    """
    try:
        n_bytes = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(_LONE_SURROGATE) from None
    if n_bytes > max_bytes:
        message = f"it has {n_bytes} bytes, {max_bytes} are allowed"
        raise ValueError(message)
    _check_depth(text, max_depth)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_read_object,
            parse_float=_read_fraction,
            parse_int=_read_integer,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        message = f"not JSON: it goes wrong at character {error.pos + 1} of {len(text)}"
        raise ValueError(message) from None
    _check_texts(value)
    return value


def read_claims(claims_json: str) -> dict[str, object]:
    """Read the claims of a token as :func:`read_json` does; they were checked before they were signed."""
    claims: dict[str, object] = _CLAIMS.raw_decode(claims_json)[0]
    return claims


def _exact_decimal(digits: str) -> Decimal:
    """Read a number with every digit; one smaller than 10 to the power of -10**18 is 0."""
    return _EXACT.create_decimal(digits)


_EXACT = Context(prec=MAX_CLAIMS_BYTES, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])
# Kept, since json.loads makes one each time, which costs more than to read short claims.
_CLAIMS = json.JSONDecoder(parse_float=_exact_decimal)

_LONE_SURROGATE = "it holds a lone surrogate, which is no Unicode character"


def access_expires_at(
    issued_at: int,
    access_seconds: int,
    session_id: bytes,
    generation: int,
    absolute_expires_at: int,
) -> int:
    """
    Say when an access token dies: *access_seconds* after its issue less up to 5 %, and never after its session.

    The jitter keeps a fleet from refreshing in step. It is a function of the
    token's jti alone, so the same token can be made again.

    Args:
        issued_at: Seconds since the epoch, below 2**32.
        access_seconds: The life of access tokens, at least 1.
        session_id: 16 bytes.
        generation: The generation of the refresh token beside it.
        absolute_expires_at: When the session dies.

    """
    jti = session_id + generation.to_bytes(4, "big") + issued_at.to_bytes(4, "big")
    steps = access_seconds * _JITTER_PERCENT // 100 + 1
    jitter = int.from_bytes(hashlib.sha256(jti).digest()[:8], "big") % steps
    return min(issued_at + access_seconds - jitter, absolute_expires_at)


def _check_depth(text: str, max_depth: int) -> None:
    """Count brackets outside strings, so that the parser, which recurses, never meets a text that is too deep."""
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth > max_depth:
                message = f"it is nested more than {max_depth} deep"
                raise ValueError(message)
        elif found[0] in "]}":
            depth -= 1


def _read_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            message = f"the name {name[:_SHOWN_NAME_LENGTH]!r} stands twice in one object"
            raise ValueError(message)
        members[name] = value
    return members


def _read_integer(digits: str) -> int:
    _check_number(digits)
    return int(digits)


def _read_fraction(digits: str) -> Decimal:
    _check_number(digits)
    return _exact_decimal(digits)


def _check_number(digits: str) -> None:
    if math.isinf(float(digits)):
        message = "it holds a number that no double can hold"
        raise ValueError(message)


def _refuse_constant(name: str) -> None:
    message = f"not JSON: {name} is no JSON value"
    raise ValueError(message)


def _check_texts(value: object) -> None:
    """Refuse NUL and lone surrogates in any string; the depth is bounded by now."""
    if isinstance(value, str):
        if "\0" in value:
            message = "it holds the character NUL"
            raise ValueError(message)
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(_LONE_SURROGATE)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_texts(name)
            _check_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_texts(inner)
