"""The table of scenarios is true of the tests: every number stands there, and every test that is named exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS = re.findall(r"^\| (T?\d+) \| (.+) \| (.+) \|$", (Path(__file__).parent / "README.md").read_text(), re.MULTILINE)
NAMED = sorted({name for _, _, shown in ROWS for name in re.findall(r"`([^`]+)`", shown)})


@cache
def named_in(file: Path) -> frozenset[str]:
    """Name the tests of a file."""
    tree = ast.walk(ast.parse(file.read_text()))
    return frozenset(one.name for one in tree if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"))


def is_there(name: str) -> bool:
    """Look for a test, and for the row of its table that stands in brackets behind its name."""
    match = re.fullmatch(r"([\w/]+\.py)::(\w+)(?:\[(.+)\])?", name)
    if match is None or not (TESTS / match[1]).is_file():
        return False
    file = TESTS / match[1]
    return match[2] in named_in(file) and (
        not match[3] or re.search(rf'"{match[3]}"|_{match[3]}\(', file.read_text()) is not None
    )


def test_every_number_stands_once() -> None:
    """The table has the scenarios 1 to 90 and the traps T1 to T13, in order and each once."""
    expected = [str(number) for number in range(1, 91)] + [f"T{number}" for number in range(1, 14)]

    assert expected == [number for number, _, _ in ROWS]


def test_every_test_that_is_named_exists() -> None:
    """No scenario is said to be shown by a test that is not there."""
    assert [] == [name for name in NAMED if not is_there(name)]


def test_every_scenario_has_tests_or_a_reason() -> None:
    """Each line names tests, and nothing else, or says why there is none."""
    wrong = [number for number, _, shown in ROWS if not re.fullmatch(r"none: [A-Z].+\.|`[^`]+`(<br>`[^`]+`)*", shown)]

    assert [] == wrong


def test_every_test_of_the_folder_stands_in_the_table() -> None:
    """What was written for a scenario is found by its number."""
    folder = sorted(Path(__file__).parent.glob("test_*_scenarios.py"))
    ours = {f"scenarios/{file.name}::{test}" for file in folder for test in named_in(file)}

    assert set() == ours - set(NAMED)
