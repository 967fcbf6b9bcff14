"""
Build the sdist, build the wheel from it, install that away from the tree, and look at all three.

The sdist must carry every source, the wheel only what runs, and what the wheel installs must work from another folder
with nothing but the base dependencies: there the tree cannot lend it a file that was forgotten.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
GENERATED = {"sessiond/_fastverify.c"}
SOURCE_SUFFIXES = {".pyx", ".pxd", ".pyi", ".c", ".h", ".proto"}
BUILD_ONLY_SUFFIXES = {".pyx", ".pxd", ".c", ".h", ".proto"}

LOOK = """
import pathlib, sys
import sessiond._fastverify as extension
import sessiond.client.client
import sessiond.token.verify
place = pathlib.Path(extension.__file__)
assert place.is_relative_to(sys.prefix), f"{place} is not the extension of the wheel"
assert extension.implementation() in extension.implementations()
missing = [name for name in ("lmdb", "msgspec", "pydantic") if name in sys.modules]
assert not missing, f"the client imports {missing}"
"""


def sources() -> set[str]:
    """List the files of the tree that a build starts from."""
    folders = [ROOT / "sessiond", ROOT / "proto"]
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in SOURCE_SUFFIXES
    }
    return found - GENERATED


def look_at_sdist(sdist: Path) -> None:
    """Fail where a source is missing."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = (sources() | {"setup.py", "pyproject.toml", "README.md", "LICENSE"}) - names
    if missing:
        sys.exit(f"The sdist lacks {', '.join(sorted(missing))}: see MANIFEST.in.")
    if GENERATED & names:
        sys.exit("The sdist carries the generated C: it must be made where it is built.")


def look_at_wheel(wheel: Path) -> None:
    """Fail where something is missing, or where the wheel carries what only the build needs."""
    names = set(zipfile.ZipFile(wheel).namelist())
    surplus = {name for name in names if Path(name).suffix in BUILD_ONLY_SUFFIXES or not name.startswith("sessiond")}
    if surplus:
        sys.exit(f"The wheel carries {', '.join(sorted(surplus))}.")
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sessiond").rglob("*.py*")}
    needed = {name for name in modules if name.endswith((".py", ".pyi"))} | {"sessiond/py.typed"}
    if needed - names:
        sys.exit(f"The wheel lacks {', '.join(sorted(needed - names))}.")
    if not any(name.startswith("sessiond/_fastverify.") and name.endswith(".so") for name in names):
        sys.exit("The wheel lacks the extension.")


def run(*command: str | Path, folder: Path) -> None:
    """Run a command in *folder*; its failure ends the program with all that it printed."""
    line = [str(part) for part in command]
    done = subprocess.run(line, cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"$ {' '.join(line)}\n{done.stdout}")


def main() -> None:
    """Build, install and look."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--outdir", folder, ROOT, folder=folder)
        look_at_sdist(next(folder.glob("*.tar.gz")))
        wheel = next(folder.glob("*.whl"))
        look_at_wheel(wheel)
        venv.create(folder / "venv", with_pip=True)
        programs = folder / "venv" / "bin"
        run(programs / "python", "-m", "pip", "install", "--quiet", wheel, folder=folder)
        run(programs / "python", "-I", "-c", LOOK, folder=folder)
        run(programs / "sessiond", "--help", folder=folder)


if __name__ == "__main__":
    main()
