"""Every cause over the wire: what a caller reads for each way in which a token can be bad."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from sessiond.errors import Cause, InvalidAccessToken, InvalidRefreshToken
from sessiond.store.contract import Change, View
from sessiond.store.records import Session
from sessiond.v1 import key_service_pb2, session_pb2, session_service_pb2
from tests.rpc.answers import Refusal, refusal, refused
from tests.rpc.world import World, world

RETRY_KEY = b"k" * 32


@dataclass(frozen=True)
class Case:
    """One way to be refused: how it comes about, and the cause it must have."""

    name: str
    cause: Cause
    happen: Callable[[World], Refusal]
    known: bool
    """Whether the session is named, which takes a good signature."""


REFRESH: list[Case] = []
ACCESS: list[Case] = []
NAMED_BY_REFRESH: list[Case] = []
NAMED_BY_ACCESS: list[Case] = []
"""The last two: the token names a session that is to be ended."""


def case(table: list[Case], cause: Cause, *, known: bool) -> Callable[[Callable[[World], Refusal]], None]:
    """Enter a function into a table."""

    def enter(happen: Callable[[World], Refusal]) -> None:
        table.append(Case(happen.__name__.strip("_"), cause, happen, known))

    return enter


def refused_refresh(here: World, token: str, **fields: object) -> Refusal:
    """Present a refresh token that must be refused."""
    return refusal(here.refresh, token, **fields)


def refused_verify(here: World, token: str, **fields: object) -> Refusal:
    """Present an access token that must be refused."""
    return refusal(here.verify, token, **fields)


def refused_revocation(here: World, token: str) -> Refusal:
    """End the session that a token names, which must be refused."""
    return refusal(here.sessions.RevokeSession, session_service_pb2.RevokeSessionRequest(token=token))


def cut_subject(here: World) -> None:
    """End every session of alice of acme."""
    here.sessions.RevokeSubject(session_service_pb2.RevokeSubjectRequest(tenant="acme", subject="alice"))


def cut_tenant(here: World) -> None:
    """End every session of acme."""
    here.sessions.RevokeTenant(session_service_pb2.RevokeTenantRequest(tenant="acme"))


def cut_all(here: World) -> None:
    """End every session."""
    here.sessions.RevokeAll(session_service_pb2.RevokeAllRequest())


@contextmanager
def evicting(here: World) -> Iterator[tuple[World, session_pb2.IssuedTokens]]:
    """Serve by the clock of *here* with one session for each subject, and give one that another has evicted."""
    limit = {"max_sessions": 1, "at_max_sessions": "evict_oldest"}
    with world(clock=here.clock, policy=limit) as other:
        tokens = other.login()
        other.login()
        yield other, tokens


def put_back(here: World, before: Session) -> None:
    """Replace a session's record by an older one, as a restored backup would."""

    def decide(_view: View) -> Change[None]:
        return Change(None, session=before)

    here.store.rotate(before.id, decide)


def revoke_active_key(here: World, purpose: str) -> None:
    """Revoke the key that signs."""
    keyset = here.keys.GetKeyset(key_service_pb2.GetKeysetRequest(purpose=f"KEY_PURPOSE_{purpose}"))
    active = next(key for key in keyset.keys if key.state == key_service_pb2.KEY_STATE_ACTIVE)
    here.keys.RevokeKey(key_service_pb2.RevokeKeyRequest(key_id=active.key_id, reason="test"))


@case(REFRESH, Cause.MALFORMED, known=False)
def _no_bytes(here: World) -> Refusal:
    return refused_refresh(here, "")


@case(REFRESH, Cause.MALFORMED, known=False)
def _one_byte(here: World) -> Refusal:
    return refused_refresh(here, "s")


@case(REFRESH, Cause.MALFORMED, known=False)
def _wrong_alphabet(here: World) -> Refusal:
    token = here.login().refresh_token
    return refused_refresh(here, token[:80] + "+" + token[81:])


@case(REFRESH, Cause.MALFORMED, known=False)
def _text_glued_before(here: World) -> Refusal:
    return refused_refresh(here, "x" + here.login().refresh_token)


