"""A local verifier of a real authority knows what the authority tells, without asking it about any token."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sessiond._fastverify import KeyTable
from sessiond.client import Client, KeyPurpose, KeyState, LocalVerifier, RequiredClaim
from sessiond.errors import (
    Advice,
    Cause,
    ClaimsNotMetError,
    InternalFaultError,
    InvalidAccessToken,
    InvalidRequestError,
)
from sessiond.store.memory import MemoryStore
from sessiond.v1 import session_service_pb2
from sessiond.wide_tables import WideTables
from tests.client.local_verifiers import AUDIENCE, cause, until_applied, until_fresh, verifying
from tests.client.waiting import until
from tests.client.wire import Wire
from tests.rpc.world import World, world


@pytest.fixture
def verifier(here: World) -> Iterator[LocalVerifier]:
    """Give a verifier of the authority."""
    with verifying(here) as made:
        yield made


def test_verifier_says_what_the_authority_says(client: Client, verifier: LocalVerifier) -> None:
    """A good token gives just what Verify gives, field by field."""
    tokens = client.create_session("acme", "alice", client_id="web", claims={"plan": "team"})

    assert client.verify(tokens.access_token) == replace(
        verifier.verify(tokens.access_token), revision=client.verify(tokens.access_token).revision
    )


def test_revocation_reaches_the_verifier(client: Client, verifier: LocalVerifier) -> None:
    """A session that was revoked is refused with its cause once its revision is applied, and others stay good."""
    alice, bob = (client.create_session("acme", name) for name in ("alice", "bob"))
    before = cause(verifier, alice.access_token), cause(verifier, bob.access_token)
    until_applied(verifier, client.revoke_session(alice.session_id).revision)

    assert (None, None) == before
    assert (Cause.REVOKED, None) == (cause(verifier, alice.access_token), cause(verifier, bob.access_token))
    assert 1 == verifier.status().n_revocations


def test_spared_session_stays_good_at_the_verifier(here: World, client: Client, verifier: LocalVerifier) -> None:
    """All of a subject but one session is revoked: its tokens from before are good, those of the others are not."""
    spared, other = (client.create_session("acme", "alice") for _ in range(2))
    request = session_service_pb2.RevokeSubjectRequest(
        tenant="acme", subject="alice", except_session_id=spared.session_id
    )
    until_applied(verifier, here.sessions.RevokeSubject(request).revision)

    assert (None, Cause.SUBJECT_REVOKED) == (cause(verifier, spared.access_token), cause(verifier, other.access_token))


def test_what_was_revoked_before_is_in_the_snapshot(here: World, client: Client) -> None:
    """A verifier that begins later refuses what was revoked before it began, from its first moment on."""
    gone = client.create_session("acme", "alice")
    client.revoke_session(gone.session_id)
    with verifying(here) as verifier:
        assert Cause.REVOKED is cause(verifier, gone.access_token)


def test_next_key_is_known_before_its_first_token(here: World, client: Client, verifier: LocalVerifier) -> None:
    """A rotation reaches the verifier with the publication of the key: when the key signs, it is known."""
    change = client.rotate_key(KeyPurpose.ACCESS)
    until_applied(verifier, change.revision)
    published = {key.key_id: key.state for key in verifier.status().keys}
    here.clock.advance(change.key.activates_at - here.clock.wall_ms() // 1000)
    here.app.maintenance.once()
    tokens = client.create_session("acme", "alice")
    until_fresh(here, verifier)

    assert KeyState.PENDING is published[change.key.key_id]
    assert change.key.key_id == client.get_keyset(KeyPurpose.ACCESS).keys[0].key_id
    assert cause(verifier, tokens.access_token) is None
    assert verifier.status().fault is None


def test_revoked_key_reaches_the_verifier(client: Client, verifier: LocalVerifier) -> None:
    """Tokens of a key that was revoked are refused with KEY_REVOKED, those of its replacement are good."""
    before = client.create_session("acme", "alice")
    good = cause(verifier, before.access_token)
    change = client.revoke_key(client.get_keyset(KeyPurpose.ACCESS).keys[0].key_id)
    until_applied(verifier, change.revision)
    after = client.create_session("acme", "alice")

    assert (None, Cause.KEY_REVOKED) == (good, cause(verifier, before.access_token))
    assert cause(verifier, after.access_token) is None


def test_order_of_causes_is_the_authority_s(here: World, client: Client) -> None:
    """Of another tenant's token nothing is told but WRONG_TENANT, revoked or not, one by one and in batches."""
    ours, ended, theirs, gone = (client.create_session(tenant, "alice") for tenant in ("acme", "acme", "umbrella", "x"))
    client.revoke_session(ended.session_id)
    revision = client.revoke_session(gone.session_id).revision
    tokens = [one.access_token for one in (ours, ended, theirs, gone)]
    with verifying(here, tenant="acme") as verifier:
        until_applied(verifier, revision)
        found = [cause(verifier, token) for token in tokens]
        batch = verifier.verify_batch(tokens)
        with pytest.raises(InvalidAccessToken) as caught:
            batch[3]

    expected = [None, Cause.REVOKED, Cause.WRONG_TENANT, Cause.WRONG_TENANT]
    assert expected == found
    assert [one or 0 for one in expected] == list(batch.verdicts)
    assert Cause.WRONG_TENANT is caught.value.cause


