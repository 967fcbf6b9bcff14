"""The handlers of VerificationService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.clock import wall_seconds
from sessiond.ids import session_id_text
from sessiond.server.messages import instant, required_claims_of
from sessiond.v1 import verification_service_pb2 as pb

if TYPE_CHECKING:
    from sessiond.authority.batch import JudgedBatch
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
            required_claims=required_claims_of(request.required_claims),
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

    def batch_verify(self, call: Call, request: pb.BatchVerifyRequest) -> pb.BatchVerifyResponse:
        """Judge many access tokens at once."""
        batch = self._verification.verify_batch(
            call.caller,
            request.access_tokens,
            audience=request.audience,
            tenant=request.tenant,
            min_revision=request.min_revision,
            required_claims=required_claims_of(request.required_claims),
            now=wall_seconds(self._clock),
        )
        reply = pb.BatchVerifyResponse(
            verdicts=batch.verdicts,
            session_ids=batch.session_ids,
            generations=batch.generations,
            issued_at=batch.issued_at,
            expires_at=batch.expires_at,
            failed_claims=[
                pb.FailedClaims(token_place=place, required_claim_places=failed)
                for place, failed in batch.failed_claims.items()
            ],
            revision=batch.revision,
        )
        if request.with_texts:
            _add_texts(reply, batch)
        return reply


def _add_texts(reply: pb.BatchVerifyResponse, batch: JudgedBatch) -> None:
    tokens = list(batch.tokens())
    reply.tenants.extend([token.tenant if token else "" for token in tokens])
    reply.subjects.extend([token.subject if token else "" for token in tokens])
    reply.client_ids.extend([token.client_id if token else "" for token in tokens])
    reply.claims_json.extend([token.claims_json if token else "" for token in tokens])
