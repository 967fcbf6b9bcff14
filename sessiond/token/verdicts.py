"""The verdict on one token of a batch, a byte that is the same in the authority, on the wire and in its clients."""

from __future__ import annotations

from typing import Final

GOOD: Final = 0

CLAIMS_NOT_MET: Final = 255
"""The verdict on a token of which only required claims do not hold. The others are the numbers of Cause."""

MAX_BATCH_TOKENS: Final = 1024
"""How many tokens one call of BatchVerify takes."""
