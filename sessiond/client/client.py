"""The client: one method for each call of the API, with a deadline, safe repetitions and typed errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Self, TypeVar

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from sessiond.client.faults import error_of
from sessiond.client.messages import (
    device_message,
    duration,
    end_of,
    json_text,
    key_of,
    member,
    session_of,
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
from sessiond.client.retry import SERVICE_CONFIG, new_request_id
from sessiond.clock import SystemClock
from sessiond.v1 import (
    key_service_pb2,
    key_service_pb2_grpc,
    session_pb2,
    session_service_pb2,
    session_service_pb2_grpc,
    verification_service_pb2,
    verification_service_pb2_grpc,
)

if TYPE_CHECKING:
    from sessiond.clock import Clock

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

DEFAULT_TIMEOUT_SECONDS = 5.0
"""How long a call waits for its answer, repetitions included."""

_OPTIONS = (
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A connection that died without a word is found out by these and not by the timeouts of TCP.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # The largest page of sessions: 1,000 of them with all fields at their limits.
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    # An authority stands inside the network of its callers; the proxy to the web does not lead there.
    ("grpc.enable_http_proxy", 0),
)


class Client:
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

    def __init__(
        self, target: str, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS, clock: Clock | None = None
    ) -> None:
        """
        Talk to *target*; nothing is sent before the first call.

        Args:
            target: ``HOST:PORT``, or ``unix:PATH``.
            timeout_seconds: The deadline of each call, repetitions included.
            clock: Where ``Tokens.received_ms`` comes from; None means the machine's.

        """
        self._target = target
        self._timeout_seconds = timeout_seconds
        self._clock = SystemClock() if clock is None else clock
        self._channel = grpc.insecure_channel(target, options=_OPTIONS)
        self._sessions = session_service_pb2_grpc.SessionServiceStub(self._channel)
        self._verification = verification_service_pb2_grpc.VerificationServiceStub(self._channel)
        self._keys = key_service_pb2_grpc.KeyServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls that run end with an unknown outcome."""
        self._channel.close()

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
            refresh_token=refresh_token,
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
            session_id=session_id, token=token, reason=reason, actor=actor, request_id=request_id or new_request_id()
        )
        reply = self._call(self._sessions.RevokeSession, request)
        return Revoked(
            session_id=reply.session_id,
            end=end_of(reply.end),
            ended_by_this_call=reply.ended_by_this_call,
            revision=reply.revision,
        )

    def verify(self, access_token: str, *, audience: str = "", tenant: str = "", min_revision: int = 0) -> Verified:
        """
        Say who an access token speaks for; one that is not good raises InvalidAccessToken.

        Args:
            access_token: The token.
            audience: Whom it must be meant for; empty means the authority's own.
            tenant: The tenant you act for; a token of another one is refused.
            min_revision: Judge with this revision at least: the one that a revocation was acknowledged with.

        """
        request = verification_service_pb2.VerifyRequest(
            access_token=access_token, audience=audience, tenant=tenant, min_revision=min_revision
        )
        return verified_of(self._call(self._verification.Verify, request))

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

    def _call(self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        try:
            return method(request, timeout=self._timeout_seconds)
        except grpc.RpcError as error:
            raise error_of(error, self._target) from error


def _purpose(purpose: KeyPurpose | None) -> str:
    return f"KEY_PURPOSE_{'UNSPECIFIED' if purpose is None else purpose.name}"