def test_required_claims_are_named(client: Client, verifier: LocalVerifier) -> None:
    """A good token whose claims are not as required is CLAIMS_NOT_MET, and the error names each that fails."""
    token = client.create_session("acme", "alice", claims={"plan": "team", "mfa": True}).access_token
    mfa, plan, roles = (
        RequiredClaim("mfa", equals_json="true"),
        RequiredClaim("plan", equals_json='"solo"'),
        RequiredClaim("roles", contains_json='"admin"'),
    )
    with pytest.raises(ClaimsNotMetError) as caught:
        verifier.verify(token, required_claims=[mfa, plan, roles])
    with pytest.raises(InvalidRequestError):
        verifier.verify(token, required_claims=[RequiredClaim("mfa")])
    batch = verifier.verify_batch([token, "no token"], required_claims=[plan])

    assert ["plan", "roles"] == [name for name, _ in caught.value.failures]
    assert verifier.verify(token, required_claims=[mfa]).claims["mfa"]
    assert [255, Cause.MALFORMED] == list(batch.verdicts)
    with pytest.raises(ClaimsNotMetError):
        batch[0]


def test_batch_gives_what_single_calls_give(client: Client, verifier: LocalVerifier) -> None:
    """Each place of a batch has the verdict and the value, or the refusal, of a call for that token alone."""
    alice, bob = (client.create_session("acme", name) for name in ("alice", "bob"))
    until_applied(verifier, client.revoke_session(bob.session_id).revision)
    batch = verifier.verify_batch([alice.access_token, bob.access_token, "no token"])
    causes = []
    for place in (1, 2, -1):
        with pytest.raises(InvalidAccessToken) as caught:
            batch[place]
        causes.append(caught.value.cause)

    assert [0, Cause.REVOKED, Cause.MALFORMED] == list(batch.verdicts)
    assert [Cause.REVOKED, Cause.MALFORMED, Cause.MALFORMED] == causes
    assert verifier.verify(alice.access_token) == batch[0] == next(iter(batch))
    assert (3, True, False) == (len(batch), batch.is_good(0), batch.is_good(1))
    assert batch.revision == verifier.status().revision
    assert "<VerifiedBatch of 3 tokens, 1 of them good>" == repr(batch)
    with pytest.raises(IndexError):
        batch[3]


