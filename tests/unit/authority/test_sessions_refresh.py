"""Refresh: from a presented token to the pair that is handed out, with the rules of rotation in between."""

from __future__ import annotations

import ipaddress
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from sessiond.authority.caller import Caller
from sessiond.authority.events import EventKind
from sessiond.authority.policy import Policy, Profile
from sessiond.authority.rotation import LAST_GENERATION, Outcome
from sessiond.authority.sessions import Device, Login
from sessiond.errors import (
    Cause,
    InternalFaultError,
    InvalidRefreshToken,
    InvalidRequestError,
    PermissionDeniedError,
    StoreUnavailableError,
)
from sessiond.ids import session_id_text
from sessiond.store.contract import Change, View
from sessiond.store.records import Purpose, ScopeKind, Session
from sessiond.token.format import ACCESS_INSTANTS, read_refresh
from sessiond.token.sign import RefreshClaims
from tests.unit.authority.installation import Installation, Process

if TYPE_CHECKING:
    from collections.abc import Callable

RETRY_KEY = b"k" * 32
SHOP = Caller("shop", frozenset({"refresher"}), frozenset({"acme"}))
OTHERS = Caller("others", frozenset({"refresher"}), frozenset({"other"}))
NOBODYS = Caller("nobody's", frozenset({"refresher"}), frozenset())


def refused(cause: Cause, call: Callable[..., object], *arguments: object, **keywords: object) -> InvalidRefreshToken:
    """Make a call that must be refused with *cause*."""
    with pytest.raises(InvalidRefreshToken) as caught:
        call(*arguments, **keywords)
    assert cause is caught.value.cause
    return caught.value


def put(installation: Installation, session: Session) -> None:
    """Put a record in the place of the session's present one."""

    def decide(_view: View) -> Change[None]:
        return Change(None, session=session)

    installation.store.rotate(session.id, decide)


def test_refresh_gives_the_next_generation(installation: Installation, here: Process) -> None:
    """A refresh token is traded for its successor, and an access token of the same generation."""
    first = here.login()
    installation.serve_for(200)
    issued, outcome = here.refresh(first.refresh_token)
    session = installation.record(first.session_id)
    content = read_refresh(issued.refresh_token)
    access = here.verify(issued.access_token)
    assert (Outcome.ROTATED, 1, session.id) == (outcome, issued.generation, issued.session_id)
    assert (session.pending_by.key_id, session.expires_at, installation.now, session.id, 1) == content
    assert (1, installation.now, session.born) == (access.generation, access.issued_at, access.born)
    assert (installation.now, first.refresh_expires_at, installation.store.revision()) == (
        issued.issued_at,
        issued.refresh_expires_at,
        issued.revision,
    )
    assert [EventKind.SESSION_CREATED, EventKind.REFRESH_ROTATED] == installation.events()


def test_refresh_keeps_who_called(installation: Installation, here: Process) -> None:
    """The call that made a generation stands in the record: address, agent, caller, serving time, hashed names."""
    first = here.login()
    installation.serve_for(3)
    here.refresh(
        first.refresh_token,
        SHOP,
        retry_key=RETRY_KEY,
        request_id="r1",
        device=Device("phone", "192.0.2.7", "app/2"),
        tenant="acme",
    )
    session = installation.record(first.session_id)
    by = session.pending_by
    assert ("phone", ipaddress.ip_address("192.0.2.7").packed, "app/2", "shop", installation.store.serving_ms()) == (
        session.label,
        by.ip,
        by.user_agent,
        by.caller,
        by.serving_ms,
    )
    assert (16, 16) == (len(by.retry_hash), len(by.request_hash))
    assert RETRY_KEY not in (by.retry_hash, by.request_hash)


def test_changed_claims_are_in_the_next_access_token(here: Process) -> None:
    """A refresh carries the claims as they are by then."""
    first = here.login()
    here.update(first.session_id, claims_json='{"role":"admin"}')
    assert here.verify(here.refresh(first.refresh_token)[0].access_token).claims_json == '{"role":"admin"}'


