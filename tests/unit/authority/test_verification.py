"""Verify: which access tokens are accepted, and the first cause that refuses one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sessiond.authority.caller import LOCAL, Caller
from sessiond.authority.sessions import Login
from sessiond.errors import (
    Cause,
    InvalidAccessToken,
    InvalidRequestError,
    PermissionDeniedError,
    StoreUnavailableError,
)
from sessiond.ids import session_id_text
from sessiond.store.records import Purpose, ScopeKind
from tests.unit.authority.installation import AUDIENCE, Installation, Process

SHOP = Caller("shop", frozenset({"verifier"}), frozenset({"acme"}))
OTHERS = Caller("others", frozenset({"verifier"}), frozenset({"other"}))


def verify(here: Process, token: str, caller: Caller = LOCAL, **fields: object) -> tuple[object, int]:
    """Judge a token; what is not said is not asked for."""
    asked = {"audience": "", "tenant": "", "min_revision": 0, "now": here.clock.wall_ms() // 1000, **fields}
    return here.verification.verify(caller, token, **asked)  # type: ignore[arg-type]


def refused(cause: Cause, here: Process, token: str, caller: Caller = LOCAL, **fields: object) -> InvalidAccessToken:
    """Judge a token that must be refused with *cause*."""
    with pytest.raises(InvalidAccessToken) as caught:
        verify(here, token, caller, **fields)
    assert cause is caught.value.cause
    return caught.value


def test_good_token_is_accepted(installation: Installation, here: Process) -> None:
    """A good token is accepted for whoever may act for its tenant, with the revision that it was judged with."""
    issued = here.login()
    for caller, tenant in ((LOCAL, ""), (LOCAL, "acme"), (SHOP, ""), (SHOP, "acme")):
        token, revision = verify(here, issued.access_token, caller, tenant=tenant)
        assert (issued.session_id, installation.store.revision()) == (
            token.session_id,  # type: ignore[attr-defined]
            revision,
        )


def test_audience_that_is_meant(here: Process) -> None:
    """Where a call names no audience the configured one is meant; another one is WRONG_AUDIENCE."""
    ours = here.login().access_token
    theirs = here.login(login=Login("acme", "alice", audience="billing")).access_token
    assert verify(here, ours, audience=AUDIENCE)
    assert verify(here, theirs, audience="billing")
    refused(Cause.WRONG_AUDIENCE, here, theirs)
    refused(Cause.WRONG_AUDIENCE, here, ours, audience="billing")


def test_tenant_of_another_caller(here: Process) -> None:
    """A token of a tenant that the caller may not act for, or did not name, is WRONG_TENANT."""
    issued = here.login()
    assert (
        session_id_text(issued.session_id) == refused(Cause.WRONG_TENANT, here, issued.access_token, OTHERS).session_id
    )
    refused(Cause.WRONG_TENANT, here, issued.access_token, tenant="other")


def test_tenant_that_the_caller_may_not_name(here: Process) -> None:
    """A caller cannot name a tenant that it may not act for."""
    with pytest.raises(PermissionDeniedError):
        verify(here, here.login().access_token, SHOP, tenant="other")


@pytest.mark.parametrize(("fields", "field"), [({"audience": "a" * 256}, "audience"), ({"tenant": "\0"}, "tenant")])
def test_bad_field(here: Process, fields: dict[str, Any], field: str) -> None:
    """A field out of its limits is refused under its name."""
    with pytest.raises(InvalidRequestError) as caught:
        verify(here, "", **fields)
    assert [field] == [name for name, _ in caught.value.violations]


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (ScopeKind.SUBJECT, Cause.SUBJECT_REVOKED),
        (ScopeKind.TENANT, Cause.TENANT_REVOKED),
        (ScopeKind.ALL, Cause.ALL_REVOKED),
    ],
)
def test_cut_session(installation: Installation, here: Process, kind: ScopeKind, cause: Cause) -> None:
    """A token of a session that a cut covers is refused; one of a session that came after it is accepted."""
    before = here.login()
    installation.cut(kind)
    assert session_id_text(before.session_id) == refused(cause, here, before.access_token).session_id
    assert verify(here, here.login().access_token)


def test_order_of_judgement(installation: Installation, here: Process) -> None:
    """The text comes first, then the tenant, then the session's own end, then the cuts."""
    issued = here.login(login=Login("acme", "alice", access_seconds=100))
    installation.cut(ScopeKind.SUBJECT)
    refused(Cause.SUBJECT_REVOKED, here, issued.access_token)
    other = here.login()
    here.revoke(other.session_id)
    installation.cut(ScopeKind.SUBJECT)
    refused(Cause.REVOKED, here, other.access_token)
    refused(Cause.WRONG_TENANT, here, other.access_token, tenant="other")
    refused(Cause.WRONG_AUDIENCE, here, other.access_token, tenant="other", audience="billing")
    refused(Cause.EXPIRED, here, other.access_token, audience="billing", now=installation.now + 300)
    here.revoke_active_key(Purpose.ACCESS)
    refused(Cause.KEY_REVOKED, here, other.access_token, now=installation.now + 300)


