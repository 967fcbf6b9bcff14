"""Every call of the client against a real server: what goes out arrives, and what comes back is read in full."""

from __future__ import annotations

import dataclasses
import json

import pytest

from sessiond.client import (
    Client,
    Device,
    KeyPurpose,
    KeyState,
    RefreshOutcome,
    SessionState,
    Tokens,
)
from sessiond.client import results as client_results
from sessiond.errors import (
    Cause,
    EtagMismatchError,
    InvalidAccessToken,
    InvalidRefreshToken,
    InvalidRequestError,
    LoginOvertakenError,
    StoreUnavailableError,
)
from sessiond.ids import session_id_text
from sessiond.token.inspect import inspect
from sessiond.v1 import key_service_pb2, session_pb2, session_service_pb2
from tests.client.strangers import Stranger, serving
from tests.rpc.world import World


def test_new_session_has_what_it_was_opened_with(client: Client, here: World) -> None:
    """Every argument of create_session reaches the session."""
    tokens = client.create_session(
        "acme",
        "alice",
        client_id="web",
        audience="orders",
        claims={"role": "admin", "big": 2**60, "name": "Zoë"},
        data='{"theme": "dark"}',
        device=Device("Firefox on Linux", "192.0.2.7", "Mozilla/5.0"),
        absolute_seconds=3600,
        idle_seconds=600,
        access_seconds=60,
    )
    session = client.get_session(tokens.session_id)
    now = here.clock.wall_ms() // 1000

    assert ("acme", "alice", "web", "orders") == (session.tenant, session.subject, session.client_id, session.audience)
    assert {"role": "admin", "big": 2**60, "name": "Zoë"} == session.claims
    assert '{"theme": "dark"}' == session.data_json
    assert {"theme": "dark"} == session.data
    assert Device("Firefox on Linux", "192.0.2.7", "Mozilla/5.0") == session.device
    assert (now, now, now + 3600, now + 600) == (
        session.created_at,
        session.refreshed_at,
        session.expires_at,
        session.idle_expires_at,
    )
    assert (SessionState.ACTIVE, None, tokens.generation) == (session.state, session.end, session.generation)
    assert (0, 0, 0, 0) == (session.shared, session.retried, session.superseded, session.refusals)


def test_tokens_tell_all_about_themselves(client: Client, here: World) -> None:
    """A pair of tokens comes with its session, its instants and the server's clock beside this machine's."""
    tokens = client.create_session("acme", "alice", absolute_seconds=3600)
    now = here.clock.wall_ms() // 1000
    said = inspect(tokens.access_token).content

    assert said is not None
    assert session_id_text(said.session_id) == tokens.session_id
    assert said.expires_at == tokens.access_token_expires_at
    assert now + 3600 == tokens.refresh_token_expires_at
    assert now < tokens.refresh_after < tokens.access_token_expires_at <= now + 300
    assert (here.clock.wall_ms(), here.clock.wall_ms()) == (tokens.server_ms, tokens.received_ms)
    assert here.app is not None
    assert here.record(tokens.session_id).born <= tokens.revision


def test_no_token_stands_in_a_repr(client: Client) -> None:
    """Tokens printed or logged by accident show neither token."""
    first = client.create_session("acme", "alice")
    second = client.refresh(first.refresh_token)

    for tokens in (first, second):
        for token in (tokens.refresh_token, tokens.access_token):
            assert token not in repr(tokens)


def test_refresh_gives_the_next_pair(client: Client) -> None:
    """A refresh gives the next generation of the same session, and says how."""
    first = client.create_session("acme", "alice")
    second = client.refresh(first.refresh_token, tenant="acme", device=Device(label="phone"))

    assert RefreshOutcome.ROTATED is second.outcome
    assert (first.session_id, first.generation + 1) == (second.session_id, second.generation)
    assert "phone" == client.get_session(first.session_id).device.label
    assert isinstance(second, Tokens)


