"""What the server does beside its RPCs: health, reflection, limits, the HTTP side port, its rows of permissions."""

from __future__ import annotations

import re
import threading
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sessiond.authority.caller import LOCAL, ROLES
from sessiond.clock import ManualClock
from sessiond.server.adapter import Adapter
from sessiond.server.app import SERVICES
from sessiond.server.config import DEV_DEFAULTS, load
from sessiond.server.http import ListenError
from sessiond.server.pools import WorkerPool
from sessiond.server.rules import RULES, Pool
from sessiond.server.streams import Streams
from sessiond.server.transport import Transport
from sessiond.store.contract import Change, Health, View
from sessiond.store.memory import MemoryStore
from sessiond.v1 import key_service_pb2 as keys_pb
from sessiond.v1 import session_service_pb2 as pb
from tests.rpc.answers import Answer, answer, invalid, refusal
from tests.rpc.world import World, world

PROTO = Path(__file__).parents[2] / "proto" / "sessiond" / "v1"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
NAMES = ["", *(service.full_name for service in SERVICES)]


def health_of(channel: grpc.Channel, service: str) -> int:
    """Ask for the health of one service."""
    reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    return int(reply.status)


def documented_roles() -> dict[str, set[str]]:
    """Read from the proto files who may call each RPC."""
    roles: dict[str, set[str]] = {}
    for file in PROTO.glob("*_service.proto"):
        service = ""
        allowed = ""
        for line in file.read_text().splitlines():
            if match := re.match(r"service (\w+)", line):
                service = match[1]
            elif match := re.match(r"  // (Allowed to .*)", line):
                allowed = match[1]
            elif match := re.match(r"  rpc (\w+)\(", line):
                named = set(re.findall(r"`([\w-]+)`", allowed))
                assert named or allowed == "Allowed to every caller.", match[1]
                roles[f"sessiond.v1.{service}.{match[1]}"] = named
                allowed = ""
    return roles


def test_every_rpc_has_a_row_with_its_documented_role() -> None:
    """The table of permissions has exactly the RPCs of the proto files, each with the roles that its comment names."""
    assert documented_roles() == {name: rule.roles for name, rule in RULES.items()}
    assert {method.full_name for service in SERVICES for method in service.methods} == RULES.keys()


def test_every_role_exists() -> None:
    """No row asks for a role that nobody can have, and no role is without a row."""
    assert frozenset().union(*(rule.roles for rule in RULES.values())) == ROLES


def test_every_rpc_that_changes_something_waits_in_the_pool_for_writes() -> None:
    """Calls that wait for the disk never hold a thread that reads need."""
    reading = re.compile(r"\.(Get|List|Verify|BatchVerify|Watch|Explain)\w*$")
    assert {name for name in RULES if not reading.search(name)} == {
        name for name, rule in RULES.items() if rule.pool is Pool.WRITES
    }


def test_every_stream_has_a_thread_of_the_pool_for_streams() -> None:
    """Streams, which stay open, and no other call, are served by the pools for them."""
    assert {method.full_name for service in SERVICES for method in service.methods if method.server_streaming} == {
        name for name, rule in RULES.items() if rule.pool in {Pool.WATCHES, Pool.EVENT_WATCHES}
    }


def test_health_is_not_serving_until_told() -> None:
    """A server that accepts calls but is not ready yet says NOT_SERVING, for every service."""
    pools = {pool: WorkerPool(pool.value, 1, 1) for pool in Pool}
    adapter = Adapter([], RULES, pools, clock=ManualClock(), caller=LOCAL, streams=Streams(ManualClock()))
    transport = Transport(adapter, NAMES[1:], "127.0.0.1:0", calls=8, reuse_port=False)
    transport.start()
    with grpc.insecure_channel(transport.address) as channel:
        assert [NOT_SERVING] * len(NAMES) == [health_of(channel, name) for name in NAMES]
        transport.say_serving(dict.fromkeys(NAMES, True))
        assert [SERVING] * len(NAMES) == [health_of(channel, name) for name in NAMES]
    transport.stop(0)


