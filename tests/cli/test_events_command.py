"""``sessiond events``: the audit trail as people and machines read it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest

from sessiond.v1 import session_service_pb2
from tests.cli.shell import Command
from tests.rpc.world import World


def test_events_are_one_line_each(here: World, sessiond: Command) -> None:
    """Number, instant, kind, session, words and user stand in one line, and the words of all lines begin alike."""
    tokens = here.login(device={"ip": "192.0.2.7"})
    here.revoke(tokens.session_id, reason="logout", actor="alice")
    here.sessions.RevokeAll(session_service_pb2.RevokeAllRequest(actor="bob"))
    shown = sessiond("events", "--cursor", "4")

    assert (0, "") == (shown.code, shown.err)
    at, session = "2027-01-15 08:00:00", tokens.session_id
    assert [
        f"       5  {at}  SESSION_CREATED     {session}  opened from 192.0.2.7  alice of acme",
        f"       6  {at}  SESSION_REVOKED     {session}  ended by alice: logout  alice of acme",
        f"       7  {at}  SCOPE_CUT           {'-':36}  every session ended by bob",
    ] == shown.out.splitlines()


def test_events_for_machines_are_one_object_a_line(here: World, sessiond: Command) -> None:
    """Each line is the JSON of one event, with instants by RFC 3339 and names for kinds and causes."""
    tokens = here.login()
    here.revoke(tokens.session_id, reason="logout")
    _, revoked = map(json.loads, sessiond("events", "--tenant", "acme", "--json").out.splitlines())

    assert ("SESSION_REVOKED", "REVOKED", "2027-01-15T08:00:00Z", {"reason": "logout"}) == (
        revoked["kind"],
        revoked["cause"],
        revoked["happened_at"],
        revoked["details"],
    )


def test_options_choose_the_events(here: World, sessiond: Command) -> None:
    """Tenant, subject, kinds, causes and cursor narrow what is listed."""
    for subject in ("alice", "bob"):
        tokens = here.login(subject=subject)
        here.refresh(tokens.refresh_token)
        here.revoke(tokens.session_id)
        with pytest.raises(grpc.RpcError):
            here.refresh(tokens.refresh_token)

    def listed(*options: str) -> list[str]:
        return [json.loads(line)["kind"] for line in sessiond("events", "--json", *options).out.splitlines()]

    of_bob = ("--tenant", "acme", "--subject", "bob")
    assert ["SESSION_CREATED", "REFRESH_ROTATED", "SESSION_REVOKED", "REFRESH_REFUSED"] == listed(*of_bob)
    assert ["SESSION_CREATED", "SESSION_CREATED"] == listed("--kind", "SESSION_CREATED")
    assert ["SESSION_CREATED", "REFRESH_ROTATED"] == listed(
        *of_bob, "--kind", "SESSION_CREATED", "--kind", "REFRESH_ROTATED"
    )
    assert ["SESSION_REVOKED", "REFRESH_REFUSED"] == listed(*of_bob, "--cause", "REVOKED")
    assert ["REFRESH_REFUSED"] == listed("--cursor", "11")


def test_more_events_than_a_page_are_all_listed(here: World, sessiond: Command) -> None:
    """Page after page is read until there is no more to look at."""
    tokens = here.login()
    token = tokens.refresh_token
    for _ in range(1005):
        token = here.refresh(token).tokens.refresh_token
    assert 1006 == len(sessiond("events", "--session", tokens.session_id).out.splitlines())


def test_bad_filter_is_refused(sessiond: Command) -> None:
    """What the authority does not take is told with its field; what the command does not know is wrong usage."""
    refused = sessiond("events", "--subject", "alice")
    assert (1, True) == (refused.code, "filter.tenant" in refused.err)
    assert 2 == sessiond("events", "--kind", "NO_SUCH_KIND").code


def test_events_are_followed(here: World) -> None:
    """With --follow each event is printed when it happens, until the command is ended."""
    command = [sys.executable, "-m", "sessiond", "--target", here.app.address, "events", "--follow", "--json"]
    past = here.login()
    cursor = str(here.store.events_after(0, 1)[1] - 1)
    with subprocess.Popen([*command, "--cursor", cursor], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        present = here.login()
        second = json.loads(process.stdout.readline())
        process.terminate()

    assert [past.session_id, present.session_id] == [first["session_id"], second["session_id"]]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Take interruptions for a test, so that its children do, also where a shell runs it in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interruption_ends_following(here: World) -> None:
    """Ctrl+C is how one ends --follow: exit code 0, and nothing is said about it."""
    here.login()
    command = [sys.executable, "-m", "sessiond", "--target", here.app.address, "events", "--follow", "--cursor", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate()

    assert "SESSION_CREATED" in first
    assert (0, "", "") == (process.returncode, rest, said)
