"""The benchmark of verification runs, and says what it measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contenders import CLAIMS, Contender, Race
from benchmarks.ours import wide_tables
from benchmarks.races import access_race
from benchmarks.rounds import check, quartiles
from benchmarks.threads import measure_threads
from benchmarks.tokens import ACCESS_KEY, JWT
from sessiond import _fastverify
from sessiond._fastverify import SMALL_TABLE_WINDOWS

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000
OURS = {"sessiond", "sessiond extension"}
SIGNATURES = {"PyNaCl", "cryptography", "py-ed25519-zebra-bindings"}
READERS = {"PyJWT EdDSA", "PyJWT RS256", "joserfc", "pyseto", "fast-paseto", "cwt"}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark, the quick one."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.verify", "--quick", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={name: text for name, text in os.environ.items() if name != "SESSIOND_FORCE_IMPL"} | environment,
    )


def names(race: dict[str, Any]) -> set[str]:
    """Give the libraries that were measured."""
    return {row["name"] for row in race["results"]}


def own_access_race(n_tokens: int) -> Race:
    """Set up the race with small tables and without peers."""
    tables, n_windows = wide_tables([ACCESS_KEY], 0)
    assert SMALL_TABLE_WINDOWS == n_windows
    return access_race(n_tokens, NOW, tables, with_peers=False)


def test_quick_run_measures_every_contender(tmp_path: Path) -> None:
    """Table and JSON have figures for us and every peer, with each implementation, and name the machine."""
    figures = tmp_path / "figures.json"
    done = run("--json", str(figures))
    assert (0, "") == (done.returncode, done.stderr)
    document = json.loads(figures.read_text())

    best, *others = document["implementations"]
    assert [*_fastverify.implementations()] == [best["implementation"], *(one["implementation"] for one in others)]
    access, refresh = best["races"]
    assert {"", "cached", "small table", "key just loaded"} == {row["state"] for row in access["results"]}
    assert OURS | SIGNATURES | READERS == names(access)
    assert OURS | SIGNATURES | {"cwt"} == names(refresh)
    for measured in others:
        assert [OURS | {"PyNaCl"}] * 2 == [names(race) for race in measured["races"]]
    for measured in document["implementations"]:
        for race in measured["races"]:
            assert {1, 8, 64, 1024} == {row["batch"] for row in race["results"] if row["name"] == "sessiond"}
            assert [1.0] == [row["times_baseline"]["median"] for row in race["results"] if row["name"] == "PyNaCl"]
            for row in race["results"]:
                assert 0 < row["nanoseconds"]["low"] <= row["nanoseconds"]["median"] <= row["nanoseconds"]["high"]
                assert row["tokens_per_second"] == pytest.approx(1e9 / row["nanoseconds"]["median"])
                assert row["name"] in done.stdout
            assert ("bound" in race) is (measured["implementation"] == "avx512ifma")
    assert {"processor", "cores", "python", "sessiond", "implementation", "peers"} <= set(document["machine"])
    assert all(text in done.stdout for text in ("processor", "commit", "640 characters", "Bound of the algorithm"))


def test_a_contender_that_accepts_anything_is_named() -> None:
    """Nothing is measured while a contender accepts a bad token or refuses a good one."""
    race = own_access_race(2)
    assert [] == check(race)

    def accept_all(tokens: Sequence[str]) -> int:
        return len(tokens)

    race.contenders[:] = [
        Contender("lax", CLAIMS, JWT, str, accept_all),
        Contender("strict", CLAIMS, JWT, str, lambda _: 0),
        Contender("blind", "signature only", JWT, str, lambda tokens: sum("." in token for token in tokens)),
    ]
    assert [
        *(
            f"lax (JWT EdDSA, token to claims, 1 a call) accepts a token that is {why}"
            for why in ("forged", "truncated", "signed with another key", "expired", "for another audience")
        ),
        "strict (JWT EdDSA, token to claims, 1 a call) refuses good tokens",
        *(
            f"blind (JWT EdDSA, signature only, 1 a call) accepts a token that is {why}"
            for why in ("forged", "truncated", "signed with another key")
        ),
    ] == check(race)


def test_two_threads_verify_all_tokens_twice() -> None:
    """Two threads have twice the tokens of one; a token that is refused on a thread ends the run."""
    cores = sorted(os.sched_getaffinity(0)) * 2
    race = own_access_race(4)
    row = measure_threads(race, cores[:2], 2, 0.001)

    assert row["ratio"]["median"] > 0
    assert row["one_thread_tokens_per_second"]["median"] > 0
    race.tokens[JWT].good.append(race.tokens[JWT].forged["truncated"])
    with pytest.raises(ValueError, match="refused a good token on 1 threads"):
        measure_threads(race, cores[:2], 2, 0.001)


def test_a_peer_that_is_missing(tmp_path: Path) -> None:
    """Without one of the libraries nothing runs, and the command that installs it is told."""
    (tmp_path / "pyseto.py").write_text("raise ModuleNotFoundError('no pyseto', name='pyseto')\n")
    done = run(PYTHONPATH=str(tmp_path))

    assert 1 == done.returncode
    assert "pyseto is missing, which is measured beside sessiond: run make bench, or pip install -e" in done.stderr


def test_quartiles_of_few_rounds() -> None:
    """The quartiles lie within the rounds."""
    assert {"low": 2.0, "median": 3.0, "high": 4.0} == quartiles([5.0, 1.0, 4.0, 2.0, 3.0])