def test_revision_that_is_not_reached_cannot_be_judged_with(client: Client, verifier: LocalVerifier) -> None:
    """With min_revision beyond what is applied, a good token is VERIFIER_STALE; once it is reached, it is good."""
    token = client.create_session("acme", "alice").access_token
    beyond = verifier.status().revision + 1
    early = cause(verifier, token, min_revision=beyond)
    client.revoke_session(client.create_session("acme", "bob").session_id)
    until_applied(verifier, beyond)

    assert Cause.VERIFIER_STALE is early
    assert cause(verifier, token, min_revision=beyond) is None


def test_nothing_is_accepted_before_the_authority_has_told_everything(here: World, client: Client) -> None:
    """A verifier that never heard from its authority refuses with VERIFIER_STALE, and says what is in the way."""
    token = client.create_session("acme", "alice").access_token
    with (
        Wire(here.app.address) as wire,
        LocalVerifier(wire.address, audience=AUDIENCE, clock=here.clock) as verifier,
    ):
        verifier.wait_ready()
        assert cause(verifier, token) is None
    with LocalVerifier(wire.address, audience=AUDIENCE, clock=here.clock) as verifier:
        with pytest.raises(InvalidAccessToken) as caught:
            verifier.verify(token)
        until(lambda: verifier.status().fault is not None)
        with pytest.raises(TimeoutError, match=f"{wire.address}: OUTCOME_UNKNOWN: no answer"):
            verifier.wait_ready(0)
        status = verifier.status()

    assert (Cause.VERIFIER_STALE, Advice.RETRY_WITH_BACKOFF) == (caught.value.cause, caught.value.advice)
    assert (False, False, 0, float("inf"), ()) == (
        status.ready,
        status.connected,
        status.revision,
        status.staleness_seconds,
        status.keys,
    )


def test_stream_that_breaks_goes_on_from_its_cursor(here: World, client: Client) -> None:
    """What was revoked while the stream was broken is known after it: nothing between the two is lost."""
    before, between, after = (client.create_session("acme", "alice") for _ in range(3))
    with Wire(here.app.address) as wire, verifying(here, wire.address) as verifier:
        until_applied(verifier, client.revoke_session(before.session_id).revision)
        wire.lose_answers()
        client.revoke_session(between.session_id)
        wire.cut()
        until_applied(verifier, client.revoke_session(after.session_id).revision)
        found = [cause(verifier, one.access_token) for one in (before, between, after)]

    assert [Cause.REVOKED] * 3 == found


def test_verifier_survives_a_restart_of_the_authority(tmp_path: Path) -> None:
    """An authority that starts again is followed again, from the cursor on; meanwhile what is known serves."""
    place = f"unix:{tmp_path}/s"
    with world(listen=place) as first, Client(place) as client, verifying(first) as verifier:
        gone, good = (client.create_session("acme", "alice") for _ in range(2))
        until_applied(verifier, client.revoke_session(gone.session_id).revision)
        first.app.stop()
        until(lambda: not verifier.status().connected)
        meanwhile = cause(verifier, gone.access_token), cause(verifier, good.access_token)
        with world(listen=place, store=first.store, clock=first.clock):
            until_applied(verifier, client.revoke_session(good.session_id).revision)
            status = verifier.status()

        assert (Cause.REVOKED, None) == meanwhile
        assert (Cause.REVOKED, Cause.REVOKED) == (
            cause(verifier, gone.access_token),
            cause(verifier, good.access_token),
        )
        assert (True, None) == (status.connected, status.fault)


def test_verifier_takes_what_a_restored_authority_says(tmp_path: Path) -> None:
    """An authority that has lost its newest state resets the verifier: its keys and revocations count alone."""
    place = f"unix:{tmp_path}/s"
    with world(listen=place) as first, Client(place) as client, verifying(first) as verifier:
        old = client.create_session("acme", "alice")
        for _ in range(3):
            revision = client.revoke_session(client.create_session("acme", "bob").session_id).revision
        until_applied(verifier, revision)
        first.app.stop()
        store = MemoryStore(monotonic_ms=first.clock.monotonic_ms, session_grace_seconds=30)
        with world(listen=place, store=store, clock=first.clock):
            until(lambda: verifier.status().revision < revision)
            new = client.create_session("acme", "alice")
            status = verifier.status()

            assert (0, 1) == (status.n_revocations, len(status.keys))
            assert (Cause.UNKNOWN_KEY, None) == (
                cause(verifier, old.access_token),
                cause(verifier, new.access_token),
            )


