"""The connection that every call of a client goes through, and the stubs of the services at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

import grpc
from google.protobuf.message import Message

from sessiond.client.faults import error_of
from sessiond.client.retry import SERVICE_CONFIG
from sessiond.clock import SystemClock
from sessiond.errors import IndeterminateError
from sessiond.v1 import (
    diagnosis_service_pb2_grpc,
    key_service_pb2_grpc,
    session_service_pb2_grpc,
    verification_service_pb2_grpc,
)

if TYPE_CHECKING:
    from sessiond.clock import Clock

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

DEFAULT_TIMEOUT_SECONDS = 5.0
"""How long a call waits for its answer, repetitions included."""

CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # With how often a channel asks, which is its own: what finds out a connection that died without a word.
    ("grpc.keepalive_timeout_ms", 5_000),
    # An authority stands inside the network of its callers; the proxy to the web does not lead there.
    ("grpc.enable_http_proxy", 0),
)
"""What every channel to an authority is made with."""

_OPTIONS = (
    *CHANNEL_OPTIONS,
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.keepalive_time_ms", 30_000),
    # The largest page of sessions: 1,000 of them with all fields at their limits.
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)


class Connection:
    """One channel to one authority. Safe to use from any thread."""

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
        self._closed = False
        self._channel = grpc.insecure_channel(target, options=_OPTIONS)
        self._sessions = session_service_pb2_grpc.SessionServiceStub(self._channel)
        self._verification = verification_service_pb2_grpc.VerificationServiceStub(self._channel)
        self._keys = key_service_pb2_grpc.KeyServiceStub(self._channel)
        self._diagnosis = diagnosis_service_pb2_grpc.DiagnosisServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls that run, and all that come later, end with an unknown outcome."""
        self._closed = True
        self._channel.close()

    def _call(self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        try:
            return method(request, timeout=self._timeout_seconds)
        except (grpc.RpcError, ValueError) as error:
            raise self._failure(error) from error

    def _failure(self, error: grpc.RpcError | ValueError) -> Exception:
        """Say what a call failed with; gRPC raises a bare ValueError for one on a channel that is closed."""
        if isinstance(error, grpc.RpcError):
            return error_of(error, self._target)
        return IndeterminateError(f"the connection to {self._target} is closed") if self._closed else error
