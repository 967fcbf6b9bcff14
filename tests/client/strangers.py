"""Servers that are no authority of this release: they answer every call with what they were told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from sessiond.client import Client
from sessiond.errors import SessiondError
from sessiond.server.status import status_of
from tests.rpc.world import World


@dataclass
class Stranger(grpc.GenericRpcHandler):
    """Answers with *answer*, and keeps the requests that it got."""

    answer: Callable[[bytes, grpc.ServicerContext], bytes]
    requests: list[bytes] = field(default_factory=list)

    def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Serve every method."""

        def serve(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.requests.append(request)
            return self.answer(request, context)

        return grpc.unary_unary_rpc_method_handler(serve)


@contextmanager
def serving(handler: grpc.GenericRpcHandler) -> Iterator[str]:
    """Serve on a free port, and give the address."""
    with futures.ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=[handler])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(0).wait()


def refusing(
    code: grpc.StatusCode, message: str, *details: Message, metadata: tuple[tuple[str, str | bytes], ...] = ()
) -> Stranger:
    """Make a stranger that refuses with a status, rich *details* and trailing *metadata*."""

    def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
        rich: tuple[tuple[str, str | bytes], ...] = ()
        if details:
            status = status_pb2.Status(code=code.value[0], message=message, details=[_packed(one) for one in details])
            rich = (("grpc-status-details-bin", status.SerializeToString()),)
        context.set_trailing_metadata((*metadata, *rich))
        context.abort(code, message)

    return Stranger(refuse)


@contextmanager
def troubled(error: SessiondError, here: World) -> Iterator[tuple[Client, Stranger]]:
    """Give a client whose every call is refused with *error*."""

    def refuse(_request: bytes, context: object) -> bytes:
        context.abort_with_status(status_of(error, server_ms=here.clock.wall_ms()))  # type: ignore[attr-defined]
        raise AssertionError

    stranger = Stranger(refuse)
    with serving(stranger) as address, Client(address, clock=here.clock) as made:
        yield made, stranger


def info(reason: str, *, domain: str = "sessiond", **metadata: str) -> error_details_pb2.ErrorInfo:
    """Make the first detail of a refusal."""
    made: error_details_pb2.ErrorInfo = error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata)
    return made


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
