"""Reading any text as a token without trusting it: what it says, or what is wrong with it and where."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sessiond.token.format import (
    REFRESH_PREFIX,
    AccessContent,
    LayoutError,
    RefreshContent,
    decode_base64url,
    read_access,
    read_refresh,
)

# How the base64url of every JSON object begins that begins with a member.
_ACCESS_PREFIX = "eyJ"


class TokenKind(enum.Enum):
    """What a text is meant to be, by how it begins."""

    REFRESH = "a refresh token"
    ACCESS = "an access token"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a text, at which of its characters, counted from 1. Holds nothing of the text."""

    message: str
    character: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """
    What a text says, checked by nobody: anyone can write a token like it.

    Attributes:
        kind: What it begins like; None when it begins like neither kind.
        header: Its header: JSON of an access token, also where that is of another kind of JWT,
            CBOR in diagnostic notation (RFC 8949, section 8) of a refresh token. None where it cannot be read
            or printed.
        key_id: The key that it names; None when there is a fault.
        content: Its fields; None when there is a fault.
        fault: Why it is MALFORMED; None when it is laid out as a token of its kind.

    """

    kind: TokenKind | None
    header: str | None = None
    key_id: bytes | None = None
    content: RefreshContent | AccessContent | None = None
    fault: Fault | None = None

    @property
    def summary(self) -> str:
        """Say in one sentence whether it is laid out as a token. Holds nothing of the text."""
        what = "a token" if self.kind is None else self.kind.value
        if self.fault is None:
            return f"laid out as {what}; whether the signature is good, only its key can say"
        return f"not laid out as {what}: {self.fault.message} (character {self.fault.character})"


def inspect(text: str) -> Inspection:
    """
    Read *text* without checking its signature.

    Nothing is raised because of a text, however wrong. It reads exactly what a
    verifier takes for more than MALFORMED.
    """
    if text.startswith(REFRESH_PREFIX):
        return _inspect_refresh(text)
    if text.startswith(_ACCESS_PREFIX):
        return _inspect_access(text)
    places = [at for at in (text.find(REFRESH_PREFIX), text.find(_ACCESS_PREFIX)) if at > 0]
    if places:
        message = f"something stands before its start at character {min(places) + 1}"
    else:
        message = f"it begins neither with {REFRESH_PREFIX} like a refresh token nor with eyJ like an access token"
    return Inspection(None, fault=Fault(message, 1))


def _inspect_refresh(text: str) -> Inspection:
    try:
        content = read_refresh(text)
    except LayoutError as error:
        return Inspection(TokenKind.REFRESH, fault=_fault(error))
    header = f"{{1: -8, 4: h'{content.key_id.hex()}'}}"
    return Inspection(TokenKind.REFRESH, header, content.key_id, content)


def _inspect_access(text: str) -> Inspection:
    header = _header(text)
    try:
        key_id, content = read_access(text)
    except LayoutError as error:
        return Inspection(TokenKind.ACCESS, header, fault=_fault(error))
    return Inspection(TokenKind.ACCESS, header, key_id, content)


def _header(text: str) -> str | None:
    """Read the header of any JWT, so that one that another issuer wrote shows what it is."""
    try:
        header = decode_base64url(text.partition(".")[0]).decode()
    except ValueError:
        return None
    return header if header.isprintable() else None


def _fault(error: LayoutError) -> Fault:
    return Fault(error.message, error.at + 1)