def test_retry_key_and_request_id_ask_for_a_lost_answer(client: Client, here: World) -> None:
    """Either proves a retry, long after the window; the successor is the same."""
    for proof in ({"retry_key": b"k" * 32}, {"request_id": "one attempt"}):
        first = client.create_session("acme", "alice")
        lost = client.refresh(first.refresh_token, **proof)
        here.serve_for(60)
        again = client.refresh(first.refresh_token, **proof)

        assert RefreshOutcome.RETRIED is again.outcome
        assert lost.refresh_token == again.refresh_token


def test_verify_says_who_a_token_speaks_for(client: Client) -> None:
    """Every field of a good access token comes back."""
    tokens = client.create_session("acme", "alice", client_id="web", audience="orders", claims={"role": "admin"})
    verified = client.verify(tokens.access_token, audience="orders", tenant="acme", min_revision=tokens.revision)

    assert ("acme", "alice", "web", "orders") == (
        verified.tenant,
        verified.subject,
        verified.client_id,
        verified.audience,
    )
    assert (tokens.session_id, tokens.generation) == (verified.session_id, verified.generation)
    assert tokens.access_token_expires_at == verified.expires_at
    assert tokens.server_ms // 1000 == verified.issued_at
    assert {"role": "admin"} == verified.claims
    assert verified.revision >= tokens.revision


def test_verify_hands_on_audience_and_tenant(client: Client) -> None:
    """A token for another audience or of another tenant is refused."""
    tokens = client.create_session("acme", "alice")

    with pytest.raises(InvalidAccessToken) as wrong_audience:
        client.verify(tokens.access_token, audience="another")
    with pytest.raises(InvalidAccessToken) as wrong_tenant:
        client.verify(tokens.access_token, tenant="another")

    assert (Cause.WRONG_AUDIENCE, Cause.WRONG_TENANT) == (wrong_audience.value.cause, wrong_tenant.value.cause)


def test_verify_waits_for_no_revision_that_never_was(client: Client) -> None:
    """A verifier that is behind the revision asked for does not judge."""
    tokens = client.create_session("acme", "alice")

    with pytest.raises(StoreUnavailableError, match="min_revision"):
        client.verify(tokens.access_token, min_revision=tokens.revision + 1)


def test_list_goes_through_every_page(client: Client) -> None:
    """list_sessions gives every living session, oldest first, whatever the pages; list_sessions_page gives one page."""
    opened = [client.create_session("acme", "alice").session_id for _ in range(5)]
    client.create_session("acme", "bob")
    client.revoke_session(opened.pop(3))
    page = client.list_sessions_page("acme", "alice", page_size=3)
    rest = client.list_sessions_page("acme", "alice", page_size=3, page_token=page.next_page_token)

    assert sorted(opened) == sorted(one.session_id for one in client.list_sessions("acme", "alice", page_size=2))
    assert 4 == len(list(client.list_sessions("acme", "alice")))
    assert sorted(opened) == sorted(one.session_id for one in (*page.sessions, *rest.sessions))
    assert "" == rest.next_page_token
    assert page.revision > 0
    assert [] == list(client.list_sessions("acme", "nobody"))


def test_update_replaces_what_is_given_and_nothing_else(client: Client) -> None:
    """Claims and data are replaced one without the other; an old etag refuses the change."""
    tokens = client.create_session("acme", "alice", claims={"role": "user"}, data={"n": 1})
    before = client.get_session(tokens.session_id)
    claims_changed = client.update_session(tokens.session_id, claims={"role": "admin"}, etag=before.etag)
    data_changed = client.update_session(tokens.session_id, data='{"n":2}', request_id="update")
    emptied = client.update_session(tokens.session_id, claims={})

    assert ({"role": "admin"}, {"n": 1}) == (claims_changed.claims, claims_changed.data)
    assert ({"role": "admin"}, {"n": 2}) == (data_changed.claims, data_changed.data)
    assert ({}, {"n": 2}) == (emptied.claims, emptied.data)
    with pytest.raises(EtagMismatchError):
        client.update_session(tokens.session_id, data={"n": 3}, etag=before.etag)
    with pytest.raises(InvalidRequestError):
        client.update_session(tokens.session_id)


