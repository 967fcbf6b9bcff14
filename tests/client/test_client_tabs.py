"""A client session beside other tabs that change its store: nothing that they put there is lost, or undone."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from sessiond.client import Client, ClientSession, LoggedOutError, MemoryTokenStore, Tokens
from sessiond.errors import Cause, InvalidRefreshToken, OverloadedError
from tests.client.strangers import troubled
from tests.rpc.world import World


class Overtaken(MemoryTokenStore):
    """A store that another tab changes while a refresh is on its way, as one without a lock between tabs would."""

    def __init__(self, meanwhile: Tokens | None) -> None:
        super().__init__()
        self._meanwhile = meanwhile
        self._is_due = False

    def secret(self) -> bytes:
        """Give the secret; the other tab strikes right after it."""
        self._is_due = True
        return super().secret()

    def read(self) -> Tokens | None:
        """Give the tokens, the other tab's once it has struck."""
        if self._is_due:
            self._is_due = False
            if self._meanwhile is None:
                self.clear()
            else:
                self.write(self._meanwhile)
        return super().read()


def test_login_of_another_tab_survives_our_refusal(client: Client, here: World) -> None:
    """A refresh that is refused for good deletes nothing that another tab has put in its place, and uses that."""
    old, new = client.create_session("acme", "alice"), client.create_session("acme", "alice")
    client.revoke_session(old.session_id)
    store = Overtaken(new)
    session = ClientSession(client, store, clock=here.clock)
    session.begin(old)

    assert new.access_token == session.access_token(refused=old.access_token)
    assert new == store.read()


def test_login_of_another_tab_survives_our_refresh(client: Client, here: World) -> None:
    """What a refresh gives is not put over the tokens of a login that came in between."""
    old, new = client.create_session("acme", "alice"), client.create_session("acme", "alice")
    store = Overtaken(new)
    session = ClientSession(client, store, clock=here.clock)
    session.begin(old)

    assert new.access_token == session.access_token(refused=old.access_token)
    assert new == store.read()


def test_higher_generation_is_never_overwritten(client: Client, here: World) -> None:
    """Neither a late answer nor a repeated login puts an older generation over a newer one of the same session."""
    first = client.create_session("acme", "alice", request_id="login")
    second = client.refresh(first.refresh_token)
    newest = replace(second, generation=second.generation + 5)
    store = Overtaken(newest)
    session = ClientSession(client, store, clock=here.clock)
    session.begin(first)
    given = session.access_token(refused=first.access_token)
    kept = store.read()
    session.begin(client.create_session("acme", "alice", request_id="login"))

    assert newest.access_token == given
    assert newest == kept == store.read()


def test_logout_of_another_tab_is_not_undone(client: Client, here: World) -> None:
    """When another tab logs out while our refresh is on its way, its result is not stored."""
    opened = client.create_session("acme", "alice")
    store = Overtaken(None)
    session = ClientSession(client, store, clock=here.clock)
    session.begin(opened)
    with pytest.raises(LoggedOutError):
        session.access_token(refused=opened.access_token)

    assert store.read() is None


def test_straggler_keeps_the_tokens_and_reads_the_store_again(client: Client, here: World) -> None:
    """SUPERSEDED means that somebody has newer tokens: the store is read again, and what stands there is used."""
    first = client.create_session("acme", "alice")
    second = client.refresh(first.refresh_token)
    third = client.refresh(second.refresh_token)
    store = Overtaken(third)
    session = ClientSession(client, store, clock=here.clock)
    session.begin(first)

    assert third.access_token == session.access_token(refused=first.access_token)
    assert (1, 0) == (here.record(first.session_id).superseded, here.record(first.session_id).retried)


def test_store_that_never_rests_ends_the_attempts(client: Client, here: World) -> None:
    """Where somebody else changes the tokens during each attempt, the last failure is raised after a few."""
    opened = client.create_session("acme", "alice")

    class Restless(MemoryTokenStore):
        def read(self) -> Tokens | None:
            return replace(opened, refresh_token=f"sdr_{next(numbers)}", access_token="eyJ")

    numbers = itertools.count()
    with troubled(OverloadedError("busy"), here) as (troubled_client, stranger):
        session = ClientSession(troubled_client, Restless(), clock=here.clock)
        with pytest.raises(OverloadedError):
            session.access_token(refused="eyJ")

    assert 4 == len(stranger.requests)


def test_straggler_with_an_unchanged_store_waits_for_the_window(client: Client, here: World) -> None:
    """With nothing newer in the store the tokens stay, and nothing is asked again before the window is over."""
    store = MemoryTokenStore()
    session = ClientSession(client, store, clock=here.clock)
    first = client.create_session("acme", "alice")
    second = client.refresh(first.refresh_token)
    client.refresh(second.refresh_token)
    session.begin(first)
    causes = []
    for seconds in (0, 9, 1):
        here.serve_for(seconds)
        with pytest.raises(InvalidRefreshToken) as caught:
            session.access_token(refused=first.access_token)
        causes.append((caught.value.cause, store.read() is None))
        assert 1 == here.record(first.session_id).superseded

    assert [(Cause.SUPERSEDED, False), (Cause.SUPERSEDED, False), (Cause.REUSED, True)] == causes