@case(REFRESH, Cause.MALFORMED, known=False)
def _text_glued_after(here: World) -> Refusal:
    return refused_refresh(here, here.login().refresh_token + "=")


@case(REFRESH, Cause.MALFORMED, known=False)
def _white_space_after(here: World) -> Refusal:
    return refused_refresh(here, here.login().refresh_token + "\n")


@case(REFRESH, Cause.MALFORMED, known=False)
def _text_beyond_ascii(here: World) -> Refusal:
    return refused_refresh(here, here.login().refresh_token[:-1] + "é")


@case(REFRESH, Cause.WRONG_TOKEN_KIND, known=False)
def _access_token_given_to_refresh(here: World) -> Refusal:
    return refused_refresh(here, here.login().access_token)


@case(REFRESH, Cause.UNKNOWN_KEY, known=False)
def _refresh_token_of_another_authority(here: World) -> Refusal:
    with world() as other:
        return refused_refresh(here, other.login().refresh_token)


@case(REFRESH, Cause.KEY_REVOKED, known=False)
def _refresh_key_revoked(here: World) -> Refusal:
    token = here.login().refresh_token
    revoke_active_key(here, "REFRESH")
    return refused_refresh(here, token)


@case(REFRESH, Cause.TAMPERED, known=False)
def _refresh_signature_changed(here: World) -> Refusal:
    token = here.login().refresh_token
    return refused_refresh(here, token[:-1] + ("A" if token[-1] != "A" else "B"))


@case(REFRESH, Cause.EXPIRED, known=True)
def _refresh_token_expired(here: World) -> Refusal:
    token = here.login(absolute_lifetime={"seconds": 60}, idle_lifetime={"seconds": 60}).refresh_token
    here.clock.advance(60)
    return refused_refresh(here, token)


@case(REFRESH, Cause.UNKNOWN_SESSION, known=True)
def _session_gone(here: World) -> Refusal:
    token = here.login().refresh_token
    here.store.sweep(1 << 40, 0, 1000)
    return refused_refresh(here, token)


@case(REFRESH, Cause.WRONG_TENANT, known=True)
def _refresh_for_another_tenant(here: World) -> Refusal:
    return refused_refresh(here, here.login().refresh_token, tenant="other")


@case(REFRESH, Cause.REVOKED, known=True)
def _session_revoked(here: World) -> Refusal:
    tokens = here.login()
    here.revoke(tokens.session_id)
    return refused_refresh(here, tokens.refresh_token)


@case(REFRESH, Cause.SUBJECT_REVOKED, known=True)
def _subject_revoked(here: World) -> Refusal:
    tokens = here.login()
    cut_subject(here)
    return refused_refresh(here, tokens.refresh_token)


@case(REFRESH, Cause.TENANT_REVOKED, known=True)
def _tenant_revoked(here: World) -> Refusal:
    tokens = here.login()
    cut_tenant(here)
    return refused_refresh(here, tokens.refresh_token)


@case(REFRESH, Cause.ALL_REVOKED, known=True)
def _everything_revoked(here: World) -> Refusal:
    tokens = here.login()
    cut_all(here)
    return refused_refresh(here, tokens.refresh_token)


@case(REFRESH, Cause.EVICTED, known=True)
def _session_evicted(here: World) -> Refusal:
    with evicting(here) as (other, tokens):
        return refused_refresh(other, tokens.refresh_token)


@case(REFRESH, Cause.IDLE_TIMEOUT, known=True)
def _idle_too_long(here: World) -> Refusal:
    token = here.login(idle_lifetime={"seconds": 60}).refresh_token
    here.clock.advance(61)
    return refused_refresh(here, token)


@case(REFRESH, Cause.SUPERSEDED, known=True)
def _late_copy(here: World) -> Refusal:
    tokens = here.login()
    here.refresh(here.refresh(tokens.refresh_token).tokens.refresh_token)
    return refused_refresh(here, tokens.refresh_token)


@case(REFRESH, Cause.REUSED, known=True)
def _spent_token(here: World) -> Refusal:
    tokens = here.login()
    here.refresh(here.refresh(tokens.refresh_token).tokens.refresh_token)
    here.serve_for(11)
    return refused_refresh(here, tokens.refresh_token)


