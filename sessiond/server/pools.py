"""The worker pools: which threads serve which calls, and how many calls may wait for them."""

from __future__ import annotations

import threading
import time
from concurrent import futures
from typing import TYPE_CHECKING

import grpc
from grpc import _server as grpc_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

    Serve = Callable[[bytes | None, grpc.ServicerContext], bytes]
    ServeStream = Callable[[bytes | None, grpc.ServicerContext], Iterator[bytes]]
    Refuse = Callable[[grpc.ServicerContext], NoReturn]

OVERDUE_SECONDS = 0.25
"""How long a call may wait for its request and be sure of its place: callers send both together."""

_REFUSING_THREADS = 2


class WorkerPool(futures.ThreadPoolExecutor):
    """
    Serves calls of one kind: at most *limit* are in, and at most *workers* of those work at one time.

    grpcio gives a call its thread when the headers come; the request can come
    much later, or never. So each call that is in has a thread to wait in, and
    a worker is taken only once the request is here. A call whose request is
    overdue keeps its place until another call needs it, no longer: whoever
    opens calls and sends no request keeps nobody out.

    The limit is what keeps an overload short: beyond it a call is answered at
    once instead of waiting behind others until its caller has gone.
    """

    def __init__(self, name: str, workers: int, limit: int) -> None:
        """Work on *workers* calls at one time; be full at *limit* calls, waiting ones included."""
        super().__init__(max_workers=limit + _REFUSING_THREADS, thread_name_prefix=f"sessiond-{name}")
        self._limit = limit
        self._workers = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._inside = 0
        self._awaited: dict[grpc.ServicerContext, float] = {}
        """Since when each call waits for its request, the oldest first."""

    def bound(self, serve: Serve, refuse: Refuse) -> grpc.RpcMethodHandler[bytes, bytes]:
        """
        Give the handler that serves calls here.

        Args:
            serve: Answers the bytes of a request; None where the caller ended the call without one.
            refuse: Ends a call that finds the pool full.

        """

        def behaviour(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            if not self._enter(context):
                refuse(context)
            try:
                request = next(requests, None)
                self._arrived(context)
                with self._workers:
                    return serve(request, context)
            finally:
                self._leave(context)

        behaviour.experimental_thread_pool = self  # type: ignore[attr-defined]
        # Unary to its caller. A unary handler would be called only once the request has come: too late to know of it.
        return grpc.stream_unary_rpc_method_handler(behaviour)

    def bound_stream(self, serve: ServeStream, refuse: Refuse) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Give the handler that serves streams here, as :meth:`bound` does for calls; each holds a worker."""

        def behaviour(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            if not self._enter(context):
                refuse(context)
            try:
                request = next(requests, None)
                self._arrived(context)
                with self._workers:
                    yield from serve(request, context)
            finally:
                # grpcio drops the iterator of a caller that has gone, which closes it: this runs then.
                self._leave(context)

        behaviour.experimental_thread_pool = self  # type: ignore[attr-defined]
        return grpc.stream_stream_rpc_method_handler(behaviour)

    def end_overdue(self) -> None:
        """End every call whose request is overdue."""
        with self._lock:
            overdue = list(iter(self._take_overdue, None))
        for context in overdue:
            context.cancel()

    def _enter(self, context: grpc.ServicerContext) -> bool:
        with self._lock:
            full = self._inside >= self._limit
            overdue = self._take_overdue() if full else None
            if full and overdue is None:
                return False
            self._inside += 1
            self._awaited[context] = time.monotonic()
        if overdue is not None:
            overdue.cancel()
        return True

    def _take_overdue(self) -> grpc.ServicerContext | None:
        """Forget the call that has waited longest for its request, if too long, and give it. The lock is held."""
        context, since = next(iter(self._awaited.items()), (None, 0.0))
        if context is None or time.monotonic() - since < OVERDUE_SECONDS:
            return None
        del self._awaited[context]
        return context

    def _arrived(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            self._awaited.pop(context, None)

    def _leave(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            self._inside -= 1
            self._awaited.pop(context, None)


def check_pools_are_honoured() -> None:
    """
    Make sure that grpcio runs a behaviour in the pool that the behaviour names.

    The attribute is experimental in grpcio. Were it ignored, calls that wait
    for the disk would stop every other call, and nothing would tell.

    Raises:
        RuntimeError: The installed grpcio runs behaviours elsewhere.

    """
    with WorkerPool("check", 1, 1) as pool, futures.ThreadPoolExecutor(1) as other:

        def behaviour(_request: object, _context: grpc.ServicerContext) -> None:
            """Stand for a method."""

        behaviour.experimental_thread_pool = pool  # type: ignore[attr-defined]
        if grpc_server._select_thread_pool_for_behavior(behaviour, other) is not pool:  # noqa: SLF001
            message = f"grpcio {grpc.__version__} ignores the thread pool that a method names: install another version"
            raise RuntimeError(message)
