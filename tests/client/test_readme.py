"""The example of the README runs, and ends as it says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from tests.rpc.world import World

README = Path(__file__).parents[2] / "README.md"


def test_example_runs_as_it_stands_in_the_readme(here: World) -> None:
    """The Python of the README, against a real server, gives just what the README shows, and ends in REUSED."""
    examples = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    text = "\n".join(examples).replace("127.0.0.1:7400", here.app.address)
    example = doctest.DocTestParser().get_doctest(text, {}, "README.md", str(README), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append, clear_globs=False)
    example.globs["client"].close()

    assert "".join(said) == ""
    assert result.attempted >= 6
    assert "REUSED" in text.rstrip().splitlines()[-1]
