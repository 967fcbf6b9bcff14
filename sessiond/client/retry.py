"""
What makes a call safe to repeat.

Rule 1: every mutation names its attempt with a ``request_id``, so a repetition inside gRPC gets the first answer.
Rule 2: a holder of tokens presents a ``retry_key``, so its own repetition of a Refresh gets the same successor,
    however late, and nobody who has the token alone can pass for it.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid

SECRET_SIZE = 32
"""The size in bytes of the secret of an installation that stores tokens."""

SERVICE_CONFIG = """{
  "methodConfig": [
    {
      "name": [
        {"service": "sessiond.v1.SessionService"},
        {"service": "sessiond.v1.VerificationService"},
        {"service": "sessiond.v1.KeyService"},
        {"service": "sessiond.v1.RevocationService"},
        {"service": "sessiond.v1.DiagnosisService"}
      ],
      "retryPolicy": {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 3,
        "retryableStatusCodes": ["UNAVAILABLE"]
      }
    }
  ],
  "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}
}
"""
"""
How gRPC repeats calls: the text of ``proto/service_config.json``, which clients in other languages use.

An overload (RESOURCE_EXHAUSTED) is not repeated here: that would add to it. The
throttle stops repetitions while most calls fail.
"""


def retry_key(secret: bytes, refresh_token: str) -> bytes:
    """
    Derive the retry key of a refresh token: HMAC-SHA256, 32 bytes.

    Call it where the token is stored. *secret* is random, of 32 bytes, belongs
    to that one installation and never leaves it: with cookies it is a second
    HttpOnly cookie, set at login. A gateway passes on its client's key, or none.
    """
    return hmac.digest(secret, refresh_token.encode(), hashlib.sha256)


def new_request_id() -> str:
    """Name an attempt that nobody has named: 32 characters."""
    return uuid.uuid4().hex
