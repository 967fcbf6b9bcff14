"""Times for people and for machines, and what would steer a terminal."""

from __future__ import annotations

import io
import json
import sys
import time

import pytest
from rich.table import Table

from sessiond.cli.screen import Screen, moment, printable, span
from sessiond.cli.values import instant
from sessiond.errors import Cause, InvalidAccessToken, InvalidRequestError, SessiondError, StoreUnavailableError


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (170, "3 min"),
        (7_199, "120 min"),
        (7_200, "2 h"),
        (172_799, "48 h"),
        (172_800, "2 d"),
        (30 * 86_400 - 1, "30 d"),
    ],
)
def test_span_is_told_in_the_greatest_unit_that_fits(seconds: int, spelled: str) -> None:
    """A span is rounded to the greatest unit of which it holds two."""
    assert spelled == span(seconds)


def test_moment_says_when_and_how_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instant is shown in UTC with its distance, before and after; none is shown as nothing."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.4)

    assert "2027-01-15 08:05:00 UTC (in 5 min)" == moment(1_800_000_300)
    assert "2027-01-15 07:59:30 UTC (30 s ago)" == moment(1_799_999_970)
    assert "" == moment(None)


def test_instant_has_milliseconds_only_where_there_are_some() -> None:
    """RFC 3339 in UTC, with a Z."""
    assert "2027-01-15T08:00:00Z" == instant(1_800_000_000)
    assert "2027-01-15T08:00:00.123Z" == instant(1_800_000_000.123)


class Terminal(io.StringIO):
    """A standard stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(
    "steering", ["\x1b", "\x9b", "\x7f", "\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069"]
)
def test_what_steers_a_terminal_is_spelled_out(steering: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """People are never shown a character that steers a terminal or turns a line around; machines there neither."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    Screen(as_json=True).show({"reason": f"é{steering}"})

    assert steering.encode("unicode_escape").decode() == printable(steering)
    assert steering not in terminal.getvalue()
    assert {"reason": f"é{steering}"} == json.loads(terminal.getvalue())


def test_machines_read_utf_8_from_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes to no terminal stands as it is."""
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    Screen(as_json=True).show({"reason": "é\u202e"})
    assert '{"reason": "é\u202e"}\n' == pipe.getvalue()


@pytest.mark.parametrize(
    "error",
    [
        InvalidAccessToken(Cause.REVOKED, "a\x1b[2J[red]\u202e"),
        InvalidRequestError(("a\x1b[2J[red]\u202e", "a\x1b[2J[red]\u202e")),
        StoreUnavailableError("a\x1b[2J[red]\u202e"),
    ],
)
def test_refusal_steers_no_terminal(error: SessiondError, capsys: pytest.CaptureFixture[str]) -> None:
    """The message of a refusal may hold words of strangers; they are shown, and do nothing."""
    Screen(as_json=False).refused(error)
    shown = capsys.readouterr().err
    assert "a\\x1b[2J[red]\\u202e" in shown
    assert {"\x1b", "\u202e"}.isdisjoint(shown)


def test_plain_text_is_not_marked_up(capsys: pytest.CaptureFixture[str]) -> None:
    """A text in a cell is shown as it stands, whatever it looks like."""
    table = Table.grid()
    table.add_row("[red]x[/] :smile:")
    Screen(as_json=False).show(None, table)
    assert "[red]x[/] :smile:\n" == capsys.readouterr().out
