"""``sessiond explain``: from where it takes a token, to whom it shows what, and what it never prints."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sessiond.authority.caller import LOCAL, Caller
from sessiond.cli.screen import ADVICE
from sessiond.errors import Advice
from sessiond.server import app as server_app
from sessiond.token.format import encode_base64url
from sessiond.v1 import diagnosis_service_pb2 as pb
from tests.cli.shell import Command, run
from tests.client.strangers import Stranger, serving
from tests.rpc.world import World, world

ALICE = ("--tenant", "acme", "--subject", "alice")


def test_token_is_read_from_standard_input(here: World, sessiond: Command) -> None:
    """A token that is piped in stands in no list of processes."""
    token = here.login().access_token
    assert sessiond("explain", token).out == sessiond("explain", stdin=f"{token}\n").out


def test_token_is_never_repeated(here: World, sessiond: Command) -> None:
    """Neither people nor machines are shown the token, or what would make one again."""
    tokens = here.login()
    for token in (tokens.access_token, tokens.refresh_token, tokens.refresh_token[:-1] + "-"):
        shown = sessiond("explain", token).out + sessiond("explain", token, "--json").out
        assert token not in shown
        assert token[-40:] not in shown


def test_machines_get_everything(here: World, sessiond: Command) -> None:
    """One JSON object holds the verdict, the content, the session and its timeline."""
    tokens = here.login(claims_json='{"role":"admin"}')
    here.revoke(tokens.session_id, reason="logout", actor="alice")
    value = sessiond("explain", tokens.access_token, "--json").value

    assert ("ACCESS", "REVOKED", "LOG_IN_AGAIN", True) == (
        value["kind"],
        value["cause"],
        value["advice"],
        value["signature_good"],
    )
    assert ({"role": "admin"}, "alice", "logout") == (
        value["content"]["claims"],
        value["session"]["end"]["actor"],
        value["session"]["end"]["reason"],
    )
    assert ["SESSION_CREATED", "SESSION_REVOKED"] == [event["kind"] for event in value["timeline"]]
    assert "2027-01-15T08:00:00Z" == value["server_time"]


def test_verifier_is_shown_the_verdict_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that is no auditor reads why the token is refused, and that its session is not for it to see."""
    monkeypatch.setattr(server_app, "LOCAL", Caller(LOCAL.name, LOCAL.roles - {"auditor"}, None))
    with world() as here:
        tokens = here.login(device={"ip": "192.0.2.7"})
        here.revoke(tokens.session_id, reason="logout")
        shown = run("--target", here.app.address, "explain", tokens.access_token)

    assert 0 == shown.code
    assert "access token refused: REVOKED" in shown.out
    assert "Not shown" in shown.out
    assert "192.0.2.7" not in shown.out
    assert "logout" not in shown.out


def test_what_is_withheld_is_not_called_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier that asks about a revoked refresh token is told that it may learn no more, not that it is good."""
    monkeypatch.setattr(server_app, "LOCAL", Caller(LOCAL.name, frozenset({"verifier", "issuer", "revoker"}), None))
    with world() as here:
        tokens = here.login()
        here.revoke(tokens.session_id)
        shown = run("--target", here.app.address, "explain", tokens.refresh_token).out
    assert "a refresh token that is well signed and in time" in shown
    assert "✓ time" in shown
    for word in ("good refresh token", "✓ alive", "trade it when"):
        assert word not in shown


def test_words_of_strangers_are_not_marked_up(here: World, sessiond: Command) -> None:
    """What looks like the markup of a screen in a reason or a user's name is shown as it stands."""
    tokens = here.login(subject="[bold]alice[/bold]")
    here.revoke(tokens.session_id, reason="[red]x[/red]")
    shown = sessiond("explain", tokens.access_token).out
    assert "[bold]alice[/bold] of acme" in shown
    assert "by local: [red]x[/red]" in shown


def test_evidence_is_not_marked_up(here: World, sessiond: Command) -> None:
    """A user agent that looks like markup is shown as it stands where both uses of a token are told."""
    user_agent = "Mozilla [/] [conceal]x :smile:"
    tokens = here.login()
    newest = here.refresh(tokens.refresh_token, device={"user_agent": user_agent}).tokens
    here.refresh(newest.refresh_token)
    here.serve_for(60)
    sessiond("session", "refresh", tokens.refresh_token, "--user-agent", user_agent)
    shown = sessiond("explain", tokens.refresh_token).out
    assert f"  user agent   {user_agent}   {user_agent}" in shown.splitlines()


def test_name_that_turns_the_line_around_is_spelled_out(here: World, sessiond: Command) -> None:
    """A user agent cannot make a terminal show what stands behind it the other way round."""
    tokens = here.login(device={"user_agent": "\u202egpj.exe"})
    for shown in (sessiond("explain", tokens.access_token), sessiond("session", "list", *ALICE)):
        assert "\\u202egpj.exe" in shown.out
        assert "\u202e" not in shown.out


@pytest.mark.parametrize("claims", [",!!!}", ',"a":' + "[" * 2000 + "}", ',"a":1e999}', ',"a":NaN}', ',"a":"\\ud800"}'])
def test_claims_that_cannot_be_read_are_shown_as_text(here: World, sessiond: Command, claims: str) -> None:
    """What a forger wrote where claims stand fails neither people nor machines: both are shown its text."""
    header, payload, signature = here.login().access_token.split(".")
    members = base64.urlsafe_b64decode(payload + "==").decode().removesuffix("}")
    forged = f"{header}.{encode_base64url((members + claims).encode())}.{signature}"
    shown, value = sessiond("explain", forged), sessiond("explain", forged, "--json").value

    assert ("TAMPERED", "{" + claims[1:]) == (value["cause"], value["content"]["claims"])
    assert f"claims      {{{claims[1:]}"[:40] in shown.out


@pytest.mark.parametrize(
    ("advice", "told"), [(1, f"LOG_IN_AGAIN: {ADVICE[Advice.LOG_IN_AGAIN]}"), (99, "This release does not know")]
)
def test_cause_of_a_later_release_is_not_called_good(advice: int, told: str) -> None:
    """What an authority of a later release refuses, for a cause unknown here, is shown as refused, in its words."""
    contract: Any = pb
    answer = contract.ExplainTokenResponse(
        kind=contract.TOKEN_KIND_REFRESH, cause=99, advice=advice, explanation="it went out of fashion"
    )
    with serving(Stranger(lambda _request, _context: answer.SerializeToString())) as address:
        asked = ("--target", address, "explain", "sdr_x")
        shown, value = run(*asked).out, run(*asked, "--json").value

    assert "refresh token refused: a cause of a later release" in shown
    assert "It went out of fashion." in shown
    assert told in shown
    assert "✓" not in shown
    assert (True, None) == (value["refused"], value["cause"])
