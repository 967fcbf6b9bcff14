"""Build the compiled verifier; everything else about the package stands in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NATIVE = Path("sessiond/native")

# No -march: the code of an instruction set beyond the baseline has a file of its own, and its flags here.
# Vectorizing the 64-bit limbs of the portable code only moves them back and forth between registers.
COMMON_FLAGS = ["-std=c11", "-O3", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wconversion"]
SCALAR_FLAGS = ["-fno-tree-slp-vectorize"]
FLAGS_BY_FILE: dict[str, list[str]] = {
    "access.c": [],
    "base64url.c": [],
    "base64url_avx512vbmi.c": [],
    "dispatch.c": [],
    "ed25519_avx512ifma.c": SCALAR_FLAGS,
    "ed25519_key.c": SCALAR_FLAGS,
    "ed25519_portable.c": SCALAR_FLAGS,
    "ed25519_tables.c": SCALAR_FLAGS,
    "known_keys.c": [],
    "payload.c": [],
    "refresh.c": [],
    "revocations.c": [],
    "table.c": SCALAR_FLAGS,
}


class BuildWithFlagsByFile(build_ext):  # type: ignore[misc] # its base may be Cython's, without types
    """build_ext that compiles each file of ``native/`` with flags of its own."""

    def build_extension(self, ext: Extension) -> None:
        """Compile the files of ``native/`` one by one, then the module, and link all of them."""
        objects: list[str] = []
        for name, flags in FLAGS_BY_FILE.items():
            objects += self.compiler.compile(
                [str(NATIVE / name)],
                output_dir=self.build_temp,
                depends=ext.depends,
                extra_postargs=[*COMMON_FLAGS, *flags],
            )
        ext.extra_objects = objects
        super().build_extension(ext)


setup(
    ext_modules=[
        Extension(
            "sessiond._fastverify",
            ["sessiond/_fastverify.pyx"],
            include_dirs=["sessiond"],
            depends=sorted(str(path) for path in NATIVE.iterdir()),
            # What Cython writes is not ours to warn about.
            extra_compile_args=["-O3", "-fvisibility=hidden"],
        )
    ],
    cmdclass={"build_ext": BuildWithFlagsByFile},
)
