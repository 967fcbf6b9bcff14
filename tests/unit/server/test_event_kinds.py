"""The kinds of events and tokens are the same in the authority, on the wire and in the client."""

from __future__ import annotations

from sessiond import client
from sessiond.authority.events import EventKind
from sessiond.server.diagnosis_messages import event_message
from sessiond.store.records import Event
from sessiond.v1 import diagnosis_service_pb2 as pb


def test_kinds_of_events_are_those_of_the_contract() -> None:
    """Every kind that the authority writes can be told, and the client knows every one by name and number."""
    told = {name.removeprefix("EVENT_KIND_"): number for name, number in pb.EventKind.items() if number}
    assert set(told) == {kind.value for kind in EventKind}
    assert told == {kind.name: kind.value for kind in client.EventKind if kind is not client.EventKind.UNKNOWN}


def test_kinds_of_tokens_are_those_of_the_contract() -> None:
    """The client knows every kind of token by name and number."""
    told = {name.removeprefix("TOKEN_KIND_"): number for name, number in pb.TokenKind.items() if number}
    assert told == {kind.name: kind.value for kind in client.TokenKind if kind is not client.TokenKind.UNKNOWN}


def test_event_says_nothing_where_there_is_nothing_to_say() -> None:
    """An event without session, cause, generation and device has none of them in its message."""
    message = event_message(Event(7, EventKind.KEY_CREATED, 1_800_000_000))
    assert pb.Event(sequence=7, kind="EVENT_KIND_KEY_CREATED", happened_at={"seconds": 1_800_000_000}) == message
    assert not message.HasField("generation")
    assert event_message(Event(7, EventKind.REFRESH_ROTATED, 0, generation=0)).HasField("generation")
