"""A copy of the tree, its extension built with other flags than those for use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
OF_OTHER_BUILDS = ("*.so", "__pycache__", "_fastverify.c")


class BuiltTree:
    """Sources, tests and the extension in a folder, for runs of the tests in processes of their own."""

    def __init__(self, folder: Path, optimization: str, flags: Sequence[str]) -> None:
        """Build with the flags of setup.py, but for its -O3; the probes of the tests take *flags* too."""
        self.folder = folder
        for name in ("sessiond", "tests", "benchmarks"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*OF_OTHER_BUILDS))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, folder)
        setup = (ROOT / "setup.py").read_text()
        assert '"-O3"' in setup
        (folder / "setup.py").write_text(setup.replace('"-O3"', f'"{optimization}"'))
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_", "SESSIOND_"))
        }
        self.environment = kept | {
            "CFLAGS": " ".join([*flags, optimization]),
            "LDFLAGS": " ".join(flags),
            "PYTHONPATH": str(folder),
        }
        self._run(["setup.py", "build_ext", "--inplace"], {})

    def test(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        """Run pytest in the folder; what it and the processes below it print is told when it fails."""
        # What is captured below the interpreter, a sanitizer's report as well, would die with it.
        self._run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--capture=sys", *arguments], environment)

    def _run(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
