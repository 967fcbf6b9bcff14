"""The client: one method for each call of the API, with a deadline, safe repetitions and typed errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from google.protobuf.field_mask_pb2 import FieldMask

from sessiond.client.batch import VerifiedBatch, VerifiedItem, batch_of
from sessiond.client.bulk_revocation import BulkRevocationCalls
from sessiond.client.connection import DEFAULT_TIMEOUT_SECONDS
from sessiond.client.diagnosis_calls import DiagnosisCalls
from sessiond.client.messages import (
    access_token_text,
    device_message,
    duration,
    end_of,
    json_text,
    key_of,
    member,
    required_claim_message,
    session_of,
    token_text,
    tokens_of,
    verified_of,
)
from sessiond.client.results import (
    Device,
    KeyChange,
    KeyPurpose,
    Keyset,
    Refreshed,
    RefreshOutcome,
    Revoked,
    Session,
    SessionPage,
    Tokens,
    Verified,
)
from sessiond.client.retry import new_request_id
from sessiond.v1 import key_service_pb2, session_pb2, session_service_pb2, verification_service_pb2

if TYPE_CHECKING:
    from sessiond.token.requirements import RequiredClaim

__all__ = ["DEFAULT_TIMEOUT_SECONDS", "Client"]


class Client(BulkRevocationCalls, DiagnosisCalls):
    """
    Talks to one authority.

    Every call has a deadline and every mutation a ``request_id``: your own, or
    one that is made for the call, so that what gRPC repeats is done once. To
    repeat a call yourself after an unknown outcome, give both the same
    ``request_id``.

    Every method raises the classes of :mod:`sessiond.errors`: ``advice`` says
    what to do, ``cause`` why a token is refused. An answer that did not come,
    or came from something else than the authority, is IndeterminateError.

    It speaks no TLS: connect to loopback, to a unix socket, or to something
    that encrypts in front of the authority. Safe to use from any thread. Make
    it after a fork: gRPC survives none.
    """

    def create_session(
        self,
        tenant: str,
        subject: str,
        *,
        client_id: str = "",
        audience: str = "",
        claims: Mapping[str, object] | str = "",
        data: Mapping[str, object] | str = "",
        device: Device | None = None,
        absolute_seconds: int | None = None,
        idle_seconds: int | None = None,
        access_seconds: int | None = None,
        authenticated_revision: int | None = None,
        request_id: str = "",
    ) -> Tokens:
        """
        Open a session for a user whom you have just authenticated, and get its first pair of tokens.

        Args:
            tenant: 1 to 63 bytes.
            subject: The user, 1 to 255 bytes.
            client_id: The client program the session is opened for.
            audience: Of the access tokens; empty means the authority's own.
            claims: For the access tokens: a mapping, or the text of one JSON object, which is kept verbatim.
            data: The same for what stays with the authority.
            device: The end user's.
            absolute_seconds: How long the session lives at most; None means the authority's setting, here and below.
            idle_seconds: How long it lives without a refresh.
            access_seconds: How long an access token lives.
            authenticated_revision: A revision read before the user was authenticated: a revocation of the
                subject after it refuses the login.
            request_id: Names this attempt.

        """
        request = session_service_pb2.CreateSessionRequest(
            tenant=tenant,
            subject=subject,
            client_id=client_id,
            audience=audience,
            claims_json=json_text(claims),
            data_json=json_text(data),
            device=device_message(device),
            absolute_lifetime=duration(absolute_seconds),
            idle_lifetime=duration(idle_seconds),
            access_token_lifetime=duration(access_seconds),
            authenticated_revision=authenticated_revision,
            request_id=request_id or new_request_id(),
        )
        reply = self._call(self._sessions.CreateSession, request)
        return tokens_of(reply.tokens, self._clock.wall_ms())

    def refresh(
        self,
        refresh_token: str,
        *,
        retry_key: bytes = b"",
        device: Device | None = None,
        tenant: str = "",
        request_id: str = "",
    ) -> Refreshed:
        """
        Trade a refresh token for its successor and a fresh access token.

        Whoever stores the token does better with :class:`sessiond.client.ClientSession`, which follows the rules for
        clients. Whoever passes on tokens that others store (a gateway) also passes on their retry key, or none.

        Args:
            refresh_token: The newest one of its session.
            retry_key: :func:`sessiond.client.retry_key` of the token, from where it is stored.
            device: The end user's.
            tenant: The tenant you act for; a session of another one is refused.
            request_id: Names this attempt.

        """
        request = session_service_pb2.RefreshRequest(
            refresh_token=token_text(refresh_token),
            retry_key=retry_key,
            request_id=request_id or new_request_id(),
            device=device_message(device),
            tenant=tenant,
        )
        reply = self._call(self._sessions.Refresh, request)
        tokens = tokens_of(reply.tokens, self._clock.wall_ms())
        return Refreshed(**asdict(tokens), outcome=member(RefreshOutcome, reply.outcome))

    def get_session(self, session_id: str) -> Session:
        """Show one session, an ended one too as long as its tombstone is kept."""
        request = session_service_pb2.GetSessionRequest(session_id=session_id)
        return session_of(self._call(self._sessions.GetSession, request).session)

    def list_sessions(self, tenant: str, subject: str, *, page_size: int = 0) -> Iterator[Session]:
        """Give the living sessions of a subject one by one, oldest first, and fetch page after page on the way."""
        page_token = ""
        while True:
            page = self.list_sessions_page(tenant, subject, page_size=page_size, page_token=page_token)
            yield from page.sessions
            page_token = page.next_page_token
            if not page_token:
                return

    def list_sessions_page(self, tenant: str, subject: str, *, page_size: int = 0, page_token: str = "") -> SessionPage:
        """
        Give some of the living sessions of a subject, and the store's revision as they were read.

        That revision, read before a user is authenticated, is what ``authenticated_revision`` of
        :meth:`create_session` takes.

        Args:
            tenant: 1 to 63 bytes.
            subject: 1 to 255 bytes.
            page_size: At most so many, 1 to 1,000; 0 means 100.
            page_token: ``next_page_token`` of the page before.

        """
        request = session_service_pb2.ListSessionsRequest(
            tenant=tenant, subject=subject, page_size=page_size, page_token=page_token
        )
        reply = self._call(self._sessions.ListSessions, request)
        return SessionPage(
            sessions=tuple(session_of(one) for one in reply.sessions),
            next_page_token=reply.next_page_token,
            revision=reply.revision,
        )

    def update_session(
        self,
        session_id: str,
        *,
        claims: Mapping[str, object] | str | None = None,
        data: Mapping[str, object] | str | None = None,
        etag: str = "",
        request_id: str = "",
    ) -> Session:
        """
        Replace claims, data or both of a living session; None leaves them as they are.

        Access tokens already issued keep their claims. *etag* of an earlier
        answer refuses the change if another one came in between.
        """
        given = {"claims_json": claims, "data_json": data}
        session = session_pb2.Session(
            session_id=session_id, etag=etag, claims_json=json_text(claims or ""), data_json=json_text(data or "")
        )
        request = session_service_pb2.UpdateSessionRequest(
            session=session,
            update_mask=FieldMask(paths=[path for path, value in given.items() if value is not None]),
            request_id=request_id or new_request_id(),
        )
        return session_of(self._call(self._sessions.UpdateSession, request).session)

    def revoke_session(
        self,
        session_id: str | None = None,
        *,
        token: str | None = None,
        reason: str = "",
        actor: str = "",
        request_id: str = "",
    ) -> Revoked:
        """
        End one session, named by its id or by any well-signed token of it. Ending it twice is no error.

        Args:
            session_id: The session; or
            token: a refresh or access token of it, expired or not.
            reason: Why, for the audit trail.
            actor: On whose behalf; empty means you.
            request_id: Names this attempt.

        Raises:
            ValueError: Both or none of *session_id* and *token* are given.

        """
        if (session_id is None) == (token is None):
            message = "name the session by session_id or by token, one of them"
            raise ValueError(message)
        request = session_service_pb2.RevokeSessionRequest(
            session_id=session_id,
            token=None if token is None else token_text(token),
            reason=reason,
            actor=actor,
            request_id=request_id or new_request_id(),
        )
        reply = self._call(self._sessions.RevokeSession, request)
        return Revoked(
            session_id=reply.session_id,
            end=end_of(reply.end),
            ended_by_this_call=reply.ended_by_this_call,
            revision=reply.revision,
        )

    def verify(
        self,
        access_token: str,
        *,
        audience: str = "",
        tenant: str = "",
        min_revision: int = 0,
        required_claims: Sequence[RequiredClaim] = (),
    ) -> Verified:
        """
        Say who an access token speaks for; one that is not good raises InvalidAccessToken.

        Where it is good, but required claims do not hold, ClaimsNotMetError names each of those.

        Args:
            access_token: The token.
            audience: Whom it must be meant for; empty means the authority's own.
            tenant: The tenant you act for; a token of another one is refused.
            min_revision: Judge with this revision at least: the one that a revocation was acknowledged with.
            required_claims: At most 16 claims that must hold besides.

        """
        request = verification_service_pb2.VerifyRequest(
            access_token=access_token_text(access_token),
            audience=audience,
            tenant=tenant,
            min_revision=min_revision,
            required_claims=[required_claim_message(one) for one in required_claims],
        )
        return verified_of(self._call(self._verification.Verify, request))

    def verify_batch(
        self,
        access_tokens: Sequence[str],
        *,
        audience: str = "",
        tenant: str = "",
        min_revision: int = 0,
        required_claims: Sequence[RequiredClaim] = (),
        with_texts: bool = False,
    ) -> VerifiedBatch[VerifiedItem]:
        """
        Judge 1 to 1,024 access tokens at once, at a small part of what as many calls of :meth:`verify` cost.

        A token that is refused raises nothing here: the batch raises where it is asked for that token. The arguments
        are those of :meth:`verify`; *with_texts* fetches tenants, subjects, client ids and claims as well.
        """
        request = verification_service_pb2.BatchVerifyRequest(
            access_tokens=map(access_token_text, access_tokens),
            audience=audience,
            tenant=tenant,
            min_revision=min_revision,
            required_claims=[required_claim_message(one) for one in required_claims],
            with_texts=with_texts,
        )
        reply = self._call(self._verification.BatchVerify, request)
        return batch_of(reply, len(access_tokens), required_claims, with_texts=with_texts)

    def get_keyset(self, purpose: KeyPurpose | None = None) -> Keyset:
        """Give the public keys, of one purpose or all."""
        request = key_service_pb2.GetKeysetRequest(purpose=_purpose(purpose))
        reply = self._call(self._keys.GetKeyset, request)
        return Keyset(
            keys=tuple(key_of(one) for one in reply.keys),
            cose_key_set=reply.cose_key_set,
            jwks_json=reply.jwks_json,
            max_age_seconds=reply.max_age.seconds,
            revision=reply.revision,
        )

    def rotate_key(self, purpose: KeyPurpose, *, activate_immediately: bool = False, request_id: str = "") -> KeyChange:
        """
        Make the next signing key of a purpose; while one is PENDING, that one is given and no other made.

        It signs after the publication time, or at once where *activate_immediately* is True: then verifiers
        that have not fetched it yet refuse its tokens until they do.
        """
        request = key_service_pb2.RotateKeyRequest(
            purpose=_purpose(purpose),
            activate_immediately=activate_immediately,
            request_id=request_id or new_request_id(),
        )
        reply = self._call(self._keys.RotateKey, request)
        return KeyChange(key=key_of(reply.key), replacement=None, revision=reply.revision)

    def revoke_key(self, key_id: str, *, reason: str = "", actor: str = "", request_id: str = "") -> KeyChange:
        """Refuse every token that a key has signed, from now on; an ACTIVE key is replaced in the same step."""
        request = key_service_pb2.RevokeKeyRequest(
            key_id=key_id, reason=reason, actor=actor, request_id=request_id or new_request_id()
        )
        reply = self._call(self._keys.RevokeKey, request)
        replacement = key_of(reply.replacement) if reply.HasField("replacement") else None
        return KeyChange(key=key_of(reply.key), replacement=replacement, revision=reply.revision)


def _purpose(purpose: KeyPurpose | None) -> str:
    return f"KEY_PURPOSE_{'UNSPECIFIED' if purpose is None else purpose.name}"
