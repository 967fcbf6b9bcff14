"""DiagnosisService over the wire: what is told, to whom, and that no token is told again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from sessiond.authority.caller import LOCAL, Caller
from sessiond.server import app as server_app
from sessiond.v1 import diagnosis_service_pb2 as pb
from sessiond.v1 import diagnosis_service_pb2_grpc, error_pb2, key_service_pb2, session_pb2
from tests.rpc.answers import Answer, answer, invalid
from tests.rpc.world import World, world

LAPTOP = {"label": "laptop", "ip": "192.0.2.7", "user_agent": "Firefox"}
THIEF = {"ip": "203.0.113.66", "user_agent": "curl"}
NOBODY = Answer("PERMISSION_DENIED", "PERMISSION_DENIED", "", "FIX_THE_CALLER")


def diagnosis(here: World) -> Any:
    """Talk to DiagnosisService."""
    return diagnosis_service_pb2_grpc.DiagnosisServiceStub(here.channel)


def explain(here: World, token: str, **fields: Any) -> pb.ExplainTokenResponse:
    """Explain a token."""
    found: pb.ExplainTokenResponse = diagnosis(here).ExplainToken(pb.ExplainTokenRequest(token=token, **fields))
    return found


def stolen(here: World) -> session_pb2.IssuedTokens:
    """Open a session, refresh it, and let a thief use a spent token; give the newest tokens."""
    first = here.login(device=LAPTOP, claims_json='{"a":1}')
    newest = here.refresh(here.refresh(first.refresh_token, device=LAPTOP).tokens.refresh_token).tokens
    here.serve_for(11)
    with pytest.raises(grpc.RpcError):
        here.refresh(first.refresh_token, device=THIEF)
    return newest


def test_everything_of_an_explanation_arrives(here: World) -> None:
    """Content, key, verdict, session, timeline and both uses are told as the authority has them."""
    tokens = stolen(here)
    found = explain(here, tokens.access_token)
    now = here.clock.wall_ms() // 1000

    assert (pb.TOKEN_KIND_ACCESS, True, key_service_pb2.KEY_STATE_ACTIVE) == (
        found.kind,
        found.signature_good,
        found.key_state,
    )
    assert (error_pb2.CAUSE_REUSED, error_pb2.ADVICE_LOG_IN_AGAIN) == (found.cause, found.advice)
    assert (tokens.session_id, 2, "alice", "acme", '{"a":1}') == (
        found.content.session_id,
        found.content.generation,
        found.content.subject,
        found.content.tenant,
        found.content.claims_json,
    )
    assert (tokens.session_id, session_pb2.SESSION_STATE_ENDED) == (found.session.session_id, found.session.state)
    assert ["SESSION_CREATED", "REFRESH_ROTATED", "REFRESH_ROTATED", "REFRESH_REUSED"] == [
        pb.EventKind.Name(event.kind).removeprefix("EVENT_KIND_") for event in found.timeline
    ]
    reuse = found.reuse
    assert (0, 2, 11) == (reuse.reuse.generation, reuse.generation_distance, reuse.seconds_since_rotation)
    assert ("192.0.2.7", "203.0.113.66", "curl") == (
        reuse.rotation.device.ip,
        reuse.reuse.device.ip,
        reuse.reuse.device.user_agent,
    )
    assert (now, now) == (reuse.reuse.used_at.seconds, found.server_time.seconds)


def test_refresh_token_is_explained_without_effect(here: World) -> None:
    """A spent token is explained as often as one likes; its session lives, and no event tells of it."""
    first = here.login()
    newest = here.refresh(here.refresh(first.refresh_token).tokens.refresh_token).tokens
    here.serve_for(11)
    before = here.contents(first.session_id)
    found = [explain(here, first.refresh_token).cause for _ in range(3)]

    assert [error_pb2.CAUSE_REUSED] * 3 == found
    assert before == here.contents(first.session_id)
    here.refresh(newest.refresh_token)


def test_no_event_and_no_explanation_holds_a_token(here: World) -> None:
    """What is told holds neither a token that was handed out nor the signature of one."""
    tokens = stolen(here)
    told = explain(here, tokens.access_token).SerializeToString()
    told += diagnosis(here).ListEvents(pb.ListEventsRequest()).SerializeToString()

    assert tokens.refresh_token.encode() not in told
    assert tokens.access_token.rpartition(".")[2].encode() not in told


@pytest.mark.parametrize(
    ("call", "request_", "fields"),
    [
        ("ExplainToken", pb.ExplainTokenRequest(), ["token"]),
        ("ExplainToken", pb.ExplainTokenRequest(token="x" * 8193), ["token"]),
        ("ExplainToken", pb.ExplainTokenRequest(token="x", audience="\0", tenant="t" * 64), ["audience", "tenant"]),
        ("ListEvents", pb.ListEventsRequest(page_size=1001), ["page_size"]),
        ("ListEvents", pb.ListEventsRequest(page_size=-1), ["page_size"]),
        ("ListEvents", pb.ListEventsRequest(filter={"session_id": "x"}), ["filter.session_id"]),
        ("ListEvents", pb.ListEventsRequest(filter={"subject": "alice"}), ["filter.tenant"]),
        ("ListEvents", pb.ListEventsRequest(filter={"kinds": [0]}), ["filter.kinds"]),
        ("ListEvents", pb.ListEventsRequest(filter={"kinds": [999]}), ["filter.kinds"]),
        ("ListEvents", pb.ListEventsRequest(filter={"causes": [0]}), ["filter.causes"]),
        ("ListEvents", pb.ListEventsRequest(filter={"causes": [999]}), ["filter.causes"]),
    ],
)
def test_bad_request_is_refused(shared: World, call: str, request_: Any, fields: list[str]) -> None:
    """A field that breaks its limits is named."""
    assert invalid(*fields) == answer(getattr(diagnosis(shared), call), request_)


def test_bad_filter_ends_the_stream(shared: World) -> None:
    """A stream with a bad filter is refused before anything is sent."""
    request = pb.WatchEventsRequest(filter={"subject": "alice"})
    assert invalid("filter.tenant") == answer(lambda: next(diagnosis(shared).WatchEvents(request)))


@pytest.mark.parametrize(
    ("roles", "allowed"),
    [
        ({"auditor"}, {"ExplainToken", "ListEvents", "WatchEvents"}),
        ({"verifier"}, {"ExplainToken"}),
        ({"viewer", "issuer", "refresher", "revoker", "key-admin"}, set()),
    ],
    ids=["auditor", "verifier", "others"],
)
def test_roles(monkeypatch: pytest.MonkeyPatch, roles: set[str], allowed: set[str]) -> None:
    """Events are for auditors; tokens are explained to verifiers too, without their session."""
    with world() as before:
        token, store = before.login().access_token, before.store
        monkeypatch.setattr(server_app, "LOCAL", Caller(LOCAL.name, frozenset(roles), None))
        with world(store=store, clock=before.clock) as here:
            calls: dict[str, Callable[[], Any]] = {
                "ExplainToken": lambda: explain(here, token),
                "ListEvents": lambda: diagnosis(here).ListEvents(pb.ListEventsRequest()),
                "WatchEvents": lambda: next(diagnosis(here).WatchEvents(pb.WatchEventsRequest())),
            }
            for name in calls.keys() - allowed:
                assert answer(calls[name]) == NOBODY
            replies = {name: calls[name]() for name in allowed}
            if "ExplainToken" in replies:
                assert ("auditor" in roles) == replies["ExplainToken"].HasField("session")


def test_stream_begins_here_and_now_and_tells_what_happens(here: World) -> None:
    """Without a cursor the first message says where it begins; what is wanted and happens later comes, and no more."""
    here.login()
    stream = diagnosis(here).WatchEvents(pb.WatchEventsRequest(filter={"kinds": [pb.EVENT_KIND_SESSION_REVOKED]}))
    first = next(stream)
    tokens = here.login()
    here.revoke(tokens.session_id, reason="logout", actor="alice")
    (event,) = next(stream).events
    stream.cancel()

    assert ([], here.store.events_after(0, 1)[1] - 2) == (list(first.events), first.cursor)
    assert (tokens.session_id, "logout", "alice", error_pb2.CAUSE_REVOKED) == (
        event.session_id,
        event.details["reason"],
        event.actor,
        event.cause,
    )


def test_stream_goes_on_after_its_cursor(here: World) -> None:
    """With a cursor everything after it comes, what lies in the past first, however much that is."""
    for _ in range(3):
        here.login()
    all_of_it = [event.sequence for event in here.store.events_after(2, 1000)[0]]
    stream = diagnosis(here).WatchEvents(pb.WatchEventsRequest(cursor=2))
    seen: list[int] = []
    while len(seen) < len(all_of_it):
        seen += [event.sequence for event in next(stream).events]
    here.login()
    assert [seen[-1] + 1] == [event.sequence for event in next(stream).events]
    stream.cancel()

    assert all_of_it == seen


def test_cursor_beyond_the_end_watches_from_the_end(here: World) -> None:
    """A cursor of a store that an older copy has replaced does not hide what happens."""
    stream = diagnosis(here).WatchEvents(pb.WatchEventsRequest(cursor=1 << 60))
    first = next(stream)
    tokens = here.login()
    assert [tokens.session_id] == [event.session_id for event in next(stream).events]
    stream.cancel()

    assert first.cursor < 1 << 60


def test_event_watchers_keep_no_verifier_out() -> None:
    """Streams of events have places of their own: when all are taken, a verifier still gets one, and the reverse."""
    with world(watch_limit=1, event_watch_limit=2) as here:
        events = [diagnosis(here).WatchEvents(pb.WatchEventsRequest()) for _ in range(2)]
        for stream in events:
            next(stream)
        refused = Answer("RESOURCE_EXHAUSTED", "OVERLOADED", "", "KEEP_CURRENT_TOKENS")
        assert refused == answer(next, diagnosis(here).WatchEvents(pb.WatchEventsRequest()))
        verifier = here.watch()
        assert next(verifier).caught_up
        assert refused == answer(next, here.watch())
        tokens = here.login()
        assert [tokens.session_id] == [event.session_id for event in next(events[0]).events]
