"""Which refusals the log has."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.rpc.answers import answer
from tests.rpc.world import World


@pytest.mark.parametrize(
    ("refused", "level"), [("expired", "debug"), ("for another audience", "debug"), ("ended", "info")]
)
def test_refusals_before_the_store_is_asked_are_no_lines(here: World, refused: str, level: str) -> None:
    """Of refusals of well-signed tokens the log has by default those alone that were decided with the store."""
    issued = here.login()
    if refused == "expired":
        here.clock.advance(3600)
    if refused == "ended":
        here.revoke(issued.session_id)
    audience = "another" if refused == "for another audience" else ""
    with capture_logs() as logged:
        answer(here.verify, issued.access_token, audience=audience)
    assert [("refused", level, issued.session_id)] == [
        (line["event"], line["log_level"], line["session_id"]) for line in logged
    ]
