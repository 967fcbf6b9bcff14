"""The HTTP side port: its pages, and the connections that ask for none."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from http.client import HTTPConnection

import httpx
import pytest

from sessiond.server.config import split_address
from sessiond.v1 import key_service_pb2 as keys_pb
from tests.rpc.world import World, world


def test_jwks_has_the_access_keys_for_as_long_as_the_schedule_allows(here: World) -> None:
    """The JWK Set is what GetKeyset gives, and may be cached for half the publication time of a key."""
    page = httpx.get(f"http://{here.app.http_address}/.well-known/jwks.json")
    keyset = here.keys.GetKeyset(keys_pb.GetKeysetRequest())
    access = [key.key_id for key in keyset.keys if key.purpose == keys_pb.KEY_PURPOSE_ACCESS]
    assert (200, "application/jwk-set+json", "public, max-age=300") == (
        page.status_code,
        page.headers["content-type"],
        page.headers["cache-control"],
    )
    assert json.loads(keyset.jwks_json) == page.json()
    assert access == [key["kid"] for key in page.json()["keys"]]
    assert keyset.max_age.seconds == 300


def test_jwks_follows_the_keyset(here: World) -> None:
    """A new key is published at once, a revoked one withdrawn at once."""
    before = here.keys.GetKeyset(keys_pb.GetKeysetRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS)).keys[0].key_id
    new = here.keys.RotateKey(keys_pb.RotateKeyRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS)).key
    assert [new.key_id, before] == kids(here)
    assert new.state == keys_pb.KEY_STATE_PENDING
    here.keys.RevokeKey(keys_pb.RevokeKeyRequest(key_id=before))
    assert [new.key_id] == kids(here)


def kids(here: World) -> list[str]:
    """Fetch the key ids of the JWK Set."""
    page = httpx.get(f"http://{here.app.http_address}/.well-known/jwks.json").json()
    return [key["kid"] for key in page["keys"]]


def test_healthz_tells_store_and_format(shared: World) -> None:
    """The health page tells the state of the store, how full it is and the token format."""
    page = httpx.get(f"http://{shared.app.http_address}/healthz")
    expected = {
        "status": "SERVING",
        "token_format": 1,
        "store": {"readable": True, "writable": True, "fill": 0.0, "detail": ""},
    }
    told = page.json()
    del told["key_tables"]
    assert (200, expected, "no-store") == (page.status_code, told, page.headers["cache-control"])


def test_other_pages_do_not_exist(shared: World) -> None:
    """What is not published is 404, and nothing takes a POST."""
    base = f"http://{shared.app.http_address}"
    assert (404, 405) == (httpx.get(base + "/").status_code, httpx.post(base + "/healthz").status_code)


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\n"], ids=["nothing", "half a request"])
def test_http_connection_without_a_request_ends(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """A connection on which no whole request comes in time is closed, and others are served."""
    monkeypatch.setattr("sessiond.server.http._REQUEST_SECONDS", 0.2)
    with world() as here, connected(here) as connection:
        connection.sendall(sent)
        assert connection.recv(1) == b""
        assert httpx.get(f"http://{here.app.http_address}/healthz").status_code == 200


def test_http_connection_without_a_further_request_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection serves for as long as requests come, and is closed if no whole further one comes in time."""
    seconds = 0.5
    monkeypatch.setattr("sessiond.server.http._REQUEST_SECONDS", seconds)
    with world() as here, closing(HTTPConnection(here.app.http_address, timeout=30)) as connection:
        connection.connect()
        kept, start = connection.sock, time.monotonic()
        while time.monotonic() < start + 2 * seconds:
            connection.request("GET", "/healthz")
            assert connection.getresponse().read()
            assert connection.sock is kept
        kept.sendall(b"GET")
        assert kept.recv(1) == b""


def connected(here: World) -> socket.socket:
    """Connect to the HTTP side port."""
    return socket.create_connection(split_address(here.app.http_address), timeout=30)
