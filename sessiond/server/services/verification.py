"""The handlers of VerificationService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.clock import wall_seconds
from sessiond.ids import session_id_text
from sessiond.server.messages import instant
from sessiond.v1 import verification_service_pb2 as pb

if TYPE_CHECKING:
    from sessiond.authority.verification import Verification
    from sessiond.clock import Clock
    from sessiond.server.call import Call


class VerificationHandlers:
    """Turns each request into a call of the authority, and its answer into the reply."""

    def __init__(self, verification: Verification, clock: Clock) -> None:
        """Serve *verification* by *clock*."""
        self._verification = verification
        self._clock = clock

    def verify(self, call: Call, request: pb.VerifyRequest) -> pb.VerifyResponse:
        """Say who an access token speaks for."""
        token, revision = self._verification.verify(
            call.caller,
            request.access_token,
            audience=request.audience,
            tenant=request.tenant,
            min_revision=request.min_revision,
            now=wall_seconds(self._clock),
        )
        return pb.VerifyResponse(
            session_id=session_id_text(token.session_id),
            tenant=token.tenant,
            subject=token.subject,
            client_id=token.client_id,
            audience=token.audience,
            generation=token.generation,
            issued_at=instant(token.issued_at),
            expires_at=instant(token.expires_at),
            claims_json=token.claims_json,
            revision=revision,
        )