class Ailing(MemoryStore):
    """A store that cannot write for a while."""

    ill = False

    def health(self) -> Health:
        """Say so."""
        well = super().health()
        return Health(well.readable, well.writable and not self.ill, 0.7, "the disk is full" if self.ill else "")


def test_health_follows_the_store() -> None:
    """While the store cannot write, the services that write are NOT_SERVING and verification goes on."""
    clock = ManualClock()
    store = Ailing(monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)
    with world(store=store, clock=clock) as here:
        assert [SERVING] * len(NAMES) == [health_of(here.channel, name) for name in NAMES]
        store.ill = True
        here.app.watch_store()
        assert [SERVING, NOT_SERVING, SERVING, NOT_SERVING, SERVING, SERVING] == [
            health_of(here.channel, name) for name in NAMES
        ]
        page = httpx.get(f"http://{here.app.http_address}/healthz")
        assert (503, "NOT_SERVING", "the disk is full") == (
            page.status_code,
            page.json()["status"],
            page.json()["store"]["detail"],
        )
        store.ill = False
        here.app.watch_store()
        assert [SERVING] * len(NAMES) == [health_of(here.channel, name) for name in NAMES]
    store.close()


def test_store_that_cannot_be_read(here: World) -> None:
    """While the store cannot be read every call is UNAVAILABLE, keeps the tokens and says when to come back."""
    issued = here.login()
    here.store.close()
    here.app.watch_store()
    calls = (
        (here.login,),
        (here.refresh, issued.refresh_token),
        (here.verify, issued.access_token),
        (here.revoke, issued.session_id),
        (here.sessions.GetSession, pb.GetSessionRequest(session_id=issued.session_id)),
        (here.keys.GetKeyset, keys_pb.GetKeysetRequest()),
        (here.keys.RotateKey, keys_pb.RotateKeyRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS)),
    )
    for call in calls:
        told = refusal(*call)
        assert Answer("UNAVAILABLE", "STORE_UNAVAILABLE", "", "KEEP_CURRENT_TOKENS") == told.answer
        assert told.retry_seconds == 1
    assert [NOT_SERVING] * len(NAMES) == [health_of(here.channel, name) for name in NAMES]
    pages = [httpx.get(f"http://{here.app.http_address}{path}") for path in ("/healthz", "/.well-known/jwks.json")]
    assert [503, 503] == [page.status_code for page in pages]
    assert pages[1].text == "STORE_UNAVAILABLE: the store is closed\n"


def test_stopping_server_says_so_while_calls_run(here: World) -> None:
    """While the last calls of a stopping server run, its health page and its health service say NOT_SERVING."""
    release, running = threading.Event(), threading.Event()

    def decide(_view: View) -> Change[None]:
        running.set()
        release.wait(30)
        return Change(None)

    issued = here.login()
    watch = health_pb2_grpc.HealthStub(here.channel).Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == SERVING
    with futures.ThreadPoolExecutor(2) as threads:
        # The store is held, as a slow disk would hold it, so the call that follows runs until it is released.
        holding = threads.submit(here.store.rotate, here.record(issued.session_id).id, decide)
        assert running.wait(30)
        last = here.sessions.Refresh.future(pb.RefreshRequest(refresh_token=issued.refresh_token))
        until_in_flight(here)
        stopping = threads.submit(here.app.stop, 30)
        assert [NOT_SERVING] == [told.status for told in watch]
        page = httpx.get(f"http://{here.app.http_address}/healthz")
        assert (503, "NOT_SERVING") == (page.status_code, page.json()["status"])
        assert (False, False) == (last.done(), stopping.done())
        release.set()
        assert last.result(30).tokens.generation == 1
        stopping.result(30)
        holding.result(30)


