"""The screen of a refusal: what is wrong, the cause, and the advice as a sentence; the same for machines."""

from __future__ import annotations

import grpc
import pytest

from sessiond.cli.screen import ADVICE
from sessiond.errors import Advice, OverloadedError
from sessiond.server.status import status_of
from tests.cli.shell import Command, run
from tests.client.strangers import Stranger, serving
from tests.rpc.world import World
from tools.proto_comments import read_contract


def test_advice_is_told_in_the_words_of_the_contract() -> None:
    """Each advice has the sentence that error.proto gives it."""
    sentences = {
        one.name.removeprefix("ADVICE_"): " ".join(one.comment)
        for one in read_contract()
        if (one.kind, one.owner) == ("value", "Advice") and one.number
    }

    assert sentences == {advice.name: text for advice, text in ADVICE.items()}
    assert set(Advice) == set(ADVICE)


def test_refused_token_shows_cause_and_advice(sessiond: Command, here: World) -> None:
    """A refused token is exit code 1: what, why, what to do, and which session, without the token."""
    tokens = here.login()
    here.revoke(tokens.session_id)
    shown = sessiond("session", "refresh", tokens.refresh_token)

    assert (1, "") == (shown.code, shown.out)
    for fact in (
        "✗ The refresh token is refused.",
        "REVOKED: the session was ended on purpose",
        f"LOG_IN_AGAIN: {ADVICE[Advice.LOG_IN_AGAIN]}",
        tokens.session_id,
        "INVALID_REFRESH_TOKEN",
    ):
        assert fact in shown.err
    assert tokens.refresh_token not in shown.err


def test_refused_token_for_machines(sessiond: Command, here: World) -> None:
    """For machines a refusal is one object on standard output, with everything that the authority said."""
    tokens = here.login()
    here.revoke(tokens.session_id)
    shown = sessiond("session", "refresh", tokens.refresh_token, "--json")
    error = shown.value["error"]

    assert (1, "") == (shown.code, shown.err)
    assert {"reason", "cause", "advice", "message", "session_id", "server_time"} == set(error)
    assert ("INVALID_REFRESH_TOKEN", "REVOKED", "LOG_IN_AGAIN", tokens.session_id) == (
        error["reason"],
        error["cause"],
        error["advice"],
        error["session_id"],
    )
    assert tokens.refresh_token not in shown.out


def test_bad_fields_are_named(sessiond: Command) -> None:
    """A request with bad fields shows each of them with what is wrong."""
    arguments = ("session", "create", "--tenant", "t" * 64, "--subject", "a", "--claims", '{"iss":1}')
    shown, value = sessiond(*arguments), sessiond(*arguments, "--json").value

    assert 1 == shown.code
    assert "✗ A field breaks its documented limits." in shown.err
    assert "tenant: has 64 bytes" in shown.err
    assert "claims_json: " in shown.err
    assert ["tenant", "claims_json"] == [one["field"] for one in value["error"]["fields"]]


def test_unknown_session_is_told(sessiond: Command) -> None:
    """A refusal that is about no token shows its message as the cause."""
    shown = sessiond("session", "show", "0199f3a2-7c1e-7abc-8def-0123456789ab")

    assert 1 == shown.code
    assert "✗ No session with the id is kept, or not for this caller." in shown.err
    assert "SESSION_NOT_FOUND" in shown.err


@pytest.mark.parametrize("as_json", [False, True])
def test_authority_that_is_not_there_is_told(as_json: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Where nobody answers, the command ends soon, and names the address it tried."""
    arguments = ("--target", "127.0.0.1:1", "--timeout", "0.3", "keys", "list")
    refused = run(*arguments, *(("--json",) if as_json else ()))

    assert 1 == refused.code
    if as_json:
        assert "OUTCOME_UNKNOWN" == refused.value["error"]["reason"]
        assert {"reason", "advice", "message"} == set(refused.value["error"])
    assert "127.0.0.1:1" in refused.out + refused.err


def test_pause_that_the_authority_asks_for_is_told() -> None:
    """An overload says how long to wait, to people and to machines."""

    def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort_with_status(status_of(OverloadedError("busy"), server_ms=0))

    with serving(Stranger(refuse)) as address:
        shown = run("--target", address, "keys", "list")
        value = run("--target", address, "keys", "list", "--json").value

    assert (1, 1) == (shown.code, shown.err.count("200 ms before the next attempt"))
    assert 200 == value["error"]["retry_after_ms"]
