"""A client session follows the rules for clients, so that nothing but a theft or a revocation logs it out."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sessiond.client import (
    Client,
    ClientSession,
    Device,
    FileTokenStore,
    LoggedOutError,
    MemoryTokenStore,
    RefreshOutcome,
    Tokens,
    TokenStore,
)
from sessiond.clock import ManualClock
from sessiond.errors import (
    Advice,
    Cause,
    IndeterminateError,
    InvalidRefreshToken,
    OverloadedError,
    PermissionDeniedError,
)
from tests.client.strangers import troubled
from tests.client.wire import Wire
from tests.rpc.world import World


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    """Give an empty store of each kind."""
    return MemoryTokenStore() if request.param == "memory" else FileTokenStore(tmp_path / "tokens")


@pytest.fixture
def session(client: Client, store: TokenStore, here: World) -> ClientSession:
    """Give a session of alice that has begun."""
    made = ClientSession(client, store, clock=here.clock)
    made.begin(client.create_session("acme", "alice"))
    return made


def stored(store: TokenStore) -> Tokens:
    """Read tokens that must be there."""
    tokens = store.read()
    assert tokens is not None
    return tokens


def test_empty_store_is_logged_out(client: Client, store: TokenStore) -> None:
    """Without tokens there is no access token, and the advice is to log in."""
    with pytest.raises(LoggedOutError) as caught:
        ClientSession(client, store).access_token()

    assert Advice.LOG_IN_AGAIN is caught.value.advice


def test_access_token_is_given_as_long_as_it_is_fresh(session: ClientSession, store: TokenStore, here: World) -> None:
    """Up to refresh_after the same token is given; from then on the next one, and it is stored."""
    first = stored(store)
    here.clock.advance(first.refresh_after - first.server_ms // 1000 - 1)
    early = session.access_token()
    here.clock.advance(1)
    late = session.access_token()
    second = stored(store)

    assert first.access_token == early
    assert second.access_token == late != early
    assert (first.session_id, first.generation + 1) == (second.session_id, second.generation)


@pytest.mark.parametrize("wrong_by", [3600, -3600], ids=["ahead", "behind"])
def test_wrong_clock_of_this_machine_does_not_matter(here: World, wrong_by: int) -> None:
    """On a machine whose clock is an hour ahead or behind, tokens are refreshed just when it is time."""
    clock = ManualClock(here.clock.wall_ms() + wrong_by * 1000)
    store = MemoryTokenStore()
    with Client(here.app.address, clock=clock) as client:
        session = ClientSession(client, store, clock=clock)
        session.begin(client.create_session("acme", "alice"))
        first = stored(store)
        wait = first.refresh_after - first.server_ms // 1000
        for seconds in (wait - 1, 1):
            here.clock.advance(seconds)
            clock.advance(seconds)
            session.access_token()
            is_first = stored(store) == first

            assert (seconds != 1) == is_first


def test_tokens_stand_in_the_store_before_they_are_used(session: ClientSession, store: TokenStore, here: World) -> None:
    """A program that dies right after a refresh finds the newest tokens when it starts again."""
    here.clock.advance(280)
    given = session.access_token()

    assert given == stored(store).access_token
    assert here.record(stored(store).session_id).pending == stored(store).generation


def test_store_that_fails_costs_nothing(client: Client, here: World) -> None:
    """A refresh whose result cannot be stored raises; the next one gets the very same successor."""

    class Failing(MemoryTokenStore):
        fails = False

        def write(self, tokens: Tokens) -> None:
            if self.fails:
                raise OSError(28, "No space left on device")
            super().write(tokens)

    store = Failing()
    session = ClientSession(client, store, clock=here.clock)
    session.begin(client.create_session("acme", "alice"))
    here.clock.advance(280)
    store.fails = True
    with pytest.raises(OSError, match="No space"):
        session.access_token()
    store.fails = False
    here.serve_for(60)
    session.access_token()

    assert (1, 0) == (here.record(stored(store).session_id).retried, here.record(stored(store).session_id).shared)


def test_threads_refresh_once(session: ClientSession, store: TokenStore, here: World) -> None:
    """Many threads that find the token old make one refresh between them."""
    first = stored(store)
    here.clock.advance(280)
    barrier = threading.Barrier(8)

    def ask() -> str:
        barrier.wait()
        return session.access_token()

    with ThreadPoolExecutor(8) as pool:
        given = {future.result() for future in [pool.submit(ask) for _ in range(8)]}
    record = here.record(first.session_id)

    assert {stored(store).access_token} == given
    assert (first.generation + 1, 0, 0) == (record.pending, record.shared, record.retried)


def test_programs_that_share_a_file_refresh_once(client: Client, here: World, tmp_path: Path) -> None:
    """Two programs on one file take turns, and the second uses what the first has got."""
    sessions = [ClientSession(client, FileTokenStore(tmp_path / "tokens"), clock=here.clock) for _ in range(2)]
    opened = client.create_session("acme", "alice")
    sessions[0].begin(opened)
    here.clock.advance(280)
    with ThreadPoolExecutor(2) as pool:
        given = {future.result() for future in [pool.submit(one.access_token) for one in sessions]}

    assert 1 == len(given)
    assert opened.generation + 1 == here.record(opened.session_id).pending


def test_refused_access_token_is_replaced_at_once(session: ClientSession, store: TokenStore, here: World) -> None:
    """An access token that a service refused with REFRESH is not given again, however fresh it looks; others stay."""
    first = stored(store)
    second = session.access_token(refused=first.access_token)
    third = session.access_token(refused=first.access_token)

    assert first.access_token != second
    assert second == third
    assert first.generation + 1 == here.record(first.session_id).pending


def test_device_and_tenant_go_along(client: Client, here: World) -> None:
    """A refresh says from which device it comes, and for which tenant."""
    store = MemoryTokenStore()
    opened = client.create_session("acme", "alice")
    here.clock.advance(280)
    session = ClientSession(client, store, device=Device(label="laptop"), tenant="acme", clock=here.clock)
    session.begin(opened)
    session.access_token()
    other = ClientSession(client, store, tenant="another", clock=here.clock)

    assert "laptop" == client.get_session(opened.session_id).device.label
    with pytest.raises(InvalidRefreshToken) as caught:
        other.access_token(refused=stored(store).access_token)
    assert (Cause.WRONG_TENANT, Advice.FIX_THE_CALLER) == (caught.value.cause, caught.value.advice)
    assert store.read() is not None


def test_lost_answer_is_asked_for_again_however_late(here: World, store: TokenStore) -> None:
    """An answer that never came is made good by the next refresh, long after every window."""
    with Wire(here.app.address) as wire:
        with Client(wire.address, timeout_seconds=1, clock=here.clock) as lossy:
            session = ClientSession(lossy, store, clock=here.clock)
            session.begin(lossy.create_session("acme", "alice"))
            first = stored(store)
            here.clock.advance(301)
            wire.lose_answers()
            with pytest.raises(IndeterminateError):
                session.access_token()
            wire.cut()
        here.serve_for(600)
        with Client(here.app.address, clock=here.clock) as good:
            ClientSession(good, store, clock=here.clock).access_token()
    record = here.record(first.session_id)

    assert first.generation + 1 == stored(store).generation == record.pending
    assert (1, 0) == (record.retried, record.shared)


def test_trouble_is_borne_while_the_access_token_lives(client: Client, here: World) -> None:
    """Overloaded, the authority is not asked again before its time; the token at hand serves until it dies."""
    store = MemoryTokenStore()
    opened = client.create_session("acme", "alice")
    with troubled(OverloadedError("busy"), here) as (troubled_client, stranger):
        session = ClientSession(troubled_client, store, clock=here.clock)
        session.begin(opened)
        here.clock.advance(opened.refresh_after - opened.server_ms // 1000)
        given = [session.access_token() for _ in range(3)]
        asked_first = len(stranger.requests)
        here.clock.advance(0.2)
        session.access_token()
        asked_second = len(stranger.requests)
        here.clock.advance(100)
        with pytest.raises(OverloadedError):
            session.access_token()
        with pytest.raises(OverloadedError):
            session.access_token()
        asked_third = len(stranger.requests)
        with pytest.raises(OverloadedError):
            session.access_token(refused=opened.access_token)

    assert [opened.access_token] * 3 == given
    assert (1, 2, 3) == (asked_first, asked_second, asked_third)
    assert opened == store.read()


def test_fault_of_the_caller_is_not_hidden_by_a_living_token(client: Client, here: World) -> None:
    """A refusal that no waiting mends is raised at once, though the token at hand lives, and deletes nothing."""
    store = MemoryTokenStore()
    opened = client.create_session("acme", "alice")
    with troubled(PermissionDeniedError("not you"), here) as (troubled_client, _):
        session = ClientSession(troubled_client, store, clock=here.clock)
        session.begin(opened)
        here.clock.advance(opened.refresh_after - opened.server_ms // 1000)
        with pytest.raises(PermissionDeniedError):
            session.access_token()

    assert opened.is_alive(here.clock.wall_ms())
    assert opened == store.read()


def test_pause_is_for_the_tokens_that_were_refused(client: Client, here: World) -> None:
    """Tokens that another tab has put into the store are refreshed at once, whatever pause the ones before had."""
    store = MemoryTokenStore()
    first, second = client.create_session("acme", "alice"), client.create_session("acme", "alice")
    with troubled(OverloadedError("busy"), here) as (troubled_client, stranger):
        session = ClientSession(troubled_client, store, clock=here.clock)
        for opened in (first, second):
            session.begin(opened)
            with pytest.raises(OverloadedError):
                session.access_token(refused=opened.access_token)

    assert 2 == len(stranger.requests)


def test_theft_logs_out_and_empties_the_store(session: ClientSession, store: TokenStore, client: Client) -> None:
    """When the session has died of a theft, the tokens go, and the user must log in again."""
    first = stored(store)
    newest = first.refresh_token
    for _ in range(3):
        newest = client.refresh(newest).refresh_token
    with pytest.raises(InvalidRefreshToken) as caught:
        session.access_token(refused=first.access_token)
    with pytest.raises(LoggedOutError):
        session.access_token()

    assert (Cause.REUSED, Advice.LOG_IN_AGAIN) == (caught.value.cause, caught.value.advice)
    assert store.read() is None


def test_logout_ends_the_session_and_forgets_the_tokens(
    session: ClientSession, store: TokenStore, client: Client
) -> None:
    """After the end the session is revoked with its reason, the store is empty; a second end does nothing."""
    tokens = stored(store)
    session.end("user clicked")
    session.end()
    end = client.get_session(tokens.session_id).end

    assert end is not None
    assert (Cause.REVOKED, "user clicked") == (end.cause, end.reason)
    assert store.read() is None


def test_logout_of_a_session_that_is_gone_only_forgets(client: Client, here: World) -> None:
    """A session that the authority does not know any more is forgotten without an error."""
    store = MemoryTokenStore()
    session = ClientSession(client, store, clock=here.clock)
    session.begin(client.create_session("acme", "alice", absolute_seconds=60))
    here.clock.advance(1000)
    swept = here.store.sweep(here.clock.wall_ms() // 1000, 0, 1000)
    session.end()

    assert 1 == swept.sessions
    assert store.read() is None


def test_logout_that_does_not_arrive_keeps_the_tokens(client: Client, here: World) -> None:
    """Where the authority could not be told, the logout can be tried again."""
    store = MemoryTokenStore()
    opened = client.create_session("acme", "alice")
    with troubled(OverloadedError("busy"), here) as (troubled_client, _):
        session = ClientSession(troubled_client, store, clock=here.clock)
        session.begin(opened)
        with pytest.raises(OverloadedError):
            session.end()

    assert opened == store.read()


def test_refreshed_pairs_tell_their_outcome(session: ClientSession, store: TokenStore, client: Client) -> None:
    """A lone client that follows the rules rotates, each time, and is never counted as anything else."""
    first = stored(store)
    for _ in range(5):
        session.access_token(refused=stored(store).access_token)
    shown = client.get_session(first.session_id)

    assert first.generation + 5 == stored(store).generation
    assert (0, 0, 0, 0) == (shown.shared, shown.retried, shown.superseded, shown.refusals)
    assert RefreshOutcome.ROTATED is client.refresh(stored(store).refresh_token).outcome
