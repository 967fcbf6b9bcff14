"""Events in words, and what happened to a session in few lines."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from sessiond.cli.screen import date_time, distance, printable
from sessiond.client import EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sessiond.client import Device, Event

MAX_LINES = 14
# Of a timeline that is too long, so many lines are shown of its beginning.
_FIRST_LINES = 2

_ENDS = frozenset(
    {
        EventKind.REFRESH_REUSED,
        EventKind.REFRESH_STATE_LOST,
        EventKind.SESSION_REVOKED,
        EventKind.SESSION_EVICTED,
        EventKind.SCOPE_CUT,
        EventKind.KEY_REVOKED,
    }
)
_WARNS = frozenset(
    {
        EventKind.REFRESH_SHARED,
        EventKind.REFRESH_REPLACED,
        EventKind.REFRESH_SUPERSEDED,
        EventKind.REFRESH_REFUSED,
    }
)
_SCOPES = {"ALL": "every session", "TENANT": "every session of the tenant", "SUBJECT": "every session of the user"}


@dataclass(frozen=True, slots=True)
class _Line:
    at: int
    text: Text


def timeline(events: Sequence[Event], now: int) -> list[tuple[str, Text]]:
    """
    Tell what happened, oldest first, in at most 14 lines: each with its instant in UTC.

    Refreshes in a row without anything between them are one line, as are
    refusals with one cause. Where lines are left out, one says how many.
    """
    lines = list(_lines(events, now))
    if len(lines) <= MAX_LINES:
        return [(date_time(line.at), line.text) for line in lines]
    n_last = MAX_LINES - _FIRST_LINES - 1
    n_hidden = len(lines) - _FIRST_LINES - n_last
    shown = [(date_time(line.at), line.text) for line in (*lines[:_FIRST_LINES], *lines[-n_last:])]
    gap = Text(f"… {n_hidden} more lines: `sessiond events --session` shows them", style="dim")
    return [*shown[:_FIRST_LINES], ("", gap), *shown[_FIRST_LINES:]]


def words_of(event: Event) -> Text:
    """Say what happened in one event."""
    style = "red" if event.kind in _ENDS else "yellow" if event.kind in _WARNS else ""
    return Text(printable(_WORDS.get(event.kind, _unknown)(event)), style=style)


def origin(device: Device) -> str:
    """Say where a call came from, empty where nobody knows."""
    return ", ".join(part for part in (device.label, device.ip, device.user_agent) if part)


def _lines(events: Sequence[Event], now: int) -> Iterable[_Line]:
    for (kind, _), group in itertools.groupby(events, key=lambda event: (event.kind, event.cause)):
        run = list(group)
        first, last = run[0], run[-1]
        if kind is EventKind.REFRESH_REFUSED and len(run) > 1:
            # The last one counts all of them.
            yield _Line(first.happened_at, words_of(last).append(f", last {distance(last.happened_at, now)}"))
            continue
        if kind is not EventKind.REFRESH_ROTATED:
            yield from (_Line(event.happened_at, words_of(event)) for event in run)
            continue
        if first.generation and events[0] is not first and _is_first_rotation(events, first):
            text = f"generations up to {first.generation}: events that are not kept or not shown"
            yield _Line(events[0].happened_at, Text(text, style="dim"))
        if len(run) == 1:
            yield _Line(first.happened_at, words_of(first))
        else:
            text = f"refreshed {len(run)} times, last {distance(last.happened_at, now)}{_from(last)}"
            addresses = {event.device.ip for event in run}
            if len(addresses) > 1:
                text += f"; from {len(addresses)} addresses in all"
            yield _Line(first.happened_at, Text(printable(text)))


def _is_first_rotation(events: Sequence[Event], event: Event) -> bool:
    return next(other for other in events if other.kind is EventKind.REFRESH_ROTATED) is event


def _from(event: Event) -> str:
    where = origin(event.device)
    return f" from {where}" if where else ""


def _by(event: Event) -> str:
    return f" by {event.actor or event.caller}" if event.actor or event.caller else ""


def _why(event: Event) -> str:
    reason = event.details.get("reason", "")
    return f": {reason}" if reason else ""


def _created(event: Event) -> str:
    return f"opened{_from(event)}"


def _rotated(event: Event) -> str:
    return f"refreshed{_from(event)}"


def _retried(event: Event) -> str:
    return f"refresh repeated, its answer was lost: same successor again{_from(event)}"


def _shared(event: Event) -> str:
    return f"generation {event.generation} used by two inside the retry window: same successor{_from(event)}"


def _replaced(event: Event) -> str:
    return f"generation {event.generation} used again: its successor replaced by a new generation{_from(event)}"


def _superseded(event: Event) -> str:
    return f"late copy of an answered refresh refused (generation {event.generation}){_from(event)}"


def _refused(event: Event) -> str:
    cause = event.cause.name if event.cause is not None else "a cause of a later release"
    count = event.details.get("count", "1")
    times = "" if count == "1" else f", {count} times so far"
    return f"refresh refused: {cause}{times}{_from(event)}"


def _reused(event: Event) -> str:
    return f"generation {event.generation} used a second time{_from(event)}: session ended"


def _state_lost(event: Event) -> str:
    return f"generation {event.generation}, newer than the authority's record, came{_from(event)}: session ended"


def _updated(event: Event) -> str:
    return f"changed: {event.details.get('fields', '')}{_by(event)}"


def _revoked(event: Event) -> str:
    return f"ended{_by(event)}{_why(event)}"


def _evicted(event: Event) -> str:
    return f"ended for a newer session of the same user{_why(event)}"


def _cut(event: Event) -> str:
    scope = _SCOPES.get(event.details.get("scope", ""), "every session of a scope")
    spared = event.details.get("except_session_id", "")
    return f"{scope}{f' but {spared}' if spared else ''} ended{_by(event)}{_why(event)}"


def _key(event: Event, what: str) -> str:
    return f"{event.details.get('purpose', '').lower()} key {event.details.get('key_id', '')} {what}{_by(event)}"


def _unknown(_event: Event) -> str:
    return "something that this release does not know"


_WORDS: Mapping[EventKind, Callable[[Event], str]] = {
    EventKind.SESSION_CREATED: _created,
    EventKind.REFRESH_ROTATED: _rotated,
    EventKind.REFRESH_RETRIED: _retried,
    EventKind.REFRESH_SHARED: _shared,
    EventKind.REFRESH_REPLACED: _replaced,
    EventKind.REFRESH_SUPERSEDED: _superseded,
    EventKind.REFRESH_REFUSED: _refused,
    EventKind.REFRESH_REUSED: _reused,
    EventKind.REFRESH_STATE_LOST: _state_lost,
    EventKind.SESSION_UPDATED: _updated,
    EventKind.SESSION_REVOKED: _revoked,
    EventKind.SESSION_EVICTED: _evicted,
    EventKind.SCOPE_CUT: _cut,
    EventKind.KEY_CREATED: lambda event: _key(event, "made"),
    EventKind.KEY_ACTIVATED: lambda event: _key(event, "signs from here on"),
    EventKind.KEY_RETIRED: lambda event: _key(event, "signs no longer"),
    EventKind.KEY_REVOKED: lambda event: _key(event, "revoked") + _why(event),
    EventKind.KEY_REMOVED: lambda event: _key(event, "deleted"),
}
