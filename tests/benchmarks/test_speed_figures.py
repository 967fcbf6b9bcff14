"""What the README shows of speed is what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contenders import BASELINE
from benchmarks.figures import figures
from benchmarks.picture import draw, rows_of
from benchmarks.readme import check_clean, number, written

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "verify.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Read the run that the README quotes."""
    read: dict[str, Any] = json.loads(FIGURES.read_text())
    return read


def test_readme_quotes_the_run(document: dict[str, Any]) -> None:
    """The table of the README is the one of docs/verify.json: `make bench-figures` writes both."""
    text = (ROOT / "README.md").read_text()
    assert text == written(text, document)


def test_figures_of_changed_files_are_refused() -> None:
    """What the README quotes was measured on a clean tree."""
    check_clean({"machine": {"sessiond": "0.1.0, commit 0123456789ab"}})
    with pytest.raises(ValueError, match="0123456789ab-dirty: commit what changed, and run make bench-figures again"):
        check_clean({"machine": {"sessiond": "0.1.0, commit 0123456789ab-dirty"}})


def test_table_has_the_figures_of_the_run(document: dict[str, Any]) -> None:
    """A figure in the table is the median of its row, in microseconds, beside its ratio."""
    text = written("<!-- written by make bench-figures --><!-- until here -->", document)
    [race] = [race for race in document["implementations"][0]["races"] if race["name"] == "access"]
    [row] = [row for row in race["results"] if (row["name"], row["batch"]) == ("sessiond", 1024) and not row["state"]]

    microseconds, ratio = row["nanoseconds"]["median"] / 1000, row["times_baseline"]["median"]
    assert f"| **access token, 1,024 a call** | {number(microseconds)} | {number(ratio)} |" in text
    assert f"{BASELINE}, signature only" in text


def test_picture_has_every_row(document: dict[str, Any]) -> None:
    """Each figure has its line, fastest first, with its number; what is no race for speed is left out."""
    rows = rows_of(document)
    drawn = [text.get_text() for text in draw(document).axes[0].texts]

    assert [row.microseconds for row in rows] == sorted(row.microseconds for row in rows)
    assert {f"{number(row.microseconds)} µs · {number(row.ratio)}x" for row in rows} <= set(drawn)
    peers = {one.label for one in figures(document) if not one.ours}
    assert peers <= {row.label for row in rows}


def test_pictures_are_of_the_run(document: dict[str, Any]) -> None:
    """The committed SVG has every number of the picture of the run."""
    svg = FIGURES.with_suffix(".svg").read_text()
    assert all(f"{number(row.microseconds)} µs" in svg for row in rows_of(document))
    assert FIGURES.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_numbers() -> None:
    """Numbers have about three digits."""
    assert ["0.15", "1.30", "57.6", "158", "1,383"] == [number(one) for one in (0.151, 1.3, 57.58, 157.9, 1383.4)]


def test_a_readme_without_the_marks() -> None:
    """A README that lost its marks is not written over."""
    with pytest.raises(ValueError, match="must have one <!-- written by make bench-figures -->"):
        written("# sessiond", {"implementations": [], "machine": {}, "effort": {}})
