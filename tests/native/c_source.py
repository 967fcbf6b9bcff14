"""The C of ``native/`` as a syntax tree, its macros expanded."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pycparser import c_ast, c_parser

NATIVE = Path(__file__).parents[2] / "sessiond" / "native"
CC: str = sysconfig.get_config_var("CC").split()[0]  # what setup.py compiles with

# What the C library declares, as far as the headers need it, and macros that parsers know nothing of.
_DECLARATIONS = """
typedef unsigned char uint8_t; typedef short int16_t; typedef unsigned uint32_t; typedef unsigned long uint64_t;
typedef int int32_t; typedef long int64_t; typedef unsigned long size_t;
"""
_MACROS = [
    "__attribute__(x)=",
    "__extension__=",
    "__SIZEOF_INT128__=16",
    "UINT64_C(x)=x##UL",
    "UINT64_MAX=0xffffffffffffffffUL",
    "bool=_Bool",
    "true=1",
    "false=0",
    "NULL=0",
]


def parse(files: Sequence[str], macros: Sequence[str] = (), more: str = "") -> list[c_ast.Node]:
    """
    Read *files* of native/ with what they include of ours, then the C in *more*, into its declarations in order.

    *macros* are ``NAME`` or ``NAME=VALUE``.
    """
    text = "\n".join([*(f'#include "{file}"' for file in files), more])
    with tempfile.TemporaryDirectory() as folder:
        for source in NATIVE.glob("*.[ch]"):
            for header in re.findall(r"#include <(\w+\.h)>", source.read_text()):
                Path(folder, header).touch()  # empty: see _DECLARATIONS
        command = [CC, "-E", "-P", "-nostdinc", "-undef", f"-I{NATIVE}", f"-I{folder}"]
        command += [*(f"-D{macro}" for macro in [*_MACROS, *macros]), "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    declarations: list[c_ast.Node] = c_parser.CParser().parse(_DECLARATIONS + done.stdout).ext
    return declarations
