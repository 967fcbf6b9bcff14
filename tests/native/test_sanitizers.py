"""The extension, built to stop at the first wrong access or undefined operation, passes the tests of this folder."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

import pytest

from sessiond import _fastverify
from tests.native.built_tree import BuiltTree
from tests.native.c_source import CC, NATIVE

HERE = Path(__file__).parent
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g1"]
# It measures memory that the sanitizer holds back on purpose.
NOT_UNDER_A_SANITIZER = "not tables_are_freed"
# What depends on the implementation that the extension chose; the rest chooses for itself, or has none.
OF_THE_CHOSEN_ONE = [
    "tests/native/test_access_tokens.py",
    "tests/native/test_arguments.py",
    "tests/native/test_batches.py",
    "tests/native/test_differential.py",
    "tests/native/test_mutations.py",
    "tests/native/test_refresh_tokens.py",
    "tests/native/test_token_batches.py",
    "tests/native/test_torsion.py",
    "tests/native/test_vectors.py",
]


@functools.cache
def compiler_file(name: str) -> Path | None:
    """Find a library of the compiler's."""
    found = subprocess.run([CC, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    path = Path(found.stdout.strip())
    return path.resolve() if path.is_absolute() else None


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> BuiltTree:
    """Build the extension for sanitizers, once."""
    libraries = [compiler_file(name) for name in ("libasan.so", "libubsan.so")]
    if None in libraries:
        pytest.skip("the compiler has no sanitizers")
    tree = BuiltTree(tmp_path_factory.mktemp("sanitizers"), "-O1", SANITIZE)
    tree.environment |= {
        "LD_PRELOAD": " ".join(str(library) for library in libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter keeps what it has until it ends
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",  # every bytes object is watched on its own
    }
    return tree


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", _fastverify.implementations())
def test_native_tests_under_sanitizers(sanitized: BuiltTree, name: str) -> None:
    """AddressSanitizer and UndefinedBehaviorSanitizer find nothing in the extension and in the arithmetic under it."""
    tests = ["tests/native"] if name == _fastverify.implementations()[0] else OF_THE_CHOSEN_ONE
    sanitized.test([*tests, "-k", NOT_UNDER_A_SANITIZER], {"SESSIOND_FORCE_IMPL": name})


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_portable_under_valgrind(tmp_path: Path) -> None:
    """Memcheck finds no wrong access, no use of what was never written and no leak in the portable implementation."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is missing: apt-get install valgrind")
    target = tmp_path / "memcheck"
    command: list[str | Path] = [CC, "-std=c11", "-O1", "-g", f"-I{NATIVE}", HERE / "memcheck.c"]
    subprocess.run([*command, *sorted(NATIVE.glob("*.c")), "-o", target], check=True)
    corpus = sorted((HERE / "corpus").iterdir())
    memcheck = ["valgrind", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible"]
    done = subprocess.run(
        [*memcheck, "--errors-for-leak-kinds=definite,indirect,possible", target, *corpus],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert f"{len(corpus)} texts" in done.stdout
