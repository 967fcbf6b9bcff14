"""Prints what was measured, and what it is not."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import BASELINE, CLAIMS, SIGNATURE, VERDICT
from benchmarks.tokens import JWT

NOTE = (
    f"{VERDICT}: parsing, key, signature, times, audience; {CLAIMS}: and each claim as a value; {SIGNATURE}: the signed"
    f" bytes given.\nRows of another form than {JWT!r} or the refresh token have the same claims in that form.\n"
    "Not the same job: the others verify under any key, sessiond under few known ones, with a table made of each."
)


def show(console: Console, document: dict[str, Any]) -> None:
    """Print the machine, the figures, and what they are not."""
    for name, text in document["machine"].items():
        console.print(f"{name:>14}  {text}", highlight=False)
    for measured in document["implementations"]:
        for race in measured["races"]:
            console.print()
            tables = f"tables of {measured['windows']} windows, {measured['table_bytes'] / 1e6:.1f} MB a key"
            console.print(
                _table(f"{race['title']}; sessiond with {measured['implementation']}, {tables}", race["results"])
            )
            console.print(bound_text(race), highlight=False)
        console.print()
        console.print(
            _threads_table(measured) if measured["threads"] else "Two threads: left out, for there is one core."
        )
    effort = document["effort"]
    console.print(
        f"\nMedians of {effort['rounds']} rounds over {effort['n_tokens']} different tokens, passed over again until"
        f" {effort['turn_seconds'] * 1000:.0f} ms went by,\nin processor time; threads in that on the wall.\n{NOTE}",
        highlight=False,
    )


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    """Lay the figures of a race out."""
    made = Table(title=title, title_justify="left")
    for heading in ("library", "work", "form", "state"):
        made.add_column(heading, no_wrap=True)
    for heading in ("batch", "ns a token", "quartiles", "tokens/s", f"x {BASELINE}", "quartiles"):
        made.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        ns, ratio = row["nanoseconds"], row["times_baseline"]
        made.add_row(
            row["name"],
            row["work"],
            row["form"],
            row["state"],
            str(row["batch"]),
            f"{ns['median']:,.0f}",
            f"{ns['low']:,.0f}-{ns['high']:,.0f}",
            f"{row['tokens_per_second']:,.0f}",
            f"{ratio['median']:.2f}",
            f"{ratio['low']:.2f}-{ratio['high']:.2f}",
        )
    return made


def bound_text(race: dict[str, Any]) -> str:
    """Tell how the bound is derived."""
    if "bound" not in race:
        return f"Bound of the algorithm: left out, since {race['no_bound']}."
    bound = race["bound"]
    derived, total = bound["derivation"], bound["total"]
    return (
        f"Bound of the algorithm: {bound['nanoseconds']:,.0f} ns a signature in a batch, tables of"
        f" {derived['n_windows']} windows.\n"
        "  instructions on eight lanes as the code runs, a signature's share; 52-bit multiplications + others:\n"
        f"    {bound['n_additions']} additions of points, each {_counts(derived['addition'])}\n"
        f"    {derived['n_blocks']} blocks of SHA-512, each {_counts(derived['block'])}\n"
        f"    digits, inverse, encoding, comparison: {_counts(derived['rest'])}\n"
        f"    in all {_counts(total)} = {total['ifma'] + total['other']:,.0f}\n"
        f"  measured in the same rounds: {bound['gigahertz']:.2f} GHz, {bound['per_cycle']['ifma']:.2f} multiplications"
        f" or {bound['per_cycle']['all']:.2f} instructions of any kind a cycle\n"
        f"  so the multiplications alone take {bound['nanoseconds_of_multiplications']:,.0f} ns, and all of them"
        f" {bound['nanoseconds_of_all']:,.0f} ns; loads, stores and work on words are taken to be done meanwhile"
    )


def _counts(counts: dict[str, float]) -> str:
    return f"{counts['ifma']:,.1f} + {counts['other']:,.1f}"


def _threads_table(measured: dict[str, Any]) -> Table:
    made = Table(title=f"Two threads on two cores; sessiond with {measured['implementation']}", title_justify="left")
    for heading in ("tokens", "work"):
        made.add_column(heading)
    for heading in ("batch", "tokens/s, one", "tokens/s, two", "two : one", "quartiles"):
        made.add_column(heading, justify="right")
    for row in measured["threads"]:
        ratio = row["ratio"]
        made.add_row(
            row["race"],
            row["work"],
            str(row["batch"]),
            f"{row['one_thread_tokens_per_second']['median']:,.0f}",
            f"{row['two_threads_tokens_per_second']['median']:,.0f}",
            f"{ratio['median']:.2f}",
            f"{ratio['low']:.2f}-{ratio['high']:.2f}",
        )
    return made
