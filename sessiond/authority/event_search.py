"""The audit trail as it is read: which events a caller asks for and may see, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessiond.authority.limits import SUBJECT_BYTES, Checker

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from sessiond.authority.caller import Caller
    from sessiond.errors import Cause
    from sessiond.store.contract import Store
    from sessiond.store.records import Event

EVENTS_LOOKED_AT = 10_000
"""How many events one call looks at, however few of them are wanted; of one session likewise."""

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class EventFilter:
    """
    Which events are wanted: those that match everything that is not empty.

    ``session_id`` is UUID text, ``subject`` a user of ``tenant``, ``kinds`` are
    names of :class:`sessiond.authority.events.EventKind`.
    """

    session_id: str = ""
    tenant: str = ""
    subject: str = ""
    kinds: AbstractSet[str] = frozenset()
    causes: AbstractSet[Cause] = frozenset()


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, oldest first; go on after ``cursor``, at once where there is ``more`` to look at."""

    events: tuple[Event, ...]
    cursor: int
    more: bool


class EventSearch:
    """What one caller wants to read of the events. Safe to use from any thread."""

    def __init__(self, store: Store, caller: Caller, wanted: EventFilter) -> None:
        """
        Check what is wanted.

        Args:
            store: Where the events are.
            caller: Who asks. It sees events of tenants that it may act for.
            wanted: Which events.

        Raises:
            InvalidRequestError: A field is out of its limits, or a caller that may not act for every tenant
                names neither a tenant nor a session.
            PermissionDeniedError: The caller may not act for the tenant it named.

        """
        check = Checker()
        check.tenant("filter.tenant", wanted.tenant)
        check.text("filter.subject", wanted.subject, SUBJECT_BYTES)
        self._session_id = check.session_id("filter.session_id", wanted.session_id) if wanted.session_id else b""
        if wanted.subject and not wanted.tenant:
            check.refuse("filter.tenant", "is required beside a subject, which is a user of one tenant")
        elif caller.tenants is not None and not wanted.tenant and not wanted.session_id:
            check.refuse("filter.tenant", "is required, or a session_id: you may not act for every tenant")
        check.finish()
        if wanted.tenant:
            caller.must_act_for(wanted.tenant)
        self._store, self._caller, self._wanted = store, caller, wanted

    def matches(self, event: Event) -> bool:
        """Say whether *event* is wanted, and may be seen."""
        wanted = self._wanted
        return (
            self._caller.may_act_for(event.tenant)
            and wanted.tenant in ("", event.tenant)
            and wanted.subject in ("", event.subject)
            and self._session_id in (b"", event.session_id)
            and (not wanted.kinds or event.kind in wanted.kinds)
            and (not wanted.causes or event.cause in wanted.causes)
        )

    def page(self, after: int, page_size: int) -> EventPage:
        """
        Read up to *page_size* events after the cursor *after*, and look at no more than 10,000 for them.

        A cursor beyond the last event, as one of a store that was replaced
        by an older copy, leads back to that event.

        Raises:
            InvalidRequestError: *page_size* is out of its limits.
            StoreUnavailableError: The store cannot be read.

        """
        check = Checker()
        size = check.page_size(page_size)
        check.finish()
        if self._session_id:
            # No event is read: a damaged one of another session would hide those of this one.
            _, last = self._store.events_after(after, 0)
            told = self._store.events_of_session(self._session_id, EVENTS_LOOKED_AT)
            # Where there are more of them, they are met on the way like everyone's.
            if len(told) < EVENTS_LOOKED_AT:
                return self._of_session(told, after, size, last)
        return self._of_all(after, size)

    def _of_session(self, told: list[Event], after: int, size: int, last: int) -> EventPage:
        found = [event for event in told if event.sequence > after and self.matches(event)]
        if len(found) > size:
            return EventPage(tuple(found[:size]), found[size - 1].sequence, more=True)
        # An event can have come since *last* was read.
        cursor = max(last, found[-1].sequence) if found else last
        return EventPage(tuple(found), cursor, more=False)

    def _of_all(self, after: int, size: int) -> EventPage:
        found: list[Event] = []
        cursor, last = after, after
        for _ in range(EVENTS_LOOKED_AT // _PAGE):
            events, last = self._store.events_after(cursor, _PAGE)
            for event in events:
                cursor = event.sequence
                if self.matches(event):
                    found.append(event)
                    if len(found) == size:
                        return EventPage(tuple(found), cursor, more=cursor < last)
            if len(events) < _PAGE:
                return EventPage(tuple(found), last, more=False)
        return EventPage(tuple(found), cursor, more=cursor < last)
