"""A shell for tests: runs ``sessiond`` in this process and keeps what it printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from sessiond.cli.main import cli


@dataclass(frozen=True)
class Run:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def value(self) -> dict[str, Any]:
        """What it printed for machines: one JSON object on one line, and nothing else."""
        (line,) = self.out.splitlines()
        read: dict[str, Any] = json.loads(line)
        return read


Command = Callable[..., Run]


def run(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Run:
    """Run ``sessiond`` with *arguments*, on a terminal that is wide enough for every line."""
    result = CliRunner().invoke(
        cli, arguments, input=stdin, env={"COLUMNS": "200", **(env or {})}, prog_name="sessiond"
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Run(result.exit_code, result.stdout, result.stderr)
