"""``native/`` without the extension: compiled as a benchmark or a test needs it, and used in the way of the product."""

from __future__ import annotations

import ctypes
import functools
import mmap
import platform
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sessiond._fastverify import SMALL_TABLE_WINDOWS, build_table, table_size

NATIVE = Path(__file__).parent.parent / "sessiond" / "native"

Table = ctypes.Array[ctypes.c_char]


class NoCompilerError(Exception):
    """There is no C compiler."""


class Item(ctypes.Structure):
    """An ed25519_item."""

    _fields_ = (
        ("key", ctypes.c_void_p),
        ("message", ctypes.c_char_p),
        ("message_len", ctypes.c_size_t),
        ("signature", ctypes.c_char_p),
    )


def compile_library(target: Path, flags: Sequence[str], sources: Sequence[Path]) -> Any:  # noqa: ANN401 - ctypes says so
    """Compile *sources* with the compiler that Python was built with, as the extension is."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    command = [compiler, "-std=c11", "-fPIC", "-shared", *flags, *sources, "-o", target]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        message = f"there is no C compiler {compiler!r}"
        raise NoCompilerError(message) from None
    if done.returncode != 0:
        message = f"{compiler} does not compile {target.stem}:\n{done.stderr}"
        raise ValueError(message)
    return ctypes.CDLL(str(target))


def start(library: Any, name: str, n_windows: int) -> None:  # noqa: ANN401
    """
    Choose an implementation, and widen the base point to *n_windows*, for all who use *library*.

    Raises:
        ValueError: It does not run here.

    """
    if library.implementation_start(name.encode()):
        message = f"{name} does not run on this {platform.machine()}"
        raise ValueError(message)
    if n_windows < SMALL_TABLE_WINDOWS:
        table = _base_table(n_windows)
        if library.ed25519_base_widen(table, ctypes.c_size_t(len(table))):
            message = f"a table of the base point with {n_windows} windows is refused"
            raise ValueError(message)


def new_key(library: Any, public_key: bytes, n_windows: int) -> tuple[int, Table | None] | None:  # noqa: ANN401
    """
    Make a key, to be freed, and widen it to *n_windows*; None when it is refused.

    Returns:
        Its address, and the wide table, which must live as long as the key.

    """
    made = ctypes.c_void_p()
    if library.ed25519_key_new(ctypes.byref(made), public_key) or made.value is None:
        return None
    if n_windows == SMALL_TABLE_WINDOWS:
        return made.value, None
    table = _table(n_windows, public_key)
    if library.ed25519_key_widen(made, table, ctypes.c_size_t(len(table))):
        message = f"a table of {public_key.hex()} with {n_windows} windows is refused"
        raise ValueError(message)
    return made.value, table


def _table(n_windows: int, public_key: bytes | None) -> Table:
    memory = mmap.mmap(-1, table_size(n_windows))
    build_table(memory, n_windows, public_key)
    return (ctypes.c_char * len(memory)).from_buffer(memory)


@functools.cache  # the library uses it to the end
def _base_table(n_windows: int) -> Table:
    return _table(n_windows, None)
