"""One state of the keyset: what it signs with, what it verifies, and what makes it unusable."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sessiond.authority.keyring import Keyring, KeysetFaultError, read_signers, seed_label
from sessiond.authority.sealing import MASTER_KEY_SIZE, Sealer, SealError, WrongMasterKeyError
from sessiond.errors import Cause, InvalidAccessToken, InvalidRefreshToken
from sessiond.store.contract import KeysView
from sessiond.store.records import KeyRecord, KeyState, Purpose
from sessiond.token.format import FORMAT, read_refresh
from sessiond.token.sign import AccessClaims, RefreshClaims, SigningKey

NOW = 1_800_000_000
SEALER = Sealer(b"\x7e" * MASTER_KEY_SIZE)
ISSUER = "https://issuer.test"
REFRESH = RefreshClaims(b"0123456789abcdef", 3, NOW, NOW + 100)
ACCESS = AccessClaims(
    session_id=b"0123456789abcdef",
    generation=3,
    issued_at=NOW,
    expires_at=NOW + 100,
    tenant_hash=b"tenant..",
    subject_hash=b"subject.",
    born=7,
    issuer=ISSUER,
    audience="api",
    subject="alice",
    client_id="",
    tenant="acme",
    claims_json="",
)
# Of order 1: the neutral element.
NOT_OF_PRIME_ORDER = b"\x01" + b"\0" * 31


def key(number: int, purpose: Purpose, state: KeyState = KeyState.ACTIVE, *, created_at: int = NOW) -> KeyRecord:
    """Make a key, known to everyone: for tests only."""
    seed = bytes([number]) * 32
    signing = SigningKey(seed)
    sealed = SEALER.seal(seed_label(purpose, signing.key_id), seed)
    return KeyRecord(
        signing.key_id, purpose, state, FORMAT, signing.public_key, sealed, created_at=created_at, activates_at=NOW
    )


R1, A1 = key(1, Purpose.REFRESH), key(2, Purpose.ACCESS)
R0, A0 = (replace(one, state=KeyState.RETIRING) for one in (key(3, Purpose.REFRESH), key(4, Purpose.ACCESS)))
R9, A9 = (
    replace(one, state=KeyState.REVOKED, sealed_seed=b"") for one in (key(5, Purpose.REFRESH), key(6, Purpose.ACCESS))
)
ALL = [R1, A1, R0, A0, R9, A9]


def ring(*keys: KeyRecord, revision: int = 1, previous: Keyring | None = None) -> Keyring:
    """Make a keyring of *keys*."""
    view = KeysView(list(keys), None, revision, revision)
    return Keyring(view, read_signers(keys, SEALER, {}), ISSUER, previous)


def signed_by(number: int) -> str:
    """Sign a refresh token with a key of :func:`key`."""
    signer = ring(key(number, Purpose.REFRESH), A1)
    return signer.sign_refresh(signer.active_refresh_key_id, REFRESH)


def test_active_keys_sign() -> None:
    """A generation is signed by the ACTIVE refresh key, an access token by the ACTIVE access key, and both verify."""
    whole = ring(*ALL)
    refresh = whole.sign_refresh(whole.active_refresh_key_id, REFRESH)
    access = whole.sign_access(ACCESS)
    assert R1.key_id == whole.active_refresh_key_id == read_refresh(refresh).key_id
    assert R1.key_id == whole.refresh_verifier.verify(refresh, now=NOW).key_id
    assert A1.key_id == whole.access_verifier.verify(access, audience="api", now=NOW, leeway=0).key_id


def test_retiring_key_makes_its_tokens_again() -> None:
    """A key that is not REVOKED signs what was signed under it before, byte for byte."""
    whole = ring(*ALL)
    assert whole.can_sign(R0.key_id)
    assert signed_by(3) == whole.sign_refresh(R0.key_id, REFRESH)
    assert R0.key_id == whole.refresh_verifier.verify(signed_by(3), now=NOW).key_id


def test_revoked_key_signs_nothing() -> None:
    """A REVOKED key has no private half, and its tokens are told KEY_REVOKED."""
    whole = ring(*ALL)
    assert not whole.can_sign(R9.key_id)
    assert (frozenset({R9.key_id}), {R9.key_id, A9.key_id} & set(whole.signers)) == (
        whole.revoked_refresh_key_ids,
        set(),
    )
    with pytest.raises(InvalidRefreshToken) as caught:
        whole.refresh_verifier.verify(signed_by(5), now=NOW)
    assert Cause.KEY_REVOKED is caught.value.cause


def test_key_has_one_purpose() -> None:
    """A token signed by a key of the other purpose is UNKNOWN_KEY."""
    whole = ring(*ALL)
    with pytest.raises(InvalidRefreshToken) as refresh:
        whole.refresh_verifier.verify(whole.sign_refresh(A1.key_id, REFRESH), now=NOW)
    crossed = ring(key(2, Purpose.REFRESH), key(1, Purpose.ACCESS)).sign_access(ACCESS)
    with pytest.raises(InvalidAccessToken) as access:
        whole.access_verifier.verify(crossed, audience="api", now=NOW, leeway=0)
    assert Cause.UNKNOWN_KEY is refresh.value.cause is access.value.cause


def test_records_stand_newest_first() -> None:
    """The keys are listed newest first; of one second the one that signs later or still comes first."""
    pending = replace(key(7, Purpose.REFRESH, KeyState.PENDING), activates_at=NOW + 600)
    oldest = key(8, Purpose.REFRESH, KeyState.RETIRING, created_at=NOW - 1)
    newest = key(9, Purpose.REFRESH, KeyState.PENDING, created_at=NOW + 1)
    whole = ring(oldest, R9, R0, R1, pending, newest, A1)
    assert [newest, pending, R1, R0, R9, oldest] == [one for one in whole.records if one.purpose is Purpose.REFRESH]


@pytest.mark.parametrize("missing", [Purpose.REFRESH, Purpose.ACCESS])
def test_keyset_without_an_active_key(missing: Purpose) -> None:
    """A keyset in which nothing signs for a purpose is a fault, and the message says what to do."""
    with pytest.raises(KeysetFaultError, match=f"no ACTIVE {missing.name} key .* restore the store from a backup"):
        ring(*(one for one in ALL if (one.purpose, one.state) != (missing, KeyState.ACTIVE)))


def test_keys_of_another_format_count_as_unknown() -> None:
    """A key of a format that is not understood neither signs nor verifies, and keeps nobody from starting."""
    newer = replace(
        key(7, Purpose.REFRESH, KeyState.PENDING), format=FORMAT + 1, public_key=b"?" * 32, sealed_seed=b"?"
    )
    whole = ring(*ALL, newer)
    assert not whole.can_sign(newer.key_id)
    with pytest.raises(InvalidRefreshToken) as caught:
        whole.refresh_verifier.verify(signed_by(7), now=NOW)
    assert Cause.UNKNOWN_KEY is caught.value.cause


def test_active_key_of_another_format() -> None:
    """Where a newer release has made the ACTIVE key, an older one does not start."""
    with pytest.raises(KeysetFaultError, match="a newer release made one of another format"):
        ring(replace(R1, format=FORMAT + 1), A1)


def test_public_key_that_is_not_of_prime_order() -> None:
    """A public key of small order is refused when it is loaded."""
    bad = replace(R9, public_key=NOT_OF_PRIME_ORDER)
    with pytest.raises(KeysetFaultError, match=f"{bad.key_id.hex()} is not of prime order"):
        ring(R1, A1, bad)


@pytest.mark.parametrize(
    "damaged", [replace(R1, public_key=A1.public_key), replace(R1, key_id=b"another.", sealed_seed=b"")]
)
def test_seed_that_does_not_belong_to_its_key(damaged: KeyRecord) -> None:
    """A seed beside another public key, or under another id, is a damaged keyset."""
    seed = SEALER.seal(seed_label(Purpose.REFRESH, damaged.key_id), b"\x01" * 32)
    with pytest.raises(KeysetFaultError, match=f"the key {damaged.key_id.hex()} of the keyset is damaged"):
        ring(replace(damaged, sealed_seed=seed), A1)


def test_seeds_that_changed_places() -> None:
    """A seed opens in its own place only."""
    with pytest.raises(SealError, match="another secret"):
        ring(replace(R1, sealed_seed=R0.sealed_seed), A1)


def test_other_master_key() -> None:
    """Seeds that were sealed under another master key do not open."""
    with pytest.raises(WrongMasterKeyError):
        read_signers(ALL, Sealer(b"\x7f" * MASTER_KEY_SIZE), {})


def test_known_keys_are_not_opened_again() -> None:
    """A key that was opened before is taken as it is; one that was revoked since is given up."""
    known = read_signers(ALL, SEALER, {})
    changed = [replace(R1, sealed_seed=b"?"), A1, replace(R0, state=KeyState.REVOKED), A0]
    again = read_signers(changed, Sealer(b"\x7f" * MASTER_KEY_SIZE), known)
    assert {R1.key_id, A1.key_id, A0.key_id} == set(again)
    assert all(again[key_id] is known[key_id] for key_id in again)


def test_known_tables_are_not_made_again() -> None:
    """What was computed for a public key is taken over from the keyring before, however many keys there are."""
    many = [replace(key(number, Purpose.REFRESH), state=KeyState.RETIRING) for number in range(10, 60)]
    before = ring(*ALL, *many)
    after = ring(*(one for one in ALL if one is not R0), *many, key(7, Purpose.ACCESS), previous=before)
    for old, new, gone, added in (
        (before.refresh_verifier, after.refresh_verifier, {R0.public_key}, set()),
        (before.access_verifier, after.access_verifier, set(), {key(7, Purpose.ACCESS).public_key}),
    ):
        assert (set(old.tables) - gone) | added == set(new.tables)
        assert all(new.tables[public_key] is old.tables[public_key] for public_key in set(new.tables) - added)


def test_keyring_shows_no_private_key() -> None:
    """The text form of a keyring names its keys by their ids and holds no seed."""
    text = repr(ring(*ALL, revision=5))
    assert text.startswith("Keyring(revision=5, keys=[")
    assert R1.key_id.hex() in text
    for seed in (bytes([number]) * 32 for number in range(1, 7)):
        assert seed.hex() not in text
        assert repr(seed) not in text
