"""The server put together: the only place that builds things."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import structlog

from sessiond.authority.bulk_revocation import BulkRevocation
from sessiond.authority.caller import LOCAL
from sessiond.authority.explaining import Explainer
from sessiond.authority.feed import Feed, Revocations
from sessiond.authority.keyring import KeysetFaultError
from sessiond.authority.keys import Keys
from sessiond.authority.revocation_log import RevocationLog
from sessiond.authority.sealing import Sealer, SealError
from sessiond.authority.sessions import Sessions
from sessiond.authority.verification import Verification
from sessiond.clock import wall_seconds
from sessiond.errors import IndeterminateError, StoreUnavailableError
from sessiond.ids import ScopeHasher
from sessiond.server.adapter import Adapter
from sessiond.server.config import Config, ConfigError
from sessiond.server.http import HttpPort, ListenError, site
from sessiond.server.hub import Hub
from sessiond.server.key_tables import key_table_usage, key_tables_in_use
from sessiond.server.maintenance import Maintenance
from sessiond.server.masterkey import read_master_key
from sessiond.server.pools import WorkerPool, check_pools_are_honoured
from sessiond.server.rules import RULES, Pool
from sessiond.server.services.diagnosis import DiagnosisHandlers, EventSource
from sessiond.server.services.keys import KeyHandlers
from sessiond.server.services.revocations import RevocationHandlers, RevocationSource
from sessiond.server.services.sessions import SessionHandlers
from sessiond.server.services.verification import VerificationHandlers
from sessiond.server.streams import Streams
from sessiond.server.transport import Transport
from sessiond.store.lmdb import LmdbStore, StoreOpenError
from sessiond.store.lmdb.environment import MAP_BYTES
from sessiond.v1 import (
    diagnosis_service_pb2,
    key_service_pb2,
    revocation_service_pb2,
    session_service_pb2,
    verification_service_pb2,
)
from sessiond.wide_tables import WideTables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiond.clock import Clock
    from sessiond.store.contract import Store
    from sessiond.store.records import Event

SERVICES = (
    session_service_pb2.DESCRIPTOR.services_by_name["SessionService"],
    verification_service_pb2.DESCRIPTOR.services_by_name["VerificationService"],
    key_service_pb2.DESCRIPTOR.services_by_name["KeyService"],
    revocation_service_pb2.DESCRIPTOR.services_by_name["RevocationService"],
    diagnosis_service_pb2.DESCRIPTOR.services_by_name["DiagnosisService"],
)

START_FAILURES = (
    ConfigError,
    StoreOpenError,
    StoreUnavailableError,
    IndeterminateError,
    SealError,
    KeysetFaultError,
    ListenError,
)
"""What can keep a server from starting; each message says what to do."""

KEY_TABLES_DIRECTORY = "key_tables"

_WRITING_SERVICES = frozenset(name.rpartition(".")[0] for name, rule in RULES.items() if rule.pool is Pool.WRITES)

_REVOCATIONS_SECONDS = 0.01
"""How often the revision is looked at while anyone watches it."""

_EVENTS_SECONDS = 0.2
"""The same for events."""

_INSTALLATION_SECRET_SIZE = 32
_INSTALLATION_LABEL = "installation"

_log = structlog.get_logger("sessiond.server")


class App:
    """
    One authority that serves: store, keys, rules, gRPC and HTTP.

    Build it after any fork: LMDB and gRPC survive none.
    """

    def __init__(  # noqa: PLR0917 - what it stands on, in the order in which it is opened
        self,
        config: Config,
        clock: Clock,
        store: Store,
        master_key: bytes,
        tables: WideTables,
        entropy: Callable[[int], bytes],
    ) -> None:
        """
        Put the parts together over *store* and *tables*, which stay the caller's to close, and take the addresses.

        *entropy* gives so many bytes from a cryptographic source.

        Raises:
            SealError: The store was sealed under another master key.
            KeysetFaultError: The keyset is damaged, or of a newer release.
            ListenError: An address is taken.

        """
        check_pools_are_honoured()
        policy = config.policy
        sealer = Sealer(master_key)
        sealed = store.installation(lambda: sealer.seal(_INSTALLATION_LABEL, entropy(_INSTALLATION_SECRET_SIZE)))
        hasher = ScopeHasher(sealer.open(_INSTALLATION_LABEL, sealed))
        keys = Keys(
            store,
            sealer,
            policy,
            config.issuer,
            entropy,
            loaded=lambda ring: tables.widen(key_tables_in_use(ring)),
        )
        keys.open(wall_seconds(clock))
        feed = Feed(store, keys, Revocations())
        feed.catch_up()
        sessions = Sessions(store, keys, feed, hasher, policy, config.audience, entropy)
        verification = Verification(keys, feed, policy, config.audience)
        revocations = RevocationSource(RevocationLog(store, keys), policy)
        streams = Streams(clock)
        revocation_hub: Hub[bytes] = Hub(
            "revocations", revocations, clock, look_seconds=_REVOCATIONS_SECONDS, on_beat=streams.cut_off_stuck
        )
        event_hub: Hub[tuple[Event, ...]] = Hub(
            "events", EventSource(store), clock, look_seconds=_EVENTS_SECONDS, on_beat=streams.cut_off_stuck
        )
        self._hubs = (revocation_hub, event_hub)
        handlers = (
            SessionHandlers(sessions, BulkRevocation(store, feed, hasher, policy), clock),
            VerificationHandlers(verification, clock),
            KeyHandlers(keys, policy, clock),
            RevocationHandlers(revocations, revocation_hub),
            DiagnosisHandlers(Explainer(store, keys, feed, verification, policy), store, event_hub, clock),
        )
        self._config = config
        self._store = store
        self._serving = False
        self._pools = {
            Pool.READS: WorkerPool("reads", config.read_workers, config.read_limit),
            Pool.WRITES: WorkerPool("writes", config.write_workers, config.write_limit),
            Pool.WATCHES: WorkerPool("watches", config.watch_limit, config.watch_limit),
            Pool.EVENT_WATCHES: WorkerPool("event-watches", config.event_watch_limit, config.event_watch_limit),
        }
        self._adapter = Adapter(
            zip(SERVICES, handlers, strict=True), RULES, self._pools, clock=clock, caller=LOCAL, streams=streams
        )
        self._http = HttpPort(
            site(keys, policy, store.health, lambda: self._serving, lambda: key_table_usage(keys.snapshot())),
            config.http,
            reuse_port=config.reuse_port,
        )
        try:
            self._transport = Transport(
                self._adapter,
                [service.full_name for service in SERVICES],
                config.listen,
                calls=config.read_limit + config.write_limit + config.watch_limit + config.event_watch_limit,
                reuse_port=config.reuse_port,
            )
        except ListenError:
            self._http.stop()
            raise
        self.maintenance = Maintenance(
            store, keys, feed, policy, clock, every_seconds=config.maintenance_seconds, watch_store=self.watch_store
        )

    @property
    def address(self) -> str:
        """Where gRPC is served, with the port that was found where 0 was asked for."""
        return self._transport.address

    @property
    def http_address(self) -> str:
        """Where HTTP is served."""
        return self._http.address

    def start(self) -> None:
        """Serve; health says SERVING when this returns."""
        self._http.start()
        for hub in self._hubs:
            hub.start()
        self._transport.start()
        self._serving = True
        self.watch_store()
        self.maintenance.start()
        _log.info("serving", grpc=self.address, http=self.http_address)

    def stop(self, grace_seconds: float | None = None) -> None:
        """
        Stop without losing what was acknowledged: NOT_SERVING, no new calls, running ones finish.

        Calls that still run after *grace_seconds* (None means the configured
        time) lose their answer; what they wrote stays written.
        """
        self._serving = False
        self._transport.stop(self._config.drain_seconds if grace_seconds is None else grace_seconds)
        for hub in self._hubs:
            hub.stop()
        self.maintenance.stop()
        self._http.stop()
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)
        _log.info("stopped")

    def watch_store(self) -> None:
        """Tell health which services serve: reading ones while the store reads, writing ones while it also writes."""
        store = self._store.health()
        serving = {"": store.readable}
        for service in SERVICES:
            writes = service.full_name in _WRITING_SERVICES
            serving[service.full_name] = store.readable and (store.writable or not writes)
        self._transport.say_serving(serving)


@contextlib.contextmanager
def running(
    config: Config, *, clock: Clock, store: Store | None = None, entropy: Callable[[int], bytes] = os.urandom
) -> Iterator[App]:
    """
    Serve inside a block.

    Args:
        config: What to serve, and where.
        clock: The time.
        store: A store that stays open; None opens the one in ``config.data``, closes it at the end, and keeps the wide
            tables of its keys there as files.
        entropy: Gives so many bytes from a cryptographic source.

    Raises:
        ConfigError: No usable master key.
        StoreOpenError: The data directory cannot be used.
        SealError: The store was sealed under another master key.
        ListenError: An address is taken.

    """
    master_key = read_master_key(config)
    with contextlib.ExitStack() as stack:
        directory = None
        if store is None:
            store = _open_store(config, clock)
            stack.callback(store.close)
            directory = config.data / KEY_TABLES_DIRECTORY
        tables = WideTables(
            config.key_table_bytes, directory, lambda message: _log.warning("wide tables", detail=message)
        )
        stack.callback(tables.close)
        app = App(config, clock, store, master_key, tables, entropy)
        stack.callback(app.stop)
        app.start()
        yield app


def _open_store(config: Config, clock: Clock) -> Store:
    return LmdbStore(
        config.data,
        monotonic_ms=clock.monotonic_ms,
        session_grace_seconds=config.policy.leeway_seconds,
        map_size=config.map_bytes or MAP_BYTES,
    )
