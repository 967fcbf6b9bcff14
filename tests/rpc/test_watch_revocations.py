"""WatchRevocations over a real channel: what a verifier is told, from where it goes on, and when it is cut off."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from sessiond.authority.caller import LOCAL
from sessiond.clock import Clock, ManualClock, SystemClock
from sessiond.errors import Cause, StoreUnavailableError
from sessiond.ids import parse_session_id
from sessiond.store.contract import INCARNATION_BITS, REVISION_BITS, Change, EndedSession, View
from sessiond.store.memory import MemoryStore
from sessiond.store.records import Revocation, RevocationKind
from sessiond.v1 import error_pb2
from sessiond.v1 import key_service_pb2 as keys_pb
from sessiond.v1 import revocation_service_pb2 as pb
from sessiond.v1 import session_service_pb2 as session_pb
from tests.rpc.answers import Answer, answer, invalid, read, refusal
from tests.rpc.world import World, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_SECONDS = 30
INCARNATION = 1 << (REVISION_BITS - INCARNATION_BITS)
UNREADABLE = Answer("UNAVAILABLE", "STORE_UNAVAILABLE", "", "KEEP_CURRENT_TOKENS")
OVERLOADED = Answer("RESOURCE_EXHAUSTED", "OVERLOADED", "", "KEEP_CURRENT_TOKENS")


def memory_store(clock: Clock) -> MemoryStore:
    """Give a store that several servers can be put on."""
    return MemoryStore(monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)


def ended_ids(message: pb.WatchRevocationsResponse) -> list[bytes]:
    """Give the sessions that a message says have ended."""
    return [entry.session_ended.session_id for entry in message.entries]


def end_many(here: World, count: int) -> None:
    """Log the end of *count* sessions that were never made, numbered from 0."""
    carrier = here.record(here.login().session_id)
    until = here.clock.wall_ms() // 1000 + 1000
    for number in range(count):
        entry = Revocation(0, RevocationKind.SESSION, until, until, session_id(number), Cause.REVOKED)

        def decide(_view: View, entry: Revocation = entry) -> Change[None]:
            return Change(None, ended=(EndedSession(carrier, entry),))

        here.store.update(carrier.id, None, decide)


def session_id(number: int) -> bytes:
    """Make up the id of a session."""
    return number.to_bytes(16, "big")


def until_caught_up(stream: Iterator[pb.WatchRevocationsResponse]) -> list[pb.WatchRevocationsResponse]:
    """Read a stream up to the first message that says so."""
    told = [next(stream)]
    while not told[-1].caught_up:
        told.append(next(stream))
    return told


def test_everything_first_then_each_revocation_as_it_happens(here: World) -> None:
    """A verifier that knows nothing gets what was revoked and the keys at once, and then each further revocation."""
    first, second = here.login(), here.login()
    here.revoke(first.session_id)
    stream = here.watch()
    told = next(stream)
    [entry] = told.entries
    assert (True, True, here.store.revision()) == (told.reset, told.caught_up, told.cursor)
    assert (parse_session_id(first.session_id), error_pb2.CAUSE_REVOKED) == (
        entry.session_ended.session_id,
        entry.session_ended.cause,
    )
    logged = here.store.revocations_after(0, 9)[0][-1]
    assert (logged.revision, logged.keep_until) == (entry.revision, entry.keep_until)
    assert told.server_time.ToMilliseconds() == here.clock.wall_ms()

    acknowledged = here.revoke(second.session_id).revision
    told = next(stream)
    assert [parse_session_id(second.session_id)] == ended_ids(told)
    assert (False, True, acknowledged, False) == (told.reset, told.caught_up, told.cursor, told.HasField("keyset"))


def test_keyset_of_the_first_message_is_that_of_access_tokens(here: World) -> None:
    """The first message has every key of access tokens, none of refresh tokens, with the issuer and the leeway."""
    request = keys_pb.GetKeysetRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS)
    keyset = next(here.watch()).keyset
    assert list(here.keys.GetKeyset(request).keys) == list(keyset.keys)
    assert ("https://sessiond.localhost", 30) == (keyset.issuer, keyset.leeway.seconds)


def test_cuts_of_every_kind(here: World) -> None:
    """A cut of a subject tells which session it spares and for how long, and a cut of a tenant and of all is told."""
    spared = here.login()
    here.login()
    stream = here.watch()
    next(stream)
    session = here.record(spared.session_id)
    revoked = here.sessions.RevokeSubject(
        session_pb.RevokeSubjectRequest(tenant="acme", subject="alice", except_session_id=spared.session_id)
    )
    told = next(stream)
    [entry] = told.entries
    cut = here.store.revocations_after(revoked.revision - 1, 1)[0][0]
    assert (revoked.revision, revoked.revision) == (told.cursor, entry.revision)
    assert entry.scope_cut == pb.ScopeCut(
        scope_kind=pb.SCOPE_KIND_SUBJECT,
        scope_hash=session.subject_hash,
        except_session_id=session.id,
        except_until=cut.except_until,
    )
    assert cut.except_until > here.clock.wall_ms() // 1000

    here.sessions.RevokeTenant(session_pb.RevokeTenantRequest(tenant="acme"))
    assert next(stream).entries[0].scope_cut == pb.ScopeCut(
        scope_kind=pb.SCOPE_KIND_TENANT, scope_hash=session.tenant_hash
    )
    here.sessions.RevokeAll(session_pb.RevokeAllRequest())
    assert next(stream).entries[0].scope_cut == pb.ScopeCut(scope_kind=pb.SCOPE_KIND_ALL)


def test_change_of_the_keys_travels_with_the_revocations(here: World) -> None:
    """A new key and the end of one each make the next message carry the whole keyset, the revoked key in it."""
    stream = here.watch()
    next(stream)
    rotate = keys_pb.RotateKeyRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS, activate_immediately=True)
    made = here.keys.RotateKey(rotate)
    told = next(stream)
    assert (made.revision, True, []) == (told.cursor, told.caught_up, list(told.entries))
    assert made.key.key_id in {key.key_id for key in told.keyset.keys}

    revoked = here.keys.RevokeKey(keys_pb.RevokeKeyRequest(key_id=made.key.key_id))
    told = next(stream)
    states = {key.key_id: key.state for key in told.keyset.keys}
    assert (revoked.revision, keys_pb.KEY_STATE_REVOKED) == (told.cursor, states[made.key.key_id])


def test_resumed_stream_tells_only_what_is_new(here: World) -> None:
    """A verifier that goes on from its cursor gets what happened since, and the keys, and no reset."""
    ids = [here.login().session_id for _ in range(3)]
    here.revoke(ids[0])
    stream = here.watch()
    cursor = next(stream).cursor
    stream.cancel()
    here.revoke(ids[1])
    stream = here.watch(cursor)
    told = next(stream)
    assert (False, True, True) == (told.reset, told.caught_up, told.HasField("keyset"))
    assert [parse_session_id(ids[1])] == ended_ids(told)
    here.revoke(ids[2])
    assert [parse_session_id(ids[2])] == ended_ids(next(stream))


def test_stream_resumed_at_the_end_says_so_at_once(here: World) -> None:
    """A verifier that has missed nothing hears at once that it is caught up."""
    told = next(here.watch(here.store.revision()))
    assert (False, True, []) == (told.reset, told.caught_up, list(told.entries))
    assert here.store.revision() == told.cursor


@pytest.mark.parametrize("cursor", ["none", "beyond the end", "later incarnation", "no incarnation"])
def test_cursor_that_is_not_of_this_log_starts_over(here: World, cursor: str) -> None:
    """A cursor beyond the end or of another incarnation gets everything, with reset."""
    ended = here.login().session_id
    revision = here.revoke(ended).revision
    cursors = {
        "none": 0,
        "beyond the end": revision + 1,
        "later incarnation": revision + INCARNATION,
        "no incarnation": revision - INCARNATION,
    }
    told = next(here.watch(cursors[cursor]))
    assert (True, True, revision) == (told.reset, told.caught_up, told.cursor)
    assert [parse_session_id(ended)] == ended_ids(told)


def test_long_log_comes_in_pieces(here: World) -> None:
    """A log of 2,500 entries comes in messages of at most 1,000; only the last says that it is the end."""
    end_many(here, 2_500)
    told = until_caught_up(here.watch())
    assert [False, False, True] == [message.caught_up for message in told]
    assert [True, False, False] == [message.reset for message in told]
    assert max(len(message.entries) for message in told) <= 1_000
    assert [session_id(number) for number in range(2_500)] == [one for message in told for one in ended_ids(message)]
    assert [message.cursor for message in told[:2]] == [message.entries[-1].revision for message in told[:2]]
    assert here.store.revision() == told[-1].cursor


def test_burst_reaches_a_watcher_whole(here: World) -> None:
    """What happens faster than it is sent, while a verifier watches, reaches it whole and in order."""
    stream = here.watch()
    next(stream)
    end_many(here, 5_000)
    told: list[bytes] = []
    while len(told) < 5_000:
        told += ended_ids(next(stream))
    assert [session_id(number) for number in range(5_000)] == told


def test_heartbeat_each_second(here: World) -> None:
    """Where nothing happens a verifier hears each second that it still knows everything."""
    stream = here.watch()
    next(stream)
    for _ in range(3):
        here.clock.advance(1)
        told = next(stream)
        assert (True, [], False) == (told.caught_up, list(told.entries), told.HasField("keyset"))
        assert (here.store.revision(), here.clock.wall_ms()) == (told.cursor, told.server_time.ToMilliseconds())


def test_server_time_vouches_for_everything_acknowledged_before_it() -> None:
    """Whatever was acknowledged before the server time of a message with caught_up is known with its cursor."""
    # The clock of the machine: what is compared is the order of real instants.
    clock: Any = SystemClock()
    acknowledged: list[tuple[int, int]] = []

    def end_sessions(here: World) -> None:
        for tokens in [here.login() for _ in range(100)]:
            revision = here.revoke(tokens.session_id).revision
            acknowledged.append((clock.wall_ms(), revision))

    with world(clock=clock) as here:
        stream = here.watch()
        writer = threading.Thread(target=end_sessions, args=[here])
        writer.start()
        told = [next(stream)]
        while writer.is_alive() or told[-1].cursor < acknowledged[-1][1]:
            told.append(next(stream))
        writer.join()
    vouched = [(message.server_time.ToMilliseconds(), message.cursor) for message in told if message.caught_up]
    assert [] == [
        (time_ms, cursor, revision)
        for time_ms, cursor in vouched
        for acknowledged_ms, revision in acknowledged
        if acknowledged_ms < time_ms and cursor < revision
    ]
    assert len(vouched) > 1


def test_revocation_written_through_another_server(clock: ManualClock) -> None:
    """A revocation that one server acknowledged reaches the verifiers that watch another one on the same store."""
    store = memory_store(clock)
    with world(store=store, clock=clock) as one, world(store=store, clock=clock) as other:
        stream = other.watch()
        next(stream)
        ended = one.login().session_id
        revision = one.revoke(ended).revision
        told = next(stream)
        assert ([parse_session_id(ended)], revision) == (ended_ids(told), told.cursor)
        assert not next(one.watch(told.cursor)).reset
    store.close()


def test_new_key_of_another_server_is_in_the_message(clock: ManualClock) -> None:
    """A key that one server made is in the message of the other one, whatever that had loaded before."""
    store = memory_store(clock)
    with world(store=store, clock=clock) as one, world(store=store, clock=clock) as other:
        stream = other.watch()
        next(stream)
        made = one.keys.RotateKey(keys_pb.RotateKeyRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS))
        assert made.key in next(stream).keyset.keys
    store.close()


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that several servers read."""
    return ManualClock()


