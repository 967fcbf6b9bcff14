"""The tree keeps the rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = {".py", ".pyx", ".pxd", ".pxi", ".c", ".h"}
LINES = 450

# Longer than LINES, with the reason why it is still one thing.
LONG: dict[str, str] = {}

# The only modules that import the extension: everything else goes through what they promise.
OVER_THE_EXTENSION = {"sessiond/store/lmdb/revision.py", "sessiond/token/verify.py", "sessiond/wide_tables.py"}


def tracked() -> list[Path]:
    """List the files of the tree that are, or would be, committed."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 - the developer's git
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def name(path: Path) -> str:
    """Name a file by its path in the tree."""
    return path.relative_to(ROOT).as_posix()


def is_generated(path: Path) -> bool:
    """Say whether a file is made by a generator."""
    return re.search(r"_pb2(_grpc)?\.pyi?$", path.name) is not None


def test_few_modules_import_the_extension() -> None:
    """``_fastverify`` is reached through few modules, each over one part of it: import-linter cannot see it."""
    pattern = re.compile(r"^\s*(from sessiond\._fastverify |(from sessiond )?import .*_fastverify)", re.MULTILINE)
    found = {name(path) for path in (ROOT / "sessiond").rglob("*.py") if pattern.search(path.read_text())}

    assert OVER_THE_EXTENSION == found


def test_no_file_is_too_long_to_be_one_thing() -> None:
    """A source file has at most 450 lines, or stands in the list with its reason."""
    long = {
        name(path)
        for path in tracked()
        if path.suffix in CODE and not is_generated(path) and len(path.read_text().splitlines()) > LINES
    }

    assert set(LONG) == long


def test_no_module_is_a_catch_all() -> None:
    """A module is a noun that says what it holds, of two words at most."""
    modules = [path for path in (ROOT / "sessiond").rglob("*.py") if not is_generated(path)]
    catch_all = re.compile(r"(^|_)(utils?|helpers?|managers?|common|misc)(_|$)")
    wrong = [name(path) for path in modules if catch_all.search(path.stem) or len(path.stem.strip("_").split("_")) > 2]

    assert [] == wrong


def test_no_file_names_a_place_of_one_machine() -> None:
    """Nothing in the tree depends on where somebody's checkout or home stands."""
    place = re.compile(rb"(?<![\w.<])/(work|root|home|farm|Users)/\w")
    found = [name(path) for path in tracked() if place.search(path.read_bytes())]

    assert [] == found


def test_test_files_have_names_of_their_own() -> None:
    """No two test files share a name, so that a failure names its file."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]

    assert sorted(set(names)) == sorted(names)


def test_every_test_states_its_fact() -> None:
    """The docstring of a test is the fact that it shows."""
    bare = [
        f"{name(path)}::{node.name}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert [] == bare
