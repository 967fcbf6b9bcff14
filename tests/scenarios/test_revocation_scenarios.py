"""Revocation: what ends, what is left alone, what a repetition says, and that every call agrees about the dead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sessiond.client import Client, RevocationVerdict, SessionState
from sessiond.clock import ManualClock
from sessiond.errors import Advice, Cause, InvalidRefreshToken, SessionEndedError
from sessiond.store.lmdb import LmdbStore
from tests.client.local_verifiers import AUDIENCE, until_applied, verifying
from tests.rpc.world import World, world
from tests.scenarios.refusals import cause

UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
ENDED, BEFORE, NOT_FOUND = RevocationVerdict.ENDED, RevocationVerdict.ENDED_BEFORE, RevocationVerdict.NOT_FOUND


def test_refusal_after_a_revocation_says_why_and_when(client: Client, here: World) -> None:
    """Scenario 35: a refresh after the revocation is REVOKED, and the session shows reason, actor and time."""
    tokens = client.create_session("acme", "alice")
    here.clock.advance(7)
    ended_at = here.clock.wall_ms() // 1000
    client.revoke_session(tokens.session_id, reason="laptop lost", actor="carol")
    here.clock.advance(60)
    with pytest.raises(InvalidRefreshToken) as caught:
        client.refresh(tokens.refresh_token)
    end = client.get_session(caught.value.session_id or "").end

    assert (Cause.REVOKED, Advice.LOG_IN_AGAIN) == (caught.value.cause, caught.value.advice)
    assert end is not None
    assert (Cause.REVOKED, "laptop lost", "carol", ended_at) == (end.cause, end.reason, end.actor, end.ended_at)


def test_list_tells_what_ended_and_its_repetition_that_it_had(client: Client) -> None:
    """Scenarios 53 and 55: of a list with an unknown id the known ones end, and the same list again ends none."""
    ids = [client.create_session("acme", name).session_id for name in ("alice", "bob")]
    mixed = [ids[0], UNKNOWN_ID, ids[1]]
    first, again = client.batch_revoke_sessions(mixed), client.batch_revoke_sessions(mixed)

    assert (ENDED, NOT_FOUND, ENDED) == first.verdicts
    assert (BEFORE, NOT_FOUND, BEFORE) == again.verdicts
    assert first.revision == again.revision


def test_revoking_a_user_leaves_the_others(client: Client) -> None:
    """Scenarios 54 and 59: every session of the user ends; another user, and one of that name elsewhere, go on."""
    gone = [client.create_session("acme", "alice") for _ in range(3)]
    kept = [client.create_session("acme", "bob"), client.create_session("other", "alice")]
    client.revoke_subject("acme", "alice")
    client.revoke_subject("acme", "alice")

    assert {Cause.SUBJECT_REVOKED} == {cause(client.refresh, one.refresh_token) for one in gone}
    assert [] == list(client.list_sessions("acme", "alice"))
    for one in kept:
        shown = client.verify(one.access_token)
        assert [one.session_id] == [session.session_id for session in client.list_sessions(shown.tenant, shown.subject)]
        assert one.session_id == client.refresh(one.refresh_token).session_id


def test_nothing_is_handed_out_again_for_a_revoked_session(client: Client) -> None:
    """Scenario 60: neither the retry of a refresh nor the repetition of a login gets tokens of a session that ended."""
    first = client.create_session("acme", "alice", request_id="login 1")
    client.refresh(first.refresh_token, retry_key=b"k" * 32)
    client.revoke_session(first.session_id)
    with pytest.raises(SessionEndedError) as caught:
        client.create_session("acme", "alice", request_id="login 1")

    assert Cause.REVOKED is caught.value.cause
    assert Cause.REVOKED is cause(client.refresh, first.refresh_token, retry_key=b"k" * 32)


LEVELS: dict[Cause, Callable[[Client, str], object]] = {
    Cause.REVOKED: lambda client, session_id: client.revoke_session(session_id),
    Cause.SUBJECT_REVOKED: lambda client, _: client.revoke_subject("acme", "alice"),
    Cause.TENANT_REVOKED: lambda client, _: client.revoke_tenant("acme"),
    Cause.ALL_REVOKED: lambda client, _: client.revoke_all(),
}


@pytest.mark.parametrize("expected", LEVELS, ids=lambda level: level.name)
def test_every_call_agrees_about_the_dead(client: Client, here: World, expected: Cause) -> None:
    """Trap T2: at whichever level a session was ended, each call that looks at it says so, and with one cause."""
    tokens = client.create_session("acme", "alice")
    here.clock.advance(1)
    LEVELS[expected](client, tokens.session_id)
    later = client.create_session("acme", "alice")
    batch = client.verify_batch([tokens.access_token, later.access_token])
    with verifying(here) as verifier:
        until_applied(verifier, batch.revision)
        local = cause(verifier.verify, tokens.access_token)
        good = verifier.verify(later.access_token).session_id
    shown = client.get_session(tokens.session_id)
    with pytest.raises(SessionEndedError) as update:
        client.update_session(tokens.session_id, data={})
    with pytest.raises(SessionEndedError) as spared:
        client.revoke_subject("acme", "alice", except_session_id=tokens.session_id)
    found = {
        cause(client.verify, tokens.access_token),
        cause(client.refresh, tokens.refresh_token),
        Cause(batch.verdicts[0]),
        local,
        shown.end and shown.end.cause,
        client.explain_token(tokens.refresh_token).cause,
        client.explain_token(tokens.access_token, audience=AUDIENCE).cause,
        update.value.cause,
        spared.value.cause,
    }

    assert {expected} == found
    assert SessionState.ENDED is shown.state
    assert not client.revoke_session(tokens.session_id).ended_by_this_call
    assert (BEFORE,) == client.batch_revoke_sessions([tokens.session_id]).verdicts
    assert [later.session_id] == [one.session_id for one in client.list_sessions("acme", "alice")]
    assert (0, later.session_id) == (batch.verdicts[1], good)


def test_restart_forgets_no_revocation(tmp_path: Path) -> None:
    """Trap T7: what was revoked at any level before the authority stopped is refused when it serves again."""
    clock = ManualClock()

    def opened() -> LmdbStore:
        return LmdbStore(tmp_path / "data", monotonic_ms=clock.monotonic_ms, session_grace_seconds=30)

    store = opened()
    with world(store=store, clock=clock) as here, Client(here.app.address, clock=clock) as client:
        session, subject, tenant = (
            client.create_session(*who) for who in (("acme", "alice"), ("acme", "bob"), ("umbrella", "eve"))
        )
        good = client.create_session("acme", "carol")
        client.revoke_session(session.session_id)
        client.revoke_subject("acme", "bob")
        client.revoke_tenant("umbrella")
    store.close()
    store = opened()
    with world(store=store, clock=clock) as here, Client(here.app.address, clock=clock) as client:
        found = [cause(client.verify, one.access_token) for one in (session, subject, tenant)]
        refreshes = [cause(client.refresh, one.refresh_token) for one in (session, subject, tenant)]
        alive = client.verify(good.access_token).session_id
    store.close()

    assert [Cause.REVOKED, Cause.SUBJECT_REVOKED, Cause.TENANT_REVOKED] == found == refreshes
    assert good.session_id == alive


def test_order_of_login_and_revocation_is_no_matter_of_seconds(client: Client, here: World) -> None:
    """Trap T9: a login after a revocation lives, by a clock that stepped back as well, and one before it does not."""
    before = client.create_session("acme", "alice")
    client.revoke_subject("acme", "alice")
    here.clock.step_wall(-5)
    after = client.create_session("acme", "alice")

    assert Cause.SUBJECT_REVOKED is cause(client.verify, before.access_token)
    assert after.session_id == client.verify(after.access_token).session_id
    assert after.session_id == client.refresh(after.refresh_token).session_id
