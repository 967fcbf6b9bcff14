"""For callers of an authority: a client with typed errors, local verifiers, the rules for whoever stores tokens."""

from sessiond.client.batch import VerifiedBatch, VerifiedItem
from sessiond.client.client import Client
from sessiond.client.diagnosis import (
    Event,
    EventFilter,
    EventKind,
    EventPage,
    Explanation,
    ReuseEvidence,
    TokenContent,
    TokenKind,
    TokenUse,
)
from sessiond.client.faults import UnexpectedAnswerError
from sessiond.client.local_verifier import AsyncLocalVerifier, LocalVerifier, VerifierStatus
from sessiond.client.results import (
    BatchRevoked,
    Device,
    DeviceRevoked,
    Key,
    KeyChange,
    KeyPurpose,
    Keyset,
    KeyState,
    Refreshed,
    RefreshOutcome,
    RevocationVerdict,
    Revoked,
    ScopeRevoked,
    Session,
    SessionEnd,
    SessionPage,
    SessionState,
    Tokens,
    Verified,
)
from sessiond.client.retry import retry_key
from sessiond.client.session import ClientSession, LoggedOutError
from sessiond.client.tokens import FileTokenStore, MemoryTokenStore, TokenStore, TokenStoreError
from sessiond.token.requirements import RequiredClaim

__all__ = [
    "AsyncLocalVerifier",
    "BatchRevoked",
    "Client",
    "ClientSession",
    "Device",
    "DeviceRevoked",
    "Event",
    "EventFilter",
    "EventKind",
    "EventPage",
    "Explanation",
    "FileTokenStore",
    "Key",
    "KeyChange",
    "KeyPurpose",
    "KeyState",
    "Keyset",
    "LocalVerifier",
    "LoggedOutError",
    "MemoryTokenStore",
    "RefreshOutcome",
    "Refreshed",
    "RequiredClaim",
    "ReuseEvidence",
    "RevocationVerdict",
    "Revoked",
    "ScopeRevoked",
    "Session",
    "SessionEnd",
    "SessionPage",
    "SessionState",
    "TokenContent",
    "TokenKind",
    "TokenStore",
    "TokenStoreError",
    "TokenUse",
    "Tokens",
    "UnexpectedAnswerError",
    "Verified",
    "VerifiedBatch",
    "VerifiedItem",
    "VerifierStatus",
    "retry_key",
]
