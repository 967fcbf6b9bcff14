"""Calls are repeated where that is safe, by gRPC and by whoever holds the tokens, and are done once."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from sessiond.client import Client, KeyPurpose, RefreshOutcome, retry_key
from sessiond.client.client import DEFAULT_TIMEOUT_SECONDS
from sessiond.client.retry import SERVICE_CONFIG
from sessiond.errors import IndeterminateError, RequestIdReusedError, StoreUnavailableError
from sessiond.server.app import SERVICES
from sessiond.server.status import status_of
from sessiond.v1 import key_service_pb2, session_service_pb2
from tests.client.strangers import Stranger, serving
from tests.client.waiting import until
from tests.client.wire import Wire
from tests.rpc.world import World

PUBLISHED = Path(__file__).parents[2] / "proto" / "service_config.json"

MUTATIONS: dict[str, tuple[Any, Callable[[Client, str], object]]] = {
    "CreateSession": (
        session_service_pb2.CreateSessionRequest,
        lambda client, name: client.create_session("acme", "alice", request_id=name),
    ),
    "Refresh": (session_service_pb2.RefreshRequest, lambda client, name: client.refresh("sdr_", request_id=name)),
    "UpdateSession": (
        session_service_pb2.UpdateSessionRequest,
        lambda client, name: client.update_session("id", claims={}, request_id=name),
    ),
    "RevokeSession": (
        session_service_pb2.RevokeSessionRequest,
        lambda client, name: client.revoke_session("id", request_id=name),
    ),
    "BatchRevokeSessions": (
        session_service_pb2.BatchRevokeSessionsRequest,
        lambda client, name: client.batch_revoke_sessions(["id"], request_id=name),
    ),
    "RevokeDevice": (
        session_service_pb2.RevokeDeviceRequest,
        lambda client, name: client.revoke_device("acme", "alice", "phone", request_id=name),
    ),
    "RevokeSubject": (
        session_service_pb2.RevokeSubjectRequest,
        lambda client, name: client.revoke_subject("acme", "alice", request_id=name),
    ),
    "RevokeTenant": (
        session_service_pb2.RevokeTenantRequest,
        lambda client, name: client.revoke_tenant("acme", request_id=name),
    ),
    "RevokeAll": (session_service_pb2.RevokeAllRequest, lambda client, name: client.revoke_all(request_id=name)),
    "RotateKey": (
        key_service_pb2.RotateKeyRequest,
        lambda client, name: client.rotate_key(KeyPurpose.ACCESS, request_id=name),
    ),
    "RevokeKey": (key_service_pb2.RevokeKeyRequest, lambda client, name: client.revoke_key("id", request_id=name)),
}


def test_service_config_is_the_published_one() -> None:
    """The client runs on the service config that other languages are given, and it names every service."""
    config = json.loads(SERVICE_CONFIG)
    named = {name["service"] for method in config["methodConfig"] for name in method["name"]}

    assert PUBLISHED.read_text() == SERVICE_CONFIG
    assert {service.full_name for service in SERVICES} == named


def test_every_mutation_carries_a_request_id() -> None:
    """A mutation carries the request id that was given, or one of its own for each call."""
    requests = {method.name for service in SERVICES for method in service.methods if "request_id" in fields(method)}
    assert set(MUTATIONS) == requests

    stranger = Stranger(lambda _request, _context: b"")
    with serving(stranger) as address, Client(address) as client:
        for message, call in MUTATIONS.values():
            del stranger.requests[:]
            call(client, "mine")
            call(client, "")
            call(client, "")
            mine, first, second = (message.FromString(request).request_id for request in stranger.requests)

            assert "mine" == mine
            assert first != second
            assert 32 == len(first) == len(second)


def fields(method: Any) -> list[str]:
    """Name the fields of a method's request."""
    return [field.name for field in method.input_type.fields]


