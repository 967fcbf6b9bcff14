"""
Measure how fast tokens are verified, beside the libraries in use today: ``python -m benchmarks.verify``.

All contenders verify the same tokens on one core. First each must accept the good ones and refuse the bad ones. Then
come rounds, in each of which every contender has its turn, so that what slows the machine down slows all of them; who
begins changes from round to round. The clock is the processor time of the one thread, so that what else runs on the
machine costs no more than its share of the caches. A figure is the median of the rounds, with the quartiles beside it;
a ratio is taken within each round before its median is.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import BASELINE, CLAIMS, SIGNATURE, VERDICT, Contender, Race, access_race, refresh_race
from benchmarks.machine import describe

NS = 1e9


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    n_tokens: int
    rounds: int


FULL, QUICK = Effort(n_tokens=1024, rounds=15), Effort(n_tokens=256, rounds=3)


def check(race: Race) -> list[str]:
    """Name the contenders that accept what they must refuse, or refuse what they must accept."""
    faults = []
    for contender in race.contenders:
        refused = [*race.forged, *(race.unfit if contender.work != SIGNATURE else [])]
        if contender.count_accepted([contender.prepare(token) for token in race.good]) != len(race.good):
            faults.append(f"{contender.name} ({contender.work}) refuses good tokens")
        faults += [
            f"{contender.name} ({contender.work}) accepts a bad token"
            for token in refused
            if contender.count_accepted([contender.prepare(token)])
        ]
    return faults


def measure(race: Race, rounds: int) -> list[list[float]]:
    """Give the nanoseconds a token for each contender, one figure a round."""
    prepared = [_batches(contender, race.good) for contender in race.contenders]
    times: list[list[float]] = [[] for _ in race.contenders]
    for first in range(rounds):
        for step in range(len(times)):
            place = (first + step) % len(times)
            times[place].append(_time(race.contenders[place], prepared[place]) / len(race.good))
    return times


def _batches(contender: Contender, tokens: list[str]) -> list[list[Any]]:
    """Cut the tokens up as the contender takes them: in batches of its size, or all in one call of its loop."""
    made = [contender.prepare(token) for token in tokens]
    size = contender.batch if contender.batch > 1 else len(made)
    return [made[start : start + size] for start in range(0, len(made), size)]


def _time(contender: Contender, batches: list[list[Any]]) -> float:
    count_accepted = contender.count_accepted
    start = time.thread_time_ns()
    accepted = 0
    for batch in batches:
        accepted += count_accepted(batch)
    elapsed = time.thread_time_ns() - start
    if accepted != sum(map(len, batches)):
        message = f"{contender.name} refused a good token while it was measured"
        raise ValueError(message)
    return float(elapsed)


def quartiles(values: list[float]) -> dict[str, float]:
    """Sum rounds up."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": middle, "low": low, "high": high}


def summarize(race: Race, times: list[list[float]]) -> list[dict[str, Any]]:
    """Sum up the rounds of each contender."""
    [baseline] = [
        rounds
        for one, rounds in zip(race.contenders, times, strict=True)
        if (one.name, one.work) == (BASELINE, SIGNATURE)
    ]
    return [
        {
            "name": contender.name,
            "work": contender.work,
            "batch": contender.batch,
            "nanoseconds": quartiles(rounds),
            "tokens_per_second": NS / statistics.median(rounds),
            "times_baseline": quartiles([base / own for base, own in zip(baseline, rounds, strict=True)]),
        }
        for contender, rounds in zip(race.contenders, times, strict=True)
    ]


def table(title: str, rows: list[dict[str, Any]]) -> Table:
    """Lay the figures of a race out."""
    made = Table(title=title, title_justify="left")
    made.add_column("library")
    made.add_column("work")
    for heading in ("batch", "µs a token", "quartiles", "tokens/s", f"x {BASELINE}", "quartiles"):
        made.add_column(heading, justify="right")
    for row in rows:
        ns, ratio = row["nanoseconds"], row["times_baseline"]
        made.add_row(
            row["name"],
            row["work"],
            str(row["batch"]),
            f"{ns['median'] / 1000:.2f}",
            f"{ns['low'] / 1000:.2f}-{ns['high'] / 1000:.2f}",
            f"{row['tokens_per_second']:,.0f}",
            f"{ratio['median']:.2f}",
            f"{ratio['low']:.2f}-{ratio['high']:.2f}",
        )
    return made


def show(console: Console, document: dict[str, Any]) -> None:
    """Print the machine, the figures, and what they are not."""
    for name, text in document["machine"].items():
        console.print(f"{name:>14}  {text}", highlight=False)
    for race in document["races"]:
        console.print()
        console.print(table(race["title"], race["results"]))
    effort = document["effort"]
    console.print(
        f"\nMedians of {effort['rounds']} rounds over {effort['n_tokens']} different tokens, in processor time."
        f"\n{VERDICT}: parsing, key, signature, times, audience; {CLAIMS}: and each claim as a value; {SIGNATURE}:"
        " the signed bytes given.\n"
        "Not the same job: the others verify under any key, sessiond under few known ones, with a table made of each.",
        highlight=False,
    )


def main() -> None:
    """Check, measure, print, and write the figures where they are asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.verify", description="Measure the verification of tokens."
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: whether it works, not how fast")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every figure there, too")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL

    machine = describe()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    now = int(time.time())
    races = [access_race(effort.n_tokens, now), refresh_race(effort.n_tokens, now)]
    faults = [fault for race in races for fault in check(race)]
    if faults:
        sys.exit("Nothing was measured:\n" + "\n".join(faults))
    gc.disable()
    document = {
        "machine": machine,
        "effort": {"n_tokens": effort.n_tokens, "rounds": effort.rounds},
        "baseline": f"{BASELINE}, {SIGNATURE}",
        "races": [{"title": race.title, "results": summarize(race, measure(race, effort.rounds))} for race in races],
    }
    show(Console(width=120 if not sys.stdout.isatty() else None), document)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
