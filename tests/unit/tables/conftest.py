"""What the tests of wide tables share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sessiond.wide_tables import WideTables
from tests.unit.tables.widening import MEMORY, Maker


@pytest.fixture
def reports() -> list[str]:
    """Collect what is reported."""
    return []


@pytest.fixture
def make(reports: list[str]) -> Iterator[Maker]:
    """Make wide tables, which are closed at the end."""
    made: list[WideTables] = []

    def new(directory: Path | None = None, memory: int = MEMORY) -> WideTables:
        made.append(WideTables(memory, directory, reports.append))
        return made[-1]

    yield new
    for one in made:
        one.close()
