"""
Access tokens judged for a caller that acts for some tenants alone.

Rule 1: what became of a session is told to its own tenant alone. So a token of another tenant is WRONG_TENANT whether
    its session lives or not, though the verifier has asked the revocation index already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiond.errors import Cause, InvalidAccessToken
from sessiond.ids import session_id_text
from sessiond.token.endings import ENDINGS
from sessiond.token.verdicts import GOOD

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from sessiond.token.verify import AccessBatch, AccessVerifier, VerifiedAccessToken

WRONG_TENANT: Final = "the session belongs to another tenant than the one that the caller acts for"


def wrong_tenant(token: VerifiedAccessToken) -> InvalidAccessToken:
    """Refuse a token of another tenant."""
    return InvalidAccessToken(Cause.WRONG_TENANT, WRONG_TENANT, session_id=session_id_text(token.session_id))


def verify_for(
    tenants: Container[str] | None,
    verifier: AccessVerifier,
    access_token: str,
    *,
    audience: str,
    now: int,
    leeway: int,
) -> VerifiedAccessToken:
    """
    Accept an access token of one of *tenants*, None for all of them; else as the verifier does.

    Raises:
        InvalidAccessToken: The token is refused.

    """
    try:
        token = verifier.verify(access_token, audience=audience, now=now, leeway=leeway)
    except InvalidAccessToken as refusal:
        if tenants is not None and refusal.cause in ENDINGS:
            ended = verifier.read_signed(access_token)
            if ended.tenant not in tenants:
                raise wrong_tenant(ended) from None
        raise
    if tenants is not None and token.tenant not in tenants:
        raise wrong_tenant(token)
    return token


def verdicts_for(
    tenants: Container[str] | None, verifier: AccessVerifier, batch: AccessBatch, access_tokens: Sequence[str]
) -> bytearray:
    """Give the verdicts of a *batch* that *verifier* made of *access_tokens*, each as :func:`verify_for` finds it."""
    verdicts = bytearray(batch.verdicts)
    if tenants is not None:
        for place, verdict in enumerate(verdicts):
            if verdict == GOOD or verdict in ENDINGS:
                token = batch[place] if verdict == GOOD else verifier.read_signed(access_tokens[place])
                if token.tenant not in tenants:
                    verdicts[place] = Cause.WRONG_TENANT
    return verdicts
