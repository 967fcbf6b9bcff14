"""What the durability tests share."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Build the disk of ``disk.c`` and give the environment variables that put it under a process."""
    library = tmp_path_factory.mktemp("disk") / "disk.so"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    source = Path(__file__).with_name("disk.c")
    command = [*compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run([*command, "-ldl"], check=True, env={**os.environ, "LC_ALL": "C"})
    return {"LD_PRELOAD": str(library)}