def test_leeway_stretches_the_start_alone(installation: Installation, here: Process) -> None:
    """A token may be used the leeway before its issue, and not one second after its end."""
    issued = here.login()
    leeway = installation.policy.leeway_seconds
    assert verify(here, issued.access_token, now=issued.issued_at - leeway)
    refused(Cause.NOT_YET_VALID, here, issued.access_token, now=issued.issued_at - leeway - 1)
    assert verify(here, issued.access_token, now=issued.access_expires_at - 1)
    refused(Cause.EXPIRED, here, issued.access_token, now=issued.access_expires_at)


def test_idle_session(installation: Installation, here: Process) -> None:
    """Idleness ends refresh tokens alone."""
    issued = here.login(login=Login("acme", "alice", idle_seconds=60))
    installation.clock.advance(100)
    assert verify(here, issued.access_token)


def test_revision_that_is_not_reached(installation: Installation, here: Process) -> None:
    """A token is judged with no less than the revision that was asked for, or not at all."""
    token = here.login().access_token
    revision = installation.store.revision()
    assert revision == verify(here, token, min_revision=revision)[1]
    with pytest.raises(StoreUnavailableError, match=f"revision {revision} and has not reached min_revision"):
        verify(here, token, min_revision=revision + 1)


def test_store_that_cannot_be_read(installation: Installation, here: Process) -> None:
    """Where this process cannot learn what was revoked, no token is accepted."""
    token = here.login().access_token
    installation.store.down = True
    with pytest.raises(StoreUnavailableError):
        verify(here, token)


def test_key_that_another_process_made(installation: Installation, here: Process) -> None:
    """A token of a key that another process has made a moment ago is accepted."""
    there = installation.process("there")
    there.rotate_key(Purpose.ACCESS, immediately=True)
    assert verify(here, there.login().access_token)


def test_key_that_another_process_revoked(installation: Installation, here: Process) -> None:
    """A token of a key that another process has revoked a moment ago is refused."""
    there = installation.process("there")
    issued = here.login()
    there.revoke_active_key(Purpose.ACCESS)
    refused(Cause.KEY_REVOKED, here, issued.access_token)


def test_token_of_any_spelling_but_its_own(here: Process) -> None:
    """What is around a token is not cut away."""
    issued = here.login()
    for text in ("", " " + issued.access_token, issued.access_token + "\n", issued.refresh_token[:-1]):
        refused(Cause.MALFORMED, here, text)
    refused(Cause.WRONG_TOKEN_KIND, here, issued.refresh_token)


def test_claims_of_the_session_at_its_issue(here: Process) -> None:
    """The token carries the claims of its session, verbatim."""
    login = replace(Login("acme", "alice"), claims_json='{"a": 5.0, "b": 9007199254740993}')
    token, _ = verify(here, here.login(login=login).access_token)
    assert '{"a": 5.0, "b": 9007199254740993}' == token.claims_json  # type: ignore[attr-defined]
