"""Tenants: a session belongs to one, and another authority knows nothing of it."""

from __future__ import annotations

from sessiond.client import Client
from sessiond.errors import Cause
from tests.rpc.world import World, world
from tests.scenarios.refusals import cause


def test_session_is_known_by_its_own_tenant(client: Client, here: World) -> None:
    """Scenarios 36 and 78: id and token name the tenant; another tenant is refused, another authority knows no key."""
    tokens = client.create_session("acme", "alice")
    with world(clock=here.clock) as there, Client(there.app.address, clock=here.clock) as stranger:
        strange = cause(stranger.verify, tokens.access_token), cause(stranger.refresh, tokens.refresh_token)

    assert "acme" == client.get_session(tokens.session_id).tenant
    assert "acme" == client.verify(tokens.access_token).tenant
    assert "acme" == client.verify(tokens.access_token, tenant="acme").tenant
    assert Cause.WRONG_TENANT is cause(client.verify, tokens.access_token, tenant="other")
    assert Cause.WRONG_TENANT is cause(client.refresh, tokens.refresh_token, tenant="other")
    assert (Cause.UNKNOWN_KEY, Cause.UNKNOWN_KEY) == strange
    assert tokens.session_id == client.refresh(tokens.refresh_token, tenant="acme").session_id
