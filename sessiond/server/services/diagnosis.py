"""The handlers of DiagnosisService, and the events as a hub reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.authority.event_search import EventSearch
from sessiond.clock import wall_seconds
from sessiond.server.diagnosis_messages import event_message, explanation_message, filter_of
from sessiond.server.hub import Piece
from sessiond.server.messages import instant_ms
from sessiond.v1 import diagnosis_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessiond.authority.explaining import Explainer
    from sessiond.clock import Clock
    from sessiond.server.call import Call
    from sessiond.server.hub import Hub, Look
    from sessiond.server.streams import Stream
    from sessiond.store.contract import Store
    from sessiond.store.records import Event

_PIECE_EVENTS = 1000
# What an event takes in memory, about.
_EVENT_BYTES = 1024


class EventSource:
    """The events as a hub reads them: each watcher takes from a piece what it wants and may see."""

    def __init__(self, store: Store) -> None:
        """Read the events of *store*."""
        self._store = store

    def end(self) -> int:
        """Read the number of the last event."""
        # No event is read: a damaged one would keep everybody from watching.
        _, last = self._store.events_after(0, 0)
        return last

    def read(self, after: int, look: Look) -> Piece[tuple[Event, ...]]:
        """Read the next piece."""
        events, _ = self._store.events_after(after, _PIECE_EVENTS)
        seen = tuple(event for event in events if event.sequence <= look.end)
        upto = seen[-1].sequence if len(seen) == _PIECE_EVENTS else look.end
        return Piece(after, upto, seen, len(seen) * _EVENT_BYTES)


class DiagnosisHandlers:
    """Turns each request into a call of the authority, and its answer into the reply."""

    def __init__(self, explainer: Explainer, store: Store, hub: Hub[tuple[Event, ...]], clock: Clock) -> None:
        """Serve *explainer* and the events of *store*, which *hub* watches, by *clock*."""
        self._explainer = explainer
        self._store = store
        self._hub = hub
        self._clock = clock

    def explain_token(self, call: Call, request: pb.ExplainTokenRequest) -> pb.ExplainTokenResponse:
        """Say what is wrong with a token."""
        explanation = self._explainer.explain(
            call.caller,
            request.token,
            audience=request.audience,
            tenant=request.tenant,
            now=wall_seconds(self._clock),
        )
        return explanation_message(explanation, self._clock.wall_ms())

    def list_events(self, call: Call, request: pb.ListEventsRequest) -> pb.ListEventsResponse:
        """Read some of the events."""
        search = EventSearch(self._store, call.caller, filter_of(request.filter))
        page = search.page(request.cursor, request.page_size)
        return pb.ListEventsResponse(
            events=[event_message(event) for event in page.events], cursor=page.cursor, more=page.more
        )

    def watch_events(self, call: Call, request: pb.WatchEventsRequest, stream: Stream) -> Iterator[bytes]:
        """Tell what happens, from a cursor or from here on; the first message says from where."""
        search = EventSearch(self._store, call.caller, filter_of(request.filter))
        with self._hub.watched(stream) as look:
            # A cursor beyond the end is of a store that an older copy has replaced.
            cursor = min(request.cursor, look.end) if request.HasField("cursor") else look.end
            yield _message((), cursor, look.wall_ms)
            for told in self._hub.follow(stream, cursor):
                if not isinstance(told, Piece):
                    yield _message((), told.end, told.wall_ms)
                elif wanted := [event for event in told.content if search.matches(event)]:
                    yield _message(wanted, told.upto, self._clock.wall_ms())


def _message(events: Iterable[Event], cursor: int, wall_ms: int) -> bytes:
    message = pb.WatchEventsResponse(
        events=[event_message(event) for event in events], cursor=cursor, server_time=instant_ms(wall_ms)
    )
    return message.SerializeToString()
