"""The extension, built to stop at the first wrong access or undefined operation, passes the tests of this folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.native.c_source import CC

ROOT = Path(__file__).parents[2]
SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all"
# It measures memory that the sanitizer holds back on purpose.
NOT_UNDER_A_SANITIZER = "not tables_are_freed"


def compiler_file(name: str) -> Path | None:
    """Find a library of the compiler's."""
    found = subprocess.run([CC, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    path = Path(found.stdout.strip())
    return path.resolve() if path.is_absolute() else None


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_native_tests_under_sanitizers(tmp_path: Path) -> None:
    """AddressSanitizer and UndefinedBehaviorSanitizer find nothing in the extension and in the arithmetic under it."""
    libraries = [compiler_file(name) for name in ("libasan.so", "libubsan.so")]
    if None in libraries:
        pytest.skip("the compiler has no sanitizers")
    for name in ("sessiond", "tests"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "__pycache__", "_fastverify.c")
        )
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment |= {
        "CFLAGS": f"{SANITIZE} -fno-omit-frame-pointer -g -O1",  # the probes take it last
        "LDFLAGS": SANITIZE,
        "PYTHONPATH": str(tmp_path),
    }
    subprocess.run([sys.executable, "setup.py", "build_ext", "--inplace"], cwd=tmp_path, env=environment, check=True)

    environment |= {
        "LD_PRELOAD": " ".join(str(library) for library in libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter keeps what it has until it ends
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",  # every bytes object is watched on its own
    }
    # What is captured below the interpreter, a sanitizer's report as well, would die with it.
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--capture=sys", "tests/native", "-k"]
    command = [sys.executable, *arguments, NOT_UNDER_A_SANITIZER]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr
