"""
Binds the handlers, which know nothing of gRPC, to grpcio.

Rule 1: a handler takes a call and a request and returns the reply or raises one of our errors.
Rule 2: whatever else it raises becomes INTERNAL_FAULT. Its text goes to the log, never to the caller:
    grpcio by itself would send it.
Rule 3: the handler of a stream takes its stream too, and gives the bytes of one message after another: what many
    watch is spelled once.
Rule 4: bytes come in and bytes go out. Parsing is ours, so that a broken message is not called a fault of the server.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import structlog
from google.protobuf.message_factory import GetMessageClass

from sessiond.errors import (
    Cause,
    DeadlinePassedError,
    InternalFaultError,
    InvalidRequestError,
    OverloadedError,
    PermissionDeniedError,
    Reason,
    SessiondError,
    TokenRefusedError,
)
from sessiond.server.call import Call
from sessiond.server.rules import Pool, Rule
from sessiond.server.status import Status, status_of
from sessiond.server.streams import STOPPING
from sessiond.server.wire import WHOLE_REQUEST, parse
from sessiond.telemetry.logs import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import NoReturn

    from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
    from google.protobuf.message import Message

    from sessiond.authority.caller import Caller
    from sessiond.clock import Clock
    from sessiond.server.pools import WorkerPool
    from sessiond.server.streams import Streams

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_TOKEN_FIELDS = ("refresh_token", "access_token", "token")
_NO_DEADLINE_SECONDS = 10 * 365 * 24 * 3600
_BEFORE_THE_STORE = frozenset({Cause.MALFORMED, Cause.NOT_YET_VALID, Cause.EXPIRED, Cause.WRONG_AUDIENCE})
"""Causes that a well-signed token is refused with, session and all, before the store is asked."""

_STORE_TROUBLE = frozenset({Reason.STORE_UNAVAILABLE, Reason.OUTCOME_UNKNOWN})

_log = structlog.get_logger("sessiond.server")


@dataclass(frozen=True, slots=True)
class Method:
    """
    One RPC: its name, its row, the message it takes and the handler that serves it.

    ``handle`` takes a Call and a message and gives the reply. Where the RPC ``streams``, it takes a Stream as well and
    gives an iterator of serialised messages.
    """

    name: str
    rule: Rule | None
    request: type[Message]
    handle: Callable[..., Any]
    streams: bool


class Adapter(grpc.GenericRpcHandler):
    """
    Serves the RPCs of some services with the methods of handler objects.

    ``CreateSession`` is served by ``create_session`` of the object that
    stands with its service.
    """

    def __init__(
        self,
        services: Iterable[tuple[ServiceDescriptor, object]],
        rules: Mapping[str, Rule],
        pools: Mapping[Pool, WorkerPool],
        *,
        clock: Clock,
        caller: Caller,
        streams: Streams,
    ) -> None:
        """Bind every RPC of *services*; *caller* is whom each call comes from, *streams* watches over open streams."""
        self._clock = clock
        self._caller = caller
        self._pools = pools
        self._streams = streams
        self._methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}
        for service, handlers in services:
            for descriptor in service.methods:
                method = _method(descriptor, handlers, rules)
                self._methods[f"/{service.full_name}/{descriptor.name}"] = self._bound(method)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Choose what serves a call that has arrived."""
        return self._methods.get(handler_call_details.method)

    def end_overdue(self) -> None:
        """End every call whose request is overdue, and every stream whose reader does not read."""
        for pool in self._pools.values():
            pool.end_overdue()
        self._streams.cancel()

    def end_streams(self) -> None:
        """End every stream, those too that are still to come: the server stops."""
        self._streams.end()

    def _bound(self, method: Method) -> grpc.RpcMethodHandler[bytes, bytes]:
        pool = self._pools[Pool.READS if method.rule is None else method.rule.pool]
        if method.streams:

            def serve_stream(payload: bytes | None, context: grpc.ServicerContext) -> Iterator[bytes]:
                return self._serve_stream(method, payload, context)

            return pool.bound_stream(serve_stream, self._refuse)

        def serve(payload: bytes | None, context: grpc.ServicerContext) -> bytes:
            return self._serve(method, payload, context)

        return pool.bound(serve, self._refuse)

    def _refuse(self, context: grpc.ServicerContext) -> NoReturn:
        error = OverloadedError("as many calls as this server can take are running or waiting; come back shortly")
        context.abort_with_status(status_of(error, server_ms=self._clock.wall_ms()))

    def _serve(self, method: Method, payload: bytes | None, context: grpc.ServicerContext) -> bytes:
        try:
            answer = self._answer(method, payload, context)
        except Exception:  # noqa: BLE001 - the last net: logged here, and its text must not leave the process
            answer = self._fault(method)
        if isinstance(answer, Status):
            context.abort_with_status(answer)
        return answer

    def _serve_stream(self, method: Method, payload: bytes | None, context: grpc.ServicerContext) -> Iterator[bytes]:
        request = status = None
        with self._streams.opened(method.name, context) as stream:
            try:
                call = self._admit(method, context)
                request = _request(method, payload)
                yield from self._streams.sent(stream, method.handle(call, request, stream))
            except SessiondError as error:
                _log_refusal(method, request, error)
                status = status_of(error, server_ms=self._clock.wall_ms())
            except Exception:  # noqa: BLE001 - the last net: logged here, and its text must not leave the process
                status = self._fault(method)
        if status is None and self._streams.stopping:
            status = STOPPING
        if status is not None:
            context.abort_with_status(status)

    def _answer(self, method: Method, payload: bytes | None, context: grpc.ServicerContext) -> bytes | Status:
        request = None
        try:
            call = self._admit(method, context)
            request = _request(method, payload)
            reply: Message = method.handle(call, request)
            return reply.SerializeToString()
        except SessiondError as error:
            _log_refusal(method, request, error)
            return status_of(error, server_ms=self._clock.wall_ms())

    def _admit(self, method: Method, context: grpc.ServicerContext) -> Call:
        remaining = context.time_remaining()
        deadline_ms = None
        if remaining < _NO_DEADLINE_SECONDS:
            deadline_ms = self._clock.monotonic_ms() + round(remaining * 1000)
        if remaining <= 0 or not context.is_active():
            message = "the deadline had passed before the work began; nothing was changed"
            raise DeadlinePassedError(message)
        if method.rule is None or not method.rule.admits(self._caller.roles):
            needed = "that no caller has" if method.rule is None else f"with the role {_either(method.rule.roles)}"
            message = f"{method.name} is for callers {needed}"
            raise PermissionDeniedError(message)
        return Call(self._caller, deadline_ms, tuple(context.invocation_metadata()))

    def _fault(self, method: Method) -> Status:
        call_id = secrets.token_hex(8)
        _log.exception("fault", method=method.name, call_id=call_id)
        error = InternalFaultError(f"a fault of the authority itself; its log tells more under the call id {call_id}")
        return status_of(error, server_ms=self._clock.wall_ms(), call_id=call_id)


