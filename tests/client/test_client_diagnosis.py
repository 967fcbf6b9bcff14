"""The client's calls about tokens and events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sessiond.client import Client, Device, EventFilter, EventKind, KeyState, SessionState, TokenKind
from sessiond.client.diagnosis_messages import event_of, explanation_of
from sessiond.errors import Advice, Cause, IndeterminateError, InvalidRefreshToken, InvalidRequestError
from sessiond.v1 import diagnosis_service_pb2 as pb
from tests.client.wire import Wire
from tests.rpc.world import World

ROTATED = EventFilter(kinds=[EventKind.REFRESH_ROTATED])


def test_explanation_of_a_token(here: World, client: Client) -> None:
    """What the authority says of a token arrives as plain values."""
    tokens = client.create_session("acme", "alice", claims={"a": 1}, device=Device("laptop", "192.0.2.7", "Firefox"))
    newest = client.refresh(client.refresh(tokens.refresh_token).refresh_token)
    here.serve_for(11)
    with pytest.raises(InvalidRefreshToken):
        client.refresh(tokens.refresh_token, device=Device(ip="203.0.113.66"))
    found = client.explain_token(newest.access_token)
    content, session, reuse = found.content, found.session, found.reuse
    assert content is not None
    assert session is not None
    assert reuse is not None
    assert reuse.rotation is not None

    assert (TokenKind.ACCESS, KeyState.ACTIVE, True) == (found.kind, found.key_state, found.signature_good)
    assert (Cause.REUSED, Advice.LOG_IN_AGAIN) == (found.cause, found.advice)
    assert (tokens.session_id, 2, "alice", {"a": 1}) == (
        content.session_id,
        content.generation,
        content.subject,
        content.claims,
    )
    assert (tokens.session_id, SessionState.ENDED) == (session.session_id, session.state)
    assert ("203.0.113.66", 2, 11) == (reuse.reuse.device.ip, reuse.generation_distance, reuse.seconds_since_rotation)
    assert [
        EventKind.SESSION_CREATED,
        EventKind.REFRESH_ROTATED,
        EventKind.REFRESH_ROTATED,
        EventKind.REFRESH_REUSED,
    ] == [event.kind for event in found.timeline]
    assert here.clock.wall_ms() == found.server_ms


def test_explanation_of_a_text_that_is_no_token(client: Client) -> None:
    """Where there is nothing to say, there is None."""
    found = client.explain_token("hunter2")
    assert (TokenKind.UNKNOWN, None, "", None, False) == (
        found.kind,
        found.content,
        found.key_id,
        found.key_state,
        found.signature_good,
    )
    assert (Cause.MALFORMED, Advice.FIX_THE_CALLER) == (found.cause, found.advice)
    assert (None, (), None) == (found.session, found.timeline, found.reuse)


def test_explanation_of_a_text_that_cannot_be_sent(client: Client) -> None:
    """Half a surrogate pair is explained as no token, like any text that is none."""
    assert Cause.MALFORMED is client.explain_token("eyJ\ud800").cause


def test_good_token_has_neither_cause_nor_advice(client: Client) -> None:
    """A token that nothing is wrong with says so."""
    found = client.explain_token(client.create_session("acme", "alice").access_token)
    assert (None, None) == (found.cause, found.advice)
    assert found.content is not None
    assert {} == found.content.claims


def test_what_a_later_release_says_is_no_fault() -> None:
    """A kind, a cause or an advice that this release does not know is told as unknown."""
    contract: Any = pb
    event = event_of(contract.Event(kind=99, cause=99))
    assert (EventKind.UNKNOWN, None) == (event.kind, event.cause)
    found = explanation_of(contract.ExplainTokenResponse(kind=99, cause=99, advice=99, key_state=99))
    assert (TokenKind.UNKNOWN, None, None, KeyState.UNKNOWN) == (found.kind, found.cause, found.advice, found.key_state)
    assert [True, False] == [found.refused, explanation_of(contract.ExplainTokenResponse()).refused]


def test_events_page_by_page(client: Client) -> None:
    """Pages follow each other by cursor, filtered as asked."""
    tokens = client.create_session("acme", "alice")
    for _ in range(3):
        tokens = client.refresh(tokens.refresh_token)
    first = client.list_events(ROTATED, page_size=2)
    second = client.list_events(ROTATED, cursor=first.cursor, page_size=2)

    assert [(2, True), (1, False)] == [(len(page.events), page.more) for page in (first, second)]
    assert [0, 1, 2] == [event.generation for page in (first, second) for event in page.events]
    with pytest.raises(InvalidRequestError):
        client.list_events(EventFilter(subject="alice"))


def test_watched_events_come_as_they_happen(client: Client) -> None:
    """A watcher gets what happened after its cursor, then what happens."""
    tokens = client.create_session("acme", "alice")
    newer = client.refresh(tokens.refresh_token)
    events = client.watch_events(ROTATED, cursor=0)
    past = next(events)
    client.refresh(newer.refresh_token)
    present = next(events)
    events.close()  # type: ignore[attr-defined] # it is a generator

    assert [0, 1] == [past.generation, present.generation]


def test_watcher_goes_on_where_a_broken_stream_was(here: World, client: Client) -> None:
    """After the connection broke, no event is missed and none comes twice."""
    tokens = client.create_session("acme", "alice")
    generations: list[int | None] = []
    with Wire(here.app.address) as wire, Client(wire.address) as watcher:
        events = watcher.watch_events(ROTATED, cursor=0)
        for _ in range(3):
            tokens = client.refresh(tokens.refresh_token)
            generations.append(next(events).generation)
            wire.cut()
            tokens = client.refresh(tokens.refresh_token)
            generations.append(next(events).generation)
        events.close()  # type: ignore[attr-defined] # it is a generator

    assert list(range(6)) == generations


def test_watcher_of_nobody_is_told(client: Client) -> None:
    """Where no authority answers from the start, or the request is bad, the watcher learns it."""
    with Client("127.0.0.1:1") as lost, pytest.raises(IndeterminateError):
        next(lost.watch_events())
    with pytest.raises(InvalidRequestError):
        next(client.watch_events(EventFilter(subject="alice")))


def test_closed_client_watches_nothing(here: World) -> None:
    """Whoever begins to watch, or calls anything, with a client that was closed has a typed error."""
    client = Client(here.app.address)
    client.list_events()
    client.close()
    for call in (lambda: next(client.watch_events()), client.list_events):
        with pytest.raises(IndeterminateError, match=f"the connection to {here.app.address} is closed"):
            call()


def test_closed_client_ends_its_watchers(here: World) -> None:
    """Whoever waits for an event learns that the client was closed, and does not wait for ever."""
    client = Client(here.app.address)
    client.create_session("acme", "alice")
    events = client.watch_events(cursor=0)
    next(events)
    ended: list[BaseException] = []

    def wait(more: Iterator[object]) -> None:
        try:
            for _ in more:
                pass
        except IndeterminateError as error:
            ended.append(error)

    watcher = threading.Thread(target=wait, args=(events,))
    watcher.start()
    client.close()
    watcher.join()

    assert 1 == len(ended)
