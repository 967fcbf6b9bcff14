"""
Every line of ``native/`` is executed by tests, but those that say why they cannot be.

Such a line ends with ``/* unreachable: REASON */``, or is ``unreachable unless`` something breaks. What is measured is
a build without optimization, by gcov; a line of a header counts as executed when it is so in any file that includes it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from sessiond import _fastverify
from tests.native.built_tree import BuiltTree

# What takes long and goes nowhere else: all of it is about arithmetic, whose every line any signature executes.
NOT_NEEDED = {
    "test_arithmetic.py",
    "test_crafted_signatures.py",
    "test_field_bounds.py",
    "test_implementations.py",
    "test_instructions.py",
    "test_inverse.py",
    "test_lane_bounds.py",
    "test_lanes.py",
    "test_line_coverage.py",
    "test_mutations.py",
    "test_revocations_lock.py",
    "test_sanitizers.py",
    "test_table_swap.py",
    "test_torsion.py",
}
NOT_LOOKED_AT = (
    "not (other_implementations or many_megabytes or mutations or plain_verifier or difference or other_threads)"
)
HERE = Path(__file__).parent
UNREACHABLE = re.compile(r"/\* unreachable.* \*/")


class Lines:
    """How often each line of each file was executed."""

    def __init__(self, tree: BuiltTree) -> None:
        """Add up what stands in the folder of the tree."""
        self.native = tree.folder / "sessiond" / "native"
        self.counts: dict[str, Counter[int]] = {}
        for data in sorted(tree.folder.rglob("*.gcda")):
            command: list[str | Path] = ["gcov", "--json-format", "--stdout", data]
            done = subprocess.run(command, cwd=tree.folder, capture_output=True, text=True, check=True)
            for document in done.stdout.splitlines():
                for file in json.loads(document)["files"]:
                    self._add(Path(file["file"]).name, file["lines"])

    def _add(self, name: str, lines: list[dict[str, int]]) -> None:
        counts = self.counts.setdefault(name, Counter())
        for line in lines:
            counts[line["line_number"]] += line["count"]

    def missed(self, name: str) -> list[str]:
        """Quote the lines of a file that were not executed and do not say why."""
        source = (self.native / name).read_text().splitlines()
        return [
            f"{name}:{number}: {source[number - 1].strip()}"
            for number, count in sorted(self.counts.get(name, Counter()).items())
            if count == 0 and not UNREACHABLE.search(source[number - 1])
        ]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """Build for gcov, and run the tests with each implementation."""
    if shutil.which("gcov") is None:
        pytest.skip("gcov, which comes with gcc, is missing")
    tree = BuiltTree(tmp_path_factory.mktemp("line_coverage"), "-O0", ["--coverage"])
    tests = [f"tests/native/{path.name}" for path in sorted(HERE.glob("test_*.py")) if path.name not in NOT_NEEDED]
    for name in _fastverify.implementations():
        basetemp = tree.folder / f"tests-{name}"
        tree.test([*tests, f"--basetemp={basetemp}", "-k", NOT_LOOKED_AT], {"SESSIOND_FORCE_IMPL": name})
    return Lines(tree)


def files(lines: Lines, *, of_avx512: bool) -> list[str]:
    """Name the files of native/ for AVX-512, or the others."""
    return sorted(path.name for path in lines.native.glob("*.[ch]") if ("avx512" in path.name) == of_avx512)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("of_avx512", [False, True], ids=["portable", "avx512"])
def test_every_line_is_executed(lines: Lines, *, of_avx512: bool) -> None:
    """No line is left out; of every file with code there are counts."""
    if of_avx512 and "avx512ifma" not in _fastverify.implementations():
        pytest.skip("this processor lacks the instructions, so their files are left out")
    names = files(lines, of_avx512=of_avx512)

    missed = [line for name in names for line in lines.missed(name)]

    assert [] == missed, "\n".join(missed)
    assert {name for name in names if name.endswith(".c")} <= set(lines.counts)
