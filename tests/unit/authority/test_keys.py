"""The keys of an installation: made, published, replaced and revoked, by any of its processes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sessiond.authority.caller import LOCAL, Caller
from sessiond.authority.events import EventKind
from sessiond.authority.keyring import Keyring, KeysetFaultError
from sessiond.authority.keys import Keys
from sessiond.authority.policy import Policy
from sessiond.authority.sealing import MASTER_KEY_SIZE, Sealer, WrongMasterKeyError
from sessiond.errors import (
    IndeterminateError,
    InvalidRequestError,
    KeyNotFoundError,
    RequestIdReusedError,
    StoreUnavailableError,
)
from sessiond.store.contract import KeysChange
from sessiond.store.records import KeyState, Purpose, Revocation, RevocationKind
from tests.unit.authority.installation import ISSUER, TEST_MASTER_KEY, Entropy, Installation, Process

SHOP = Caller("shop", frozenset({"key-admin"}), None)
NEVER = 0
"""No key has surely expired."""

by_purpose = pytest.mark.parametrize("purpose", list(Purpose))


def states(installation: Installation, purpose: Purpose) -> list[KeyState]:
    """Give the states of the keys of a purpose, in the order of the states."""
    return sorted(key.state for key in installation.store.keys().keys if key.purpose is purpose)


def kinds(installation: Installation) -> list[str]:
    """Name every event of keys since the first two keys were made."""
    return [event.kind for event in installation.store.events_after(4, 1000)[0]]


@pytest.mark.usefixtures("here")
def test_new_store_gets_its_keys(installation: Installation) -> None:
    """The first process makes one ACTIVE key of each purpose, in one change of the store."""
    assert [[KeyState.ACTIVE]] * 2 == [states(installation, purpose) for purpose in Purpose]
    entries, _ = installation.store.revocations_after(0, 10)
    assert [RevocationKind.KEYS] == [entry.kind for entry in entries]


def test_next_process_takes_the_keys_that_are_there(installation: Installation, here: Process) -> None:
    """Another process that opens the store makes no keys and signs with the same ones."""
    there = installation.process("there")
    assert here.keys.snapshot().records == there.keys.snapshot().records
    assert here.keys.snapshot().active_refresh_key_id == there.keys.snapshot().active_refresh_key_id


def test_processes_that_start_at_once_make_one_key(installation: Installation) -> None:
    """Of two processes that both meet an empty store, the second takes what the first made."""
    installation.store.meanwhile = [lambda: installation.process("first")]
    second = installation.process("second")
    assert [[KeyState.ACTIVE]] * 2 == [states(installation, purpose) for purpose in Purpose]
    assert {key.key_id for key in installation.store.keys().keys} == set(second.keys.snapshot().signers)


@pytest.mark.usefixtures("here")
def test_private_keys_are_sealed(installation: Installation) -> None:
    """No private key stands in the store in the clear."""
    entropy = Entropy("here")
    seeds = {entropy(32) for _ in range(10)}
    for key in installation.store.keys().keys:
        opened = Sealer(TEST_MASTER_KEY).open(f"{key.purpose.name.lower()} key {key.key_id.hex()}", key.sealed_seed)
        assert opened in seeds
        assert opened not in key.sealed_seed


@pytest.mark.usefixtures("here")
def test_other_master_key_writes_nothing(installation: Installation) -> None:
    """A process with another master key does not start, and leaves the keyset as it was."""
    installation.clock.advance(installation.policy.key_rotation_seconds)
    before = installation.store.keys()
    other = Keys(installation.store, Sealer(b"\x01" * MASTER_KEY_SIZE), installation.policy, ISSUER, Entropy("other"))
    with pytest.raises(WrongMasterKeyError):
        other.open(installation.now)
    assert before == installation.store.keys()


@pytest.mark.usefixtures("here")
def test_damaged_keyset_writes_nothing(installation: Installation) -> None:
    """A process does not start on a keyset without a key that signs, and does not mend what it cannot know."""
    active = [key.key_id for key in installation.store.keys().keys if key.purpose is Purpose.ACCESS]
    entry = Revocation(0, RevocationKind.KEYS, installation.now, installation.now)
    installation.store.change_keys(None, lambda _view: KeysChange(None, remove=active, revocation=entry))
    before = installation.store.keys()
    with pytest.raises(KeysetFaultError):
        installation.process("there")
    assert before == installation.store.keys()


def test_keys_that_are_not_open(installation: Installation) -> None:
    """Nothing is signed before the keys are open."""
    keys = Keys(installation.store, Sealer(TEST_MASTER_KEY), Policy(), ISSUER, Entropy("there"))
    with pytest.raises(RuntimeError, match="not open"):
        keys.snapshot()


def test_every_keyring_is_told_of_once(installation: Installation) -> None:
    """Whoever asked is told of each keyring that takes its place, and not of one that stays."""
    told: list[Keyring] = []
    sealer, entropy = Sealer(TEST_MASTER_KEY), Entropy("there")
    keys = Keys(installation.store, sealer, installation.policy, ISSUER, entropy, loaded=told.append)
    keys.open(installation.now)
    keys.apply()
    first = keys.snapshot()
    keys.rotate(LOCAL, Purpose.ACCESS, immediately=True, request_id="", now=installation.now)

    assert [first, keys.snapshot()] == told


def test_schedule_is_followed(installation: Installation, here: Process) -> None:
    """Over time a key is published, signs, retires and leaves; late or not, each step happens once."""
    policy = installation.policy
    first = here.keys.snapshot().active_refresh_key_id
    installation.clock.advance(policy.key_rotation_seconds - policy.key_publication_seconds)
    here.keys.advance(installation.now, removable=NEVER)
    here.keys.advance(installation.now, removable=NEVER)
    assert [KeyState.PENDING, KeyState.ACTIVE] == states(installation, Purpose.REFRESH)
    assert first == here.keys.snapshot().active_refresh_key_id
    installation.clock.advance(policy.key_publication_seconds)
    here.keys.advance(installation.now, removable=NEVER)
    here.keys.advance(installation.now, removable=NEVER)
    assert [KeyState.ACTIVE, KeyState.RETIRING] == states(installation, Purpose.REFRESH)
    assert first != here.keys.snapshot().active_refresh_key_id
    expires_at = here.key_in(Purpose.REFRESH, KeyState.RETIRING).expires_at
    here.keys.advance(installation.now, removable=expires_at - 1)
    assert first in here.keys.snapshot().signers
    here.keys.advance(installation.now, removable=expires_at)
    assert first not in here.keys.snapshot().signers


def test_round_in_which_nothing_is_due_writes_nothing(installation: Installation, here: Process) -> None:
    """A round of maintenance costs no write where nothing is due."""
    before = installation.store.n_writes
    here.keys.advance(installation.now, removable=NEVER)
    assert before == installation.store.n_writes


def test_processes_that_follow_the_schedule_at_once(installation: Installation, here: Process) -> None:
    """Of two processes that find the next key due at once, one makes it."""
    there = installation.process("there")
    installation.clock.advance(installation.policy.key_rotation_seconds)
    installation.store.meanwhile = [lambda: there.keys.advance(installation.now, removable=NEVER)]
    here.keys.advance(installation.now, removable=NEVER)
    assert [[KeyState.PENDING, KeyState.ACTIVE]] * 2 == [states(installation, purpose) for purpose in Purpose]
    assert here.keys.snapshot().records == there.keys.snapshot().records


@by_purpose
def test_rotation_publishes_the_next_key(installation: Installation, here: Process, purpose: Purpose) -> None:
    """RotateKey makes a PENDING key that signs after the publication time, and says at which revision it is known."""
    before = installation.store.revision()
    active = here.key_in(purpose, KeyState.ACTIVE)
    key, revision = here.keys.rotate(SHOP, purpose, immediately=False, request_id="k1", now=installation.now)
    assert (KeyState.PENDING, purpose, installation.now + 600, before + 1) == (
        key.state,
        key.purpose,
        key.activates_at,
        revision,
    )
    assert (active, key) == (here.key_in(purpose, KeyState.ACTIVE), here.key_in(purpose, KeyState.PENDING))
    (event,) = installation.store.events_after(4, 10)[0]
    assert (EventKind.KEY_CREATED, "shop", 16) == (event.kind, event.caller, len(event.request_hash))
    assert before + 1 == installation.store.revision()


@by_purpose
def test_rotation_takes_the_key_that_waits(installation: Installation, here: Process, purpose: Purpose) -> None:
    """Where a key is PENDING already, RotateKey gives that one and changes nothing."""
    first, _ = here.keys.rotate(SHOP, purpose, immediately=False, request_id="", now=installation.now)
    before = installation.store.revision()
    second, revision = here.keys.rotate(SHOP, purpose, immediately=False, request_id="", now=installation.now)
    assert (first, before, before) == (second, revision, installation.store.revision())


@pytest.mark.parametrize("waits", [False, True])
@by_purpose
def test_rotation_at_once(installation: Installation, here: Process, purpose: Purpose, waits: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """RotateKey at once lets the key that waits, or a fresh one, sign from now on."""
    if waits:
        here.rotate_key(purpose)
    key = here.rotate_key(purpose, immediately=True)
    assert (KeyState.ACTIVE, installation.now) == (key.state, key.activates_at)
    assert [KeyState.ACTIVE, KeyState.RETIRING] == states(installation, purpose)
    assert key in here.keys.snapshot().records


def test_racing_rotations_make_one_key(installation: Installation, here: Process) -> None:
    """However many processes rotate at once, exactly one key comes of it and all answer with it."""
    processes = [here, *(installation.process(f"process {number}") for number in range(3))]
    start = threading.Barrier(len(processes))

    def rotate(process: Process) -> bytes:
        start.wait(20)
        return process.rotate_key(Purpose.REFRESH).key_id

    with ThreadPoolExecutor(len(processes)) as pool:
        made = set(pool.map(rotate, processes))
    assert 1 == len(made)
    assert [KeyState.PENDING, KeyState.ACTIVE] == states(installation, Purpose.REFRESH)


def test_repeated_rotation(installation: Installation, here: Process) -> None:
    """The same request again gives the same key as it is by then, and the first revision."""
    key, revision = here.keys.rotate(SHOP, Purpose.ACCESS, immediately=False, request_id="k1", now=installation.now)
    installation.clock.advance(600)
    here.keys.advance(installation.now, removable=NEVER)
    again, then = here.keys.rotate(SHOP, Purpose.ACCESS, immediately=False, request_id="k1", now=installation.now)
    assert (key.key_id, KeyState.ACTIVE, revision) == (again.key_id, again.state, then)
    assert [KeyState.ACTIVE, KeyState.RETIRING] == states(installation, Purpose.ACCESS)


@pytest.mark.parametrize(("seconds", "is_kept"), [(86_399, True), (86_400, False)])
def test_request_is_kept_for_a_day(
    installation: Installation,
    here: Process,
    seconds: int,
    is_kept: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """A repetition is known for as long as the policy keeps requests, and is another request after that."""
    key = here.rotate_key(Purpose.ACCESS, request_id="k1")
    here.revoke_key(key.key_id)
    installation.clock.advance(seconds)
    installation.store.sweep(installation.now, 0, 100)
    assert is_kept is (key.key_id == here.rotate_key(Purpose.ACCESS, request_id="k1").key_id)


def test_repeated_rotation_of_a_key_that_is_gone(installation: Installation, here: Process) -> None:
    """Where the first answer's key has left the keyset, its repetition says so."""
    key = here.rotate_key(Purpose.ACCESS, request_id="k1")
    here.revoke_key(key.key_id)
    here.keys.advance(installation.now, removable=1 << 33)
    with pytest.raises(KeyNotFoundError, match=key.key_id.hex()):
        here.rotate_key(Purpose.ACCESS, request_id="k1")


