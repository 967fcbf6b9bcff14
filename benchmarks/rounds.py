"""
How contenders are checked and measured.

First each must accept the good tokens and refuse the bad ones. Then come rounds, in each of which every contender has
its turn, so that what slows the machine down slows all of them; who begins changes from round to round. A turn is one
pass over the tokens; the fast ones make several, until as long as a turn should be at least has gone by, or each would
be measured on the caches that the one before it left. The clock is the processor time of the one thread, so that what
else runs on the machine costs no more than its share of the caches. A figure is the median of the rounds, with the
quartiles beside it; a ratio is taken within each round before its median is.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.contenders import BASELINE, INSTRUCTIONS, SIGNATURE, Contender, Race

NS = 1e9


def check(race: Race) -> list[str]:
    """Name the contenders that accept what they must refuse, or refuse what they must accept."""
    faults = []
    for contender in race.contenders:
        if contender.work == INSTRUCTIONS:
            continue  # it looks at no token
        tokens = race.tokens[contender.form]
        who = f"{contender.name} ({contender.label})"
        good = [contender.prepare(token) for token in tokens.good[: contender.n_tokens]]
        if contender.count_accepted(good) != len(good):
            faults.append(f"{who} refuses good tokens")
        refused = {**tokens.forged, **(tokens.unfit if contender.work != SIGNATURE else {})}
        faults += [
            f"{who} accepts a token that is {why}"
            for why, token in refused.items()
            if contender.count_accepted([contender.prepare(token)])
        ]
    return faults


def measure(race: Race, n_rounds: int, turn_seconds: float) -> list[list[float]]:
    """Give the nanoseconds a token for each contender, one figure a round."""
    prepared = [batches(contender, race.tokens[contender.form].good) for contender in race.contenders]
    n_passes = []
    for contender, all_batches in zip(race.contenders, prepared, strict=True):
        a_pass = _time(contender, all_batches, 1) * sum(map(len, all_batches))
        n_passes.append(max(1, round(turn_seconds * NS / a_pass)))
    times: list[list[float]] = [[] for _ in race.contenders]
    for first in range(n_rounds):
        for step in range(len(times)):
            place = (first + step) % len(times)
            times[place].append(_time(race.contenders[place], prepared[place], n_passes[place]))
    return times


def batches(contender: Contender, tokens: Sequence[str]) -> list[list[Any]]:
    """Cut the tokens up as the contender takes them: in batches of its size, or all in one call of its loop."""
    made = [contender.prepare(token) for token in tokens[: contender.n_tokens]]
    size = contender.batch if contender.batch > 1 else len(made)
    return [made[start : start + size] for start in range(0, len(made), size)]


def _time(contender: Contender, prepared: list[list[Any]], n_passes: int) -> float:
    """Give the nanoseconds a token. What is to be cached was seen when the contenders were checked."""
    count_accepted = contender.count_accepted
    start = time.thread_time_ns()
    accepted = 0
    for _ in range(n_passes):
        for batch in prepared:
            accepted += count_accepted(batch)
    elapsed = time.thread_time_ns() - start
    if accepted != n_passes * sum(map(len, prepared)):
        message = f"{contender.name} ({contender.label}) refused a good token while it was measured"
        raise ValueError(message)
    return elapsed / accepted


def quartiles(values: Sequence[float]) -> dict[str, float]:
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
            "form": contender.form,
            "batch": contender.batch,
            "state": contender.state,
            "nanoseconds": quartiles(rounds),
            "tokens_per_second": NS / statistics.median(rounds),
            "times_baseline": quartiles([base / own for base, own in zip(baseline, rounds, strict=True)]),
        }
        for contender, rounds in zip(race.contenders, times, strict=True)
        if contender.work != INSTRUCTIONS
    ]