@contextmanager
def narrow(here: World) -> Iterator[World]:
    """Talk to an authority over a channel that takes little before it has read it."""
    options = [
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 65_536),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    with grpc.insecure_channel(here.app.address, options=options) as channel:
        yield replace(here, channel=channel)


def test_reader_that_does_not_read_is_cut_off() -> None:
    """Who has not taken a message for ten seconds is cut off and goes on from its cursor; others notice nothing."""
    with world(watch_limit=2) as here, narrow(here) as there:
        end_many(here, 10_000)
        slow = there.watch()
        first = next(slow)
        good = here.watch(here.store.revision())
        next(good)
        steps = 0
        while not is_admitted(here):
            # Below the ten seconds, and each step is told to the good reader: so what it is sent is never old.
            here.clock.advance(4)
            assert next(good).caught_up
            steps += 1
        assert steps >= 3
        assert answered(slow).code() is grpc.StatusCode.CANCELLED
        last = here.login().session_id
        here.revoke(last)
        assert [parse_session_id(last)] == ended_ids(next(message for message in good if message.entries))
        told = until_caught_up(here.watch(first.cursor))
        rest = [session_id(number) for number in range(len(first.entries), 10_000)]
        assert [*rest, parse_session_id(last)] == [one for message in told for one in ended_ids(message)]