def test_other_rotation_with_the_same_id(here: Process) -> None:
    """The same id for another purpose or another moment is another request; another caller's is its own."""
    key = here.rotate_key(Purpose.ACCESS, request_id="k1")
    with pytest.raises(RequestIdReusedError):
        here.rotate_key(Purpose.REFRESH, request_id="k1")
    with pytest.raises(RequestIdReusedError):
        here.rotate_key(Purpose.ACCESS, immediately=True, request_id="k1")
    assert key.key_id == here.rotate_key(Purpose.ACCESS, request_id="k1", caller=SHOP).key_id


@by_purpose
def test_revoked_active_key_is_replaced(installation: Installation, here: Process, purpose: Purpose) -> None:
    """Revoking the key that signs makes another one sign in the same change, and names both."""
    active = here.key_in(purpose, KeyState.ACTIVE)
    before = installation.store.revision()
    key, replacement, revision = here.keys.revoke(
        SHOP, active.key_id.hex(), reason="leaked", actor="alice", request_id="k1", now=installation.now
    )
    assert (active.key_id, KeyState.REVOKED, "leaked", "alice", b"") == (
        key.key_id,
        key.state,
        key.reason,
        key.actor,
        key.sealed_seed,
    )
    assert here.key_in(purpose, KeyState.ACTIVE) == replacement
    assert before + 1 == revision == installation.store.revision()
    assert [EventKind.KEY_REVOKED, EventKind.KEY_CREATED, EventKind.KEY_ACTIVATED] == kinds(installation)
    assert active.key_id not in here.keys.snapshot().signers