@case(REFRESH, Cause.REUSED, known=True)
def _successor_after_a_theft_was_seen(here: World) -> Refusal:
    tokens = here.login()
    newest = here.refresh(here.refresh(tokens.refresh_token).tokens.refresh_token).tokens
    here.serve_for(11)
    refused_refresh(here, tokens.refresh_token)
    return refused_refresh(here, newest.refresh_token)


@case(REFRESH, Cause.STATE_LOST, known=True)
def _token_newer_than_the_record(here: World) -> Refusal:
    tokens = here.login()
    before = here.record(tokens.session_id)
    newer = here.refresh(tokens.refresh_token).tokens.refresh_token
    put_back(here, before)
    return refused_refresh(here, newer)


@case(ACCESS, Cause.MALFORMED, known=False)
def _no_bytes_to_verify(here: World) -> Refusal:
    return refused_verify(here, "")


@case(ACCESS, Cause.MALFORMED, known=False)
def _one_byte_to_verify(here: World) -> Refusal:
    return refused_verify(here, "e")


@case(ACCESS, Cause.MALFORMED, known=False)
def _access_text_glued_before(here: World) -> Refusal:
    return refused_verify(here, "Bearer " + here.login().access_token)


@case(ACCESS, Cause.MALFORMED, known=False)
def _access_text_glued_after(here: World) -> Refusal:
    return refused_verify(here, here.login().access_token + "=")


@case(ACCESS, Cause.MALFORMED, known=False)
def _access_wrong_alphabet(here: World) -> Refusal:
    token = here.login().access_token
    return refused_verify(here, token[:-10] + "+" + token[-9:])


@case(ACCESS, Cause.WRONG_TOKEN_KIND, known=False)
def _refresh_token_given_to_verify(here: World) -> Refusal:
    return refused_verify(here, here.login().refresh_token)


@case(ACCESS, Cause.UNKNOWN_KEY, known=False)
def _access_token_of_another_authority(here: World) -> Refusal:
    with world() as other:
        return refused_verify(here, other.login().access_token)


@case(ACCESS, Cause.KEY_REVOKED, known=False)
def _access_key_revoked(here: World) -> Refusal:
    token = here.login().access_token
    revoke_active_key(here, "ACCESS")
    return refused_verify(here, token)


@case(ACCESS, Cause.TAMPERED, known=False)
def _access_signature_changed(here: World) -> Refusal:
    token = here.login().access_token
    return refused_verify(here, token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:])


@case(ACCESS, Cause.NOT_YET_VALID, known=True)
def _issued_in_the_future(here: World) -> Refusal:
    token = here.login().access_token
    here.clock.step_wall(-31)
    return refused_verify(here, token)


@case(ACCESS, Cause.EXPIRED, known=True)
def _access_token_expired(here: World) -> Refusal:
    token = here.login().access_token
    here.clock.advance(300)
    return refused_verify(here, token)


@case(ACCESS, Cause.WRONG_AUDIENCE, known=True)
def _another_audience(here: World) -> Refusal:
    return refused_verify(here, here.login().access_token, audience="other")


@case(ACCESS, Cause.WRONG_TENANT, known=True)
def _verify_for_another_tenant(here: World) -> Refusal:
    return refused_verify(here, here.login().access_token, tenant="other")


@case(ACCESS, Cause.REVOKED, known=True)
def _access_session_revoked(here: World) -> Refusal:
    tokens = here.login()
    here.revoke(tokens.session_id)
    return refused_verify(here, tokens.access_token)


@case(ACCESS, Cause.SUBJECT_REVOKED, known=True)
def _access_subject_revoked(here: World) -> Refusal:
    tokens = here.login()
    cut_subject(here)
    return refused_verify(here, tokens.access_token)


@case(ACCESS, Cause.TENANT_REVOKED, known=True)
def _access_tenant_revoked(here: World) -> Refusal:
    tokens = here.login()
    cut_tenant(here)
    return refused_verify(here, tokens.access_token)


@case(ACCESS, Cause.ALL_REVOKED, known=True)
def _access_everything_revoked(here: World) -> Refusal:
    tokens = here.login()
    cut_all(here)
    return refused_verify(here, tokens.access_token)