def until_in_flight(here: World) -> None:
    """Wait until the call that was sent is served: one that was sent after it has been answered."""
    with pytest.raises(grpc.RpcError) as caught:
        here.raw("SessionService/Forge")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_reflection_lists_the_services(shared: World) -> None:
    """Server reflection names our services, health and itself."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(shared.channel)
    reply = next(iter(stub.ServerReflectionInfo(iter([request]))))
    listed = {service.name for service in reply.list_services_response.service}
    assert {*NAMES[1:], "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} == listed


def test_streams_keep_no_call_waiting(shared: World) -> None:
    """Many open streams of health and reflection leave every call its thread."""
    release = threading.Event()

    def hold() -> Any:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        release.wait(30)

    stub = reflection_pb2_grpc.ServerReflectionStub(shared.channel)
    watch = health_pb2_grpc.HealthStub(shared.channel).Watch
    streams = [stub.ServerReflectionInfo(hold()) for _ in range(10)]
    streams += [watch(health_pb2.HealthCheckRequest()) for _ in range(10)]
    try:
        for _ in range(20):
            assert shared.verify(shared.login().access_token).subject == "alice"
    finally:
        release.set()
        for stream in streams:
            stream.cancel()


def test_keyset_by_purpose(shared: World) -> None:
    """GetKeyset gives the keys of the purpose that was asked for."""
    keyset = shared.keys.GetKeyset(keys_pb.GetKeysetRequest(purpose=keys_pb.KEY_PURPOSE_REFRESH))
    assert [keys_pb.KEY_PURPOSE_REFRESH] == [key.purpose for key in keyset.keys]


def test_metadata_beyond_its_limit_is_refused(shared: World) -> None:
    """A call with 100 KB of metadata is refused by the transport, and the next call is served."""
    with pytest.raises(grpc.RpcError) as caught:
        shared.keys.GetKeyset(keys_pb.GetKeysetRequest(), metadata=[("x-large", "x" * 100_000)])
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert shared.keys.GetKeyset(keys_pb.GetKeysetRequest()).keys


def test_message_beyond_the_limit_of_the_transport_is_refused(shared: World) -> None:
    """A message of 6 MB is refused by the transport; one within it but beyond the RPC's limit names its field."""
    with pytest.raises(grpc.RpcError) as caught:
        shared.sessions.CreateSession(pb.CreateSessionRequest(claims_json="x" * 6_000_000))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert invalid("claims_json") == answer(
        shared.sessions.CreateSession, pb.CreateSessionRequest(claims_json="x" * 5_000_000)
    )


def test_one_connection_may_have_more_calls_than_are_let_in_at_once(shared: World) -> None:
    """A caller with many more calls under way on one connection than it may have open is refused none of them."""
    calls = [shared.keys.GetKeyset.future(keys_pb.GetKeysetRequest()) for _ in range(1_500)]
    assert {None} == {call.exception(timeout=60) for call in calls}


@pytest.mark.parametrize("port", ["listen", "http"])
def test_taken_port_keeps_the_server_from_starting(shared: World, port: str) -> None:
    """A second server is refused a port that is taken, and gives back what it had taken before."""
    taken = shared.app.address if port == "listen" else shared.app.http_address
    settings: dict[str, Any] = {port: taken}
    with pytest.raises(ListenError, match=f"cannot listen on {taken}"), world(**settings):
        pass


def test_unix_socket(tmp_path: Path) -> None:
    """A server listens on a unix socket, and a second one does not take it away."""
    address = f"unix:{tmp_path}/s.sock"
    with world(listen=address) as here:
        assert here.verify(here.login().access_token).subject == "alice"
        with pytest.raises(ListenError, match="another server does"), world(listen=address):
            pass
        assert here.login().generation == 0


def test_dev_defaults_are_a_whole_configuration() -> None:
    """With --dev nothing but the master key is left to be said."""
    config = load({}, defaults=DEV_DEFAULTS)
    assert ("127.0.0.1:7400", "127.0.0.1:7401", "https://sessiond.localhost", "sessiond") == (
        config.listen,
        config.http,
        config.issuer,
        config.audience,
    )