@by_purpose
def test_waiting_key_signs_in_the_place_of_a_revoked_one(here: Process, purpose: Purpose) -> None:
    """Where a key is PENDING, that one signs in the place of the revoked one."""
    pending = here.rotate_key(purpose)
    here.revoke_active_key(purpose)
    assert pending.key_id == here.key_in(purpose, KeyState.ACTIVE).key_id


@pytest.mark.parametrize("state", [KeyState.PENDING, KeyState.RETIRING])
def test_revoked_key_that_did_not_sign_needs_no_replacement(
    installation: Installation, here: Process, state: KeyState
) -> None:
    """Revoking a key that does not sign leaves the one that does."""
    here.rotate_key(Purpose.REFRESH, immediately=state is KeyState.RETIRING)
    active = here.key_in(Purpose.REFRESH, KeyState.ACTIVE)
    victim = here.key_in(Purpose.REFRESH, state).key_id.hex()
    key, replacement, _ = here.keys.revoke(SHOP, victim, reason="", actor="", request_id="", now=installation.now)
    assert (KeyState.REVOKED, "shop", None) == (key.state, key.actor, replacement)
    assert active == here.key_in(Purpose.REFRESH, KeyState.ACTIVE)


def test_revoking_a_key_twice_is_no_error(installation: Installation, here: Process) -> None:
    """The second call changes nothing and gives a revision at which the key is refused."""
    first = here.revoke_active_key(Purpose.ACCESS)
    before = installation.store.revision()
    key, replacement, revision = here.keys.revoke(
        LOCAL, first.key_id.hex(), reason="again", actor="", request_id="", now=installation.now
    )
    assert (first, None, before, before) == (key, replacement, revision, installation.store.revision())


