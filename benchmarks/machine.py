"""Names what a measurement was made on and with, so that its figures mean something to somebody else."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

from cryptography.hazmat.backends.openssl.backend import backend

from sessiond import _fastverify

ROOT = Path(__file__).parent.parent
PEERS = (
    "PyNaCl",
    "cryptography",
    "py-ed25519-zebra-bindings",
    "PyJWT",
    "joserfc",
    "pyseto",
    "fast-paseto",
    "cwt",
)


def describe() -> dict[str, str]:
    """Name the machine, the interpreter, the code and its peers."""
    load = os.getloadavg()
    return {
        "processor": _processor(),
        "cores": f"{os.cpu_count()}, one used but for two threads",
        "load at start": f"{load[0]:.2f}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}",
        "sessiond": f"{importlib.metadata.version('sessiond')}, commit {_commit()}",
        "implementation": f"{_fastverify.implementation()} (of {', '.join(_fastverify.implementations())})",
        "peers": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PEERS),
        "openssl": backend.openssl_version_text(),
    }


def _processor() -> str:
    """Read the model: x86 names it, ARM gives numbers that lscpu would look up."""
    info = Path("/proc/cpuinfo").read_text()
    fields = dict(re.findall(r"^([\w ]+?)\s*: (.+)$", info.split("\n\n")[0], re.MULTILINE))
    numbers = ("cpu family", "model", "stepping", "CPU implementer", "CPU part", "CPU variant")
    known = [f"{name} {fields[name]}" for name in numbers if name in fields]
    return f"{fields.get('model name', platform.machine())} ({', '.join(known)})"


def _commit() -> str:
    """Name the commit of the tree, and whether files were changed since."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607 - the developer's git
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown (no git, or no checkout)"
    return described.stdout.strip()