@pytest.mark.parametrize("names", [{"retry_key": RETRY_KEY}, {"request_id": "r1"}])
def test_retry_gets_the_same_successor(installation: Installation, here: Process, names: dict[str, bytes]) -> None:
    """However late, the same call gets the same refresh token, byte for byte, and a fresh access token."""
    first = here.login()
    lost, _ = here.refresh(first.refresh_token, **names)  # type: ignore[arg-type]
    installation.serve_for(100)
    again, outcome = here.refresh(first.refresh_token, **names)  # type: ignore[arg-type]
    assert (Outcome.RETRIED, lost.refresh_token, 1) == (outcome, again.refresh_token, again.generation)
    assert lost.issued_at + 100 == again.issued_at == here.verify(again.access_token).issued_at


def test_retry_in_another_process(installation: Installation, here: Process) -> None:
    """A retry may reach another process: it makes the very same token."""
    first = here.login()
    lost, _ = here.refresh(first.refresh_token, retry_key=RETRY_KEY)
    again, _ = installation.process("there").refresh(first.refresh_token, retry_key=RETRY_KEY)
    assert lost.refresh_token == again.refresh_token


def test_request_ids_of_two_callers_do_not_meet(installation: Installation, here: Process) -> None:
    """A request id proves a retry for the caller that sent it, and for nobody else."""
    first = here.login()
    here.refresh(first.refresh_token, SHOP, request_id="r1")
    installation.serve_for(11)
    refused(Cause.REUSED, here.refresh, first.refresh_token, request_id="r1")


def test_second_tab_shares_the_successor(here: Process) -> None:
    """Inside the retry window a second holder gets the same successor."""
    first = here.login()
    one, _ = here.refresh(first.refresh_token)
    other, outcome = here.refresh(first.refresh_token)
    assert (Outcome.SHARED, one.refresh_token) == (outcome, other.refresh_token)


def test_forgiving_profile_hands_out_a_sibling() -> None:
    """Under the forgiving profile a spent token gets a successor with a number of its own."""
    installation = Installation(Policy(profile=Profile.FORGIVING))
    first = installation.here.login()
    one, _ = installation.here.refresh(first.refresh_token)
    installation.serve_for(11)
    other, outcome = installation.here.refresh(first.refresh_token)
    assert (Outcome.REPLACED, one.generation + 1) == (outcome, other.generation)


def test_spent_token_ends_its_session(installation: Installation, here: Process) -> None:
    """A spent token that proves nothing ends its session for everyone, access tokens too."""
    first = here.login()
    newest, _ = here.refresh(first.refresh_token)
    installation.serve_for(11)
    error = refused(Cause.REUSED, here.refresh, first.refresh_token)
    assert session_id_text(first.session_id) == error.session_id
    refused(Cause.REUSED, here.refresh, newest.refresh_token)
    with pytest.raises(Exception, match="INVALID_ACCESS_TOKEN: REUSED"):
        here.verify(newest.access_token)


def test_reuse_can_cut_the_subject() -> None:
    """Where the policy says so, reuse revokes every session of the subject in the same transaction."""
    installation = Installation(Policy(revoke_subject_on_reuse=True))
    here = installation.here
    other, first = here.login(), here.login()
    here.refresh(first.refresh_token)
    installation.serve_for(11)
    refused(Cause.REUSED, here.refresh, first.refresh_token)
    refused(Cause.SUBJECT_REVOKED, here.refresh, other.refresh_token)


def test_late_copy_keeps_the_tokens(here: Process) -> None:
    """A straggler gets nothing and ends nothing."""
    first = here.login()
    second, _ = here.refresh(first.refresh_token)
    third, _ = here.refresh(second.refresh_token)
    refused(Cause.SUPERSEDED, here.refresh, first.refresh_token)
    assert here.refresh(third.refresh_token)[1] is Outcome.ROTATED


