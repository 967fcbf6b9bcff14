"""The benchmark of verification runs, and says what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.contenders import access_race
from benchmarks.verify import check, quartiles

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000
OURS = {"sessiond.token.verify", "sessiond extension"}


def test_quick_run_measures_every_contender(tmp_path: Path) -> None:
    """Table and JSON have a figure for us, PyNaCl, cryptography and PyJWT on the same tokens, and name the machine."""
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.verify", "--quick", "--json", figures],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(figures.read_text())

    access, refresh = document["races"]
    assert {*OURS, "PyNaCl", "cryptography", "PyJWT"} == {row["name"] for row in access["results"]}
    assert {*OURS, "PyNaCl", "cryptography", "cwt"} == {row["name"] for row in refresh["results"]}
    assert {1, 8, 64, 1024} == {row["batch"] for row in access["results"]}
    for row in access["results"] + refresh["results"]:
        assert 0 < row["nanoseconds"]["low"] <= row["nanoseconds"]["median"] <= row["nanoseconds"]["high"]
        assert row["tokens_per_second"] == pytest.approx(1e9 / row["nanoseconds"]["median"])
        assert row["name"] in done.stdout
    assert [1.0] == [row["times_baseline"]["median"] for row in access["results"] if row["name"] == "PyNaCl"]
    assert {"processor", "cores", "python", "sessiond", "implementation", "peers"} <= set(document["machine"])
    assert all(text in done.stdout for text in ("processor", "commit", "640 characters"))


def test_a_contender_that_accepts_anything_is_named() -> None:
    """Nothing is measured while a contender accepts a bad token or refuses a good one."""
    race = access_race(2, NOW)
    race.contenders[:] = race.contenders[:1]
    assert [] == check(race)

    race.good.append(race.forged[0])
    race.forged.append(race.good[0])
    assert [
        "sessiond.token.verify (token to claims) refuses good tokens",
        "sessiond.token.verify (token to claims) accepts a bad token",
    ] == check(race)


def test_quartiles_of_few_rounds() -> None:
    """The quartiles lie within the rounds."""
    assert {"low": 2.0, "median": 3.0, "high": 4.0} == quartiles([5.0, 1.0, 4.0, 2.0, 3.0])