def _method(descriptor: MethodDescriptor, handlers: object, rules: Mapping[str, Rule]) -> Method:
    return Method(
        descriptor.full_name,
        rules.get(descriptor.full_name),
        GetMessageClass(descriptor.input_type),
        getattr(handlers, _CAPITAL.sub("_", descriptor.name).lower()),
        descriptor.server_streaming,
    )


def _request(method: Method, payload: bytes | None) -> Message:
    if payload is None:
        raise InvalidRequestError((WHOLE_REQUEST, "the call ended without one"))
    return parse(method.request, payload, method.rule.max_bytes if method.rule else 0)


def _either(roles: Iterable[str]) -> str:
    return " or ".join(repr(role) for role in sorted(roles))


def _log_refusal(method: Method, request: Message | None, error: SessiondError) -> None:
    """
    Log a refused call.

    Only a refusal that was decided with the store is worth a line by default: the caller had a well-signed
    token. What is refused before, by its shape, signature or expiry, anyone can send as often as he likes.
    """
    fields = {"method": method.name, "reason": error.reason.name, "advice": error.advice.name}
    decided = False
    if isinstance(error, TokenRefusedError):
        fields["cause"] = error.cause.name
        if error.session_id is not None:
            decided = error.cause not in _BEFORE_THE_STORE
            fields["session_id"] = error.session_id
    token = next((getattr(request, name) for name in _TOKEN_FIELDS if getattr(request, name, "")), "")
    if token:
        fields["token"] = fingerprint(token)
    if error.reason in _STORE_TROUBLE:
        _log.warning("store trouble", **fields)
    elif decided:
        _log.info("refused", **fields)
    else:
        _log.debug("refused", **fields)
