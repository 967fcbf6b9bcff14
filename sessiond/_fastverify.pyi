"""The compiled verifier: token text in, verdict and fields out. The docstrings stand in ``_fastverify.pyx``."""

from collections.abc import Iterable
from typing import Final, Self, final

from typing_extensions import Buffer

# Verdicts: the numbers of sessiond.errors.Cause, and 0.
GOOD: Final = 0
MALFORMED: Final = 1
UNKNOWN_KEY: Final = 2
KEY_REVOKED: Final = 3
TAMPERED: Final = 4
NOT_YET_VALID: Final = 5
EXPIRED: Final = 6
WRONG_TOKEN_KIND: Final = 17
WRONG_AUDIENCE: Final = 18

# key id 8 | exp u32 | iat u32 | session id 16 | generation u32; integers big-endian.
REFRESH_FIELDS_SIZE: Final = 36
# The same, then issued u32 (from jti) | tenant hash 8 | subject hash 8 | born u64.
ACCESS_FIELDS_SIZE: Final = 64

def implementations() -> tuple[str, ...]: ...
def implementation() -> str: ...
def verify_signature(public_key: Buffer, message: Buffer, signature: Buffer) -> bool: ...

@final
class KeyTable:
    def __new__(cls, public_key: Buffer) -> Self: ...
    @property
    def public_key(self) -> bytes: ...
    @property
    def memory_bytes(self) -> int: ...
    def verify(self, message: Buffer, signature: Buffer) -> bool: ...
    def verify_batch(self, items: Iterable[tuple[Buffer, Buffer]]) -> bytes: ...

@final
class RefreshVerifier:
    def __new__(cls, keys: Iterable[tuple[bytes, KeyTable, bool]]) -> Self: ...
    def verify(self, token: str | bytes, now: int) -> tuple[int, bytes]: ...

@final
class AccessVerifier:
    def __new__(cls, keys: Iterable[tuple[bytes, KeyTable, bool]], issuer: bytes) -> Self: ...
    def verify(self, token: str | bytes, audience: bytes, now: int, leeway: int) -> tuple[int, bytes, bytes]: ...
    def verify_batch(
        self, tokens: Iterable[str | bytes], audience: bytes, now: int, leeway: int
    ) -> tuple[bytes, bytes]: ...
