"""``sessiond session``: what each command prints for people and for machines."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sessiond.cli.values import instant
from tests.cli import shell
from tests.cli.shell import Command
from tests.rpc.world import World

REFRESH_TOKEN = re.compile(r"^sdr_[\w-]{160}$", re.MULTILINE)
ACCESS_TOKEN = re.compile(r"^eyJ[\w-]+\.[\w-]+\.[\w-]+$", re.MULTILINE)
ANY_TOKEN = re.compile(r"sdr_|eyJ")


def created(sessiond: Command, *more: str) -> dict[str, Any]:
    """Open a session of alice, and give what is printed for machines."""
    return sessiond("session", "create", "--tenant", "acme", "--subject", "alice", "--json", *more).value


def test_create_prints_the_pair(sessiond: Command, here: World) -> None:
    """For people, each token stands whole on a line of its own, beside when it dies."""
    run = sessiond("session", "create", "--tenant", "acme", "--subject", "alice")
    (refresh_token,) = REFRESH_TOKEN.findall(run.out)
    (access_token,) = ACCESS_TOKEN.findall(run.out)

    assert (0, "") == (run.code, run.err)
    assert "alice" == here.verify(access_token).subject
    assert 1 == here.refresh(refresh_token).tokens.generation
    for fact in ("generation", "refresh after", "access token dies", "session dies"):
        assert fact in run.out


def test_created_session_is_what_the_options_say(sessiond: Command, here: World) -> None:
    """Every option of create reaches the session."""
    value = created(
        sessiond,
        *("--client-id", "web", "--audience", "orders", "--claims", '{"role":"admin"}', "--data", '{"n":1}'),
        *("--label", "Firefox", "--ip", "192.0.2.7", "--user-agent", "Mozilla/5.0"),
        *("--absolute", "3600", "--idle", "600", "--access", "60"),
    )
    record = here.record(value["session_id"])

    assert ("web", "orders", '{"role":"admin"}', '{"n":1}') == (
        record.client_id,
        record.audience,
        record.claims_json,
        record.data_json,
    )
    assert ("Firefox", "Mozilla/5.0") == (record.label, record.pending_by.user_agent)
    assert bytes([192, 0, 2, 7]) == record.pending_by.ip
    assert (record.created_at + 3600, 600, 60) == (record.expires_at, record.idle_seconds, record.access_seconds)


def test_create_for_machines_tells_all(sessiond: Command, here: World) -> None:
    """The JSON of create has the tokens, the instants by RFC 3339, and nothing of this machine's own."""
    value = created(sessiond)

    assert {
        "refresh_token",
        "access_token",
        "session_id",
        "generation",
        "refresh_token_expires_at",
        "access_token_expires_at",
        "refresh_after",
        "server_time",
        "revision",
    } == set(value)
    assert instant(here.clock.wall_ms() / 1000) == value["server_time"]
    assert re.fullmatch(r"2027-01-\d\dT\d\d:\d\d:\d\dZ", value["access_token_expires_at"])


def test_request_id_makes_a_repetition_safe(sessiond: Command) -> None:
    """The same request id gives the same session and the same refresh token."""
    first, second = created(sessiond, "--request-id", "a"), created(sessiond, "--request-id", "a")

    assert first["refresh_token"] == second["refresh_token"]


@pytest.mark.parametrize("given", ["argument", "dash", "piped"])
def test_refresh_takes_its_token_from_the_line_or_from_standard_input(sessiond: Command, given: str) -> None:
    """A token stands on the line, or is piped in, so that it is kept out of the list of processes."""
    token = created(sessiond)["refresh_token"]
    arguments = {"argument": (token,), "dash": ("-",), "piped": ()}[given]
    run = sessiond("session", "refresh", *arguments, stdin="" if given == "argument" else token + "\n")

    assert (0, "") == (run.code, run.err)
    assert "ROTATED" in run.out
    assert 1 == len(REFRESH_TOKEN.findall(run.out)) == len(ACCESS_TOKEN.findall(run.out))


def test_refresh_for_machines_names_the_outcome(sessiond: Command, here: World) -> None:
    """The JSON of refresh is that of create with the outcome; options of refresh reach the session."""
    first = created(sessiond)
    device = ("--label", "phone", "--tenant", "acme", "--request-id", "r")
    second = sessiond("session", "refresh", first["refresh_token"], *device, "--json").value
    again = sessiond("session", "refresh", first["refresh_token"], *device, "--json").value

    assert set(first) | {"outcome"} == set(second)
    assert ("ROTATED", 1) == (second["outcome"], second["generation"])
    assert ("RETRIED", second["refresh_token"]) == (again["outcome"], again["refresh_token"])
    assert "phone" == here.record(first["session_id"]).label


def test_show_tells_about_a_session(sessiond: Command) -> None:
    """A living session shows whose it is, from where, how long it lives, and no token."""
    value = created(sessiond, "--label", "Firefox", "--claims", '{"role":"admin"}')
    run = sessiond("session", "show", value["session_id"])

    assert 0 == run.code
    for fact in (value["session_id"], "lives", "alice of acme", "Firefox", '{"role":"admin"}', "dies if idle"):
        assert fact in run.out
    assert ANY_TOKEN.search(run.out) is None