def test_repeated_revocation(installation: Installation, here: Process) -> None:
    """The same request again names the same two keys, as they are by then."""
    active = here.key_in(Purpose.ACCESS, KeyState.ACTIVE).key_id.hex()

    def revoke() -> tuple[object, object, int]:
        return here.keys.revoke(LOCAL, active, reason="", actor="", request_id="k1", now=installation.now)

    first = revoke()
    assert first == revoke()
    here.rotate_key(Purpose.ACCESS, immediately=True)
    key, replacement, revision = revoke()
    assert (first[0], KeyState.RETIRING, first[2]) == (key, replacement.state, revision)  # type: ignore[attr-defined]


def test_repeated_revocation_without_a_replacement(installation: Installation, here: Process) -> None:
    """Where the first call needed no replacement, its repetition names none."""
    pending = here.rotate_key(Purpose.ACCESS).key_id.hex()
    answers = [
        here.keys.revoke(LOCAL, pending, reason="", actor="", request_id="k1", now=installation.now) for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0][1] is None


def test_racing_revocations_make_one_replacement(installation: Installation, here: Process) -> None:
    """Of two processes that revoke the signing key at once, one replaces it."""
    there = installation.process("there")
    active = here.key_in(Purpose.REFRESH, KeyState.ACTIVE)
    installation.store.meanwhile = [lambda: there.revoke_key(active.key_id)]
    here.revoke_key(active.key_id)
    assert [KeyState.ACTIVE, KeyState.REVOKED] == states(installation, Purpose.REFRESH)
    assert here.keys.snapshot().records == there.keys.snapshot().records


