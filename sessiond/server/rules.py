"""
The row of every RPC: who may call it, which threads serve it, how large its request may be.

Rule 1: an RPC without a row is refused to everyone, and a test fails for it.
Rule 2: the roles are those that the RPC's comment in the proto names.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet


CALL_BYTES = 64 * 1024
BATCH_BYTES = 4 * 1024 * 1024 + CALL_BYTES
"""1,024 tokens of 4,096 bytes, and what is asked of them."""


class Pool(enum.Enum):
    """
    Which threads serve a call.

    Writes wait for the disk. They have threads of their own, many of them,
    so that they commit together and no verification waits behind them. A
    stream holds its thread for as long as it is open, so streams have theirs:
    those of verifiers apart, so that nobody who watches events keeps one out.
    """

    READS = "reads"
    WRITES = "writes"
    WATCHES = "watches"
    EVENT_WATCHES = "event watches"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. ``role`` None opens the RPC to every caller; ``or_role`` is another one that will do."""

    role: str | None
    pool: Pool
    max_bytes: int = CALL_BYTES
    or_role: str | None = None

    @property
    def roles(self) -> frozenset[str]:
        """The roles one of which is needed; none are where every caller will do."""
        return frozenset(role for role in (self.role, self.or_role) if role is not None)

    def admits(self, roles: AbstractSet[str]) -> bool:
        """Say whether a caller with *roles* may call."""
        return self.role is None or not self.roles.isdisjoint(roles)


RULES: Mapping[str, Rule] = {
    "sessiond.v1.SessionService.CreateSession": Rule("issuer", Pool.WRITES),
    "sessiond.v1.SessionService.Refresh": Rule("refresher", Pool.WRITES),
    "sessiond.v1.SessionService.GetSession": Rule("viewer", Pool.READS),
    "sessiond.v1.SessionService.ListSessions": Rule("viewer", Pool.READS),
    "sessiond.v1.SessionService.UpdateSession": Rule("issuer", Pool.WRITES),
    "sessiond.v1.SessionService.RevokeSession": Rule("revoker", Pool.WRITES),
    "sessiond.v1.SessionService.BatchRevokeSessions": Rule("revoker", Pool.WRITES),
    "sessiond.v1.SessionService.RevokeDevice": Rule("revoker", Pool.WRITES),
    "sessiond.v1.SessionService.RevokeSubject": Rule("revoker", Pool.WRITES),
    "sessiond.v1.SessionService.RevokeTenant": Rule("revoker", Pool.WRITES),
    "sessiond.v1.SessionService.RevokeAll": Rule("revoker", Pool.WRITES),
    "sessiond.v1.VerificationService.Verify": Rule("verifier", Pool.READS),
    "sessiond.v1.VerificationService.BatchVerify": Rule("verifier", Pool.READS, BATCH_BYTES),
    "sessiond.v1.RevocationService.WatchRevocations": Rule("verifier", Pool.WATCHES),
    "sessiond.v1.KeyService.GetKeyset": Rule(None, Pool.READS),
    "sessiond.v1.KeyService.RotateKey": Rule("key-admin", Pool.WRITES),
    "sessiond.v1.KeyService.RevokeKey": Rule("key-admin", Pool.WRITES),
    "sessiond.v1.DiagnosisService.ExplainToken": Rule("verifier", Pool.READS, or_role="auditor"),
    "sessiond.v1.DiagnosisService.ListEvents": Rule("auditor", Pool.READS),
    "sessiond.v1.DiagnosisService.WatchEvents": Rule("auditor", Pool.EVENT_WATCHES),
}
