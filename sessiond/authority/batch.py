"""What a batch of access tokens came to, in columns: no value of Python is made for a token unless it is asked for."""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING

from sessiond.token.verdicts import GOOD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sessiond.token.verify import AccessBatch, VerifiedAccessToken

# Where the fields of AccessBatch stand in the row of a token, counted in words of 4 and of 8 bytes.
_ROW_BYTES = 64
_EXPIRES_AT, _ISSUED_AT, _GENERATION, _ROW = 2, 3, 8, _ROW_BYTES // 4
_SESSION_ID_HALVES, _LONG_ROW = (2, 3), _ROW_BYTES // 8


class JudgedBatch:
    """
    What a batch came to: each column has one entry for each token, in their order, 0 for one that is not good.

    Attributes:
        verdicts: One byte for each token: GOOD, CLAIMS_NOT_MET, or the number of the cause that refuses it.
        failed_claims: By place, the places of the required claims that do not hold, for each with CLAIMS_NOT_MET.
        revision: What the tokens were judged with.

    """

    __slots__ = ("_batch", "_fields", "failed_claims", "revision", "verdicts")

    def __init__(
        self, batch: AccessBatch, verdicts: bytes, failed_claims: Mapping[int, tuple[int, ...]], revision: int
    ) -> None:
        """Take a *batch* of which some good tokens got another verdict."""
        self.verdicts = verdicts
        self.failed_claims = failed_claims
        self.revision = revision
        self._batch = batch
        self._fields = memoryview(_without_refused(batch, verdicts))

    def tokens(self) -> Iterator[VerifiedAccessToken | None]:
        """Give each good token, and None for each other."""
        for place, verdict in enumerate(self.verdicts):
            yield self._batch[place] if verdict == GOOD else None

    @property
    def session_ids(self) -> bytes:
        """The sessions, 16 bytes each."""
        words = self._fields.cast("Q")
        column = array("Q", bytes(16 * len(self.verdicts)))
        for half, place in enumerate(_SESSION_ID_HALVES):
            column[half::2] = array("Q", words[place::_LONG_ROW].tobytes())
        return column.tobytes()

    @property
    def generations(self) -> tuple[int, ...]:
        """The generations of the refresh tokens beside them."""
        return self._numbers(_GENERATION)

    @property
    def issued_at(self) -> tuple[int, ...]:
        """When they were issued, seconds since the epoch."""
        return self._numbers(_ISSUED_AT)

    @property
    def expires_at(self) -> tuple[int, ...]:
        """When they die, seconds since the epoch."""
        return self._numbers(_EXPIRES_AT)

    def _numbers(self, place: int) -> tuple[int, ...]:
        return struct.unpack(f">{len(self.verdicts)}I", self._fields.cast("I")[place::_ROW].tobytes())


def _without_refused(batch: AccessBatch, verdicts: bytes) -> bytes | bytearray:
    """Give the fields of a batch with zeros for what was good to it alone."""
    if verdicts == batch.verdicts:
        return batch.fields
    fields = bytearray(batch.fields)
    for place, (found, given) in enumerate(zip(batch.verdicts, verdicts, strict=True)):
        if found != given:
            fields[place * _ROW_BYTES : (place + 1) * _ROW_BYTES] = bytes(_ROW_BYTES)
    return fields
