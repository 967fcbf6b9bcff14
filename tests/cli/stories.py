"""
One story for each cause: how a token comes to be refused with it, and what ``sessiond explain`` is asked about it.

Clock, addresses, session ids and keys are the same in every run, so the screens are too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog

from sessiond.errors import Cause
from sessiond.store.contract import Change, View
from sessiond.v1 import key_service_pb2, session_pb2, session_service_pb2
from tests.cli.shell import run
from tests.rpc.world import World, world
from tests.unit.authority.installation import Entropy

LAPTOP = {"label": "Firefox on Linux", "ip": "192.0.2.7", "user_agent": "Firefox/140"}
TRAIN = {"ip": "198.51.100.20", "user_agent": "Firefox/140"}
THIEF = {"ip": "203.0.113.66", "user_agent": "curl/8.5"}
CLAIMS = '{"role":"admin","plan":"gold"}'


@dataclass(frozen=True)
class Story:
    """
    What happens, and what is asked then: the token and the options of the command.

    ``cause`` is what the screen must name, None where the authority finds nothing wrong.
    """

    name: str
    cause: Cause | None
    happen: Callable[[World], list[str]]
    settings: dict[str, Any] = field(default_factory=dict)


STORIES: list[Story] = []

Happening = Callable[[World], list[str]]


def story(cause: Cause | None, name: str = "", **settings: Any) -> Callable[[Happening], Happening]:
    """Enter a story; its name is that of its cause where it has no other."""

    def enter(happen: Happening) -> Happening:
        STORIES.append(Story(name or (cause.name if cause is not None else ""), cause, happen, settings))
        return happen

    return enter


def told(one: Story) -> tuple[str, dict[str, Any]]:
    """Play a story, and give what ``sessiond explain`` shows people of it, and machines."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with world(entropy=Entropy(one.name), **one.settings) as here:
        asked = ["--target", here.app.address, "explain", *one.happen(here)]
        shown = run(*asked, env={"COLUMNS": "100"})
        value = run(*asked, "--json").value
    structlog.reset_defaults()
    assert (0, "") == (shown.code, shown.err)
    return shown.out, value


def opened(here: World, **fields: Any) -> session_pb2.IssuedTokens:
    """Open a session on Alice's laptop."""
    return here.login(client_id="web", device=LAPTOP, **{"claims_json": CLAIMS, **fields})


def traded(here: World, tokens: session_pb2.IssuedTokens, times: int = 1, **fields: Any) -> session_pb2.IssuedTokens:
    """Refresh some times, five minutes apart."""
    for _ in range(times):
        here.serve_for(300)
        tokens = here.refresh(tokens.refresh_token, **{"device": TRAIN, **fields}).tokens
    return tokens


def refused(here: World, refresh_token: str, device: dict[str, str]) -> None:
    """Present a refresh token that must be refused."""
    with contextlib.suppress(grpc.RpcError):
        here.refresh(refresh_token, device=device)
        raise AssertionError


@story(None, "GOOD_ACCESS_TOKEN")
def _good_access(here: World) -> list[str]:
    return [traded(here, opened(here), 12).access_token]


@story(None, "GOOD_REFRESH_TOKEN")
def _good_refresh(here: World) -> list[str]:
    return [traded(here, opened(here), 3).refresh_token]


@story(None, "GOOD_FOR_A_MOMENT")
def _shared(here: World) -> list[str]:
    tokens = traded(here, opened(here), 2)
    here.refresh(tokens.refresh_token, device=TRAIN)
    here.serve_for(4)
    return [tokens.refresh_token]


@story(Cause.MALFORMED)
def _malformed(here: World) -> list[str]:
    return [opened(here).refresh_token[:100]]


@story(Cause.MALFORMED, "MALFORMED_NO_TOKEN")
def _no_token(_here: World) -> list[str]:
    return ["hunter2"]


@story(Cause.UNKNOWN_KEY)
def _unknown_key(_here: World) -> list[str]:
    with world(entropy=Entropy("another authority")) as other:
        return [opened(other).access_token]


@story(Cause.KEY_REVOKED)
def _key_revoked(here: World) -> list[str]:
    token = traded(here, opened(here)).refresh_token
    here.serve_for(60)
    keyset = here.keys.GetKeyset(key_service_pb2.GetKeysetRequest(purpose="KEY_PURPOSE_REFRESH"))
    active = next(key for key in keyset.keys if key.state == key_service_pb2.KEY_STATE_ACTIVE)
    here.keys.RevokeKey(key_service_pb2.RevokeKeyRequest(key_id=active.key_id, reason="leaked", actor="bob"))
    return [token]


@story(Cause.TAMPERED)
def _tampered(here: World) -> list[str]:
    token = opened(here).access_token
    return [token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]]


@story(Cause.NOT_YET_VALID)
def _not_yet_valid(here: World) -> list[str]:
    token = opened(here).access_token
    here.clock.step_wall(-120)
    return [token]


