"""What happened to a session, in few lines."""

from __future__ import annotations

from typing import Any

from sessiond.cli.timeline import MAX_LINES, timeline, words_of
from sessiond.client import Device, Event, EventKind
from sessiond.errors import Cause

START = 1_800_000_000


def event(minute: int, kind: EventKind, **fields: Any) -> Event:
    """Make an event, some minutes after the start."""
    plain = {
        "sequence": minute + 1,
        "session_id": "id",
        "tenant": "acme",
        "subject": "alice",
        "cause": None,
        "generation": None,
        "device": Device(ip="10.0.0.7"),
        "caller": "gateway",
        "actor": "",
        "details": {},
    }
    return Event(kind=kind, happened_at=START + 60 * minute, **{**plain, **fields})


def rotation(minute: int, **fields: Any) -> Event:
    """Make the trade of the generation with the number of the minute."""
    return event(minute, EventKind.REFRESH_ROTATED, **{"generation": minute, **fields})


def lines(events: list[Event]) -> list[str]:
    """Give the lines as they are read, an hour after the start."""
    return [f"{when.partition(' ')[2]} {text.plain}".strip() for when, text in timeline(events, START + 3600)]


def test_refreshes_in_a_row_are_one_line() -> None:
    """A run of plain refreshes says how many there were, and when and where the last was."""
    created = event(0, EventKind.SESSION_CREATED)
    assert [
        "08:00:00 opened from 10.0.0.7",
        "08:00:00 refreshed 40 times, last 21 min ago from 10.0.0.7",
    ] == lines([created, *(rotation(minute) for minute in range(40))])


def test_refreshes_from_several_addresses_say_so() -> None:
    """A run does not hide that somebody else took part in it."""
    other = Device(ip="203.0.113.66")
    assert ["08:00:00 refreshed 3 times, last 58 min ago from 10.0.0.7; from 2 addresses in all"] == lines(
        [rotation(0), rotation(1, device=other), rotation(2)]
    )


def test_what_stands_between_refreshes_splits_the_run() -> None:
    """Anything but a plain refresh has a line of its own."""
    retried = event(2, EventKind.REFRESH_RETRIED, generation=1)
    assert ["08:00:00", "08:02:00", "08:03:00"] == [
        line.partition(" ")[0] for line in lines([rotation(0), rotation(1), retried, rotation(3)])
    ]


def test_refreshes_that_are_not_told_any_more_are_named() -> None:
    """Where the first refresh that is told is not the session's first, a line says what is missing."""
    created = event(0, EventKind.SESSION_CREATED, sequence=0)
    shown = lines([created, rotation(50), rotation(51)])
    assert "08:00:00 generations up to 50: events that are not kept or not shown" == shown[1]


def test_refusals_in_a_row_are_one_line() -> None:
    """Refusals with one cause are counted in one line; another cause begins another."""
    refusals = [
        event(minute, EventKind.REFRESH_REFUSED, cause=cause, details={"count": str(count)})
        for minute, cause, count in (
            (1, Cause.REVOKED, 1),
            (2, Cause.REVOKED, 90),
            (3, Cause.IDLE_TIMEOUT, 1),
        )
    ]
    assert [
        "08:01:00 refresh refused: REVOKED, 90 times so far from 10.0.0.7, last 58 min ago",
        "08:03:00 refresh refused: IDLE_TIMEOUT from 10.0.0.7",
    ] == lines(refusals)


def test_long_timeline_has_its_beginning_and_its_end() -> None:
    """More lines than fit on a screen are left out in the middle, with their number."""
    kinds = (EventKind.REFRESH_RETRIED, EventKind.REFRESH_SHARED)
    shown = lines([event(minute, kinds[minute % 2], generation=minute) for minute in range(40)])

    assert MAX_LINES == len(shown)
    assert "… 27 more lines: `sessiond events --session` shows them" == shown[2]
    assert ["08:00:00", "08:01:00", "08:29:00", "08:39:00"] == [shown[place][:8] for place in (0, 1, 3, -1)]


def test_every_kind_of_event_has_words() -> None:
    """Each kind is told in words of its own, whoever did it and why included."""
    details = {"reason": "because", "scope": "TENANT", "fields": "claims_json", "purpose": "ACCESS", "key_id": "1234"}
    words = {kind: words_of(event(0, kind, actor="bob", generation=3, details=details)).plain for kind in EventKind}

    assert len(EventKind) == len(set(words.values()))
    assert "ended by bob: because" == words[EventKind.SESSION_REVOKED]
    assert "every session of the tenant ended by bob: because" == words[EventKind.SCOPE_CUT]
    assert "access key 1234 revoked by bob: because" == words[EventKind.KEY_REVOKED]
    assert "changed: claims_json by bob" == words[EventKind.SESSION_UPDATED]


def test_cut_names_the_session_that_it_spared() -> None:
    """Where one session was spared, the words say which."""
    cut = event(0, EventKind.SCOPE_CUT, details={"scope": "SUBJECT", "except_session_id": "the-id"}, caller="support")
    assert "every session of the user but the-id ended by support" == words_of(cut).plain


def test_words_of_strangers_do_not_steer_the_terminal() -> None:
    """A control character in a reason is spelled out."""
    assert "\x1b" not in words_of(event(0, EventKind.SESSION_REVOKED, details={"reason": "\x1b[2J"})).plain
