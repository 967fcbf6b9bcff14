"""The handlers of KeyService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from sessiond.clock import wall_seconds
from sessiond.errors import InvalidRequestError
from sessiond.server.messages import key_message
from sessiond.server.publication import max_age_seconds, published_jwks
from sessiond.store.records import KeyState, Purpose
from sessiond.token.keyset import cose_key_set
from sessiond.v1 import key_service_pb2 as pb

if TYPE_CHECKING:
    from sessiond.authority.keys import Keys
    from sessiond.authority.policy import Policy
    from sessiond.clock import Clock
    from sessiond.server.call import Call


class KeyHandlers:
    """Turns each request into a call of the authority, and its answer into the reply."""

    def __init__(self, keys: Keys, policy: Policy, clock: Clock) -> None:
        """Serve *keys* by *clock*; *policy* says how long a copy of the keyset is good."""
        self._keys = keys
        self._policy = policy
        self._clock = clock

    def get_keyset(self, _call: Call, request: pb.GetKeysetRequest) -> pb.GetKeysetResponse:
        """Publish the public keys."""
        wanted = {_purpose(request.purpose)} if request.purpose else set(Purpose)
        every, revision = self._keys.keyset()
        keys = [key for key in every if key.purpose in wanted]
        return pb.GetKeysetResponse(
            keys=[key_message(key) for key in keys],
            cose_key_set=cose_key_set([key.public_key for key in keys if key.state is not KeyState.REVOKED]),
            jwks_json=published_jwks(every),
            max_age=Duration(seconds=max_age_seconds(self._policy)),
            revision=revision,
        )

    def rotate_key(self, call: Call, request: pb.RotateKeyRequest) -> pb.RotateKeyResponse:
        """Make the next signing key of a purpose."""
        key, revision = self._keys.rotate(
            call.caller,
            _purpose(request.purpose),
            immediately=request.activate_immediately,
            request_id=request.request_id,
            now=wall_seconds(self._clock),
        )
        return pb.RotateKeyResponse(key=key_message(key), revision=revision)

    def revoke_key(self, call: Call, request: pb.RevokeKeyRequest) -> pb.RevokeKeyResponse:
        """Refuse every token of a key from now on."""
        key, replacement, revision = self._keys.revoke(
            call.caller,
            request.key_id,
            reason=request.reason,
            actor=request.actor,
            request_id=request.request_id,
            now=wall_seconds(self._clock),
        )
        return pb.RevokeKeyResponse(
            key=key_message(key),
            replacement=key_message(replacement) if replacement is not None else None,
            revision=revision,
        )


def _purpose(number: int) -> Purpose:
    """Read a purpose; enums of proto3 are open, so any number can arrive."""
    try:
        return Purpose(number)
    except ValueError:
        text = "must be KEY_PURPOSE_REFRESH or KEY_PURPOSE_ACCESS"
        raise InvalidRequestError(("purpose", text)) from None
