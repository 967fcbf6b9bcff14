"""The handlers of SessionService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.authority.sessions import Login
from sessiond.clock import wall_seconds
from sessiond.errors import InvalidRequestError
from sessiond.ids import session_id_text
from sessiond.server.messages import (
    device_of,
    end_message,
    instant,
    issued_message,
    session_message,
    whole_seconds,
)
from sessiond.v1 import session_service_pb2 as pb

if TYPE_CHECKING:
    from sessiond.authority.bulk_revocation import BulkRevocation
    from sessiond.authority.sessions import Sessions
    from sessiond.clock import Clock
    from sessiond.server.call import Call

UPDATABLE = ("claims_json", "data_json")


class SessionHandlers:
    """Turns each request into a call of the authority, and its answer into the reply."""

    def __init__(self, sessions: Sessions, bulk: BulkRevocation, clock: Clock) -> None:
        """Serve *sessions* one by one, and in *bulk*, by *clock*."""
        self._sessions = sessions
        self._bulk = bulk
        self._clock = clock

    def create_session(self, call: Call, request: pb.CreateSessionRequest) -> pb.CreateSessionResponse:
        """Open a session and give its first pair of tokens."""
        login = Login(
            tenant=request.tenant,
            subject=request.subject,
            client_id=request.client_id,
            audience=request.audience,
            claims_json=request.claims_json,
            data_json=request.data_json,
            device=device_of(request.device),
            absolute_seconds=_lifetime(request, "absolute_lifetime"),
            idle_seconds=_lifetime(request, "idle_lifetime"),
            access_seconds=_lifetime(request, "access_token_lifetime"),
            authenticated_revision=(
                request.authenticated_revision if request.HasField("authenticated_revision") else None
            ),
            request_id=request.request_id,
        )
        issued = self._sessions.create(call.caller, login, now_ms=self._clock.wall_ms())
        return pb.CreateSessionResponse(tokens=issued_message(issued, self._clock.wall_ms()))

    def refresh(self, call: Call, request: pb.RefreshRequest) -> pb.RefreshResponse:
        """Trade a refresh token for its successor."""
        issued, outcome = self._sessions.refresh(
            call.caller,
            request.refresh_token,
            retry_key=request.retry_key,
            request_id=request.request_id,
            device=device_of(request.device),
            tenant=request.tenant,
            now=wall_seconds(self._clock),
        )
        return pb.RefreshResponse(
            tokens=issued_message(issued, self._clock.wall_ms()),
            outcome=f"REFRESH_OUTCOME_{outcome.name}",
        )

    def get_session(self, call: Call, request: pb.GetSessionRequest) -> pb.GetSessionResponse:
        """Show one session."""
        session, revision = self._sessions.get(call.caller, request.session_id, now=wall_seconds(self._clock))
        return pb.GetSessionResponse(session=session_message(session), revision=revision)

    def list_sessions(self, call: Call, request: pb.ListSessionsRequest) -> pb.ListSessionsResponse:
        """List the living sessions of a subject, one page of them."""
        page = self._sessions.list(
            call.caller,
            request.tenant,
            request.subject,
            page_size=request.page_size,
            page_token=request.page_token,
            now=wall_seconds(self._clock),
        )
        return pb.ListSessionsResponse(
            sessions=[session_message(session) for session in page.sessions],
            next_page_token=page.next_page_token,
            revision=page.revision,
        )

    def update_session(self, call: Call, request: pb.UpdateSessionRequest) -> pb.UpdateSessionResponse:
        """Replace claims or data."""
        paths = list(request.update_mask.paths)
        unknown = [path for path in paths if path not in UPDATABLE]
        if unknown or not paths:
            text = f"name one or more of {', '.join(UPDATABLE)}" + (f", not {unknown[0]!r}" if unknown else "")
            raise InvalidRequestError(("update_mask", text))
        session = self._sessions.update(
            call.caller,
            request.session.session_id,
            claims_json=request.session.claims_json if "claims_json" in paths else None,
            data_json=request.session.data_json if "data_json" in paths else None,
            etag=request.session.etag,
            request_id=request.request_id,
            now=wall_seconds(self._clock),
        )
        return pb.UpdateSessionResponse(session=session_message(session))

    def revoke_session(self, call: Call, request: pb.RevokeSessionRequest) -> pb.RevokeSessionResponse:
        """End one session."""
        target = request.WhichOneof("target")
        revoked = self._sessions.revoke(
            call.caller,
            session_id=request.session_id if target == "session_id" else None,
            token=request.token if target == "token" else None,
            reason=request.reason,
            actor=request.actor,
            request_id=request.request_id,
            now=wall_seconds(self._clock),
        )
        return pb.RevokeSessionResponse(
            session_id=session_id_text(revoked.session.id),
            end=end_message(revoked.session.end),
            ended_by_this_call=revoked.ended_by_this_call,
            revision=revoked.revision,
        )

    def batch_revoke_sessions(
        self, call: Call, request: pb.BatchRevokeSessionsRequest
    ) -> pb.BatchRevokeSessionsResponse:
        """End the sessions of a list, and say of each what became of it."""
        revoked = self._bulk.revoke_list(
            call.caller,
            request.session_ids,
            reason=request.reason,
            actor=request.actor,
            request_id=request.request_id,
            now=wall_seconds(self._clock),
        )
        return pb.BatchRevokeSessionsResponse(
            verdicts=[f"REVOCATION_VERDICT_{verdict.name}" for verdict in revoked.verdicts],
            revision=revoked.revision,
        )

    def revoke_device(self, call: Call, request: pb.RevokeDeviceRequest) -> pb.RevokeDeviceResponse:
        """End the sessions of a subject that have a device label."""
        revoked = self._bulk.revoke_device(
            call.caller,
            request.tenant,
            request.subject,
            request.device_label,
            reason=request.reason,
            actor=request.actor,
            request_id=request.request_id,
            now=wall_seconds(self._clock),
        )
        return pb.RevokeDeviceResponse(
            session_ids=[session_id_text(one) for one in revoked.session_ids], revision=revoked.revision
        )

    def revoke_subject(self, call: Call, request: pb.RevokeSubjectRequest) -> pb.RevokeSubjectResponse:
        """End every session of a subject, or every one but one."""
        revoked = self._bulk.revoke_subject(
            call.caller,
            request.tenant,
            request.subject,
            except_session_id=request.except_session_id,
            reason=request.reason,
            actor=request.actor,
            request_id=request.request_id,
            now=wall_seconds(self._clock),
        )
        return pb.RevokeSubjectResponse(ended_at=instant(revoked.at), revision=revoked.revision)

    def revoke_tenant(self, call: Call, request: pb.RevokeTenantRequest) -> pb.RevokeTenantResponse:
        """End every session of a tenant."""
        revoked = self._bulk.revoke_tenant(
            call.caller,
            request.tenant,
            reason=request.reason,
            actor=request.actor,
            request_id=request.request_id,
            now=wall_seconds(self._clock),
        )
        return pb.RevokeTenantResponse(ended_at=instant(revoked.at), revision=revoked.revision)

    def revoke_all(self, call: Call, request: pb.RevokeAllRequest) -> pb.RevokeAllResponse:
        """End every session there is."""
        revoked = self._bulk.revoke_all(
            call.caller,
            reason=request.reason,
            actor=request.actor,
            request_id=request.request_id,
            now=wall_seconds(self._clock),
        )
        return pb.RevokeAllResponse(ended_at=instant(revoked.at), revision=revoked.revision)


def _lifetime(request: pb.CreateSessionRequest, field: str) -> int | None:
    return whole_seconds(field, getattr(request, field)) if request.HasField(field) else None
