"""
The row of every RPC: who may call it, which threads serve it, how large its request may be.

Rule 1: an RPC without a row is refused to everyone, and a test fails for it.
Rule 2: the role is the one that the RPC's comment in the proto names.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Pool(enum.Enum):
    """
    Which threads serve a call.

    Writes wait for the disk. They have threads of their own, many of them,
    so that they commit together and no verification waits behind them.
    """

    READS = "reads"
    WRITES = "writes"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. ``role`` None opens the RPC to every caller."""

    role: str | None
    pool: Pool
    max_bytes: int = 64 * 1024


RULES: Mapping[str, Rule] = {
    "sessiond.v1.SessionService.CreateSession": Rule("issuer", Pool.WRITES),
    "sessiond.v1.SessionService.Refresh": Rule("refresher", Pool.WRITES),
    "sessiond.v1.SessionService.GetSession": Rule("viewer", Pool.READS),
    "sessiond.v1.SessionService.ListSessions": Rule("viewer", Pool.READS),
    "sessiond.v1.SessionService.UpdateSession": Rule("issuer", Pool.WRITES),
    "sessiond.v1.SessionService.RevokeSession": Rule("revoker", Pool.WRITES),
    "sessiond.v1.VerificationService.Verify": Rule("verifier", Pool.READS),
    "sessiond.v1.KeyService.GetKeyset": Rule(None, Pool.READS),
    "sessiond.v1.KeyService.RotateKey": Rule("key-admin", Pool.WRITES),
    "sessiond.v1.KeyService.RevokeKey": Rule("key-admin", Pool.WRITES),
}