def test_unavailable_answer_is_repeated_with_the_same_request_id() -> None:
    """While the store cannot serve, gRPC repeats the call as it is, after pauses; the caller sees the success."""
    trouble = StoreUnavailableError("not now")

    def twice_unavailable(_request: bytes, context: grpc.ServicerContext) -> bytes:
        if len(stranger.requests) <= 2:
            context.abort_with_status(status_of(trouble, server_ms=0))
        return b""

    stranger = Stranger(twice_unavailable)
    with serving(stranger) as address, Client(address) as client:
        client.refresh("sdr_")

    assert 3 == len(stranger.requests)
    assert 1 == len(set(stranger.requests))


def test_repetitions_end_before_the_deadline_and_are_few() -> None:
    """A call that stays unavailable is tried four times, and raises what the authority said."""
    stranger = Stranger(
        lambda _request, context: context.abort_with_status(status_of(StoreUnavailableError("not now"), server_ms=0))
    )
    with serving(stranger) as address, Client(address) as client, pytest.raises(StoreUnavailableError) as caught:
        client.refresh("sdr_")

    assert 4 == len(stranger.requests)
    assert 1000 == caught.value.retry_after_ms


def test_every_call_has_a_deadline() -> None:
    """Without a word about it, a call to a server that never answers ends, and says that its outcome is unknown."""
    done = threading.Event()
    remaining: list[float] = []

    def hang(_request: bytes, context: grpc.ServicerContext) -> bytes:
        remaining.append(context.time_remaining())
        done.wait(20)
        return b""

    with serving(Stranger(hang)) as address:
        with Client(address) as client, ThreadPoolExecutor(1) as pool:
            pending = pool.submit(client.verify, "eyJ")
            until(lambda: len(remaining) == 1)
            done.set()
            pending.result()
        done.clear()
        with (
            Client(address, timeout_seconds=0.3) as client,
            pytest.raises(IndeterminateError, match="DEADLINE_EXCEEDED"),
        ):
            client.verify("eyJ")
        done.set()

    # What gRPC takes for "no deadline" is many years.
    assert 0 < remaining[0] < DEFAULT_TIMEOUT_SECONDS + 1


def test_answer_lost_with_the_connection_is_fetched_by_grpc(here: World) -> None:
    """The connection breaks between commit and answer: gRPC repeats the call, and nothing is done twice."""
    with (
        Wire(here.app.address) as wire,
        Client(wire.address, timeout_seconds=20) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        first = client.create_session("acme", "alice")
        wire.lose_answers()
        pending = pool.submit(client.refresh, first.refresh_token)
        until(lambda: here.record(first.session_id).pending == first.generation + 1)
        wire.cut()
        second = pending.result()
        third = client.refresh(second.refresh_token)

    assert RefreshOutcome.RETRIED is second.outcome
    assert (first.generation + 1, first.generation + 2) == (second.generation, third.generation)


def test_unknown_outcome_is_found_out_by_the_same_request_id(here: World) -> None:
    """A login whose answer never came is repeated under its name: one session, and the same refresh token."""
    with Wire(here.app.address) as wire:
        with Client(wire.address, timeout_seconds=1) as client:
            client.get_keyset()
            wire.lose_answers()
            with pytest.raises(IndeterminateError):
                client.create_session("acme", "alice", request_id="login 7")
            wire.cut()
        with Client(here.app.address) as client:
            (session,) = client.list_sessions("acme", "alice")
            first = client.create_session("acme", "alice", request_id="login 7")
            second = client.create_session("acme", "alice", request_id="login 7")
            with pytest.raises(RequestIdReusedError):
                client.create_session("acme", "bob", request_id="login 7")

    assert session.session_id == first.session_id == second.session_id
    assert first.refresh_token == second.refresh_token


def test_retry_key_is_an_hmac_of_the_token() -> None:
    """The retry key is HMAC-SHA256 of the token under the secret: other secrets and tokens give other keys."""
    expected = hmac.new(b"s" * 32, b"sdr_token", hashlib.sha256).digest()

    assert expected == retry_key(b"s" * 32, "sdr_token")
    assert 3 == len({retry_key(b"s" * 32, "a"), retry_key(b"s" * 32, "b"), retry_key(b"t" * 32, "a")})
