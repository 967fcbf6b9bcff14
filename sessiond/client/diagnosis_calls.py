"""The calls that say why: what is wrong with a token, and what happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import grpc

from sessiond.client.connection import Connection
from sessiond.client.diagnosis import EventFilter
from sessiond.client.diagnosis_messages import event_of, explanation_of, filter_message, page_of
from sessiond.client.faults import error_of
from sessiond.client.messages import token_text
from sessiond.v1 import diagnosis_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiond.client.diagnosis import Event, EventPage, Explanation

EVERY_EVENT = EventFilter()

# A stream that ends like this goes on from its cursor: its server stopped, or cut a slow reader off.
_RESUMABLE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
_PAUSES_SECONDS = (0.1, 0.3, 1.0)


class DiagnosisCalls(Connection):
    """The part of the client that explains tokens and reads events."""

    def explain_token(self, token: str, *, audience: str = "", tenant: str = "") -> Explanation:
        """
        Explain any text that is meant to be a token; nothing is changed by it, whatever it is.

        Args:
            token: The text, at most 8,192 bytes.
            audience: Whom an access token must be meant for; empty means the authority's own.
            tenant: The tenant that it is judged for; empty means none.

        """
        request = pb.ExplainTokenRequest(token=token_text(token), audience=audience, tenant=tenant)
        return explanation_of(self._call(self._diagnosis.ExplainToken, request))

    def list_events(self, wanted: EventFilter = EVERY_EVENT, *, cursor: int = 0, page_size: int = 0) -> EventPage:
        """
        Read some of the events that are wanted, oldest first.

        A page can have few of them, or none, and others after it: ``more`` says so.

        Args:
            wanted: Which events.
            cursor: That of the page before; 0 begins with the oldest.
            page_size: At most so many, 1 to 1,000; 0 means 100.

        """
        request = pb.ListEventsRequest(filter=filter_message(wanted), cursor=cursor, page_size=page_size)
        return page_of(self._call(self._diagnosis.ListEvents, request))

    def watch_events(self, wanted: EventFilter = EVERY_EVENT, *, cursor: int | None = None) -> Iterator[Event]:
        """
        Give the events that are wanted as they happen, without end.

        Once a first message has come, a stream that is lost goes on where it
        was, so no event is missed and none comes twice, for as long as events
        are kept. Close the iterator to end it.

        Args:
            wanted: Which events.
            cursor: Begin after this event: its ``sequence``, or the ``cursor`` of a page. None begins here and now.

        """
        asked = filter_message(wanted)
        met, failures = False, 0
        while True:
            try:
                stream = self._diagnosis.WatchEvents(pb.WatchEventsRequest(filter=asked, cursor=cursor))
            except ValueError as error:
                raise self._failure(error) from error
            try:
                for message in stream:
                    met, failures, cursor = True, 0, message.cursor
                    yield from map(event_of, message.events)
            except grpc.RpcError as error:
                if not met or error.code() not in _RESUMABLE or self._closed:
                    raise error_of(error, self._target) from error
            finally:
                stream.cancel()
            time.sleep(_PAUSES_SECONDS[min(failures, len(_PAUSES_SECONDS) - 1)])
            failures += 1
