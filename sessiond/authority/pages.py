"""Page tokens of lists: where the next page starts, readable by the authority alone."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from sessiond.ids import SESSION_ID_SIZE
from sessiond.token.format import decode_base64url, encode_base64url

if TYPE_CHECKING:
    from sessiond.ids import ScopeHasher


def page_token(hasher: ScopeHasher, subject_hash: bytes, last: bytes) -> str:
    """Name the page that starts after the session *last* in the list of a subject: 32 characters."""
    return encode_base64url(last + hasher.place(subject_hash, last))


def page_start(hasher: ScopeHasher, subject_hash: bytes, token: str) -> bytes:
    """
    Read the session after which a page starts.

    Raises:
        ValueError: *token* was not made for a list of this subject.

    """
    try:
        last = decode_base64url(token)[:SESSION_ID_SIZE]
    except ValueError:
        last = b""
    # One spelling leads to a place, so the token that would be made for it is the only one.
    if not hmac.compare_digest(token.encode(errors="replace"), page_token(hasher, subject_hash, last).encode()):
        message = "not a page token of this list: give next_page_token as it came with the page before"
        raise ValueError(message)
    return last
