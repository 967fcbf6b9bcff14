"""
What a server serves beside its RPCs: grpc.health.v1 and reflection.

Rule 1: checks and each kind of stream have threads of their own, so none keeps another or a call waiting.
Rule 2: streams are capped, and all of them end when the server stops: no watcher delays it.
Rule 3: nothing is sent under a lock, so a watcher that does not read holds up itself alone. The
    servicer of grpcio-health-checking sends under the lock that every check takes.
"""

from __future__ import annotations

import threading
from concurrent import futures
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from sessiond.server.pools import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import NoReturn

MAX_CHECKS = 256
MAX_WATCHES = 32
MAX_REFLECTIONS = 8

HEALTH_SERVICE: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
REFLECTION_SERVICE: str = reflection.SERVICE_NAME

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
_CHECKERS = 2
_SPARE_THREADS = 1


class Health:
    """What health says of each service, NOT_SERVING at first. Safe to use from any thread."""

    def __init__(self, services: Iterable[str]) -> None:
        """Know *services*; ``""`` stands for the whole server."""
        self._statuses = dict.fromkeys(services, _NOT_SERVING)
        self._changed = threading.Condition()
        self._closed = False

    def say(self, serving: Mapping[str, bool]) -> None:
        """Say whether each named service serves. Nothing is heard after :meth:`close`."""
        with self._changed:
            if not self._closed:
                self._statuses.update({name: _SERVING if good else _NOT_SERVING for name, good in serving.items()})
                self._changed.notify_all()

    def close(self) -> None:
        """Say NOT_SERVING for good; each watch ends once it has told so."""
        with self._changed:
            self._closed = True
            self._statuses = dict.fromkeys(self._statuses, _NOT_SERVING)
            self._changed.notify_all()

    def check(self, payload: bytes | None, context: grpc.ServicerContext) -> bytes:
        """Serve Check."""
        status = self._statuses.get(_service_asked_for(payload, context))
        if status is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no service of this server has that name")
        return bytes(health_pb2.HealthCheckResponse(status=status).SerializeToString())

    def watch(self, payloads: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
        """Serve Watch: the status at once, then each change; of changes that come too fast only the last."""
        service = _service_asked_for(next(payloads, None), context)
        told = None
        context.add_callback(self._wake)
        while True:
            with self._changed:
                while self._status(service) == told and not self._closed and context.is_active():
                    self._changed.wait()
                status, closed = self._status(service), self._closed
            if status != told:
                yield health_pb2.HealthCheckResponse(status=status)
                told = status
            if closed or not context.is_active():
                return

    def _status(self, service: str) -> int:
        return int(self._statuses.get(service, _SERVICE_UNKNOWN))

    def _wake(self) -> None:
        """Let a watch look whether its caller has gone."""
        with self._changed:
            self._changed.notify_all()


def _service_asked_for(payload: bytes | None, context: grpc.ServicerContext) -> str:
    try:
        return str(health_pb2.HealthCheckRequest.FromString(payload).service)
    except (DecodeError, TypeError):  # None: the call ended without a request.
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the request is no grpc.health.v1.HealthCheckRequest")


def _refuse_check(context: grpc.ServicerContext) -> NoReturn:
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"at most {MAX_CHECKS} checks are made at once")


class Streams:
    """The open streams of one kind: so many at most, each with a thread."""

    def __init__(self, name: str, most: int) -> None:
        """Keep *most* open; one more thread tells the next ones that this is so."""
        self._most = most
        self._threads = futures.ThreadPoolExecutor(most + _SPARE_THREADS, thread_name_prefix=f"sessiond-{name}")
        self._open: set[grpc.ServicerContext] = set()
        self._lock = threading.Lock()

    def bound(self, serve: Callable[[Any, grpc.ServicerContext], Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """Give the behaviour that serves streams with *serve*."""

        def behaviour(request: object, context: grpc.ServicerContext) -> Iterator[Any]:
            with self._lock:
                full = len(self._open) >= self._most
                if not full:
                    self._open.add(context)
            if full:
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"at most {self._most} such streams are open at once")
            if not context.add_callback(lambda: self._forget(context)):
                self._forget(context)
            return serve(request, context)

        behaviour.experimental_thread_pool = self._threads  # type: ignore[attr-defined]
        return behaviour

    def cancel(self) -> None:
        """End every open stream."""
        with self._lock:
            open_now = list(self._open)
        for context in open_now:
            context.cancel()

    def shutdown(self) -> None:
        """Release the threads. No stream may be open any more."""
        self._threads.shutdown()

    def _forget(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            self._open.discard(context)


class SideServices:
    """Health and reflection of one server."""

    def __init__(self, services: Iterable[str]) -> None:
        """Tell of *services*, by their full names."""
        names = tuple(services)
        self.health = Health(("", *names))
        self._checks = WorkerPool("checks", _CHECKERS, MAX_CHECKS)
        self._watches = Streams("watches", MAX_WATCHES)
        self._reflections = Streams("reflections", MAX_REFLECTIONS)
        self._reflection = reflection.ReflectionServicer((*names, HEALTH_SERVICE, REFLECTION_SERVICE))

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """Give what serves both services."""
        check = self._checks.bound(self.health.check, _refuse_check)
        # Its caller sends one request. A handler of one request is called only once that has come: too late to count.
        watch: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
            self._watches.bound(self.health.watch),
            response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
        )
        reflect = grpc.stream_stream_rpc_method_handler(
            self._reflections.bound(self._reflection.ServerReflectionInfo),
            reflection_pb2.ServerReflectionRequest.FromString,
            reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        return [
            grpc.method_handlers_generic_handler(HEALTH_SERVICE, {"Check": check, "Watch": watch}),
            grpc.method_handlers_generic_handler(REFLECTION_SERVICE, {"ServerReflectionInfo": reflect}),
        ]

    def close(self) -> None:
        """Say NOT_SERVING for good and end every stream."""
        self.health.close()
        self._reflections.cancel()

    def end_overdue(self) -> None:
        """End every check whose request is overdue, and every watch that did not end by itself."""
        self._checks.end_overdue()
        self._watches.cancel()

    def shutdown(self) -> None:
        """Release the threads, once no call can arrive any more."""
        self._checks.shutdown()
        self._watches.shutdown()
        self._reflections.shutdown()