def test_token_newer_than_the_record(installation: Installation, here: Process) -> None:
    """A token that the record does not know yet is state lost."""
    first = here.login()
    before = installation.record(first.session_id)
    newer, _ = here.refresh(first.refresh_token)
    put(installation, before)
    refused(Cause.STATE_LOST, here.refresh, newer.refresh_token)


def test_unknown_session(installation: Installation, here: Process) -> None:
    """A well-signed token of a session that is not in the store is UNKNOWN_SESSION, and leaves no trace."""
    ring = here.keys.snapshot()
    claims = RefreshClaims(b"0123456789abcdef", 0, installation.now, installation.now + 100)
    error = refused(Cause.UNKNOWN_SESSION, here.refresh, ring.sign_refresh(ring.active_refresh_key_id, claims))
    assert session_id_text(b"0123456789abcdef") == error.session_id
    assert [] == installation.events()


@pytest.mark.parametrize("kind", list(ScopeKind))
def test_cut_session(installation: Installation, here: Process, kind: ScopeKind) -> None:
    """A cut refuses the tokens of every session under it."""
    first = here.login()
    installation.cut(kind)
    causes = {
        ScopeKind.ALL: Cause.ALL_REVOKED,
        ScopeKind.TENANT: Cause.TENANT_REVOKED,
        ScopeKind.SUBJECT: Cause.SUBJECT_REVOKED,
    }
    refused(causes[kind], here.refresh, first.refresh_token)


def test_last_generation_cannot_be_refreshed(installation: Installation, here: Process) -> None:
    """The line of tokens ends with the last u32: it is handed out, and cannot be traded."""
    first = here.login()
    put(installation, replace(installation.record(first.session_id), pending=LAST_GENERATION - 1))
    session = installation.record(first.session_id)
    ring = here.keys.snapshot()
    claims = RefreshClaims(session.id, LAST_GENERATION - 1, session.pending_by.at, session.expires_at)
    last, _ = here.refresh(ring.sign_refresh(session.pending_by.key_id, claims))
    assert LAST_GENERATION == last.generation == here.verify(last.access_token).generation
    refused(Cause.EXPIRED, here.refresh, last.refresh_token)


@pytest.mark.parametrize("caller", [OTHERS, NOBODYS])
def test_caller_of_another_tenant(installation: Installation, here: Process, caller: Caller) -> None:
    """A caller that may not act for the session's tenant is refused with WRONG_TENANT; the token is not spent."""
    first = here.login()
    refused(Cause.WRONG_TENANT, here.refresh, first.refresh_token, caller)
    (refusal,) = installation.record(first.session_id).refusals
    assert (Cause.WRONG_TENANT, 1) == (refusal.cause, refusal.count)
    assert here.refresh(first.refresh_token, SHOP)[1] is Outcome.ROTATED


def test_caller_that_names_another_tenant(here: Process) -> None:
    """A caller that may act for every tenant is refused a session of another one than it named."""
    first = here.login()
    refused(Cause.WRONG_TENANT, here.refresh, first.refresh_token, tenant="other")
    assert here.refresh(first.refresh_token, tenant="acme")[1] is Outcome.ROTATED


def test_caller_that_may_not_name_a_tenant(here: Process) -> None:
    """A caller cannot name a tenant that it may not act for."""
    with pytest.raises(PermissionDeniedError):
        here.refresh(here.login().refresh_token, SHOP, tenant="other")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"retry_key": b"k" * 15}, "retry_key"),
        ({"retry_key": b"k" * 65}, "retry_key"),
        ({"request_id": "r" * 65}, "request_id"),
        ({"device": Device(ip="nowhere")}, "device.ip"),
        ({"tenant": "t" * 64}, "tenant"),
    ],
)
def test_bad_field(here: Process, fields: dict[str, str], field: str) -> None:
    """A field out of its limits is refused under its name, and the token is not spent."""
    first = here.login()
    with pytest.raises(InvalidRequestError) as caught:
        here.refresh(first.refresh_token, **fields)  # type: ignore[arg-type]
    assert [field] == [name for name, _ in caught.value.violations]
    assert here.refresh(first.refresh_token)[0].generation == 1


