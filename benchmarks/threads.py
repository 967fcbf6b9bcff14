"""
What a second core adds: batches verified by one thread, then by two at once, round by round.

The clock is the one on the wall: two threads that wait for each other take no processor time. So these figures need a
machine that has nothing else to do.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.contenders import Contender, Race
from benchmarks.rounds import NS, batches, quartiles


def measure_threads(race: Race, cores: Sequence[int], n_rounds: int, seconds: float) -> dict[str, Any]:
    """Measure the one contender of *race* that is meant, about so many *seconds* a round, on *cores*, which are two."""
    [contender] = [one for one in race.contenders if one.in_threads]
    prepared = batches(contender, race.tokens[contender.form].good)
    elapsed, _ = _run(contender, prepared, cores[:1], 1)
    n_passes = max(1, round(seconds * NS / elapsed))
    one, two, ratios = [], [], []
    for _ in range(n_rounds):
        elapsed, n_done = _run(contender, prepared, cores[:1], n_passes)
        one.append(n_done * NS / elapsed)
        elapsed, n_done = _run(contender, prepared, cores, n_passes)
        two.append(n_done * NS / elapsed)
        ratios.append(two[-1] / one[-1])
    return {
        "race": race.name,
        "name": contender.name,
        "work": contender.work,
        "form": contender.form,
        "batch": contender.batch,
        "one_thread_tokens_per_second": quartiles(one),
        "two_threads_tokens_per_second": quartiles(two),
        "ratio": quartiles(ratios),
    }


def _run(contender: Contender, prepared: list[list[Any]], cores: Sequence[int], n_passes: int) -> tuple[int, int]:
    """Verify all batches *n_passes* times on each core; give nanoseconds, first start to last end, and how many."""
    barrier = threading.Barrier(len(cores))
    spans: list[tuple[int, int, int]] = []

    def work(core: int) -> None:
        os.sched_setaffinity(0, {core})  # this thread alone
        barrier.wait()
        start = time.perf_counter_ns()
        accepted = sum(contender.count_accepted(batch) for _ in range(n_passes) for batch in prepared)
        spans.append((start, time.perf_counter_ns(), accepted))

    threads = [threading.Thread(target=work, args=(core,)) for core in cores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    n_done = sum(accepted for _, _, accepted in spans)
    if n_done != len(cores) * n_passes * sum(map(len, prepared)):
        message = f"{contender.name} ({contender.label}) refused a good token on {len(cores)} threads"
        raise ValueError(message)
    return max(end for _, end, _ in spans) - min(start for start, _, _ in spans), n_done
