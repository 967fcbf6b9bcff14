"""
Print requirements of the project, one a line, for ``pip install -r``.

``requirements.py build base server`` prints those of the build, the base and an extra. ``--oldest`` pins each to the
oldest version that pyproject.toml allows, so that one run of the tests can hold the floors to what they say.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def oldest(requirement: str) -> str:
    """Pin *requirement* to its lower bound."""
    found = re.fullmatch(r"([A-Za-z0-9._-]+)>=([0-9.]+)", requirement)
    if found is None:
        message = f"pyproject.toml: {requirement!r} names no lower bound"
        raise ValueError(message)
    return f"{found[1]}=={found[2]}"


def main() -> None:
    """Print what the arguments ask for."""
    document = tomllib.loads(PYPROJECT.read_text())
    groups = {
        "build": document["build-system"]["requires"],
        "base": document["project"]["dependencies"],
        **document["project"]["optional-dependencies"],
    }
    parser = argparse.ArgumentParser(description="Print requirements out of pyproject.toml.")
    parser.add_argument("groups", nargs="+", choices=sorted(groups))
    parser.add_argument("--oldest", action="store_true", help="pin each to its lower bound")
    arguments = parser.parse_args()
    for group in arguments.groups:
        for requirement in groups[group]:
            sys.stdout.write(f"{oldest(requirement) if arguments.oldest else requirement}\n")


if __name__ == "__main__":
    main()
