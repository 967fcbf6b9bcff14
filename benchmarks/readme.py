"""
Writes the table of the README from the JSON of a run: ``python -m benchmarks.readme docs/verify.json``.

A test holds that the table in the README is the one of the JSON beside it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from benchmarks.contenders import BASELINE
from benchmarks.figures import BOUND, baseline, bound_microseconds, figures
from benchmarks.machine import ROOT

README = ROOT / "README.md"
WIDTH = 120
BEGIN, END = "<!-- written by make bench-figures -->", "<!-- until here -->"


def section(document: dict[str, Any]) -> str:
    """Write what stands between the marks."""
    names = [measured["implementation"] for measured in document["implementations"]]
    heads = [head for name in names for head in (f"`{name}`, µs a token", f"x {BASELINE}")]
    lines = [f"| what verifies | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
    for figure in figures(document):
        cells = [
            cell for name in names for cell in (_cell(figure.microseconds, name), _cell(figure.times_baseline, name))
        ]
        label = f"**{figure.label}**" if figure.ours else figure.label
        lines.append(f"| {label} | {' | '.join(cells)} |")
    bound, base = bound_microseconds(document), baseline(document)
    if bound:
        ratios = {name: base[name] / limit for name, limit in bound.items()}
        cells = [cell for name in names for cell in (_cell(bound, name), _cell(ratios, name))]
        lines.append(f"| *{BOUND}* | {' | '.join(cells)} |")
    paragraphs = [textwrap.fill(text, WIDTH) for text in [_tables(document), *_threads(document), _machine(document)]]
    return "\n".join(lines) + "\n\n" + "\n\n".join(paragraphs)


def _cell(values: dict[str, float], name: str) -> str:
    """Write a figure, or nothing where there is none."""
    return number(values[name]) if name in values else ""


def number(value: float) -> str:
    """Write up to three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004


def _tables(document: dict[str, Any]) -> str:
    """Write a sentence about what a key takes."""
    best = document["implementations"][0]
    small, wide = (f"{best[size] / 1e6:.1f} MB" for size in ("small_table_bytes", "table_bytes"))
    return (
        f"A key verifies at once with a small table of {small}, and with a wide one of {wide} as soon as that was made"
        " in the background, which the server does by itself, and a service that verifies asks for"
        " ([docs/verifier.md](docs/verifier.md)). The figures are those of wide tables, but where the key was just"
        " loaded: that is the first token of a key, with the making of its small table. A cached token was verified"
        " before: its times, audience and revocation are judged again, its signature is not."
    )


def _threads(document: dict[str, Any]) -> list[str]:
    """Write a sentence about two threads."""
    [rows] = [measured["threads"] for measured in document["implementations"][:1]]
    return [
        f"Two threads on two cores verify {row['two_threads_tokens_per_second']['median']:,.0f} {row['race']} tokens a"
        f" second, {row['ratio']['median']:.2f} times what one does."
        for row in rows[:1]
    ]


def _machine(document: dict[str, Any]) -> str:
    """Name what the figures were measured on."""
    machine, effort = document["machine"], document["effort"]
    return (
        f"Medians of {effort['rounds']} rounds in one run for each implementation, on {machine['processor']},"
        f" {machine['python']}; {machine['peers']}."
    )


def written(text: str, document: dict[str, Any]) -> str:
    """Give *text* with the section of *document* between its marks."""
    replaced, n_found = re.subn(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}",
        lambda _: f"{BEGIN}\n\n{section(document)}\n\n{END}",
        text,
        flags=re.DOTALL,
    )
    if n_found != 1:
        message = f"README.md must have one {BEGIN} with {END} after it, and has {n_found}"
        raise ValueError(message)
    return replaced


def check_clean(document: dict[str, Any]) -> None:
    """
    Let pass what was measured on a clean tree: other figures are of code that nobody can look up.

    Raises:
        ValueError: Files were changed since the commit.

    """
    measured = document["machine"]["sessiond"]
    if measured.endswith("-dirty"):
        message = f"these figures are of {measured}: commit what changed, and run make bench-figures again"
        raise ValueError(message)


def main() -> None:
    """Write the README again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readme", description="Write the table of the README.")
    parser.add_argument("json", type=Path, help="what python -m benchmarks.verify --json wrote")
    document = json.loads(parser.parse_args().json.read_text())
    try:
        check_clean(document)
    except ValueError as error:
        sys.exit(str(error))
    README.write_text(written(README.read_text(), document))


if __name__ == "__main__":
    main()