def test_claims_that_json_cannot_spell_never_leave(client: Client) -> None:
    """NaN and what has no form in JSON are refused before anything is sent."""
    with pytest.raises(ValueError, match="JSON"):
        client.create_session("acme", "alice", claims={"x": float("nan")})
    with pytest.raises(TypeError):
        client.create_session("acme", "alice", data={"x": object()})


def test_revoke_says_how_the_session_ended(client: Client, here: World) -> None:
    """The first revocation ends the session, the second finds it ended; both by id and by token."""
    tokens = client.create_session("acme", "alice")
    first = client.revoke_session(tokens.session_id, reason="lost phone", actor="support")
    here.clock.advance(5)
    second = client.revoke_session(token=tokens.refresh_token, reason="another", actor="another")
    shown = client.get_session(tokens.session_id)

    assert (True, False) == (first.ended_by_this_call, second.ended_by_this_call)
    assert first.end == second.end == shown.end
    assert (Cause.REVOKED, "lost phone", "support") == (first.end.cause, first.end.reason, first.end.actor)
    assert SessionState.ENDED is shown.state
    assert here.clock.wall_ms() // 1000 - 5 == first.end.ended_at
    assert first.revision == second.revision
    with pytest.raises(InvalidAccessToken, match="REVOKED"):
        client.verify(tokens.access_token, min_revision=first.revision)


@pytest.mark.parametrize("names", [{}, {"session_id": "a", "token": "b"}], ids=["none", "both"])
def test_revoke_takes_one_name(client: Client, names: dict[str, str]) -> None:
    """A session is named by its id or by a token, never by both or none."""
    with pytest.raises(ValueError, match="one of them"):
        client.revoke_session(**names)


def test_authenticated_revision_refuses_an_overtaken_login(client: Client) -> None:
    """A login whose subject was revoked after the user was authenticated is refused."""
    revision = client.list_sessions_page("acme", "alice").revision
    client.create_session("acme", "alice", authenticated_revision=revision)
    client.revoke_subject("acme", "alice")

    with pytest.raises(LoginOvertakenError):
        client.create_session("acme", "alice", authenticated_revision=revision)


def test_keyset_names_every_key(client: Client) -> None:
    """The keyset gives each key with purpose, state and instants, of one purpose or of both."""
    both = client.get_keyset()
    access = client.get_keyset(KeyPurpose.ACCESS)
    only = access.keys[0]

    assert {KeyPurpose.REFRESH, KeyPurpose.ACCESS} == {key.purpose for key in both.keys}
    assert [KeyPurpose.ACCESS] == [key.purpose for key in access.keys]
    assert (KeyState.ACTIVE, 1, 32) == (only.state, only.format, len(only.public_key))
    assert (None, None, None) == (only.retired_at, only.revoked_at, only.expires_at)
    assert only.created_at == only.activates_at
    assert [only.key_id] == [key["kid"] for key in json.loads(access.jwks_json)["keys"]]
    assert both.cose_key_set.count(only.public_key) == 1
    assert both.max_age_seconds > 0
    assert both.revision > 0


def test_keys_are_rotated_and_revoked(client: Client) -> None:
    """A rotation publishes a key or signs with it at once; a revoked key is replaced."""
    pending = client.rotate_key(KeyPurpose.ACCESS)
    active = client.rotate_key(KeyPurpose.ACCESS, activate_immediately=True)
    revoked = client.revoke_key(active.key.key_id, reason="leaked", actor="security")
    spent = client.revoke_key(active.key.key_id)

    assert (KeyState.PENDING, None) == (pending.key.state, pending.replacement)
    assert (pending.key.key_id, KeyState.ACTIVE) == (active.key.key_id, active.key.state)
    assert KeyState.REVOKED is revoked.key.state
    assert revoked.key.revoked_at is not None
    assert revoked.replacement is not None
    assert (KeyPurpose.ACCESS, KeyState.ACTIVE) == (revoked.replacement.purpose, revoked.replacement.state)
    assert spent.replacement is None or spent.replacement == revoked.replacement
    assert pending.revision <= active.revision <= revoked.revision


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (client_results.RefreshOutcome, session_service_pb2.RefreshOutcome),
        (client_results.SessionState, session_pb2.SessionState),
        (client_results.RevocationVerdict, session_service_pb2.RevocationVerdict),
        (client_results.KeyPurpose, key_service_pb2.KeyPurpose),
        (client_results.KeyState, key_service_pb2.KeyState),
    ],
    ids=lambda enum: getattr(enum, "__name__", ""),
)
def test_enums_are_those_of_the_contract(ours: object, theirs: object) -> None:
    """Names and numbers of the client's enums equal those of the proto files; 0 is UNKNOWN here."""
    prefix = theirs.DESCRIPTOR.name  # type: ignore[attr-defined]
    snake = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in prefix).lstrip("_")
    contract = {name.removeprefix(f"{snake}_"): number for name, number in theirs.items()}  # type: ignore[attr-defined]
    mine = {one.name: one.value for one in ours}  # type: ignore[attr-defined]

    assert contract == {"UNSPECIFIED" if name == "UNKNOWN" else name: number for name, number in mine.items()}


