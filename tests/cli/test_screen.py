"""Times for people and for machines."""

from __future__ import annotations

import time

import pytest

from sessiond.cli.screen import moment, span
from sessiond.cli.values import instant


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
