"""The commands that end sessions, several or all of a scope: what they print, and what they end."""

from __future__ import annotations

import pytest

from sessiond.cli.values import instant
from tests.cli.shell import Command
from tests.rpc.world import World

UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
NOTES = ("--reason", "breach", "--actor", "security", "--request-id", "v1")


def test_revoke_takes_several_ids(sessiond: Command, here: World) -> None:
    """Each id has a line that says what became of its session; one that is unknown fails, and stops no other."""
    ids = [here.login().session_id for _ in range(2)]
    here.revoke(ids[1])
    run = sessiond("session", "revoke", *ids, UNKNOWN_ID, *NOTES)
    again = sessiond("session", "revoke", *ids, UNKNOWN_ID, *NOTES, "--json")
    known = sessiond("session", "revoke", *ids)

    assert (1, "") == (run.code, run.err)
    assert [
        f"✓ session {ids[0]} was ended",
        f"✓ session {ids[1]} had ended already",
        f"✗ session {UNKNOWN_ID} was not found",
    ] == run.out.splitlines()
    verdicts = zip((*ids, UNKNOWN_ID), ("ENDED", "ENDED_BEFORE", "NOT_FOUND"), strict=True)
    assert [{"session_id": one, "verdict": verdict} for one, verdict in verdicts] == again.value["sessions"]
    assert ({"sessions", "revision"}, 1, 0) == (set(again.value), again.code, known.code)
    assert ("breach", "security") == told(here, ids[0])


def test_revoke_device(sessiond: Command, here: World) -> None:
    """The sessions that ended are named one by one; that there was none is said."""
    phone = here.login(device={"label": "phone"}).session_id
    here.login(device={"label": "laptop"})
    scope = ("--tenant", "acme", "--subject", "alice", "--label", "phone")
    run = sessiond("session", "revoke-device", *scope, *NOTES)
    again = sessiond("session", "revoke-device", *scope, *NOTES, "--json").value
    none = sessiond("session", "revoke-device", *scope)

    assert [0, 0] == [run.code, none.code]
    assert f"✓ session {phone} was ended\n" == run.out
    assert [phone] == again["session_ids"]
    assert "alice of acme has no session on a device labelled 'phone': nothing was ended.\n" == none.out
    assert ("breach", "security") == told(here, phone)


def test_revoke_subject(sessiond: Command, here: World) -> None:
    """Every session of the user ends, or every one but the one that --except names."""
    spared, other = here.login(), here.login()
    scope = ("session", "revoke-subject", "--tenant", "acme", "--subject", "alice")
    run = sessiond(*scope, "--except", spared.session_id, *NOTES)
    value = sessiond(*scope, "--except", spared.session_id, *NOTES, "--json").value
    whole = sessiond(*scope)

    assert f"✓ every session of alice of acme but {spared.session_id} was ended" == run.out.splitlines()[0]
    assert {"ended_at", "revision"} == set(value)
    assert instant(here.clock.wall_ms() / 1000) == value["ended_at"]
    assert str(value["revision"]) in run.out
    assert "✓ every session of alice of acme was ended" == whole.out.splitlines()[0]
    assert "SUBJECT_REVOKED" in sessiond("session", "refresh", spared.refresh_token).err
    refused = sessiond(*scope, "--except", other.session_id)
    assert 1 == refused.code
    assert "✗ The session has ended and cannot be changed.\n" in refused.err
    assert "SUBJECT_REVOKED: the session that is to be spared has ended, so nothing was revoked: " in refused.err


def test_revoke_subject_spares_a_session(sessiond: Command, here: World) -> None:
    """The spared session's access token stays good, that of another one does not."""
    spared, other = here.login(), here.login()
    sessiond("session", "revoke-subject", "--tenant", "acme", "--subject", "alice", "--except", spared.session_id)

    assert spared.session_id == here.verify(spared.access_token).session_id
    assert "SUBJECT_REVOKED" in sessiond("session", "refresh", other.refresh_token).err


def test_revoke_tenant(sessiond: Command, here: World) -> None:
    """Every session of the tenant ends, those of others live."""
    mine, other = here.login(), here.login(tenant="other")
    run = sessiond("session", "revoke-tenant", "--tenant", "acme", *NOTES)

    assert "✓ every session of acme was ended" == run.out.splitlines()[0]
    assert "TENANT_REVOKED" in sessiond("session", "refresh", mine.refresh_token).err
    assert other.session_id == here.verify(other.access_token).session_id


@pytest.mark.parametrize(("flags", "answer"), [((), "y\n"), (("--yes",), "")])
def test_revoke_all(sessiond: Command, here: World, flags: tuple[str, ...], answer: str) -> None:
    """Everything ends, once it was confirmed or --yes says so."""
    tokens = here.login()
    run = sessiond("session", "revoke-all", *flags, *NOTES, stdin=answer)

    assert 0 == run.code
    assert "✓ every session of every tenant was ended" == run.out.splitlines()[0]
    assert ("End every session of every user of every tenant?" in run.err) is (flags == ())
    assert "ALL_REVOKED" in sessiond("session", "refresh", tokens.refresh_token).err


def test_revoke_all_asks_first(sessiond: Command, here: World) -> None:
    """Without a yes nothing is ended, and nothing stands on standard output."""
    tokens = here.login()
    run = sessiond("session", "revoke-all", stdin="n\n")

    assert (1, "") == (run.code, run.out)
    assert tokens.session_id == here.verify(tokens.access_token).session_id


def test_help_names_every_command(sessiond: Command) -> None:
    """The commands that end sessions stand beside the others."""
    shown = sessiond("session", "--help").out

    for command in ("revoke", "revoke-all", "revoke-device", "revoke-subject", "revoke-tenant"):
        assert f"  {command} " in shown


def told(here: World, session_id: str) -> tuple[str, str]:
    """Give the reason and the actor that a session ended with."""
    end = here.record(session_id).end
    assert end is not None
    return end.reason, end.actor


def test_what_was_asked_steers_no_terminal(sessiond: Command) -> None:
    """Names that a command was given are shown again, and do nothing: a script may have them from anywhere."""
    of = ("--tenant", "acme", "--subject", "\u202ealice")
    for shown in (
        sessiond("session", "revoke-subject", *of),
        sessiond("session", "revoke-device", *of, "--label", "x"),
        sessiond("session", "list", *of),
    ):
        assert "\\u202ealice of acme" in shown.out
        assert "\u202e" not in shown.out
