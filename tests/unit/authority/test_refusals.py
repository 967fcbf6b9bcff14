"""What the authority says of a cause."""

from __future__ import annotations

from sessiond.authority.refusals import sentence
from sessiond.errors import Cause

# Judged from the text of a token, whose verifier knows more and says it.
OF_THE_TEXT = {
    Cause.MALFORMED,
    Cause.UNKNOWN_KEY,
    Cause.TAMPERED,
    Cause.NOT_YET_VALID,
    Cause.WRONG_TOKEN_KIND,
    Cause.WRONG_AUDIENCE,
}
# Judged by verifiers that are not the authority.
OF_OTHERS = {Cause.VERIFIER_STALE}


def test_every_cause_that_the_authority_finds_has_a_sentence() -> None:
    """Each cause that is not found in the text alone has a sentence of its own, to be continued by others."""
    sentences = {cause: sentence(cause) for cause in set(Cause) - OF_THE_TEXT - OF_OTHERS}
    assert len(sentences) == len(set(sentences.values()))
    assert [] == [text for text in sentences.values() if text != text.strip(". ") or text[0].isupper()]
