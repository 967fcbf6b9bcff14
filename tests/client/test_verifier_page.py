"""The examples of docs/verifier.md run."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessiond.clock import ManualClock, SystemClock, wall_seconds
from tests.rpc.world import World, world

PAGE = Path(__file__).parents[2] / "docs" / "verifier.md"


@pytest.fixture
def here() -> Iterator[World]:
    """Give an authority on the machine's time, which the local verifier of the page reads."""
    with world(clock=ManualClock(SystemClock().wall_ms())) as made:
        yield made


def test_the_verifier_does_as_its_page_shows(here: World) -> None:
    """The Python of the page, against a real server and at its time, gives just what the page shows."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    text = "\n".join(blocks).replace("127.0.0.1:7400", here.app.address)
    text = text.replace("int(time.time())", str(wall_seconds(here.clock)))
    example = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)

    assert [] == said
    assert result.attempted > 20
