"""``sessiond token inspect``: reads a token offline, and never repeats it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from sessiond.ids import session_id_text
from sessiond.token.sign import (
    AccessClaims,
    RefreshClaims,
    SigningKey,
    sign_access_token,
    sign_refresh_token,
)
from tests.cli.shell import Run, run

KEY = SigningKey(b"a test key that everyone may see")
SESSION_ID = bytes.fromhex("0199f3a27c1e7abc8def0123456789ab")
CLAIMS = AccessClaims(
    session_id=SESSION_ID,
    generation=3,
    issued_at=1_800_000_000,
    expires_at=1_800_000_300,
    tenant_hash=b"t" * 8,
    subject_hash=b"s" * 8,
    born=7,
    issuer="https://sessiond.example",
    audience="orders",
    subject="alice",
    client_id="web",
    tenant="acme",
    claims_json='{"role":"admin"}',
)
REFRESH = sign_refresh_token(KEY, RefreshClaims(SESSION_ID, 3, 1_800_000_000, 1_802_592_000))
ACCESS = sign_access_token(KEY, CLAIMS)


def offline(*arguments: str, stdin: str = "") -> Run:
    """Run the command where no authority is."""
    return run("--target", "127.0.0.1:1", "--timeout", "0.01", "token", "inspect", *arguments, stdin=stdin)


@pytest.mark.parametrize("piped", [False, True], ids=["argument", "piped"])
def test_refresh_token_is_read(piped: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Kind, key, session, generation and instants are shown, and that nobody has checked the signature."""
    shown = offline(stdin=REFRESH + "\n") if piped else offline(REFRESH)

    assert 0 == shown.code
    for fact in (
        "refresh token",
        "signature",
        KEY.key_id.hex(),
        session_id_text(SESSION_ID),
        "2027-01-15 08:00:00 UTC",
        "2027-02-14 08:00:00 UTC",
    ):
        assert fact in shown.out
    assert REFRESH not in shown.out


def test_access_token_is_read() -> None:
    """An access token also shows whose it is, for whom, by whom, and its claims."""
    shown = offline(ACCESS)

    assert 0 == shown.code
    for fact in (
        "access token",
        '"alg":"EdDSA"',
        "alice of acme",
        "web",
        "https://sessiond.example",
        "orders",
        '{"role":"admin"}',
        "revision 7",
    ):
        assert fact in shown.out
    assert ACCESS not in shown.out


def test_inspection_for_machines_has_every_field() -> None:
    """The JSON says what the token says, and that its signature was not checked."""
    refresh, access = offline(REFRESH, "--json").value, offline(ACCESS, "--json").value

    assert {
        "kind": "REFRESH",
        "header": f"{{1: -8, 4: h'{KEY.key_id.hex()}'}}",
        "key_id": KEY.key_id.hex(),
        "signature_checked": False,
        "content": {
            "session_id": session_id_text(SESSION_ID),
            "generation": 3,
            "issued_at": "2027-01-15T08:00:00Z",
            "expires_at": "2027-02-14T08:00:00Z",
        },
        "fault": None,
    } == refresh
    assert ("ACCESS", None) == (access["kind"], access["fault"])
    assert {
        "session_id": session_id_text(SESSION_ID),
        "generation": 3,
        "issued_at": "2027-01-15T08:00:00Z",
        "expires_at": "2027-01-15T08:05:00Z",
        "issuer": "https://sessiond.example",
        "audience": "orders",
        "tenant": "acme",
        "subject": "alice",
        "client_id": "web",
        "born": 7,
        "tenant_hash": (b"t" * 8).hex(),
        "subject_hash": (b"s" * 8).hex(),
        "claims_json": '{"role":"admin"}',
    } == access["content"]


@pytest.mark.parametrize("text", [REFRESH[:-5], REFRESH + "=", "x" + REFRESH, ACCESS[:-1], "hello", ""])
def test_what_is_no_token_is_told_with_its_place(text: str) -> None:
    """A cut-off or glued token is exit code 1 with what is wrong and where, and is not repeated."""
    shown = offline("-", stdin=text)
    value = offline("-", "--json", stdin=text).value

    assert (1, "") == (shown.code, shown.err)
    assert re.search(r"✗ not laid out as .*\(character \d+\)", shown.out)
    assert value["fault"]["message"]
    assert value["fault"]["character"] >= 1
    assert text == "" or text[-20:] not in shown.out + json.dumps(value)


def test_a_token_cannot_steer_the_terminal() -> None:
    """What would steer a terminal is spelled out: the token may come from anyone."""
    hostile = sign_access_token(KEY, replace(CLAIMS, issuer="\x1b[2J", subject="\x9b31m\a"))
    shown = offline("-", stdin=hostile)

    assert set() == {character for character in shown.out if ord(character) in {*range(10), *range(11, 32), 0x9B}}
    assert r"\x1b[2J" in shown.out
    assert r"\x9b31m\x07 of acme" in shown.out


def test_missing_token_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, without a token, the command says how to give one instead of waiting for it."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _self: True, raising=False)
    shown = offline()

    assert 2 == shown.code
    assert "pipe it into standard input" in shown.err
