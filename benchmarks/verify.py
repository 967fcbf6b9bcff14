"""
Measure how fast tokens are verified, beside the libraries in use today: ``python -m benchmarks.verify``.

All contenders verify the same tokens on one core, in rounds (see ``rounds.py``). sessiond's portable implementation is
measured in a process of its own, for an implementation is chosen once; it has the baseline of that process beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

try:
    from benchmarks.races import access_race, bound_contenders, derive, refresh_race
except ModuleNotFoundError as missing:
    message = (
        f"{missing.name} is missing, which is measured beside sessiond: run make bench, or pip install -e '.[bench]'"
    )
    raise ModuleNotFoundError(message, name=missing.name) from missing
from benchmarks import bound
from benchmarks.contenders import BASELINE, INSTRUCTIONS, SIGNATURE, Race
from benchmarks.machine import ROOT, describe
from benchmarks.native import NoCompilerError
from benchmarks.ours import wide_tables
from benchmarks.report import show
from benchmarks.rounds import check, measure, summarize
from benchmarks.threads import measure_threads
from benchmarks.tokens import ACCESS_KEY, REFRESH_KEY
from sessiond import _fastverify
from sessiond.wide_tables import DEFAULT_KEY_TABLE_BYTES, MAX_KEY_TABLE_BYTES

PORTABLE = "portable"


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    n_tokens: int
    rounds: int
    turn_seconds: float
    thread_rounds: int
    thread_seconds: float


FULL = Effort(n_tokens=1024, rounds=15, turn_seconds=0.02, thread_rounds=9, thread_seconds=0.2)
QUICK = Effort(n_tokens=64, rounds=3, turn_seconds=0.001, thread_rounds=2, thread_seconds=0.005)


def measure_here(effort: Effort, key_table_bytes: int, *, with_peers: bool) -> dict[str, Any]:
    """Measure the implementation of this process, and the peers or only the baseline."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    now = int(time.time())
    tables, n_windows = wide_tables([ACCESS_KEY, REFRESH_KEY], key_table_bytes)
    races = [make(effort.n_tokens, now, tables, with_peers=with_peers) for make in (access_race, refresh_race)]
    faults = [fault for race in races for fault in check(race)]
    if faults:
        sys.exit("Nothing was measured:\n" + "\n".join(faults))
    gc.disable()
    measured = _measure_races(races, effort, n_windows)
    os.sched_setaffinity(0, cores)
    threads = [
        measure_threads(race, cores[:2], effort.thread_rounds, effort.thread_seconds)
        for race in races
        if len(cores) > 1
    ]
    return {
        "implementation": _fastverify.implementation(),
        "windows": n_windows,
        "table_bytes": _fastverify.table_size(n_windows),
        "small_table_bytes": _fastverify.table_size(_fastverify.SMALL_TABLE_WINDOWS),
        "races": measured,
        "threads": threads,
    }


def _measure_races(races: list[Race], effort: Effort, n_windows: int) -> list[dict[str, Any]]:
    """Measure each, with the bound where it can be derived."""
    with tempfile.TemporaryDirectory() as folder:
        derivations, no_bound = [], ""
        if _fastverify.implementation() == bound.IMPLEMENTATION:
            try:
                code, rates = bound.CountedCode(Path(folder)), bound.Rates(Path(folder))
            except NoCompilerError as error:
                no_bound = str(error)
            else:
                derivations = [derive(race, code, n_windows) for race in races]
                for race, derivation in zip(races, derivations, strict=True):
                    race.contenders.extend(bound_contenders(race, derivation, rates))
        else:
            no_bound = f"{_fastverify.implementation()} does not work on lanes, whose instructions are counted"
        times = [measure(race, effort.rounds, effort.turn_seconds) for race in races]
    documents: list[dict[str, Any]] = [
        {"name": race.name, "title": race.title, "results": summarize(race, rounds)}
        for race, rounds in zip(races, times, strict=True)
    ]
    for number, made in enumerate(documents):
        if no_bound:
            made["no_bound"] = no_bound
        else:
            rounds = zip(races[number].contenders, times[number], strict=True)
            of_bound = {one.name: figures for one, figures in rounds if one.work == INSTRUCTIONS}
            made["bound"] = bound.summarize_bound(derivations[number], of_bound)
    return documents


def measure_portable(key_table_bytes: int, *, quick: bool) -> dict[str, Any]:
    """Measure the portable implementation in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder, "portable.json")
        arguments = ["--without-peers", "--json", str(figures), "--key-table-bytes", str(key_table_bytes)]
        if quick:
            arguments.append("--quick")
        subprocess.run(
            [sys.executable, "-m", "benchmarks.verify", *arguments],
            cwd=ROOT,
            env={**os.environ, "SESSIOND_FORCE_IMPL": PORTABLE},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        [measured] = json.loads(figures.read_text())["implementations"]
    return dict(measured)


def main() -> None:
    """Check, measure, print, and write the figures where they are asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.verify", description="Measure the verification of tokens."
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: whether it works, not how fast")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every figure there, too")
    parser.add_argument(
        "--without-peers", action="store_true", help=f"measure sessiond's implementation in use and {BASELINE} alone"
    )
    parser.add_argument(
        "--key-table-bytes",
        type=int,
        default=DEFAULT_KEY_TABLE_BYTES,
        metavar="BYTES",
        help=f"what the tables of a key may take (default {DEFAULT_KEY_TABLE_BYTES:,}; more than"
        f" {MAX_KEY_TABLE_BYTES:,} make nothing faster)",
    )
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL

    document: dict[str, Any] = {
        "machine": describe(),
        "effort": dataclasses.asdict(effort),
        "baseline": f"{BASELINE}, {SIGNATURE}",
        "implementations": [measure_here(effort, arguments.key_table_bytes, with_peers=not arguments.without_peers)],
    }
    if not arguments.without_peers and _fastverify.implementation() != PORTABLE:
        document["implementations"].append(measure_portable(arguments.key_table_bytes, quick=arguments.quick))
    show(Console(width=170 if not sys.stdout.isatty() else None), document)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
