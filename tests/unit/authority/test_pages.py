"""Page tokens: a place in a list that nobody else can name."""

from __future__ import annotations

import pytest

from sessiond.authority.pages import page_start, page_token
from sessiond.ids import ScopeHasher

HASHER = ScopeHasher(b"s" * 32)
SUBJECT, OTHER = b"subject.", b"another."
LAST = bytes(range(16))


def test_token_leads_to_its_place() -> None:
    """A page token of 32 characters names the session after which the page starts."""
    token = page_token(HASHER, SUBJECT, LAST)
    assert (32, LAST) == (len(token), page_start(HASHER, SUBJECT, token))


@pytest.mark.parametrize(
    "token",
    [
        page_token(HASHER, OTHER, LAST),
        page_token(ScopeHasher(b"t" * 32), SUBJECT, LAST),
        page_token(HASHER, SUBJECT, LAST)[:-1],
        page_token(HASHER, SUBJECT, LAST) + "A",
        page_token(HASHER, SUBJECT, LAST)[:-4],
        "",
        "A" * 32,
        "not base64url!",
        "é",
        "\ud800",
        page_token(HASHER, SUBJECT, b""),
    ],
)
def test_other_texts_lead_nowhere(token: str) -> None:
    """The token of another list or installation, a cut one and any other text are refused."""
    with pytest.raises(ValueError, match="not a page token of this list"):
        page_start(HASHER, SUBJECT, token)


def test_every_bit_of_a_token_counts() -> None:
    """A page token with any one character changed is refused."""
    token = page_token(HASHER, SUBJECT, LAST)
    for index, character in enumerate(token):
        changed = token[:index] + ("A" if character != "A" else "B") + token[index + 1 :]
        with pytest.raises(ValueError, match="not a page token of this list"):
            page_start(HASHER, SUBJECT, changed)
