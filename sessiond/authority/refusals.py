"""What the authority says to a caller whose token it refuses, one sentence for each cause it decides itself."""

from __future__ import annotations

from sessiond.errors import Cause
from sessiond.token import tenants
from sessiond.token.endings import ENDINGS

_SENTENCES = {
    **ENDINGS,
    Cause.KEY_REVOKED: "the key that signed it was revoked",
    Cause.EXPIRED: "the session's life is over",
    Cause.IDLE_TIMEOUT: "the session was not refreshed for longer than its idle limit",
    Cause.SUPERSEDED: "a late copy of a request that was answered already; newer tokens are in the client's hands",
    Cause.UNKNOWN_SESSION: "the session is not in the store any more",
    Cause.WRONG_TENANT: tenants.WRONG_TENANT,
}


def sentence(cause: Cause) -> str:
    """Say what *cause* means, without a capital and a full stop."""
    return _SENTENCES[cause]