def test_refused_text_never_reaches_the_store(installation: Installation, here: Process) -> None:
    """What is refused by its text, its signature or its expiry causes no write."""
    first = here.login(login=Login("acme", "alice", absolute_seconds=60, idle_seconds=60))
    before = installation.store.n_writes
    refused(Cause.MALFORMED, here.refresh, "sdr_")
    refused(Cause.WRONG_TOKEN_KIND, here.refresh, first.access_token)
    refused(Cause.TAMPERED, here.refresh, first.refresh_token[:-1] + ("A" if first.refresh_token[-1] != "A" else "B"))
    installation.clock.advance(60)
    refused(Cause.EXPIRED, here.refresh, first.refresh_token)
    assert before == installation.store.n_writes


def test_idle_session(installation: Installation, here: Process) -> None:
    """A session that nobody refreshed for its idle limit is over, though its refresh token has not expired."""
    first = here.login(login=Login("acme", "alice", idle_seconds=60))
    installation.clock.advance(60)
    refused(Cause.IDLE_TIMEOUT, here.refresh, first.refresh_token)


def test_clock_that_was_never_set(installation: Installation, here: Process) -> None:
    """By a wall clock at which no access token can be issued the refresh token is not spent."""
    first = here.login()
    back = installation.now - ACCESS_INSTANTS.start + 1
    installation.clock.step_wall(-back)
    with pytest.raises(InternalFaultError, match="wall clock"):
        here.refresh(first.refresh_token)
    installation.clock.step_wall(back)
    assert here.refresh(first.refresh_token)[0].generation == 1


def test_clock_that_stepped_back_logs_nobody_out(installation: Installation, here: Process) -> None:
    """A refresh by a clock that stepped back works, and ends nothing earlier or later."""
    first = here.login()
    installation.clock.step_wall(-3600)
    issued, outcome = here.refresh(first.refresh_token)
    assert (Outcome.ROTATED, first.refresh_expires_at) == (outcome, issued.refresh_expires_at)
    assert installation.now == here.verify(issued.access_token).issued_at


@pytest.mark.parametrize("n_callers", [2, 8])
def test_racing_refreshes_make_one_generation(installation: Installation, here: Process, n_callers: int) -> None:
    """Of callers that present one token at once, one rotates; all get the very same successor."""
    first = here.login()
    start = threading.Barrier(n_callers)

    def present(_number: int) -> tuple[str, Outcome]:
        start.wait(20)
        issued, outcome = here.refresh(first.refresh_token)
        return issued.refresh_token, outcome

    with ThreadPoolExecutor(n_callers) as pool:
        answers = list(pool.map(present, range(n_callers)))
    assert 1 == len({token for token, _ in answers})
    assert [Outcome.ROTATED] + [Outcome.SHARED] * (n_callers - 1) == sorted(
        (outcome for _, outcome in answers), key=lambda outcome: outcome.value
    )
    assert installation.record(first.session_id).pending == 1


def test_key_activated_before_the_write(installation: Installation, here: Process) -> None:
    """A decision made with the keyset before a key change is made again: the new key signs."""
    there = installation.process("there")
    first = here.login()
    installation.store.meanwhile = [lambda: there.rotate_key(Purpose.REFRESH, immediately=True)]
    issued, outcome = here.refresh(first.refresh_token)
    active = there.keys.snapshot().active_refresh_key_id
    assert (Outcome.ROTATED, 1, active) == (outcome, issued.generation, read_refresh(issued.refresh_token).key_id)
    assert [EventKind.SESSION_CREATED, EventKind.REFRESH_ROTATED] == installation.events()


def test_access_key_revoked_before_the_write(installation: Installation, here: Process) -> None:
    """An access token is never signed by a key that was revoked before the refresh was written."""
    there = installation.process("there")
    first = here.login()
    installation.store.meanwhile = [lambda: there.revoke_active_key(Purpose.ACCESS)]
    issued, _ = here.refresh(first.refresh_token)
    assert there.verify(issued.access_token).generation == 1