def test_stop_ends_streams_at_once(here: World) -> None:
    """A stopping server ends its streams long before its grace is over, and says that this is why."""
    streams = [here.watch() for _ in range(3)]
    for stream in streams:
        next(stream)
    here.app.stop(10 * WAIT_SECONDS)
    endings = [answered(stream) for stream in streams]
    assert {(grpc.StatusCode.UNAVAILABLE, True)} == {
        (end.code(), "the server is stopping" in end.details()) for end in endings
    }


def answered(stream: Any) -> Any:
    """Read a stream to its end, and give the error that ends it."""
    with pytest.raises(grpc.RpcError) as caught:
        for _ in stream:
            pass
    return caught.value


def test_so_many_watchers_and_no_more() -> None:
    """Beyond the limit a watcher is OVERLOADED at once; the place of one whose caller has gone serves the next."""
    with world(watch_limit=2) as here:
        streams = [here.watch() for _ in range(2)]
        for stream in streams:
            next(stream)
        assert OVERLOADED == answer(next, here.watch())
        assert here.verify(here.login().access_token).subject == "alice"
        streams[0].cancel()
        for _ in range(20):
            # A caller's going needs a moment to arrive.
            while not is_admitted(here):
                pass


def is_admitted(here: World) -> bool:
    """Try to watch for a moment."""
    stream = here.watch()
    try:
        next(stream)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        return False
    stream.cancel()
    return True