def test_show_for_machines_has_every_field(sessiond: Command) -> None:
    """The JSON of show is the session, its claims and data as objects."""
    opened = created(sessiond, "--claims", '{"role":"admin"}', "--label", "Firefox")
    value = sessiond("session", "show", opened["session_id"], "--json").value

    assert ("ACTIVE", None, {"role": "admin"}, {}) == (value["state"], value["end"], value["claims"], value["data"])
    assert {"label": "Firefox", "ip": "", "user_agent": ""} == value["device"]
    assert {"created_at", "refreshed_at", "expires_at", "idle_expires_at", "etag", "shared", "refusals"} <= set(value)
    assert ANY_TOKEN.search(json.dumps(value)) is None


def test_show_tells_how_a_session_ended(sessiond: Command) -> None:
    """An ended session shows the cause, the reason, the actor and when, and what was unusual before."""
    opened = created(sessiond)
    sessiond("session", "revoke", opened["session_id"], "--reason", "lost phone", "--actor", "support")
    sessiond("session", "refresh", opened["refresh_token"])
    run = sessiond("session", "show", opened["session_id"])
    value = sessiond("--json", "session", "show", opened["session_id"]).value

    for fact in ("has ended", "REVOKED", "lost phone", "support", "1 refused"):
        assert fact in run.out
    assert ("ENDED", "REVOKED", "lost phone", "support") == (
        value["state"],
        value["end"]["cause"],
        value["end"]["reason"],
        value["end"]["actor"],
    )


def test_list_shows_the_living_sessions_of_a_user(sessiond: Command) -> None:
    """Each session is one line, without tokens; a user without one is said to have none."""
    first, second = created(sessiond, "--label", "Firefox"), created(sessiond, "--client-id", "app")
    run = sessiond("session", "list", "--tenant", "acme", "--subject", "alice")
    none = sessiond("session", "list", "--tenant", "acme", "--subject", "bob")

    assert (0, 0) == (run.code, none.code)
    for fact in (first["session_id"], second["session_id"], "Firefox", "app"):
        assert fact in run.out
    assert 3 == len(run.out.splitlines())
    assert "bob of acme has no session." in none.out
    assert ANY_TOKEN.search(run.out) is None


def test_list_for_machines_is_one_object(sessiond: Command) -> None:
    """The JSON of list holds the sessions of all pages; it is empty, not missing, where there are none."""
    opened = {created(sessiond)["session_id"] for _ in range(3)}
    value = sessiond("session", "list", "--tenant", "acme", "--subject", "alice", "--json").value
    none = sessiond("session", "list", "--tenant", "acme", "--subject", "bob", "--json").value

    assert opened == {one["session_id"] for one in value["sessions"]}
    assert {"sessions": []} == none


def test_revoke_by_id_and_by_token(sessiond: Command) -> None:
    """A session is ended by its id, by a token on the line or by one from standard input; twice is no error."""
    opened = [created(sessiond) for _ in range(3)]
    by_id = sessiond("session", "revoke", opened[0]["session_id"])
    by_token = sessiond("session", "revoke", "--token", opened[1]["access_token"])
    piped = sessiond("session", "revoke", "--token", "-", stdin=opened[2]["refresh_token"] + "\n")
    again = sessiond("session", "revoke", opened[0]["session_id"])

    assert [0] * 4 == [one.code for one in (by_id, by_token, piped, again)]
    for one, run in zip(opened, (by_id, by_token, piped), strict=True):
        assert f"session {one['session_id']} was ended" in run.out
        assert ANY_TOKEN.search(run.out) is None
    assert "had ended already" in again.out


def test_revoke_for_machines_says_who_ended_it(sessiond: Command) -> None:
    """The JSON of revoke has the end and the revision that a verifier must have applied."""
    opened = created(sessiond)
    value = sessiond("session", "revoke", opened["session_id"], "--reason", "r", "--json").value

    assert {"session_id", "end", "ended_by_this_call", "revision"} == set(value)
    assert (True, "REVOKED", "r") == (value["ended_by_this_call"], value["end"]["cause"], value["end"]["reason"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("session", "create", "--tenant", "acme"),
        ("session", "create", "--tenant", "acme", "--subject", "a", "--absolute", "-1"),
        ("session", "show"),
        ("session", "revoke"),
        ("session", "revoke", "id", "--token", "sdr_"),
        ("session", "list", "--subject", "alice"),
        ("session", "unknown"),
        ("session", "show", "id", "--unknown"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2(sessiond: Command, arguments: tuple[str, ...]) -> None:
    """What the command line itself cannot make sense of is refused before anything is sent."""
    run = sessiond(*arguments)

    assert (2, "") == (run.code, run.out)
    assert "Error: " in run.err


def test_list_gives_whole_ids_however_narrow_the_terminal(here: World) -> None:
    """An id that is cut could not be given to another command."""
    tokens = here.login(client_id="c" * 200)
    narrow = shell.run(
        *("--target", here.app.address, "session", "list", "--tenant", "acme", "--subject", "alice"),
        env={"COLUMNS": "60"},
    )

    assert tokens.session_id in narrow.out