def test_values_of_a_later_release_are_unknown() -> None:
    """A number that this release has no name for is UNKNOWN, and a cause None; nothing fails for it."""
    # What a later release sends, spelled in bytes: the enums of the stubs take no number that they do not know.
    outcome, state, end, key = b"\x10\x63", b"\x48\x63", b"\x52\x02\x08\x63", b"\x10\x63\x18\x63"
    session = state + end
    replies = iter((outcome, b"\x0a" + bytes([len(session)]) + session, b"\x0a" + bytes([len(key)]) + key))
    with serving(Stranger(lambda _request, _context: next(replies))) as address, Client(address) as client:
        refreshed = client.refresh("sdr_")
        shown = client.get_session("id")
        (only,) = client.get_keyset().keys

    assert RefreshOutcome.UNKNOWN is refreshed.outcome
    assert SessionState.UNKNOWN is shown.state
    assert shown.end is not None
    assert shown.end.cause is None
    assert (KeyPurpose.UNKNOWN, KeyState.UNKNOWN) == (only.purpose, only.state)


def test_every_field_of_the_contract_is_read() -> None:
    """Each field of the replies has its place in the client's values, so a field that is added is not forgotten."""
    renamed = {"server_time": "server_ms", "max_age": "max_age_seconds"}
    counters = {"shared", "retried", "superseded", "refusals"}
    for message, value, more in (
        (session_pb2.IssuedTokens, client_results.Tokens, {"received_ms"}),
        (session_pb2.Session, client_results.Session, counters),
        (session_pb2.SessionEnd, client_results.SessionEnd, set()),
        (session_pb2.DeviceContext, client_results.Device, set()),
        (session_service_pb2.RevokeSessionResponse, client_results.Revoked, set()),
        (session_service_pb2.BatchRevokeSessionsResponse, client_results.BatchRevoked, set()),
        (session_service_pb2.RevokeDeviceResponse, client_results.DeviceRevoked, set()),
        (session_service_pb2.RevokeSubjectResponse, client_results.ScopeRevoked, set()),
        (session_service_pb2.RevokeTenantResponse, client_results.ScopeRevoked, set()),
        (session_service_pb2.RevokeAllResponse, client_results.ScopeRevoked, set()),
        (session_service_pb2.ListSessionsResponse, client_results.SessionPage, set()),
        (key_service_pb2.Key, client_results.Key, set()),
        (key_service_pb2.GetKeysetResponse, client_results.Keyset, set()),
        (key_service_pb2.RevokeKeyResponse, client_results.KeyChange, set()),
    ):
        fields = {renamed.get(one.name, one.name) for one in message.DESCRIPTOR.fields} - {"counters"}

        assert fields | more == {one.name for one in dataclasses.fields(value)}, message.DESCRIPTOR.name


def test_token_that_cannot_be_sent_is_malformed(client: Client) -> None:
    """Half a surrogate pair in a refresh token, or in any that names a session, is refused like other text."""
    with pytest.raises(InvalidRefreshToken) as refreshed:
        client.refresh("sdr_\ud800")
    with pytest.raises(InvalidRefreshToken) as revoked:
        client.revoke_session(token="sdr_\udcff")
    assert [Cause.MALFORMED] * 2 == [refreshed.value.cause, revoked.value.cause]
