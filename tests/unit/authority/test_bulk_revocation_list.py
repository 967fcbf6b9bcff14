"""BatchRevokeSessions: one write for a list of sessions, and a verdict for each."""

from __future__ import annotations

import pytest

from sessiond.authority.caller import Caller
from sessiond.authority.ending import RevocationVerdict
from sessiond.authority.events import EventKind
from sessiond.authority.sessions import Login
from sessiond.errors import Cause, InvalidAccessToken, InvalidRequestError, RequestIdReusedError
from sessiond.ids import session_id_text
from sessiond.store.records import End, RevocationKind, ScopeKind
from tests.unit.authority.installation import NOTES, Installation, Process

SHOP = Caller("shop", frozenset({"revoker"}), frozenset({"acme"}))
UNKNOWN_ID = bytes.fromhex("01890a5dac96774bbcceb302099a8057")


def test_each_session_has_its_verdict(installation: Installation, here: Process) -> None:
    """What lives ends; what has ended, by itself or by a cut, stays as it was; the rest is not found."""
    cut, revoked = here.login(login=Login("acme", "bob")), here.login()
    installation.cut(ScopeKind.SUBJECT, subject="bob")
    here.revoke(revoked.session_id, reason="logout")
    living, other = here.login(), here.login(login=Login("other", "alice"))
    ids = (living.session_id, UNKNOWN_ID, revoked.session_id, other.session_id, cut.session_id)
    answer = here.revoke_list(*ids, caller=SHOP, reason="breach", actor="security")
    expected = (
        RevocationVerdict.ENDED,
        RevocationVerdict.NOT_FOUND,
        RevocationVerdict.ENDED_BEFORE,
        RevocationVerdict.NOT_FOUND,
        RevocationVerdict.ENDED_BEFORE,
    )
    assert expected == answer.verdicts
    assert End(Cause.REVOKED, installation.now, "breach", "security") == installation.record(living.session_id).end
    assert "logout" == installation.record(revoked.session_id).end.reason  # type: ignore[union-attr]
    assert installation.record(other.session_id).end is None
    assert installation.record(cut.session_id).end is None


def test_list_is_ended_in_one_write(installation: Installation, here: Process) -> None:
    """A thousand sessions end in one write, each with its entry and its event; the revision is that of the last."""
    opened = [here.login() for _ in range(1000)]
    before, n_writes = installation.store.revision(), installation.store.n_writes
    answer = here.revoke_list(*(one.session_id for one in opened), request_id="v1")
    entries, tail = installation.store.revocations_after(before, 2000)
    assert [one.session_id for one in opened] == [entry.session_id for entry in entries]
    assert {(RevocationKind.SESSION, Cause.REVOKED)} == {(entry.kind, entry.cause) for entry in entries}
    assert (before + 1000, tail, n_writes + 1) == (tail, answer.revision, installation.store.n_writes)
    assert 1000 == installation.events().count(EventKind.SESSION_REVOKED)
    for issued in (opened[0], opened[-1]):
        with pytest.raises(InvalidAccessToken, match="REVOKED"):
            here.verify(issued.access_token)


def test_list_of_dead_sessions_writes_nothing(installation: Installation, here: Process) -> None:
    """A list of which nothing lives is answered at the revision that has those ends."""
    issued = here.login()
    revision = here.revoke(issued.session_id).revision
    answer = here.revoke_list(issued.session_id, UNKNOWN_ID)
    assert ((RevocationVerdict.ENDED_BEFORE, RevocationVerdict.NOT_FOUND), revision) == (
        answer.verdicts,
        answer.revision,
    )
    assert revision == installation.store.revision()


def test_repetition_of_a_list_gets_its_first_verdicts(here: Process) -> None:
    """The same request again says what the first did, at the revision of then; another one under its id is refused."""
    ids = (here.login().session_id, UNKNOWN_ID)
    first = here.revoke_list(*ids, request_id="v1")
    here.revoke(here.login().session_id)
    assert first == here.revoke_list(*ids, request_id="v1")
    assert (RevocationVerdict.ENDED, RevocationVerdict.NOT_FOUND) == first.verdicts
    with pytest.raises(RequestIdReusedError):
        here.revoke_list(*reversed(ids), request_id="v1")


@pytest.mark.parametrize("size", [0, 1001])
def test_list_has_a_size(here: Process, size: int) -> None:
    """A list of no sessions or of more than 1,000 is refused."""
    with pytest.raises(InvalidRequestError, match=f"session_ids: has {size} ids, must have 1 to 1000"):
        here.revoke_list(*[UNKNOWN_ID] * size)


def test_bad_places_of_a_list_are_named(installation: Installation, here: Process) -> None:
    """What is no id, and an id that stands there before, are refused by their places, and nothing ends."""
    issued = here.login()
    named = session_id_text(issued.session_id)
    with pytest.raises(InvalidRequestError) as caught:
        here.bulk.revoke_list(SHOP, [named, "x", named, "x"], now=0, **{**NOTES, "reason": "r" * 256})
    violations = dict(caught.value.violations)
    assert ["session_ids[1]", "session_ids[2]", "session_ids[3]", "reason"] == list(violations)
    assert "is that of session_ids[0] once more" == violations["session_ids[2]"]
    assert installation.record(issued.session_id).end is None
