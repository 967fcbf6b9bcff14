"""The command line against an authority in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.cli.shell import Command, Run, run
from tests.rpc.world import World, world


@pytest.fixture
def here() -> Iterator[World]:
    """Give an authority of its own to each test; its log goes nowhere, since it shares our standard output."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with world() as made:
        yield made
    structlog.reset_defaults()


@pytest.fixture
def sessiond(here: World) -> Command:
    """Run ``sessiond`` against the authority."""

    def against(*arguments: str, stdin: str = "") -> Run:
        return run("--target", here.app.address, *arguments, stdin=stdin)

    return against
