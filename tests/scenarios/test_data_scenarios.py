"""Data and claims: what goes in comes back, and the format of a token is looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sessiond.client import Client, RefreshOutcome, SessionState
from sessiond.errors import Cause
from tests.rpc.world import World
from tests.scenarios.refusals import cause

CONTENTS: list[dict[str, Any]] = [
    {},
    {"a": None},
    {"a": {}, "b": []},
    {"a": {"b": [1, -2.5, True, None, {"c": "é\U0001f600"}]}, "d": ""},
]


@pytest.mark.parametrize("content", CONTENTS, ids=json.dumps)
def test_claims_and_data_come_back_as_they_went_in(client: Client, content: dict[str, Any]) -> None:
    """Scenario 72: empty, nested and null contents are the same in the session and in its access tokens."""
    tokens = client.create_session("acme", "alice", claims=content, data=content)
    shown = client.get_session(tokens.session_id)
    again = client.refresh(tokens.refresh_token)

    assert content == shown.claims == shown.data
    assert content == client.verify(tokens.access_token).claims == client.verify(again.access_token).claims


@pytest.mark.parametrize("prefix", ["sdr1_", "sdx_", "SDR_", ""])
def test_refresh_token_of_another_format_is_refused(client: Client, prefix: str) -> None:
    """Scenario 32: a text that names another format than ours is refused, and the token itself is not spent by it."""
    tokens = client.create_session("acme", "alice")
    found = cause(client.refresh, prefix + tokens.refresh_token.removeprefix("sdr_"))

    assert found in {Cause.MALFORMED, Cause.WRONG_TOKEN_KIND}
    assert RefreshOutcome.ROTATED is client.refresh(tokens.refresh_token).outcome


def test_retry_keys_may_come_and_go(client: Client, here: World) -> None:
    """Scenario 79: a client that begins to send retry keys, stops, and begins again is never logged out for it."""
    tokens = client.create_session("acme", "alice")
    session_id = tokens.session_id
    for retry_key in (b"", b"a" * 32, b"", b"b" * 32, b"c" * 32, b""):
        here.serve_for(60)
        tokens = client.refresh(tokens.refresh_token, retry_key=retry_key)
    shown = client.get_session(session_id)

    assert (SessionState.ACTIVE, 6, 0) == (shown.state, shown.generation, shown.refusals)