@case(ACCESS, Cause.EVICTED, known=True)
def _access_session_evicted(here: World) -> Refusal:
    with evicting(here) as (other, tokens):
        return refused_verify(other, tokens.access_token)


@case(ACCESS, Cause.REUSED, known=True)
def _access_after_a_theft_was_seen(here: World) -> Refusal:
    tokens = here.login()
    here.refresh(here.refresh(tokens.refresh_token).tokens.refresh_token)
    here.serve_for(11)
    refused_refresh(here, tokens.refresh_token)
    return refused_verify(here, tokens.access_token)


@case(ACCESS, Cause.STATE_LOST, known=True)
def _access_after_state_was_lost(here: World) -> Refusal:
    tokens = here.login()
    before = here.record(tokens.session_id)
    newer = here.refresh(tokens.refresh_token).tokens.refresh_token
    put_back(here, before)
    refused_refresh(here, newer)
    return refused_verify(here, tokens.access_token)


@case(NAMED_BY_REFRESH, Cause.MALFORMED, known=False)
def _half_a_refresh_token_to_end(here: World) -> Refusal:
    return refused_revocation(here, here.login().refresh_token[:100])


@case(NAMED_BY_REFRESH, Cause.UNKNOWN_KEY, known=False)
def _refresh_token_of_another_authority_to_end(here: World) -> Refusal:
    with world() as other:
        return refused_revocation(here, other.login().refresh_token)


@case(NAMED_BY_REFRESH, Cause.TAMPERED, known=False)
def _changed_refresh_token_to_end(here: World) -> Refusal:
    token = here.login().refresh_token
    return refused_revocation(here, token[:-1] + ("A" if token[-1] != "A" else "B"))


@case(NAMED_BY_REFRESH, Cause.UNKNOWN_SESSION, known=True)
def _refresh_token_of_a_session_that_is_gone_to_end(here: World) -> Refusal:
    token = here.login().refresh_token
    here.store.sweep(1 << 40, 0, 1000)
    return refused_revocation(here, token)


@case(NAMED_BY_ACCESS, Cause.MALFORMED, known=False)
def _no_token_to_end(here: World) -> Refusal:
    return refused_revocation(here, "")


@case(NAMED_BY_ACCESS, Cause.TAMPERED, known=False)
def _changed_access_token_to_end(here: World) -> Refusal:
    token = here.login().access_token
    return refused_revocation(here, token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:])


@case(NAMED_BY_ACCESS, Cause.UNKNOWN_SESSION, known=True)
def _access_token_of_a_session_that_is_gone_to_end(here: World) -> Refusal:
    token = here.login().access_token
    here.store.sweep(1 << 40, 0, 1000)
    return refused_revocation(here, token)


@pytest.mark.parametrize("one", REFRESH + NAMED_BY_REFRESH, ids=lambda one: one.name)
def test_refused_refresh_token(here: World, one: Case) -> None:
    """A refused refresh token is UNAUTHENTICATED with its exact cause and advice, in every place where they stand."""
    told = one.happen(here)
    assert refused(InvalidRefreshToken, one.cause.name) == told.answer
    assert (one.known, here.clock.wall_ms() // 1000) == (bool(told.session_id), told.server_time)


@pytest.mark.parametrize("one", ACCESS + NAMED_BY_ACCESS, ids=lambda one: one.name)
def test_refused_access_token(here: World, one: Case) -> None:
    """A refused access token is UNAUTHENTICATED with its exact cause and advice, in every place where they stand."""
    told = one.happen(here)
    assert refused(InvalidAccessToken, one.cause.name) == told.answer
    assert (one.known, here.clock.wall_ms() // 1000) == (bool(told.session_id), told.server_time)


def test_table_is_complete() -> None:
    """Every cause that the authority can refuse a token of either kind with is in the table."""
    assert InvalidRefreshToken.causes() == {one.cause for one in REFRESH}
    assert InvalidAccessToken.causes() - {Cause.VERIFIER_STALE} == {one.cause for one in ACCESS + NAMED_BY_ACCESS}