def test_unknown_key(installation: Installation, here: Process) -> None:
    """A key that is not in the keyset cannot be revoked, and nothing is written."""
    before = installation.store.revision()
    with pytest.raises(KeyNotFoundError, match="0123456789abcdef"):
        here.revoke_key(bytes.fromhex("0123456789abcdef"))
    assert before == installation.store.revision()


def test_bad_fields(installation: Installation, here: Process) -> None:
    """Fields out of their limits are refused, each under its name."""
    with pytest.raises(InvalidRequestError) as caught:
        here.keys.revoke(LOCAL, "x", reason="r" * 256, actor="\0", request_id="é", now=installation.now)
    assert ["key_id", "reason", "actor", "request_id"] == [field for field, _ in caught.value.violations]
    with pytest.raises(InvalidRequestError, match="request_id"):
        here.rotate_key(Purpose.ACCESS, request_id="é")


def test_keyset_is_read_as_it_is_by_now(installation: Installation, here: Process) -> None:
    """GetKeyset shows what another process has changed, newest first, and uses it from then on."""
    there = installation.process("there")
    old = here.key_in(Purpose.ACCESS, KeyState.ACTIVE)
    new = there.rotate_key(Purpose.ACCESS)
    keys, revision = here.keys.keyset()
    access = [key for key in keys if key.purpose is Purpose.ACCESS]
    assert ([new, old], installation.store.revision()) == (access, revision)
    assert tuple(keys) == here.keys.snapshot().records


def test_keyset_that_has_not_changed_is_not_made_again(installation: Installation, here: Process) -> None:
    """GetKeyset costs a read where the keys are as they were, whatever else was revoked, and tells the revision."""
    made_at = here.keys.snapshot().revision
    here.revoke(here.login().session_id)
    there = installation.process("there")
    before = there.keys.snapshot()
    there.revoke(there.login().session_id)
    keys, revision = there.keys.keyset()
    there.keys.apply()
    assert (list(before.records), installation.store.revision()) == (keys, revision)
    assert made_at == before.revision == revision - 2
    assert before is there.keys.snapshot()


def test_change_of_the_keyset_keeps_what_was_computed(here: Process) -> None:
    """Private keys are opened, and tables made, for the keys alone that are new."""
    before = here.keys.snapshot()
    new = here.rotate_key(Purpose.ACCESS)
    after = here.keys.snapshot()
    assert {new.key_id} == set(after.signers) - set(before.signers)
    assert {new.public_key} == set(after.access_verifier.tables) - set(before.access_verifier.tables)
    for old, now in (
        (before.signers, after.signers),
        (before.access_verifier.tables, after.access_verifier.tables),
        (before.refresh_verifier.tables, after.refresh_verifier.tables),
    ):
        assert all(now[name] is one for name, one in old.items())


def test_store_that_fails_after_the_write(installation: Installation, here: Process) -> None:
    """A key that is made and cannot be read back is no failed call: the outcome is unknown, a repetition finds out."""
    installation.store.meanwhile = [lambda: setattr(installation.store, "down", True)]
    with pytest.raises(IndeterminateError):
        here.rotate_key(Purpose.ACCESS, request_id="k1")
    installation.store.down = False
    assert here.key_in(Purpose.ACCESS, KeyState.PENDING) == here.rotate_key(Purpose.ACCESS, request_id="k1")


def test_keys_stay_while_the_store_cannot_be_read(installation: Installation, here: Process) -> None:
    """A keyset that cannot be read again stays as it was."""
    before = here.keys.snapshot()
    installation.store.down = True
    with pytest.raises(StoreUnavailableError):
        here.keys.apply()
    assert before is here.keys.snapshot()


def test_keys_never_go_back(installation: Installation, here: Process) -> None:
    """However loads and changes of several threads meet, the last keyset that is loaded is the newest."""
    start = threading.Barrier(4)

    def work(number: int) -> list[int]:
        start.wait(20)
        seen = []
        for _ in range(10):
            if number == 0:
                here.rotate_key(Purpose.ACCESS, immediately=True)
            here.keys.apply()
            seen.append(here.keys.snapshot().revision)
        return seen

    with ThreadPoolExecutor(4) as pool:
        for seen in pool.map(work, range(4)):
            assert sorted(seen) == seen
    assert installation.store.revision() == here.keys.snapshot().revision
