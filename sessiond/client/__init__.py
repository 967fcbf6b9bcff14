"""For callers of an authority: a client with typed errors, and the rules for whoever stores tokens."""

from sessiond.client.client import Client
from sessiond.client.faults import UnexpectedAnswerError
from sessiond.client.results import (
    Device,
    Key,
    KeyChange,
    KeyPurpose,
    Keyset,
    KeyState,
    Refreshed,
    RefreshOutcome,
    Revoked,
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

__all__ = [
    "Client",
    "ClientSession",
    "Device",
    "FileTokenStore",
    "Key",
    "KeyChange",
    "KeyPurpose",
    "KeyState",
    "Keyset",
    "LoggedOutError",
    "MemoryTokenStore",
    "RefreshOutcome",
    "Refreshed",
    "Revoked",
    "Session",
    "SessionEnd",
    "SessionPage",
    "SessionState",
    "TokenStore",
    "TokenStoreError",
    "Tokens",
    "UnexpectedAnswerError",
    "Verified",
    "retry_key",
]
