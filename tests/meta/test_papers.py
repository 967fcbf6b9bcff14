"""The papers are true of the tree: links lead somewhere, commands and files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPERS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FILES = sorted([ROOT / "pyproject.toml", ROOT / "setup.py", *ROOT.glob("tools/*"), *ROOT.glob("examples/*.py")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def code(paper: Path) -> str:
    """Read what a paper sets as code."""
    text = paper.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*blocks, *spans])


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_links_lead_to_files(paper: Path) -> None:
    """Every relative link of a paper names a file of the tree."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", paper.read_text())

    assert [] == [link for link in links if not (paper.parent / link).exists()]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_make_commands_exist(paper: Path) -> None:
    """Every `make` command of a paper is a target of the Makefile."""
    named = set(re.findall(r"^make ([a-z-]+)", code(paper), re.MULTILINE))

    assert named <= TARGETS


@pytest.mark.parametrize("file", [file for file in FILES if file.is_file()], ids=lambda file: file.name)
def test_make_commands_in_comments_exist(file: Path) -> None:
    """Every `make` command that a comment, a docstring or a message sets as code is a target of the Makefile."""
    named = set(re.findall(r"`make ([a-z-]+)", file.read_text()))

    assert named <= TARGETS


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_files_that_papers_name_exist(paper: Path) -> None:
    """Every path that a paper sets as code, with a folder of the tree in front, is there."""
    folders = r"(?:benchmarks|docs|examples|proto|sessiond|tests|tools)/"
    named = set(re.findall(rf"(?<![\w./-])({folders}[\w./-]*\w)", code(paper)))

    assert set() == {path for path in named if not (ROOT / path).exists()}


def test_readme_names_the_test_command_that_ci_runs() -> None:
    """CI runs the very test command of the README."""
    assert "make test" in code(ROOT / "README.md")
    assert "make test" in (ROOT / ".ci" / "run").read_text().splitlines()
