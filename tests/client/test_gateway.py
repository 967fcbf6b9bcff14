"""The gateway of the examples treats cookies as the rules for clients say."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sessiond.client import Client
from tests.client.wire import Wire
from tests.rpc.world import World

EXAMPLE = Path(__file__).parents[2] / "examples" / "gateway.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """Load the example as a module."""
    spec = importlib.util.spec_from_file_location("gateway_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up while it is made.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "gateway_example", module)
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def gateway(example: ModuleType, client: Client) -> Any:
    """Give a gateway before the authority."""
    return example.Gateway(client)


def test_script_plays_a_visit(here: World) -> None:
    """Run as a script it logs in, serves, refreshes, logs out, and is refused after that."""
    env = {**os.environ, "PYTHONPATH": str(EXAMPLE.parents[1])}
    command = [sys.executable, str(EXAMPLE), here.app.address]
    run = subprocess.run(command, env=env, check=True, capture_output=True, text=True)

    assert [
        "200 welcome, alice",
        "200 a page for alice",
        "200 a page for alice (after a refresh)",
        "bye",
        "401 log in again (INVALID_ACCESS_TOKEN)",
    ] == run.stdout.splitlines()


def test_expired_access_token_is_renewed_on_the_way(gateway: Any, here: World) -> None:
    """A call with an expired access token is served, and the browser gets the next pair of cookies."""
    first = gateway.log_in("acme", "alice").cookies
    here.clock.advance(301)

    answer = gateway.handle(first)

    assert answer.status == 200
    assert answer.cookies.refresh != first.refresh
    assert answer.cookies.secret == first.secret


def test_stolen_session_deletes_the_cookies(gateway: Any, client: Client) -> None:
    """After a theft the answer is to log in again, without the cookies."""
    first = gateway.log_in("acme", "alice").cookies
    newest = first.refresh
    for _ in range(3):
        newest = client.refresh(newest).refresh_token

    answer = gateway.handle(replace(first, access=None))

    assert (401, None) == (answer.status, answer.cookies)
    assert gateway.handle(None).status == 401


def test_outage_keeps_the_cookies(example: ModuleType, here: World) -> None:
    """While the authority cannot be reached, the browser keeps its cookies, and they are good afterwards."""
    with Wire(here.app.address) as wire, Client(wire.address, timeout_seconds=0.5, clock=here.clock) as client:
        gateway = example.Gateway(client)
        first = replace(gateway.log_in("acme", "alice").cookies, access=None)
        wire.lose_answers()
        during = gateway.handle(first)
        logging_out = gateway.log_out(first)
        wire.cut()
        with Client(here.app.address, clock=here.clock) as other:
            after = example.Gateway(other).handle(during.cookies)

    assert (503, first) == (during.status, during.cookies)
    assert (503, first) == (logging_out.status, logging_out.cookies)
    assert after.status == 401, "the logout had arrived, though its answer was lost"


def test_fault_of_the_gateway_is_no_reason_to_log_in(gateway: Any) -> None:
    """A cookie that was cut off on the way is the gateway's fault: nobody is logged out for it."""
    first = gateway.log_in("acme", "alice").cookies
    broken = replace(first, access=None, refresh=first.refresh[:-5])

    answer = gateway.handle(broken)

    assert (500, broken) == (answer.status, answer.cookies)
