"""
Draws the figures of a run: ``python -m benchmarks.picture docs/verify.json`` makes an SVG and a PNG beside it.

The scale is logarithmic, so there are dots, not bars, and each has its number. The ground is transparent and the
colours can be read on white and on black.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from benchmarks.contenders import BASELINE
from benchmarks.figures import BOUND, Figure, baseline, bound_microseconds, figures
from benchmarks.ours import FIRST
from benchmarks.readme import number

TEXT, FAINT, OURS, OURS_PORTABLE, THEIRS = "#7d8590", "#7d859055", "#2f81f7", "#a371f7", "#b07d1a"
LEFT, RIGHT = 0.1, 1000.0  # microseconds


@dataclass(frozen=True)
class Row:
    """A line of the picture."""

    label: str
    microseconds: float
    ratio: float
    colour: str


def rows_of(document: dict[str, Any]) -> list[Row]:
    """Give a row for each figure and implementation, fastest first."""
    best, *others = [measured["implementation"] for measured in document["implementations"]]
    shown = [one for one in figures(document) if not one.label.endswith(FIRST)]
    rows = [_row(one, best, OURS if one.ours else THEIRS) for one in shown]
    ends = [one for one in shown if one.ours and one.label.endswith(("one a call", "1,024 a call"))]
    rows += [_row(one, other, OURS_PORTABLE) for other in others for one in ends]
    bounds, base = bound_microseconds(document), baseline(document)
    rows += [Row(BOUND, bound, base[name] / bound, TEXT) for name, bound in bounds.items()]
    return sorted(rows, key=lambda row: row.microseconds)


def _row(figure: Figure, implementation: str, colour: str) -> Row:
    label = f"sessiond {implementation}, {figure.label}" if figure.ours else figure.label
    return Row(label, figure.microseconds[implementation], figure.times_baseline[implementation], colour)


def draw(document: dict[str, Any]) -> Canvas:
    """Draw a line for each row, and the bound across them."""
    rows = rows_of(document)
    canvas = Canvas(figsize=(10, 0.34 * len(rows) + 1.3), layout="constrained")
    axes = canvas.add_subplot()
    title = "Verifying a token on one core: sessiond under known keys, the others under any"
    canvas.suptitle(title, color=TEXT, weight="bold", size=11)
    axes.set_xscale("log")
    axes.set_xlim(LEFT, RIGHT)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    for place, row in enumerate(rows):
        axes.plot([LEFT, row.microseconds], [place, place], color=row.colour, linewidth=1.5, alpha=0.45)
        axes.plot([row.microseconds], [place], "o" if row.label != BOUND else "|", color=row.colour, markersize=7)
        axes.annotate(
            f"{number(row.microseconds)} µs · {number(row.ratio)}x",
            (row.microseconds, place),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=row.colour,
            weight="bold" if row.colour in {OURS, OURS_PORTABLE} else "normal",
        )
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_color(row.colour if row.colour != THEIRS else TEXT)
    for place, row in enumerate(rows):
        if row.label == BOUND:
            axes.plot([row.microseconds] * 2, [place, len(rows)], color=TEXT, linestyle=(0, (4, 3)), linewidth=1)
    unit = f"µs a token, logarithmic; x: times as fast as {BASELINE}'s check of the signature alone"
    canvas.supxlabel(unit, color=TEXT, size=10)
    axes.tick_params(axis="x", which="both", colors=TEXT)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    return canvas


def main() -> None:
    """Draw both files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture", description="Draw the figures of a run.")
    parser.add_argument("json", type=Path, help="what python -m benchmarks.verify --json wrote")
    source = parser.parse_args().json
    # Text stays text, and the same figures give the same files.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sessiond", "font.size": 10}):
        canvas = draw(json.loads(source.read_text()))
        canvas.savefig(source.with_suffix(".svg"), transparent=True, metadata={"Date": None, "Creator": None})
        canvas.savefig(source.with_suffix(".png"), transparent=True, dpi=120, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()
