"""The examples of docs/verifier.md run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from sessiond.clock import wall_seconds
from tests.rpc.world import World

PAGE = Path(__file__).parents[2] / "docs" / "verifier.md"


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