def test_close_ends_the_threads(here: World) -> None:
    """After close no thread of the verifier is left, also where its stream never began; what it knows gets stale."""
    before = set(threading.enumerate())
    with verifying(here) as verifier:
        started = {one.name for one in set(threading.enumerate()) - before}
    with LocalVerifier("127.0.0.1:1", audience=AUDIENCE):
        pass
    left = {one.name for one in set(threading.enumerate()) - before}

    assert "sessiond-verifier" in started
    assert "sessiond-verifier" not in left
    assert not verifier.status().connected


def test_wait_ends_where_the_verifier_is_closed() -> None:
    """Whoever waits for a verifier that is closed meanwhile is told at once; and so is whoever comes later."""
    verifier = LocalVerifier("127.0.0.1:1", audience=AUDIENCE)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(verifier.wait_ready, 20)
        verifier.close()
        with pytest.raises(TimeoutError, match=r"not ready when it was closed: 127\.0\.0\.1:1: "):
            waiting.result()
    with pytest.raises(TimeoutError, match="closed"):
        verifier.wait_ready(20)


def test_fault_in_the_client_does_not_end_the_stream(here: World) -> None:
    """Whatever goes wrong while a message is taken in is told by the status; the next stream heals it."""
    has_memory = threading.Event()

    class Exhausted(WideTables):
        def widen(self, tables: Iterable[KeyTable]) -> None:
            if not has_memory.is_set():
                raise MemoryError
            super().widen(tables)

    token = here.login().access_token
    tables = Exhausted(1_500_000, None, lambda _: None)
    with LocalVerifier(here.app.address, audience=AUDIENCE, clock=here.clock, wide_tables=tables) as verifier:
        until(lambda: verifier.status().fault is not None)
        fault = verifier.status().fault
        has_memory.set()
        verifier.wait_ready()

        assert cause(verifier, token) is None
        assert verifier.status().fault is None
    tables.close()
    assert isinstance(fault, InternalFaultError)
    assert isinstance(fault.__cause__, MemoryError)


def test_tables_are_widened_where_that_is_wanted(here: World) -> None:
    """Each key that the verifier hears of gets the wide table of the WideTables that it was given."""
    reports: list[str] = []
    tables = WideTables(1_500_000, None, reports.append)
    with verifying(here, wide_tables=tables) as verifier:
        token = here.login().access_token
        tables.wait()
        assert cause(verifier, token) is None
    tables.close()

    assert [] == reports


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_staleness_seconds": 1.9},
        {"max_staleness_seconds": float("inf")},
        {"keyset_cooldown_seconds": -1},
        {"when_stale": "accept"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    """A setting out of its range is named by the error, before anything is started."""
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is "):
        LocalVerifier("127.0.0.1:1", audience=AUDIENCE, **wrong)  # type: ignore[arg-type]


def test_batch_does_not_change_with_the_list_that_it_was_made_of(here: World, client: Client) -> None:
    """What a token came to is told the same after the caller has used its list for other tokens."""
    tokens = client.create_session("acme", "alice")
    revoked = client.revoke_session(tokens.session_id)
    with verifying(here, tenant="umbrella") as verifier:
        until_applied(verifier, revoked.revision)
        texts = [tokens.access_token]
        batch = verifier.verify_batch(texts)
        texts.clear()
        with pytest.raises(InvalidAccessToken) as refusal:
            batch[0]
    assert (Cause.WRONG_TENANT, tokens.session_id) == (refusal.value.cause, refusal.value.session_id)
