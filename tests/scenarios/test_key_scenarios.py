"""Keys: tokens outlive the rotation of the key that signed them, and no race lacks a key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sessiond.client import Client, KeyPurpose
from tests.client.local_verifiers import verifying
from tests.rpc.world import World

THREADS = 4
ROTATIONS = 10


def key_ids(client: Client, refresh_token: str, access_token: str) -> tuple[str, str]:
    """Name the keys that signed a pair of tokens."""
    return client.explain_token(refresh_token).key_id, client.explain_token(access_token).key_id


@pytest.mark.parametrize("immediately", [False, True], ids=["published first", "at once"])
def test_tokens_of_before_a_key_rotation_are_good_after_it(client: Client, here: World, *, immediately: bool) -> None:
    """Scenarios 61 to 63: while a key is only published the old one signs, then the new one; old tokens are good."""
    first = client.create_session("acme", "alice")
    old = key_ids(client, first.refresh_token, first.access_token)
    made = [
        client.rotate_key(one, activate_immediately=immediately).key for one in (KeyPurpose.REFRESH, KeyPurpose.ACCESS)
    ]
    new = (made[0].key_id, made[1].key_id)
    second = client.refresh(first.refresh_token)
    if not immediately:
        here.clock.advance(made[0].activates_at - here.clock.wall_ms() // 1000 - 1)
        here.app.maintenance.once()
        second = client.refresh(second.refresh_token)
    at_rotation = key_ids(client, second.refresh_token, second.access_token)
    here.clock.advance(1)
    here.app.maintenance.once()
    third = client.refresh(second.refresh_token)

    assert (new if immediately else old) == at_rotation
    assert new == key_ids(client, third.refresh_token, third.access_token)
    assert first.session_id == client.verify(second.access_token).session_id
    assert first.session_id == client.verify(third.access_token).session_id


def test_no_verification_fails_for_want_of_a_key(client: Client, here: World) -> None:
    """Scenario 65: while keys are replaced again and again every token verifies, at the authority and locally."""
    stop, verified = threading.Event(), []

    with verifying(here, keyset_cooldown_seconds=0) as verifier:

        def keep_verifying() -> None:
            while not stop.is_set():
                token = client.create_session("acme", "alice").access_token
                verified.append(client.verify(token).session_id == verifier.verify(token).session_id)

        with ThreadPoolExecutor(THREADS) as pool:
            running = [pool.submit(keep_verifying) for _ in range(THREADS)]
            for _ in range(ROTATIONS):
                n_before = len(verified)
                while len(verified) < n_before + THREADS and not any(one.done() for one in running):
                    stop.wait(0.001)
                client.rotate_key(KeyPurpose.ACCESS, activate_immediately=True)
            stop.set()
            for one in running:
                one.result()
        n_keys = len(client.get_keyset(KeyPurpose.ACCESS).keys)

    assert all(verified)
    assert 1 + ROTATIONS == n_keys