class Unreadable(MemoryStore):
    """A store whose revision cannot be read for a while; it counts how often that was tried."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)
        self.fails = False
        self._tried = threading.Condition()
        self._tries = 0

    def revision(self) -> int:
        """Fail, while it is told to."""
        if not self.fails:
            return super().revision()
        with self._tried:
            self._tries += 1
            self._tried.notify_all()
        message = "the store cannot be read"
        raise StoreUnavailableError(message)

    def await_tries(self, count: int) -> None:
        """Wait until *count* more reads have failed."""
        with self._tried:
            wanted = self._tries + count
            assert self._tried.wait_for(lambda: self._tries >= wanted, WAIT_SECONDS)


@pytest.fixture
def ailing(clock: ManualClock) -> Iterator[tuple[World, Unreadable]]:
    """Give a server on a store that can fail."""
    store = Unreadable(clock)
    with world(store=store, clock=clock) as here:
        yield here, store
    store.close()


def test_store_that_cannot_be_read_for_a_moment_costs_no_stream(ailing: tuple[World, Unreadable]) -> None:
    """While the store cannot be read nothing is vouched for; a stream that waits goes on once it can be again."""
    here, store = ailing
    stream = here.watch()
    next(stream)
    store.fails = True
    store.await_tries(1)
    here.clock.advance(2)
    store.await_tries(3)
    store.fails = False
    here.clock.advance(1)
    told = next(stream)
    assert (here.clock.wall_ms(), True) == (told.server_time.ToMilliseconds(), told.caught_up)


def test_store_that_stays_unreadable_ends_the_streams(ailing: tuple[World, Unreadable]) -> None:
    """After three seconds without the store a stream ends with the reason, and one that is opened is refused."""
    here, store = ailing
    stream = here.watch()
    next(stream)
    store.fails = True
    store.await_tries(1)
    here.clock.advance(3)
    assert UNREADABLE == read(answered(stream)).answer
    assert UNREADABLE == answer(next, here.watch())
    store.fails = False
    assert next(here.watch()).caught_up


def test_caller_limited_to_tenants_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier that may act for some tenants only is refused: the log tells of all."""
    monkeypatch.setattr("sessiond.server.app.LOCAL", replace(LOCAL, tenants=frozenset({"acme"})))
    with world() as here:
        refused = refusal(next, here.watch())
    assert Answer("PERMISSION_DENIED", "PERMISSION_DENIED", "", "FIX_THE_CALLER") == refused.answer
    assert "every tenant" in refused.message


def test_request_that_is_no_message(here: World) -> None:
    """Bytes that are no request are the caller's fault, on a stream too."""
    watch: Callable[..., Any] = here.channel.unary_stream("/sessiond.v1.RevocationService/WatchRevocations")
    assert invalid("request") == answer(next, watch(b"\xff\xff"))
