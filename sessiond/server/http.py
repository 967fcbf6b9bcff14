"""The HTTP side port: the keys for JWT libraries and proxies, and health for whoever cannot speak gRPC."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
import uvicorn.protocols.http.h11_impl
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sessiond.errors import StoreUnavailableError
from sessiond.server.config import split_address
from sessiond.server.publication import max_age_seconds, published_jwks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from sessiond.authority.keys import Keys
    from sessiond.authority.policy import Policy
    from sessiond.store.contract import Health

JWKS_PATH = "/.well-known/jwks.json"
HEALTH_PATH = "/healthz"
TOKEN_FORMAT = 1

_START_SECONDS = 10
_REQUEST_SECONDS = 5
"""How long a connection may be without a whole request, the first one as well as each further one."""

_DRAIN_SECONDS = 2
_CONNECTIONS = 256
_HEADER_BYTES = 16 * 1024


class ListenError(Exception):
    """An address cannot be listened on; the message says which, why, and what to do."""


def site(
    keys: Keys,
    policy: Policy,
    health: Callable[[], Health],
    serving: Callable[[], bool],
    key_tables: Callable[[], Mapping[str, Any]],
) -> Starlette:
    """
    Make the pages.

    ``/healthz`` answers 200 while the server serves and its store reads and writes, else 503; it tells of *key_tables*
    too. The keys answer 503 while the store cannot be read: what is cached elsewhere is as good.
    """

    def jwks(_request: Request) -> Response:
        try:
            every, _ = keys.keyset()
        except StoreUnavailableError as error:
            return PlainTextResponse(f"{error}\n", 503, headers={"cache-control": "no-store"})
        headers = {"cache-control": f"public, max-age={max_age_seconds(policy)}"}
        return Response(published_jwks(every), media_type="application/jwk-set+json", headers=headers)

    def healthz(_request: Request) -> Response:
        store = health()
        good = serving() and store.readable and store.writable
        body = {
            "status": "SERVING" if good else "NOT_SERVING",
            "token_format": TOKEN_FORMAT,
            "store": {
                "readable": store.readable,
                "writable": store.writable,
                "fill": round(store.fill, 4),
                "detail": store.detail,
            },
            "key_tables": key_tables(),
        }
        return JSONResponse(body, 200 if good else 503, headers={"cache-control": "no-store"})

    return Starlette(routes=[Route(JWKS_PATH, jwks), Route(HEALTH_PATH, healthz)])


class _Connection(uvicorn.protocols.http.h11_impl.H11Protocol):
    """
    Ends unless a whole request comes in time.

    uvicorn measures only from an answer to the next byte. Connections that send
    nothing, or a byte now and then, would stay, and soon no other is let in.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(_REQUEST_SECONDS, self._end_unless_answering)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def _end_unless_answering(self) -> None:
        if getattr(self.cycle, "response_complete", True):
            self.timeout_keep_alive_handler()


class _ReadyServer(uvicorn.Server):
    """Tells when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class HttpPort:
    """Serves pages from a thread of its own."""

    def __init__(self, pages: Starlette, address: str, *, reuse_port: bool) -> None:
        """
        Take *address*; serving begins with :meth:`start`.

        Raises:
            ListenError: The address is taken or cannot be had.

        """
        host, port = split_address(address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, reuse_port=reuse_port)
        except OSError as error:
            message = (
                f"cannot listen on {address} for HTTP: {error.strerror}: "
                f"stop what listens there, or choose another with --http"
            )
            raise ListenError(message) from None
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{self._socket.getsockname()[1]}"
        self._server = _ReadyServer(
            uvicorn.Config(
                pages,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                limit_concurrency=_CONNECTIONS,
                http=_Connection,
                timeout_keep_alive=_REQUEST_SECONDS,
                timeout_graceful_shutdown=_DRAIN_SECONDS,
                h11_max_incomplete_event_size=_HEADER_BYTES,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="sessiond-http", daemon=True
        )

    def start(self) -> None:
        """
        Serve, and return once pages can be fetched.

        Raises:
            RuntimeError: The thread did not get that far.

        """
        self._thread.start()
        if not self._server.ready.wait(_START_SECONDS):
            message = f"the HTTP side port did not start within {_START_SECONDS} s"
            raise RuntimeError(message)

    def stop(self) -> None:
        """Finish the answers that are being given, and release the address."""
        if self._thread.is_alive():
            self._server.should_exit = True
            self._thread.join(_DRAIN_SECONDS + _REQUEST_SECONDS)
        self._socket.close()
