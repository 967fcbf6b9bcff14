"""The examples of docs/refresh.md run, and its numbers are those of the rules."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from sessiond.authority.policy import Policy, Profile
from sessiond.authority.rotation import LAST_GENERATION, Outcome
from tests.property.rotation_machine import ROUNDS
from tests.rpc.world import World

PAGE = Path(__file__).parents[2] / "docs" / "refresh.md"
TEXT = PAGE.read_text()


def test_examples_run_as_they_stand_in_the_page(here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of the page, against a real server, gives just what the page shows."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    text = "\n".join(blocks).replace("127.0.0.1:7400", here.app.address)
    example = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert [] == said
    assert result.attempted > 20


def test_settings_are_the_defaults() -> None:
    """The settings that the page shows are those of a policy without any."""
    policy = Policy()
    shown = dict(re.findall(r"^(\w+_seconds) = (\d+) ", TEXT, re.MULTILINE))
    assert {name: str(getattr(policy, name)) for name in shown} == shown
    assert {"retry_window_seconds", "straggler_window_seconds"} == set(shown)
    assert f'profile = "{policy.profile.value}"' in TEXT


def test_every_outcome_has_its_row() -> None:
    """Each way in which a refresh succeeds stands in the table."""
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "`: " in line]
    assert {outcome.name for outcome in Outcome} <= set(re.findall(r"\| `([A-Z]+)`: ", "\n".join(rows)))


def test_last_generation_is_the_rules_own() -> None:
    """The page names the number that cannot be refreshed."""
    assert f"Generation {LAST_GENERATION:,} is the last" in TEXT


@pytest.mark.parametrize(("row", "which"), [("the thief has the token alone", 0), ("the thief copied one whole", 1)])
def test_thief_is_served_as_often_as_the_page_says(row: str, which: int) -> None:
    """The numbers of the page are those that the search of all courses must find."""
    cells = next(line for line in TEXT.splitlines() if line.startswith(f"| {row}")).split("|")[2:5]
    expected = [ROUNDS[profile][which] for profile in (Profile.STRICT, Profile.BALANCED, Profile.FORGIVING)]
    assert expected == [int(cell) for cell in cells]
