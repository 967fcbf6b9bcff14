"""The figures of a run that the README shows, in a table and in a picture, picked out of its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.contenders import BASELINE, CLAIMS, SIGNATURE
from benchmarks.ours import OURS, SMALL
from benchmarks.tokens import CWT, PASETO

# What rows are called that have another form than sessiond's tokens.
_FORMS = {PASETO: "the same claims in v4.public", CWT: "the same claims in a CWT"}

BOUND = "bound of the algorithm on this processor, access token"


@dataclass(frozen=True)
class Figure:
    """One row: what verified, and its time and ratio with each implementation that was measured."""

    label: str
    ours: bool
    race: str
    microseconds: dict[str, float]
    times_baseline: dict[str, float]


def figures(document: dict[str, Any]) -> list[Figure]:
    """Give the rows to show, in the order of the run."""
    shown: dict[tuple[str, str], Figure] = {}
    for measured in document["implementations"]:
        for race in measured["races"]:
            for row in race["results"]:
                label = _label(race["name"], row)
                if label is None:
                    continue
                figure = shown.setdefault(
                    (race["name"], label), Figure(label, row["name"] == OURS, race["name"], {}, {})
                )
                figure.microseconds[measured["implementation"]] = row["nanoseconds"]["median"] / 1000
                figure.times_baseline[measured["implementation"]] = row["times_baseline"]["median"]
    return list(shown.values())


def _label(race: str, row: dict[str, Any]) -> str | None:
    """Say what a row measures; None for those that are left to the full table."""
    if row["name"] == OURS:
        if row["state"] == SMALL or (race != "access" and (row["work"] == CLAIMS or row["batch"] in {8, 64})):
            return None
        how = f"{row['batch']:,} a call" if row["batch"] > 1 else row["state"] or "one a call"
        return f"{race} token, {how}" + (", every claim read" if row["work"] == CLAIMS else "")
    if race != "access" or (row["work"], row["batch"]) not in {(SIGNATURE, 1), (CLAIMS, 1)}:
        return None
    if row["work"] == SIGNATURE:
        return None if row["name"].startswith(OURS) else f"{row['name']}, {SIGNATURE}"
    return ", ".join(filter(None, (row["name"], _FORMS.get(row["form"]))))


def bound_microseconds(document: dict[str, Any]) -> dict[str, float]:
    """Give the bound for access tokens, by implementation, where it was derived."""
    return {
        measured["implementation"]: race["bound"]["nanoseconds"] / 1000
        for measured in document["implementations"]
        for race in measured["races"]
        if race["name"] == "access" and "bound" in race
    }


def baseline(document: dict[str, Any]) -> dict[str, float]:
    """Give the microseconds of the baseline on access tokens, by implementation of the process that measured it."""
    [of_baseline] = [one for one in figures(document) if one.label == f"{BASELINE}, {SIGNATURE}"]
    return of_baseline.microseconds