@story(Cause.EXPIRED)
def _expired(here: World) -> list[str]:
    token = traded(here, opened(here)).access_token
    here.serve_for(420)
    return [token]


@story(Cause.EXPIRED, "EXPIRED_AFTER_A_THEFT")
def _expired_and_reused(here: World) -> list[str]:
    stolen = opened(here)
    newest = traded(here, stolen, 3)
    here.serve_for(60)
    refused(here, stolen.refresh_token, THIEF)
    here.serve_for(3600)
    return [newest.access_token]


@story(Cause.IDLE_TIMEOUT)
def _idle(here: World) -> list[str]:
    token = traded(here, opened(here, idle_lifetime={"seconds": 900})).refresh_token
    here.clock.advance(1000)
    return [token]


@story(Cause.REVOKED)
def _revoked(here: World) -> list[str]:
    tokens = traded(here, opened(here), 5)
    here.clock.advance(40)
    here.revoke(tokens.session_id, reason="logout", actor="alice")
    here.clock.advance(20)
    return [tokens.refresh_token]


@story(Cause.EVICTED, policy={"max_sessions": 1, "at_max_sessions": "evict_oldest"})
def _evicted(here: World) -> list[str]:
    tokens = traded(here, opened(here), 2)
    here.clock.advance(60)
    here.login(client_id="mobile", device={"label": "Pixel", "ip": "192.0.2.99"})
    here.clock.advance(60)
    return [tokens.access_token]


@story(Cause.SUBJECT_REVOKED)
def _subject_revoked(here: World) -> list[str]:
    tokens = traded(here, opened(here), 2)
    here.clock.advance(30)
    request = session_service_pb2.RevokeSubjectRequest(
        tenant="acme", subject="alice", reason="password changed", actor="alice"
    )
    here.sessions.RevokeSubject(request)
    return [tokens.access_token]


@story(Cause.TENANT_REVOKED)
def _tenant_revoked(here: World) -> list[str]:
    tokens = opened(here)
    here.clock.advance(30)
    here.sessions.RevokeTenant(
        session_service_pb2.RevokeTenantRequest(tenant="acme", reason="contract ended", actor="bob")
    )
    return [tokens.refresh_token]


@story(Cause.ALL_REVOKED)
def _all_revoked(here: World) -> list[str]:
    tokens = opened(here)
    here.clock.advance(30)
    here.sessions.RevokeAll(session_service_pb2.RevokeAllRequest(reason="incident 7", actor="bob"))
    return [tokens.refresh_token]


@story(Cause.REUSED)
def _reused(here: World) -> list[str]:
    tokens = traded(here, opened(here), 2)
    stolen = tokens.refresh_token
    newest = traded(here, tokens, 3)
    here.serve_for(125)
    refused(here, stolen, THIEF)
    here.serve_for(35)
    refused(here, newest.refresh_token, TRAIN)
    return [newest.refresh_token]


@story(Cause.REUSED, "REUSED_IF_PRESENTED")
def _reused_if_presented(here: World) -> list[str]:
    tokens = traded(here, opened(here), 2)
    traded(here, tokens, 3)
    return [tokens.refresh_token]


@story(Cause.SUPERSEDED)
def _superseded(here: World) -> list[str]:
    tokens = traded(here, opened(here))
    here.refresh(here.refresh(tokens.refresh_token, device=TRAIN).tokens.refresh_token, device=TRAIN)
    refused(here, tokens.refresh_token, TRAIN)
    here.serve_for(3)
    return [tokens.refresh_token]


@story(Cause.STATE_LOST)
def _state_lost(here: World) -> list[str]:
    tokens = traded(here, opened(here))
    before = here.record(tokens.session_id)
    newer = traded(here, tokens, 2)

    def put_back(_view: View) -> Change[None]:
        """Replace the record by an older one, as a restored backup would."""
        return Change(None, session=before)

    here.store.rotate(before.id, put_back)
    here.serve_for(60)
    refused(here, newer.refresh_token, TRAIN)
    return [newer.refresh_token]


@story(Cause.UNKNOWN_SESSION)
def _unknown_session(here: World) -> list[str]:
    token = opened(here).refresh_token
    here.store.sweep(1 << 40, 0, 1000)
    return [token]


@story(Cause.WRONG_TENANT)
def _wrong_tenant(here: World) -> list[str]:
    return [opened(here).access_token, "--tenant", "umbrella"]


@story(None, "WRONG_TOKEN_KIND")
def _wrong_kind(here: World) -> list[str]:
    return [opened(here).refresh_token]


@story(Cause.WRONG_AUDIENCE)
def _wrong_audience(here: World) -> list[str]:
    return [opened(here, audience="orders").access_token, "--audience", "billing"]


@story(None, "VERIFIER_STALE")
def _verifier_stale(here: World) -> list[str]:
    return [opened(here).access_token]