def test_token_whose_key_is_revoked_before_the_write(installation: Installation, here: Process) -> None:
    """A token that was good when it was read is refused where its key was revoked before the write."""
    there = installation.process("there")
    first = here.login()
    installation.store.meanwhile = [lambda: there.revoke_active_key(Purpose.REFRESH)]
    refused(Cause.KEY_REVOKED, here.refresh, first.refresh_token)
    assert [EventKind.SESSION_CREATED] == installation.events()


def test_login_while_the_key_changes(installation: Installation, here: Process) -> None:
    """A login that meets a newer keyset in the store is decided again with it, and leaves one session."""
    there = installation.process("there")
    installation.store.meanwhile = [
        lambda: there.revoke_active_key(Purpose.REFRESH),
        lambda: there.rotate_key(Purpose.REFRESH, immediately=True),
    ]
    issued = here.login()
    assert there.keys.snapshot().active_refresh_key_id == read_refresh(issued.refresh_token).key_id
    assert [EventKind.SESSION_CREATED] == installation.events()
    assert there.refresh(issued.refresh_token)[1] is Outcome.ROTATED


def test_steady_revocations_do_not_stop_a_refresh(installation: Installation, here: Process) -> None:
    """A revocation of another session between decision and write is no newer keyset: one write is enough."""
    first, other = here.login(), here.login()
    before = installation.store.n_writes
    installation.store.meanwhile = [lambda: here.revoke(other.session_id)]
    assert here.refresh(first.refresh_token)[1] is Outcome.ROTATED
    assert before + 2 == installation.store.n_writes


def test_token_of_a_key_that_another_process_made(installation: Installation, here: Process) -> None:
    """A token of a key that this process has not heard of is good: it catches up before it calls the key unknown."""
    there = installation.process("there")
    there.rotate_key(Purpose.REFRESH, immediately=True)
    assert here.refresh(there.login().refresh_token)[1] is Outcome.ROTATED


def test_token_of_another_authority(here: Process) -> None:
    """A token of a key that no process knows is UNKNOWN_KEY."""
    stranger = Installation().process("stranger")
    refused(Cause.UNKNOWN_KEY, here.refresh, stranger.login().refresh_token)


def test_unknown_key_while_the_store_cannot_be_read(installation: Installation, here: Process) -> None:
    """Nobody is told to log in again because of a key while the store cannot say whether it exists."""
    there = installation.process("there")
    there.rotate_key(Purpose.REFRESH, immediately=True)
    token = there.login().refresh_token
    installation.store.down = True
    with pytest.raises(StoreUnavailableError):
        here.refresh(token)


def test_successor_of_a_revoked_key_is_replaced(here: Process) -> None:
    """Where the successor's key was revoked and the presented one is good, a new one takes its place."""
    first = here.login()
    here.rotate_key(Purpose.REFRESH, immediately=True)
    dead, _ = here.refresh(first.refresh_token, retry_key=RETRY_KEY)
    here.revoke_active_key(Purpose.REFRESH)
    issued, outcome = here.refresh(first.refresh_token, retry_key=RETRY_KEY)
    assert (Outcome.REPLACED, dead.generation + 1) == (outcome, issued.generation)
    assert here.refresh(issued.refresh_token)[1] is Outcome.ROTATED


def test_retiring_key_makes_its_tokens_again(here: Process) -> None:
    """A RETIRING key still signs the pending tokens that were made under it."""
    first = here.login()
    lost, _ = here.refresh(first.refresh_token, retry_key=RETRY_KEY)
    here.rotate_key(Purpose.REFRESH, immediately=True)
    again, outcome = here.refresh(first.refresh_token, retry_key=RETRY_KEY)
    assert (Outcome.RETRIED, lost.refresh_token) == (outcome, again.refresh_token)
