"""
``sessiond explain`` of every cause, over the wire from a real server, as a person reads it.

The screens lie in ``tests/cli/golden/explain``, one for each story of
``stories.py``. After a change that is meant, write them again and read them:
``python -m tests.cli.test_explain_screens``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sessiond.errors import Cause
from tests.cli.stories import STORIES, Story, told

SCREENS = Path(__file__).parent / "golden" / "explain"
README = Path(__file__).parents[2] / "README.md"
LINES, COLUMNS = 40, 100

NOT_FOUND_BY_EXPLAIN = {
    Cause.WRONG_TOKEN_KIND: "a text has one kind; a call can want the other. Its screen is that of a good token",
    Cause.VERIFIER_STALE: "a local verifier's finding about itself. Its screen is that of a good token",
}
"""Causes that the token alone does not have, with the reason; the screens name them in what the client should do."""


@pytest.mark.parametrize("one", STORIES, ids=lambda one: one.name)
def test_screen_is_the_golden_one(one: Story) -> None:
    """The screen is, character for character, the one that was read and found good; machines read the same cause."""
    screen, value = told(one)

    assert (SCREENS / f"{one.name}.txt").read_text() == screen
    assert (one.cause.name if one.cause is not None else None) == value["cause"]
    assert len(screen.splitlines()) <= LINES
    assert max(map(len, screen.splitlines())) <= COLUMNS


def test_every_cause_has_a_screen() -> None:
    """Each cause that there is has a screen; what explain cannot find is named on the screen of a good token."""
    names = {one.name for one in STORIES}
    assert {cause.name for cause in Cause} <= names
    assert {f"{name}.txt" for name in names} == {path.name for path in SCREENS.iterdir()}
    assert set(NOT_FOUND_BY_EXPLAIN) == set(Cause) - {one.cause for one in STORIES}
    for cause in NOT_FOUND_BY_EXPLAIN:
        assert cause.name in (SCREENS / f"{cause.name}.txt").read_text()


def test_readme_shows_a_screen_as_it_is() -> None:
    """The screen of the README is that of REUSED, with lines left out where it says so."""
    (shown,) = re.findall(r"^```text\n(✗ .*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    screen = (SCREENS / "REUSED.txt").read_text()
    for part in shown.split("...\n"):
        assert part in screen


if __name__ == "__main__":
    for story in STORIES:
        (SCREENS / f"{story.name}.txt").write_text(told(story)[0])
