"""The calls that end many sessions at once: of a list, a device, a subject, a tenant, or all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.client.connection import Connection
from sessiond.client.messages import member, scope_revoked_of
from sessiond.client.results import BatchRevoked, DeviceRevoked, RevocationVerdict
from sessiond.client.retry import new_request_id
from sessiond.v1 import session_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiond.client.results import ScopeRevoked


class BulkRevocationCalls(Connection):
    """
    The part of the client that ends many sessions at once.

    In every call ``reason`` says why, for the audit trail; ``actor`` on whose behalf, empty for you; ``request_id``
    names the attempt. Doing it twice is no error.
    """

    def batch_revoke_sessions(
        self, session_ids: Sequence[str], *, reason: str = "", actor: str = "", request_id: str = ""
    ) -> BatchRevoked:
        """
        End a list of sessions in one write, and say of each what became of it.

        Args:
            session_ids: 1 to 1,000, none of them twice.
            reason: Why, for the audit trail; here and below.
            actor: On whose behalf, empty means you; here and below.
            request_id: Names this attempt, here and below.

        """
        request = pb.BatchRevokeSessionsRequest(
            session_ids=session_ids, reason=reason, actor=actor, request_id=request_id or new_request_id()
        )
        reply = self._call(self._sessions.BatchRevokeSessions, request)
        verdicts = tuple(member(RevocationVerdict, one) for one in reply.verdicts)
        return BatchRevoked(verdicts=verdicts, revision=reply.revision)

    def revoke_device(
        self,
        tenant: str,
        subject: str,
        device_label: str,
        *,
        reason: str = "",
        actor: str = "",
        request_id: str = "",
    ) -> DeviceRevoked:
        """
        End the living sessions of a subject whose device has a label, byte for byte, 1 to 64 bytes.

        One that is opened at the same time may be missed. A subject with more than 10,000 sessions in its list is
        refused with InvalidRequestError, and none of them is ended.
        """
        request = pb.RevokeDeviceRequest(
            tenant=tenant,
            subject=subject,
            device_label=device_label,
            reason=reason,
            actor=actor,
            request_id=request_id or new_request_id(),
        )
        reply = self._call(self._sessions.RevokeDevice, request)
        return DeviceRevoked(session_ids=tuple(reply.session_ids), revision=reply.revision)

    def revoke_subject(
        self,
        tenant: str,
        subject: str,
        *,
        except_session_id: str = "",
        reason: str = "",
        actor: str = "",
        request_id: str = "",
    ) -> ScopeRevoked:
        """
        End every session of a subject that is open by now, in one write however many there are.

        The session *except_session_id* is spared, if one is named, and its access tokens stay good. It must be a
        living one of the subject: else SessionNotFoundError or SessionEndedError, and nothing is ended.
        """
        request = pb.RevokeSubjectRequest(
            tenant=tenant,
            subject=subject,
            except_session_id=except_session_id,
            reason=reason,
            actor=actor,
            request_id=request_id or new_request_id(),
        )
        return scope_revoked_of(self._call(self._sessions.RevokeSubject, request))

    def revoke_tenant(self, tenant: str, *, reason: str = "", actor: str = "", request_id: str = "") -> ScopeRevoked:
        """End every session of a tenant that is open by now, in one write however many there are."""
        request = pb.RevokeTenantRequest(
            tenant=tenant, reason=reason, actor=actor, request_id=request_id or new_request_id()
        )
        return scope_revoked_of(self._call(self._sessions.RevokeTenant, request))

    def revoke_all(self, *, reason: str = "", actor: str = "", request_id: str = "") -> ScopeRevoked:
        """End every session that is open by now, whoever's it is: everybody has to log in again."""
        request = pb.RevokeAllRequest(reason=reason, actor=actor, request_id=request_id or new_request_id())
        return scope_revoked_of(self._call(self._sessions.RevokeAll, request))
